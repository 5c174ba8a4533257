"""Who is allowed more and who is allowed less, policy by policy."""
