"""Says in a finding what holds, and who has how much."""

from __future__ import annotations

from collections.abc import Sequence

from generator.reservations.guards import Equality, Fact, Guard

MOST = 8
"""How many of a list a message names; the rest is counted."""


def in_scenario(guard: Guard) -> str:
    """When a finding holds, to go at the end of a sentence; empty when it always does."""
    facts = [_fact(fact, holds) for fact, holds in sorted(guard, key=_order)]
    return f", when {_listed(facts)}" if facts else ""


def named(figures: Sequence[tuple[str, int]]) -> str:
    """Names with their figures, as given; of many, the first few and what the others have together."""
    listed = [f"{name} {figure}" for name, figure in figures[:MOST]]
    if others := figures[MOST:]:
        listed.append(f"and {len(others)} more with {sum(figure for _, figure in others)}")
    return ", ".join(listed)


def _listed(facts: Sequence[str]) -> str:
    more = [f"{len(facts) - MOST} more facts hold"] if len(facts) > MOST else []
    return " and ".join([*facts[:MOST], *more])


def _fact(fact: Fact, holds: bool) -> str:
    if isinstance(fact, Equality):
        return f"{fact.parameter} is {'' if holds else 'not '}{fact.value}"
    return f"{fact} is {'true' if holds else 'false'}"


def _order(item: tuple[Fact, bool]) -> tuple[bool, str]:
    """Conditions first, each kind by name: a set has no order of its own."""
    fact, _ = item
    return isinstance(fact, Equality), str(fact)


def listed(names: Sequence[str]) -> str:
    """Names as given; of many, the first few and how many others there are."""
    others = [f"and {len(names) - MOST} more"] if len(names) > MOST else []
    return ", ".join([*names[:MOST], *others])


def counted(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
