"""Keep the files that a command finds by itself, not those that the user names, inside the project."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from generator.errors import Fault


def foreign(path: Path) -> Fault | None:
    """Return a fault if the path leads out of the project or is neither a regular file nor a folder, nor missing.

    The project is the current folder, without .git. A folder elsewhere, which only a user can name, is its own project.
    """
    here, folder = os.getcwd(), os.path.abspath(path.parent)
    root = here if _is_below(folder, here) else os.path.realpath(folder)
    real = os.path.realpath(path)
    if not _is_below(real, root) or ".git" in Path(os.path.relpath(real, root).lower()).parts:
        return Fault(str(path), "a link that leads out of the project", "replace it by a file of the project")
    try:
        mode = os.stat(real).st_mode
    except OSError:  # The code that reads or writes the file reports it.
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return Fault(str(path), "not a regular file", "replace it by a file of the project")
    return None


def _is_below(path: str, folder: str) -> bool:
    return os.path.commonpath([path, folder]) == folder
