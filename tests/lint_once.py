"""Lint in the tests with one start of cfn-lint in each process, and lint what has been linted before from memory.

cfn-lint takes half a second to load its rules and a second for a committed template, and hundreds of tests need both.
Commands that tests run in processes of their own do without.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from generator import _runtime
from generator.checks import linting

if TYPE_CHECKING:
    from cfnlint.runner import Runner

    from generator.checks.request import Linted, LintJob

_start, _lint_one = linting._start, linting._lint_one
_runners: dict[Hashable, Runner] = {}
_results: dict[Hashable, Linted] = {}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the start of cfn-lint and the linting of one file. A failure is not remembered.

    Work stays in this process: pytest-xdist uses the other processors, and a process that ends forgets. A simulation
    stays here too, because each process that it starts imports everything again.
    """
    monkeypatch.setattr(linting, "_start", _start_once)
    monkeypatch.setattr(linting, "_lint_one", _lint_once)
    monkeypatch.setattr(_runtime, "usable_processors", lambda: 1)


def forget() -> None:
    """Start cfn-lint again at the next check."""
    _runners.clear()
    _results.clear()


def _start_once() -> Runner:
    key = _configuration()
    if key not in _runners:
        _runners[key] = _start()
    return _runners[key]


def _lint_once(runner: Runner, job: LintJob) -> Linted:
    settings = repr(sorted((rule, sorted(given.items())) for rule, given in job.settings.items()))
    key = (str(job.path), job.path.read_bytes(), settings, job.region, job.is_trusted, _configuration())
    if key not in _results:
        _results[key] = _lint_one(runner, job)
    return _results[key]


def _configuration() -> Hashable:
    """Return all that cfn-lint reads beside the template: the project's file and the Region of the machine."""
    files = tuple(path.read_bytes() for path in sorted(Path().glob(".cfnlintrc*")))
    return files, os.environ.get("AWS_REGION"), os.environ.get("AWS_DEFAULT_REGION")
