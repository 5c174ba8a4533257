"""The optional parts: what each needs beside the package's own requirements, and how to install it."""

from __future__ import annotations

import shlex
import sys

REQUIREMENTS = {"charts": "matplotlib>=3.8,<4", "local": "ministack==1.5.33"}
"""By extra, as in setup.cfg."""


def install(extra: str) -> str:
    """The command to type, for the Python that runs, wherever this package itself came from."""
    return f"{shlex.quote(sys.executable)} -m pip install {shlex.quote(REQUIREMENTS[extra])}"
