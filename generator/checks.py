"""Committed files in, findings out: lint, size, drift and quota. Reads only; mends nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generator import pipeline
from generator.findings import Finding
from generator.pipeline import Judged
from generator.writer import MAX_BODY_BYTES

if TYPE_CHECKING:
    from cfnlint.match import Match

MAX_DIFF_LINES = 12
"""As much of a drift as is worth reading in a finding; the rest is in `git diff` after regenerating."""


def check_environments(judged: Sequence[Judged], folder: Path) -> list[Finding]:
    """Everything that is wrong with the committed templates of these environments."""
    paths = {one.name: folder / f"{one.name}.json" for one in judged}
    findings = quota(judged, paths.values())
    present = [path for path in paths.values() if path.is_file()]
    for one in judged:
        findings += drift(one, paths[one.name])
    for path in present:
        findings += size(path)
    return sorted(findings + lint(present))


def quota(judged: Sequence[Judged], paths: Iterable[Path]) -> list[Finding]:
    """One finding for each environment whose account is too small for what shares it."""
    return [
        Finding(str(path), 1, "quota", "error", "Resources", "\n".join(pipeline.refusals([one])))
        for one, path in zip(judged, paths, strict=True)
        if not one.verdict.fits
    ]


def drift(one: Judged, path: Path) -> list[Finding]:
    """Whether the file is what its environment generates today. An environment over quota generates nothing."""
    if not one.verdict.fits:
        return []
    refresh = f"run: generator template {one.name}"
    if not path.is_file():
        return [Finding(str(path), 1, "drift", "error", "", f"not there; {refresh}")]
    committed, generated = path.read_text(encoding="utf-8"), pipeline.render(one.plan)
    if committed == generated:
        return []
    old, new = committed.splitlines(), generated.splitlines()
    line = next((i for i, (a, b) in enumerate(zip(old, new, strict=False), start=1) if a != b), min(len(old), len(new)))
    difference = list(difflib.unified_diff(old, new, "committed", "generated", n=0, lineterm=""))
    shown = difference[:MAX_DIFF_LINES] + (["..."] if len(difference) > MAX_DIFF_LINES else [])
    message = f"not what environments/{one.name}.toml generates; {refresh}"
    return [Finding(str(path), line, "drift", "error", "", "\n".join([message, *shown]))]


def size(path: Path) -> list[Finding]:
    """Whether CloudFormation takes the file directly. cfn-lint knows only the limit for upload buckets."""
    size_bytes = path.stat().st_size
    if size_bytes <= MAX_BODY_BYTES:
        return []
    message = f"{size_bytes:,} bytes are more than the {MAX_BODY_BYTES:,} that CloudFormation takes directly"
    return [Finding(str(path), 1, "size", "error", "", message)]


def lint(paths: Sequence[Path]) -> list[Finding]:
    """What cfn-lint finds, with one start for all files."""
    if not paths:
        return []
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    config = ConfigMixIn(["--template", *map(str, paths)])
    return [_finding(match) for match in Runner(config).run()]


def _finding(match: Match) -> Finding:
    path = "/".join(str(part) for part in getattr(match, "path", None) or [])
    severity: str = match.rule.severity
    return Finding(str(match.filename), match.linenumber, match.rule.id, severity, path, match.message)
