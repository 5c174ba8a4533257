"""Says in a finding what holds, and who has how much."""

from __future__ import annotations

from collections.abc import Sequence

from generator.template.conditions import Equality, Fact, Guard

MOST = 8
"""How many of a list a message names; the rest is counted."""


def in_scenario(guard: Guard) -> str:
    """When a finding holds, to go at the end of a sentence; empty when it always does."""
    facts = [_fact(fact, holds) for fact, holds in sorted(guard, key=_order)]
    return f", when {' and '.join(_first(facts, f'{len(facts) - MOST} more facts hold'))}" if facts else ""


def named(figures: Sequence[tuple[str, int]]) -> str:
    """Names with their figures, as given; of many, the first few and what the others have together."""
    others = f"and {len(figures) - MOST} more with {sum(figure for _, figure in figures[MOST:])}"
    return ", ".join(_first([f"{name} {figure}" for name, figure in figures], others))


def listed(names: Sequence[str]) -> str:
    """Names as given; of many, the first few and how many others there are."""
    return ", ".join(_first(names, f"and {len(names) - MOST} more"))


def counted(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _first(texts: Sequence[str], others: str) -> list[str]:
    """At most the first few, and then what is said of the others."""
    return [*texts[:MOST], others] if len(texts) > MOST else [*texts]


def _fact(fact: Fact, holds: bool) -> str:
    if isinstance(fact, Equality):
        return f"{fact.parameter} is {'' if holds else 'not '}{fact.value}"
    return f"{fact} is {'true' if holds else 'false'}"


def _order(item: tuple[Fact, bool]) -> tuple[bool, str]:
    """Conditions first, each kind by name: a set has no order of its own."""
    fact, _ = item
    return isinstance(fact, Equality), str(fact)
