"""What is seen: one module for each view, which reads the ledger for the template of its name."""
