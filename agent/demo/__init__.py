"""The demo: the production agent on a temporary folder, with a sandbox Playment and real images on loopback."""
