"""Lay out JSON for review: a value that fits on a line stays on one line; others are indented by one space.

If only the last item of a container does not fit, the line that opens the container also opens the item, and both close
together: {"Fn::Join": ["\\n", [ ... ]]}. This keeps the indentation shallow. The lines of a program are not indented.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH = 130

MAX_BEFORE_HUGGED = 3
"""The most plain values before a last item that opens on the same line as its container."""

MIN_PROGRAM_LINES = 30
"""A list of at least this many texts is a program."""


on_one_line = json.JSONEncoder(ensure_ascii=False).encode
"""Return JSON text without line breaks. A dict keeps its order."""


class Spacing(NamedTuple):
    """The text between items, the text between a key and its value, and the indentation of an item."""

    comma: str
    colon: str
    indent: int


WIDE, NARROW = Spacing(", ", ": ", 1), Spacing(",", ":", 0)


def lay_out(value: Any, spacing: Spacing = WIDE, column: int = 0) -> str:
    """Return JSON text, laid out. A dict keeps its order.

    `column` is the number of characters already on the first line.
    """
    return _fit(_measure(value, spacing), 0, column, spacing)


Measured = tuple[str, Sequence[str], Sequence["Measured"]]
"""The text of a value on one line. For a container that is not empty, also the texts of its keys, and its items."""


def _measure(value: Any, spacing: Spacing) -> Measured:
    if not isinstance(value, (dict, list)) or not value:
        return on_one_line(value), (), ()
    if isinstance(value, list):
        items = [_measure(item, spacing) for item in value]
        return f"[{spacing.comma.join([item[0] for item in items])}]", ("",) * len(items), items
    keys = [f"{on_one_line(key)}{spacing.colon}" for key in value]
    items = [_measure(item, spacing) for item in value.values()]
    return f"{{{spacing.comma.join([key + item[0] for key, item in zip(keys, items, strict=True)])}}}", keys, items


def _fit(value: Measured, indent: int, column: int, spacing: Spacing) -> str:
    line, keys, items = value
    if not items or column + len(line) < WIDTH:
        return line
    if _hugs(items):
        before = (f"{key}{text}{spacing.comma}" for key, (text, _, _) in zip(keys, items[:-1], strict=False))
        start = line[0] + "".join(before) + keys[-1]
        if column + len(start) < WIDTH - 2:
            return start + _fit(items[-1], indent, column + len(start), spacing) + line[-1]
    is_program = len(items) >= MIN_PROGRAM_LINES and all(text[0] == '"' for text, _, _ in items) and line[0] == "["
    if is_program:
        return "[\n" + ",\n".join(text for text, _, _ in items) + "\n" + " " * indent + "]"
    inner = indent + spacing.indent
    lines = [key + _fit(item, inner, inner + len(key), spacing) for key, item in zip(keys, items, strict=True)]
    return line[0] + "\n" + ",\n".join(" " * inner + text for text in lines) + "\n" + " " * indent + line[-1]


def _hugs(items: Sequence[Measured]) -> bool:
    *before, (_, _, last_items) = items
    return bool(last_items) and len(before) <= MAX_BEFORE_HUGGED and all(text[0] not in "[{" for text, _, _ in before)
