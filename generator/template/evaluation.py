"""Evaluate the values of a template, in three scopes.

ONE    The value in one deployment: parameters have their defaults, or the values that are given.
KNOWN  The value where it is the same in every deployment; everything else stays as it is written.
EVERY  Every possible value, each with the conditions and parameter values under which it holds.

All three share the reductions of `generator.template.intrinsics`, so they cannot disagree on what a function means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain, islice

from generator.template.conditions import ALWAYS, Equality, Guard, merge, parameters_in, plain_reference, when
from generator.template.intrinsics import (
    NO_VALUE,
    Json,
    canonical,
    concatenation,
    is_intrinsic,
    literal_text,
    looked_up,
    mapping,
    parts_of,
    reduce,
    text,
    whole_number,
)
from generator.template.model import Section, Template, is_list, is_stored
from generator.template.references import names

MAX_ALTERNATIVES = 250
"""How many values of one property are followed. Beyond that its value counts as unknown."""

Location = tuple[str | int, ...]
"""Where a value stands in the template, key by key."""


class Scope(Enum):
    """What to resolve: the value in one deployment, or only what no deployment changes."""

    ONE = "one deployment"
    KNOWN = "known for every deployment"


class Unknown(Exception):
    """The value depends on something that the template does not state; the message names it."""


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
        self._truths: dict[str, bool | None] = dict(truths or {})
        self._reasons: dict[str, str] = {}
        self._reason = ""

    def value(self, value: Json) -> Json:
        """Return the value, resolved; None if nothing is left of it. References to resources stay references.

        Raises Unknown in scope ONE, with the reason.
        """
        try:
            found = self._resolved(value)
        except RecursionError:
            raise Unknown("a value is nested too deeply") from None
        return None if found == NO_VALUE else found

    def number(self, value: Json, default: float | None = None, least: float = 0.0, most: float = math.inf) -> float:
        """Return the value as a number. Raises Unknown if it is not a finite number in this range."""
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
        """Return the value as a whole number. Raises Unknown if it is not one in this range."""
        found = self.number(value, default, least, most)
        if found != int(found):
            raise Unknown(f"{found!r} is not a whole number")
        return int(found)

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
        return {found for found in names(value) if found in self.template.resources}

    def holds(self, resource: Section) -> bool | None:
        """Return whether a resource's condition holds; True without one, None if only a deployment decides it."""
        return self._truth({"Condition": resource["Condition"]}) if "Condition" in resource else True

    def truth(self, condition: Json) -> bool | None:
        """Return whether a condition holds; None if only a deployment decides it."""
        return self._truth(condition)

    def entries(self, structure: Section) -> dict[str, Json]:
        """Return a structure with every value resolved, without those that are AWS::NoValue."""
        return {key: found for key, inner in structure.items() if (found := self._resolved(inner)) != NO_VALUE}

    def _resolved(self, value: Json) -> Json:
        if isinstance(value, list):
            return [found for item in value if (found := self._resolved(item)) != NO_VALUE]
        if not isinstance(value, Mapping):
            return value
        if is_intrinsic(value) and value != NO_VALUE:
            return self._function(*next(iter(value.items())))
        return self.entries(value) if value != NO_VALUE else value

    def _function(self, function: str, content: Json) -> Json:
        if function == "Ref":
            return self._referred(content)
        if function == "Fn::If":
            return self._chosen(content)
        if function == "Fn::Sub" and (parts := parts_of(content)) is not None:
            found = concatenation(map(self._resolved, parts))
            return found if isinstance(found, str) else canonical(found)
        if function == "Fn::FindInMap" and isinstance(content, list):
            return self._mapped(content)
        if isinstance(content, list) and function != "Fn::Length":
            return reduce(function, [self._resolved(one) for one in content], self.template.mappings)
        return reduce(function, self._resolved(content), self.template.mappings)

    def _mapped(self, content: list[Json]) -> Json:
        """Return what Fn::FindInMap finds. Its DefaultValue is resolved only if the mapping has no such keys."""
        keys, options = [self._resolved(one) for one in content[:3]], content[3:]
        found = looked_up(self.template.mappings, keys) if len(content) in (3, 4) else None
        if found is not None:
            return found
        is_missing = all(literal_text(key) is not None for key in keys)
        if is_missing and len(options) == 1 and "DefaultValue" in mapping(options[0]):
            return self._resolved(options[0]["DefaultValue"])
        if self.scope is Scope.ONE:
            raise Unknown(_missing(content, keys))
        return {"Fn::FindInMap": [*keys, *map(self._resolved, options)]}

    def _referred(self, name: Json) -> Json:
        if not isinstance(name, str) or (self.scope is Scope.KNOWN and name not in self._values):
            return {"Ref": name}
        declared = self.template.parameters.get(name)
        if name in self._values:
            return _as_list(self._values[name]) if is_list(mapping(declared)) else self._values[name]
        if not isinstance(declared, Mapping):
            return {"Ref": name}
        if is_stored(declared):
            raise Unknown(f"parameter {name} is stored in Systems Manager")
        if "Default" not in declared:
            raise Unknown(f"parameter {name} has no default")
        return _as_list(declared["Default"]) if is_list(declared) else declared["Default"]

    def _chosen(self, content: Json) -> Json:
        if not (isinstance(content, list) and len(content) == 3 and isinstance(content[0], str)):
            if self.scope is Scope.ONE:
                raise Unknown("an Fn::If does not have a condition's name and two values")
            return {"Fn::If": content}
        condition, yes, no = content
        self._reason = f"condition {condition} can be decided in the account only"
        holds = self._truth({"Condition": condition})
        if holds is not None:
            return self._resolved(yes if holds else no)
        if self.scope is Scope.ONE:
            raise Unknown(self._reasons[condition])
        sides = [self._resolved(yes), self._resolved(no)]
        return sides[0] if canonical(sides[0]) == canonical(sides[1]) else {"Fn::If": [condition, *sides]}

    def _truth(self, condition: Json) -> bool | None:
        """Return whether a condition holds; where that is None, self._reason has the reason if there is a short one."""
        earlier = self._reason
        holds = self._evaluated(condition)
        if holds is not None:
            self._reason = earlier
        return holds

    def _evaluated(self, condition: Json) -> bool | None:
        match condition:
            case {"Condition": str(name)} if len(condition) == 1:
                return self._named(name)
            case {"Fn::Equals": [one, other]}:
                return self._equal(one, other)
            case {"Fn::Not": [one]}:
                holds = self._truth(one)
                return None if holds is None else not holds
            case {"Fn::And": list(ones)}:
                return _every([self._truth(one) for one in ones])
            case {"Fn::Or": list(ones)}:
                nots = [None if (holds := self._truth(one)) is None else not holds for one in ones]
                none_holds = _every(nots)
                return None if none_holds is None else not none_holds
        return None

    def _named(self, name: str) -> bool | None:
        if name not in self._truths:
            self._truths[name] = None
            self._reasons[name] = f"condition {name} depends on itself"
            if name in self.template.conditions:
                self._reason = ""
                self._truths[name] = self._truth(self.template.conditions[name])
                self._reasons[name] = self._reason or f"condition {name} can be decided in the account only"
            else:
                self._reasons[name] = f"condition {name} is not declared"
        if self._truths[name] is None:
            self._reason = self._reasons.get(name, "")
        return self._truths[name]

    def _equal(self, one: Json, other: Json) -> bool | None:
        if canonical(one) == canonical(other):
            return True
        try:
            left, right = (canonical(self._resolved(side)) for side in (one, other))
        except Unknown as unknown:
            self._reason = str(unknown)
            return None
        if left == right:
            return True
        if isinstance(left, str) and isinstance(right, str):
            return False
        name = next(parameters_in(left, right), None)
        if name is not None:
            self._reason = f"{name} is known in the account only"
        return None


def known(template: Template, values: Mapping[str, Json] | None = None) -> Template:
    """Return the template with everything resolved that is the same wherever it is deployed (scope KNOWN).

    `values` are those of parameters that every deployment gives. A resource whose condition is certainly false is left
    out; one whose condition certainly holds loses it.
    """
    evaluator = Evaluator(template, Scope.KNOWN, values)
    conditions = {name: evaluator.entries({"": one}).get("") for name, one in template.conditions.items()}
    resources: dict[str, Section] = {}
    for name, resource in template.resources.items():
        holds = evaluator.holds(resource)
        if holds is False:
            continue
        kept = {key: value for key, value in resource.items() if not (holds and key == "Condition")}
        properties = {"Properties": evaluator.entries(mapping(kept["Properties"]))} if kept.get("Properties") else {}
        resources[name] = {**evaluator.entries(kept), **properties}
    return replace(template, conditions=conditions, resources=resources)


def one_deployment(template: Template, values: Mapping[str, Json] | None = None) -> Template:
    """Return the template as one deployment creates it (scope ONE). What cannot be known stays as it is written.

    A resource whose condition is certainly false is left out.
    """
    evaluator = Evaluator(template, Scope.ONE, values)

    def resolved(value: Json) -> Json:
        try:
            return evaluator.value(value)
        except Unknown:
            return value

    resources = {
        name: {**resource, "Properties": {key: resolved(one) for key, one in template.properties(name).items()}}
        for name, resource in template.resources.items()
        if evaluator.holds(resource) is not False
    }
    return replace(template, resources=resources)


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
    return replace(one, value=_as_list(default) if is_list(declared) else default, guard=guard)


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
            yield replace(one, value=_as_list(found) if is_list(declared) else found, guard=both)
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


def _missing(content: list[Json], keys: list[Json]) -> str:
    """Return why Fn::FindInMap finds nothing."""
    if len(content) not in (3, 4):
        return "an Fn::FindInMap does not have a mapping and two keys"
    for key in keys:
        if literal_text(key) is None:
            name = next(parameters_in(key), None)
            return f"{name} is known in the account only" if name else f"the key {text(key)} of a mapping is not known"
    return f"mapping {keys[0]} has no {keys[1]}, {keys[2]}"


def _as_list(value: Json) -> Json:
    found = literal_text(value)
    return [part.strip() for part in found.split(",")] if found is not None else value


def _every(found: list[bool | None]) -> bool | None:
    """Return whether all hold: one that does not decides, whatever the others are."""
    if False in found:
        return False
    return None if None in found else True
