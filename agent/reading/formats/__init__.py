"""What proves a picture whole, one format a module."""
