"""Sums what a template's functions reserve in the deployment that reserves most."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, product

from cfnlint.template import Template

from generator.checks.reservations.branches import Missing
from generator.checks.reservations.deployments import sources
from generator.checks.reservations.functions import FUNCTION_TYPES, functions, reservations
from generator.checks.reservations.guards import ALWAYS, Guard, Path, merge
from generator.checks.reservations.provisioned import PROVISIONED, provisions
from generator.checks.reservations.search import LEFT_OUT, Candidate, Item, heaviest
from generator.checks.reservations.source import Source
from generator.checks.reservations.values import Option
from generator.checks.reservations.wording import counted, listed

NESTED = (
    "AWS::CloudFormation::Stack",
    "AWS::CloudFormation::StackSet",
    "AWS::Serverless::Application",
    "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
)
"""What has its resources in another template."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one function reserves, or provisions without reserving, and the property that says so."""

    function: str
    """Or the version or alias that provisions."""
    reserved: int
    path: Path

    @property
    def is_provisioned(self) -> bool:
        """Whether it comes out of what the functions that reserve nothing share."""
        return PROVISIONED[0] in self.path


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The deployment of a template that reserves most."""

    shares: tuple[Share, ...]
    """Largest first; functions that reserve nothing are left out."""

    scenario: Guard
    """What has to hold for it: conditions, and values of parameters."""

    exact: bool
    """False when the search was cut short: some deployment reserves this, and another may reserve more."""

    unresolved: tuple[str, ...]
    """Functions whose figures the template does not tell, or not in every deployment. Not in the sum then."""

    elsewhere: tuple[str, ...]
    """What may bring functions that the template does not list: nested stacks and the like, modules, includes, macros,
    loops over a list that is not told. Not in the sum."""

    @property
    def total(self) -> int:
        """The sum of all shares."""
        return sum(share.reserved for share in self.shares)

    @property
    def complete(self) -> bool:
        """Whether no deployment can reserve more, as far as parameters have their defaults."""
        return self.exact and not self.unresolved and not self.elsewhere


def worst_case_reservations(template: Template) -> WorstCase:
    """What a template, already transformed by cfn-lint, reserves at the most in one deployment.

    Provisioned concurrency counts within the reservation of its function, and by itself where there is none. Source:
    Lambda Developer Guide, "Configuring provisioned concurrency": at most the unreserved account concurrency less 100.

    Conditions and the keys of mappings range over all that can be true together; a plain parameter has its default.
    Where cfn-lint was given parameters, each set of them is a deployment, and the one that reserves most is told.
    """
    return worst_of(sources(template))


def worst_of(deployments: Iterable[Source]) -> WorstCase:
    """The worst case of the deployment, of these, that reserves most."""
    return max(map(_worst_case, deployments), key=lambda case: case.total)


def uncounted(case: WorstCase, teller: str = "the template") -> str:
    """What is not in the sum, to go at the end of a sentence; empty when everything is."""
    functions_ = f"; not counted: {counted(len(case.unresolved), 'function')} that {teller} does not tell"
    elsewhere = f"; not looked into: {listed(case.elsewhere)}"
    return (functions_ if case.unresolved else "") + (elsewhere if case.elsewhere else "")


def verb(cases: Iterable[WorstCase]) -> str:
    """What the functions of these do to take their figures."""
    return "reserve or provision" if any(share.is_provisioned for case in cases for share in case.shares) else "reserve"


def _worst_case(source: Source) -> WorstCase:
    by_function = {function: _figures(source, function) for function in functions(source)}
    items: list[Item] = []
    for found in chain.from_iterable(by_function.values()):
        candidates = [Candidate(number, option.guard, option) for option in found if (number := option.known())]
        if candidates:
            items.append([*candidates, LEFT_OUT])
    combination = heaviest(source, items)
    picks = [pick.option for pick in combination.picks if pick.option] if combination else []
    shares = [Share(str(pick.path[1]), pick.known() or 0, pick.path) for pick in picks]
    return WorstCase(
        shares=tuple(sorted(shares, key=lambda share: (-share.reserved, share.function))),
        scenario=combination.guard if combination else ALWAYS,
        exact=combination.exact if combination else True,
        unresolved=tuple(
            function
            for function, figures in by_function.items()
            if any(option.number is Missing.UNKNOWN for option in chain.from_iterable(figures))
        ),
        elsewhere=tuple(_elsewhere(source)),
    )


def _figures(source: Source, function: str) -> list[list[Option]]:
    """The reservation of a function and, for when there is none, each figure that is provisioned for it."""
    reserved = reservations(source, function)
    without = [option.guard for option in reserved if option.number is Missing.ABSENT]
    provisioned = provisions(source, function) if without else []
    return [reserved, *([*_merged(found, without)] for found in provisioned)]


def _merged(found: Iterable[Option], guards: Sequence[Guard]) -> Iterator[Option]:
    for option, guard in product(found, guards):
        both = merge(option.guard, guard)
        if both is not None:
            yield replace(option, guard=both)


def _elsewhere(source: Source) -> Iterator[str]:
    yield from source.macros
    yield from source.of_type(*NESTED)
    for name, resource in source.resources.items():
        if name == "Fn::Transform" or str(resource.get("Type")).endswith("::MODULE"):
            yield name
    if any(resource.get("Type") in (*FUNCTION_TYPES, *NESTED) for resource in source.guessed):
        yield "Fn::ForEach"
