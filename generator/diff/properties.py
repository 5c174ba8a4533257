"""Find the places where two values of a resource differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest

from generator.diff.iam.grants import DEFAULT_VERSION, canonical_document, is_document
from generator.diff.model import Property
from generator.template.intrinsics import Json, as_list, canonical, is_intrinsic

NAMING_KEYS = ("IndexName", "AttributeName", "PolicyName", "Key", "Name", "Sid", "Id")
"""Keys that identify an item of an unordered list, to pair old with new."""


def changes(
    old: Json, new: Json, path: str, unordered: frozenset[str] = frozenset(), typed: str | None = None
) -> Iterator[Property]:
    """Yield every place that differs. Lists named in `unordered` are compared as sets.

    At the path `typed` and below, numbers and booleans are not the same as their texts.
    """
    is_typed = typed is not None and re.match(rf"{typed}(\W|$)", path) is not None
    are_documents = is_document(old) and is_document(new)
    if path == "DependsOn" or (isinstance(old, list) and isinstance(new, list)):  # DependsOn is one name or a list.
        left, right = as_list(old), as_list(new)
        pair = _paired_as_set if path.rpartition(".")[2] in unordered else _paired_in_order
        for before, after in pair(left, right, is_typed):
            index = before if after is None else after
            old_item = None if before is None else left[before]
            new_item = None if after is None else right[after]
            yield from changes(old_item, new_item, f"{path}[{index}]", unordered, typed)
    elif are_documents and same(old, new):
        return
    elif _is_structure(old, path) and _is_structure(new, path):
        for key in dict.fromkeys([*old, *new]):
            yield from changes(old.get(key), new.get(key), _below(path, key), unordered, typed)
    elif are_documents and str(old.get("Version", DEFAULT_VERSION)) != str(new.get("Version", DEFAULT_VERSION)):
        # No grant shows the version of a policy.
        yield Property(f"{path}.Version", *(side.get("Version", DEFAULT_VERSION) for side in (old, new)))
        if not same({**old, "Version": ""}, {**new, "Version": ""}):
            yield Property(path, old, new)
    elif not same(old, new, is_typed=is_typed):
        yield Property(path, old, new)


def _is_structure(value: Json, path: str) -> bool:
    """Return whether to compare each key by itself. `Properties` itself is no policy, even if it looks like one."""
    is_whole = path != "Properties" and is_document(value)
    return isinstance(value, Mapping) and not is_intrinsic(value) and not is_whole


def _below(path: str, key: str) -> str:
    """Return the path of a key. A key with special characters is quoted."""
    simple = re.fullmatch(r"[\w:-]+", key)
    return f"{path}.{key}".lstrip(".") if simple else f"{path}[{json.dumps(key, ensure_ascii=False)}]"


Pairs = Iterator[tuple[int | None, int | None]]


def _paired_in_order(old: list[Json], new: list[Json], is_typed: bool) -> Pairs:
    if len(old) == len(new):
        yield from zip(range(len(old)), range(len(new)), strict=True)
        return
    left, right = ([identity(item, is_typed) for item in side] for side in (old, new))
    for kind, old_start, old_end, new_start, new_end in SequenceMatcher(
        None, left, right, autojunk=False
    ).get_opcodes():
        if kind != "equal":
            yield from zip_longest(range(old_start, old_end), range(new_start, new_end))


def _paired_as_set(old: list[Json], new: list[Json], is_typed: bool) -> Pairs:
    """Pair the items of two lists by name, then the rest in order. Leaves out items that are in both."""
    left, right = list(range(len(old))), list(range(len(new)))
    for alike in (identity, _name):
        by_name: dict[str | None, list[int]] = {}
        for other in right:
            by_name.setdefault(alike(new[other], is_typed), []).append(other)
        for index in list(left):
            name = alike(old[index], is_typed)
            if name is not None and by_name.get(name):
                match = by_name[name].pop(0)
                left.remove(index)
                right.remove(match)
                if alike is _name:
                    yield index, match
    yield from zip_longest(left, right)


def _name(item: Json, is_typed: bool) -> str | None:
    keys = [key for key in NAMING_KEYS if isinstance(item, Mapping) and key in item]
    return identity(item[keys[0]], is_typed) if keys else None


def normal(value: Json, is_typed: bool = False) -> Json:
    """Return a form that is equal for values with the same meaning. It is for comparison only.

    If it is typed, numbers and booleans are not equal to their texts, except in policies and functions.
    """
    if isinstance(value, dict) and not is_intrinsic(value):
        if is_document(value):
            return canonical_document(value)
        return {str(key): normal(inner, is_typed) for key, inner in value.items()}
    if isinstance(value, list):
        return [normal(item, is_typed) for item in value]
    if is_typed and isinstance(value, bool | int | float):
        return ["boolean" if isinstance(value, bool) else "number", value]
    return canonical(value)


def same(old: Json, new: Json, *, is_typed: bool = False) -> bool:
    """Return whether two values mean the same."""
    if type(old) is type(new) and not isinstance(old, list | dict) and old == new:
        return True  # True for most values, so the slower comparison is rare.
    return bool(normal(old, is_typed) == normal(new, is_typed))


def identity(value: Json, is_typed: bool = False) -> str:
    """Return a text that is equal for values that mean the same."""
    return json.dumps(normal(value, is_typed), sort_keys=True)


def literal(value: Json) -> str | None:
    """Return the text of a value without references, such as the joined lines of a handler; else None."""
    found = canonical(value)
    return found if isinstance(found, str) else None
