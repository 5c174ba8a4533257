"""Compare the code of functions: inline code line by line, and every setting that selects the code."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping

from generator.checks.quota.functions import FUNCTION_TYPES
from generator.diff.model import Handler
from generator.diff.properties import changes, literal
from generator.template.intrinsics import Json, template_text, text
from generator.template.model import Template
from generator.template.schemas import schema

INLINE = ("Code.ZipFile", "InlineCode")
"""Paths of inline code in the template."""

CODE_PROPERTIES = ("Code", "CodeUri", "InlineCode", "ImageUri", "ImageConfig", "Layers", "Handler")
"""Properties that select the code, of AWS::Lambda::Function and of AWS::Serverless::Function."""


def handlers(old: Template, new: Template) -> Iterator[Handler]:
    """Yield every function that is new or whose code changed."""
    before, after = (side.properties_of(*FUNCTION_TYPES) for side in (old, new))
    for name, properties in after.items():
        if lines := list(_lines(before.get(name, {}), properties)):
            yield Handler(name, "\n".join(lines))


def _lines(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Return a diff of the inline code, and a line for every other value that was removed or added."""
    was, now = _texts(_inline(old), _inline(new))
    yield from difflib.unified_diff(was.splitlines(), now.splitlines(), "old", "new", lineterm="")
    for key in CODE_PROPERTIES:
        for change in changes(old.get(key), new.get(key), key, schema(FUNCTION_TYPES[0]).unordered):
            yield from _others(change.path, "-", change.old)
            yield from _others(change.path, "+", change.new)


def _others(path: str, sign: str, value: Json) -> Iterator[str]:
    if path == "Code" and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _others(f"{path}.{name}", sign, inner)
    elif value is not None and path not in INLINE:
        yield f"{sign}{path}: {text(value)}"


def _inline(properties: Mapping[str, Json]) -> Json:
    code = properties.get("Code")
    return code.get("ZipFile") if isinstance(code, Mapping) else properties.get("InlineCode")


def _texts(old: Json, new: Json) -> list[str]:
    """Return the code of both sides. If one of them has references, both are written as in an Fn::Sub."""
    codes = ["" if code is None else code for code in (old, new)]
    return [_written(code) if None in map(literal, codes) else str(literal(code)) for code in codes]


def _written(code: Json) -> str:
    line = template_text(code)
    return json.dumps(code, indent=1, sort_keys=True) if line is None else line
