"""This project's cfn-lint rules, for any template: cfn-lint TEMPLATE -a "$(generator rules --path)".

cfn-lint loads the file in this folder by its path. It appends the folder of this package to Python's path, because
pipx, Homebrew and pre-commit install cfn-lint in an environment of its own. Ids start above 9800, because cfn-lint
numbers the lines of a user's custom rules file from 9001.
"""

from pathlib import Path


def folder() -> Path:
    """Return the folder to pass to cfn-lint's -a."""
    return Path(__file__).resolve().parent
