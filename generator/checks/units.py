"""What a check judges: the stacks of template files, folders and CDK assemblies, each with its account and Region."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from generator.checks.quota.deployed import Deployed

ANY = ""
"""The account or Region of a stack that may go to every account or Region."""


@dataclass(frozen=True, slots=True)
class Unread:
    """Something that may reserve concurrency and could not be read."""

    file: Path
    path: str
    """The place inside the file, such as Resources/Child; empty for the whole file."""
    what: str
    """What could not be read, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One stack, or everything of one plan that goes to the same account and Region."""

    name: str
    path: Path
    """The file that a finding names."""
    deployed: tuple[Deployed, ...]
    """The template under each set of parameters that is given, with nested stacks put into it."""
    account: str = ANY
    region: str = ANY
    unread: tuple[Unread, ...] = ()
    held: int = 0
    """What it reserves at present, as far as the file states it. An account's present reservations contain it."""


@dataclass(frozen=True, slots=True)
class Units:
    """The content of a file or folder."""

    units: tuple[Unit, ...]
    unread: tuple[Unread, ...] = ()
    """What belongs to no unit, such as a file that cannot be parsed."""
    templates: tuple[Path, ...] = ()
    """The files that cfn-lint can check."""
