"""Every value that a property may have, each with the conditions and parameter values under which it holds.

This is scope EVERY of `generator.template.evaluation`, with the same evaluator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import chain, islice
from typing import NamedTuple

from generator.template.constraints import allowed_values
from generator.template.dependencies import MAPPING_TYPES
from generator.template.evaluation import Evaluator, Unknown
from generator.template.guards import ALWAYS, Equality, Fact, Guard, merge, when
from generator.template.intrinsics import (
    NO_VALUE,
    Json,
    as_mapping,
    is_intrinsic,
    literal_text,
    parameters_in,
    plain_reference,
    split_commas,
    whole_number,
)
from generator.template.model import Template, is_list, is_stored

MAX_ALTERNATIVES = 250
"""Values of one property to follow. Beyond that, its value counts as unknown."""

MAX_CASES = 5_000
"""Cases in which to resolve one property. Beyond that, its value counts as unknown."""

MAX_CHARACTERS = 5_000_000
"""Characters of one property to resolve, in all its cases together. Beyond that, its value counts as unknown."""

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

    `keys` lead to the property. A property that is a parameter alone has the parameter's default. Conditions, and
    parameters that select from mappings, have every value that can be deployed.
    """
    numbers = [_figure(alternative) for alternative in alternatives(template, logical_id, *keys)]
    return sorted(numbers, key=lambda figure: (figure.known() is None, -(figure.known() or 0)))


def alternatives(template: Template, logical_id: str, *keys: str) -> list[Alternative]:
    """Return every value that a property may have. `keys` lead to the property."""
    return _limited(
        branch._replace(value=value, guard=guard)
        for branch in list(branches(template, logical_id, *keys))
        for value, guard in _values(template, branch)
    )


def _values(template: Template, branch: Alternative) -> Iterable[tuple[Json, Guard]]:
    if not is_intrinsic(branch.value):
        return [(branch.value, branch.guard)]
    return _Cases(template, ParameterValues.DEFAULT).of(branch.value, branch.guard)


def values_of(template: Template, value: Json) -> list[Alternative]:
    """Return every value that an expression outside of properties can have with the allowed values of parameters."""
    return _limited(Alternative(*case, ()) for case in _Cases(template, ParameterValues.ALLOWED).of(value, ALWAYS))


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


def _limited(values: Iterable[Alternative]) -> list[Alternative]:
    """Return at most MAX_ALTERNATIVES values, with one UNKNOWN in place of the rest."""
    remaining = iter(values)
    kept = list(islice(remaining, MAX_ALTERNATIVES))
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


class _Undecided(Exception):
    """A value depends on facts that its case leaves open: one of the options holds. Without options, AWS refuses it."""

    def __init__(self, options: Sequence[Guard] = ()) -> None:
        self.options = options


class _Cases(Evaluator):
    """Resolves values in scope EVERY: case by case, each with a guard that decides everything that they depend on."""

    def __init__(self, template: Template, to_try: ParameterValues) -> None:
        super().__init__(template)
        self._to_try = to_try
        self._guard: set[tuple[Fact, bool]] = set()
        """The facts of the case so far."""
        self._is_found: dict[int, bool] = {}
        """Whether any deployment finds an entry, by the identity of the arguments, which outlive this object."""

    def of(self, value: Json, guard: Guard) -> Iterator[tuple[Json, Guard]]:
        """Yield what a value is in each case within a guard, with the case's own guard; UNKNOWN if there is no case."""
        waiting, is_refused = [guard], True
        for _ in range(min(MAX_CASES, 1 + MAX_CHARACTERS // (1 + len(str(value))))):
            if not waiting:
                break
            self._guard = set(waiting.pop())
            try:
                resolved = self._resolved(value)
            except Unknown:
                resolved = Missing.UNKNOWN
            except _Undecided as undecided:
                cases = [merge(frozenset(self._guard), option) for option in reversed(undecided.options)]
                waiting += [case for case in cases if case is not None]
                continue
            is_refused = False
            yield Missing.ABSENT if resolved == NO_VALUE else resolved, frozenset(self._guard)
        if waiting or is_refused:
            yield Missing.UNKNOWN, (ALWAYS if waiting else guard)

    def _resolved(self, value: Json) -> Json:
        if not isinstance(value, list):
            return super()._resolved(value)
        return [item for item in map(self._item, value) if item != NO_VALUE]

    def _item(self, value: Json) -> Json:
        """Return an item of a list, resolved. One that is not known matters only if it is selected."""
        try:
            return self._resolved(value)
        except Unknown:
            return Missing.UNKNOWN

    def _fn_if(self, content: Json) -> Json:
        return self._resolved(self._side(content))

    def _side(self, content: Json) -> Json:
        match content:
            case [str(condition), yes, no]:
                for holds, side in ((True, yes), (False, no)):
                    if (condition, holds) in self._guard:
                        return side
                raise _Undecided([when(condition), when(condition, holds=False)])
        raise Unknown("an Fn::If is malformed")

    def _ref(self, name: Json) -> Json:
        declared = self.template.parameters.get(name) if isinstance(name, str) else None
        if not isinstance(declared, Mapping) or is_stored(declared):
            return {"Ref": name}
        default = literal_text(declared.get("Default"))
        allowed = None if self._to_try is ParameterValues.DEFAULT else allowed_values(declared)
        texts = allowed or ([] if default is None else [default])
        text = self._parameter(name, texts, has_others=self._to_try is ParameterValues.ANY and allowed is None)
        if text is None:
            raise Unknown(f"parameter {name} may have any value")
        return split_commas(text) if is_list(declared) else text

    def _parameter(self, name: str, texts: Collection[str], has_others: bool) -> str | None:
        """Return the value of a parameter; None if it is none of the texts."""
        for fact, holds in self._guard:
            if holds and isinstance(fact, Equality) and fact.parameter == name:
                return fact.value
        others = frozenset((Equality(name, text), False) for text in texts)
        if others <= self._guard:
            return None
        if len(others) == 1 and not has_others:  # With one option, the case goes on.
            (text,) = texts
            self._guard.add((Equality(name, text), True))
            return text
        raise _Undecided([*(when(Equality(name, text)) for text in texts), *([others] if has_others else [])])

    def _find_in_map(self, content: list[Json]) -> Json:
        keys, options = content[:3], content[3:]
        if len(keys) < 3 or len(options) > 1:
            raise Unknown("an Fn::FindInMap is malformed")
        entry: Json = self.template.mappings
        for key in keys:
            entry = self._selected(entry, key)
        if entry is not None:
            self._is_found[id(content)] = True
            return entry
        if options and "DefaultValue" in as_mapping(options[0]):
            return self._resolved(options[0]["DefaultValue"])
        if any(map(self._is_variable, parameters_in(*keys))) and self._may_find(content):
            raise _Undecided  # CloudFormation refuses this value of the parameter.
        raise Unknown("a mapping does not have a key")

    def _may_find(self, content: list[Json]) -> bool:
        if id(content) not in self._is_found:
            optional = {"Fn::FindInMap": [*content, {"DefaultValue": NO_VALUE}]}
            found = _Cases(self.template, self._to_try).of(optional, ALWAYS)
            self._is_found[id(content)] = any(value is not Missing.ABSENT for value, _ in found)
        return self._is_found[id(content)]

    def _selected(self, table: Json, key: Json) -> Json:
        """Return the entry that a key selects from a table; None if there is no such entry or no table."""
        rows = as_mapping(table)
        while is_intrinsic(key) and "Fn::If" in key:
            key = self._side(key["Fn::If"])
        name = plain_reference(key)
        if name is not None and key != NO_VALUE and self._is_variable(name):
            return rows.get(str(self._parameter(name, rows, has_others=True)))
        to_try, self._to_try = self._to_try, ParameterValues.ANY  # Each entry counts, whatever the default selects.
        try:
            literal = literal_text(self._item(key))
        finally:
            self._to_try = to_try
        if literal is None and table is not None:
            raise Unknown("a key of a mapping is not known")
        return rows.get(str(literal))

    def _is_variable(self, name: str) -> bool:
        """Return whether each deployment chooses the value of a parameter or pseudo parameter."""
        declared = self.template.parameters.get(name)
        return not is_stored(declared) if isinstance(declared, Mapping) else name.startswith("AWS::")


def _figure(alternative: Alternative) -> Figure:
    if isinstance(alternative.value, Missing):
        return Figure(alternative.value, alternative.guard, alternative.location)
    number = whole_number(alternative.value)
    return Figure(Missing.UNKNOWN if number is None else number, alternative.guard, alternative.location)
