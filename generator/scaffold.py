"""Create a new project for `generator init`: all of its files (environments, Makefile, workflow, README) or none."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from generator import __version__
from generator._runtime import DISTRIBUTION, temporary_folder, uninterrupted
from generator.config.json_schema import schema_text
from generator.config.project import foreign
from generator.errors import Fault, UnwritableOutput

SKELETON = Path(__file__).parent / "skeleton"

DOT = "dot_"
"""Prefix in the skeleton for a leading dot: packaging tools tend to skip dot files."""

SCHEMA_LINE = "#:schema ./schema.json\n"
"""The first line of each environment, with which an editor finds the schema."""


def files() -> dict[str, str]:
    """Return the text of each file by its path in the project, with the generator that runs as the requirement."""
    texts = {"environments/schema.json": schema_text()}
    for path in filter(Path.is_file, SKELETON.rglob("*")):
        name = "/".join(re.sub(f"^{DOT}", ".", part) for part in path.relative_to(SKELETON).parts)
        text = path.read_text(encoding="utf-8").replace("@REQUIREMENT@", requirement())
        texts[name] = (SCHEMA_LINE if path.suffix == ".toml" else "") + text
    return dict(sorted(texts.items()))


def requirement() -> str:
    """Return the requirement that installs the running generator: this version, or the file or commit it came from.

    Source: Python packaging specification, "Recording the Direct URL Origin of installed distributions".
    """
    try:
        origin = json.loads(metadata.distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:  # The code runs from a folder in which nothing is installed.
        origin = {}
    if not origin:
        return f"{DISTRIBUTION}=={__version__}"
    if source := origin.get("vcs_info"):
        return f"{DISTRIBUTION} @ {source['vcs']}+{origin['url']}@{source['commit_id']}"
    return f"{DISTRIBUTION} @ {origin['url']}"


def write(folder: Path) -> list[Path]:
    """Write a new project into the folder, creating it if necessary, and return the paths of the files.

    Raises UnwritableOutput, with nothing written, if a file already exists or the folder cannot be written. An
    interruption leaves neither half a file nor some of the files.
    """
    texts = files()
    if faults := list(_conflicts(folder, texts)):
        raise UnwritableOutput(faults)
    try:
        # Write below the closest existing folder, so that once every file is complete only renames remain.
        base = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        with uninterrupted(), temporary_folder(".generator-init-", base) as stage:
            for name, text in texts.items():
                path = stage / os.path.relpath(folder.absolute(), base.absolute()) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
            _move(stage, base)
    except OSError as error:
        remedy = "correct its permissions or choose another folder"
        fault = Fault(str(folder), f"cannot be written ({error.strerror})", remedy)
        raise UnwritableOutput([fault]) from error
    return [folder / name for name in texts]


def _conflicts(folder: Path, texts: Mapping[str, str]) -> Iterator[Fault]:
    """Yield a fault for each existing file that has the name of a new file or folder."""
    if (file := _first_file(folder)) is not None:
        yield Fault(str(file), "is a file, not a folder", "choose a new folder or one without a project")
        return
    for name in texts:
        path = folder / name
        if fault := foreign(path):
            yield fault
        elif os.path.lexists(path):
            yield Fault(str(path), "already exists", "move it away or choose another folder")
        elif (file := _first_file(path.parent)) is not None:
            yield Fault(str(file), f"is a file, but {name} needs a folder", "move it away or choose another folder")


def _first_file(path: Path) -> Path | None:
    """Return the path or its closest existing parent if that is not a folder."""
    existing = next((candidate for candidate in (path, *path.parents) if os.path.lexists(candidate)), None)
    return existing if existing is not None and not existing.is_dir() else None


def _move(stage: Path, base: Path) -> None:
    """Move the staged files into place; if anything fails, move them back."""
    moved: list[tuple[Path, Path]] = []
    try:
        for source, target in list(_moves(stage, base)):
            moved.append((source, target))
            os.rename(source, target)
    except BaseException:
        for source, target in moved:
            if not source.exists():
                os.rename(target, source)
        raise


def _moves(stage: Path, base: Path) -> Iterable[tuple[Path, Path]]:
    """Yield as few renames as possible: a folder that does not exist yet moves in one step."""
    for source in sorted(stage.iterdir()):
        target = base / source.name
        if target.is_dir():
            yield from _moves(source, target)
        else:
            yield source, target
