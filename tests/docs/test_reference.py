"""Tables and blocks of the reference pages match the code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cfnlint.helpers import load_plugins
from click.testing import Result

from benchmarks import cases, peer_cases
from generator import __version__
from generator.checks.rules import folder
from generator.cli.main import COMMANDS
from generator.config.fields import declarations
from generator.config.schema import Simulation
from tests.conftest import ROOT

COMMAND_PAGE = (ROOT / "docs/reference/commands.md").read_text()
RULES_PAGE = (ROOT / "docs/reference/rules.md").read_text()
JSON_PAGE = (ROOT / "docs/reference/json.md").read_text()
SIZING_PAGE = (ROOT / "docs/explanation/sizing.md").read_text()
PERFORMANCE_PAGE = (ROOT / "docs/explanation/performance.md").read_text()


def test_every_command_is_in_the_table() -> None:
    table = re.findall(r"^\| `generator (\w+)", COMMAND_PAGE, re.M)
    assert set(table) == set(COMMANDS)


def test_the_changelog_has_unreleased_changes_and_this_version() -> None:
    sections = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert sections[:2] == ["Unreleased", __version__]


def test_every_rule_is_in_the_table() -> None:
    shipped = {rule.id for rule in load_plugins(str(folder()))}
    assert set(re.findall(r"^\| ([EW]\d{4}) ", RULES_PAGE, re.M)) == shipped


@pytest.mark.parametrize(
    "arguments",
    [
        ["size", "prod"],
        ["size", "prod", "--max-rate"],
        ["size", "prod", "--for-rate", "100"],
        ["diff", "dev", "prod"],
        ["check", "stack.json"],
        ["simulate", "dev", "--hours", "0.01", "--replications", "2"],
    ],
    ids=" ".join,
)
def test_every_key_of_the_json_output_is_on_the_page(generator: Callable[..., Result], arguments: list[str]) -> None:
    Path("stack.json").write_text('{"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}')
    printed = json.loads(generator(*arguments, "--format", "json").stdout)
    section = JSON_PAGE.partition(f"## generator {arguments[0]}\n")[2].partition("\n## ")[0]
    documented = {key.split(".")[0] for key in re.findall(r"`([\w.*]+)`", section)}
    assert set(printed) <= documented


def test_every_assumption_is_in_the_table_with_its_default() -> None:
    """The settings of the workload are no assumptions."""
    rows = re.findall(r"^\| .*? \| (.*?) \| .*? \| `simulation\.(\w+)` \|$", SIZING_PAGE, re.M)
    settings = {name: setting["default"] for name, setting in declarations(Simulation).items()}
    assumed = {name: one for name, one in settings.items() if name != "workload" and not name.startswith("spike_")}
    assert {name for _, name in rows} == assumed.keys()
    for text, name in rows:
        shown = str(assumed[name]).lower() if assumed[name] is True else f"{assumed[name]:g}"
        assert re.search(rf"\b{re.escape(shown)}\b", text), f"simulation.{name}: {text}"


def test_the_speed_table_matches_the_committed_measurement() -> None:
    """Compare ratio, wall time and memory row by row, rounded as on the page."""
    (table,) = re.findall(r"\| seconds \| peak memory \|\n\|[-:|]+\n(.*?)\n\n", PERFORMANCE_PAGE, re.S)
    shown = [row.rsplit("|", 4)[1:4] for row in table.splitlines()]
    ours = (cases.BARE_SCRIPT, "generator size prod", cases.template_of(3), cases.LINT, cases.CHECK)
    measured = []
    for file, names in (("results.json", ours), ("peers.json", (peer_cases.CDK_UNVALIDATED, peer_cases.CDK))):
        results = json.loads((ROOT / "benchmarks/results" / file).read_text())["results"]
        bare_s = results[cases.BARE_SCRIPT]["least_wall_s"]
        measured += [(results[name], results[name]["least_wall_s"] / bare_s) for name in names]
    assert shown == [
        [f" {ratio:.2g} ", f" {one['least_wall_s']:.2g} ", f" {one['median_peak_kib'] / 1024:.0f} MiB "]
        for one, ratio in measured
    ]
