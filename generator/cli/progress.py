"""When to show a progress bar."""

from __future__ import annotations

import os
import sys


def is_shown() -> bool:
    """On a terminal only: a bar moves the cursor, which NO_COLOR and a dumb terminal are to be spared."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
