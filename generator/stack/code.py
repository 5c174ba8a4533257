"""A handler's source as the lines that the template ships."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

HANDLERS = Path(__file__).parent / "handlers"
QUOTES = '"""'


@cache
def shipped_lines(handler: str) -> tuple[str, ...]:
    """The handler's lines without docstrings, comment lines and blank lines, and with one space an indent.

    What runs is unchanged, a changed line stays one changed line, and the template stays below CloudFormation's
    51,200 bytes. A handler has strings that span lines as docstrings only, and those in double quotes; the tests
    compare the syntax trees.
    """
    source = (HANDLERS / f"{handler}.py").read_text(encoding="utf-8")
    return tuple(_reindented(line) for line in _code(source.splitlines()))


def _code(lines: list[str]) -> Iterator[str]:
    """Reads no syntax, because the module that does is slower than composing the whole stack is."""
    inside = False
    for line in lines:
        text = line.strip()
        if inside or text.startswith(QUOTES):
            closed = text.endswith(QUOTES) and (inside or len(text) >= 2 * len(QUOTES))
            inside = not closed
        elif text and not text.startswith("#"):
            yield line


def _reindented(line: str) -> str:
    text = line.lstrip(" ")
    return " " * ((len(line) - len(text)) // 2) + text.rstrip()
