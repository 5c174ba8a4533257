"""Resolve Ref, Fn::If and every other intrinsic function of a template, in two of three scopes.

ONE    The value in one deployment: parameters have their defaults, or the values that are given.
KNOWN  The value if it is the same in every deployment; everything else stays as it is written.
EVERY  Every possible value, each with the conditions and parameter values under which it holds. The evaluator of this
       scope is in `generator.template.alternatives`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from generator.template.dependencies import names
from generator.template.intrinsics import (
    NO_VALUE,
    Json,
    as_mapping,
    canonical,
    concatenation,
    is_intrinsic,
    literal_text,
    looked_up,
    parameters_in,
    parts_of,
    reduce,
    split_commas,
    text,
)
from generator.template.model import Section, Template, is_list, is_stored


class Scope(Enum):
    """Which values to resolve: those of one deployment, or only those that are the same in every deployment."""

    ONE = "one deployment"
    KNOWN = "known for every deployment"


class Unknown(Exception):
    """A value depends on something that the template does not state. The message names it."""


class Evaluator:
    """Resolves the values of a template in scope ONE or KNOWN."""

    def __init__(
        self,
        template: Template,
        scope: Scope = Scope.ONE,
        values: Mapping[str, Json] | None = None,
        truths: Mapping[str, bool | None] | None = None,
    ) -> None:
        self.template, self.scope = template, scope
        self._values = dict(values or {})
        self._truths: dict[str, bool | str] = {
            name: "" if holds is None else holds for name, holds in (truths or {}).items()
        }
        """By condition, whether it holds, or the reason why that is not known."""

    def value(self, value: Json) -> Json:
        """Return the value, resolved; None if it is AWS::NoValue. References to resources stay references.

        Raises Unknown in scope ONE if the template does not determine the value.
        """
        try:
            resolved = self._resolved(value)
        except RecursionError:
            raise Unknown("a value is nested too deeply") from None
        return None if resolved == NO_VALUE else resolved

    def number(self, value: Json, default: float | None = None, least: float = 0.0) -> float:
        """Return the value as a number. Raises Unknown if it is not a finite number, at least `least`."""
        resolved = self.value(value)
        if resolved is None and default is not None:
            return default
        try:
            number = float(resolved)
        except (OverflowError, TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise Unknown(f"{resolved!r} is not a number")
        if number < least:
            raise Unknown(f"{resolved} is less than {least:g}")
        return number

    def whole(self, value: Json, default: int | None = None, least: float = 0.0) -> int:
        """Return the value as a whole number. Raises Unknown if it is not one, at least `least`."""
        number = self.number(value, default, least)
        if number != int(number):
            raise Unknown(f"{number!r} is not a whole number")
        return int(number)

    def ids(self, *types: str) -> list[str]:
        """Return the logical ids of the resources of these types that are created, in the template's order.

        A resource counts as created unless its condition is certainly false.
        """
        return [
            name for name in self.template.of_type(*types) if self.holds(self.template.resources[name]) is not False
        ]

    def properties(self, logical_id: str) -> Section:
        """Return a resource's properties as they are written."""
        return self.template.properties(logical_id)

    def references(self, value: Json) -> set[str]:
        """Return the logical ids of all resources that a value refers to, however deep inside."""
        return {name for name in names(value) if name in self.template.resources}

    def holds(self, resource: Section) -> bool | None:
        """Return whether a resource's condition holds; True without one, None if only a deployment decides it."""
        return self._truth_if_known(resource["Condition"]) if "Condition" in resource else True

    def entries(self, structure: Section) -> dict[str, Json]:
        """Return a structure with every value resolved, without those that are AWS::NoValue."""
        return {key: resolved for key, inner in structure.items() if (resolved := self._resolved(inner)) != NO_VALUE}

    def _resolved(self, value: Json) -> Json:
        if isinstance(value, str):
            return value
        if isinstance(value, list):
            return [resolved for item in value if (resolved := self._resolved(item)) != NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if is_intrinsic(value) and value != NO_VALUE:
            return self._function(*next(iter(value.items())))
        return self.entries(value) if value != NO_VALUE else value

    def _function(self, function: str, content: Json) -> Json:
        if function == "Ref":
            return self._ref(content)
        if function == "Fn::If":
            return self._fn_if(content)
        if function == "Fn::Sub" and (parts := parts_of(content)) is not None:
            joined = concatenation(map(self._resolved, parts))
            return joined if isinstance(joined, str) else canonical(joined)
        if function == "Fn::FindInMap" and isinstance(content, list):
            return self._find_in_map(content)
        if isinstance(content, list) and function != "Fn::Length":
            return reduce(function, [self._resolved(argument) for argument in content], self.template.mappings)
        return reduce(function, self._resolved(content), self.template.mappings)

    def _find_in_map(self, content: list[Json]) -> Json:
        """Return the result of Fn::FindInMap. Its DefaultValue is resolved only if the mapping has no such keys."""
        keys, options = [self._resolved(key) for key in content[:3]], content[3:]
        entry = looked_up(self.template.mappings, keys) if len(content) in (3, 4) else None
        if entry is not None:
            return entry
        is_missing = all(literal_text(key) is not None for key in keys)
        if is_missing and len(options) == 1 and "DefaultValue" in as_mapping(options[0]):
            return self._resolved(options[0]["DefaultValue"])
        if self.scope is Scope.ONE:
            raise Unknown(_missing(content, keys))
        return {"Fn::FindInMap": [*keys, *map(self._resolved, options)]}

    def _ref(self, name: Json) -> Json:
        if not isinstance(name, str) or (self.scope is Scope.KNOWN and name not in self._values):
            return {"Ref": name}
        declared = self.template.parameters.get(name)
        if name in self._values:
            return split_commas(self._values[name]) if is_list(as_mapping(declared)) else self._values[name]
        if not isinstance(declared, Mapping):
            return {"Ref": name}
        if is_stored(declared):
            raise Unknown(f"parameter {name} is stored in Systems Manager")
        if "Default" not in declared:
            raise Unknown(f"parameter {name} has no default")
        return split_commas(declared["Default"]) if is_list(declared) else declared["Default"]

    def _fn_if(self, content: Json) -> Json:
        if not (isinstance(content, list) and len(content) == 3 and isinstance(content[0], str)):
            if self.scope is Scope.ONE:
                raise Unknown("an Fn::If does not have a condition's name and two values")
            return {"Fn::If": content}
        condition, yes, no = content
        holds = self._named_condition(condition) if self.scope is Scope.ONE else self._truth_if_known(condition)
        if holds is not None:
            return self._resolved(yes if holds else no)
        sides = [self._resolved(yes), self._resolved(no)]
        return sides[0] if canonical(sides[0]) == canonical(sides[1]) else {"Fn::If": [condition, *sides]}

    def _truth_if_known(self, name: Json) -> bool | None:
        try:
            return self._truth({"Condition": name})
        except Unknown:
            return None

    def _truth(self, condition: Json) -> bool:
        """Return whether a condition holds. Raises Unknown with the reason, if there is a short one."""
        match condition:
            case {"Condition": str(name)} if len(condition) == 1:
                return self._named_condition(name)
            case {"Fn::Equals": [left, right]}:
                return self._equal(left, right)
            case {"Fn::Not": [inner]}:
                return not self._truth(inner)
            case {"Fn::And": list(parts)}:
                return self._every(parts)
            case {"Fn::Or": list(parts)}:
                return not self._every([{"Fn::Not": [part]} for part in parts])
        raise Unknown("")

    def _every(self, conditions: list[Json]) -> bool:
        """Return whether all conditions hold. One that does not decides, even if others are not known."""
        unknown: Unknown | None = None
        for condition in conditions:
            try:
                if not self._truth(condition):
                    return False
            except Unknown as error:
                unknown = error
        if unknown:
            raise unknown
        return True

    def _named_condition(self, name: str) -> bool:
        if name not in self._truths:
            self._truths[name] = f"condition {name} depends on itself"
            try:
                self._truths[name] = self._truth(self.template.conditions.get(name))
            except Unknown as unknown:
                is_declared = name in self.template.conditions
                reason = "can be decided in the account only" if is_declared else "is not declared"
                self._truths[name] = str(unknown) or f"condition {name} {reason}"
        truth = self._truths[name]
        if isinstance(truth, str):
            raise Unknown(truth)
        return truth

    def _equal(self, one_side: Json, other_side: Json) -> bool:
        if canonical(one_side) == canonical(other_side):
            return True
        left, right = (canonical(self._resolved(side)) for side in (one_side, other_side))
        if left == right or (isinstance(left, str) and isinstance(right, str)):
            return bool(left == right)
        name = next(parameters_in(left, right), None)
        raise Unknown(f"{name} is known in the account only" if name is not None else "")


def known(template: Template, values: Mapping[str, Json] | None = None) -> Template:
    """Return the template with every value resolved that is the same in all deployments (scope KNOWN).

    `values` are parameter values that every deployment has. A resource whose condition is certainly false is left out.
    A resource whose condition certainly holds loses the condition.
    """
    evaluator = Evaluator(template, Scope.KNOWN, values)
    conditions = {name: evaluator.entries({"": value}).get("") for name, value in template.conditions.items()}
    resources: dict[str, Section] = {}
    for name, resource in template.resources.items():
        holds = evaluator.holds(resource)
        if holds is False:
            continue
        kept = {key: value for key, value in resource.items() if not (holds and key == "Condition")}
        properties = {"Properties": evaluator.entries(as_mapping(kept["Properties"]))} if kept.get("Properties") else {}
        resources[name] = {**evaluator.entries(kept), **properties}
    return replace(template, conditions=conditions, resources=resources)


def one_deployment(template: Template) -> Template:
    """Return the template as one deployment creates it (scope ONE). A value that is not known stays as it is written.

    A resource whose condition is certainly false is left out.
    """
    evaluator = Evaluator(template, Scope.ONE)

    def resolved(value: Json) -> Json:
        try:
            return evaluator.value(value)
        except Unknown:
            return value

    resources = {
        name: {**resource, "Properties": {key: resolved(value) for key, value in template.properties(name).items()}}
        for name, resource in template.resources.items()
        if evaluator.holds(resource) is not False
    }
    return replace(template, resources=resources)


def _missing(content: list[Json], keys: list[Json]) -> str:
    """Return the reason why Fn::FindInMap finds nothing."""
    if len(content) not in (3, 4):
        return "an Fn::FindInMap does not have a mapping and two keys"
    for key in keys:
        if literal_text(key) is None:
            name = next(parameters_in(key), None)
            return f"{name} is known in the account only" if name else f"the key {text(key)} of a mapping is not known"
    return f"mapping {keys[0]} has no {keys[1]}, {keys[2]}"
