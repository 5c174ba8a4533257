"""Arithmetic without input or output: from a rate to reserved concurrency, and whether an account holds it."""
