"""List the names that a value of a template depends on, at any depth. `evaluation` resolves them."""

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
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        yield inner
        if isinstance(inner, dict | Mapping):
            waiting += reversed([*inner.values()])
        elif isinstance(inner, list):
            waiting += reversed(inner)


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
    elif isinstance(value, dict | Mapping):
        if len(value) == 1:
            function, content = next(iter(value.items()))
            if function in FUNCTIONS:
                names_ += [name for name in _of_function(function, content) if not name.startswith("AWS::")]
        for inner in value.values():
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
            yield from (name for name in VARIABLE.findall(text) if name not in values)
