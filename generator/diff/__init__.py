"""Compare two templates, and report what a reviewer has to know about the difference."""
