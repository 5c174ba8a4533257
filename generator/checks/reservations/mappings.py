"""What Fn::FindInMap may find: by a literal key, or by whatever a parameter or the Region may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.checks.reservations.guards import ALWAYS, Equality, Guard, merge, when
from generator.checks.reservations.loops import is_stored
from generator.checks.reservations.source import Source


def lookups(source: Source, name: Any, first: Any, second: Any) -> Iterator[tuple[Any, Guard]]:
    """What a mapping holds under two keys, each a literal or whatever the parameter that it refers to may be."""
    mapping = source.mappings.get(name) if isinstance(name, str) else None
    for values, guard in _selected(source, first, mapping):
        for value, inner_guard in _selected(source, second, values):
            both = merge(guard, inner_guard)
            if both is not None:
                yield value, both


def is_selector(source: Source, key: Any) -> bool:
    """Whether a key is a reference to what a deployment chooses."""
    return isinstance(key, dict) and len(key) == 1 and _ranges(source, key.get("Ref"))


def _selected(source: Source, key: Any, table: Any) -> Iterator[tuple[Any, Guard]]:
    """What a key may select from a table."""
    if not isinstance(table, dict):
        return
    if is_selector(source, key):
        yield from ((value, when(Equality(str(key["Ref"]), str(name)))) for name, value in table.items())
    elif isinstance(key, str | int) and str(key) in table:
        yield table[str(key)], ALWAYS


def _ranges(source: Source, name: object) -> bool:
    if not isinstance(name, str):
        return False
    parameter = source.parameters.get(name)
    return name.startswith("AWS::") or (isinstance(parameter, dict) and not is_stored(parameter))
