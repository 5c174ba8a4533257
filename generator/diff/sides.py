"""Finds and reads the two sides of a comparison: an environment, a file, or either at a git revision."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator import plans
from generator.config import files
from generator.diff.model import MAKERS
from generator.errors import Fault, GeneratorError, UnreadableTemplate
from generator.template.model import Template
from generator.template.reading import parse, parsed, status, template, text_of, unreadable

SUFFIXES = (".json", ".yaml", ".yml", ".template")


@dataclass(frozen=True, slots=True)
class Side:
    """One template, with the name it was asked for by and the environment it belongs to, if any."""

    name: str
    environment: str | None
    template: Template


def read_both(old: str, new: str) -> tuple[Side, Side]:
    """Reads both sides. Raises UnreadableTemplate with the faults of both."""
    sides: list[Side] = []
    faults: list[Fault] = []
    for name in (old, new):
        try:
            sides.append(read(name))
        except GeneratorError as error:
            faults += error.faults
    if faults:
        raise UnreadableTemplate(dict.fromkeys(faults))
    return sides[0], sides[1]


def read(name: str) -> Side:
    """One side: a file if there is one of this name, REVISION:ENV or REVISION:FILE, or else an environment.

    Raises UnreadableTemplate.
    """
    if _is_there(Path(name)):
        return Side(name, None, _parsed(name, text_of(Path(name))))
    revision, colon, wanted = name.partition(":")
    if colon:
        path = _path(wanted)
        text = _committed(name, revision, path)
        return Side(name, None if _is_file_name(wanted) else wanted, _parsed(name, text))
    path = _path(name)
    if _is_file_name(name):
        is_folder = status(path) is not None
        raise unreadable(
            name, "a folder" if is_folder else "no such file", "name a file" if is_folder else "correct the path"
        )
    if not _is_there(path):
        raise unreadable(name, f"neither a file nor an environment: {path} is not there", _remedy(name))
    return Side(name, name, _parsed(str(path), text_of(path)))


def _remedy(name: str) -> str:
    known = files.known()
    if name in known:
        return f"run: generator template {name}"
    names = ", ".join(known)
    return f"name a file, REVISION:ENV, or one of the environments {names}" if known else files.PROJECT_REMEDY


def _is_file_name(name: str) -> bool:
    return "/" in name or name.endswith(SUFFIXES)


def _is_there(path: Path) -> bool:
    """Whether there is something to read, be it a pipe."""
    found = status(path)
    return found is not None and not stat.S_ISDIR(found.st_mode)


def _path(name: str) -> Path:
    return Path(name) if _is_file_name(name) else plans.OUTPUT / f"{name}.json"


def _committed(where: str, revision: str, path: Path) -> str:
    """The file as it was at a revision, by its path from the current folder."""
    commit, reason = _git(where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if revision and reason:
        raise unreadable(where, f"git says: {reason}", "see: git status")
    if not revision or commit is None:
        raise unreadable(where, f'"{revision}" is no revision of a git repository here', "name a branch, tag or commit")
    text, _ = _git(where, "show", f"{commit.strip()}:./{path.as_posix()}")
    if text is None:
        remedy = f"see: git ls-tree {revision} {path.parent}/"
        raise unreadable(where, f"{path} is not there at {revision}", remedy)
    return text


def _git(where: str, *arguments: str) -> tuple[str | None, str]:
    """What git prints, None if it fails, and the reason that it gives, if any."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
        reason = done.stderr.decode("utf-8", "replace").partition("\n")[0].removeprefix("fatal: ")
        return (done.stdout.decode("utf-8"), "") if done.returncode == 0 else (None, reason)
    except UnicodeDecodeError:
        raise unreadable(where, "not UTF-8 text", "name a template") from None
    except OSError:
        raise unreadable(where, "git cannot be run", "install git, or compare files") from None


def comparable(document: Any) -> Template:
    """Return a template's model in which whatever creates an unknown number of resources is one resource itself."""
    found = parse(document)
    makers = {
        name: {"Type": next(one for one in MAKERS if name.startswith(one)), "Properties": {"Makes": content}}
        for name, content in found.opaque.items()
    }
    return replace(found, resources={**found.resources, **makers})


def _parsed(where: str, text: str) -> Template:
    return comparable(template(where, parsed(where, text)))
