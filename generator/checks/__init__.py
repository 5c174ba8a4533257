"""What is wrong with a template: lint, quota, size and drift, as text, JSON or SARIF."""
