"""The JSON Schema of an environment file, from the same definitions as its validation, for editors."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any

from generator.config.fields import REQUIRED
from generator.config.prices import SOURCES
from generator.config.schema import Environment

DIALECT = "http://json-schema.org/draft-04/schema#"
"""The JSON Schema draft that taplo, and editors with it, understand."""


def json_schema() -> dict[str, Any]:
    """Return the schema. It leaves rules that span several settings to the commands."""
    return {"$schema": DIALECT, "title": "An environment of the generator", **_section(Environment, {})}


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def description(kind: type, name: str) -> str:
    """Return the comment above a setting, or the source of a price."""
    return _comments(kind).get(name) or str(SOURCES.get(name, ""))


def prose(kind: type) -> str:
    """Return the docstring of a section as one paragraph."""
    return " ".join((inspect.getdoc(kind) or "").split()) if kind.__doc__ else ""


def _section(kind: type, defaults: Mapping[str, object]) -> dict[str, Any]:
    fields = dataclasses.fields(kind)
    required = [one.name for one in fields if one.metadata.get("default") is REQUIRED and one.name not in defaults]
    return {
        "type": "object",
        "description": prose(kind),
        "properties": {one.name: _property(kind, one, defaults) for one in fields},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _property(kind: type, field: dataclasses.Field[Any], defaults: Mapping[str, object]) -> dict[str, Any]:
    if inner := field.metadata.get("section"):
        return _section(inner, field.metadata["defaults"])
    if inner := field.metadata.get("tables"):
        return {"type": "array", "items": _section(inner, {}), "maxItems": field.metadata["most"]}
    found = {**field.metadata["schema"], "description": description(kind, field.name)}
    if "enum" in found:
        found["enum"] = [one.value if isinstance(one, Enum) else one for one in found["enum"]]
    value = defaults.get(field.name, field.metadata["default"])
    return found if value is REQUIRED or value is None else {**found, "default": value}


@cache
def _comments(kind: type) -> dict[str, str]:
    lines = inspect.getsource(kind).splitlines()
    (body,) = ast.parse("\n".join(lines)).body
    found = {}
    for node in body.body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above: list[str] = []
            for line in reversed(lines[: node.lineno - 1]):
                if not (comment := re.fullmatch(r" +# (.*)", line)):
                    break
                above.insert(0, comment[1])
            found[node.target.id] = " ".join(above)
    return found
