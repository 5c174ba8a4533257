"""What a reviewer sees: the page beside each template and its cost, and the difference between two templates."""
