"""Read a table of settings into named tuples, and collect every fault instead of stopping at the first.

A section is a named tuple whose fields are declared by `whole_number`, `number`, `choice`, `text` and `flag`, or are
sections themselves. Each field defines what it accepts; this module does not know what the settings mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple, TypeVar

from generator import _format
from generator.errors import Fault

REQUIRED: Any = object()
"""The default of a setting that must be stated."""

Complaint = tuple[str, str]
"""A description of a wrong value, and the remedy."""

Declaration = Mapping[str, Any]
"""What a setting accepts, its default, and how to check and convert it; or the kind of the settings in its table."""

T = TypeVar("T")

_LARGEST = 1e15
"""A larger figure is wrong in any setting, and products of such figures may overflow."""


class CrossCheck(NamedTuple):
    """A validation rule that spans several settings, or applies to one setting in one place only."""

    keys: tuple[str, ...]
    """Dotted keys; a fault is reported at the first."""
    check: Callable[..., Complaint | None]
    """Called with the values of the keys, in this order, if each of them is valid by itself."""


def whole_number(default: Any, low: int, high: int, *, too_high: str = "lower it", too_low: str = "raise it") -> Any:
    """Declare a setting with a whole number from low to high, both included."""

    def check(value: object) -> Complaint | None:
        if isinstance(value, bool) or not isinstance(value, int):
            return f"{_shown(value)} is not a whole number", f"write one from {low:,} to {high:,}"
        return _out_of_range(value, low, high, too_low, too_high)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return _field(default, check, lambda: f"whole number, {low:,} to {high:,}", schema=schema)


def number(default: Any, low: float, high: float, *, scales_with: str = "") -> Any:
    """Declare a setting with a number from low to high, both included, with or without decimals.

    `scales_with` names another setting of the section: where only that one is changed, the default changes with it.
    """

    def limits() -> str:
        return f"{_format.number(low)} to {_format.number(high)}"

    def check(value: object) -> Complaint | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return f"{_shown(value)} is not a number", f"write one from {limits()}"
        return _out_of_range(value, low, high, "raise it", "lower it")

    schema = {"type": "number", "minimum": low, "maximum": high}
    return _field(default, check, limits, schema=schema, scales_with=scales_with)


def choice(default: Any, *options: Any) -> Any:
    """Declare a setting with one of a few values; options that are members of an enum are read as such."""

    def accepted() -> str:
        return ", ".join(map(_shown, options))

    def check(value: object) -> Complaint | None:
        if isinstance(value, bool | float) or value not in options:
            return f"{_shown(value)} is not supported", f"write one of {accepted()}"
        return None

    convert = type(options[0]) if isinstance(options[0], Enum) else None
    return _field(default, check, accepted, convert, schema={"enum": [*options]})


def text(default: Any, pattern: str, wanted: str) -> Any:
    """Declare a setting with a text that matches the pattern, which `wanted` describes."""

    def check(value: object) -> Complaint | None:
        if not isinstance(value, str) or not value.isprintable() or not re.fullmatch(pattern, value):
            return f"{_shown(value)} is not {wanted}", "correct it"
        return None

    return _field(default, check, lambda: wanted, schema={"type": "string", "pattern": _whole(pattern)})


def pairs(key: str, value: str, wanted: str, most: int) -> Any:
    """Declare a table of texts, by default empty, whose keys and values match the patterns. It is read as sorted pairs.

    `wanted` describes a pair, and `most` is the highest number of pairs.
    """

    def check(table: object) -> Complaint | None:
        if not isinstance(table, Mapping):
            return f"{_shown(table)} is not a table", f"write a table with {wanted}"
        if len(table) > most:
            return f"{len(table):,} entries are more than {most:,}", "remove some"
        for name, text in table.items():
            if not re.fullmatch(key, name) or not isinstance(text, str) or not re.fullmatch(value, text):
                return f"{_shown(name)} = {_shown(text)} is not {wanted}", "correct it"
        return None

    schema = {
        "type": "object",
        "patternProperties": {_whole(key): {"type": "string", "pattern": _whole(value)}},
        "additionalProperties": False,
        "maxProperties": most,
    }
    return _field(
        {}, check, lambda: f"a table with {wanted}", lambda table: tuple(sorted(table.items())), schema=schema
    )


def flag(default: Any) -> Any:
    """Declare a setting that is true or false."""

    def check(value: object) -> Complaint | None:
        return None if isinstance(value, bool) else (f"{_shown(value)} is not supported", "write true or false")

    return _field(default, check, lambda: "true or false", schema={"type": "boolean"})


def texts(accepts: Callable[[str], object], wanted: str, most: int) -> Any:
    """Declare a list of texts, by default empty, for each of which `accepts` returns a true value.

    `wanted` describes one text, and `most` is the highest number of texts.
    """

    def check(value: object) -> Complaint | None:
        if not isinstance(value, list):
            return f"{_shown(value)} is not a list", f"write a list of {wanted}"
        if len(value) > most:
            return f"{len(value):,} entries are more than {most:,}", "remove some"
        wrong = [text for text in value if not isinstance(text, str) or not accepts(text)]
        return (f"{', '.join(map(_shown, wrong))}: not {wanted}", "correct it") if wrong else None

    schema = {"type": "array", "items": {"type": "string"}, "maxItems": most}
    return _field([], check, lambda: f"a list of {wanted}", tuple, schema=schema)


def tables(kind: type[T], most: int, checks: Iterable[CrossCheck] = ()) -> Any:
    """Declare a list of at most that many tables of settings, by default empty: [[key]] in the file.

    Each table must pass the checks, whose keys are its own.
    """
    return {"tables": kind, "most": most, "checks": tuple(checks)}


def section(kind: type[T], **defaults: object) -> Any:
    """Declare a table of settings; `defaults` replace those of the section's own fields."""
    return {"section": kind, "defaults": defaults}


def read(
    kind: type[T],
    table: Mapping[str, object],
    where: Callable[[str], str],
    checks: Iterable[CrossCheck] = (),
    moved: Mapping[str, str] | None = None,
) -> tuple[T | None, list[Fault]]:
    """Return the section in a table, or None if there are faults, and the list of all faults.

    `where` turns a dotted key into the place to report. `moved` has the new key of each setting that moved.
    """
    reader = _SettingsReader(kind, where, moved or {})
    value = reader.section(kind, table, "", {})
    reader.apply(checks)
    return (None, reader.faults) if reader.faults else (value, [])


def declarations(kind: type) -> Mapping[str, Declaration]:
    """Return the declaration of each setting in a section, by name. It is the default of the field."""
    settings: Mapping[str, Declaration] = kind._field_defaults  # type: ignore[attr-defined]
    return settings


def keys(kind: type, path: str = "") -> Iterator[str]:
    """Yield every dotted key of a section. A list of tables is one key."""
    for name, setting in declarations(kind).items():
        if inner := setting.get("section"):
            yield from keys(inner, f"{path}{name}.")
        else:
            yield path + name


class _SettingsReader:
    """Reads one table: walks its sections and fields and collects faults."""

    def __init__(self, root: type, where: Callable[[str], str], moved: Mapping[str, str]) -> None:
        self._root, self._where, self._moved = root, where, moved
        self.faults: list[Fault] = []
        self._valid: dict[str, object] = {}
        self._defaults: set[str] = set()
        """The keys of the settings that are not stated."""

    def section(self, kind: type[Any], table: Mapping[str, object], path: str, defaults: Mapping[str, object]) -> Any:
        settings = declarations(kind)
        for key in [key for key in table if key not in settings]:
            if new := self._moved.get(path + key):
                self._fault(path + key, f"moved to {new}", f"write {_assignment(new, table[key])}")
            else:
                self._fault(path + key, "unknown key", self._nearest(kind, path, key))
        return kind(**{name: self._value(name, setting, table, path, defaults) for name, setting in settings.items()})

    def _value(
        self,
        name: str,
        setting: Declaration,
        table: Mapping[str, object],
        path: str,
        defaults: Mapping[str, object],
    ) -> Any:
        key = path + name
        if inner := setting.get("section"):
            value = table.get(name, {})
            if isinstance(value, Mapping):
                return self.section(inner, value, key + ".", setting["defaults"])
            return self._fault(key, f"{_shown(value)} is not a table", f"write [{key}] and its keys below it")
        if inner := setting.get("tables"):
            return self._tables(inner, table.get(name, []), key, setting)
        value = table[name] if name in table else self._default(key, setting, table, defaults)
        if value is REQUIRED:
            self._fault(key, "missing", f"add {name} = ... {self._place(path)}")
        elif name in table and (complaint := setting["check"](value)):
            self._fault(key, *complaint)
        else:
            value = self._valid[key] = convert(value) if (convert := setting["convert"]) else value
        return value

    def _default(
        self, key: str, setting: Declaration, table: Mapping[str, object], defaults: Mapping[str, object]
    ) -> Any:
        """Return a default. If it scales with a setting that the table changes, it keeps their ratio."""
        self._defaults.add(key)
        value: Any = defaults.get(key.rpartition(".")[2], setting["default"])
        other = setting["scales_with"]
        usual, changed = defaults.get(other), table.get(other)
        if isinstance(usual, int | float) and isinstance(changed, int | float) and abs(changed) < _LARGEST:
            return float(f"{value * changed / usual:.3g}")
        return value

    def _tables(self, kind: type[Any], value: object, key: str, setting: Declaration) -> tuple[Any, ...]:
        """Return the sections in a list of tables. A fault names a table by its `name`, else by its number from 1."""
        if not isinstance(value, list) or not all(isinstance(table, Mapping) for table in value):
            self._fault(key, f"{_shown(value)} is not a list of tables", f"write [[{key}]] and its keys below it")
            return ()
        if len(value) > setting["most"]:
            self._fault(key, f"{len(value):,} tables are more than {setting['most']:,}", "remove some")
            return ()
        names = [table.get("name") for table in value]
        places = [
            name if isinstance(name, str) and names.count(name) == 1 else number for number, name in enumerate(names, 1)
        ]
        paths = [f"{key}.{place}." for place in places]
        sections = []
        for path, table in zip(paths, value, strict=True):
            sections.append(self.section(kind, table, path, {}))
            self.apply(setting["checks"], path)
        self._valid[key] = tuple(sections)
        return tuple(sections)

    def apply(self, checks: Iterable[CrossCheck], path: str = "") -> None:
        """Run the checks whose settings, below the path, are all valid."""
        for cross_check in checks:
            keys = [path + key for key in cross_check.keys]
            if self._valid.keys() >= set(keys):
                values = (self._valid[key] for key in keys)
                if complaint := cross_check.check(*values):
                    self._fault(keys[0], *self._of_default(keys[0], *complaint))

    def _of_default(self, key: str, what: str, remedy: str) -> Complaint:
        """Return a fault's description and remedy, with the word "default" if the file does not state the value."""
        value = self._valid[key]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        begin = _format.number(value) if is_number else _shown(value)  # type: ignore[arg-type]
        is_default = key in self._defaults and what.startswith(f"{begin} ")
        return f"the default {what}" if is_default else what, remedy

    def _place(self, path: str) -> str:
        """Return the place of a path's table in the file."""
        table = path.partition(".")[0]
        lists = [name for name, setting in declarations(self._root).items() if "tables" in setting]
        return f"under [[{table}]]" if table in lists else f"under [{path[:-1]}]" if path else "at the top"

    def _fault(self, key: str, what: str, remedy: str) -> None:
        self.faults.append(Fault(self._where(key), what, remedy))

    def _nearest(self, kind: type, path: str, key: str) -> str:
        """Suggest a key of this section with this beginning or a similar name, else of another, else list the keys."""
        import difflib

        if f".{path}".endswith(f".{key}."):
            return f'the table [{path[:-1]}] is open here already; write its keys without "{key}."'
        in_section = {name: [path + name] for name in declarations(kind)}
        longest_first = sorted(in_section, key=len, reverse=True)
        beginnings = {name[: len(key)]: in_section[name] for name in longest_first}
        elsewhere: dict[str, list[str]] = {}
        for known in keys(self._root):
            elsewhere.setdefault(known.rpartition(".")[2], []).append(known)
        for names, similarity in ((beginnings, 0.8), (in_section, 0.6), (elsewhere, 0.6)):
            if close := difflib.get_close_matches(key, names, n=1, cutoff=similarity):
                return f"did you mean {' or '.join(names[close[0]])}?"
        return f"the keys here are {', '.join(in_section)}"


def _field(
    default: Any,
    check: Callable[[object], Complaint | None],
    accepts: Callable[[], str],
    convert: Callable[[Any], Any] | None = None,
    *,
    schema: Mapping[str, object],
    scales_with: str = "",
) -> Any:
    return {
        "check": check,
        "default": default,
        "accepts": accepts,
        "convert": convert,
        "schema": schema,
        "scales_with": scales_with,
    }


def _whole(pattern: str) -> str:
    """Return a pattern that matches a whole text in JSON Schema, which searches."""
    return f"^(?:{pattern})$"


def _assignment(key: str, value: object) -> str:
    section, _, name = key.rpartition(".")
    return f"{name} = {_shown(value)} under [{section}]"


def _out_of_range(value: float, low: float, high: float, too_low: str, too_high: str) -> Complaint | None:
    if value < low:
        return f"{_shown(value)} is below the minimum of {_format.number(low)}", too_low
    if value > high:
        return f"{_shown(value)} is above the maximum of {_format.number(high)}", too_high
    return None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    try:
        shown = f'"{value}"' if isinstance(value, str) else str(value)
    except (ValueError, RecursionError):  # Python writes neither thousands of digits nor hundreds of levels.
        return "a value too long to show"
    return shown if len(shown) <= 60 else shown[:57] + "..."
