"""Find the places where two values of a resource differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import NamedTuple

from generator.diff.iam.grants import DEFAULT_VERSION, canonical_document, is_document
from generator.diff.model import Property
from generator.template.intrinsics import Json, as_list, canonical, is_intrinsic

NAMING_KEYS = ("IndexName", "AttributeName", "PolicyName", "Key", "Name", "Sid", "Id")
"""Keys that identify an item of an unordered list, to pair old with new."""

Unordered = frozenset[str]


def changes(old: Json, new: Json, path: str, unordered: Unordered = frozenset()) -> Iterator[Property]:
    """Yield every place that differs. Lists named in `unordered` are compared as sets."""
    are_documents = is_document(old) and is_document(new)
    if path == "DependsOn" or (isinstance(old, list) and isinstance(new, list)):  # DependsOn is one name or a list.
        yield from _list_changes(as_list(old), as_list(new), path, unordered)
    elif are_documents and same(old, new):
        return
    elif _is_structure(old, path) and _is_structure(new, path):
        for key in dict.fromkeys([*old, *new]):
            yield from changes(old.get(key), new.get(key), _below(path, key), unordered)
    elif are_documents and (versions := _versions(old, new)):
        yield Property(f"{path}.Version", *versions)
        if not same({**old, "Version": ""}, {**new, "Version": ""}):
            yield Property(path, old, new)
    elif are_documents or not same(old, new):
        yield Property(path, old, new)


def _versions(old: Mapping[str, Json], new: Mapping[str, Json]) -> tuple[Json, Json] | None:
    """Return both policy versions if they differ. No grant shows them."""
    before, after = (side.get("Version", DEFAULT_VERSION) for side in (old, new))
    return None if str(before) == str(after) else (before, after)


def _is_structure(value: Json, path: str) -> bool:
    """Return whether to compare each key by itself. `Properties` itself is no policy, even if it looks like one."""
    is_whole = path != "Properties" and is_document(value)
    return isinstance(value, Mapping) and not is_intrinsic(value) and not is_whole


def _below(path: str, key: str) -> str:
    """Return the path of a key. A key with special characters is quoted."""
    simple = re.fullmatch(r"[\w:-]+", key)
    return f"{path}.{key}".lstrip(".") if simple else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _list_changes(old: list[Json], new: list[Json], path: str, unordered: Unordered) -> Iterator[Property]:
    pair = _paired_as_set if path.rpartition(".")[2] in unordered else _paired_in_order
    for before, after in pair(old, new):
        index = before if after is None else after
        old_item = None if before is None else old[before]
        new_item = None if after is None else new[after]
        yield from changes(old_item, new_item, f"{path}[{index}]", unordered)


Pairs = Iterator[tuple[int | None, int | None]]


def _paired_in_order(old: list[Json], new: list[Json]) -> Pairs:
    if len(old) == len(new):
        yield from zip(range(len(old)), range(len(new)), strict=True)
        return
    matcher = SequenceMatcher(None, [identity(item) for item in old], [identity(item) for item in new], autojunk=False)
    for kind, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        if kind != "equal":
            yield from zip_longest(range(old_start, old_end), range(new_start, new_end))


def _paired_as_set(old: list[Json], new: list[Json]) -> Pairs:
    """Pair the items of two lists by name, then the rest in order. Leaves out items that are in both."""
    left, right = list(range(len(old))), list(range(len(new)))
    for alike in (identity, _name):
        by_name: dict[str | None, list[int]] = {}
        for other in right:
            by_name.setdefault(alike(new[other]), []).append(other)
        for index in list(left):
            name = alike(old[index])
            if name is not None and by_name.get(name):
                match = by_name[name].pop(0)
                left.remove(index)
                right.remove(match)
                if alike is _name:
                    yield index, match
    yield from zip_longest(left, right)


def _name(item: Json) -> str | None:
    keys = [key for key in NAMING_KEYS if isinstance(item, Mapping) and key in item]
    return identity(item[keys[0]]) if keys else None


def normal(value: Json) -> Json:
    """Return a form that is equal for values with the same meaning. It is for comparison only."""
    if isinstance(value, dict) and not is_intrinsic(value):
        if is_document(value):
            return canonical_document(value)
        return {str(key): normal(inner) for key, inner in value.items()}
    return [normal(item) for item in value] if isinstance(value, list) else canonical(value)


def same(old: Json, new: Json) -> bool:
    """Return whether two values mean the same."""
    if type(old) is type(new) and not isinstance(old, list | dict) and old == new:
        return True  # True for most values, so the slower comparison is rare.
    return bool(normal(old) == normal(new))


class Typed(NamedTuple):
    """A number or a boolean that is not the same as its text."""

    kind: str
    value: float | bool


def typed(value: Json) -> Json:
    """Return the value with numbers and booleans kept distinct from text, except in policies."""
    match value:
        case dict():
            is_read_as_text = is_intrinsic(value) or is_document(value)
            return value if is_read_as_text else {key: typed(inner) for key, inner in value.items()}
        case list():
            return [typed(item) for item in value]
        case bool() | int() | float():
            return Typed("boolean" if isinstance(value, bool) else "number", value)
    return value


def untyped(value: Json) -> Json:
    """Return the value as it was before `typed`."""
    match value:
        case Typed():
            return value.value
        case dict():
            return {key: untyped(inner) for key, inner in value.items()}
        case list():
            return [untyped(item) for item in value]
    return value


def identity(value: Json) -> str:
    """Return a text that is equal for values that mean the same."""
    return json.dumps(normal(value), sort_keys=True)


def literal(value: Json) -> str | None:
    """Return the text of a value without references, such as the joined lines of a handler; else None."""
    found = canonical(value)
    return found if isinstance(found, str) else None
