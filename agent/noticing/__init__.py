"""Stage 1: which folders are looked at when, and what a listing means."""
