"""What several stacks reserve in the one account and Region in which they reserve most together.

Each may reserve most in a Region of its own; such figures share no quota and do not add up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from cfnlint.template import Template

from generator.checks.reservations.deployments import sources
from generator.checks.reservations.places import PLACE, mentioned, pinned
from generator.checks.reservations.source import Source
from generator.checks.reservations.worst_case import WorstCase, worst_of

OTHER = "another"
"""Stands for all values that a template does not mention: they are the same to it."""

Place = tuple[str, ...]
"""A value for each of PLACE."""


def worst_cases_together(templates: Iterable[Template]) -> list[WorstCase]:
    """The worst case of each template in the place where the sum of all is largest."""
    stacks = [_Stack(sources(template)) for template in templates]
    places = product(*(_values(stacks, name) for name in PLACE))
    cases = ([stack.worst_in(place) for stack in stacks] for place in places)
    return max(cases, key=lambda found: sum(case.total for case in found))


class _Stack:
    """One template; the places that it cannot tell from each other are looked into once."""

    def __init__(self, deployments: Sequence[Source]) -> None:
        self.deployments = deployments
        self.mentioned = {
            name: frozenset[str]().union(*(mentioned(source, name) for source in deployments)) for name in PLACE
        }
        self._known: dict[Place, WorstCase] = {}

    def worst_in(self, place: Place) -> WorstCase:
        seen = tuple(
            value if value in self.mentioned[name] else OTHER for name, value in zip(PLACE, place, strict=True)
        )
        if seen not in self._known:
            pins = {name: [value] for name, value in zip(PLACE, seen, strict=True)}
            self._known[seen] = worst_of(pinned(source, pins) for source in self.deployments)
        return self._known[seen]


def _values(stacks: Sequence[_Stack], name: str) -> list[str]:
    """What a pseudo parameter may be: what the user named, or else what any template mentions, and something else."""
    deployments = [source for stack in stacks for source in stack.deployments]
    named = {value for source in deployments for value in source.parameters.get(name, {}).get("AllowedValues", ())}
    told = frozenset[str]().union(*(stack.mentioned[name] for stack in stacks))
    return sorted(named) or [*sorted(told), OTHER]
