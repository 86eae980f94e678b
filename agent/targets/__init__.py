"""Stage 5: who takes the jobs, and the gate before every request."""
