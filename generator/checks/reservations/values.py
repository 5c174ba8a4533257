"""Reads what a property may come to: whole numbers, each with the facts under which the property has it.

Values come from where the template states them: a literal, a parameter's default, a mapping. What selects between
stated values, a condition or a mapping's key, ranges over everything that can be deployed. Anything else is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from generator.checks.reservations.branches import MAX_OPTIONS, Branch, Missing, branches, inside, sides
from generator.checks.reservations.guards import ALWAYS, Equality, Guard, Path, merge, when
from generator.checks.reservations.mappings import is_selector, lookups
from generator.checks.reservations.source import Source, substituted


@dataclass(frozen=True, slots=True)
class Option:
    """A number that a property has when its guard holds, and the place to point at."""

    number: int | Missing
    guard: Guard
    path: Path

    def known(self) -> int | None:
        """The number, if there is one."""
        return None if isinstance(self.number, Missing) else self.number


def whole_number(value: object) -> int | None:
    """A literal as CloudFormation reads it, which takes "100" for 100; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9:
        return value
    return None


def options(source: Source, logical_id: str, *keys: str) -> list[Option]:
    """The numbers that a property may have, largest first, then why it may have none."""
    found = [option for branch in branches(source, logical_id, *keys) for option in _numbers(source, branch)]
    found.sort(key=_descending)
    beyond = [replace(option, number=Missing.UNKNOWN) for option in found[MAX_OPTIONS : MAX_OPTIONS + 1]]
    return found[:MAX_OPTIONS] + beyond


def _numbers(source: Source, branch: Branch) -> Iterator[Option]:
    value = branch.value
    match value if isinstance(value, dict) and len(value) == 1 else None:
        case {"Ref": name}:
            yield _default(source, name, branch)
            return
        case {"Fn::FindInMap": arguments}:
            yield from _mapped(source, arguments, branch)
            return
        case {"Fn::Sub": str(text)} if (simpler := substituted(text)) != value:
            yield from _numbers(source, replace(branch, value=simpler))
            return
        case {"Fn::Select": [index, members]}:
            yield _selected_member(source, index, members, branch)
            return
    if isinstance(value, Missing):
        yield Option(value, branch.guard, branch.path)
        return
    number = whole_number(value)
    yield Option(Missing.UNKNOWN if number is None else number, branch.guard, branch.path)


def _default(source: Source, name: object, branch: Branch) -> Option:
    """A parameter's default, which the conditions must then agree that it has."""
    parameter = source.parameters.get(name) if isinstance(name, str) else None
    if isinstance(parameter, dict) and parameter.get("Type") in ("String", "Number"):
        default = parameter.get("Default")
        number = whole_number(default)
        guard = merge(branch.guard, when(Equality(str(name), str(default))))
        if number is not None and guard is not None:
            return Option(number, guard, branch.path)
    return Option(Missing.UNKNOWN, branch.guard, branch.path)


def _selected_member(source: Source, index: object, members: object, branch: Branch) -> Option:
    """One of a list, or of the default of a parameter that is a list."""
    guard: Guard | None = branch.guard
    if isinstance(members, dict) and len(members) == 1:
        name = str(members.get("Ref"))
        parameter = source.parameters.get(name)
        default = parameter.get("Default") if isinstance(parameter, dict) and _is_list(parameter) else None
        members = [member.strip() for member in default.split(",")] if isinstance(default, str) else None
        guard = merge(branch.guard, when(Equality(name, str(default))))
    place = whole_number(index)
    chosen = members[place] if isinstance(members, list) and place is not None and place < len(members) else None
    number = whole_number(chosen)
    if number is None or guard is None:
        return Option(Missing.UNKNOWN, branch.guard, branch.path)
    return Option(number, guard, branch.path)


def _is_list(parameter: Mapping[str, Any]) -> bool:
    return parameter.get("Type") in ("CommaDelimitedList", "List<Number>")


def _mapped(source: Source, arguments: Any, branch: Branch) -> Iterator[Option]:
    """Every number that Fn::FindInMap can come to by the keys that the mapping has."""
    well_formed = isinstance(arguments, list) and len(arguments) in (3, 4)
    found = list(lookups(source, *arguments[:3])) if well_formed else []
    for value, guard in found:
        both = merge(branch.guard, guard)
        if both is not None:
            number = whole_number(value)
            yield Option(Missing.UNKNOWN if number is None else number, both, branch.path)
    if well_formed and len(arguments) == 4:
        yield from _unmapped(source, arguments, [guard for _, guard in found], branch)
    elif not found:
        yield Option(Missing.UNKNOWN, branch.guard, branch.path)


def _unmapped(source: Source, arguments: list[Any], mapped: list[Guard], branch: Branch) -> Iterator[Option]:
    """What DefaultValue comes to, which holds when no key is selected; unknown where that takes more than one "not"."""
    name, *keys, default = arguments
    facts = [*chain.from_iterable(mapped)]
    is_told = isinstance(name, str) and all(isinstance(key, str | int) or is_selector(source, key) for key in keys)
    if not is_told or len(facts) > MAX_OPTIONS or any(len(guard) > 1 for guard in mapped):
        yield Option(Missing.UNKNOWN, branch.guard, branch.path)
    elif ALWAYS not in mapped:
        guard = merge(branch.guard, frozenset((fact, False) for fact, _ in facts))
        for side in (
            sides(inside(replace(branch, value=default, guard=guard), "DefaultValue")) if guard is not None else []
        ):
            yield from _numbers(source, replace(side, path=branch.path))


def _descending(option: Option) -> int:
    number = option.known()
    return 1 if number is None else -number
