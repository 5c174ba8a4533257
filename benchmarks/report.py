"""The results as Markdown and JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.imports import Package
from benchmarks.measuring import Measured
from benchmarks.targets import Target

FOLDER = Path(__file__).with_name("results")
SHOWN_PACKAGES = 10


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; all columns but the first are figures."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine_table(machine: Mapping[str, str]) -> str:
    """Where it was measured."""
    return table(["measured on", ""], machine.items()).replace("| ---: |", "| --- |")


def results_table(results: Mapping[str, Measured], others: Sequence[str]) -> str:
    """A line for each command, with its least wall time as a ratio to that of others."""
    header = ["command", "median", "least", "processor", *(f"to {name}" for name in others), "peak memory", "runs"]
    return table(
        header,
        [
            [
                name,
                duration(one.median_wall_s),
                duration(one.least_wall_s),
                duration(one.least_used_s),
                *(f"{one.least_wall_s / results[other].least_wall_s:.2f} x" for other in others),
                f"{one.median_peak_kib / 1024:.1f} MiB" + (f" in {one.processes}" if one.processes > 1 else ""),
                str(one.rounds),
            ]
            for name, one in results.items()
        ],
    )


def targets_table(targets: Iterable[Target]) -> str:
    """Limit, findings and verdict of each target."""
    rows = [
        [
            target.text,
            f"{'>=' if target.at_least else '<='} {target.limit:g} {target.unit}",
            "; ".join(f"{value:.3g} {target.unit} {how}" for how, value in target.found.items()),
            f"**{target.verdict}**",
        ]
        for target in targets
    ]
    return table(["target", "limit", "found", "verdict"], rows)


def imports_table(packages: Sequence[Package]) -> str:
    """The packages that cost most; the time of a package is with what it imports first, and alone."""
    total_ms, modules = sum(package.own_ms for package in packages), sum(package.modules for package in packages)
    rows = [
        [package.name, f"{package.cumulative_ms:.1f} ms", f"{package.own_ms:.1f} ms", str(package.modules)]
        for package in packages[:SHOWN_PACKAGES]
    ]
    rows.append(["all", "", f"{total_ms:.1f} ms", str(modules)])
    return table(["package", "with its imports", "alone", "modules"], rows)


def duration(seconds: float) -> str:
    """Seconds, or milliseconds where it is less than one."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def write(name: str, text: str) -> None:
    """Writes a file of the results."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_text(text, encoding="utf-8")


def save(name: str, machine: Mapping[str, str], results: Mapping[str, Measured], targets: Iterable[Target]) -> None:
    """Writes everything unrounded, for other programs."""
    content = {
        "machine": dict(machine),
        "results": {case: dataclasses.asdict(one) for case, one in results.items()},
        "targets": [dataclasses.asdict(target) | {"verdict": target.verdict} for target in targets],
    }
    write(name, json.dumps(content, indent=1) + "\n")
