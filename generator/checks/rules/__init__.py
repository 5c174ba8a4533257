"""cfn-lint rules about reserved concurrency, for anyone: cfn-lint TEMPLATE -a "$(generator rules --path)".

cfn-lint runs each file in this folder by itself, so the files do not import each other. Each adds the place of this
package to where Python looks, last: pipx, Homebrew and pre-commit install cfn-lint where it cannot see it. Ids start
above 9800, for cfn-lint numbers the lines of a user's custom rules file from 9001.
"""

from pathlib import Path


def folder() -> Path:
    """The folder to give to cfn-lint's -a."""
    return Path(__file__).resolve().parent
