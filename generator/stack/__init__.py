"""This project's stack as troposphere objects, composed from an environment and its sizing."""
