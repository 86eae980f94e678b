"""Stage 6: pending, admitted, published, intended, posted, and the outcome: each exactly once."""
