"""Compare what functions run: inline code line by line, and every setting that selects the code."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping

from generator.diff.model import Handler
from generator.diff.properties import changes, literal
from generator.template.intrinsics import Json, template_text, text
from generator.template.model import Template
from generator.template.schemas import schema

FUNCTIONS = ("AWS::Lambda::Function", "AWS::Serverless::Function")

INLINE = ("Code.ZipFile", "InlineCode")
"""Where the code itself is in the template."""

DECIDING = ("Code", "CodeUri", "InlineCode", "ImageUri", "ImageConfig", "Layers", "Handler")
"""What decides which code runs, of AWS::Lambda::Function and of AWS::Serverless::Function."""


def handlers(old: Template, new: Template) -> Iterator[Handler]:
    """Yield every function that is new or runs other code than before."""
    before, after = (side.properties_of(*FUNCTIONS) for side in (old, new))
    for name, properties in after.items():
        if lines := list(_lines(before.get(name, {}), properties)):
            yield Handler(name, "\n".join(lines))


def _lines(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Code against code line by line, and after that one line for every other value that went or came."""
    was, now = _texts(_inline(old), _inline(new))
    yield from difflib.unified_diff(was.splitlines(), now.splitlines(), "old", "new", lineterm="")
    for key in DECIDING:
        for found in changes(old.get(key), new.get(key), key, schema(FUNCTIONS[0]).unordered):
            yield from _others(found.path, "-", found.old)
            yield from _others(found.path, "+", found.new)


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
    """Both codes: as they are where neither refers to anything, and otherwise as Fn::Sub writes them."""
    found = [literal("" if code is None else code) for code in (old, new)]
    return (
        [_written("" if code is None else code) for code in (old, new)]
        if None in found
        else [str(one) for one in found]
    )


def _written(code: Json) -> str:
    found = template_text(code)
    return json.dumps(code, indent=1, sort_keys=True) if found is None else found
