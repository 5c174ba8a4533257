"""Lays JSON out for review: what fits on a line stays on one line, the rest is indented by one space.

A container whose last item is itself a container that does not fit opens it on its own line, and both close together:
{"Fn::Join": ["\\n", [ ... ]]}. So depth of nesting does not become depth of indentation.
"""

from __future__ import annotations

import json
from typing import Any

WIDTH = 130

MAX_BEFORE_HUGGED = 3
"""Plain values that may stand on the line that opens the last one."""


on_one_line = json.JSONEncoder(ensure_ascii=False).encode
"""JSON text without a line break, the same for equal values; a dict keeps its order."""


def lay_out(value: Any, indent: int = 0, column: int = 0) -> str:
    """Return JSON text, the same for equal values; a dict keeps its order.

    `column` is how much of the first line is already taken, indent included.
    """
    return _fit(_measure(value), indent, column)


Measured = tuple[str, list[str], list["Measured"]]
"""A value on one line; for a container that is not empty also its keys, as they are written, and its items."""


def _measure(value: Any) -> Measured:
    if not isinstance(value, dict | list) or not value:
        return on_one_line(value), [], []
    if isinstance(value, list):
        items = [_measure(item) for item in value]
        return f"[{', '.join([line for line, _, _ in items])}]", [""] * len(items), items
    keys = [f"{on_one_line(key)}: " for key in value]
    items = [_measure(item) for item in value.values()]
    return f"{{{', '.join([key + item[0] for key, item in zip(keys, items, strict=True)])}}}", keys, items


def _fit(value: Measured, indent: int, column: int) -> str:
    line, keys, items = value
    if not items or column + len(line) < WIDTH:
        return line
    if _hugs(items):
        before = (f"{key}{text}, " for key, (text, _, _) in zip(keys, items[:-1], strict=False))
        start = line[0] + "".join(before) + keys[-1]
        if column + len(start) < WIDTH - 2:
            return start + _fit(items[-1], indent, column + len(start)) + line[-1]
    indent += 1
    lines = [key + _fit(item, indent, indent + len(key)) for key, item in zip(keys, items, strict=True)]
    return line[0] + "\n" + ",\n".join(" " * indent + text for text in lines) + "\n" + " " * (indent - 1) + line[-1]


def _hugs(items: list[Measured]) -> bool:
    *before, (_, _, last_items) = items
    return bool(last_items) and len(before) <= MAX_BEFORE_HUGGED and all(text[0] not in "[{" for text, _, _ in before)
