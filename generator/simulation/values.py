"""Reads values out of a CloudFormation template: parameters by default, conditions, and who refers to whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from generator.template.references import names

Json = Any

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What is raised on the way through a value that is not of the shape that CloudFormation asks for."""

NO_VALUE = {"Ref": "AWS::NoValue"}
"""What stands for the absence of a property."""


class Unknown(Exception):
    """The value depends on something that the template does not say; the message says on what."""


class Template:
    """A parsed template whose values can be asked for. It is never changed.

    `malformed` has the names of what stands among the resources and is none: loops, and whatever has no properties.
    """

    def __init__(self, template: Mapping[str, Json]) -> None:
        self._parameters = template.get("Parameters") or {}
        self._conditions = template.get("Conditions") or {}
        self._mappings = template.get("Mappings") or {}
        found = template["Resources"]
        self.resources: Mapping[str, Json] = {name: one for name, one in found.items() if _is_resource(one)}
        self.malformed = [name for name in found if name not in self.resources]

    def ids(self, *types: str) -> list[str]:
        """The logical ids of the resources of these types that would be created, in the template's order.

        A resource whose condition can be decided in the account only counts as created.
        """
        return [name for name, found in self.resources.items() if found.get("Type") in types and self._created(found)]

    def properties(self, logical_id: str) -> Mapping[str, Json]:
        """A resource's properties, as they are written."""
        return self.resources[logical_id].get("Properties") or {}

    def value(self, value: Json) -> Json:
        """The value with parameters, conditions and mappings filled in; None where that leaves nothing.

        References to resources stay as they are. Raises Unknown.
        """
        try:
            found = self._filled(value)
        except MALFORMED as error:
            raise Unknown(f"a value has an unknown shape ({error!r})") from error
        return None if found == NO_VALUE else found

    def _filled(self, value: Json) -> Json:
        if isinstance(value, list):
            return [item for item in map(self._filled, value) if item != NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" and argument in self._parameters:
                return self._default(argument)
            if name == "Fn::If":
                condition, yes, no = argument
                return self._filled(yes if self._holds({"Condition": condition}) else no)
            if name == "Fn::FindInMap":
                return self._mapped(argument)
        filled = {key: self._filled(item) for key, item in value.items()} if value != NO_VALUE else value
        return {key: item for key, item in filled.items() if item != NO_VALUE}

    def number(self, value: Json, default: float | None = None, least: float = 0.0, most: float = math.inf) -> float:
        """The value as a number. Raises Unknown where it is none, not finite or out of range."""
        found = self.value(value)
        if found is None and default is not None:
            return default
        try:
            number = float(found)
        except (OverflowError, TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise Unknown(f"{found!r} is not a number")
        if not least <= number <= most:
            raise Unknown(f"{found} is less than {least:g}" if number < least else f"{found} is more than {most:g}")
        return number

    def whole(self, value: Json, default: int | None = None, least: float = 0.0, most: float = math.inf) -> int:
        """The value as a whole number. Raises Unknown where it is none or out of range."""
        found = self.number(value, default, least, most)
        if found != int(found):
            raise Unknown(f"{found!r} is not a whole number")
        return int(found)

    def references(self, value: Json) -> set[str]:
        """The logical ids of all resources that a value refers to, however deep inside."""
        return {found for found in names(value) if found in self.resources}

    def _created(self, resource: Mapping[str, Json]) -> bool:
        try:
            return "Condition" not in resource or self._holds({"Condition": resource["Condition"]})
        except (Unknown, *MALFORMED):
            return True

    def _default(self, parameter: str) -> Json:
        declared = self._parameters[parameter]
        if "Default" not in declared:
            raise Unknown(f"parameter {parameter} has no default")
        default = declared["Default"]
        return [part.strip() for part in default.split(",")] if "List" in declared.get("Type", "") else default

    def _mapped(self, argument: Json) -> Json:
        name, first, second = (self.value(part) for part in argument[:3])
        try:
            return self._mappings[name][first][second]
        except (KeyError, TypeError):
            raise Unknown(f"mapping {name} has no {first}, {second}") from None

    def _holds(self, condition: Json) -> bool:
        ((name, argument),) = condition.items()
        if name == "Condition":
            if argument not in self._conditions:
                raise Unknown(f"condition {argument} is not declared")
            return self._holds(self._conditions[argument])
        if name == "Fn::Equals":
            left, right = (self.value(side) for side in argument)
            if isinstance(left, Mapping) or isinstance(right, Mapping):
                raise Unknown(f"{left} and {right} can be compared in the account only")
            return str(left) == str(right)
        if name == "Fn::Not":
            return not self._holds(argument[0])
        if name in ("Fn::And", "Fn::Or"):
            outcomes = [self._holds(part) for part in argument]
            return all(outcomes) if name == "Fn::And" else any(outcomes)
        raise Unknown(f"{name} is not a condition")


def _is_resource(found: Json) -> bool:
    return isinstance(found, Mapping) and isinstance(found.get("Properties") or {}, Mapping)
