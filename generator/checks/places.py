"""Judge stacks in every account and Region to which they may go together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from generator.capacity.quota import AccountQuota
from generator.checks.findings import NOT_PROVEN, Finding, Severity
from generator.checks.quota.deployed import ACCOUNT, REGION, Deployed
from generator.checks.quota.joint import worst_cases_together
from generator.checks.quota.messages import of_sum
from generator.checks.quota.worst_case import WorstCase
from generator.checks.stacks import RULE, Stack, place_of, shortfall, sums, unread_in
from generator.checks.units import ANY, Unit
from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.nesting import SEPARATOR, outermost

_WORD = r"""[^\s"',{}\[\]:]"""
_KEY = re.compile(rf"""(?<!:)(?<!{_WORD})({_WORD}++(?:::{_WORD}++)*+)["']?\s*+:(?!:)""")

Quota = Callable[[str, str, Sequence[Stack]], AccountQuota]
"""Returns the quota of an account and a Region for the stacks that may go there."""


@dataclass(frozen=True, slots=True)
class Place:
    """An account and a Region, each of which may be any, with all stacks that may go there."""

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
        return sum(stack.case.at_most for stack in self.stacks if stack.case)

    def __str__(self) -> str:
        """Return the sum beside what can be reserved."""
        where = place_of(self.account.name, self.account.region) or "any account and Region"
        return f"{where}: {sums(self.stacks)} reserved of {self.account.reservable:,} reservable"


def judged(units: Sequence[Unit], quota: Quota) -> list[Place]:
    """Return the places in which the units reserve most, each with the units' worst case there.

    A place is left out if all of its stacks may go to another one where they have no more room.
    """
    found: dict[tuple[int, ...], tuple[tuple[str, str], Place]] = {}
    for account, region in _candidates(units):
        members = tuple(number for number, unit in enumerate(units) if unit.may_go_to(account, region))
        known = found.get(members)
        if not members or (
            known and ANY in known[0] and known[0][0] in (ANY, account) and known[0][1] in (ANY, region)
        ):
            continue
        place = _judged([units[number] for number in members], account, region, quota)
        if known is None or place.total > known[1].total:
            found[members] = (account, region), place
    every = [(set(members), place) for members, (_, place) in found.items()]
    kept = [place for members, place in every if not any(_covers(other, (members, place)) for other in every)]
    return sorted(kept, key=lambda place: (place.account.name, place.account.region))


def findings(places: Iterable[Place]) -> list[Finding]:
    """Return one finding for each place that cannot hold its stacks."""
    return [finding for place in places for finding in _too_much(place)]


def gaps(stack: Stack) -> Iterator[Finding]:
    """Yield a finding for whatever of a stack is not in its sum."""
    if not stack.case:
        return
    for name in stack.case.elsewhere:
        reason = stack.unread.get(name)
        what = f"{name} is not counted: {reason}" if reason else f"{name} may create functions, which are not counted"
        yield _gap(stack, name, f"{what}; {_remedy_for(reason)}")
    for name in stack.case.unresolved:
        what = f"the template does not state what {name} reserves or provisions, so it is not counted"
        yield _gap(stack, name, f"{what}; write the figure, or state the parameters in .cfnlintrc")


def uncertain(places: Iterable[Place]) -> Iterator[Finding]:
    """Yield a finding for each place that may reserve too much, because the search for the worst case stopped early."""
    for place in places:
        if place.account.holds(place.total) and not place.account.holds(place.at_most):
            yield from beyond(max(place.stacks, key=lambda one: one.case.at_most if one.case else 0))


def beyond(stack: Stack) -> Iterator[Finding]:
    """Yield a finding that a stack may reserve more than was found, because the search stopped early."""
    if stack.case:
        what = f"the functions may reserve up to {stack.case.at_most:,}, because not all conditions could be examined"
        yield _gap(stack, "", f"{what}; simplify the conditions")


def _candidates(units: Sequence[Unit]) -> list[tuple[str, str]]:
    """Return every account and Region of a unit, and beside them any, in every combination."""
    accounts = sorted({ANY, *(unit.account for unit in units)})
    pinned = {region for unit in units for one in unit.deployed for region in one.deployments.pins.get(REGION, ())}
    regions = sorted({ANY, *pinned, *(unit.region for unit in units)})
    return [(account, region) for account in accounts for region in regions]


def _judged(units: Sequence[Unit], account: str, region: str, quota: Quota) -> Place:
    pinned = [[_in_place(one, account, region) for one in unit.deployed] for unit in units]
    cases = worst_cases_together(pinned)
    stacks = [_stack(unit, case) for unit, case in zip(units, cases, strict=True)]
    stacks.sort(key=lambda stack: (-stack.total, stack.name, str(stack.path)))
    place = Place(quota(account, region, stacks), tuple(stacks))
    return place if place.account.holds(place.at_most) else replace(place, stacks=tuple(map(_located, stacks)))


def _in_place(one: Deployed, account: str, region: str) -> Deployed:
    pins = {**({ACCOUNT: [account]} if account else {}), **({REGION: [region]} if region else {})}
    return one.pinned({**one.deployments.pins, **pins}) if pins else one


def _stack(unit: Unit, case: WorstCase) -> Stack:
    is_judged = not unit.stated.is_ignored
    unread = unread_in(unit.deployed)
    return Stack(unit.path, case, 1, unit.stated.account, is_judged, unread, unit.name, unit.held)


def _located(stack: Stack) -> Stack:
    """Return a stack with the line of its largest reservation, which only a finding needs."""
    shares = stack.case.shares if stack.case else ()
    return replace(stack, line=line_of(stack.path, shares[0].function)) if shares else stack


def line_of(path: Path, name: str) -> int:
    """Return the first line that declares a logical id; 1 if no line does."""
    found = reading.status(path)
    return _lines(path, found.st_mtime_ns, found.st_ino).get(name.partition(SEPARATOR)[0], 1) if found else 1


@lru_cache(maxsize=2)
def _lines(path: Path, _changed_ns: int, _file: int) -> dict[str, int]:
    """Return the first line of each key of a template, for the many findings that a template may have."""
    try:
        text = reading.text_of(path)
    except UnreadableTemplate:
        return {}
    lines: dict[str, int] = {}
    line, end = 1, 0
    for key in _KEY.finditer(text):
        line, end = line + text.count("\n", end, key.end()), key.end()
        lines.setdefault(key[1], line)
    return lines


def _covers(other: tuple[set[int], Place], one: tuple[set[int], Place]) -> bool:
    """Return whether a place has all stacks of another one, with at least as much reserved and no more room."""
    (members, place), (own, found) = other, one
    is_larger = own < members and place.total >= found.total and place.at_most >= found.at_most
    is_same = (place.account.name, place.account.region) == (found.account.name, found.account.region)
    return is_larger and (is_same or place.account.reservable <= found.account.reservable)


def _too_much(place: Place) -> list[Finding]:
    """Return a finding if the place cannot hold its stacks, at the largest reservation."""
    if len(place.stacks) > 1:
        return shortfall(place.stacks, place.account)
    (stack,) = place.stacks
    if place.account.holds(stack.total) or not (stack.case and stack.is_judged):
        return []
    location = outermost(stack.case.shares[0].location)
    where = place_of(place.account.name, place.account.region)
    message = f"In {where}: {of_sum(stack.case, place.account)}" if where else of_sum(stack.case, place.account)
    return [Finding(str(stack.path), stack.line, RULE, Severity.ERROR, "/".join(map(str, location)), message)]


def _gap(stack: Stack, name: str, what: str) -> Finding:
    place = f"Resources/{name.partition(SEPARATOR)[0]}" if name else ""
    return Finding(
        str(stack.path), line_of(stack.path, name) if name else stack.line, NOT_PROVEN, Severity.WARNING, place, what
    )


def _remedy_for(reason: str | None) -> str:
    """Return what to do about something that is not counted."""
    if reason is None:
        return "check the template after its macros, includes, modules and loops are expanded"
    return "add its template to the folder, or check it and give what it reserves with --reserved-elsewhere"
