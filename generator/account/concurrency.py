"""Checks of Lambda concurrency: the account's real limit, and whether the deployment fits it at every moment."""

from __future__ import annotations

from generator.account import live_stack, update_order
from generator.account.deployment import CheckResult, Deployment, failed, passed, skipped
from generator.account.live_stack import limit_and_unreserved
from generator.aws import floor_error
from generator.capacity import allocation, quota
from generator.capacity.quota import AccountQuota


def limit(deployment: Deployment) -> CheckResult:
    """Check that the account has the concurrency limit that the environment file states."""
    real, _ = limit_and_unreserved(deployment.account)
    account = deployment.account
    stated = deployment.environment.account.concurrency_limit
    if real >= stated:
        return passed(f"the account's concurrency limit is {real:,} ({stated:,} in the environment file)")
    return failed(
        f"the account's concurrency limit is {real:,}, not the {stated:,} in the environment file; "
        "the quota proof does not apply",
        f"write concurrency_limit = {real} under [account], then run: {deployment.generate}; "
        f"or request the limit: {quota.increase_command(account.region, stated, account.cli)}",
    )


def reserved_elsewhere(deployment: Deployment) -> CheckResult:
    """Check that the reservations outside this project's stacks are no more than the environment file states."""
    real, unreserved = limit_and_unreserved(deployment.account)
    neighbours = deployment.neighbour_stack_names
    ours = {name: _total(deployment, name) for name in (deployment.stack_name, *neighbours)}
    others, stated = real - unreserved - sum(ours.values()), deployment.environment.account.reserved_elsewhere
    by_stack = ", ".join(f"{total:,} by {name}" for name, total in ours.items() if total) or "none by our stacks"
    figures = (
        f"{real - unreserved:,} reserved in the account ({by_stack}, {others:,} elsewhere); "
        f"the environment file states {stated:,} elsewhere"
    )
    if others <= stated:
        return passed(figures)
    absent = [name for name in neighbours if live_stack.find(deployment.account, name) is None]
    hint = f"; there is no stack {' or '.join(absent)}; if it has another name, its reservations count as elsewhere"
    return failed(
        figures + (hint if absent else ""),
        f"write reserved_elsewhere = {others} under [account], then run: {deployment.generate}",
    )


def reservations(deployment: Deployment) -> CheckResult:
    """Check that the account, as it is now, has room for everything that this stack reserves."""
    account, total = _account(deployment), deployment.plan.sizing.total_reserved
    figures = (
        f"{total:,} to reserve, {account.reservable:,} reservable (limit {account.concurrency_limit:,} - floor "
        f"{account.unreserved_floor:,} - reserved by others {account.reserved_elsewhere:,})"
    )
    if account.holds(total):
        return passed(figures)
    # The reservations of neighbours are in their own files.
    others = account.reserved_elsewhere - sum(_total(deployment, name) for name in deployment.neighbour_stack_names)
    settings = f"concurrency_limit = {account.concurrency_limit}"
    if others > deployment.environment.account.reserved_elsewhere:
        settings += f", reserved_elsewhere = {others}"
    (smallest,) = allocation.minimum([deployment.plan])
    shortfall = '"fit" or "unreserved"' if account.holds(smallest.total_reserved) else '"unreserved"'
    return failed(
        f"{figures}; the deployment would fail with: {floor_error(account.unreserved_floor)}",
        f"{quota.request_text(account, total, deployment.account.cli)}; or write {settings} and on_shortfall = "
        f"{shortfall} under [account], then run: {deployment.generate}",
    )


def update(deployment: Deployment) -> CheckResult:
    """Check that the live stack's reservations can change in any order, because CloudFormation guarantees none."""
    functions = live_stack.physical_ids(deployment.account, deployment.stack_name, "AWS::Lambda::Function")
    old, account = live_stack.reservations(deployment, deployment.stack_name), _account(deployment)
    new = deployment.plan.sizing.reservations
    highest = update_order.highest_total(old, new)
    if not old:
        return passed("nothing is deployed yet, so the order does not matter")
    if not account.holds(update_order.total(new)):
        return skipped("the new reservations do not fit in any order", "fix the check reservations first")
    if update_order.is_safe_in_any_order(old, new, account.reservable):
        if account.holds(highest):
            return passed(f"safe in any order: never more than {highest:,} of {account.reservable:,} reserved")
        return passed(
            "safe in any order: nothing is raised; but a rollback would fail, "
            f"because the {highest:,} reserved now no longer fit"
        )
    lowered = update_order.lowered_first(old, new)
    commands = [_lower_command(deployment, functions[name], to) for name, to in lowered.items()]
    return failed(
        f"the update could reserve {highest:,} of {account.reservable:,} halfway: "
        "CloudFormation may raise one function before it lowers another",
        f"deploy in two steps. First lower: {'; '.join(commands)}. Then deploy with --disable-rollback, because a "
        "rollback may also raise one function before it lowers another; replacements are not possible in this mode",
    )


def _lower_command(deployment: Deployment, function: str, to: int | None) -> str:
    change, value = "put", f" --reserved-concurrent-executions {to}"
    if to is None:
        change, value = "delete", ""
    return deployment.aws(f"lambda {change}-function-concurrency --function-name {function}{value}")


def _account(deployment: Deployment) -> AccountQuota:
    """Return the live account, in which every reservation outside this stack counts as elsewhere."""
    stated = quota.account_of(deployment.environment)
    real, unreserved = limit_and_unreserved(deployment.account)
    others = real - unreserved - _total(deployment, deployment.stack_name)
    return AccountQuota(stated.name, deployment.account.region, real, stated.unreserved_floor, others)


def _total(deployment: Deployment, stack_name: str) -> int:
    return update_order.total(live_stack.reservations(deployment, stack_name))
