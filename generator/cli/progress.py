"""Decide when to show a progress bar."""

from __future__ import annotations

import os
import sys


def is_shown() -> bool:
    """Return True on a terminal that supports escape sequences and does not set NO_COLOR."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
