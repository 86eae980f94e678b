"""Puts the stages together and runs the loop."""
