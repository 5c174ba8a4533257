"""Generates a CloudFormation template whose reserved concurrency is derived from the expected webhook rate."""

__version__ = "0.1.0"
