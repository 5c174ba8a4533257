"""What has to hold for a template to say something: conditions that are true or false, parameters with a value."""

from __future__ import annotations

from typing import NamedTuple

Path = tuple[str | int, ...]
"""Where something stands in the template, key by key."""


class Equality(NamedTuple):
    """That a parameter, or a pseudo parameter such as AWS::Region, has a value."""

    parameter: str
    value: str


Fact = str | Equality
"""A condition's name, or an equality."""

Guard = frozenset[tuple[Fact, bool]]
"""Facts that are all true, or false, at once."""

ALWAYS: Guard = frozenset()


def merge(*guards: Guard) -> Guard | None:
    """All the guards together; None when they contradict each other on sight.

    That nothing contradicts on sight does not make a guard possible: the solver knows what conditions mean.
    """
    merged = ALWAYS.union(*guards)
    values: dict[str, str] = {}
    for fact, holds in merged:
        if (fact, not holds) in merged:
            return None
        if isinstance(fact, Equality) and holds and values.setdefault(fact.parameter, fact.value) != fact.value:
            return None
    return merged


def when(fact: Fact, holds: bool = True) -> Guard:
    """A guard of one fact."""
    return frozenset([(fact, holds)])
