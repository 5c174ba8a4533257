"""Every value that a property may have, each with the conditions and parameter values under which it holds.

This is scope EVERY of `generator.template.evaluation`, with the same reductions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from itertools import chain, islice
from typing import NamedTuple

from generator.template.constraints import allowed_values
from generator.template.dependencies import MAPPING_TYPES
from generator.template.guards import ALWAYS, Equality, Guard, merge, when
from generator.template.intrinsics import (
    NO_VALUE,
    Json,
    as_mapping,
    concatenation,
    is_intrinsic,
    literal_text,
    parameters_in,
    parts_of,
    plain_reference,
    reduce,
    split_commas,
    whole_number,
)
from generator.template.model import Section, Template, is_list, is_stored

MAX_ALTERNATIVES = 250
"""Values of one property to follow. Beyond that, its value counts as unknown."""

Location = tuple[str | int, ...]
"""The place of a value in the template, key by key."""


class Missing(Enum):
    """The reason why a property has no number."""

    ABSENT = "the property is not there"
    UNKNOWN = "the template does not state it"


class ParameterValues(Enum):
    """The values to try for a parameter."""

    DEFAULT = "the default"
    ALLOWED = "the allowed values, or without any the default"
    ANY = "every value that can be deployed"


class Alternative(NamedTuple):
    """A value that a property may have, and the guard under which it has it. A Missing value is the reason for none."""

    value: Json
    guard: Guard
    location: Location


class Figure(NamedTuple):
    """An alternative of a property whose value is a number. `location` is the place to report."""

    number: int | Missing
    """The reason why there is none, if it is Missing."""
    guard: Guard
    location: Location

    def known(self) -> int | None:
        """Return the number, or None if there is none."""
        return None if isinstance(self.number, Missing) else self.number


def stated_figures(template: Template, logical_id: str, *keys: str) -> list[Figure]:
    """Return every number that a property may have, the largest first, then the reasons why it may have none.

    `keys` lead to the property. A parameter that is the number itself has its default. Conditions, and parameters that
    select from mappings, have every value that can be deployed.
    """
    numbers = [_figure(alternative) for alternative in alternatives(template, logical_id, *keys)]
    return sorted(numbers, key=lambda figure: 1 if (number := figure.known()) is None else -number)


def alternatives(template: Template, logical_id: str, *keys: str) -> list[Alternative]:
    """Return every value that a property may have. `keys` lead to the property."""
    found = list(branches(template, logical_id, *keys))
    return _limited(chain.from_iterable(_alternatives(template, branch) for branch in found))


def branches(template: Template, logical_id: str, *keys: str) -> Iterator[Alternative]:
    """Yield the unevaluated values of a property: one for each branch of each Fn::If on the way to it."""
    guard = present(template, logical_id)
    if guard is None:
        return
    whole = template.resources[logical_id].get("Properties", {})
    values = list(_branches(Alternative(whole, guard, ("Resources", logical_id, "Properties"))))
    for key in keys:
        values = _limited(chain.from_iterable(_branches(_inside(branch, key)) for branch in values))
    yield from values


def present(template: Template, logical_id: str) -> Guard | None:
    """Return the guard under which a resource exists; None if its condition is malformed."""
    condition = template.resources[logical_id].get("Condition")
    if condition is None:
        return ALWAYS
    return when(condition) if isinstance(condition, str) else None


def _limited(values: Iterable[Alternative], most: int = MAX_ALTERNATIVES) -> list[Alternative]:
    """Return at most `most` values, with one UNKNOWN in place of the rest."""
    remaining = iter(values)
    kept = list(islice(remaining, most))
    beyond = next(remaining, None)
    return [*kept, Alternative(Missing.UNKNOWN, ALWAYS, beyond.location)] if beyond else kept


def _branches(alternative: Alternative) -> Iterator[Alternative]:
    """Yield the branches of an Fn::If that the guard leaves possible, and those of any Fn::If inside them."""
    if alternative.value == NO_VALUE:
        yield alternative._replace(value=Missing.ABSENT)
        return
    value = as_mapping(alternative.value)
    choice = value.get("Fn::If") if len(value) == 1 else None
    if not (isinstance(choice, list) and len(choice) == 3 and isinstance(choice[0], str)):
        yield alternative
        return
    for index, holds in ((1, True), (2, False)):
        guard = merge(alternative.guard, when(choice[0], holds))
        if guard is not None:
            yield from _branches(Alternative(choice[index], guard, (*alternative.location, "Fn::If", index)))


def _inside(alternative: Alternative, key: str) -> Alternative:
    """Return the value under a key. It is UNKNOWN if a function stands in place of the keys or beside them."""
    value, location = alternative.value, (*alternative.location, key)
    is_mapping = isinstance(value, MAPPING_TYPES)
    if is_mapping and key in value:
        return Alternative(value[key], alternative.guard, location)
    is_function = any(name == "Ref" or str(name).startswith("Fn::") for name in as_mapping(value))
    is_absent = value is Missing.ABSENT or (is_mapping and not is_function)
    return Alternative(Missing.ABSENT if is_absent else Missing.UNKNOWN, alternative.guard, location)


def _alternatives(
    template: Template, alternative: Alternative, to_try: ParameterValues = ParameterValues.DEFAULT
) -> Iterator[Alternative]:
    """Yield the values that a value can evaluate to.

    `to_try` are the values of parameters.
    """
    value = alternative.value
    if not is_intrinsic(value) or value == NO_VALUE:
        yield alternative._replace(value=Missing.ABSENT) if value == NO_VALUE else alternative
        return
    function, content = next(iter(value.items()))
    if function == "Ref":
        yield from _parameter_values(template, content, alternative, to_try)
    elif function == "Fn::If":
        for branch in _branches(alternative):
            if branch.value != value:
                for evaluated in _alternatives(template, branch, to_try):
                    yield evaluated._replace(location=alternative.location)
            else:
                yield alternative._replace(value=Missing.UNKNOWN)
    elif function == "Fn::FindInMap" and isinstance(content, list) and len(content) in (3, 4):
        yield from list(_lookups(template, content, alternative, to_try)) or [
            alternative._replace(value=Missing.UNKNOWN)
        ]
    else:
        yield from _combined(template, function, content, alternative, to_try)


def _combined(
    template: Template, function: str, content: Json, alternative: Alternative, to_try: ParameterValues
) -> Iterator[Alternative]:
    """Yield the result of a function for every combination of its arguments' alternatives."""
    is_single = not isinstance(content, list) or function == "Fn::Length"
    texts = parts_of(content) if function == "Fn::Sub" else None
    arguments = texts if texts is not None else [content] if is_single else content
    for chosen in _combinations(template, arguments, alternative, to_try):
        values = chosen.value
        if not isinstance(values, list) or any(isinstance(value, Missing) for value in values):
            yield chosen._replace(value=Missing.UNKNOWN)
        elif texts is not None:
            yield chosen._replace(value=concatenation(values))
        else:
            yield chosen._replace(value=reduce(function, values[0] if is_single else values, template.mappings))


def _combinations(
    template: Template, parts: list[Json], alternative: Alternative, to_try: ParameterValues
) -> list[Alternative]:
    """Return every combination of the parts' alternatives as a list, with UNKNOWN for those beyond the limit."""
    combinations = [alternative._replace(value=[])]
    for part in parts:
        combinations = _limited(_extend(combinations, _limited(_argument(template, part, to_try))))
    return combinations


def _argument(template: Template, part: Json, to_try: ParameterValues) -> Iterator[Alternative]:
    """Yield the alternatives of an argument. A list has those of its items, without items that are AWS::NoValue."""
    for argument in _alternatives(template, Alternative(part, ALWAYS, ()), to_try):
        if not isinstance(argument.value, list):
            yield argument
            continue
        for items in _combinations(template, argument.value, argument, to_try):
            if isinstance(items.value, list):
                items = items._replace(value=[item for item in items.value if item is not Missing.ABSENT])
            yield items


def values_of(template: Template, value: Json, to_try: ParameterValues) -> list[Alternative]:
    """Return every value that an expression outside of properties can have, also those of the items of a list."""
    return _limited(_argument(template, value, to_try))


def _extend(combinations: list[Alternative], parts: list[Alternative]) -> Iterator[Alternative]:
    for combination in combinations:
        if not isinstance(combination.value, list):
            yield combination
            continue
        for part in parts:
            guard = merge(combination.guard, part.guard)
            if guard is not None:
                yield combination._replace(value=[*combination.value, part.value], guard=guard)


def _parameter_values(
    template: Template, name: Json, alternative: Alternative, to_try: ParameterValues
) -> Iterator[Alternative]:
    """Yield the values of a parameter, each guarded by the fact that it has it, and UNKNOWN if it may have others."""
    declared = template.parameters.get(name) if isinstance(name, str) else None
    if not isinstance(declared, Mapping) or is_stored(declared):
        yield alternative
        return
    default = literal_text(declared.get("Default"))
    allowed = None if to_try is ParameterValues.DEFAULT else allowed_values(declared)
    texts = allowed or ([default] if default is not None else [])
    by_text = {text: split_commas(text) if is_list(declared) else text for text in texts}
    is_open = to_try is ParameterValues.ANY and allowed is None
    values = list(_by_value(by_text, name, alternative, Missing.UNKNOWN if is_open else None))
    yield from values
    if not values and allowed is None:
        yield alternative._replace(value=Missing.UNKNOWN)


def _lookups(
    template: Template, arguments: list[Json], alternative: Alternative, to_try: ParameterValues
) -> Iterator[Alternative]:
    """Yield every value that Fn::FindInMap may find, and its DefaultValue for keys that the mapping does not have."""
    selected = [alternative._replace(value=template.mappings)]
    for key in arguments[:3]:
        rows = chain.from_iterable(_selected(template, key, table) for table in selected)
        selected = _limited(rows, MAX_ALTERNATIVES + 1)  # One more for the deployments that find no row.
    default = as_mapping(arguments[3]) if len(arguments) == 4 else {}
    has_variable = any(_is_variable(template, name) for name in parameters_in(*arguments[:3]))
    for entry in selected:
        if entry.value is not Missing.ABSENT:
            yield entry._replace(location=alternative.location)
        elif "DefaultValue" in default:
            last = entry._replace(value=default["DefaultValue"], location=alternative.location)
            yield from _alternatives(template, last, to_try)
        elif not has_variable:
            yield alternative._replace(value=Missing.UNKNOWN, guard=entry.guard)


def _selected(template: Template, key: Json, table: Alternative) -> Iterator[Alternative]:
    """Yield every entry that a key may select from a table, and ABSENT if it may select nothing."""
    if table.value is Missing.UNKNOWN:
        yield table
        return
    rows = as_mapping(table.value)
    for branch in _branches(table._replace(value=key)):
        name = plain_reference(branch.value)
        if name is not None and _is_variable(template, name):
            yield from _by_value(rows, name, branch, Missing.ABSENT)
            continue
        for selector in _alternatives(template, branch, to_try=ParameterValues.ANY):
            literal = literal_text(selector.value)
            is_open = literal is None and table.value is not Missing.ABSENT
            yield selector._replace(value=Missing.UNKNOWN if is_open else rows.get(str(literal), Missing.ABSENT))


def _by_value(
    results: Section, parameter: str, alternative: Alternative, otherwise: Missing | None
) -> Iterator[Alternative]:
    """Yield the result for each value of a parameter, guarded by the fact, and `otherwise` for all other values."""
    guard: Guard | None = alternative.guard
    for name, value in results.items():
        fact = Equality(parameter, str(name))
        both = merge(alternative.guard, when(fact))
        if both is not None:
            yield alternative._replace(value=value, guard=both)
        guard = merge(guard, when(fact, holds=False)) if guard is not None else None
    if guard is not None and otherwise is not None:
        yield alternative._replace(value=otherwise, guard=guard)


def _is_variable(template: Template, name: str) -> bool:
    """Return whether each deployment chooses the value of a parameter or pseudo parameter."""
    declared = template.parameters.get(name)
    return not is_stored(declared) if isinstance(declared, Mapping) else name.startswith("AWS::")


def _figure(alternative: Alternative) -> Figure:
    if isinstance(alternative.value, Missing):
        return Figure(alternative.value, alternative.guard, alternative.location)
    number = whole_number(alternative.value)
    return Figure(Missing.UNKNOWN if number is None else number, alternative.guard, alternative.location)
