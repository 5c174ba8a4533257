"""Run commands in turns and record the time and memory of each run.

Commands take turns so that a change in the machine's load affects all of them. The least wall time is the closest to
an idle machine, the median is the wait on this one, and processor time adds up all processes of a command.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("launcher.py")
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}
"""Lets the warm-up run keep its compiled modules, as they are kept for everyone who uses a command twice."""


@dataclass(frozen=True, slots=True)
class Case:
    """One command, the folder it runs in, and the number of runs."""

    name: str
    command: Sequence[str]
    folder: Path
    rounds: int
    prepare: Callable[[], object] = lambda: None
    environ: Mapping[str, str] = field(default_factory=dict)
    code: int = 0
    """The exit code of a good run."""


@dataclass(frozen=True, slots=True)
class Run:
    """Time and memory of one run. `tree_kib` and `processes` cover all processes, `peak_kib` the largest one."""

    wall_s: float
    used_s: float
    peak_kib: int
    tree_kib: int
    processes: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Time and memory over all runs of a command."""

    rounds: int
    median_wall_s: float
    least_wall_s: float
    least_used_s: float
    median_peak_kib: float
    processes: int


def run(case: Case, tree: bool = False) -> Run:
    """Run a command once. Raises RuntimeError, with its standard error, if it ends with an unexpected exit code."""
    case.prepare()
    reading, writing = os.pipe()
    command = [sys.executable, "-I", "-S", str(LAUNCHER), str(writing), str(int(tree)), *case.command]
    environ = {**os.environ, **COMPILED, **case.environ}
    done = subprocess.run(
        command, cwd=case.folder, env=environ, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    os.close(writing)
    with os.fdopen(reading) as file:
        code, wall_s, used_s, *memory = file.read().split()
    if int(code) != case.code:
        raise RuntimeError(f"{case.name}: exit code {code}\n{done.stderr.decode()}")
    return Run(float(wall_s), float(used_s), *map(int, memory))


def take_turns(cases: Sequence[Case], rounds: int) -> dict[str, Measured]:
    """Run each command once to warm up and once to watch its processes, then all in turns, at most `rounds` times."""
    for case in cases:
        run(case)
    trees = {case.name: run(case, tree=True) for case in cases}
    runs: dict[str, list[Run]] = {case.name: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            # Spread a command with fewer rounds evenly over the whole time.
            share = min(case.rounds, rounds)
            if (number + 1) * share // rounds > number * share // rounds:
                runs[case.name].append(run(case))
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
    return {name: _measured(taken, trees[name]) for name, taken in runs.items()}


def _measured(runs: Sequence[Run], tree: Run) -> Measured:
    """Sum up the runs. The memory of one process is exact; that of several is the most that the watched run showed."""
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
    """Return the cost of one more: the slope of the least-squares line through the points."""
    return statistics.linear_regression(list(points), list(points.values())).slope


def python(*arguments: Any) -> list[str]:
    """Return a command that runs this interpreter."""
    return [sys.executable, *map(str, arguments)]


def tool(name: str, *arguments: Any) -> list[str]:
    """Return a command that is installed beside this interpreter."""
    return [str(Path(sys.executable).with_name(name)), *map(str, arguments)]


def describe_machine(packages: Iterable[str]) -> dict[str, str]:
    """Return processor, system, Python and package versions: no figure means anything without them."""
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "System": f"{system}, Linux {platform.release()}" if sys.platform == "linux" else system,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Packages": ", ".join(f"{name} {metadata.version(name)}" for name in packages),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def load() -> float:
    """Return the load average of the last minute."""
    return os.getloadavg()[0]
