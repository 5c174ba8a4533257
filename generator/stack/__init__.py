"""Turns an environment and its sizing into troposphere objects: one module for each part of the architecture."""
