"""What may stand in the place of a property: every side of every Fn::If on the way to it, each with its facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import chain, islice
from typing import Any

from generator.checks.reservations.guards import ALWAYS, Guard, Path, merge, when
from generator.checks.reservations.source import Source

MAX_OPTIONS = 32
"""How many values one property is followed to; the largest are kept, and the rest counts as unknown.

Conditions grow with the square of a mapping's keys: 32 take the solver 0.2 s, 200 take it 5 s.
"""


class Missing(Enum):
    """Why a property has no number."""

    ABSENT = "the property is not there"
    UNKNOWN = "the template does not tell"


@dataclass(frozen=True, slots=True)
class Branch:
    """What stands in one place when its guard holds: an expression free of Fn::If, or why there is none."""

    value: Any
    guard: Guard
    path: Path


def present(source: Source, logical_id: str) -> Guard | None:
    """When a resource exists; None when its condition is not a name."""
    condition = source.resources[logical_id].get("Condition")
    if condition is None:
        return ALWAYS
    return when(str(condition)) if isinstance(condition, str) else None


def branches(source: Source, logical_id: str, *keys: str) -> list[Branch]:
    """What a property, named key by key, may be: every side of every Fn::If on the way to it."""
    guard = present(source, logical_id)
    if guard is None:
        return []
    found = [Branch(source.resources[logical_id].get("Properties", {}), guard, ("Resources", logical_id, "Properties"))]
    for key in keys:
        every_side = chain.from_iterable(sides(inside(branch, key)) for branch in found)
        found = list(islice(every_side, MAX_OPTIONS))
        if beyond := next(every_side, None):
            found.append(replace(beyond, value=Missing.UNKNOWN, guard=guard))
    return found


def sides(branch: Branch) -> Iterator[Branch]:
    """The sides of a Fn::If that the facts so far leave open, and of those inside it."""
    value = branch.value
    if value == {"Ref": "AWS::NoValue"}:
        yield replace(branch, value=Missing.ABSENT)
        return
    choice = value.get("Fn::If") if isinstance(value, dict) and len(value) == 1 else None
    if not (isinstance(choice, list) and len(choice) == 3 and isinstance(choice[0], str)):
        yield branch
        return
    for index, holds in ((1, True), (2, False)):
        guard = merge(branch.guard, when(str(choice[0]), holds))
        if guard is not None:
            yield from sides(Branch(choice[index], guard, (*branch.path, "Fn::If", index)))


def inside(branch: Branch, key: str) -> Branch:
    """One key further; an intrinsic function beside or instead of the keys may hold anything."""
    value, path = branch.value, (*branch.path, key)
    if isinstance(value, dict) and key in value:
        return Branch(value[key], branch.guard, path)
    if value is Missing.ABSENT or (isinstance(value, dict) and not any(_is_intrinsic(name) for name in value)):
        return Branch(Missing.ABSENT, branch.guard, path)
    return Branch(Missing.UNKNOWN, branch.guard, path)


def _is_intrinsic(name: object) -> bool:
    return name == "Ref" or str(name).startswith("Fn::")
