"""Reads a table of settings into frozen dataclasses, collecting every fault instead of stopping at the first.

A section is a dataclass whose fields are made by `whole`, `number`, `choice`, `text` and `flag` below, or are
sections themselves. The field says what it accepts; this module knows nothing of what the settings mean.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from generator.errors import Fault

REQUIRED: Any = dataclasses.MISSING
"""The default of a setting that has none."""

Complaint = tuple[str, str]
"""What is wrong with a value, and what to do about it."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """What settings must fulfil together, or one of them in its place."""

    keys: tuple[str, ...]
    """Dotted; the first is the one to blame."""
    check: Callable[..., Complaint | None]
    """Asked with their values, in this order, if none of them is at fault by itself."""


def whole(default: Any, low: int, high: int, *, too_high: str = "lower it", too_low: str = "raise it") -> Any:
    """A whole number from low to high, both included."""

    def check(value: object) -> Complaint | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{_shown(value)} is not a whole number", f"write one from {low} to {high}"
        return _outside(value, low, high, too_low, too_high)

    return _field(default, check, f"whole, {low:,} to {high:,}")


def number(default: Any, low: float, high: float) -> Any:
    """A number from low to high, both included; whole numbers will do."""

    def check(value: object) -> Complaint | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            return f"{_shown(value)} is not a number", f"write one from {low:g} to {high:g}"
        return _outside(value, low, high, "raise it", "lower it")

    return _field(default, check, f"{low:,} to {high:,}")


def choice(default: Any, *options: Any) -> Any:
    """One of a few values."""
    accepted = ", ".join(map(_shown, options))

    def check(value: object) -> Complaint | None:
        if isinstance(value, bool) or value not in options:
            return f"{_shown(value)} is not a choice", f"write one of {accepted}"
        return None

    return _field(default, check, accepted)


def text(default: Any, pattern: str, wanted: str) -> Any:
    """A text that matches the pattern; `wanted` says in words what that is."""

    def check(value: object) -> Complaint | None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            return f"{_shown(value)} is not {wanted}", "correct it"
        return None

    return _field(default, check, wanted)


def flag(default: Any) -> Any:
    """True or false."""

    def check(value: object) -> Complaint | None:
        return None if isinstance(value, bool) else (f"{_shown(value)} is not true or false", "write one of them")

    return _field(default, check, "true or false")


def section(kind: type[T], **defaults: object) -> Any:
    """A table of settings; `defaults` replace those that the section's own fields state."""
    return dataclasses.field(metadata={"section": kind, "defaults": defaults})


def read(
    kind: type[T], table: Mapping[str, object], where: Callable[[str], str], rules: Iterable[Rule] = ()
) -> tuple[T | None, list[Fault]]:
    """Turns a table into a section and the list of all faults; the section is None when there is any.

    `where` turns a dotted key into the place to name in a fault.
    """
    reader = _Reader(kind, where)
    value = reader.section(kind, table, "", {})
    reader.apply(rules)
    return (None, reader.faults) if reader.faults else (value, [])


def keys(kind: type, path: str = "") -> Iterator[str]:
    """Every dotted key that a section knows."""
    for field in dataclasses.fields(kind):
        inner = field.metadata.get("section")
        if inner:
            yield from keys(inner, f"{path}{field.name}.")
        else:
            yield path + field.name


class _Reader:
    """One reading of one table: walks sections and fields, noting faults on the way."""

    def __init__(self, root: type, where: Callable[[str], str]) -> None:
        self._root, self._where = root, where
        self.faults: list[Fault] = []
        self._sound: dict[str, object] = {}

    def section(self, kind: type[Any], table: Mapping[str, object], path: str, defaults: Mapping[str, object]) -> Any:
        fields = dataclasses.fields(kind)
        for key in [key for key in table if key not in {field.name for field in fields}]:
            self._fault(path + key, "unknown key", self._nearest(kind, path, key))
        values = {field.name: self._value(field, table, path, defaults) for field in fields}
        return kind(**values)

    def _value(
        self,
        field: dataclasses.Field[Any],
        table: Mapping[str, object],
        path: str,
        defaults: Mapping[str, object],
    ) -> Any:
        key = path + field.name
        if inner := field.metadata.get("section"):
            value = table.get(field.name, {})
            if isinstance(value, Mapping):
                return self.section(inner, value, key + ".", field.metadata["defaults"])
            return self._fault(key, f"{_shown(value)} is not a table", f"write [{key}] and its keys below it")
        value = table.get(field.name, defaults.get(field.name, field.metadata["default"]))
        if value is REQUIRED:
            self._fault(key, "missing", f"add {field.name} = ... " + (f"under [{path[:-1]}]" if path else "at the top"))
        elif field.name in table and (complaint := field.metadata["check"](value)):
            self._fault(key, *complaint)
        else:
            self._sound[key] = value
        return value

    def apply(self, rules: Iterable[Rule]) -> None:
        """Notes what breaks a rule, as far as the settings that it is about could be read."""
        for rule in rules:
            if self._sound.keys() >= set(rule.keys):
                values = (self._sound[key] for key in rule.keys)
                if complaint := rule.check(*values):
                    self._fault(rule.keys[0], *complaint)

    def _fault(self, key: str, what: str, remedy: str) -> None:
        self.faults.append(Fault(self._where(key), what, remedy))

    def _nearest(self, kind: type, path: str, key: str) -> str:
        """The likeliest known key: one spelt alike here, else one with that name elsewhere, else what there is here."""
        import difflib

        here = {field.name: path + field.name for field in dataclasses.fields(kind)}
        elsewhere = {known.rpartition(".")[2]: known for known in keys(self._root)}
        for names in (here, elsewhere):
            if close := difflib.get_close_matches(key, names, n=1):
                return f"did you mean {names[close[0]]}?"
        return f"the keys here are {', '.join(here)}"


def _field(default: Any, check: Callable[[object], Complaint | None], accepts: str) -> Any:
    return dataclasses.field(metadata={"check": check, "default": default, "accepts": accepts})


def _outside(value: float, low: float, high: float, too_low: str, too_high: str) -> Complaint | None:
    if value < low:
        return f"{_shown(value)} is below the supported {low}", too_low
    if value > high:
        return f"{_shown(value)} is above the supported {high}", too_high
    return None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    shown = f'"{value}"' if isinstance(value, str) else str(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
