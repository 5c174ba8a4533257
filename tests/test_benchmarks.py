"""What the benchmarks compare is the same stack, and what they measure is what was used."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cases, imports
from benchmarks.measuring import Case, python, run, slope
from benchmarks.targets import Target
from generator.config import files
from tests.conftest import FIXTURES, ROOT

BARE = ROOT / "benchmarks/bare_troposphere.py"


@pytest.fixture(scope="module")
def bare() -> dict[str, Any]:
    """What the bare script prints."""
    done = subprocess.run([sys.executable, str(BARE)], capture_output=True, check=True)
    template: dict[str, Any] = json.loads(done.stdout)
    return template


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    """The committed template, its deployment named without the digest, which is the generator's own idea."""
    text = (FIXTURES / "templates_out/prod.json").read_text()
    template: dict[str, Any] = json.loads(re.sub(r"\b(WebhookDeployment)[0-9a-f]{10}\b", r"\1", text))
    return template


def types(template: dict[str, Any]) -> Counter[str]:
    return Counter(resource["Type"] for resource in template["Resources"].values())


def handler(function: dict[str, Any]) -> str:
    """The function's code without docstrings, comments and layout."""
    code = function["Properties"]["Code"]["ZipFile"]
    tree = ast.parse(code if isinstance(code, str) else "\n".join(code["Fn::Join"][1]))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return ast.dump(tree)


def test_the_bare_script_has_as_many_resources_of_each_type(bare: dict[str, Any], ours: dict[str, Any]) -> None:
    assert types(bare) == types(ours)


def test_the_bare_script_has_the_same_content(bare: dict[str, Any], ours: dict[str, Any]) -> None:
    """Equal but for the order, the description's figures, and how a handler is laid out in its template."""
    for template in (bare, ours):
        for function in template["Resources"].values():
            if function["Type"] == "AWS::Lambda::Function":
                function["Properties"]["Code"] = handler(function)
    assert bare["Resources"] == ours["Resources"]
    for section in ("AWSTemplateFormatVersion", "Parameters", "Conditions", "Outputs"):
        assert bare[section] == ours[section]


def test_the_bare_script_imports_nothing_of_the_generator() -> None:
    for path in (BARE, *(ROOT / "benchmarks/bare").glob("*.py")):
        assert not re.search(r"^\s*(?:from|import) generator", path.read_text(), re.M), path


def test_memory_is_that_of_the_command_and_not_of_what_measures(tmp_path: Path) -> None:
    """This process, with pytest in it, is larger than the small one."""
    small, large = (
        run(Case("", python("-I", "-S", "-c", f"bytearray({mib} << 20)"), tmp_path, 1)).peak_kib for mib in (0, 60)
    )
    assert small < 16 * 1024
    assert 60 * 1024 < large - small + 1024 < 64 * 1024


def test_all_processes_count_together(tmp_path: Path) -> None:
    keep = "kept = bytearray(30 << 20)"
    child = f"import time; {keep}; time.sleep(0.5)"
    parent = f"import subprocess, sys; {keep}; subprocess.run([sys.executable, '-I', '-S', '-c', '{child}'])"
    taken = run(Case("", python("-I", "-S", "-c", parent), tmp_path, 1), tree=True)
    assert taken.processes == 2
    assert taken.tree_kib > 60 * 1024 > taken.peak_kib


def test_a_command_that_fails_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        run(Case("it", python("-c", "raise SystemExit('no such thing')"), tmp_path, 1))


def test_the_cost_of_one_more_is_the_slope() -> None:
    assert slope({1: 0.31, 3: 0.33, 10: 0.4, 50: 0.8}) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [((1.0, 2.0), "met"), ((1.0, 2.1), "missed, met by median only"), ((3.0, 2.1), "missed")],
)
def test_a_target_is_met_in_every_reading(found: tuple[float, float], verdict: str) -> None:
    assert Target("", 2.0, "x", dict(zip(("median", "least"), found, strict=True))).verdict == verdict


def test_packages_are_counted_with_what_they_import_first() -> None:
    listing = """\
import time: self [us] | cumulative | imported package
import time:      1000 |       1000 |     other
import time:      2000 |       3000 |   one.part
import time:      4000 |       7000 | one
import time:       500 |        500 | one.late
"""
    one, other = imports._packages(listing)
    assert (one.name, one.cumulative_ms, one.own_ms, one.modules) == ("one", 7.5, 6.5, 3)
    assert (other.name, other.cumulative_ms, other.own_ms, other.modules) == ("other", 1.0, 1.0, 1)


@pytest.mark.parametrize("count", cases.COUNTS)
def test_the_projects_are_valid(count: int, tmp_path: Path) -> None:
    folder = cases.write_project(tmp_path / "project", count) / "environments"
    assert len(files.load(folder=folder)) == count
