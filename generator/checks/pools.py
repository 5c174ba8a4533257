"""Add up what the stacks reserve in each pool where they may go, and report where it does not fit.

Lambda has one pool of concurrency for each account and Region. Source: AWS Lambda Developer Guide, "Lambda quotas".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from generator._format import MOST_LISTED, shortened
from generator.capacity.quota import AccountQuota
from generator.checks.findings import NOT_PROVEN, Finding, Severity
from generator.checks.lines import written_place
from generator.checks.quota.messages import (
    DEFAULT_ACCOUNT,
    SUM_RULE,
    excess,
    in_scenario,
    of_sum,
    pool_name,
    remedy,
    subject,
)
from generator.checks.quota.variants import ACCOUNT, REGION
from generator.checks.quota.worst_case import (
    WorstCase,
    invalid_figure,
    managed_instances_note,
    uncounted,
    worst_cases_together,
)
from generator.checks.request import Request
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


class Member(NamedTuple):
    """A stack with the deployment of it that reserves most in a pool."""

    stack: Stack
    case: WorstCase

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
        return sum(member.case.total for member in self.members)

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

    @property
    def sums(self) -> str:
        """The reservations of the stacks, largest first, and of several the sum."""
        is_known = not self.has_gaps and all(member.case.is_proven for member in self.members)
        known = f"{self.total:,}" if is_known else f"at least {self.total:,}"
        if len(self.members) == 1:
            return f"{self.members[0].stack.name} {known}"
        others = self.members[MOST_LISTED:]
        rest = f"{len(others):,} more with {sum(member.case.total for member in others):,}"
        return f"{' + '.join(shortened([f'{name} {case}' for name, case in self.cases], rest))} = {known}"

    def __str__(self) -> str:
        """Return the sum beside what can be reserved."""
        where = pool_name(self.account) or "any account and Region"
        note = managed_instances_note([name for member in self.members for name in member.case.managed])
        text = f"{where}: {self.sums} reserved of {self.account.reservable:,} reservable{as_written(note)}"
        return text if self.is_judged else f"{text}, not checked, because {SUM_RULE} is switched off"


def fullest(
    stacks: Sequence[Stack], request: Request, reserved_by_others: int = 0, has_gaps: bool = False
) -> list[Pool]:
    """Return the pools in which the stacks reserve most, each with the stacks' worst case there.

    `reserved_by_others` adds to what the stacks or the request state. Raises DisputedAccount if stacks that may go to
    the same pool state different accounts.

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
        pool = _pool([stacks[number] for number in sorted(members)], account, region, request, reserved_by_others)
        if known is None or pool.total > known.total:
            largest[members] = (account, region), pool
    kept = [
        pool._replace(has_gaps=has_gaps)
        for members, (_, pool) in largest.items()
        if not any(members < others and other.has_no_more_headroom(pool) for others, (_, other) in largest.items())
    ]
    return sorted(kept, key=lambda pool: (pool.account.name, pool.account.region))


def _stated_figures(stacks: Iterable[Stack], options: Mapping[str, int]) -> dict[str, int]:
    """Return the figures of the account that all stacks state; `options` take precedence."""
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
    return figures


def findings(pools: Iterable[Pool]) -> Iterator[Finding]:
    """Yield the findings of each pool: over quota, possibly over quota, and everything that is not in the sum."""
    for pool in pools:
        if pool.is_exceeded:
            yield from _too_much(pool)
        elif pool.is_judged and not pool.account.holds(pool.at_most):
            member = max(pool.members, key=lambda member: member.case.at_most)
            what = f"the functions may reserve up to {member.case.at_most:,}, because not all conditions could be"
            yield finding(member.stack, NOT_PROVEN, member.largest, f"{what} examined; simplify the conditions")
        if pool.is_judged:
            yield from (gap for member in pool.members for gap in _gaps(member))
        yield from _apply_order(pool)


def finding(stack: Stack, rule: str, location: Location, message: str) -> Finding:
    """Return the finding of a rule at a place in a stack's file: in a plan, at the address of a resource."""
    severity = Severity.ERROR if rule.startswith("E") else Severity.WARNING
    line, written = written_place(stack.path, location)
    place = as_written(str(location[1])) if stack.is_plan and location else "/".join(map(str, written))
    return Finding(str(stack.path), line, rule, severity, place, as_written(message))


def _pool(stacks: Sequence[Stack], account: str, region: str, request: Request, reserved_by_others: int) -> Pool:
    pins = {name: [value] for name, value in ((ACCOUNT, account), (REGION, region)) if value}
    pinned = [[variant.pinned(pins) if pins else variant for variant in stack.variants] for stack in stacks]
    members = [Member(stack, case) for stack, case in zip(stacks, worst_cases_together(pinned), strict=True)]
    members.sort(key=lambda member: (-member.case.total, member.stack.name, str(member.stack.path)))
    figures = _stated_figures([member.stack for member in members], request.account)
    figures["reserved_elsewhere"] += reserved_by_others
    quota = AccountQuota(account, region, **figures)
    return Pool(
        request.live(quota, [member.stack for member in members]) if request.live else quota,
        tuple(members),
        is_ignored=request.ignores(SUM_RULE),
    )


def _too_much(pool: Pool) -> Iterator[Finding]:
    """Yield one finding, at the largest reservation of a stack for which the rule is on."""
    for member in pool.members:
        if member.is_judged and member.largest:
            message = of_sum(member.case, pool.account) if len(pool.members) == 1 else _of_stacks(pool)
            yield finding(member.stack, SUM_RULE, member.largest, message)
            return


def _of_stacks(pool: Pool) -> str:
    noun = "functions" if any(member.stack.is_plan for member in pool.members) else "stacks"
    reserving = subject(pool.account, noun, (case for _, case in pool.cases))
    message = f"{reserving} {pool.sums}, {excess(pool.total, pool.account)}"
    for name, case in pool.cases[:MOST_LISTED]:
        if scenario := in_scenario(case.scenario):
            message += f"; {name}{scenario.removeprefix(',')}"
        message += uncounted(case, name)
    return message + remedy(pool.total, pool.account)


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


def _gaps(member: Member) -> Iterator[Finding]:
    """Yield a finding for each part of a stack that is not in its sum."""
    unread = {name: reason for variant in member.stack.variants for name, reason in variant.unread.items()}
    for name in member.case.not_examined:
        if name in unread:
            advice = "" if "; " in unread[name] else f"; {_OF_CHILD}"
            what = f"{name} is not counted: {unread[name]}{advice}"
        else:
            expanded = "check the template after its macros, includes, modules and loops are expanded"
            advice = _OF_CHILD if member.stack.is_plan else expanded
            what = f"{name} may reserve or provision concurrency, which is not counted; {advice}"
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
    advice = ", or state the parameters in .cfnlintrc" if stack.has_settings else ""
    advice = ", or give its parameters in the parent" if SEPARATOR in name else advice
    what = f"the {source} does not state what {name} reserves or provisions, so it is not counted"
    return f"{what}; write the figure{advice}"


def _gap(member: Member, name: str, what: str) -> Finding:
    """Return the finding at a resource, or at the section that names a macro of the whole template."""
    sections = (name, "Transform", "Fn::Transform")
    templates = [variant.template for variant in member.stack.variants if name in variant.template.macros]
    named = [section for template in templates for section in sections if section in template.document]
    location = (named[0],) if named else ("Resources", name.partition(SEPARATOR)[0])
    return finding(member.stack, NOT_PROVEN, location, what)
