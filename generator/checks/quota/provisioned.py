"""Functions whose provisioned concurrency exceeds their own reservation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from generator.checks.quota.deployed import Deployed
from generator.checks.quota.functions import QUALIFIERS, reservations, usage, worst_of_each
from generator.template.conditions import ALWAYS, Candidate, Guard, merge
from generator.template.evaluation import Location, Option, options, sides
from generator.template.model import Template

PROVISIONED = ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")

LEFT_OUT: Candidate[Option] = Candidate(0, ALWAYS, None)
"""The option to ignore an item, where that can only make the sum smaller than it is."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A deployment in which a function has more provisioned than reserved."""

    function: str
    reserved: int
    provisioned: tuple[tuple[str, int, Location], ...]
    """Version, alias or SAM function with its figure and property, largest first."""

    scenario: Guard

    @property
    def total(self) -> int:
        """The sum of what is provisioned."""
        return sum(number for _, number, _ in self.provisioned)

    @property
    def missing(self) -> int:
        """What the reservation lacks."""
        return self.total - self.reserved


def excesses(stacks: Iterable[Deployed]) -> list[Excess]:
    """Return the worst deployment of each function that can have more provisioned than reserved."""
    return worst_of_each(stacks, _excess, lambda excess: excess.missing)


def provisions(template: Template, function: str) -> list[list[Option]]:
    """Return the figures of everything that belongs to a function: SAM's own, versions and aliases."""
    return [options(template, function, *PROVISIONED), *_of_qualifiers(template).get(function, ())]


@lru_cache(maxsize=2)
def _of_qualifiers(template: Template) -> dict[str, list[list[Option]]]:
    """Return by function what its versions and aliases provision."""
    found: dict[str, list[list[Option]]] = {}
    for qualifier in template.of_type(*QUALIFIERS):
        figures = options(template, qualifier, *PROVISIONED)
        for side in sides(template, qualifier, "FunctionName"):
            guarded = [
                Option(option.number, guard, option.location)
                for option in figures
                if (guard := merge(option.guard, side.guard)) is not None
            ]
            for function in usage(template).referenced(side.value):
                found.setdefault(function, []).append(guarded)
    return found


def _excess(stack: Deployed, function: str) -> Excess | None:
    provisioned = [found for one in provisions(stack.template, function) if len(found := _candidates(one)) > 1]
    reserved = [
        Candidate(-number, option.guard, option)
        for option in (reservations(stack.template, function) if provisioned else ())
        if (number := option.known()) is not None
    ]
    if not reserved:
        return None
    combination = stack.deployments.heaviest([reserved, *provisioned])
    if combination is None or combination.weight <= 0:
        return None
    picks = [(pick.weight, pick.option) for pick in combination.picks if pick.option]
    figures = [(str(option.location[1]), weight, option.location) for weight, option in picks if weight > 0]
    return Excess(
        function=function,
        reserved=sum(-weight for weight, _ in picks if weight < 0),
        provisioned=tuple(sorted(figures, key=lambda figure: (-figure[1], figure[0]))),
        scenario=combination.guard,
    )


def _candidates(found: list[Option]) -> list[Candidate[Option]]:
    return [LEFT_OUT, *(Candidate(number, option.guard, option) for option in found if (number := option.known()))]
