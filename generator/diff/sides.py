"""Find and read the two sides of a comparison: an environment, a file, or either at a git revision."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from generator import plans
from generator.config import files, project
from generator.config.schema import ENVIRONMENT_NAME, Environment
from generator.diff import git
from generator.diff.git import Base
from generator.diff.model import RESOURCE_GENERATORS
from generator.errors import Fault, InvalidEnvironment, UnreadableTemplate, each
from generator.template.intrinsics import Json
from generator.template.loop_lists import every_list
from generator.template.model import Template
from generator.template.reading import SUFFIXES, parse, parsed, status, template, text_of, unreadable

NO_TEMPLATE = parse({"Resources": {}})


@dataclass(frozen=True, slots=True)
class Side:
    """One template, with the name that the user gave and the environment that it belongs to, if any."""

    name: str
    environment: str | None
    template: Template
    revision: str | None = None
    exists: bool = True
    """False for an environment or file that is new on the other side, or removed from it."""


class _Place(NamedTuple):
    """The place that a user's name of a side stands for."""

    revision: str | None
    wanted: str
    """The environment or file, without the revision."""
    environment: str | None
    path: Path


def _place(name: str) -> _Place:
    """Return the place of a side: an environment, REVISION:ENV or REVISION:FILE, or a file.

    A file of a project cannot stand in for an environment or a revision of the same name: ./NAME names the file.
    """
    revision, colon, wanted = name.partition(":")
    is_named = name in files.known() or (colon and git.is_revision(name, revision))
    if _is_readable(Path(name)) and not is_named:
        return _Place(None, name, None, Path(name))
    wanted = wanted if colon else name
    is_file = "/" in wanted or wanted.endswith(SUFFIXES)
    path = Path(wanted) if is_file else plans.committed(wanted)
    return _Place(revision if colon else None, wanted, None if is_file else wanted, path)


def read_both(old: str, new: str) -> tuple[Side, Side]:
    """Read both sides. One of them need not exist if both are the same environment or file.

    Raises UnreadableTemplate with the faults of both.
    """
    is_same = _place(old).wanted == _place(new).wanted
    sides = each(lambda name: read(name, may_be_absent=is_same), (old, new), UnreadableTemplate)
    if not any(side.exists for side in sides):
        sides = each(read, (old, new), UnreadableTemplate)
    return sides[0], sides[1]


def read_since(base: Base, name: str) -> tuple[Side, Side]:
    """Read an environment or a file at the base and at present. Raises UnreadableTemplate."""
    try:
        old, new = read_both(f"{base.commit}:{_place(name).wanted}", name)
    except UnreadableTemplate as error:
        of_name = [fault for fault in error.faults if not fault.where.startswith(base.commit)]
        raise UnreadableTemplate(of_name or error.faults) from None
    return replace(old, name=str(base)), new


def changed_since(base: Base) -> list[str]:
    """Return the environments whose template or settings differ from the base, also new and removed ones.

    Raises GeneratorError.
    """
    committed = git.names_at(str(base), base.commit, f"{project.templates()}/")
    names = {name.removesuffix(".json") for name in committed if name.endswith(".json")}
    names = {*files.known(), *(name for name in names if re.fullmatch(ENVIRONMENT_NAME, name))}
    if not names:
        raise unreadable(f"{project.environments()}/", "no environment file here", files.PROJECT_REMEDY)
    return sorted(name for name in names if _has_changed(base, name))


def _has_changed(base: Base, name: str) -> bool:
    return any(
        git.text_at(str(base), base.commit, path) != (text_of(path) if _is_readable(path) else None)
        for path in (plans.committed(name), project.environments() / f"{name}.toml")
    )


def read(name: str, may_be_absent: bool = False) -> Side:
    """Return one side. Raises UnreadableTemplate, unless the side does not exist and need not."""
    revision, _, environment, path = _place(name)
    if revision is not None:
        text = git.text_at(name, git.commit(name, revision), path)
        if text is None and not may_be_absent:
            raise _missing(name, revision, path)
        return Side(name, environment, NO_TEMPLATE if text is None else _parsed(name, text), revision, text is not None)
    if _is_readable(path):
        return Side(name, environment, _parsed(str(path) if environment else name, text_of(path)))
    if may_be_absent and status(path) is None and name not in files.known():
        return Side(name, environment, NO_TEMPLATE, exists=False)
    if environment is None:
        is_folder = status(path) is not None
        raise unreadable(
            name, "a folder" if is_folder else "no such file", "name a file" if is_folder else "correct the path"
        )
    known = files.known()
    if name in known:
        raise unreadable(name, f"has no template: {path} is not there", f"run: generator template {name}")
    remedy = f"name a file, REVISION:ENV, or one of the environments {', '.join(known)}"
    raise unreadable(
        name,
        f"neither a file nor an environment: {path} is not there",
        remedy if known else files.PROJECT_REMEDY,
    )


def _missing(name: str, revision: str, path: Path) -> UnreadableTemplate:
    return unreadable(name, f"{path} is not there at {revision}", f"see: git ls-tree {revision} {path.parent}/")


def settings(side: Side) -> Environment | None:
    """Return the environment file of a side, at its revision; None for a file or without an environment file.

    Raises GeneratorError.
    """
    name = side.environment
    if name is None or not side.exists:
        return None
    if side.revision is None:
        return files.load_named([name])[0] if name in files.known() else None
    path = project.environments() / f"{name}.toml"
    origin = f"{path} at {side.revision}"
    text = git.text_at(side.name, git.commit(side.name, side.revision), path)
    if text is None:
        raise _missing(side.name, side.revision, path)
    try:
        table = files.tables(text.encode())
    except (ValueError, RecursionError) as error:
        raise InvalidEnvironment([Fault(origin, f"not TOML ({error})", "compare with another revision")]) from None
    return files.read(table, origin)


def _is_readable(path: Path) -> bool:
    """Return whether the path can be read, as a file or as a pipe."""
    stats = status(path)
    return stats is not None and not stat.S_ISDIR(stats.st_mode)


def comparable(document: Json) -> Template:
    """Return a template's model. An entry that creates an unknown number of resources becomes one resource."""
    model = parse(document, lists=every_list)
    generators = {}
    for name, content in model.opaque.items():
        kind = next(kind for kind in RESOURCE_GENERATORS if name.startswith(kind))
        generators[name] = {"Type": kind, "Properties": {"Makes": content}}
    return replace(model, resources={**model.resources, **generators})


def _parsed(where: str, text: str) -> Template:
    return comparable(template(where, parsed(where, text)))
