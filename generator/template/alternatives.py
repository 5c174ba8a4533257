"""Every value that a property may have, each with the conditions and parameter values under which it holds.

This is scope EVERY of `generator.template.evaluation`, with the same reductions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain, islice

from generator.template.conditions import ALWAYS, Equality, Guard, merge, parameters_in, plain_reference, when
from generator.template.intrinsics import (
    NO_VALUE,
    Json,
    concatenation,
    is_intrinsic,
    literal_text,
    mapping,
    parts_of,
    reduce,
    split_commas,
    whole_number,
)
from generator.template.model import Section, Template, is_list, is_stored

MAX_ALTERNATIVES = 250
"""How many values of one property are followed. Beyond that its value counts as unknown."""

Location = tuple[str | int, ...]
"""Where a value stands in the template, key by key."""


class Missing(Enum):
    """Why a property has no number."""

    ABSENT = "the property is not there"
    UNKNOWN = "the template does not state it"


@dataclass(frozen=True, slots=True)
class Alternative:
    """What stands in one place when its guard holds: a value, resolved as far as it goes, or why there is none."""

    value: Json
    guard: Guard
    location: Location


@dataclass(frozen=True, slots=True)
class Option:
    """A number that a property has when its guard holds, and the place to point at."""

    number: int | Missing
    guard: Guard
    location: Location

    def known(self) -> int | None:
        """Return the number, or None if there is none."""
        return None if isinstance(self.number, Missing) else self.number


def options(template: Template, logical_id: str, *keys: str) -> list[Option]:
    """Return every number that a property may have (scope EVERY), largest first, then why it may have none.

    A parameter that states a number itself has its default. Conditions and the keys of mappings range over all that
    can be deployed.
    """
    found = [_option(one) for one in alternatives(template, logical_id, *keys)]
    return sorted(found, key=lambda option: 1 if (number := option.known()) is None else -number)


def alternatives(template: Template, logical_id: str, *keys: str) -> list[Alternative]:
    """Return every value that a property, named key by key, may have (scope EVERY)."""
    found = list(sides(template, logical_id, *keys))
    return _limited(chain.from_iterable(_alternatives(template, one) for one in found))


def sides(template: Template, logical_id: str, *keys: str) -> Iterator[Alternative]:
    """Yield what a property may be as it is written: every side of every Fn::If on the way to it."""
    guard = present(template, logical_id)
    if guard is None:
        return
    whole = template.resources[logical_id].get("Properties", {})
    found = list(_sides(Alternative(whole, guard, ("Resources", logical_id, "Properties"))))
    for key in keys:
        found = _limited(chain.from_iterable(_sides(_inside(one, key)) for one in found))
    yield from found


def present(template: Template, logical_id: str) -> Guard | None:
    """Return when a resource exists; None if its condition is malformed."""
    condition = template.resources[logical_id].get("Condition")
    if condition is None:
        return ALWAYS
    return when(condition) if isinstance(condition, str) else None


def _limited(found: Iterable[Alternative], most: int = MAX_ALTERNATIVES) -> list[Alternative]:
    """Return the alternatives; of too many, those that fit and one that stands for the rest."""
    every = iter(found)
    kept = list(islice(every, most))
    beyond = next(every, None)
    return [*kept, Alternative(Missing.UNKNOWN, ALWAYS, beyond.location)] if beyond else kept


def _sides(one: Alternative) -> Iterator[Alternative]:
    """Yield the sides of an Fn::If that the guard leaves open, and of those inside it."""
    if one.value == NO_VALUE:
        yield replace(one, value=Missing.ABSENT)
        return
    choice = one.value.get("Fn::If") if isinstance(one.value, Mapping) and len(one.value) == 1 else None
    if not (isinstance(choice, list) and len(choice) == 3 and isinstance(choice[0], str)):
        yield one
        return
    for index, holds in ((1, True), (2, False)):
        guard = merge(one.guard, when(choice[0], holds))
        if guard is not None:
            yield from _sides(Alternative(choice[index], guard, (*one.location, "Fn::If", index)))


def _inside(one: Alternative, key: str) -> Alternative:
    """Go one key further. A function beside or instead of the keys may hold anything."""
    location = (*one.location, key)
    if isinstance(one.value, Mapping) and key in one.value:
        return Alternative(one.value[key], one.guard, location)
    is_function = isinstance(one.value, Mapping) and any(
        name == "Ref" or str(name).startswith("Fn::") for name in one.value
    )
    is_absent = one.value is Missing.ABSENT or (isinstance(one.value, Mapping) and not is_function)
    return Alternative(Missing.ABSENT if is_absent else Missing.UNKNOWN, one.guard, location)


def _alternatives(template: Template, one: Alternative, ranging: bool = False) -> Iterator[Alternative]:
    """Yield what a value comes to. Functions are followed into their arguments.

    Parameters have their defaults; if they are `ranging`, every value that they may have.
    """
    value = one.value
    if not is_intrinsic(value) or value == NO_VALUE:
        yield replace(one, value=Missing.ABSENT) if value == NO_VALUE else one
        return
    function, content = next(iter(value.items()))
    if function == "Ref":
        yield from _ranged(template, content, one) if ranging else [_default(template, content, one)]
    elif function == "Fn::If":
        for side in _sides(one):
            if side.value != value:
                yield from (replace(found, location=one.location) for found in _alternatives(template, side, ranging))
            else:
                yield replace(one, value=Missing.UNKNOWN)
    elif function == "Fn::FindInMap":
        yield from _mapped(template, content, one, ranging)
    elif function == "Fn::Sub" and (parts := parts_of(content)) is not None:
        yield from _combined(template, parts, one, ranging, concatenation)
    elif isinstance(content, list) and function != "Fn::Length":
        yield from _combined(
            template, content, one, ranging, lambda arguments: reduce(function, arguments, template.mappings)
        )
    else:
        yield from _combined(
            template, [content], one, ranging, lambda arguments: reduce(function, arguments[0], template.mappings)
        )


def _combined(
    template: Template, parts: list[Json], one: Alternative, ranging: bool, combine: Callable[[list[Json]], Json]
) -> Iterator[Alternative]:
    """Yield what a function makes of every combination of its arguments' alternatives."""
    for found in _combinations(template, parts, one, ranging):
        is_open = not isinstance(found.value, list) or any(isinstance(value, Missing) for value in found.value)
        yield replace(found, value=Missing.UNKNOWN if is_open else combine(found.value))


def _combinations(template: Template, parts: list[Json], one: Alternative, ranging: bool) -> list[Alternative]:
    """Return a list for every combination of the parts' alternatives, and UNKNOWN for those beyond the limit."""
    found = [replace(one, value=[])]
    for part in parts:
        found = _limited(_extended(found, _limited(_argument(template, part, ranging))))
    return found


def _argument(template: Template, part: Json, ranging: bool) -> Iterator[Alternative]:
    """Yield what an argument comes to; in a list, every item. An item that is AWS::NoValue is left out."""
    for found in _alternatives(template, Alternative(part, ALWAYS, ()), ranging):
        if not isinstance(found.value, list):
            yield found
            continue
        for items in _combinations(template, found.value, found, ranging):
            is_list = isinstance(items.value, list)
            yield (
                replace(items, value=[item for item in items.value if item is not Missing.ABSENT]) if is_list else items
            )


def _extended(found: list[Alternative], others: list[Alternative]) -> Iterator[Alternative]:
    for one in found:
        for other in others if isinstance(one.value, list) else ():
            guard = merge(one.guard, other.guard)
            if guard is not None:
                yield replace(one, value=[*one.value, other.value], guard=guard)
        if not isinstance(one.value, list):
            yield one


def _default(template: Template, name: Json, one: Alternative) -> Alternative:
    """Return a parameter's default, with the fact that it has it."""
    declared = template.parameters.get(name) if isinstance(name, str) else None
    if not isinstance(declared, Mapping) or is_stored(declared):
        return one
    default = literal_text(declared.get("Default"))
    guard = merge(one.guard, when(Equality(name, default))) if default is not None else None
    if default is None or guard is None:
        return replace(one, value=Missing.UNKNOWN)
    return replace(one, value=split_commas(default) if is_list(declared) else default, guard=guard)


def _ranged(template: Template, name: Json, one: Alternative) -> Iterator[Alternative]:
    """Yield every value that a parameter may have, and UNKNOWN if it may have others."""
    declared = template.parameters.get(name) if isinstance(name, str) else None
    if not isinstance(declared, Mapping) or is_stored(declared):
        yield one
        return
    allowed = None if is_list(declared) else declared.get("AllowedValues")
    values = allowed if isinstance(allowed, list) else [declared.get("Default")]
    guard: Guard | None = one.guard
    for found in dict.fromkeys(literal for value in values if (literal := literal_text(value)) is not None):
        fact = Equality(name, found)
        both = merge(one.guard, when(fact))
        if both is not None:
            yield replace(one, value=split_commas(found) if is_list(declared) else found, guard=both)
        guard = merge(guard, when(fact, holds=False)) if guard is not None else None
    if guard is not None and not isinstance(allowed, list):
        yield replace(one, value=Missing.UNKNOWN, guard=guard)


def _mapped(template: Template, arguments: Json, one: Alternative, ranging: bool) -> Iterator[Alternative]:
    """Yield everything that Fn::FindInMap finds by the keys that the mapping has, and its DefaultValue otherwise."""
    found = (
        list(_found(template, arguments, one, ranging))
        if isinstance(arguments, list) and len(arguments) in (3, 4)
        else []
    )
    yield from found or [replace(one, value=Missing.UNKNOWN)]


def _found(template: Template, arguments: list[Json], one: Alternative, ranging: bool) -> Iterator[Alternative]:
    selected = [replace(one, value=template.mappings)]
    for key in arguments[:3]:
        found_rows = chain.from_iterable(_selected(template, key, table) for table in selected)
        selected = _limited(found_rows, MAX_ALTERNATIVES + 1)  # One more for the deployments that find no row.
    default = mapping(arguments[3]) if len(arguments) == 4 else {}
    is_ranging = any(_ranges(template, name) for name in parameters_in(*arguments[:3]))
    for found in selected:
        if found.value is not Missing.ABSENT:
            yield replace(found, location=one.location)
        elif "DefaultValue" in default:
            last = replace(found, value=default["DefaultValue"], location=one.location)
            yield from _alternatives(template, last, ranging)
        elif not is_ranging:
            yield replace(one, value=Missing.UNKNOWN, guard=found.guard)


def _selected(template: Template, key: Json, table: Alternative) -> Iterator[Alternative]:
    """Yield what a key may select from a table; ABSENT where it selects nothing."""
    if table.value is Missing.UNKNOWN:
        yield table
        return
    rows = mapping(table.value)
    for side in _sides(replace(table, value=key)):
        name = plain_reference(side.value)
        if name is not None and _ranges(template, name):
            yield from _rows(rows, name, side)
            continue
        for one in _alternatives(template, side, ranging=True):
            literal = literal_text(one.value)
            is_open = literal is None and table.value is not Missing.ABSENT
            yield replace(one, value=Missing.UNKNOWN if is_open else rows.get(str(literal), Missing.ABSENT))


def _rows(rows: Section, parameter: str, one: Alternative) -> Iterator[Alternative]:
    """Yield every row with the fact that a parameter is its key, and ABSENT if it is none."""
    guard: Guard | None = one.guard
    for name, value in rows.items():
        fact = Equality(parameter, str(name))
        both = merge(one.guard, when(fact))
        if both is not None:
            yield replace(one, value=value, guard=both)
        guard = merge(guard, when(fact, holds=False)) if guard is not None else None
    if guard is not None:
        yield replace(one, value=Missing.ABSENT, guard=guard)


def _ranges(template: Template, name: str) -> bool:
    """Return whether a parameter or pseudo parameter is chosen by the deployment."""
    declared = template.parameters.get(name)
    return not is_stored(declared) if isinstance(declared, Mapping) else name.startswith("AWS::")


def _option(one: Alternative) -> Option:
    if isinstance(one.value, Missing):
        return Option(one.value, one.guard, one.location)
    number = whole_number(one.value)
    return Option(Missing.UNKNOWN if number is None else number, one.guard, one.location)
