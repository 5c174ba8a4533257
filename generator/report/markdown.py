"""The little Markdown that the page needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """A table; the columns in `right` are figures."""
    right = set(right)
    rule = ["---:" if column in right else "---" for column in range(len(header))]
    return [_line(header), _line(rule), *(_line([cell(text) for text in row]) for row in rows)]


def cell(text: str) -> str:
    """Text that may stand in a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def code(text: str) -> str:
    """Literal text."""
    return f"`{text}`"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
