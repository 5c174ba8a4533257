"""What a change of a template means: two templates in, and what a reviewer has to know of the difference out."""
