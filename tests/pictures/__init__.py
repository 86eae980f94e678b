"""Good pictures by every encoder that can be had, and damaged ones: see `python -m tests.pictures --help`."""
