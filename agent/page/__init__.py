"""A page in the browser: how it stands, what waits for a person, each folder and each job. It only reads the ledger.

Every import of what the extra `page` brings stays below this package; `commands/page.py` alone imports it, when asked.
"""
