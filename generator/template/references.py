"""What a value of a template refers to by Ref, Fn::GetAtt and Fn::Sub, however deep inside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

VARIABLE = re.compile(r"\$\{([^!}][^}]*)\}")
"""In the text of a Fn::Sub, a name, with `.Attribute` where one is asked for; ${!...} is text."""


def references(value: Any) -> Iterator[str]:
    """Each reference as it stands: the name, then `.Attribute` where one is asked for.

    Names are of the template's own resources and parameters, not what every template has (AWS::Region ...). What has
    not the shape that CloudFormation asks for refers to nothing.
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
    """The names alone, without what is asked of them."""
    return (found.partition(".")[0] for found in references(value))


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
