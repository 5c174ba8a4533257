"""Add up the reservations of several stacks in the one account and Region where they reserve most together.

Each stack may reserve most in a Region of its own; such figures share no quota and do not add up. If stack A reserves
100 in eu-west-1 and 10 in every other Region, and stack B does so with us-east-1, both together reserve 110.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from generator.checks.quota.variants import ACCOUNT, REGION, Variant
from generator.checks.quota.worst_case import WorstCase, worst_case

POOL_PARAMETERS = (REGION, ACCOUNT, "AWS::Partition")
"""The pseudo parameters that have the same values for all stacks in one pool of concurrency."""

PoolValues = tuple[str, ...]
"""A value for each of them."""

OTHER = "another"
"""Stands for all values that a template does not mention, because it treats them alike."""


def worst_cases_together(stacks: Iterable[Sequence[Variant]]) -> list[WorstCase]:
    """Return the worst case of each stack in the pool where the sum of all is largest."""
    searches = [_StackSearch(variants) for variants in stacks]
    pools = product(*(_values(searches, name) for name in POOL_PARAMETERS))
    cases = ([search.worst_in(pool) for search in searches] for pool in pools)
    return max(cases, key=lambda cases_: sum(case.total for case in cases_))


class _StackSearch:
    """The worst cases of one stack. Pools that its template cannot tell from each other are examined once."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.variants = variants
        self.mentioned = {
            name: frozenset[str]().union(*(variant.space.mentioned(name) for variant in variants))
            for name in POOL_PARAMETERS
        }
        self._known: dict[PoolValues, WorstCase] = {}

    def worst_in(self, pool: PoolValues) -> WorstCase:
        as_seen = tuple(
            value if value in self.mentioned[name] else OTHER for name, value in zip(POOL_PARAMETERS, pool, strict=True)
        )
        if as_seen not in self._known:
            pins = {name: [value] for name, value in zip(POOL_PARAMETERS, as_seen, strict=True)}
            self._known[as_seen] = worst_case(variant.pinned(pins) for variant in self.variants)
        return self._known[as_seen]


def _values(searches: Sequence[_StackSearch], name: str) -> list[str]:
    """Return the values of a pseudo parameter: those it is pinned to, or all that a template mentions and another."""
    pinned = {value for search in searches for variant in search.variants for value in variant.space.pins.get(name, ())}
    return sorted(pinned) or [*sorted(frozenset[str]().union(*(search.mentioned[name] for search in searches))), OTHER]
