"""Add up the reservations of several stacks in the one account and Region where they reserve most together.

Each stack may reserve most in a Region of its own; such figures share no quota and do not add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from generator.checks.quota.variants import ACCOUNT, REGION, Variant
from generator.checks.quota.worst_case import WorstCase, worst_case

POOL = (REGION, ACCOUNT, "AWS::Partition")
"""The pseudo parameters in which all stacks agree that share a concurrency pool."""

OTHER = "another"
"""Stands for all values that a template does not mention, because it treats them alike."""


def worst_cases_together(stacks: Iterable[Sequence[Variant]]) -> list[WorstCase]:
    """Return the worst case of each stack in the pool where the sum of all is largest."""
    searches = [_Search(variants) for variants in stacks]
    pools = product(*(_values(searches, name) for name in POOL))
    cases = ([search.worst_in(pool) for search in searches] for pool in pools)
    return max(cases, key=lambda cases_: sum(case.total for case in cases_))


class _Search:
    """The worst cases of one stack. Pools that its template cannot tell from each other are examined once."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.variants = variants
        self.mentioned = {
            name: frozenset[str]().union(*(variant.space.mentioned(name) for variant in variants)) for name in POOL
        }
        self._known: dict[tuple[str, ...], WorstCase] = {}

    def worst_in(self, pool: tuple[str, ...]) -> WorstCase:
        seen = tuple(value if value in self.mentioned[name] else OTHER for name, value in zip(POOL, pool, strict=True))
        if seen not in self._known:
            pins = {name: [value] for name, value in zip(POOL, seen, strict=True)}
            self._known[seen] = worst_case(variant.pinned(pins) for variant in self.variants)
        return self._known[seen]


def _values(searches: Sequence[_Search], name: str) -> list[str]:
    """Return the values of a pseudo parameter: those it is pinned to, or all that a template mentions and another."""
    pinned = {value for search in searches for variant in search.variants for value in variant.space.pins.get(name, ())}
    return sorted(pinned) or [*sorted(frozenset[str]().union(*(search.mentioned[name] for search in searches))), OTHER]
