"""Find the project, and reject files outside it unless the user names them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from generator.errors import Fault

ENVIRONMENTS, TEMPLATES = "environments", "templates_out"


def root() -> Path:
    """Return the folder of the project, relative to the current folder.

    It is the closest folder with environment files, from the current one upwards to the root of the git repository;
    the current folder if there is none.
    """
    current = Path.cwd()
    for folder in (current, *current.parents):
        if folder != current and _has_environments(folder):
            return Path(os.path.relpath(folder, current))
        if (folder / ".git").exists() or (folder == current and _is_project(folder)):
            break
    return Path()


def environments() -> Path:
    """Return the folder of the environment files."""
    return root() / ENVIRONMENTS


def templates() -> Path:
    """Return the folder of the committed templates and their review pages."""
    return root() / TEMPLATES


def _is_project(folder: Path) -> bool:
    return (folder / ENVIRONMENTS).is_dir() or (folder / TEMPLATES).is_dir()


def _has_environments(folder: Path) -> bool:
    try:
        return any(name.endswith(".toml") for name in os.listdir(folder / ENVIRONMENTS))
    except OSError:
        return False


def foreign(path: Path) -> Fault | None:
    """Return a fault if the path leads out of the project or is neither a regular file nor a folder, nor missing.

    The project does not include .git. A folder elsewhere, which only a user can name, is its own project.
    """
    project, folder = os.path.abspath(root()), os.path.abspath(path.parent)
    top = project if Path(folder).is_relative_to(project) else os.path.realpath(folder)
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(top) or ".git" in Path(os.path.relpath(real, top).lower()).parts:
        return Fault(str(path), "a link that leads out of the project", "replace it by a file of the project")
    try:
        mode = os.stat(real).st_mode
    except OSError:  # The code that reads or writes the file reports it.
        return None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return Fault(str(path), "not a regular file", "replace it by a file of the project")
    return None
