"""A hostile folder ends in a verdict that is never good, in bounded time and without a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from generator._runtime import time_limit
from generator.checks import quota_only
from generator.checks.findings import Verdict
from generator.checks.report import Report, Request
from tests.checks.test_files import template, write

STAGE, STACK = "cdk:cloud-assembly", "aws:cloudformation:stack"


def judged(folder: Path) -> Report:
    with time_limit(10):
        return quota_only.check(Request(folders=[folder]))


def test_a_manifest_without_stacks_hides_no_template(tmp_path: Path) -> None:
    write(str(tmp_path / "a.json"), template(One=10))
    write(str(tmp_path / "sub/b.json"), template(Two=5000))
    write(str(tmp_path / "sub/manifest.json"), {"artifacts": {"Tree": {"type": "cdk:tree"}}})
    assert judged(tmp_path).verdict is Verdict.BAD


@pytest.mark.parametrize("hidden", [".hidden", "node_modules", "../outside"])
def test_a_link_to_a_folder_that_is_not_read_is_named(tmp_path: Path, hidden: str) -> None:
    folder = tmp_path / "folder"
    write(str(folder / "a.json"), template(One=10))
    write(str(folder / hidden / "b.json"), template(Two=5000))
    os.symlink(hidden, folder / "linked")
    assert judged(folder).verdict is Verdict.NOT_PROVEN


@pytest.mark.parametrize("path", ["a\0b", "/proc/self", "/dev/zero", "", "x" * 5000, "../../etc/passwd"], ids=ascii)
@pytest.mark.parametrize("kind", [STACK, STAGE])
def test_the_folder_of_a_manifest_that_leads_elsewhere_is_not_proven(tmp_path: Path, kind: str, path: str) -> None:
    artifact = {"type": kind, "properties": {"templateFile": path, "directoryName": path}}
    write(str(tmp_path / "manifest.json"), {"artifacts": {"A": artifact, "B": {**artifact, "type": STACK}}})
    report = judged(tmp_path)
    assert (report.verdict, report.unproven) == (Verdict.NOT_PROVEN, (tmp_path,))
