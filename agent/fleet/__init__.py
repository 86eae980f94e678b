"""Many hosts, one project: what they share in PostgreSQL, and the only place that knows it.

Each host's ledger stays the truth for its host. Shared are claims, one budget, and how each host stands. README.md here
says what the database holds.
"""
