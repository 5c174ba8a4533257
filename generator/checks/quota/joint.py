"""Add up the reservations of several stacks in the one account and Region where they reserve most together.

Each stack may reserve most in a Region of its own; such figures share no quota and do not add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from generator.checks.quota.deployed import ACCOUNT, REGION, Deployed
from generator.checks.quota.worst_case import WorstCase, worst_case

PLACE = (REGION, ACCOUNT, "AWS::Partition")
"""The pseudo parameters in which all stacks agree that share a quota."""

OTHER = "another"
"""Stands for all values that a template does not mention, because it treats them alike."""


def worst_cases_together(templates: Iterable[Sequence[Deployed]]) -> list[WorstCase]:
    """Return the worst case of each template in the place where the sum of all is largest."""
    stacks = [_Stack(deployments) for deployments in templates]
    places = product(*(_values(stacks, name) for name in PLACE))
    cases = ([stack.worst_in(place) for stack in stacks] for place in places)
    return max(cases, key=lambda cases_: sum(case.total for case in cases_))


class _Stack:
    """One template. Places that it cannot tell from each other are examined once."""

    def __init__(self, deployments: Sequence[Deployed]) -> None:
        self.deployments = deployments
        self.mentioned = {
            name: frozenset[str]().union(*(stack.deployments.mentioned(name) for stack in deployments))
            for name in PLACE
        }
        self._known: dict[tuple[str, ...], WorstCase] = {}

    def worst_in(self, place: tuple[str, ...]) -> WorstCase:
        seen = tuple(
            value if value in self.mentioned[name] else OTHER for name, value in zip(PLACE, place, strict=True)
        )
        if seen not in self._known:
            pins = {name: [value] for name, value in zip(PLACE, seen, strict=True)}
            self._known[seen] = worst_case(stack.pinned(pins) for stack in self.deployments)
        return self._known[seen]


def _values(stacks: Sequence[_Stack], name: str) -> list[str]:
    """Return the values of a pseudo parameter: those it is pinned to, or all that a template mentions and another."""
    pinned = {
        value for stack in stacks for deployed in stack.deployments for value in deployed.deployments.pins.get(name, ())
    }
    return sorted(pinned) or [*sorted(frozenset[str]().union(*(stack.mentioned[name] for stack in stacks))), OTHER]
