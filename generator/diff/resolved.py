"""A template with everything worked out that is the same wherever it is deployed, so that it can be compared.

SAM's Globals are merged; Fn::FindInMap with literal keys is the value that it finds; a condition of literals is
decided, and with it Fn::If and the resources that are made only where it holds; AWS::NoValue is nothing. What a
parameter, the Region or the account decides stays as it is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.diff.iam.grants import NO_VALUE
from generator.diff.intrinsics import is_intrinsic, mapping, plain
from generator.diff.model import Json, Template
from generator.diff.sam_globals import with_globals


def resolved(template: Template) -> Template:
    """The template, worked out as far as it goes. Its other sections stay as they are."""
    merged = with_globals(template)
    mappings = mapping(merged.get("Mappings"))
    conditions = {name: Known(mappings, {}).value(one) for name, one in mapping(merged.get("Conditions")).items()}
    known = Known(mappings, _decided(conditions))
    made = {
        name: _without_condition(resource, known.truths)
        for name, resource in merged["Resources"].items()
        if known.truths.get(str(resource.get("Condition"))) is not False
    }
    resources = {name: _worked_out(resource, known) for name, resource in made.items()}
    return {**merged, "Resources": resources, **({"Conditions": conditions} if conditions else {})}


def found_in(mappings: Mapping[str, Json], arguments: Json) -> Json:
    """What Fn::FindInMap finds; None where a key is no literal, or there is none such."""
    match arguments:
        case [str(name), first, second, *rest]:
            top, inner = plain(first), plain(second)
            if isinstance(top, str) and isinstance(inner, str):
                found = mapping(mapping(mappings.get(name)).get(top)).get(inner)
                return mapping(rest[0]).get("DefaultValue") if found is None and rest else found
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a template: its mappings, and the conditions that are decided."""

    mappings: Mapping[str, Json]
    truths: Mapping[str, bool]

    def value(self, value: Json) -> Json:
        """A value, worked out."""
        if isinstance(value, list):
            return [found for item in value if (found := self.value(item)) != NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if is_intrinsic(value):
            return self._function(*next(iter(value.items())))
        return self.entries(value)

    def entries(self, value: Mapping[str, Json]) -> dict[str, Json]:
        """A structure, without what is AWS::NoValue."""
        return {key: found for key, inner in value.items() if (found := self.value(inner)) != NO_VALUE}

    def _function(self, name: str, content: Json) -> Json:
        arguments = [self.value(one) for one in content] if isinstance(content, list) else self.value(content)
        if name == "Fn::If" and isinstance(arguments, list) and len(arguments) == 3:
            holds = self.truths.get(str(arguments[0]))
            if holds is not None:
                return arguments[1] if holds else arguments[2]
        if name == "Fn::FindInMap" and (found := found_in(self.mappings, arguments)) is not None:
            return found
        return {name: arguments}


def _worked_out(resource: Mapping[str, Json], known: Known) -> Mapping[str, Json]:
    """A resource; its properties are a structure whatever they are named."""
    properties = {"Properties": known.entries(resource["Properties"])} if resource.get("Properties") else {}
    return {**known.entries(resource), **properties}


def _without_condition(resource: Mapping[str, Json], truths: Mapping[str, bool]) -> Mapping[str, Json]:
    """A resource whose condition holds for certain is as good as one that has none."""
    certain = truths.get(str(resource.get("Condition")))
    return {key: value for key, value in resource.items() if key != "Condition"} if certain else resource


def _decided(conditions: Mapping[str, Json]) -> dict[str, bool]:
    found: dict[str, bool | None] = {}
    for name in conditions:
        _truth({"Condition": name}, conditions, found)
    return {name: holds for name, holds in found.items() if holds is not None}


def _truth(value: Json, conditions: Mapping[str, Json], found: dict[str, bool | None]) -> bool | None:
    """Whether a condition holds; None where that is decided elsewhere. Keeps what it finds of the named ones."""
    match value:
        case {"Condition": str(name), **rest} if not rest:
            if name not in found:
                found[name] = None  # One that needs itself is never decided.
                found[name] = _truth(conditions.get(name), conditions, found)
            return found[name]
        case {"Fn::Equals": [one, other]}:
            return _equal(plain(one), plain(other))
        case {"Fn::Not": [one]}:
            holds = _truth(one, conditions, found)
            return None if holds is None else not holds
        case {"Fn::And": list(ones)}:
            return _all(True, [_truth(one, conditions, found) for one in ones])
        case {"Fn::Or": list(ones)}:
            return _all(False, [_truth(one, conditions, found) for one in ones])
    return None


def _equal(one: Json, other: Json) -> bool | None:
    if one == other:
        return True
    return False if isinstance(one, str) and isinstance(other, str) else None


def _all(wanted: bool, found: list[bool | None]) -> bool | None:
    """Fn::And wants all to hold, and Fn::Or is not so only if none holds: one that differs decides."""
    if (not wanted) in found:
        return not wanted
    return None if None in found else wanted
