"""The running emulator of an environment, for commands in another terminal.

Each run writes its URL, which is a secret, to its temporary folder. Only its user may read that folder, and it
disappears with the run, however the run ends.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from generator._format import joined
from generator.config.project import root
from generator.errors import EmulatorFailure, Fault
from generator.local.emulator import FOLDER_PREFIX, HOST, Emulator

_FILE = "run.json"
_MAX_BYTES = 10_000


class Run(NamedTuple):
    """A running `generator local`: its project, environment and process, and the emulator's Region and URL."""

    project: str
    environment: str
    region: str
    url: str
    pid: str


def announce(emulator: Emulator, environment: str) -> None:
    """Make the running emulator known to `find`."""
    run = Run(_project(), environment, emulator.region, emulator.url, str(os.getpid()))
    partial = emulator.folder / f"{_FILE}.partial"
    partial.write_text(json.dumps(run._asdict()), encoding="utf-8")
    partial.replace(emulator.folder / _FILE)


def find(environment: str) -> Run:
    """Return the run of this project's environment. Raises EmulatorFailure unless there is exactly one."""
    runs = [run for run in _all() if (run.project, run.environment) == (_project(), environment)]
    if len(runs) == 1:
        return runs[0]
    what, remedy = "is not running", f"start it in another terminal: generator local {environment}"
    if runs:
        what = f"runs {len(runs)} times in this project, as processes {joined([run.pid for run in runs])}"
        remedy = "stop all but one with: kill PID"
    raise EmulatorFailure([Fault(f"generator local {environment}", what, remedy)])


def _project() -> str:
    return os.path.realpath(root())


def _all() -> Iterator[Run]:
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        with suppress(OSError, ValueError, TypeError, LookupError):  # Not a run, or one that just ended.
            if not _is_private(folder):
                continue
            with (folder / _FILE).open("rb") as file:
                document = json.loads(file.read(_MAX_BYTES))
            run = Run(*(str(document[name]) for name in Run._fields))
            if urlsplit(run.url).scheme == "http" and urlsplit(run.url).hostname == HOST:
                yield run


def _is_private(folder: Path) -> bool:
    """Return whether the folder is this user's and closed to others: anybody may create folders beside it."""
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not stat.S_IMODE(status.st_mode) & 0o077
