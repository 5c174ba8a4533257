"""Pure arithmetic: a rate becomes reserved concurrency, and an account holds it or does not."""
