"""The ledger: every write, in transactions.

`store` holds the connection, the one way to change a job's state, and the thread that owns it; `units` writes what
detection finds, `jobs` what sending does, `orders` what a person says.
"""
