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

    @property
    def bad(self) -> bool:
        """Whether it fails a check; what is informational does not."""
        return self.severity != "informational"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a finding is an instance of, and where to read about it."""

    id: str
    title: str
    url: str


def as_text(findings: Iterable[Finding]) -> str:
    """Each begins in the form that editors and terminals make clickable; what does not fit its line is indented."""
    return "\n".join(f"{f.file}:{f.line}: {f.severity} {f.rule}: {_indented(f.message)}" for f in findings)


def _indented(message: str) -> str:
    return message.replace("\n", "\n    ")
