"""How long `generator check` takes beside plain cfn-lint on the same file, and on 1 and 20 templates.

Run with the project installed, on a quiet machine, from the top folder: python benchmarks/check_speed.py [ROUNDS]
The commands take turns, so that a change in the machine's load meets all of them. The median is of the wall clock; the
least processor time is what is comparable between machines with other work.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = "templates_out/prod.json"
CHECK = [sys.executable, "-m", "generator", "check"]
CFN_LINT = [str(Path(sys.executable).with_name("cfn-lint"))]


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds on the wall clock, and of processor time."""
    before, start = os.times(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - start, used


def main() -> None:
    """Prints a line for each command."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        copies = [shutil.copy(TEMPLATE, Path(folder) / f"{number}.json") for number in range(20)]
        commands = {
            "cfn-lint, 1 file": [*CFN_LINT, TEMPLATE],
            "generator check prod": [*CHECK, "prod"],
            "generator check, 1 file": [*CHECK, TEMPLATE],
            "cfn-lint, 20 files": [*CFN_LINT, *map(str, copies)],
            "generator check, 20 files": [*CHECK, *map(str, copies)],
            "generator check, 20 files, --together": [*CHECK, *map(str, copies), "--together"],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                times[name].append(measure(command))
    print(f"{rounds} rounds, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    for name, taken in times.items():
        wall, used = statistics.median(pair[0] for pair in taken), min(pair[1] for pair in taken)
        print(f"{name:<38} median {wall:6.2f} s   least processor time {used:6.2f} s")


if __name__ == "__main__":
    main()
