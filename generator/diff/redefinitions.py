"""Find names that two templates share with different meanings: conditions, mappings and parameters' defaults.

A value that uses such a name looks the same on both sides. Each side therefore gets a name of its own, and every
comparison sees the difference, through whichever function or resource it comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from generator.diff.properties import same
from generator.template.intrinsics import Json, canonical, is_intrinsic, mapping
from generator.template.model import Template
from generator.template.references import VARIABLE

OLD, NEW = "as it was", "as it is now"

DECIDING = ("Default", "Type")
"""What decides a parameter's value if the deployment does not state it."""


def told_apart(old: Template, new: Template, defaults: bool = True) -> tuple[Template, Template]:
    """Return both templates with every redefined name made distinct; the same objects if nothing is redefined.

    `defaults` False ignores changed defaults, which do not affect a stack that was given a value.
    """
    tables = old.mappings, new.mappings
    parameters = frozenset(_parameters(old, new) if defaults else ())
    if not parameters and same(*tables) and same(old.conditions, new.conditions):
        return old, new
    conditions = _conditions(old, new, parameters, tables)
    before, after = (_Names(parameters, conditions, tables, word) for word in (OLD, NEW))
    return _renamed(old, before), _renamed(new, after)


def _parameters(old: Template, new: Template) -> set[str]:
    before, after = old.parameters, new.parameters
    return {
        name
        for name in before.keys() & after.keys()
        if any(not same(*(mapping(side[name]).get(key) for side in (before, after))) for key in DECIDING)
    }


def _conditions(
    old: Template, new: Template, parameters: frozenset[str], tables: tuple[Mapping[str, Json], Mapping[str, Json]]
) -> frozenset[str]:
    """The conditions that say something else, by themselves or by way of others."""
    before, after = old.conditions, new.conditions
    found: frozenset[str] = frozenset()
    while True:
        left, right = (_Names(parameters, found, tables, word) for word in (OLD, NEW))
        more = frozenset(
            name
            for name in before.keys() & after.keys()
            if not same(left.value(before[name]), right.value(after[name]))
        )
        if more == found:
            return found
        found = more


def _renamed(template: Template, names: _Names) -> Template:
    return replace(template, resources=names.value(template.resources))


@dataclass(frozen=True, slots=True)
class _Names:
    """What is redefined, and the word for this side. Both sides' mappings tell what a look-up can find."""

    parameters: frozenset[str]
    conditions: frozenset[str]
    tables: tuple[Mapping[str, Json], Mapping[str, Json]]
    word: str

    def value(self, value: Json) -> Json:
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, Mapping):
            return value
        if is_intrinsic(value):
            return self._function(*next(iter(value.items())))
        return {key: self._entry(key, inner) for key, inner in value.items()}

    def _entry(self, key: str, value: Json) -> Json:
        """A resource names its condition, and a condition another, under this key."""
        return self._one(value, self.conditions) if key == "Condition" else self.value(value)

    def _function(self, function: str, content: Json) -> Json:
        inner = self.value(content)
        match function, inner:
            case "Ref", str():
                return {function: self._one(inner, self.parameters)}
            case "Fn::If", [str(name), *rest]:
                return {function: [self._one(name, self.conditions), *rest]}
            case "Fn::FindInMap", [name, *rest] if not _finds_the_same(self.tables, content):
                return {function: [f"{name} ({self.word})", *rest]}
            case "Fn::Sub", str():
                return {function: self._text(inner, {})}
            case "Fn::Sub", [str(text), dict(own)]:
                return {function: [self._text(text, own), own]}
        return {function: inner}

    def _one(self, value: Json, names: frozenset[str]) -> Json:
        if not isinstance(value, str):
            return self.value(value)
        return f"{value} ({self.word})" if value in names else value

    def _text(self, text: str, own: Mapping[str, Json]) -> str:
        names = self.parameters - own.keys()
        return VARIABLE.sub(lambda found: f"${{{self._one(found[1], names)}}}", text)


def _finds_the_same(tables: tuple[Mapping[str, Json], Mapping[str, Json]], arguments: Json) -> bool:
    """Whether a look-up finds the same on both sides, whatever its keys turn out to be.

    A key that only one side has does not count: the other cannot be deployed with it, unless it has a default.
    """
    if not isinstance(arguments, list) or len(arguments) != 3 or not isinstance(arguments[0], str):
        return same(*tables)
    top, inner = (canonical(key) for key in arguments[1:])
    old, new = (_reached(mapping(table.get(arguments[0])), top, inner) for table in tables)
    return all(same(old[key], new[key]) for key in old.keys() & new.keys())


def _reached(table: Mapping[str, Json], top: Json, inner: Json) -> dict[tuple[str, str], Json]:
    return {
        (row, key): value
        for row, values in table.items()
        for key, value in mapping(values).items()
        if _may_be(top, row) and _may_be(inner, key)
    }


def _may_be(wanted: Json, key: str) -> bool:
    return not isinstance(wanted, str) or wanted == key
