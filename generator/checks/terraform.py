"""The stacks of a Terraform plan: one for each account and Region, and one for each CloudFormation stack in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from generator.checks.findings import Finding, Severity
from generator.checks.pools import Pool
from generator.checks.quota.variants import variants
from generator.checks.stacks import Source, Stack, Unread
from generator.template import plan_files

if TYPE_CHECKING:
    from generator.template.terraform import PlanPart

ORDER = "apply-order"
"""The rule for what a plan reserves while it is applied."""


def read_plan(path: Path) -> Source | None:
    """Return the stacks of a plan; None if the file is no plan. Raises UnreadableTemplate."""
    text = plan_files.text_at(path)
    if text is None:
        return None
    from generator.template import terraform

    plan = terraform.plan(str(path), text)
    names = _names(path, plan.parts)
    stacks = tuple(_stack(path, name, part) for name, part in zip(names, plan.parts, strict=True))
    gaps = [(gap.address, f"{gap.address}: {gap.reason}" if gap.address else gap.reason) for gap in plan.gaps]
    return Source(stacks, tuple(Unread(path, address, what) for address, what in gaps))


def as_written(findings: Iterable[Finding], stacks: Iterable[Stack]) -> Iterator[Finding]:
    """Yield the findings with the addresses of a plan's resources in place of logical ids."""
    plans = {str(stack.path) for stack in stacks if stack.is_plan}
    for finding in findings:
        if finding.file not in plans:
            yield finding
            continue
        address = finding.path.removeprefix("Resources/").partition("/Properties/")[0]
        yield finding._replace(path=plan_files.as_written(address), message=plan_files.as_written(finding.message))


def order(pools: Iterable[Pool]) -> Iterator[Finding]:
    """Yield a warning for each pool that holds the result of a plan, but may not hold the steps of its apply."""
    for pool in pools:
        changing = [member.stack for member in pool.members if member.stack.reserved_during_apply]
        most = pool.total + sum(stack.reserved_during_apply for stack in changing)
        if changing and pool.account.holds(pool.total) and not pool.account.holds(most):
            message = (
                f"The apply may reserve up to {most:,} at once, {most - pool.account.reservable:,} more than the "
                f"{pool.account.reservable:,} that can be reserved, although the result of {pool.total:,} fits: "
                "Terraform raises functions before it lowers, replaces or destroys others; apply in two steps, first "
                "with -target for what is lowered or destroyed"
            )
            yield Finding(str(changing[0].path), 1, ORDER, Severity.WARNING, "", message)


def _names(path: Path, parts: Sequence[PlanPart]) -> list[str]:
    """Return a name for each part: that of the file, with the account and Region or the stack of several."""
    if len(parts) == 1:
        return [path.name]
    ends = [part.stack or f"{part.account} {part.region or 'any Region'}".strip() for part in parts]
    return [f"{path.name} {end}" for end in ends]


def _stack(path: Path, name: str, part: PlanPart) -> Stack:
    given = [part.parameters] if part.stack else []
    regions = [part.region] if part.region else []
    own_variants = tuple(variants(part.document, given, regions))
    return Stack(
        name,
        path,
        own_variants,
        part.account,
        part.region,
        reserved_now=part.reserved_now,
        is_plan=not part.stack,
        reserved_during_apply=part.reserved_during_apply,
    )
