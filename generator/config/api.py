"""How other programs get an environment. All that they may rely on can be imported from `generator` itself."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generator.config import files
from generator.config.schema import Environment


def load(source: str | os.PathLike[str] | Mapping[str, Any]) -> Environment:
    """An environment from a TOML file, or from a dict of what would be in it: name, region, traffic and the rest.

    What is left out has its default; `environments/README.md` of the project lists every setting, with unit and range.
    Raises InvalidEnvironment, a GeneratorError, with every fault; a fault in a dict is at "environment: KEY".
    """
    if isinstance(source, Mapping):
        return files.read(source, "environment")
    path = Path(source)
    return files.read(files.parse(path), str(path))


def load_all(folder: str | os.PathLike[str] = files.FOLDER) -> list[Environment]:
    """Every environment in a folder, sorted by name. Raises InvalidEnvironment with every fault of every file."""
    return files.load(folder=Path(folder))
