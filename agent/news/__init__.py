"""What people are told without asking: gathered from the ledger, put into words, handed to Apprise or a command."""
