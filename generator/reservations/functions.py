"""Finds the Lambda functions of a template, what they reserve, and what refers to them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from cfnlint.template import Template

from generator.reservations.deployments import sources
from generator.reservations.source import Source
from generator.reservations.values import Option, options

FUNCTION_TYPES = ("AWS::Lambda::Function", "AWS::Serverless::Function")
"""cfn-lint keeps SAM's functions as they are, with Globals merged into them."""

Found = TypeVar("Found")

RESERVED = "ReservedConcurrentExecutions"


def functions(source: Source) -> list[str]:
    """The logical ids of all functions."""
    return list(source.of_type(*FUNCTION_TYPES))


def reservations(source: Source, function: str) -> list[Option]:
    """What a function may reserve."""
    return options(source, function, RESERVED)


def worst_of_each(
    template: Template, found_in: Callable[[Source, str], Found | None], weight: Callable[[Found], int]
) -> list[Found]:
    """What is found of each function, in the deployment in which it weighs most; functions without it are left out."""
    worst: dict[str, Found] = {}
    for source in sources(template):
        for function in functions(source):
            found = found_in(source, function)
            if found is not None and (function not in worst or weight(found) > weight(worst[function])):
                worst[function] = found
    return list(worst.values())


def is_reference(source: Source, value: Any, target: str) -> bool:
    """Whether an expression is a function's or another resource's name or ARN.

    A literal counts where it is the name that the resource states for itself: a logical id is no name.
    """
    name = _physical_name(source, target)
    if name is not None and value == name:
        return True
    if isinstance(value, str) and isinstance(name, str):
        return value.endswith(f":function:{name}")
    return _referred(value) == target


def mentions(source: Source, value: Any, target: str) -> bool:
    """Whether an expression has a resource anywhere inside it, by reference or by name."""
    return _mentions(value, target, _physical_name(source, target))


def _mentions(value: Any, target: str, name: Any) -> bool:
    if name is not None and (value == name or (isinstance(value, str) and isinstance(name, str) and name in value)):
        return True
    if isinstance(value, dict):
        return any(_is_mention(key, inner, target) or _mentions(inner, target, name) for key, inner in value.items())
    return isinstance(value, list) and any(_mentions(inner, target, name) for inner in value)


def _referred(value: Any) -> str | None:
    """The logical id in Ref, Fn::GetAtt of the ARN, or Fn::Sub of either alone."""
    if not (isinstance(value, dict) and len(value) == 1):
        return None
    match value:
        case {"Ref": str(name)}:
            return str(name)
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return str(name)
        case {"Fn::GetAtt": str(text)}:
            return text.removesuffix(".Arn") if text.endswith(".Arn") else None
        case {"Fn::Sub": str(text)}:
            found = re.fullmatch(
                r"(?:arn:[^{}]*(?:\$\{AWS::\w+\}[^{}]*)*:function:)?\$\{([A-Za-z0-9]+)(?:\.Arn)?\}", text
            )
            return found[1] if found else None
    return None


def _is_mention(key: object, value: Any, target: str) -> bool:
    """One step of an expression: an intrinsic function that names the resource, or an attribute of it."""
    if key == "Fn::Sub":
        text = value[0] if isinstance(value, list) and value else value
        return isinstance(text, str) and bool(re.search(rf"\$\{{{re.escape(target)}[.}}]", text))
    if key == "Fn::GetAtt" and isinstance(value, list):
        return bool(value) and value[0] == target
    return key in ("Ref", "Fn::GetAtt") and isinstance(value, str) and value.partition(".")[0] == target


def _physical_name(source: Source, target: str) -> Any:
    """The name that a function gives itself, a literal or an expression that others may repeat."""
    resource = source.resources[target]
    properties = resource.get("Properties")
    if resource.get("Type") not in FUNCTION_TYPES or not isinstance(properties, dict):
        return None
    name = properties.get("FunctionName")
    return name if name and isinstance(name, str | dict) else None
