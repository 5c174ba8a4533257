"""List the names that a value of a template refers to, at any depth. `evaluation` resolves them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
"""A name in the text of an Fn::Sub, with `.Attribute` if there is one. ${!...} is literal text."""


FUNCTIONS = ("Ref", "Fn::GetAtt", "Fn::Sub")
"""The functions that refer to resources, parameters, conditions or mappings."""


def walk(value: Any) -> Iterator[Any]:
    """Yield a value and every value inside it, in the order in which they are written."""
    left = [value]
    while left:
        one = left.pop()
        yield one
        if isinstance(one, dict | Mapping):
            left += reversed([*one.values()])
        elif isinstance(one, list):
            left += reversed(one)


def references(value: Any) -> Iterator[str]:
    """Return the name in each Ref, Fn::GetAtt and variable of an Fn::Sub, with `.Attribute` if there is one.

    Leaves out pseudo parameters such as AWS::Region, and malformed functions.
    """
    found: list[str] = []
    _collect(value, found)
    return iter(found)


def _collect(value: Any, found: list[str]) -> None:
    """Append the references in a value. Fast, because a template has thousands of values."""
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, str):
                _collect(item, found)
    elif isinstance(value, dict | Mapping):
        if len(value) == 1:
            function, content = next(iter(value.items()))
            if function in FUNCTIONS:
                found += [one for one in _of_function(function, content) if not one.startswith("AWS::")]
        for inner in value.values():
            if not isinstance(inner, str):
                _collect(inner, found)


def names(value: Any) -> Iterator[str]:
    """Yield the names that a value refers to, without attributes."""
    return (found.partition(".")[0] for found in references(value))


def dependencies(value: Any) -> Iterator[str]:
    """Yield the names that a value refers to, and the conditions and mappings that it uses.

    A condition is named Conditions.NAME, a mapping Mappings.NAME.
    """
    yield from names(value)
    for one in walk(value):
        match one:
            case {"Condition": str(name), **rest} if not rest:
                yield f"Conditions.{name}"
            case {"Fn::If": [str(name), *_], **rest} if not rest:
                yield f"Conditions.{name}"
            case {"Fn::FindInMap": [str(name), *_], **rest} if not rest:
                yield f"Mappings.{name}"


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
