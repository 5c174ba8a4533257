"""List what a value of a template refers to, however deep inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
"""A name in the text of a Fn::Sub, followed by `.Attribute` if one is asked for; ${!...} is text."""


def references(value: Any) -> Iterator[str]:
    """Yield each Ref, Fn::GetAtt and variable of a Fn::Sub: the name, followed by `.Attribute` if one is asked for.

    Pseudo parameters such as AWS::Region are left out, and so is anything malformed.
    """
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, Mapping):
        own = next(iter(value.items())) if len(value) == 1 else ("", None)
        yield from (found for found in _of_function(*own) if not found.startswith("AWS::"))
        for inner in value.values():
            yield from references(inner)


def names(value: Any) -> Iterator[str]:
    """Yield the names that a value refers to, without attributes."""
    return (found.partition(".")[0] for found in references(value))


def dependencies(value: Any) -> Iterator[str]:
    """Yield the names that a value refers to, and the conditions and mappings it uses.

    A condition is named Conditions.NAME, a mapping Mappings.NAME.
    """
    yield from names(value)
    yield from _switches(value)


def _switches(value: Any) -> Iterator[str]:
    match value:
        case {"Condition": str(name), **rest} if not rest:
            yield f"Conditions.{name}"
        case {"Fn::If": [str(name), *_], **rest} if not rest:
            yield f"Conditions.{name}"
        case {"Fn::FindInMap": [str(name), *_], **rest} if not rest:
            yield f"Mappings.{name}"
    if isinstance(value, Mapping | list):
        for inner in value if isinstance(value, list) else value.values():
            yield from _switches(inner)


def _of_function(function: str, content: Any) -> Iterator[str]:
    match function, content:
        case (("Ref" | "Fn::GetAtt"), str(name)):
            yield name
        case "Fn::GetAtt", [str(name), str(attribute)]:
            yield f"{name}.{attribute}"
        case "Fn::GetAtt", [str(name), *_]:
            yield name
        case "Fn::Sub", str(text):
            yield from VARIABLE.findall(text)
        case "Fn::Sub", [str(text), Mapping() as values]:
            yield from (found for found in VARIABLE.findall(text) if found not in values)
