"""Find the line of a place in a template file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.alternatives import Location
from generator.template.plan_files import looks_like_plan
from generator.template.transforms import LOOP

Entry = tuple[Any, Any]
"""A key and its value, as nodes of a YAML document. JSON is YAML, too."""

_VARIABLE = re.compile(r"[$&]\{[^{}]*\}")

_SURROGATE = re.compile(r"\\u[dD]")
"""Half of a character in JSON, which YAML does not have."""


def line_of(path: Path, location: Location) -> int:
    """Return the line of a place in a template's Resources, as far down as its keys can be found."""
    status = reading.status(path)
    entries = _resources(path, status.st_mtime_ns, status.st_ino) if status else {}
    line = 1
    for key in takewhile(lambda key: isinstance(key, str), location[1:]):
        if (entry := _entry(entries, str(key))) is None:
            break
        name, value = entry
        line, entries = name.start_mark.line + 1, dict(_entries(value))
    return line


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
            yield from (entry for part in value.value for entry in _entries(part))
        yield name, (key, value)


@lru_cache(maxsize=2)
def _resources(path: Path, _changed_ns: int, _file: int) -> dict[str, Entry]:
    """Return the resources of a template. It may have many findings."""
    import yaml

    try:
        text = reading.text_of(path)
        document = None if looks_like_plan(text) else yaml.compose(_SURROGATE.sub(r"\\u0", text), reading.loader())
    except (UnreadableTemplate, yaml.YAMLError):
        return {}
    _, resources = dict(_entries(document)).get("Resources", (None, None))
    return dict(_entries(resources))
