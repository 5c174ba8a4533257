"""Find the line of a place in a template file, and the place as the file has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.alternatives import Location
from generator.template.plan_files import looks_like_plan
from generator.template.transforms import LOOP


class Entry(NamedTuple):
    """An entry of a mapping: the keys that lead to it, and its key and value as nodes of a YAML document.

    JSON is YAML, too.
    """

    keys: Location
    key: Any
    value: Any


_VARIABLE = re.compile(r"[$&]\{[^{}]*\}")

_SURROGATE = re.compile(r"\\u[dD]")
"""Half of a character in JSON, which YAML does not have."""


def written_place(path: Path, location: Location) -> tuple[int, Location]:
    """Return the line of a place in a template, as far down as its keys can be found, and the keys as they are written.

    Something that a loop makes is written in the loop.
    """
    status = reading.status(path)
    entries = _sections(path, status.st_mtime_ns, status.st_ino) if status else {}
    line, written = 1, location[:0]
    for number, key in enumerate(location):
        if not isinstance(key, str) or (entry := _entry(entries, key)) is None:
            return line, (*written, *location[number:])
        line, written, entries = entry.key.start_mark.line + 1, (*written, *entry.keys), dict(_entries(entry.value))
    return line, written


def _entry(entries: dict[str, Entry], key: str) -> Entry | None:
    """Return the entry of a key, or the one in a loop that may make it."""
    if key in entries:
        return entries[key]
    patterns = ((name, ".*".join(map(re.escape, _VARIABLE.split(name)))) for name in entries if "{" in name)
    return next((entries[name] for name, pattern in patterns if re.fullmatch(pattern, key)), None)


def _entries(node: Any) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a mapping by their keys, and those of its loops."""
    for key, value in node.value if node and node.id == "mapping" else ():
        name = str(key.value)
        if name.startswith(LOOP) and value.id == "sequence":
            for index, part in enumerate(value.value):
                yield from ((inner, entry._replace(keys=(name, index, *entry.keys))) for inner, entry in _entries(part))
        yield name, Entry((name,), key, value)


@lru_cache(maxsize=2)
def _sections(path: Path, _changed_ns: int, _file: int) -> dict[str, Entry]:
    """Return the sections of a template. It may have many findings."""
    import yaml

    try:
        text = reading.text_of(path)
        document = None if looks_like_plan(text) else yaml.compose(_SURROGATE.sub(r"\\u0", text), reading.loader())
    except (UnreadableTemplate, yaml.YAMLError):
        return {}
    return dict(_entries(document))
