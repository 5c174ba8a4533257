"""How long the commands take and how much memory they need, beside things that are measured in the same run."""
