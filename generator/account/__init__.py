"""The account before the deployment: each module asks about one part of the stack, and `run` asks them all."""
