"""Stage 2: a settled unit's files become digests, an order, and what is wrong with them.

Imports nothing: the worker processes start with this package and have no time to lose.
"""
