"""Find the line of a place in a template file, and the place as the file has it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.alternatives import Location
from generator.template.plan_files import looks_like_plan
from generator.template.transforms import LOOP


@dataclass(frozen=True)
class Entry:
    """An entry of a mapping: the keys that lead to it, and its key and value as nodes of a YAML document.

    JSON is YAML, too.
    """

    keys: Location
    key: Any
    value: Any

    @cached_property
    def inner(self) -> dict[str, Entry]:
        """The entries of its value by their keys. It may have many findings."""
        return dict(_entries(self.value))

    @cached_property
    def loops(self) -> list[tuple[list[str], Entry]]:
        """The inner entries with a variable in their key, and the text around the variables: most text first."""
        split = ((_VARIABLE.split(name), entry) for name, entry in self.inner.items())
        found = [(texts, entry) for texts, entry in split if len(texts) > 1]
        return sorted(found, key=lambda loop: len("".join(loop[0])), reverse=True)

    def find(self, key: str) -> Entry | None:
        """Return the inner entry of a key, or the one in a loop that may make it."""
        return self.inner.get(key) or next((entry for texts, entry in self.loops if _may_make(texts, key)), None)


_VARIABLE = re.compile(r"[$&]\{[^{}]*\}")

_NOT_TEXT = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("bool", "float", "int", "null"))
"""Tags of keys such as yes and 0x10, which become true and 16 in a template."""

_SURROGATE = re.compile(r"\\u[dD]")
"""Half of a character in JSON, which YAML does not have."""

_NOT_YAML = re.compile("[^\t\n\r -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""A character that YAML refuses or, unlike JSON and editors, takes for the end of a line.

Source: YAML 1.1, "Character Set" and "Line Break Characters".
"""


def written_place(path: Path, location: Location) -> tuple[int, Location]:
    """Return the line of a place in a template, as far down as its keys can be found, and the keys as they are written.

    Something that a loop makes is written in the loop.
    """
    status = reading.status(path)
    entry = _root(path, status.st_mtime_ns, status.st_ino) if status else Entry((), None, None)
    line, written = 1, location[:0]
    for number, key in enumerate(location):
        if not isinstance(key, str) or (found := entry.find(key)) is None:
            return line, (*written, *location[number:])
        entry = found
        line, written = entry.key.start_mark.line + 1, (*written, *entry.keys)
    return line, written


def _may_make(texts: Sequence[str], key: str) -> bool:
    """Return whether a key has these texts in this order, the first at its start and the last at its end."""
    first, *others, last = texts
    position, end = len(first), len(key) - len(last)
    for text in others:
        position = key.find(text, position, end)
        if position < 0:
            return False
        position += len(text)
    return position <= end and key.startswith(first) and key.endswith(last)


def _entries(node: Any) -> Iterator[tuple[str, Entry]]:
    """Yield the entries of a mapping by their keys, and those of its loops."""
    for key, value in node.value if node and node.id == "mapping" else ():
        name = json.dumps(reading.loader()("").construct_object(key)) if key.tag in _NOT_TEXT else str(key.value)
        if name.startswith(LOOP) and value.id == "sequence":
            for index, part in enumerate(value.value):
                for inner, entry in _entries(part):
                    yield inner, replace(entry, keys=(name, index, *entry.keys))
        yield name, Entry((name,), key, value)


@lru_cache(maxsize=2)
def _root(path: Path, _changed_ns: int, _file: int) -> Entry:
    """Return the document of a template. It may have many findings."""
    import yaml

    document = None
    try:
        text = _NOT_YAML.sub(" ", reading.text_of(path))
        if not looks_like_plan(text):
            document = yaml.compose(_SURROGATE.sub(r"\\u0", text), reading.loader())
    except (UnreadableTemplate, yaml.YAMLError):
        pass
    return Entry((), None, document)
