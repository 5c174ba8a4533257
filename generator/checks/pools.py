"""Add up what the stacks reserve in each pool where they may go, and report where it does not fit.

Lambda has one pool of concurrency for each account and Region. Source: AWS Lambda Developer Guide, "Lambda quotas".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from generator.capacity.quota import AccountQuota
from generator.checks.findings import NOT_PROVEN, Finding, Severity
from generator.checks.lines import written_place
from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE, of_stacks, of_sum, pool_name, sums
from generator.checks.quota.variants import ACCOUNT, REGION
from generator.checks.quota.worst_case import WorstCase, invalid_figure, managed_instances_note, worst_cases_together
from generator.checks.stacks import ANY, Stack
from generator.errors import DisputedAccount, Fault
from generator.template.alternatives import Location
from generator.template.nesting import SEPARATOR, outermost
from generator.template.plan_files import as_written

OPTIONS = {
    "concurrency_limit": "--account-limit",
    "unreserved_floor": "--unreserved-floor",
    "reserved_elsewhere": "--reserved-elsewhere",
}

APPLY_ORDER = "apply-order"
"""The rule for what a Terraform plan reserves while it is applied."""

QuotaOf = Callable[[str, str, Sequence["Member"]], AccountQuota]
"""Returns the quota of an account and a Region for the stacks that may go there."""


class Member(NamedTuple):
    """A stack with the deployment of it that reserves most in a pool."""

    stack: Stack
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
        return not self.stack.settings.ignores(SUM_RULE, self.largest)


class Pool(NamedTuple):
    """The concurrency of an account and a Region, or of ANY, with all stacks that may go there."""

    account: AccountQuota
    members: tuple[Member, ...]
    """Largest first."""
    has_gaps: bool = False
    """Whether something that belongs to no stack may reserve more, such as a file that cannot be read."""
    is_ignored: bool = False
    """Whether the command leaves out the rule of the sum."""

    @property
    def total(self) -> int:
        """The reservations that are known."""
        return sum(member.total for member in self.members)

    @property
    def at_most(self) -> int:
        """A bound on the reservations that the templates state."""
        return sum(member.case.at_most for member in self.members)

    @property
    def is_judged(self) -> bool:
        """Whether the rule is on for any of the stacks: the sum then includes the others."""
        return not self.is_ignored and any(member.is_judged for member in self.members)

    @property
    def is_exceeded(self) -> bool:
        """Whether the stacks are judged and reserve more than the account can give."""
        return self.is_judged and not self.account.holds(self.total)

    def has_no_more_headroom(self, other: Pool) -> bool:
        """Return whether at least as much is reserved as in another pool, of no larger an account."""
        mine, theirs = self.account, other.account
        is_same = (mine.name, mine.region) == (theirs.name, theirs.region)
        is_no_larger = is_same or mine.reservable <= theirs.reservable
        return is_no_larger and self.total >= other.total and self.at_most >= other.at_most

    @property
    def cases(self) -> list[tuple[str, WorstCase]]:
        """Each stack's worst case with its name, or with the path of its file if the names are not unique."""
        names = [member.stack.name for member in self.members]
        if len(set(names)) < len(names):
            names = [str(member.stack.path) for member in self.members]
        return [(name, member.case) for name, member in zip(names, self.members, strict=True)]

    def __str__(self) -> str:
        """Return the sum beside what can be reserved."""
        where = pool_name(self.account) or "any account and Region"
        note = managed_instances_note([name for member in self.members for name in member.case.managed])
        reserved = sums(self.cases, self.has_gaps)
        text = f"{where}: {reserved} reserved of {self.account.reservable:,} reservable{as_written(note)}"
        return text if self.is_judged else f"{text}, not checked, because {SUM_RULE} is switched off"


def fullest(stacks: Sequence[Stack], quota_of: QuotaOf) -> list[Pool]:
    """Return the pools in which the stacks reserve most, each with the stacks' worst case there.

    A pool is left out if all of its stacks may also go to another pool, and have no more headroom there.

    Example: stack A goes to eu-west-1, stack B to us-east-1, and stack C may go to any Region. The pools are those of A
    and C in eu-west-1 and of B and C in us-east-1. That of C alone in any other Region is left out.
    """
    accounts = sorted({ANY, *(stack.account for stack in stacks)})
    regions = sorted({ANY, *(region for stack in stacks for region in stack.regions)})
    largest: dict[frozenset[int], tuple[tuple[str, str], Pool]] = {}
    for account, region in product(accounts, regions):
        members = frozenset(number for number, stack in enumerate(stacks) if stack.may_go_to(account, region))
        place, known = largest.get(members, ((account, region), None))
        # A pool of ANY stands for all that the stacks do not name, and has been searched for the worst of them.
        is_included = ANY in place and place[0] in (ANY, account) and place[1] in (ANY, region)
        if not members or (known and is_included):
            continue
        pool = _pool([stacks[number] for number in sorted(members)], account, region, quota_of)
        if known is None or pool.total > known.total:
            largest[members] = (account, region), pool
    kept = [
        pool
        for members, (_, pool) in largest.items()
        if not any(members < others and other.has_no_more_headroom(pool) for others, (_, other) in largest.items())
    ]
    return sorted(kept, key=lambda pool: (pool.account.name, pool.account.region))


def shared_account(members: Iterable[Member], options: Mapping[str, int]) -> AccountQuota:
    """Return the account that all stacks state; `options` take precedence.

    Raises DisputedAccount if stacks state different figures.
    """
    stacks = [member.stack for member in members]
    figures, faults = dict(DEFAULT_ACCOUNT), []
    for key, option in OPTIONS.items():
        stated = [(stack.path, stack.settings.account[key]) for stack in stacks if key in stack.settings.account]
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


def findings(pools: Iterable[Pool]) -> Iterator[Finding]:
    """Yield the findings of each pool: over quota, possibly over quota, and everything that is not in the sum."""
    for pool in pools:
        if pool.is_exceeded:
            yield from _too_much(pool)
        elif pool.is_judged and not pool.account.holds(pool.at_most):
            yield _uncertain(max(pool.members, key=lambda member: member.case.at_most))
        if pool.is_judged:
            yield from (gap for member in pool.members for gap in _gaps(member))
        yield from _apply_order(pool)


def finding(stack: Stack, rule: str, location: Location, message: str) -> Finding:
    """Return the finding of a rule at a place in a stack's file: in a plan, at the address of a resource."""
    severity = Severity.ERROR if rule.startswith("E") else Severity.WARNING
    line, written = written_place(stack.path, location)
    place = as_written(str(location[1])) if stack.is_plan and location else "/".join(map(str, written))
    return Finding(str(stack.path), line, rule, severity, place, as_written(message))


def _pool(stacks: Sequence[Stack], account: str, region: str, quota_of: QuotaOf) -> Pool:
    pins = {name: [value] for name, value in ((ACCOUNT, account), (REGION, region)) if value}
    pinned = [[variant.pinned(pins) if pins else variant for variant in stack.variants] for stack in stacks]
    members = [Member(stack, case) for stack, case in zip(stacks, worst_cases_together(pinned), strict=True)]
    members.sort(key=lambda member: (-member.total, member.stack.name, str(member.stack.path)))
    return Pool(quota_of(account, region, members), tuple(members))


def _too_much(pool: Pool) -> Iterator[Finding]:
    """Yield one finding, at the largest reservation of a stack for which the rule is on."""
    noun = "functions" if any(member.stack.is_plan for member in pool.members) else "stacks"
    for member in pool.members:
        if member.is_judged and member.largest:
            message = of_stacks(pool.cases, pool.account, noun, pool.has_gaps)
            if len(pool.members) == 1:
                message = of_sum(member.case, pool.account)
            yield finding(member.stack, SUM_RULE, member.largest, message)
            return


def _apply_order(pool: Pool) -> Iterator[Finding]:
    """Yield a warning if the pool holds the result of a Terraform plan, but may not hold the steps of its apply."""
    changing = [member.stack for member in pool.members if member.stack.reserved_during_apply]
    most = pool.total + sum(stack.reserved_during_apply for stack in changing)
    if changing and pool.account.holds(pool.total) and not pool.account.holds(most):
        message = (
            f"The apply may reserve up to {most:,} at once, {most - pool.account.reservable:,} more than the "
            f"{pool.account.reservable:,} that can be reserved, although the result of {pool.total:,} fits: "
            "Terraform raises functions before it lowers, replaces or destroys others; apply in two steps, first "
            "with -target for what is lowered or destroyed"
        )
        yield finding(changing[0], APPLY_ORDER, (), message)


def _uncertain(member: Member) -> Finding:
    """Return the finding that a stack may reserve more than was found, because the search stopped early."""
    what = f"the functions may reserve up to {member.case.at_most:,}, because not all conditions could be examined"
    return finding(member.stack, NOT_PROVEN, member.largest, f"{what}; simplify the conditions")


def _gaps(member: Member) -> Iterator[Finding]:
    """Yield a finding for each part of a stack that is not in its sum."""
    unread = {name: reason for variant in member.stack.variants for name, reason in variant.unread.items()}
    for name in member.case.not_examined:
        if name in unread:
            remedy = "" if "; " in unread[name] else f"; {_OF_CHILD}"
            what = f"{name} is not counted: {unread[name]}{remedy}"
        else:
            expanded = "check the template after its macros, includes, modules and loops are expanded"
            remedy = _OF_CHILD if member.stack.is_plan else expanded
            what = f"{name} may reserve or provision concurrency, which is not counted; {remedy}"
        yield _gap(member, name, what)
    for name in member.case.unresolved:
        yield _gap(member, name, _unresolved(member.stack, name))


_OF_CHILD = "check its template, and give what it reserves with --reserved-elsewhere"


def _unresolved(stack: Stack, name: str) -> str:
    """Return the text of the finding that a figure is not counted."""
    templates = [variant.template for variant in stack.variants if name in variant.template.resources]
    if invalid := next((text for template in templates if (text := invalid_figure(template, name))), None):
        return f"{name} states {invalid} as its concurrency, so it is not counted; write 0 or more"
    source = "plan" if stack.is_plan else "template"
    remedy = ", or state the parameters in .cfnlintrc" if stack.has_settings else ""
    remedy = ", or give its parameters in the parent" if SEPARATOR in name else remedy
    what = f"the {source} does not state what {name} reserves or provisions, so it is not counted"
    return f"{what}; write the figure{remedy}"


def _gap(member: Member, name: str, what: str) -> Finding:
    """Return the finding at a resource, or at the section that names a macro of the whole template."""
    sections = (name, "Transform", "Fn::Transform")
    templates = [variant.template for variant in member.stack.variants if name in variant.template.macros]
    named = [section for template in templates for section in sections if section in template.document]
    location = (named[0],) if named else ("Resources", name.partition(SEPARATOR)[0])
    return finding(member.stack, NOT_PROVEN, location, what)
