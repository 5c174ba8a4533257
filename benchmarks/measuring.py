"""Runs commands in turns and keeps what each run took.

Turns, so that a change in the machine's load meets all of them. The least of several wall times comes nearest to a
quiet machine, the median is what one waits for on this one, and processor time tells what the processes do together.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("launcher.py")
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Compiled modules are kept from the run that warms up, as they are for somebody who uses a command twice."""


@dataclass(frozen=True, slots=True)
class Case:
    """One command, where it runs, and how often."""

    name: str
    command: Sequence[str]
    folder: Path
    rounds: int
    prepare: Callable[[], object] = lambda: None
    environ: Mapping[str, str] = field(default_factory=dict)
    code: int = 0
    """The exit code that it ends with where all is well."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a command took."""

    wall_s: float
    used_s: float
    peak_kib: int
    tree_kib: int
    processes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What all runs of a command took."""

    rounds: int
    median_wall_s: float
    least_wall_s: float
    least_used_s: float
    median_peak_kib: float
    processes: int


def run(case: Case, tree: bool = False) -> Run:
    """Runs a command once. Raises RuntimeError, with what it said, if it ends with another exit code than it should."""
    case.prepare()
    reading, writing = os.pipe()
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(writing), str(int(tree)), *case.command]
    environ = {**os.environ, **COMPILED, **case.environ}
    done = subprocess.run(
        command, cwd=case.folder, env=environ, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    os.close(writing)
    with os.fdopen(reading) as file:
        code, wall_s, used_s, *whole = file.read().split()
    if int(code) != case.code:
        raise RuntimeError(f"{case.name}: exit code {code}\n{done.stderr.decode()}")
    return Run(float(wall_s), float(used_s), *map(int, whole))


def take_turns(cases: Sequence[Case], rounds: int) -> dict[str, Measured]:
    """Every command to warm up, again to see its processes, then all in turns; none more often than in its rounds."""
    for case in cases:
        run(case)
    trees = {case.name: run(case, tree=True) for case in cases}
    runs: dict[str, list[Run]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            # Commands with fewer rounds than others are spread over the whole time.
            share = min(case.rounds, rounds)
            if (number + 1) * share // rounds > number * share // rounds:
                runs[case.name].append(run(case))
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return {name: _measured(taken, trees[name]) for name, taken in runs.items()}


def _measured(runs: Sequence[Run], tree: Run) -> Measured:
    """The memory of a single process is exact; of several, it is the most that they had together when looked at."""
    alone = tree.processes <= 1
    return Measured(
        len(runs),
        statistics.median(one.wall_s for one in runs),
        min(one.wall_s for one in runs),
        min(one.used_s for one in runs),
        statistics.median(one.peak_kib for one in runs) if alone else tree.tree_kib,
        max(tree.processes, 1),
    )


def slope(points: Mapping[int, float]) -> float:
    """What one more costs: the slope of the least-squares line through the points."""
    return statistics.linear_regression(list(points), list(points.values())).slope


def python(*arguments: Any) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *map(str, arguments)]


def tool(name: str, *arguments: Any) -> list[str]:
    """A command that is installed beside this interpreter."""
    return [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
