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


def lay_out(value: Any) -> str:
    """JSON text, the same for equal values; a dict keeps its order."""
    return _lay_out(value, 0, 0)


def _lay_out(value: Any, indent: int, column: int) -> str:
    """`column` is how much of the first line is taken already, indent included."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or column + len(line) < WIDTH:
        return line
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    items = list(value.values()) if isinstance(value, dict) else value
    if _hugs(items):
        before = (key + json.dumps(item, ensure_ascii=False) for key, item in zip(keys, items[:-1], strict=False))
        start = opening + "".join(f"{text}, " for text in before) + keys[-1]
        if column + len(start) < WIDTH - 2:
            return start + _lay_out(items[-1], indent, column + len(start)) + closing
    indent += 1
    lines = (key + _lay_out(item, indent, indent + len(key)) for key, item in zip(keys, items, strict=True))
    return opening + "\n" + ",\n".join(" " * indent + line for line in lines) + "\n" + " " * (indent - 1) + closing


def _hugs(items: list[Any]) -> bool:
    *before, last = items
    plain = len(before) <= MAX_BEFORE_HUGGED and not any(isinstance(item, dict | list) for item in before)
    return plain and isinstance(last, dict | list) and bool(last)
