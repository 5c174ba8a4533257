"""Finds the Lambda functions of a template, what they reserve, and what refers to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cfnlint.template import Template

from generator.checks.reservations.deployments import sources
from generator.checks.reservations.source import Source
from generator.checks.reservations.values import Option, options
from generator.template.references import names

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
    return target in names(value) or _has_name(value, _physical_name(source, target))


def _has_name(value: Any, name: Any) -> bool:
    if name is None:
        return False
    if value == name or (isinstance(value, str) and isinstance(name, str) and name in value):
        return True
    if isinstance(value, Mapping):
        return any(_has_name(inner, name) for inner in value.values())
    return isinstance(value, list) and any(_has_name(inner, name) for inner in value)


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


def _physical_name(source: Source, target: str) -> Any:
    """The name that a function gives itself, a literal or an expression that others may repeat."""
    resource = source.resources[target]
    properties = resource.get("Properties")
    if resource.get("Type") not in FUNCTION_TYPES or not isinstance(properties, dict):
        return None
    name = properties.get("FunctionName")
    return name if name and isinstance(name, str | dict) else None
