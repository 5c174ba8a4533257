"""Measure the commands and write benchmarks/results/: python -m benchmarks, from the top folder."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import cases, imports, report, targets
from benchmarks.imports import Package
from benchmarks.measuring import describe_machine, load, python, take_turns, tool
from benchmarks.peers.troposphere_script import troposphere_script
from generator._format import duration, percent
from generator.aws import MAX_TEMPLATE_BODY_BYTES

PACKAGES = ("troposphere", "awacs", "click", "cfn-lint", "simpy", "matplotlib", "boto3")
SCRIPTS = {
    "Time that a handler adds to a cold start": "cold_start.py",
    "The simulator beside SimPy": "simulation_speed.py",
}
READING = """Commands take turns. *median* and *least* are wall times of the whole process, *processor* is the least
processor time, and ratios compare least wall times. Memory is the peak resident set; for several processes, the most
that they had at the same time. Every Python process starts in the project's virtual environment and finds its modules
compiled. `generator template` writes the template and the page of each environment to an empty folder. The bare script
is derived from `templates_out/prod.json` before the measurement, constructs one troposphere object for each resource,
and prints that one template.
"""


def main() -> None:
    """Run the benchmarks that the command line asks for."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--peers", action="store_true", help="measure the same stack in the AWS CDK and SAM instead")
    options.add_argument("--rounds", type=int, default=cases.ROUNDS, help="the most runs of each command")
    chosen = options.parse_args()
    if chosen.peers:
        from benchmarks import peer_cases

        peer_cases.main(chosen.rounds)
    else:
        benchmark_commands(chosen.rounds)


def benchmark_commands(rounds: int) -> None:
    """Measure the project's commands, print the results, and write them to benchmarks/results."""
    with tempfile.TemporaryDirectory() as folder:
        before = load()
        results = take_turns(cases.cases(Path(folder)), rounds)
        described = describe_machine(PACKAGES) | {"Load": f"{before:.1f} before, {load():.1f} after"}
        profiles = {
            "generator template": imports.profile(tool("generator", "template"), Path(folder, "project-3")),
            "generator --help": imports.profile(tool("generator", "--help"), cases.ROOT),
        }
    judged = targets.targets(results)
    text = _markdown(results, described, judged, profiles)
    print(text)
    report.write("results.md", text)
    report.save("results.json", described, results, judged)
    _draw(results, described)


def _markdown(
    results: targets.Results,
    described: Mapping[str, str],
    judged: Sequence[targets.Target],
    profiles: Mapping[str, Sequence[Package]],
) -> str:
    further = ", ".join(f"{value:.1f} ms {reading}" for reading, value in targets.further_ms(results).items())
    others = [cases.INTERPRETER, cases.BARE_SCRIPT, cases.LINT]
    counts = ", ".join(map(str, cases.COUNTS))
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`; drawn in [results.svg](results.svg).\n",
        report.machine_table(described),
        f"## Targets\n\n{report.targets_table(judged)}",
        f"## Commands\n\n{READING}\n{report.results_table(results, others)}",
        f"One more environment costs {further}\n(the slope over {counts} environments).\n",
        f"## Size of the templates\n\n{_sizes()}",
        *(f"## Imports of `{name}`\n\n{report.imports_table(found)}" for name, found in profiles.items()),
        *(f"## {title}\n\n```\n{_printed(script)}```\n" for title, script in SCRIPTS.items()),
    ]
    return "\n".join(parts)


def _sizes() -> str:
    script = troposphere_script(cases.prod_template())
    bare = subprocess.run(python("-"), input=script.encode(), capture_output=True, check=True).stdout
    sizes = {f"templates_out/{path.name}": path.stat().st_size for path in sorted(cases.PROD.parent.glob("*.json"))}
    sizes["bare troposphere script, prod, without line breaks"] = len(bare)
    limit = MAX_TEMPLATE_BODY_BYTES
    rows = [[name, f"{size:,}", percent(size / limit)] for name, size in sizes.items()]
    return report.table(["template", "bytes", f"of the {limit:,} that CloudFormation accepts without an upload"], rows)


def _printed(script: str) -> str:
    """Return the output of a benchmark that is a script of its own, with a last line if it missed its target."""
    command = python(cases.ROOT / "benchmarks" / script)
    done = subprocess.run(command, cwd=cases.ROOT, stdout=subprocess.PIPE, text=True)
    return done.stdout + ("" if done.returncode == 0 else f"missed: exit code {done.returncode}\n")


def _draw(results: targets.Results, described: Mapping[str, str]) -> None:
    from benchmarks.drawing import Panel, draw

    quick = [cases.INTERPRETER, cases.BARE_SCRIPT, cases.HELP, *map(cases.template_of, cases.COUNTS)]
    three = cases.template_of(3)
    least_s = {name: one.least_wall_s for name, one in results.items()}
    peak_mib = {name: one.median_peak_kib / 1024 for name, one in results.items()}

    def times(names: Sequence[str]) -> list[tuple[str, float, str]]:
        return [(name, least_s[name], duration(least_s[name])) for name in names]

    peaks = [(name, peak_mib[name], f"{peak_mib[name]:.1f} MiB") for name in quick]
    at_most_s = {
        three: targets.MAX_TO_BARE * least_s[cases.BARE_SCRIPT],
        cases.CHECK: min(targets.MAX_TO_LINT * least_s[cases.LINT], targets.MAX_CHECK_S),
    }
    panels = [
        Panel(
            "Least wall time; the target is below the mark",
            times(quick),
            {three: at_most_s[three]},
        ),
        Panel(
            "Least wall time of checks; the target is below the mark",
            times([cases.LINT, cases.CHECK]),
            {cases.CHECK: at_most_s[cases.CHECK]},
        ),
        Panel("Peak memory; the target is below the mark", peaks, {three: targets.MAX_PEAK_MIB}),
    ]
    draw(panels, [f"{name}: {text}" for name, text in described.items()], report.FOLDER / "results.svg")


if __name__ == "__main__":
    main()
