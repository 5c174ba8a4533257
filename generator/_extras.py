"""The optional parts: what each needs beside the package's own requirements, and how to install it."""

from __future__ import annotations

import shlex
import sys

REQUIREMENTS = {"charts": "matplotlib>=3.8,<4", "local": "ministack==1.5.33"}
"""By extra, as in setup.cfg."""

RESOLVED_WITH = {"local": ("boto3",)}
"""What is installed already and shares a requirement with the extra: pip looks only at what it is told to install."""


def install(extra: str) -> str:
    """The command to type, for the Python that runs, wherever this package itself came from."""
    return shlex.join([sys.executable, "-m", "pip", "install", REQUIREMENTS[extra], *RESOLVED_WITH.get(extra, ())])
