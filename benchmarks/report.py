"""The results as Markdown tables and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.imports import Package
from benchmarks.measuring import Measured
from benchmarks.targets import Results, Target
from generator._format import duration, markdown_table

FOLDER = Path(__file__).with_name("results")
SHOWN_PACKAGES = 10


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with its columns aligned right, except the first."""
    return "\n".join([*markdown_table(header, rows, right=range(1, len(header))), ""])


def machine_table(machine: Mapping[str, str]) -> str:
    """Return where the figures were measured."""
    return "\n".join([*markdown_table(["measured on", ""], machine.items()), ""])


def results_table(results: Results, others: Sequence[str]) -> str:
    """Return a row for each command, with the ratio of its least wall time to that of other commands."""
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
    """Return the limit, the figures and the verdict of each target."""
    rows = [
        [
            target.text,
            f"{'>=' if target.at_least else '<='} {target.limit:g} {target.unit}",
            "; ".join(f"{value:.3g} {target.unit} {reading}" for reading, value in target.found.items()),
            f"**{target.verdict}**",
        ]
        for target in targets
    ]
    return table(["target", "limit", "found", "verdict"], rows)


def imports_table(packages: Sequence[Package]) -> str:
    """Return the slowest packages to import."""
    total_ms, modules = sum(package.own_ms for package in packages), sum(package.modules for package in packages)
    rows = [
        [package.name, f"{package.cumulative_ms:.1f} ms", f"{package.own_ms:.1f} ms", str(package.modules)]
        for package in packages[:SHOWN_PACKAGES]
    ]
    rows.append(["all", "", f"{total_ms:.1f} ms", str(modules)])
    return table(["package", "with its imports", "alone", "modules"], rows)


def write(name: str, text: str) -> None:
    """Write a file to the folder of the results."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / name).write_text(text, encoding="utf-8")


def save(name: str, machine: Mapping[str, str], results: Mapping[str, Measured], targets: Iterable[Target]) -> None:
    """Write all figures as JSON, not rounded."""
    content = {
        "machine": dict(machine),
        "results": {case: dataclasses.asdict(one) for case, one in results.items()},
        "targets": [dataclasses.asdict(target) | {"verdict": target.verdict} for target in targets],
    }
    write(name, json.dumps(content, indent=1) + "\n")
