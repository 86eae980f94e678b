"""The watch folder: its events, listings, open files and `.playment.toml` files. I/O."""
