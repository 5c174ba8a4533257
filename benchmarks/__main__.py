"""Measures everything and writes benchmarks/results/: python -m benchmarks, from the top folder."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import cases, imports, machine, report, targets
from benchmarks.imports import Package
from benchmarks.measuring import python, take_turns, tool
from generator.aws import MAX_TEMPLATE_BODY_BYTES

PACKAGES = ("troposphere", "awacs", "click", "cfn-lint", "simpy", "matplotlib", "boto3")
SCRIPTS = {
    "What a handler adds to a cold start": "cold_start.py",
    "The simulator beside SimPy": "simulation_speed.py",
}
READING = """Commands take turns. *median* and *least* are wall times of the whole process, *processor* is the least
processor time; ratios are of least wall times. Memory is the peak resident set; of several processes, the most that
they had together. Every Python here starts in the project's virtual environment, so what that adds to a start is in
all of them, and finds its modules compiled. `generator template` writes JSON and page of each environment to an empty
folder; the bare script prints one template.
"""


def main() -> None:
    """Measures, prints, and writes the files."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--peers", action="store_true", help="measure the same stack in CDK and SAM instead")
    options.add_argument("--rounds", type=int, default=cases.ROUNDS, help="at most so many for each command")
    chosen = options.parse_args()
    if chosen.peers:
        from benchmarks import peer_cases

        peer_cases.main(chosen.rounds)
    else:
        own(chosen.rounds)


def own(rounds: int) -> None:
    """The commands of the project."""
    with tempfile.TemporaryDirectory() as folder:
        before = machine.load()
        results = take_turns(cases.cases(Path(folder)), rounds)
        described = machine.describe(PACKAGES) | {"Load": f"{before:.1f} before, {machine.load():.1f} after"}
        profiles = {
            "generator template": imports.profile(tool("generator", "template"), Path(folder, "project-3")),
            "generator --help": imports.profile(tool("generator", "--help"), cases.ROOT),
        }
    judged = targets.targets(results)
    text = _markdown(results, described, judged, profiles)
    print(text)
    report.write("results.md", text)
    report.save("results.json", described, results, judged)
    draw(results, described)


def _markdown(
    results: targets.Results,
    described: Mapping[str, str],
    judged: Sequence[targets.Target],
    profiles: Mapping[str, Sequence[Package]],
) -> str:
    further = ", ".join(f"{value:.1f} ms {how}" for how, value in targets.further_ms(results).items())
    others = [cases.INTERPRETER, cases.BARE_SCRIPT, cases.LINT]
    counts = ", ".join(map(str, cases.COUNTS))
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`; drawn in [results.svg](results.svg).\n",
        report.machine_table(described),
        f"## Targets\n\n{report.targets_table(judged)}",
        f"## Commands\n\n{READING}\n{report.results_table(results, others)}",
        f"Each further environment costs {further}:\nthe slope over {counts} environments.\n",
        f"## Size of the templates\n\n{_sizes()}",
        *(f"## Imports of `{name}`\n\n{report.imports_table(found)}" for name, found in profiles.items()),
        *(f"## {title}\n\n```\n{_said(script)}```\n" for title, script in SCRIPTS.items()),
    ]
    return "\n".join(parts)


def _sizes() -> str:
    bare = subprocess.run(python(cases.BARE), capture_output=True, check=True).stdout
    sizes = {f"templates_out/{path.name}": path.stat().st_size for path in sorted(cases.PROD.parent.glob("*.json"))}
    sizes["bare troposphere script, prod, without line breaks"] = len(bare)
    limit = MAX_TEMPLATE_BODY_BYTES
    rows = [[name, f"{size:,}", f"{size / limit:.0%}"] for name, size in sizes.items()]
    return report.table(["template", "bytes", f"of the {limit:,} that CloudFormation takes directly"], rows)


def _said(script: str) -> str:
    """What a benchmark prints that measures inside one process, and whether it missed its target."""
    command = python(cases.ROOT / "benchmarks" / script)
    done = subprocess.run(command, cwd=cases.ROOT, stdout=subprocess.PIPE, text=True)
    return done.stdout + ("" if done.returncode == 0 else f"missed: exit code {done.returncode}\n")


def draw(results: targets.Results, described: Mapping[str, str]) -> None:
    """Draws what the targets are about."""
    from benchmarks.drawing import Panel, draw

    quick = [cases.INTERPRETER, cases.BARE_SCRIPT, cases.HELP, *map(cases.template_of, cases.COUNTS)]
    three = cases.template_of(3)
    least_s = {name: one.least_wall_s for name, one in results.items()}
    peak_mib = {name: one.median_peak_kib / 1024 for name, one in results.items()}

    def times(names: Sequence[str]) -> list[tuple[str, float, str]]:
        return [(name, least_s[name], report.duration(least_s[name])) for name in names]

    peaks = [(name, peak_mib[name], f"{peak_mib[name]:.1f} MiB") for name in quick]
    at_most_s = {
        three: targets.MAX_TO_BARE * least_s[cases.BARE_SCRIPT],
        cases.CHECK: min(targets.MAX_TO_LINT * least_s[cases.LINT], targets.MAX_CHECK_S),
    }
    panels = [
        Panel(
            "Least wall time; below the mark is the target",
            times(quick),
            {three: at_most_s[three]},
        ),
        Panel(
            "Least wall time of checks; below the mark is the target",
            times([cases.LINT, cases.CHECK]),
            {cases.CHECK: at_most_s[cases.CHECK]},
        ),
        Panel("Peak memory; below the mark is the target", peaks, {three: targets.MAX_PEAK_MIB}),
    ]
    draw(panels, [f"{name}: {text}" for name, text in described.items()], report.FOLDER / "results.svg")


if __name__ == "__main__":
    main()
