"""What a check finds, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong with one file. `path` is the place inside the document, `line` counts from 1."""

    file: str
    line: int
    rule: str
    severity: str
    path: str
    message: str


def as_text(findings: Iterable[Finding]) -> str:
    """One line each, in the form that editors and terminals make clickable."""
    return "\n".join(f"{f.file}:{f.line}: {f.severity} {f.rule}: {f.message}" for f in findings)
