"""A hostile folder ends in a verdict that is never good, in bounded time and without a traceback."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from generator._runtime import time_limit
from generator.checks import quota_check
from generator.checks.findings import CheckVerdict
from generator.checks.quota_check import Report
from generator.checks.request import Request
from tests.checks.test_files import template, write
from tests.checks.test_folders import nested

STAGE, STACK = "cdk:cloud-assembly", "aws:cloudformation:stack"


def judged(folder: Path) -> Report:
    with time_limit(20):
        return quota_check.check(Request(folders=[folder]))


def test_a_manifest_without_stacks_hides_no_template(tmp_path: Path) -> None:
    write(str(tmp_path / "a.json"), template(One=10))
    write(str(tmp_path / "sub/b.json"), template(Two=5000))
    write(str(tmp_path / "sub/manifest.json"), {"artifacts": {"Tree": {"type": "cdk:tree"}}})
    assert judged(tmp_path).verdict is CheckVerdict.BAD


@pytest.mark.parametrize("hidden", [".hidden", "node_modules", "../outside"])
def test_a_link_to_a_folder_that_is_not_read_is_named(tmp_path: Path, hidden: str) -> None:
    folder = tmp_path / "folder"
    write(str(folder / "a.json"), template(One=10))
    write(str(folder / hidden / "b.json"), template(Two=5000))
    os.symlink(hidden, folder / "linked")
    assert judged(folder).verdict is CheckVerdict.NOT_PROVEN


@pytest.mark.parametrize("path", ["a\0b", "/proc/self", "/dev/zero", "", "x" * 5000, "../../etc/passwd"], ids=ascii)
@pytest.mark.parametrize("kind", [STACK, STAGE])
def test_the_folder_of_a_manifest_that_leads_elsewhere_is_not_proven(tmp_path: Path, kind: str, path: str) -> None:
    artifact = {"type": kind, "properties": {"templateFile": path, "directoryName": path}}
    write(str(tmp_path / "manifest.json"), {"artifacts": {"A": artifact, "B": {**artifact, "type": STACK}}})
    report = judged(tmp_path)
    assert (report.verdict, report.unproven) == (CheckVerdict.NOT_PROVEN, (tmp_path,))


def bomb(value: Any) -> dict[str, Any]:
    """Templates that each nest the next, with ten times as many values as they were given."""
    found = {
        f"t{number}.json": {
            "Parameters": {"X": {"Type": "String"}},
            "Resources": {"C": nested(f"t{number + 1}.json", X=value)},
        }
        for number in range(6)
    }
    last = {"F": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": {"Ref": "X"}}}}
    return {**found, "t6.json": {"Parameters": {"X": {"Type": "String"}}, "Resources": last}}


LARGE = {f"F{number}": {"Type": "AWS::SNS::Topic", "Properties": {"X": [1] * 1900}} for number in range(50)}
USES = {f"F{number}": {"Type": "AWS::SNS::Topic", "Properties": {"X": {"Ref": "X"}}} for number in range(5000)}
EXPLOSIONS: dict[str, dict[str, Any]] = {
    "lists of lists": bomb([{"Ref": "X"}] * 10),
    "joins of joins": bomb({"Fn::Join": ["", [{"Ref": "X"}] * 10]}),
    "a large template many times": {
        "t0.json": {"Resources": {f"C{number}": nested("child.json") for number in range(30)}},
        "child.json": {"Resources": LARGE},
    },
    "a large value many times": {
        "t0.json": {"Resources": {"C": nested("child.json", X={"Fn::Join": ["", ["x"] * 50_000]})}},
        "child.json": {"Parameters": {"X": {"Type": "String"}}, "Resources": USES},
    },
    "long names": {
        **{f"t{number}.json": {"Resources": {"C" * 200: nested(f"t{number + 1}.json")}} for number in range(60)},
        "t60.json": template(One=5),
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("case", EXPLOSIONS)
def test_nested_stacks_that_multiply_are_not_counted(tmp_path: Path, case: str) -> None:
    for name, document in EXPLOSIONS[case].items():
        write(str(tmp_path / name), document)
    assert judged(tmp_path).verdict is CheckVerdict.NOT_PROVEN
