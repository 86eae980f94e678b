"""The demo: the production agent on a temporary folder with real images, and who takes the jobs, on loopback."""
