"""Stage 7: completed annotations become files."""
