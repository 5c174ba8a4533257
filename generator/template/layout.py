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
    """JSON text, the same for equal values; a dict keeps its order.

    `column` is how much of the first line is taken already, indent included.
    """
    line = on_one_line(value)
    if not isinstance(value, dict | list) or not value or column + len(line) < WIDTH:
        return line
    keys = [f"{on_one_line(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    items = list(value.values()) if isinstance(value, dict) else value
    if _hugs(items):
        before = (key + on_one_line(item) for key, item in zip(keys, items[:-1], strict=False))
        start = line[0] + "".join(f"{text}, " for text in before) + keys[-1]
        if column + len(start) < WIDTH - 2:
            return start + lay_out(items[-1], indent, column + len(start)) + line[-1]
    indent += 1
    lines = (key + lay_out(item, indent, indent + len(key)) for key, item in zip(keys, items, strict=True))
    return line[0] + "\n" + ",\n".join(" " * indent + text for text in lines) + "\n" + " " * (indent - 1) + line[-1]


def _hugs(items: list[Any]) -> bool:
    *before, last = items
    plain = len(before) <= MAX_BEFORE_HUGGED and not any(isinstance(item, dict | list) for item in before)
    return plain and isinstance(last, dict | list) and bool(last)
