"""A new project for those who install the generator: environments, Makefile, workflow, README; whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from generator import __version__
from generator.errors import Fault, UnwritableOutput

DOT = "dot_"
"""What a name below `generator/skeleton` has instead of a leading dot, which packaging tools like to leave out."""


def files() -> dict[str, str]:
    """The text of each file of a new project by its path in it, with this version of the generator pinned."""
    skeleton = resources.files("generator") / "skeleton"
    return {
        str(path): entry.read_text(encoding="utf-8").replace("@VERSION@", __version__)
        for path, entry in sorted(_entries(skeleton, PurePosixPath()))
    }


def write(folder: Path) -> list[Path]:
    """Writes a new project into the folder, which is made if it is not there, and tells the paths in it.

    Raises UnwritableOutput, with nothing written, with every file that is there already, or if the folder cannot be
    written. Whatever interrupts it, no file is left half written or without the others.
    """
    texts = files()
    if faults := list(_in_the_way(folder, texts)):
        raise UnwritableOutput(faults)
    try:
        # Below what is there already, so that nothing but renaming is left to do once every file is complete.
        base = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
        with tempfile.TemporaryDirectory(dir=base, prefix=".generator-init-") as stage:
            for name, text in texts.items():
                path = Path(stage) / os.path.relpath(folder.absolute(), base.absolute()) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8", newline="\n")
            _move(Path(stage), base)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise UnwritableOutput([Fault(str(folder), what, "correct its permissions, or name another folder")]) from error
    return [folder / name for name in texts]


def _entries(folder: Traversable, path: PurePosixPath) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in folder.iterdir():
        name = path / entry.name.replace(DOT, ".", 1) if entry.name.startswith(DOT) else path / entry.name
        if entry.is_dir():
            yield from _entries(entry, name)
        else:
            yield name, entry


def _in_the_way(folder: Path, texts: Mapping[str, str]) -> Iterator[Fault]:
    """What keeps a new project from being written there: files of its names, and files where it needs folders."""
    if (file := _first_file(folder)) is not None:
        yield Fault(str(file), "a file and not a folder", "name a folder, new or without a project in it")
        return
    for name in texts:
        path = folder / name
        if os.path.lexists(path):
            yield Fault(str(path), "already there", "move it away, or name another folder")
        elif (file := _first_file(path.parent)) is not None:
            yield Fault(str(file), f"a file, where {name} needs a folder", "move it away, or name another folder")


def _first_file(path: Path) -> Path | None:
    """The path itself or the closest folder above it that is there and is no folder at all."""
    there = next((one for one in (path, *path.parents) if os.path.lexists(one)), None)
    return there if there is not None and not there.is_dir() else None


def _move(stage: Path, base: Path) -> None:
    """Moves what is staged into place, and back again if anything goes wrong on the way."""
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
    """The fewest renames: a folder that is not there yet comes whole, in one step."""
    for source in sorted(stage.iterdir()):
        target = base / source.name
        if target.is_dir():
            yield from _moves(source, target)
        else:
            yield source, target
