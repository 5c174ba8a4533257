"""Finds and reads the two sides of a comparison: an environment, a file, or either at a git revision."""

from __future__ import annotations

import os
import stat
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator import plans
from generator.config import files
from generator.config.schema import Environment
from generator.diff.model import MAKERS
from generator.errors import Fault, GeneratorError, InvalidEnvironment, UnreadableTemplate
from generator.template.model import Template
from generator.template.reading import MAX_CHARACTERS, parse, parsed, status, template, text_of, unreadable

GIT_OPTIONS = (
    *("--no-pager", "--no-replace-objects", "--no-optional-locks"),
    *("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
)
"""Nothing that a repository brings runs, and a bare repository among its files is not taken for it.

Only rev-parse and cat-file follow, which use neither filters nor textconv. Source: gitglossary(7), git-config(1).
"""

GIT_SAFE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_ADVICE": "0"}
"""A partial clone fetches what is missing through the programs that its configuration names, unless no protocol is
allowed: the variable stands above the configuration. Source: git(1), "Environment variables"."""

GIT_INHERITED = (
    "PATH",
    "HOME",
    "XDG_CONFIG_HOME",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_CEILING_DIRECTORIES",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_TEST_ASSUME",
)
"""How the names of the variables begin that git gets: where the repository and the user's own configuration are."""

GIT_TIMEOUT_S = 60

SUFFIXES = (".json", ".yaml", ".yml", ".template")


@dataclass(frozen=True, slots=True)
class Side:
    """One template, with the name it was asked for by and the environment it belongs to, if any."""

    name: str
    environment: str | None
    template: Template
    revision: str | None = None


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
    """One side: an environment, REVISION:ENV or REVISION:FILE, or a file.

    A file of a project cannot stand in for an environment or a revision of the same name: ./NAME names the file.
    Raises UnreadableTemplate.
    """
    revision, colon, wanted = name.partition(":")
    if _is_there(Path(name)) and name not in files.known() and not (colon and _is_revision(name, revision)):
        return Side(name, None, _parsed(name, text_of(Path(name))))
    if colon:
        path = _path(wanted)
        text = _committed(name, revision, path)
        return Side(name, None if _is_file_name(wanted) else wanted, _parsed(name, text), revision)
    path = _path(name)
    if _is_file_name(name):
        is_folder = status(path) is not None
        raise unreadable(
            name, "a folder" if is_folder else "no such file", "name a file" if is_folder else "correct the path"
        )
    if not _is_there(path):
        raise unreadable(name, f"neither a file nor an environment: {path} is not there", _remedy(name))
    return Side(name, name, _parsed(str(path), text_of(path)))


def settings(side: Side) -> Environment | None:
    """Return the environment of a side as it is, or was at the revision; None for a file, or without such a setting.

    Raises GeneratorError.
    """
    name = side.environment
    if side.revision is None or name is None:
        return files.load_named([name])[0] if name is not None and name in files.known() else None
    path = files.FOLDER / f"{name}.toml"
    origin = f"{path} at {side.revision}"
    try:
        table = files.tables(_committed(side.name, side.revision, path).encode())
    except (ValueError, RecursionError) as error:
        raise InvalidEnvironment([Fault(origin, f"not TOML ({error})", "compare with another revision")]) from None
    return files.read(table, origin)


def _remedy(name: str) -> str:
    known = files.known()
    if name in known:
        return f"run: generator template {name}"
    names = ", ".join(known)
    return f"name a file, REVISION:ENV, or one of the environments {names}" if known else files.PROJECT_REMEDY


def _is_file_name(name: str) -> bool:
    return "/" in name or name.endswith(SUFFIXES)


def _is_revision(where: str, revision: str) -> bool:
    return bool(revision) and _commit(where, revision)[0] is not None


def _commit(where: str, revision: str) -> tuple[str | None, str]:
    return _git(where, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")


def _is_there(path: Path) -> bool:
    """Whether there is something to read, be it a pipe."""
    found = status(path)
    return found is not None and not stat.S_ISDIR(found.st_mode)


def _path(name: str) -> Path:
    return Path(name) if _is_file_name(name) else plans.committed(name)


def _committed(where: str, revision: str, path: Path) -> str:
    """The file as it was at a revision, by its path from the current folder."""
    commit, reason = _commit(where, revision)
    if revision and reason:
        raise unreadable(where, f"git says: {reason}", "see: git status")
    if not revision or commit is None:
        raise unreadable(
            where, f'"{revision}" is not a revision of a git repository here', "name a branch, tag or commit"
        )
    blob = f"{commit.strip()}:./{path.as_posix()}"
    size_bytes, _ = _git(where, "cat-file", "-s", blob)
    if size_bytes and int(size_bytes) > MAX_CHARACTERS:
        raise unreadable(where, f"{int(size_bytes):,} bytes, more than any template has", "name a template")
    text, _ = _git(where, "cat-file", "blob", blob)
    if text is None:
        remedy = f"see: git ls-tree {revision} {path.parent}/"
        raise unreadable(where, f"{path} is not there at {revision}", remedy)
    return text


def _git(where: str, *arguments: str) -> tuple[str | None, str]:
    """What git prints, None if it fails, and the reason that it gives, if any."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(GIT_INHERITED)}
    command = ["git", *GIT_OPTIONS, *arguments]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            env=kept | GIT_SAFE,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
        reason = done.stderr.decode("utf-8", "replace").partition("\n")[0].removeprefix("fatal: ")
        return (done.stdout.decode("utf-8"), "") if done.returncode == 0 else (None, reason)
    except UnicodeDecodeError:
        raise unreadable(where, "not UTF-8 text", "name a template") from None
    except subprocess.TimeoutExpired:
        raise unreadable(where, f"git took more than {GIT_TIMEOUT_S} s", "name a commit, or compare files") from None
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
