"""The findings, rules and verdicts of checks, and the text form of findings."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from generator._format import counted, visible
from generator.template.reading import PLACE

MAX_MESSAGE = 2_000
"""Characters of one finding's message; the others are only counted."""


NOT_PROVEN = "not-proven"
"""The rule for what may reserve concurrency and is not counted."""


class Severity(StrEnum):
    """The severity of a finding. cfn-lint gives UNKNOWN to a rule whose id begins with an unusual letter."""

    ERROR = "error"
    WARNING = "warning"
    INFORMATIONAL = "informational"
    UNKNOWN = "unknown"


class CheckVerdict(StrEnum):
    """The result of a check, as JSON prints it."""

    GOOD = "good"
    BAD = "bad"
    NOT_PROVEN = "not-proven"
    """No finding is bad, but something that may reserve concurrency could not be read."""


class Finding(NamedTuple):
    """One fault of one file. `path` is the place inside the document, `line` counts from 1."""

    file: str
    line: int
    rule: str
    severity: Severity
    path: str
    message: str

    @property
    def bad(self) -> bool:
        """Whether it fails a check."""
        return self.severity is not Severity.INFORMATIONAL


class Rule(NamedTuple):
    """The rule that a finding violates, with a page about it."""

    id: str
    title: str
    url: str


def not_counted(file: Path, reason: str, path: str = "") -> Finding:
    """Return the finding that something may reserve concurrency and could not be read.

    `path` is its place in the file; without it, the finding is at the line that the reason names.
    """
    reason = reason.removeprefix(f"{file} ").removeprefix("is ")
    place = PLACE.search(reason)
    line = int(place[1]) if place and not path else 1
    return Finding(str(file), line, NOT_PROVEN, Severity.WARNING, path, f"not counted: {reason}")


def as_text(findings: Iterable[Finding]) -> str:
    """Return one line for each finding, in the form file:line: that editors make clickable; further lines indented."""
    lines = []
    for one in findings:
        message = visible(limited(one.message), "\n").replace("\n", "\n    ")
        lines.append(f"{visible(one.file)}:{one.line}: {one.severity} {visible(one.rule)}: {message}")
    return "\n".join(lines)


def limited(message: str) -> str:
    """Return the beginning of a message that is too long to read, with the number of characters left out."""
    left_out = len(message) - MAX_MESSAGE
    return f"{message[:MAX_MESSAGE]}... ({counted(left_out, 'character')} left out)" if left_out > 0 else message
