"""The JSON Schema of an environment file, from the same definitions as its validation, for editors."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Mapping
from enum import Enum
from functools import cache

from generator.config.fields import REQUIRED, Declaration, declarations
from generator.config.prices import SOURCES
from generator.config.schema import Environment

DIALECT = "http://json-schema.org/draft-04/schema#"
"""The JSON Schema draft that taplo, and editors with it, understand."""


def json_schema() -> dict[str, object]:
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


def _section(kind: type, defaults: Mapping[str, object]) -> dict[str, object]:
    settings = declarations(kind)
    without_default = (name for name, setting in settings.items() if setting.get("default") is REQUIRED)
    required = [name for name in without_default if name not in defaults]
    return {
        "type": "object",
        "description": prose(kind),
        "properties": {name: _property(kind, name, setting, defaults) for name, setting in settings.items()},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _property(kind: type, name: str, setting: Declaration, defaults: Mapping[str, object]) -> dict[str, object]:
    if inner := setting.get("section"):
        return _section(inner, setting["defaults"])
    if inner := setting.get("tables"):
        return {"type": "array", "items": _section(inner, {}), "maxItems": setting["most"]}
    schema = {**setting["schema"], "description": description(kind, name)}
    if "enum" in schema:
        schema["enum"] = [option.value if isinstance(option, Enum) else option for option in schema["enum"]]
    value = defaults.get(name, setting["default"])
    return schema if value is REQUIRED or value is None else {**schema, "default": value}


@cache
def _comments(kind: type) -> dict[str, str]:
    lines = inspect.getsource(kind).splitlines()
    (body,) = ast.parse("\n".join(lines)).body
    comments = {}
    for node in body.body:  # type: ignore[attr-defined]
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            above: list[str] = []
            for line in reversed(lines[: node.lineno - 1]):
                if not (comment := re.fullmatch(r" +# (.*)", line)):
                    break
                above.insert(0, comment[1])
            comments[node.target.id] = " ".join(above)
    return comments
