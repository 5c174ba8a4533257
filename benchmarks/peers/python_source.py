"""Write the values of a template as Python source: constructor calls where troposphere has a class, else literals."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from troposphere import AWSObject, AWSProperty

WIDTH = 110
INDENT = "    "
MODULES = {"Lambda": "awslambda"}
"""The modules of troposphere that are not named after their service."""


@dataclass(frozen=True, slots=True)
class Name:
    """A variable or an attribute, such as `price_history_table.ref`."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a class or a function."""

    function: str
    arguments: Sequence[Any] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


class Tool(Protocol):
    """The spelling of the same stack in one tool."""

    def keyword(self, name: str) -> str:
        """Return the constructor's keyword for a property."""

    def property_class(self, owner: type[AWSObject], declared: type[AWSProperty]) -> str:
        """Return the class of a nested property of a resource."""

    def intrinsic(self, function: str, arguments: list[Any]) -> Any:
        """Return the expression for Ref, GetAtt, Sub and the like; its arguments are expressions already."""


def resource_class(resource_type: str) -> type[AWSObject]:
    """Return troposphere's class for a type such as AWS::Lambda::Function. Raises LookupError if it has none."""
    service = resource_type.split("::")[1]
    for one in vars(import_module(f"troposphere.{MODULES.get(service, service.lower())}")).values():
        if inspect.isclass(one) and issubclass(one, AWSObject) and getattr(one, "resource_type", "") == resource_type:
            return one
    raise LookupError(f"{resource_type}: troposphere has no class for this type")


def keywords(
    tool: Tool, properties: Mapping[str, Any], owner: type[AWSObject], declared: type | None = None
) -> dict[str, Any]:
    """Return keyword arguments for the properties of a resource, or of the nested property class `declared` in it."""
    props = (declared or owner).props
    return {tool.keyword(name): expression(tool, value, owner, props[name][0]) for name, value in properties.items()}


def expression(tool: Tool, value: Any, owner: type[AWSObject] = AWSObject, declared: Any = None) -> Any:
    """Return a value of a template as nested Calls, dicts and lists. `declared` is its type in troposphere's class."""
    if isinstance(value, list):
        element = declared[0] if isinstance(declared, list) else None
        return [expression(tool, one, owner, element) for one in value]
    if not isinstance(value, Mapping):
        return value
    if is_intrinsic(value):
        ((function, argument),) = value.items()
        arguments = argument if isinstance(argument, list) else [argument]
        return tool.intrinsic(function.removeprefix("Fn::"), expression(tool, arguments))
    if inspect.isclass(declared) and issubclass(declared, AWSProperty):
        return Call(tool.property_class(owner, declared), (), keywords(tool, value, owner, declared))
    return {key: expression(tool, one) for key, one in value.items()}


def is_intrinsic(value: Any) -> bool:
    """Return whether a value is a function call, such as {"Ref": ...} or {"Fn::Sub": ...}."""
    return isinstance(value, Mapping) and len(value) == 1 and re.match(r"Ref$|Fn::", next(iter(value))) is not None


def source(value: Any, indent: str = "") -> str:
    """Return the source of an expression, on one line where it fits; its first line has no indentation."""
    if isinstance(value, Name):
        return value.text
    if isinstance(value, Call):
        opening, closing = f"{value.function}(", ")"
        items = [("", one) for one in value.arguments] + [(f"{key}=", one) for key, one in value.keywords.items()]
    elif isinstance(value, Mapping):
        opening, closing, items = "{", "}", [(f"{key!r}: ", one) for key, one in value.items()]
    elif isinstance(value, list):
        opening, closing, items = "[", "]", [("", one) for one in value]
    else:
        return repr(value)
    parts = [label + source(one, indent + INDENT) for label, one in items]
    flat = f"{opening}{', '.join(parts)}{closing}"
    if not parts or ("\n" not in flat and len(indent + flat) <= WIDTH):
        return flat
    lines = "".join(f"{indent}{INDENT}{part},\n" for part in parts)
    return f"{opening}\n{lines}{indent}{closing}"


def snake_case(name: str) -> str:
    """Return a CamelCase name as Python spells it: KMSMasterKeyId becomes kms_master_key_id."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
