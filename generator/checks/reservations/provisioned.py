"""Finds functions whose provisioned concurrency exceeds their own reservation."""

from __future__ import annotations

from dataclasses import dataclass

from cfnlint.template import Template

from generator.checks.reservations.branches import branches
from generator.checks.reservations.functions import is_reference, reservations, worst_of_each
from generator.checks.reservations.guards import Guard, Path, merge
from generator.checks.reservations.search import LEFT_OUT, Candidate, Item, heaviest
from generator.checks.reservations.source import Source
from generator.checks.reservations.values import Option, options

PROVISIONED = ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")


@dataclass(frozen=True, slots=True)
class Excess:
    """A deployment in which a function has more provisioned than reserved."""

    function: str
    reserved: int
    provisioned: tuple[tuple[str, int, Path], ...]
    """Version, alias or SAM function with its figure and property, largest first."""

    scenario: Guard

    @property
    def total(self) -> int:
        """What is provisioned together."""
        return sum(number for _, number, _ in self.provisioned)

    @property
    def missing(self) -> int:
        """What the reservation lacks."""
        return self.total - self.reserved


def excesses(template: Template) -> list[Excess]:
    """The worst deployment of each function that has one with more provisioned than reserved."""
    return worst_of_each(template, _excess, lambda excess: excess.missing)


def _excess(source: Source, function: str) -> Excess | None:
    reserved: Item = [
        Candidate(-number, option.guard, option)
        for option in reservations(source, function)
        if (number := option.known()) is not None
    ]
    provisioned = [_candidates(found) for found in provisions(source, function)]
    if not reserved or not provisioned:
        return None
    combination = heaviest(source, [reserved, *provisioned])
    if combination is None or combination.weight <= 0:
        return None
    picks = [(pick.weight, pick.option) for pick in combination.picks if pick.option]
    figures = [(str(option.path[1]), weight, option.path) for weight, option in picks if weight > 0]
    return Excess(
        function=function,
        reserved=sum(-weight for weight, _ in picks if weight < 0),
        provisioned=tuple(sorted(figures, key=lambda figure: (-figure[1], figure[0]))),
        scenario=combination.guard,
    )


def _candidates(found: list[Option]) -> Item:
    return [LEFT_OUT, *(Candidate(number, option.guard, option) for option in found if (number := option.known()))]


def provisions(source: Source, function: str) -> list[list[Option]]:
    """The figures of everything that belongs to a function: SAM's own, versions and aliases."""
    found = [options(source, function, *PROVISIONED)]
    for qualifier in source.of_type("AWS::Lambda::Version", "AWS::Lambda::Alias"):
        for branch in branches(source, qualifier, "FunctionName"):
            if is_reference(source, branch.value, function):
                found.append(
                    [
                        Option(option.number, guard, option.path)
                        for option in options(source, qualifier, *PROVISIONED)
                        if (guard := merge(option.guard, branch.guard)) is not None
                    ]
                )
    return found
