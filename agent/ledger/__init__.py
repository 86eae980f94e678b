"""The ledger: all that is written down, and every word of SQL.

`reads` has every question, for all that only read; it is built on `reads_for_noticing`, and that on `reads_for_people`.
`store` holds the connection and the one way to change a job's state, `writer` the thread that owns it; `units` writes
what detection finds, `jobs` what sending does, `orders` what a person says. README.md describes the tables.
"""
