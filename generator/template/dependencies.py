"""List the names that a value of a template depends on, at any depth. `evaluation` resolves them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

VARIABLE = re.compile(r"\$\{([^!{}][^{}]*)\}")
"""A name in the text of an Fn::Sub, with `.Attribute` if there is one. ${!...} is literal text."""


REFERENCE_FUNCTIONS = ("Ref", "Fn::GetAtt", "Fn::Sub")
"""The functions that refer to resources, parameters, conditions or mappings."""

MAPPING_TYPES = (dict, Mapping)
"""The types of a mapping. Python recognizes a dict seven times as fast as it does the abstract type."""


def walk(value: Any) -> Iterator[Any]:
    """Yield a value and every value inside it, in the order in which they are written."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        yield inner
        if isinstance(inner, MAPPING_TYPES):
            waiting += reversed([*inner.values()])
        elif isinstance(inner, list):
            waiting += reversed(inner)


def measured(value: Any, most: int, deepest: int) -> tuple[int, int]:
    """Return the number of values in a value and the number of their levels, itself included.

    Stops as soon as there are more than `most` values or `deepest` levels.
    """
    values, depth, level = 1, 1, [value]
    while level and values <= most and depth <= deepest:
        below: list[Any] = []
        for inner in level:
            if isinstance(inner, dict):
                below += inner.values()
            elif isinstance(inner, list):
                below += inner
            else:
                continue
            if values + len(below) > most:
                break
        values, depth, level = values + len(below), depth + bool(below), below
    return values, depth


def references(value: Any) -> Iterator[str]:
    """Return the name in each Ref, Fn::GetAtt and variable of an Fn::Sub, with `.Attribute` if there is one.

    Leaves out pseudo parameters such as AWS::Region, and malformed functions.
    """
    names_: list[str] = []
    _collect(value, names_)
    return iter(names_)


def _collect(value: Any, names_: list[str]) -> None:
    """Append the references in a value. Fast, because a template has thousands of values."""
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, str):
                _collect(item, names_)
    elif isinstance(value, MAPPING_TYPES):
        is_alone = len(value) == 1
        for key, inner in value.items():
            if is_alone and key in REFERENCE_FUNCTIONS:
                names_ += [name for name in _of_function(key, inner) if not name.startswith("AWS::")]
            if not isinstance(inner, str):
                _collect(inner, names_)


def names(value: Any) -> Iterator[str]:
    """Yield the names that a value refers to, without attributes."""
    return (reference.partition(".")[0] for reference in references(value))


def dependencies(value: Any) -> Iterator[str]:
    """Yield the names that a value refers to, and the conditions and mappings that it uses.

    A condition is named Conditions.NAME, a mapping Mappings.NAME.
    """
    yield from names(value)
    for inner in walk(value):
        match inner:
            case {"Condition": str(name), **rest} if not rest:
                yield f"Conditions.{name}"
            case {"Fn::If": [str(name), *_], **rest} if not rest:
                yield f"Conditions.{name}"
            case {"Fn::FindInMap": [str(name), *_], **rest} if not rest:
                yield f"Mappings.{name}"


def _of_function(function: str, content: Any) -> Sequence[str]:
    match content:
        case str():
            return VARIABLE.findall(content) if function == "Fn::Sub" else [content]
        case [str(name), *rest] if function == "Fn::GetAtt":
            return [f"{name}.{rest[0]}" if len(rest) == 1 and isinstance(rest[0], str) else name]
        case [str(text), Mapping() as values] if function == "Fn::Sub":
            return [name for name in VARIABLE.findall(text) if name not in values]
    return []
