"""Add up what the stacks reserve in each account and Region where they may go, and report where it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from generator.capacity.quota import AccountQuota
from generator.checks.findings import NOT_PROVEN, Finding, Severity
from generator.checks.lines import line_of
from generator.checks.quota.deployed import ACCOUNT, REGION, Deployed
from generator.checks.quota.joint import worst_cases_together
from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE, of_stacks, of_sum, place_of, sums
from generator.checks.quota.worst_case import WorstCase, invalid_figure, managed_apart
from generator.checks.units import ANY, Unit
from generator.errors import DisputedAccount, Fault
from generator.template.alternatives import Location
from generator.template.nesting import SEPARATOR, outermost
from generator.template.plan_files import as_written

OPTIONS = {
    "concurrency_limit": "--account-limit",
    "unreserved_floor": "--unreserved-floor",
    "reserved_elsewhere": "--reserved-elsewhere",
}

Quota = Callable[[str, str, Sequence["Stack"]], AccountQuota]
"""Returns the quota of an account and a Region for the stacks that may go there."""


class Stack(NamedTuple):
    """A stack with the deployment of it that reserves most in a place."""

    unit: Unit
    case: WorstCase

    @property
    def total(self) -> int:
        """The reservations that are known."""
        return self.case.total

    @property
    def largest(self) -> Location:
        """The place of the largest reservation in the file; empty if nothing is reserved."""
        return outermost(self.case.shares[0].location) if self.case.shares else ()

    @property
    def is_judged(self) -> bool:
        """Whether the rule is on for the stack and for the resource with its largest reservation."""
        return not self.unit.settings.ignores(SUM_RULE, self.largest)


class Place(NamedTuple):
    """An account and a Region, or ANY of them, with all stacks that may go there."""

    account: AccountQuota
    stacks: tuple[Stack, ...]
    """Largest first."""

    @property
    def total(self) -> int:
        """The reservations that are known."""
        return sum(stack.total for stack in self.stacks)

    @property
    def at_most(self) -> int:
        """A bound on the reservations that the templates state."""
        return sum(stack.case.at_most for stack in self.stacks)

    @property
    def is_judged(self) -> bool:
        """Whether the rule is on for any of the stacks: the sum then includes the others."""
        return any(stack.is_judged for stack in self.stacks)

    @property
    def is_exceeded(self) -> bool:
        """Whether the stacks are judged and reserve more than the account can give."""
        return self.is_judged and not self.account.holds(self.total)

    @property
    def cases(self) -> list[tuple[str, WorstCase]]:
        """Each stack's worst case with its name, or with the path of its file if the names are not unique."""
        names = [stack.unit.name for stack in self.stacks]
        if len(set(names)) < len(names):
            names = [str(stack.unit.path) for stack in self.stacks]
        return [(name, stack.case) for name, stack in zip(names, self.stacks, strict=True)]

    def __str__(self) -> str:
        """Return the sum beside what can be reserved."""
        where = place_of(self.account) or "any account and Region"
        apart = managed_apart([name for stack in self.stacks for name in stack.case.managed])
        text = f"{where}: {sums(self.cases)} reserved of {self.account.reservable:,} reservable{as_written(apart)}"
        return text if self.is_judged else f"{text}, not checked, because {SUM_RULE} is switched off"


def fullest(units: Sequence[Unit], quota: Quota) -> list[Place]:
    """Return the places in which the units reserve most, each with the units' worst case there.

    A place is left out if all of its stacks may also go to another place, and have no more headroom there.
    """
    largest: dict[tuple[int, ...], tuple[tuple[str, str], Place]] = {}
    for account, region in _candidates(units):
        members = tuple(number for number, unit in enumerate(units) if unit.may_go_to(account, region))
        known, at_known = largest.get(members, (("", ""), None))
        is_part_of_known = ANY in known and known[0] in (ANY, account) and known[1] in (ANY, region)
        if not members or (at_known and is_part_of_known):
            continue
        place = _place([units[number] for number in members], account, region, quota)
        if at_known is None or place.total > at_known.total:
            largest[members] = (account, region), place
    candidates = [(set(members), place) for members, (_, place) in largest.items()]
    kept = [place for members, place in candidates if not any(_covers(other, (members, place)) for other in candidates)]
    return sorted(kept, key=lambda place: (place.account.name, place.account.region))


def shared_account(stacks: Iterable[Stack], options: Mapping[str, int]) -> AccountQuota:
    """Return the account that all stacks state; `options` take precedence.

    Raises DisputedAccount if stacks state different figures.
    """
    units = [stack.unit for stack in stacks]
    figures, faults = dict(DEFAULT_ACCOUNT), []
    for key, option in OPTIONS.items():
        stated = [(unit.path, unit.settings.account[key]) for unit in units if key in unit.settings.account]
        if key in options:
            figures[key] = options[key]
        elif stated:
            first, figures[key] = stated[0]
            remedy = f"state the same for both, or give {option}"
            faults += [
                Fault(str(path), f"{key} is {figure} here and {figures[key]} for {first}, in one account", remedy)
                for path, figure in stated
                if figure != figures[key]
            ]
    if faults:
        raise DisputedAccount(faults)
    return AccountQuota(name="", region="", **figures)


def findings(places: Iterable[Place]) -> Iterator[Finding]:
    """Yield the findings of each place: over quota, possibly over quota, and everything that is not in the sum."""
    for place in places:
        if place.is_exceeded:
            yield from _too_much(place)
        elif place.is_judged and not place.account.holds(place.at_most):
            yield _uncertain(max(place.stacks, key=lambda stack: stack.case.at_most))
        if place.is_judged:
            yield from (gap for stack in place.stacks for gap in _gaps(stack))


def finding(path: Path, rule: str, location: Location, message: str) -> Finding:
    """Return the finding of a rule at a place inside a file."""
    severity = Severity.ERROR if rule.startswith("E") else Severity.WARNING
    return Finding(str(path), line_of(path, location), rule, severity, "/".join(map(str, location)), message)


def _candidates(units: Sequence[Unit]) -> list[tuple[str, str]]:
    """Return every account and Region of a unit, and beside them any, in every combination."""
    accounts = sorted({ANY, *(unit.account for unit in units)})
    pinned = {region for unit in units for stack in unit.deployed for region in stack.deployments.pins.get(REGION, ())}
    regions = sorted({ANY, *pinned, *(unit.region for unit in units)})
    return [(account, region) for account in accounts for region in regions]


def _place(units: Sequence[Unit], account: str, region: str, quota: Quota) -> Place:
    pinned = [[_in_place(stack, account, region) for stack in unit.deployed] for unit in units]
    stacks = [Stack(unit, case) for unit, case in zip(units, worst_cases_together(pinned), strict=True)]
    stacks.sort(key=lambda stack: (-stack.total, stack.unit.name, str(stack.unit.path)))
    return Place(quota(account, region, stacks), tuple(stacks))


def _in_place(stack: Deployed, account: str, region: str) -> Deployed:
    pins = {**({ACCOUNT: [account]} if account else {}), **({REGION: [region]} if region else {})}
    return stack.pinned({**stack.deployments.pins, **pins}) if pins else stack


def _covers(one: tuple[set[int], Place], other: tuple[set[int], Place]) -> bool:
    """Return whether one place has all stacks of the other, at least as much reserved, and no more headroom."""
    (members, place), (other_members, other_place) = one, other
    is_larger = other_members < members and place.total >= other_place.total and place.at_most >= other_place.at_most
    is_same = (place.account.name, place.account.region) == (other_place.account.name, other_place.account.region)
    return is_larger and (is_same or place.account.reservable <= other_place.account.reservable)


def _too_much(place: Place) -> Iterator[Finding]:
    """Yield one finding, at the largest reservation of a stack for which the rule is on."""
    for stack in place.stacks:
        if stack.is_judged and stack.largest:
            is_alone = len(place.stacks) == 1
            noun = "functions" if any(stack_.unit.is_plan for stack_ in place.stacks) else "stacks"
            message = of_sum(stack.case, place.account) if is_alone else of_stacks(place.cases, place.account, noun)
            yield finding(stack.unit.path, SUM_RULE, stack.largest, message)
            return


def _uncertain(stack: Stack) -> Finding:
    """Return the finding that a stack may reserve more than was found, because the search stopped early."""
    what = f"the functions may reserve up to {stack.case.at_most:,}, because not all conditions could be examined"
    return finding(stack.unit.path, NOT_PROVEN, stack.largest, f"{what}; simplify the conditions")


def _gaps(stack: Stack) -> Iterator[Finding]:
    """Yield a finding for each part of a stack that is not in its sum."""
    unread = {name: reason for stack_ in stack.unit.deployed for name, reason in stack_.unread.items()}
    for name in stack.case.elsewhere:
        if name in unread:
            remedy = "" if "; " in unread[name] else f"; {_OF_CHILD}"
            what = f"{name} is not counted: {unread[name]}{remedy}"
        else:
            expanded = "check the template after its macros, includes, modules and loops are expanded"
            remedy = _OF_CHILD if stack.unit.is_plan else expanded
            what = f"{name} may reserve or provision concurrency, which is not counted; {remedy}"
        yield _gap(stack, name, what)
    for name in stack.case.unresolved:
        yield _gap(stack, name, _unresolved(stack.unit, name))


_OF_CHILD = "check its template, and give what it reserves with --reserved-elsewhere"


def _unresolved(unit: Unit, name: str) -> str:
    """Return the text of the finding that a figure is not counted."""
    templates = [stack.template for stack in unit.deployed if name in stack.template.resources]
    if invalid := next((text for template in templates if (text := invalid_figure(template, name))), None):
        return f"{name} states {invalid} as its concurrency, so it is not counted; write 0 or more"
    source = "plan" if unit.is_plan else "template"
    remedy = ", or state the parameters in .cfnlintrc" if unit.has_settings else ""
    remedy = ", or give its parameters in the parent" if SEPARATOR in name else remedy
    what = f"the {source} does not state what {name} reserves or provisions, so it is not counted"
    return f"{what}; write the figure{remedy}"


def _gap(stack: Stack, name: str, what: str) -> Finding:
    return finding(stack.unit.path, NOT_PROVEN, ("Resources", name.partition(SEPARATOR)[0]), what)
