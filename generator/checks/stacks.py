"""Several stacks in one account and Region: what each reserves, and whether they fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from generator.capacity.quota import AccountQuota
from generator.checks.findings import Finding, Severity
from generator.checks.quota.messages import DEFAULT_ACCOUNT
from generator.errors import DisputedAccount, Fault
from generator.template.nesting import outermost

if TYPE_CHECKING:
    from generator.checks.linting import LintJob, Opened
    from generator.checks.quota.deployed import Deployed
    from generator.checks.quota.worst_case import WorstCase

RULE = "E9801"
"""The rule for the sum of one template, and of several: ignoring it ignores both."""

Stated = Mapping[str, int]
"""The stated figures of an account, by the keys of DEFAULT_ACCOUNT."""

OPTIONS = {
    "concurrency_limit": "--account-limit",
    "unreserved_floor": "--unreserved-floor",
    "reserved_elsewhere": "--reserved-elsewhere",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """What one template reserves at most."""

    path: Path
    case: WorstCase | None
    """None if cfn-lint cannot read the template, which it reports itself."""
    line: int
    """The line of the largest reservation."""
    account: Stated
    """What its environment, .cfnlintrc or its own Metadata states; empty if the template cannot be read."""
    is_judged: bool
    """False if .cfnlintrc, the template or its largest function ignores the rule."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """By logical id, why the template of a nested stack could not be read."""
    name: str = ""
    """The stack's name; empty for the name of the file."""
    held: int = 0
    """What the state of a Terraform plan reserves at present."""

    @property
    def total(self) -> int:
        """The reservation that is known."""
        return self.case.total if self.case else 0

    def fits(self, account: AccountQuota | None = None, beside: int = 0) -> bool:
        """Return whether no deployment exceeds the account, or the stated one, beside what others reserve in it."""
        account = account or AccountQuota(name="", region="", **{**DEFAULT_ACCOUNT, **self.account})
        return self.case is not None and self.case.fits(account.reservable - beside)


def separate_stacks(jobs: Sequence[LintJob]) -> list[Stack]:
    """Return each template's worst case, wherever that is."""
    from generator.checks.quota.worst_case import worst_case

    return _stacks(jobs, lambda stacks: list(map(worst_case, stacks)))


def joint_stacks(jobs: Sequence[LintJob]) -> list[Stack]:
    """Return each template's worst case in the place where all together reserve most, largest first."""
    from generator.checks.quota.joint import worst_cases_together

    return sorted(_stacks(jobs, worst_cases_together), key=lambda stack: (-stack.total, str(stack.path)))


def shared_account(found: Sequence[Stack], options: Stated) -> AccountQuota:
    """Return the account that all stacks state; `options` take precedence.

    Raises DisputedAccount if stacks state different figures.
    """
    figures, faults = dict(DEFAULT_ACCOUNT), []
    for key, option in OPTIONS.items():
        said = [(stack.path, stack.account[key]) for stack in found if key in stack.account]
        if key in options:
            figures[key] = options[key]
        elif said:
            first, figures[key] = said[0]
            remedy = f"state the same for both, or give {option}"
            faults += [
                Fault(str(path), f"{key} is {figure} here and {figures[key]} for {first}, in one account", remedy)
                for path, figure in said
                if figure != figures[key]
            ]
    if faults:
        raise DisputedAccount(faults)
    return AccountQuota(name="", region="", **figures)


def unproven(found: Sequence[Stack], account: AccountQuota | None) -> list[Path]:
    """Return the templates that may reserve more than was found: together in one account, or each in its own."""
    most = [stack.case.at_most if stack.case else 0 for stack in found]
    beside = [sum(most) - own if account else 0 for own in most]
    return [stack.path for stack, others in zip(found, beside, strict=True) if not stack.fits(account, others)]


def shortfall(found: Sequence[Stack], account: AccountQuota) -> list[Finding]:
    """Return one finding, at the largest reservation, if the stacks reserve more than the account can give.

    A stack that ignores the rule counts, but does not carry the finding.
    """
    from generator.checks.quota.messages import excess, remedy
    from generator.checks.quota.worst_case import verb

    total = sum(stack.total for stack in found)
    places = [(stack, stack.case.shares[0]) for stack in found if stack.is_judged and stack.case and stack.case.shares]
    if account.holds(total) or not places:
        return []
    stack, share = places[0]
    where = f"In {place}, the" if (place := place_of(account.name, account.region)) else "The"
    message = (
        f"{where} stacks {verb(stack.case for stack in found if stack.case)} {sums(found)}, {excess(total, account)}"
        f"{_caveats(found)}{remedy(total, account)}"
    )
    return [
        Finding(
            str(stack.path), stack.line, RULE, Severity.ERROR, "/".join(map(str, outermost(share.location))), message
        )
    ]


def sums(found: Sequence[Stack]) -> str:
    """Return the stacks' reservations and, unless there is only one, their sum."""
    known = [(name, stack.case) for name, stack in zip(_names(found), found, strict=True) if stack.case]
    terms = " + ".join(f"{name} {case}" for name, case in known) or "nothing"
    is_known = all(stack.case and stack.case.complete for stack in found)
    if is_known and len(known) == 1:
        return terms
    return f"{terms} = {'' if is_known else 'at least '}{sum(stack.total for stack in found):,}"


def summary(found: Sequence[Stack], account: AccountQuota) -> str:
    """Return the sum beside what the account can reserve."""
    told = f"{sums(found)} reserved of {account.reservable:,} reservable"
    return told if any(stack.is_judged for stack in found) else f"{told}, not checked, because {RULE} is switched off"


def _caveats(found: Sequence[Stack]) -> str:
    """Return when each stack reserves that much, and what is not in the sum."""
    from generator.checks.quota.messages import in_scenario
    from generator.checks.quota.worst_case import uncounted

    told = ""
    for name, stack in zip(_names(found), found, strict=True):
        if not stack.case:
            told += f"; {name} cannot be read and is not counted"
            continue
        if scenario := in_scenario(stack.case.scenario):
            told += f"; {name}{scenario.removeprefix(',')}"
        told += uncounted(stack.case, name)
    return told


def _names(found: Sequence[Stack]) -> list[str]:
    """Return the stacks' names or those of their files, if they are unique, otherwise the whole paths."""
    names = [stack.name or stack.path.name for stack in found]
    return names if len(set(names)) == len(names) else [str(stack.path) for stack in found]


def place_of(account: str, region: str) -> str:
    """Return an account and a Region as text; empty if neither is known."""
    if not (account or region):
        return ""
    return f"{f'account {account}' if account else 'any account'} and {region or 'any Region'}"


def _stacks(jobs: Sequence[LintJob], judge: Callable[[list[list[Deployed]]], list[WorstCase]]) -> list[Stack]:
    from generator.checks import linting
    from generator.checks.quota.linted import stacks_of
    from generator.checks.rules.reservation_sum import ReservationSum

    opened = [linting.opened(job, ReservationSum()) for job in jobs]
    deployed = [stacks_of(one.template, is_whole=True) if one else [] for one in opened]
    cases = iter(judge(list(filter(None, deployed))))
    return [
        _stack(job.path, one, next(cases), stacks) if one else Stack(job.path, None, 1, {}, is_judged=True)
        for job, one, stacks in zip(jobs, opened, deployed, strict=True)
    ]


def _stack(path: Path, opened: Opened, case: WorstCase, stacks: Sequence[Deployed]) -> Stack:
    largest = outermost(case.shares[0].location) if case.shares else ()
    place = opened.template.get_location_yaml(opened.template.template, list(largest)) if largest else None
    is_judged = opened.is_enabled and not (largest and largest[1] in opened.ignoring)
    return Stack(path, case, place[0] + 1 if place else 1, opened.settings, is_judged, unread_in(stacks))


def unread_in(stacks: Iterable[Deployed]) -> dict[str, str]:
    """Return by logical id why the template of a nested stack could not be read, under any set of parameters."""
    return {name: reason for one in stacks for name, reason in one.unread.items()}
