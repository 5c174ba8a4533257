"""Find names that two templates share with different meanings, and give each side a name of its own.

A value that uses such a name looks the same on both sides. With distinct names, every comparison sees the difference,
in any function or resource. The names are those of conditions, mappings and parameters.

For example, the condition IsLarge was `Env is prod` and is now `Env is test`, and both templates have a queue with
`Condition: IsLarge`. The queues get the conditions "IsLarge (as it was)" and "IsLarge (as it is now)". One merged
template declares both, so a comparison can ask whether each of them holds in the same deployments. If they do, the
condition is only written differently, and both sides keep its name.
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

CONSTRAINTS = ("AllowedValues", "AllowedPattern", "MinLength", "MaxLength", "MinValue", "MaxValue")
"""The keys of a parameter that restrict its values."""

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
        mappings={mappings.get(name, name): table for name, table in old.mappings.items()},
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
        rewritten = _rewritten_conditions(self._sides, self._parameters)
        self.comparison = DeploymentComparison(_merged(self._sides, self._parameters, rewritten))
        self._equivalent = frozenset(name for name in rewritten if self._is_equivalent(name))
        self.conditions = rewritten - self._equivalent
        """The conditions that do not hold in the same deployments as before."""

    def _is_equivalent(self, name: str) -> bool:
        pair = _own(name, OLD), _own(name, NEW)
        return self.comparison.implies(*pair) and self.comparison.implies(*pair[::-1])

    @cached_property
    def with_distinct_names(self) -> Pair:
        """Return both templates with distinct names for whatever is redefined, parameters' defaults included.

        This pair is for comparisons in all deployments at once.
        """
        return self._renamed(*self._sides, self._parameters)

    @cached_property
    def views(self) -> list[Pair]:
        """Both templates as an update deploys them, and as a new stack does if a default changes.

        An update keeps the values of parameters; one that only the new template has gets its default. A new stack has
        every default. Redefined conditions and mappings have distinct names. A redefined parameter has them only if the
        same value of it may now mean something else, because its type changes for example.
        """
        old, new = self._sides
        defaults = [_defaults(side.parameters) for side in self._sides]
        left, right = defaults
        changed = {name for name in left.keys() & right.keys() if not same(left[name], right[name])}
        redefined = frozenset(name for name in self._parameters if self._is_of_another_kind(name))
        pairs = [(old, new)]
        if changed:
            values = [{name: side[name] for name in changed} for side in defaults]
            pairs.append((known(old, values[0]), known(new, values[1])))
        return [self._renamed(*pair, redefined, defaults) for pair in pairs]

    def _is_of_another_kind(self, name: str) -> bool:
        """Return whether a parameter that keeps its value may still stand for another value."""
        declared = [as_mapping(side.parameters[name]) for side in self._sides]
        return any(map(is_stored, declared)) or not same(*(parameter.get("Type") for parameter in declared))

    def _renamed(
        self, old: Template, new: Template, parameters: frozenset[str], defaults: list[dict[str, Json]] | None = None
    ) -> Pair:
        """Return both templates with distinct names in their resources and outputs.

        With `defaults`, a parameter of one side only gets its default.
        """
        conditions = _rewritten_conditions(self._sides, parameters) - self._equivalent
        left, right = _distinct_names(self._sides, parameters, conditions)
        if defaults is not None:
            left.parameters.update({name: defaults[0][name] for name in defaults[0].keys() - new.parameters.keys()})
            right.parameters.update({name: defaults[1][name] for name in defaults[1].keys() - old.parameters.keys()})
        return (
            replace(old, resources=left.value(old.resources), outputs=left.value(old.outputs)),
            replace(new, resources=right.value(new.resources), outputs=right.value(new.outputs)),
        )


def _distinct_names(
    sides: Pair, parameters: frozenset[str], conditions: frozenset[str]
) -> tuple[Replacements, Replacements]:
    """Return for each side the replacements of these names, and of redefined mappings, by names of its own."""
    tables = (sides[0].mappings, sides[1].mappings)
    redefined = [*_redefined(*tables)]
    left, right = (
        Replacements(
            {name: {"Ref": _own(name, word)} for name in parameters},
            {name: _own(name, word) for name in conditions},
            {name: _own(name, word) for name in redefined},
            tables,
        )
        for word in (OLD, NEW)
    )
    return left, right


def _rewritten_conditions(sides: Pair, parameters: frozenset[str]) -> frozenset[str]:
    """Return the conditions that are written differently, directly or through these parameters or other conditions."""
    before, after = (side.conditions for side in sides)
    rewritten: frozenset[str] = frozenset()
    while True:
        left, right = _distinct_names(sides, parameters, rewritten)
        shared = before.keys() & after.keys()
        more = frozenset(name for name in shared if not same(left.value(before[name]), right.value(after[name])))
        if more == rewritten:
            return rewritten
        rewritten = more


def _merged(sides: Pair, parameters: frozenset[str], conditions: frozenset[str]) -> Template:
    """Return one template that declares everything that either side uses, by its own name and by the shared one.

    A resource that changes its type is left out. A shared parameter whose constraints change has none, because the
    update also changes stacks with a value that only one of the templates allows.
    """
    old, new = sides
    all_parameters, mappings = {**old.parameters, **new.parameters}, {**old.mappings, **new.mappings}
    merged = {**old.conditions, **new.conditions}
    for name in _redefined(old.parameters, new.parameters, CONSTRAINTS):
        declared = as_mapping(new.parameters[name]).items()
        all_parameters[name] = {key: value for key, value in declared if key not in CONSTRAINTS}
    for side, word, names in zip(sides, (OLD, NEW), _distinct_names(sides, parameters, conditions), strict=True):
        all_parameters |= {_own(name, word): parameter for name, parameter in side.parameters.items()}
        mappings |= {_own(name, word): table for name, table in side.mappings.items()}
        merged |= {names.condition(name): names.value(condition) for name, condition in side.conditions.items()}
    kept = {
        name: resource
        for name, resource in {**old.resources, **new.resources}.items()
        if old.resources.get(name, resource).get("Type") == resource.get("Type")
    }
    return replace(new, parameters=all_parameters, mappings=mappings, conditions=merged, resources=kept, rules={})


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
    old, new = (
        {
            (row, key): value
            for row, values in as_mapping(table.get(arguments[0])).items()
            for key, value in as_mapping(values).items()
            if _may_be(top, row) and _may_be(inner, key)
        }
        for table in tables
    )
    return all(same(old[key], new[key]) for key in old.keys() & new.keys())


def _may_be(wanted: Json, key: str) -> bool:
    return not isinstance(wanted, str) or wanted == key
