"""One form for whatever means the same in a template, so that only a difference in meaning remains."""

from __future__ import annotations

import json
from typing import NamedTuple

from generator.diff.iam.grants import canonical_document, is_document
from generator.diff.intrinsics import is_intrinsic, plain
from generator.diff.model import Json


def normal(value: Json) -> Json:
    """Equal for values that mean the same; nothing else is promised about its form."""
    if isinstance(value, dict) and not is_intrinsic(value):
        if is_document(value):
            return canonical_document(value)
        return {str(key): normal(inner) for key, inner in value.items()}
    return [normal(item) for item in value] if isinstance(value, list) else plain(value)


def same(old: Json, new: Json) -> bool:
    """Whether two values mean the same."""
    if type(old) is type(new) and not isinstance(old, list | dict) and old == new:
        return True  # Most values; the long way is for the others.
    return bool(normal(old) == normal(new))


class Typed(NamedTuple):
    """A number or a boolean that is not the same as its text."""

    kind: str
    value: float | bool


def typed(value: Json) -> Json:
    """The value with its numbers and booleans told from text; policies do not tell them."""
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
    """The value as it was before `typed`."""
    match value:
        case Typed():
            return value.value
        case dict():
            return {key: untyped(inner) for key, inner in value.items()}
        case list():
            return [untyped(item) for item in value]
    return value


def identity(value: Json) -> str:
    """A text that is equal for values that mean the same."""
    return json.dumps(normal(value), sort_keys=True)


def literal(value: Json) -> str | None:
    """The text of a value that refers to nothing, such as the joined lines of a handler; None for any other."""
    found = plain(value)
    return found if isinstance(found, str) else None
