"""Compare the committed files with what their environments generate today."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from generator import plans
from generator.checks.findings import Finding, Severity
from generator.config.project import foreign
from generator.errors import UnreadableTemplate
from generator.plans import JudgedPlan
from generator.report.page import generated_files
from generator.template import reading

MAX_DIFF_LINES = 12
"""Lines of a difference in a finding; `git diff` shows the rest after regenerating."""

MAX_DIFF_WIDTH = 160
"""Characters of each of those lines."""


def drift(plan: JudgedPlan, folder: Path) -> list[Finding]:
    """Return a finding for each file that the environment would change.

    There is none if the account cannot hold the environment, because then nothing is generated.
    """
    if not plan.verdict.fits:
        return []
    refresh = f"run: generator template {plan.name}"
    message = f"not what environments/{plan.name}.toml generates; {refresh}"
    findings = []
    for path, generated in ((folder / name, text) for name, text in generated_files(plan).items()):
        if fault := foreign(path):
            raise UnreadableTemplate([fault])
        if not reading.is_file(path):
            findings.append(_finding(path, 1, f"no such file; {refresh}"))
        elif (committed := reading.text_of(path, errors="replace")) != generated:
            line, difference = _difference(committed.splitlines(), generated.splitlines())
            findings.append(_finding(path, line, "\n".join([message, *difference])))
    return findings


def orphans(folder: Path, judged: Sequence[JudgedPlan]) -> list[Finding]:
    """Return a finding for each template whose environment is gone: it could still be deployed."""
    return [
        _finding(
            path,
            1,
            f"there is no environments/{path.stem}.toml that generates it; remove it and {path.stem}.md, or bring the "
            "environment back",
        )
        for path in plans.orphans(folder, [plan.name for plan in judged])
    ]


def _difference(old: list[str], new: list[str]) -> tuple[int, list[str]]:
    """Return the first line that differs, and the difference as far as a finding shows it."""
    line = next((i for i, (a, b) in enumerate(zip(old, new, strict=False), start=1) if a != b), min(len(old), len(new)))
    difference = list(difflib.unified_diff(old, new, "committed", "generated", n=0, lineterm=""))
    shown = [text[:MAX_DIFF_WIDTH] for text in difference[:MAX_DIFF_LINES]]
    if len(difference) > MAX_DIFF_LINES:
        shown.append("...")
    return line, shown


def _finding(path: Path, line: int, message: str) -> Finding:
    return Finding(str(path), line, "drift", Severity.ERROR, "", message)
