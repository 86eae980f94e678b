"""The demo at a real Label Studio: made on the spot, started on loopback, and asked what arrived."""
