"""The Lambda functions of a template: what they reserve, what refers to them and what invokes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from generator.checks.quota.deployed import Deployed
from generator.template.evaluation import Option, options
from generator.template.intrinsics import mapping
from generator.template.model import Template
from generator.template.references import names

FUNCTION_TYPES = ("AWS::Lambda::Function", "AWS::Serverless::Function")

RESERVED = "ReservedConcurrentExecutions"

MAPPING = "AWS::Lambda::EventSourceMapping"

QUALIFIERS = ("AWS::Lambda::Alias", "AWS::Lambda::Version")

NEVER_INVOKES = (
    MAPPING,
    *QUALIFIERS,
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
)
"""Types that may name a function without invoking it, or whose invocations are counted separately."""

_ALONE = re.compile(r"(?:arn:[^{}]*(?:\$\{AWS::\w+\}[^{}]*)*:function:)?\$\{([A-Za-z0-9]+)(?:\.Arn)?\}")
"""A Fn::Sub of a function's name or ARN and nothing else."""

Found = TypeVar("Found")


def functions(template: Template) -> list[str]:
    """Return the logical ids of all functions."""
    return template.of_type(*FUNCTION_TYPES)


def reservations(template: Template, function: str) -> list[Option]:
    """Return what a function may reserve."""
    return options(template, function, RESERVED)


def worst_of_each(
    stacks: Iterable[Deployed], found_in: Callable[[Deployed, str], Found | None], weight: Callable[[Found], int]
) -> list[Found]:
    """Return what is found of each function where it weighs most; functions without a finding are left out."""
    worst: dict[str, Found] = {}
    for stack in stacks:
        for function in functions(stack.template):
            found = found_in(stack, function)
            if found is not None and (function not in worst or weight(found) > weight(worst[function])):
                worst[function] = found
    return list(worst.values())


def is_reference(template: Template, value: Any, target: str) -> bool:
    """Return whether an expression is a function's or another resource's name or ARN.

    A literal counts if it is the name that the resource gives itself: a logical id is no name.
    """
    name = _physical_name(template, target)
    if name is not None and value == name:
        return True
    if isinstance(value, str) and isinstance(name, str):
        return value.endswith(f":function:{name}")
    return _referred(value) == target


def mentions(template: Template, value: Any, target: str) -> bool:
    """Return whether an expression contains a resource, by reference or by name."""
    return target in names(value) or _has_name(value, _physical_name(template, target))


def qualifiers(template: Template, function: str) -> list[str]:
    """Return the versions and aliases of a function."""
    found = template.of_type(*QUALIFIERS)
    return [one for one in found if mentions(template, template.resources[one], function)]


def mappings(template: Template, own: list[str]) -> list[str]:
    """Return the event source mappings that name a function, or one of its versions or aliases."""
    return [
        one
        for one in template.of_type(MAPPING)
        if any(mentions(template, template.resources[one], target) for target in own)
    ]


def has_other_invoker(template: Template, function: str, own: list[str]) -> bool:
    """Return whether anything but an event source mapping names the function, its versions or its aliases.

    An output may hand it to an invoker in another stack.
    """
    others = [
        resource
        for logical_id, resource in template.resources.items()
        if logical_id not in own and resource.get("Type") not in NEVER_INVOKES
    ]
    has_url = "FunctionUrlConfig" in template.properties(function)
    suspects = [*template.outputs.values(), *others, *template.opaque.values()]
    return has_url or any(mentions(template, value, target) for value in suspects for target in own)


def sam_events(template: Template, function: str) -> list[str]:
    """Return the names of the events that SAM gives to a function."""
    return [str(name) for name in mapping(template.properties(function).get("Events"))]


def _has_name(value: Any, name: Any) -> bool:
    if name is None:
        return False
    if value == name or (isinstance(value, str) and isinstance(name, str) and name in value):
        return True
    if isinstance(value, Mapping):
        return any(_has_name(inner, name) for inner in value.values())
    return isinstance(value, list) and any(_has_name(inner, name) for inner in value)


def _referred(value: Any) -> str | None:
    """Return the logical id in a Ref, an Fn::GetAtt of the ARN, or an Fn::Sub of either alone."""
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
            found = _ALONE.fullmatch(text)
            return found[1] if found else None
    return None


def _physical_name(template: Template, target: str) -> Any:
    """Return the name that a function gives itself, a literal or an expression that others may repeat."""
    if template.resources[target].get("Type") not in FUNCTION_TYPES:
        return None
    name = template.properties(target).get("FunctionName")
    return name if name and isinstance(name, str | dict) else None
