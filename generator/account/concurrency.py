"""Lambda concurrency: what the account really has, and whether this deployment fits it at every moment."""

from __future__ import annotations

from generator.account import stack, update_order
from generator.account.connection import Unanswered
from generator.account.subject import Check, Opinion, Subject, bad, good, unknown
from generator.aws import floor_error
from generator.capacity import allocation, quota
from generator.capacity.quota import AccountQuota


def limit(subject: Subject) -> Opinion:
    """Whether the account has what the environment states."""
    real, _ = _limit_and_unreserved(subject)
    stated = subject.environment.account.concurrency_limit
    if real >= stated:
        return good(f"the concurrency limit is {real}, and {stated} is stated")
    return bad(
        f"the concurrency limit is {real}, and {stated} is stated, so what was proven is not about this account",
        f"write concurrency_limit = {real} under [account], then run: generator template {subject.environment.name}; "
        f"or request the limit: {quota.increase_command(subject.account.region, stated, subject.account.cli)}",
    )


def elsewhere(subject: Subject) -> Opinion:
    """Whether others reserve more than the environment states. Stacks of ours are not others."""
    real, unreserved = _limit_and_unreserved(subject)
    ours = {name: _total(subject, name) for name in (subject.stack_name, *subject.neighbour_stack_names)}
    others, stated = real - unreserved - sum(ours.values()), subject.environment.account.reserved_elsewhere
    held = ", ".join(f"{total} by {name}" for name, total in ours.items() if total) or "nothing by stacks of ours"
    figures = f"{real - unreserved} are reserved in the account ({held}), {others} elsewhere, and {stated} stated"
    if others <= stated:
        return good(figures)
    absent = [name for name in subject.neighbour_stack_names if stack.live(subject, name) is None]
    misnamed = f"; no stack {' or '.join(absent)} is there: under another name, it is counted as elsewhere"
    return bad(
        figures + (misnamed if absent else ""),
        f"write reserved_elsewhere = {others} under [account], then run: generator template {subject.environment.name}",
    )


def reservations(subject: Subject) -> Opinion:
    """Whether the account as it is now takes all that this stack is to reserve."""
    account, total = _account(subject), subject.plan.sizing.total_reserved
    figures = (
        f"{total} to reserve of {account.reservable}: limit {account.concurrency_limit} - floor "
        f"{account.unreserved_floor} - reserved by others {account.reserved_elsewhere}"
    )
    if account.holds(total):
        return good(figures)
    needed = quota.limit_for(account, total)
    return bad(
        f"{figures}; the deployment would fail with: {floor_error(account.unreserved_floor)}",
        f"request a limit of {quota.worth_a_request(needed)}: "
        f"{quota.increase_command(account.region, needed, subject.account.cli)}; "
        f"or state the account as it is ({_as_it_is(subject, account)}), with on_shortfall = "
        f"{_ways_on(subject, account)}, under [account], then run: generator template {subject.environment.name}",
    )


def _as_it_is(subject: Subject, account: AccountQuota) -> str:
    """What to state for the sizing to know what preflight knows; neighbours state their own reservations."""
    neighbours = sum(_total(subject, name) for name in subject.neighbour_stack_names)
    others, stated = account.reserved_elsewhere - neighbours, subject.environment.account.reserved_elsewhere
    limit = f"concurrency_limit = {account.concurrency_limit}"
    return limit if others <= stated else f"{limit}, reserved_elsewhere = {others}"


def _ways_on(subject: Subject, account: AccountQuota) -> str:
    (smallest,) = allocation.least([(subject.environment, subject.plan.sizing)])
    return '"fit" or "unreserved"' if account.holds(smallest.total_reserved) else '"unreserved"'


def update(subject: Subject) -> Opinion:
    """Whether the live stack's reservations can be changed in the order that CloudFormation happens to choose."""
    functions = stack.physical_ids(subject, subject.stack_name, "AWS::Lambda::Function")
    old, account = stack.reservations(subject, subject.stack_name), _account(subject)
    new = {function.logical_id: function.reserved_concurrency for function in subject.plan.sizing.functions}
    highest = update_order.highest_total(old, new)
    if not old:
        return good("nothing is deployed yet, so that the order does not matter")
    if not account.holds(update_order.total(new)):
        return unknown("the new reservations do not fit, whatever the order", "see the check reservations")
    if update_order.is_safe_in_any_order(old, new, account.reservable):
        figures = f"at no moment more than {highest} of {account.reservable}"
        too_many = f"nothing is raised; a rollback would be refused, for the {highest} of now do not fit any more"
        return good(f"safe in any order: {figures if account.holds(highest) else too_many}")
    lowered = update_order.lowered_first(old, new)
    commands = [_lower(subject, functions[name], to) for name, to in lowered.items()]
    return bad(
        f"{highest} of {account.reservable} could be reserved half-way: CloudFormation may raise before it lowers",
        f"deploy in two steps. First lower: {'; '.join(commands)}. Then deploy with --disable-rollback, which only "
        "raises and takes no replacement: a rollback would go back to the old template's figures, and may raise before "
        "it lowers",
    )


def _lower(subject: Subject, function: str, to: int | None) -> str:
    if to is None:
        return subject.aws(f"lambda delete-function-concurrency --function-name {function}")
    return subject.aws(
        f"lambda put-function-concurrency --function-name {function} --reserved-concurrent-executions {to}"
    )


def _account(subject: Subject) -> AccountQuota:
    """The account as it is, with everything but this stack counted as elsewhere."""
    stated = quota.account_of(subject.environment)
    real, unreserved = _limit_and_unreserved(subject)
    others = real - unreserved - _total(subject, subject.stack_name)
    return AccountQuota(stated.name, subject.account.region, real, stated.unreserved_floor, others)


def _total(subject: Subject, stack_name: str) -> int:
    return update_order.total(stack.reservations(subject, stack_name))


def _limit_and_unreserved(subject: Subject) -> tuple[int, int]:
    """Source: Lambda API reference, AccountLimit: unreserved is the limit less the reservations of all functions."""
    found = subject.account.ask("lambda", "GetAccountSettings").get("AccountLimit", {})
    try:
        return int(found["ConcurrentExecutions"]), int(found["UnreservedConcurrentExecutions"])
    except KeyError as error:
        raise Unanswered(f"lambda GetAccountSettings was answered without {error}", "ask the real account") from error


CHECKS = (
    Check("account-limit", limit),
    Check("reserved-elsewhere", elsewhere),
    Check("reservations", reservations),
    Check("update-order", update),
)
