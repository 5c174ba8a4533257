"""Find the deployment of a template, or of several stacks in one pool, in which the functions reserve most."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, product
from typing import NamedTuple

from generator._format import counted, listed
from generator.aws import PROVISIONED_DIMENSION
from generator.checks.quota.functions import (
    FUNCTION_TYPES,
    LEFT_OUT,
    MAXIMUM,
    PROVISIONED,
    QUALIFIERS,
    RESERVED,
    TARGET,
    added,
    functions,
    may_be_managed,
    provisions,
    reservations,
    within,
    without_function,
)
from generator.checks.quota.variants import ACCOUNT, REGION, Variant
from generator.template.alternatives import Figure, Location, Missing, alternatives, present
from generator.template.guards import ALWAYS, Guard
from generator.template.intrinsics import Json, as_mapping, is_intrinsic, literal_text, whole_number
from generator.template.model import Section, Template
from generator.template.nesting import NESTED, SEPARATOR
from generator.template.search import heaviest
from generator.template.transforms import is_loop

FROM_TEMPLATES = (
    *NESTED,
    "AWS::CloudFormation::StackSet",
    "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
    "LocalModule",
)
"""Types that create resources from another template. The AWS CLI replaces a LocalModule before the deployment."""

POOL_PARAMETERS = (REGION, ACCOUNT, "AWS::Partition")
"""The pseudo parameters that have the same values for all stacks in one pool of concurrency."""

OTHER = "another"
"""Stands for all values that a template does not mention, because it treats them alike."""


class Share(NamedTuple):
    """The reservation of one function, or its provisioned concurrency if it reserves none, and the stating property."""

    function: str
    """Or the version, alias or scalable target that provisions."""
    reserved: int
    location: Location

    @property
    def is_provisioned(self) -> bool:
        """Whether it comes out of what the functions share that reserve nothing."""
        return PROVISIONED[0] in self.location or MAXIMUM in self.location


class WorstCase(NamedTuple):
    """The deployment of a template that reserves most."""

    shares: tuple[Share, ...]
    """Largest first; functions that reserve nothing are left out."""

    scenario: Guard
    """The conditions and the parameter values under which it occurs."""

    at_most: int
    """A bound on the sum in every deployment. It exceeds the sum if the search stopped early."""

    unresolved: tuple[str, ...]
    """Functions whose figures the template does not state, or not in every deployment, and versions, aliases and
    scalable targets whose function it does not state. Not in the sum then."""

    not_examined: tuple[str, ...]
    """Everything that may take concurrency through resources that the template does not list: nested stacks, modules,
    includes, macros, loops over an unknown list. Not in the sum."""

    managed: tuple[str, ...] = ()
    """Functions that may run on Lambda Managed Instances. They take nothing from the account's pool then."""

    @property
    def total(self) -> int:
        """The sum of all shares."""
        return sum(share.reserved for share in self.shares)

    @property
    def search_finished(self) -> bool:
        """Whether the search has found the deployment with the largest sum. The sum may still leave something out."""
        return self.at_most <= self.total

    @property
    def is_proven(self) -> bool:
        """Whether no deployment reserves more than the sum: the search finished and everything is counted."""
        return self.fits(self.total)

    def fits(self, reservable: int) -> bool:
        """Return whether every deployment fits, as long as parameters that state a figure have their defaults."""
        return self.at_most <= reservable and not self.unresolved and not self.not_examined

    def __str__(self) -> str:
        """Return the sum, or its bounds."""
        return f"{self.total:,}" if self.search_finished else f"{self.total:,} to {self.at_most:,}"


def worst_case(variants: Iterable[Variant]) -> WorstCase:
    """Return the worst case of the deployment, of these, that reserves most, with what any of them leaves open.

    Provisioned concurrency counts within the reservation of its function, and by itself if there is none. Source:
    Lambda Developer Guide, "Configuring provisioned concurrency": at most the unreserved account concurrency less 100.

    Conditions and the keys of mappings range over all that can be true together; a parameter that states a figure has
    its default.
    """
    cases = [*map(_worst_case, variants)]
    worst = max(cases, key=lambda case: case.total)
    if len(cases) == 1:
        return worst
    return worst._replace(
        at_most=max(case.at_most for case in cases),
        unresolved=tuple(dict.fromkeys(name for case in cases for name in case.unresolved)),
        not_examined=tuple(dict.fromkeys(name for case in cases for name in case.not_examined)),
        managed=tuple(dict.fromkeys(name for case in cases for name in case.managed)),
    )


def worst_cases_together(stacks: Iterable[Sequence[Variant]]) -> list[WorstCase]:
    """Return the worst case of each stack in the one account and Region where the sum of all is largest.

    Each stack may reserve most in a Region of its own; such figures share no quota and do not add up. If stack A
    reserves 100 in eu-west-1 and 10 in every other Region, and stack B does so with us-east-1, both together reserve
    110.
    """
    searches = list(map(_StackSearch, stacks))
    pools = product(*(_values(searches, name) for name in POOL_PARAMETERS))
    cases = ([search.worst_in(pool) for search in searches] for pool in pools)
    return max(cases, key=lambda cases_: sum(case.total for case in cases_))


class _StackSearch:
    """The worst cases of one stack. Pools that its template cannot tell from each other are examined once."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.spaces = [variant.space for variant in variants]
        self.mentioned = {
            name: {value for space in self.spaces for value in space.mentioned(name)} for name in POOL_PARAMETERS
        }
        self._variants = variants
        self._known: dict[tuple[str, ...], WorstCase] = {}

    def worst_in(self, pool: tuple[str, ...]) -> WorstCase:
        named = zip(POOL_PARAMETERS, pool, strict=True)
        as_seen = tuple(value if value in self.mentioned[name] else OTHER for name, value in named)
        if as_seen not in self._known:
            pins = {name: [value] for name, value in zip(POOL_PARAMETERS, as_seen, strict=True)}
            self._known[as_seen] = worst_case(variant.pinned(pins) for variant in self._variants)
        return self._known[as_seen]


def _values(searches: Sequence[_StackSearch], name: str) -> list[str]:
    """Return the values of a pseudo parameter: those it is pinned to, or all that a template mentions and another."""
    pinned = {value for search in searches for space in search.spaces for value in space.pins.get(name, ())}
    return sorted(pinned) or [*sorted({value for search in searches for value in search.mentioned[name]}), OTHER]


def uncounted(case: WorstCase, source: str = "the template") -> str:
    """Return the parts that are not in the sum, to end a sentence with; empty if everything is."""
    functions_ = f"; not counted: {counted(len(case.unresolved), 'function')} whose figure {source} does not state"
    others = f"; not examined: {listed(case.not_examined)}"
    notes = ((functions_, case.unresolved), (others, case.not_examined))
    return "".join(text for text, names in notes if names) + managed_instances_note(case.managed)


def managed_instances_note(functions_: Sequence[str]) -> str:
    """Return the functions that take nothing from the pool, to go at the end of a sentence; empty without any."""
    return f"; on Lambda Managed Instances, with quotas of their own: {listed(functions_)}" if functions_ else ""


def invalid_figure(template: Template, name: str) -> str | None:
    """Return what a resource states as its concurrency although it is not a whole number; None without such a figure.

    The text is JSON.
    """
    for keys in ((RESERVED,), PROVISIONED, (MAXIMUM,)):
        for value in (alternative.value for alternative in alternatives(template, name, *keys)):
            if literal_text(value) is not None and whole_number(value) is None:
                return json.dumps(value)
    return None


def _worst_case(variant: Variant) -> WorstCase:
    by_function = {function: _figures(variant.template, function) for function in functions(variant.template)}
    choices = [added(figures_) for figures_ in chain.from_iterable(by_function.values())]
    decisions = [[LEFT_OUT, *figures_] for figures_ in choices if figures_]
    combination = heaviest(variant.space, decisions)
    chosen = [choice.figure for choice in combination.choices if choice.figure] if combination else []
    shares = [Share(str(figure.location[1]), figure.known() or 0, figure.location) for figure in chosen]
    return WorstCase(
        shares=tuple(sorted(shares, key=lambda share: (-share.reserved, share.function))),
        scenario=combination.guard if combination else ALWAYS,
        at_most=combination.at_most if combination else 0,
        unresolved=(
            *(
                function
                for function, figures in by_function.items()
                if present(variant.template, function) is None
                or any(
                    figure.number is Missing.UNKNOWN or not variant.space.can_read(figure.guard)
                    for figure in chain.from_iterable(figures)
                )
            ),
            *without_function(variant.template),
        ),
        not_examined=tuple(_not_examined(variant.template)),
        managed=tuple(name for name in by_function if may_be_managed(variant.template, name)),
    )


def _figures(template: Template, function: str) -> list[list[Figure]]:
    """Return the reservation of a function and, for when there is none, each figure that is provisioned for it."""
    reserved = reservations(template, function)
    without = [figure.guard for figure in reserved if figure.number is Missing.ABSENT]
    provisioned = provisions(template, function) if without else []
    return [reserved, *(within(figures, without) for figures in provisioned)]


def _not_examined(template: Template) -> Iterator[str]:
    yield from template.macros
    yield from template.malformed
    yield from (name for name, resource in template.resources.items() if _may_be_several(resource))
    yield from (
        name for name, content in template.opaque.items() if _may_create(name.rpartition(SEPARATOR)[2], content)
    )


def _may_be_several(resource: Section) -> bool:
    """Return whether a resource stands for a template of its own, or for what an include puts into it."""
    kind = resource.get("Type")
    is_text = isinstance(kind, str) and "Fn::Transform" not in resource
    return not is_text or kind in FROM_TEMPLATES or str(kind).endswith("::MODULE")


def _may_create(name: str, content: Json) -> bool:
    """Return whether a loop, an include or a resource inside a loop may take concurrency."""
    name = name.rpartition(SEPARATOR)[2]
    if is_loop(name, content):
        return any(_may_create(str(key), inner) for key, inner in content[2].items())
    resource = as_mapping(content)
    if name.startswith("Fn::") or _may_be_several(resource):
        return True
    kind, properties = resource["Type"], resource.get("Properties")
    if kind in FUNCTION_TYPES or "{" in kind:
        return True
    if is_intrinsic(properties):
        return kind in (*QUALIFIERS, TARGET)
    dimension = as_mapping(properties).get("ScalableDimension", PROVISIONED_DIMENSION)
    is_target = kind == TARGET and (not isinstance(dimension, str) or dimension == PROVISIONED_DIMENSION)
    return is_target or (kind in QUALIFIERS and PROVISIONED[0] in as_mapping(properties))
