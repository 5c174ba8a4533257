"""The import time of each package, from `python -X importtime`."""

from __future__ import annotations

import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import COMPILED, python

LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
RUNS = 5


@dataclass(frozen=True, slots=True)
class Package:
    """Import time of a top-level package, with everything that it imports first and alone; number of its modules."""

    name: str
    cumulative_ms: float
    own_ms: float
    modules: int


def profile(command: Iterable[str], folder: Path) -> list[Package]:
    """Return the packages that a Python command imports, longest cumulative time first, in the fastest run."""
    runs = [_packages(_listing(command, folder)) for _ in range(RUNS)]
    return min(runs, key=lambda packages: sum(package.own_ms for package in packages))


def _listing(command: Iterable[str], folder: Path) -> str:
    instrumented = python("-X", "importtime", *command)
    environ = {**os.environ, **COMPILED}
    return subprocess.run(instrumented, cwd=folder, env=environ, capture_output=True, text=True, check=True).stderr


def _packages(listing: str) -> list[Package]:
    cumulative_us: dict[str, int] = defaultdict(int)
    own_us: dict[str, int] = defaultdict(int)
    modules: dict[str, int] = defaultdict(int)
    for name, own, total, outermost in _modules(listing):
        own_us[name] += own
        modules[name] += 1
        cumulative_us[name] += total if outermost else 0
    packages = [Package(name, cumulative_us[name] / 1000, own_us[name] / 1000, modules[name]) for name in modules]
    return sorted(packages, key=lambda package: -package.cumulative_ms)


def _modules(listing: str) -> Iterator[tuple[str, int, int, bool]]:
    """Yield the package, own time and cumulative time of each module, and True unless its own package imported it.

    Python lists a module after those that it imports, which are indented deeper. So read from the end.
    """
    importers: list[tuple[int, str]] = []
    for line in reversed(listing.splitlines()):
        if match := LINE.match(line):
            own, total, indent, module = int(match[1]), int(match[2]), len(match[3]), match[4]
            package = module.partition(".")[0]
            while importers and importers[-1][0] >= indent:
                importers.pop()
            yield package, own, total, all(package != importer for _, importer in importers)
            importers.append((indent, package))
