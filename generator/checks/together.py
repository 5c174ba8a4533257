"""Several templates in one account and Region: whether all of them together fit, and which stack takes what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generator.checks import linting
from generator.checks.findings import Finding
from generator.quota import AccountQuota

if TYPE_CHECKING:
    from generator.reservations.worst_case import WorstCase

RULE = "E9801"
"""The sum of one template is this rule's; so is the sum of several."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What one template reserves at the most."""

    path: Path
    case: WorstCase | None
    """None where cfn-lint cannot read or transform the template; it has a finding of its own for that."""
    line: int
    """Of the largest reservation."""

    @property
    def total(self) -> int:
        """What is known to be reserved."""
        return self.case.total if self.case else 0

    @property
    def complete(self) -> bool:
        """Whether no deployment can reserve more."""
        return self.case is not None and self.case.complete


def stacks(paths: Sequence[Path]) -> list[Stack]:
    """Each template's worst case, largest first."""
    return sorted(map(_stack, paths), key=lambda stack: (-stack.total, str(stack.path)))


def shortfall(found: Sequence[Stack], account: AccountQuota) -> list[Finding]:
    """One finding, at the largest reservation of all, if the stacks reserve more than the account can give."""
    from generator.reservations.account import excess, remedy
    from generator.reservations.worst_case import verb

    total = sum(stack.total for stack in found)
    if account.holds(total) or not found[0].case:
        return []
    path = "/".join(map(str, found[0].case.shares[0].path))
    message = (
        f"The stacks {verb(stack.case for stack in found if stack.case)} {sums(found)}, {excess(total, account)}"
        f"{_caveats(found)}{remedy(total, account)}"
    )
    return [Finding(str(found[0].path), found[0].line, RULE, "error", path, message)]


def sums(found: Sequence[Stack]) -> str:
    """Which stack takes what, and the sum."""
    known = [(name, stack.case) for name, stack in zip(_names(found), found, strict=True) if stack.case]
    terms = " + ".join(f"{name} {case.total}" for name, case in known) or "nothing"
    complete = all(stack.complete for stack in found)
    return f"{terms} = {'' if complete else 'at least '}{sum(stack.total for stack in found)}"


def _caveats(found: Sequence[Stack]) -> str:
    """When a stack reserves that much, and what is not in the sum."""
    from generator.reservations.wording import in_scenario
    from generator.reservations.worst_case import uncounted

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
    """The files' own names where they tell the stacks apart, the whole paths otherwise."""
    names = [stack.path.name for stack in found]
    return names if len(set(names)) == len(names) else [str(stack.path) for stack in found]


def _stack(path: Path) -> Stack:
    from generator.reservations.worst_case import worst_case_reservations

    template = linting.transformed(path)
    if template is None:
        return Stack(path, None, 1)
    case = worst_case_reservations(template)
    place = template.get_location_yaml(template.template, list(case.shares[0].path)) if case.shares else None
    return Stack(path, case, place[0] + 1 if place else 1)
