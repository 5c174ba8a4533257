"""Find names that two templates share with different meanings, and give each side a name of its own.

A value that uses such a name looks the same on both sides. With distinct names, every comparison sees the difference,
in any function or resource. The names are those of conditions, mappings and parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from generator.diff.equality import DeploymentComparison
from generator.diff.properties import identity, same
from generator.template.evaluation import known
from generator.template.intrinsics import Json, as_mapping, canonical, literal_text, reference, split_commas
from generator.template.model import Section, Template, is_list, is_stored
from generator.template.renaming import Renaming

OLD, NEW = "as it was", "as it is now"

SECTIONS = ("parameters", "mappings", "conditions")

Pair = tuple[Template, Template]


def with_new_names(old: Template, new: Template) -> Template:
    """Return the old template with the new names of conditions and mappings that were only renamed."""
    mappings = _new_names(old.mappings, new.mappings)
    conditions: dict[str, str] = {}
    while True:  # A condition is also the same if it uses conditions that were only renamed.
        names = Replacements(conditions=conditions, mappings=mappings)
        before = {name: names.value(condition) for name, condition in old.conditions.items()}
        renamed = _new_names(_sorted(before), _sorted(new.conditions))
        if renamed == conditions:
            break
        conditions = renamed
    if not conditions and not mappings:
        return old
    return replace(
        old,
        mappings={mappings.get(name, name): mapping_ for name, mapping_ in old.mappings.items()},
        conditions={conditions.get(name, name): condition for name, condition in before.items()},
        resources=names.value(old.resources),
        outputs=names.value(old.outputs),
    )


def _new_names(old: Section, new: Section) -> dict[str, str]:
    by_content = {identity(new[name]): name for name in new.keys() - old.keys()}
    counterparts = {name: by_content.get(identity(old[name])) for name in old.keys() - new.keys()}
    renamed = {name: new_name for name, new_name in counterparts.items() if new_name is not None}
    return renamed if len(set(renamed.values())) == len(renamed) else {}


def _sorted(condition: Json) -> Json:
    """Return conditions with the operands of each function in one order, which does not matter for any of them."""
    match condition:
        case {"Fn::Equals": list(operands)} | {"Fn::And": list(operands)} | {"Fn::Or": list(operands)}:
            return {next(iter(condition)): sorted(map(_sorted, operands), key=identity)}
        case Mapping():
            return {key: _sorted(inner) for key, inner in condition.items()}
        case list():
            return [_sorted(inner) for inner in condition]
    return condition


class Redefinitions:
    """Names that have different meanings in two templates."""

    def __init__(self, old: Template, new: Template) -> None:
        self._sides = (old, new)
        self._parameters = frozenset(_redefined(old.parameters, new.parameters, ("Default", "Type")))
        redefined = self._conditions(self._parameters)
        self.comparison = DeploymentComparison(self._both(redefined))
        self._equivalent = frozenset(name for name in redefined if self._is_equivalent(name))
        self.conditions = redefined - self._equivalent
        """The conditions that do not hold in the same deployments as before."""

    @cached_property
    def with_distinct_names(self) -> Pair:
        """Return both templates with distinct names for whatever is redefined, parameters' defaults included."""
        return self._apart(*self._sides, self._parameters)

    def views(self) -> Iterator[Pair]:
        """Yield both templates as an update and as a new stack deploy them, each with its own names.

        An update keeps the values of parameters; one that only the new template has gets its default. A new stack has
        every default, so that one is of interest where a default changes.
        """
        old, new = self._sides
        defaults = [_defaults(side.parameters) for side in self._sides]
        left, right = defaults
        changed = {name for name in left.keys() & right.keys() if not same(left[name], right[name])}
        redefined = frozenset(name for name in self._parameters if self._is_of_another_kind(name))
        values = [{name: side[name] for name in changed} for side in defaults]
        for before, after in [(old, new), *([(known(old, values[0]), known(new, values[1]))] if changed else [])]:
            yield self._apart(before, after, redefined, defaults)

    def _is_of_another_kind(self, name: str) -> bool:
        """Return whether a parameter that keeps its value may still stand for another value."""
        declared = [as_mapping(side.parameters[name]) for side in self._sides]
        return any(map(is_stored, declared)) or not same(*(parameter.get("Type") for parameter in declared))

    def _apart(
        self, old: Template, new: Template, parameters: frozenset[str], defaults: list[dict[str, Json]] | None = None
    ) -> Pair:
        conditions = self._conditions(parameters) - self._equivalent
        left, right = (self._names(parameters, conditions, word) for word in (OLD, NEW))
        if defaults is not None:
            left.parameters.update({name: defaults[0][name] for name in defaults[0].keys() - new.parameters.keys()})
            right.parameters.update({name: defaults[1][name] for name in defaults[1].keys() - old.parameters.keys()})
        return (
            replace(old, resources=left.value(old.resources), outputs=left.value(old.outputs)),
            replace(new, resources=right.value(new.resources), outputs=right.value(new.outputs)),
        )

    def _names(self, parameters: frozenset[str], conditions: frozenset[str], word: str) -> Replacements:
        tables = (self._sides[0].mappings, self._sides[1].mappings)
        return Replacements(
            {name: {"Ref": _own(name, word)} for name in parameters},
            {name: _own(name, word) for name in conditions},
            {name: _own(name, word) for name in _redefined(*tables)},
            tables,
        )

    def _conditions(self, parameters: frozenset[str]) -> frozenset[str]:
        """Return the conditions that are defined differently, directly or through other conditions."""
        before, after = (side.conditions for side in self._sides)
        redefined: frozenset[str] = frozenset()
        while True:
            left, right = (self._names(parameters, redefined, word) for word in (OLD, NEW))
            shared = before.keys() & after.keys()
            more = frozenset(name for name in shared if not same(left.value(before[name]), right.value(after[name])))
            if more == redefined:
                return redefined
            redefined = more

    def _both(self, conditions: frozenset[str]) -> Template:
        """Return one template that declares everything that either side uses, by its own name and by the shared one.

        A resource that changes its type is left out.
        """
        old, new = self._sides
        parameters, mappings, merged = ({**getattr(old, section), **getattr(new, section)} for section in SECTIONS)
        for side, word in zip(self._sides, (OLD, NEW), strict=True):
            names = self._names(self._parameters, conditions, word)
            parameters |= {_own(name, word): parameter for name, parameter in side.parameters.items()}
            mappings |= {_own(name, word): table for name, table in side.mappings.items()}
            merged |= {
                names.conditions.get(name, name): names.value(condition) for name, condition in side.conditions.items()
            }
        kept = {
            name: resource
            for name, resource in {**old.resources, **new.resources}.items()
            if old.resources.get(name, resource).get("Type") == resource.get("Type")
        }
        return replace(new, parameters=parameters, mappings=mappings, conditions=merged, resources=kept, rules={})

    def _is_equivalent(self, name: str) -> bool:
        pair = _own(name, OLD), _own(name, NEW)
        return self.comparison.implies(*pair) and self.comparison.implies(*pair[::-1])


def _own(name: str, word: str) -> str:
    return f"{name} ({word})"


def _redefined(old: Section, new: Section, keys: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names that both sections have with other contents, or with other contents under one of the keys."""
    for name in old.keys() & new.keys():
        pairs = [(as_mapping(old[name]).get(key), as_mapping(new[name]).get(key)) for key in keys]
        if not all(same(*pair) for pair in pairs or [(old[name], new[name])]):
            yield name


def _defaults(parameters: Section) -> dict[str, Json]:
    """Return the default values that the template itself states."""
    stated = {name: literal_text(as_mapping(parameter).get("Default")) for name, parameter in parameters.items()}
    return {
        name: split_commas(default) if is_list(parameters[name]) else default
        for name, default in stated.items()
        if default is not None and not is_stored(parameters[name])
    }


@dataclass(frozen=True, slots=True)
class Replacements(Renaming):
    """Replaces names by other names, and parameters by references or values."""

    parameters: dict[str, Json] = field(default_factory=dict)
    """Also resources, which become references."""
    conditions: Mapping[str, str] = field(default_factory=dict)
    mappings: Mapping[str, str] = field(default_factory=dict)
    tables: tuple[Section, Section] | None = None
    """The mappings of both sides. A lookup with the same result in both keeps its name."""

    def value(self, value: Json) -> Json:
        is_empty = not (self.parameters or self.conditions or self.mappings)
        return value if is_empty else Renaming.value(self, value)

    def reference(self, name: str) -> Json:
        resource, dot, attribute = name.partition(".")
        replaced = self.parameters.get(resource)
        if replaced is None or (dot and not isinstance(replaced, Mapping)):
            return reference(name)
        return reference(f"{replaced['Ref']}.{attribute}") if dot else replaced

    def condition(self, name: str) -> str:
        return self.conditions.get(name, name)

    def lookup(self, arguments: list[Json]) -> list[Json]:
        """Return the new arguments of an Fn::FindInMap. A parameter that selects a row is not replaced by its value."""
        selecting = {name: value for name, value in self.parameters.items() if isinstance(value, Mapping)}
        name, *keys = replace(self, parameters=selecting).value(arguments)
        if self.tables is None or not _finds_the_same(self.tables, arguments):
            composed = {"Fn::Join": ["", [name, *self.mappings.values()]]}  # Any of the mappings.
            name = self.mappings.get(name, name) if isinstance(name, str) else composed
        return [name, *keys]


def _finds_the_same(tables: tuple[Section, Section], arguments: Json) -> bool:
    """Return whether a lookup finds the same on both sides, whatever its keys turn out to be.

    A key that only one side has does not count: the other cannot be deployed with it, unless it has a default.
    """
    if len(arguments) != 3 or not isinstance(arguments[0], str):
        return same(*tables)
    top, inner = (canonical(key) for key in arguments[1:])
    old, new = (_reached(as_mapping(table.get(arguments[0])), top, inner) for table in tables)
    return all(same(old[key], new[key]) for key in old.keys() & new.keys())


def _reached(table: Mapping[str, Json], top: Json, inner: Json) -> dict[tuple[str, str], Json]:
    return {
        (row, key): value
        for row, values in table.items()
        for key, value in as_mapping(values).items()
        if _may_be(top, row) and _may_be(inner, key)
    }


def _may_be(wanted: Json, key: str) -> bool:
    return not isinstance(wanted, str) or wanted == key
