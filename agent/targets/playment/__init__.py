"""The Playment job API."""
