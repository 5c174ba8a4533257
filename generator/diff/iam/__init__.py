"""Compare the permissions of two templates, policy by policy."""
