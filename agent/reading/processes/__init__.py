"""Processes of their own that read long sequences. Imports nothing: see `agent.reading`."""
