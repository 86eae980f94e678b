"""Real copy tools that write into a running agent's folder: see `python -m tests.tools --help`."""
