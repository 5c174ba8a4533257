"""Findings about template files: lint, quota, size and drift, as text, JSON or SARIF."""
