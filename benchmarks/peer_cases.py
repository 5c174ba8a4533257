"""`make bench-peers`: the same stack in the AWS CDK for Python and in AWS SAM, beside the generator.

Both have one virtual environment in benchmarks/peers, and the project needs neither. Their sources are derived from the
committed template, and the resources they make are counted by type: a difference must be in EXPECTED.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from benchmarks import cases, report, targets
from benchmarks.measuring import Case, describe_machine, load, take_turns, tool
from benchmarks.peers.cdk_app import cdk_app
from benchmarks.peers.sam_template import sam_template
from generator._format import duration

PEERS = cases.ROOT / "benchmarks/peers"
PYTHON = str(PEERS / ".venv/bin/python")
TRANSLATE = (PYTHON, str(PEERS / "translate_sam.py"))
SAM_FILE = "template.yaml"
PACKAGES = ("aws-cdk-lib", "constructs", "jsii", "aws-sam-translator")
ROUNDS = 7
"""The same on both sides of a target, because the least of more runs is smaller."""
MIN_TO_CDK = 8.0

TEMPLATE = "generator template prod"
TEMPLATE_AND_CHECK = "generator template prod, then check"
CDK = "CDK app, as it comes"
CDK_UNVALIDATED = "CDK app, validation off"
CDK_LEAN = "CDK app, everything off"
IMPORT = "python -c 'import aws_cdk'"
SAM = "SAM translator"

EXPECTED: Mapping[str, tuple[Mapping[str, int], str]] = {
    "CDK": ({}, "the same number of each type"),
    "SAM": (
        {
            "AWS::ApiGateway::GatewayResponse": -5,
            "AWS::ApiGateway::Method": -1,
            "AWS::ApiGateway::Model": -1,
            "AWS::ApiGateway::RequestValidator": -1,
            "AWS::ApiGateway::Resource": -1,
        },
        "they are in the OpenAPI body of SAM's REST API",
    ),
}
"""Resource types of which a tool makes more or fewer than the generator, and the reason."""

READING = """Every command makes one template of the prod stack from a source derived from `templates_out/prod.json`.

- *CDK app* is the Python process alone, without the `cdk` command. It has one L1 construct for each resource, because
  L2 constructs add policies and permissions of their own choice.
- *As it comes* is `App()` and `app.synth()`. *Validation off* drops the built-in validation of templates and
  constructs. *Everything off* drops analytics, tree metadata, stack traces and the bootstrap rule as well.
- The SAM template uses SAM's own types for functions, events and the API. The translator does not validate against
  resource schemas.
- Memory is the most that all processes, Node.js included, had resident at the same time, sampled every 4 ms. A page
  that they share counts once.
"""


def main(rounds: int) -> None:
    """Measure, count the resources, print the results, and write them to benchmarks/results."""
    with tempfile.TemporaryDirectory() as folder:
        before = load()
        measured = _cases(Path(folder))
        results = take_turns(measured, rounds)
        counts = _counts(Path(folder))
        loads = {"Load": f"{before:.1f} before, {load():.1f} after"}
    described = describe_machine(("troposphere", "awacs", "click", "cfn-lint")) | {"Peers": _versions()} | loads
    judged = [_target(results, CDK_UNVALIDATED), _target(results, CDK_LEAN)]
    parts = [
        "# The same stack in other tools\n",
        "Written by `make bench-peers`; drawn in [peers.svg](peers.svg).\n",
        report.machine_table(described),
        f"## Targets\n\n{report.targets_table(judged)}",
        f"## Commands\n\n{READING}\n{report.results_table(results, [cases.BARE_SCRIPT, TEMPLATE])}",
        f"## Resources\n\n{counts}",
    ]
    print(text := "\n".join(parts))
    report.write("peers.md", text)
    report.save("peers.json", described, results, judged)
    _draw(results, described)


def _target(results: targets.Results, name: str) -> targets.Target:
    found = targets.ratio(results, name, TEMPLATE)
    return targets.Target(f"{name}, to {TEMPLATE}", MIN_TO_CDK, "x", found, at_least=True)


def _cases(folder: Path) -> list[Case]:
    project = cases.write_project(folder / "project", 1)
    generator = tool("generator")[0]
    both = ["sh", "-c", f"'{generator}' template prod && '{generator}' check prod"]
    app, quiet = folder / "app.py", {"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1"}
    cdk = [PYTHON, str(app)]
    app.write_text(cdk_app(cases.prod_template()), encoding="utf-8")
    (folder / SAM_FILE).write_text(sam_template(cases.prod_template()), encoding="utf-8")
    return [
        *cases.baselines(folder / "bare"),
        Case(TEMPLATE, [generator, "template", "prod", "--output", str(folder / "ours")], project, ROUNDS),
        Case(TEMPLATE_AND_CHECK, both, project, ROUNDS),
        Case(SAM, [*TRANSLATE, SAM_FILE], folder, ROUNDS),
        Case(IMPORT, [PYTHON, "-c", "import aws_cdk"], folder, ROUNDS, environ=quiet),
        Case(CDK_LEAN, [*cdk, str(folder / "lean"), "lean"], folder, ROUNDS, environ=quiet),
        Case(
            CDK_UNVALIDATED,
            [*cdk, str(folder / "unvalidated"), "unvalidated"],
            folder,
            ROUNDS,
            environ=quiet,
        ),
        Case(CDK, [*cdk, str(folder / "cdk")], folder, 3, environ=quiet),
    ]


def _counts(folder: Path) -> str:
    """Return a table of the resources each tool makes. Raises ValueError if a difference is not in EXPECTED."""
    translated = subprocess.run([*TRANSLATE, SAM_FILE], cwd=folder, capture_output=True, check=True).stdout
    synthesized = (folder / "cdk/PriceAlerts.template.json").read_bytes()
    ours = _types(cases.PROD.read_bytes())
    rows = [["generator", f"{sum(ours.values())}", f"{cases.PROD.stat().st_size:,}", "-"]]
    for name, text in (("CDK", synthesized), ("SAM", translated)):
        theirs = _types(text)
        differing = {type_: theirs[type_] - ours[type_] for type_ in theirs | ours if theirs[type_] != ours[type_]}
        expected, reason = EXPECTED[name]
        if differing != expected:
            raise ValueError(f"{name}: the stack differs in the number of {differing}; correct benchmarks/peers")
        words = ", ".join(f"{more:+d} {type_.removeprefix('AWS::')}" for type_, more in expected.items())
        rows.append([name, f"{sum(theirs.values())}", f"{len(text):,}", f"{words}: {reason}" if words else reason])
    return report.table(["template of", "resources", "bytes", "differs from the generator's"], rows)


def _types(template: bytes) -> Counter[str]:
    return Counter(resource["Type"] for resource in json.loads(template)["Resources"].values())


def _versions() -> str:
    script = f"from importlib.metadata import version as v; print(*(f'{{n}} {{v(n)}}' for n in {PACKAGES!r}), sep=', ')"
    packages = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{packages}, Node.js {node}"


def _draw(results: targets.Results, described: Mapping[str, str]) -> None:
    from benchmarks.drawing import Panel, draw

    least_s = results[TEMPLATE].least_wall_s * MIN_TO_CDK
    peaks_mib = {name: one.median_peak_kib / 1024 for name, one in results.items()}
    panels = [
        Panel(
            "Least wall time; the target is beyond the mark",
            [(name, one.least_wall_s, duration(one.least_wall_s)) for name, one in results.items()],
            {CDK_UNVALIDATED: least_s, CDK_LEAN: least_s},
        ),
        Panel(
            "Peak memory of all processes together",
            [(name, peak_mib, f"{peak_mib:.0f} MiB") for name, peak_mib in peaks_mib.items()],
        ),
    ]
    draw(panels, [f"{name}: {text}" for name, text in described.items()], report.FOLDER / "peers.svg")
