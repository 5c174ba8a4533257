"""Read-only checks of a live AWS account before a deployment."""
