"""Guards: the conditions and parameter values under which a value of a template applies.

A guard is a set of facts: a condition is true or false, a parameter has a value or does not have it.
"""

from __future__ import annotations

from typing import NamedTuple


class Equality(NamedTuple):
    """The fact that a parameter, or a pseudo parameter such as AWS::Region, has a value."""

    parameter: str
    value: str


Fact = str | Equality
"""A condition's name, or an equality."""

Guard = frozenset[tuple[Fact, bool]]
"""Facts, each with whether it is true. All of them apply at once."""

ALWAYS: Guard = frozenset()


def merge(*guards: Guard) -> Guard | None:
    """Return the union of the guards, or None if two of their facts contradict each other literally.

    A merged guard may still be impossible, because of the meaning of its conditions: ask `search.possible`.
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
    """Return a guard of one fact."""
    return frozenset([(fact, holds)])


def described(fact: Fact, holds: bool = True) -> str:
    """Return a fact as text. The name of a condition that a loop adds is a description, with spaces."""
    if isinstance(fact, Equality):
        return f"{fact.parameter} is {'' if holds else 'not '}{fact.value}"
    if " " in fact:
        return fact if holds else f"not ({fact})"
    return f"{fact} is {'true' if holds else 'false'}"
