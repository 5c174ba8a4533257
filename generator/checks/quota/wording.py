"""Describe in words when a finding holds."""

from __future__ import annotations

from generator._format import MOST_LISTED, shortened
from generator.template.conditions import Equality, Fact, Guard


def in_scenario(guard: Guard) -> str:
    """Return the conditions under which a finding holds, to end a sentence with; empty if it always holds."""
    facts = [_fact(fact, holds) for fact, holds in sorted(guard, key=_order)]
    named = shortened(facts, f"{len(facts) - MOST_LISTED} more facts hold")
    return f", when {' and '.join(named)}" if facts else ""


def _fact(fact: Fact, holds: bool) -> str:
    if isinstance(fact, Equality):
        return f"{fact.parameter} is {'' if holds else 'not '}{fact.value}"
    return f"{fact} is {'true' if holds else 'false'}"


def _order(item: tuple[Fact, bool]) -> tuple[bool, str]:
    """Sort conditions first and each kind by name, because a set has no order."""
    fact, _ = item
    return isinstance(fact, Equality), str(fact)
