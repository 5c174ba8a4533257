"""The answers of `generator size --max-rate` and `--for-rate`, for people and for tools."""

from __future__ import annotations

from typing import Any

from generator.capacity import quota
from generator.capacity.planning import HighestRate, Need, sum_of
from generator.capacity.quota import AccountQuota


def highest_as_dict(name: str, answer: HighestRate) -> dict[str, Any]:
    """`max_webhooks_per_hour` is null where not even the lowest supported rate fits."""
    return {
        "environment": name,
        "max_webhooks_per_hour": answer.webhooks_per_hour,
        "bound": answer.bound,
        "total_reserved": answer.need.total if answer.need.fits else None,
        "account": _account(answer.need.account),
    }


def needed_as_dict(name: str, need: Need) -> dict[str, Any]:
    """The limit, what it is for, and whether the account has it."""
    return {
        "environment": name,
        "webhooks_per_hour": need.sizing.webhooks_per_hour,
        "required_concurrency_limit": need.required_concurrency_limit,
        "total_reserved": need.total,
        "sufficient": need.fits,
        "account": _account(need.account),
    }


def highest_as_text(name: str, answer: HighestRate) -> str:
    """The rate and what bounds it."""
    if answer.webhooks_per_hour is None:
        return _not_even_the_lowest(name, answer.need)
    account, total = answer.need.account, answer.need.total
    head = (
        f"{name}: up to {answer.webhooks_per_hour:,} webhooks per hour\n"
        f"  {_where(account)} has {account.reservable} reservable; {total} reserved, {account.reservable - total} left"
    )
    if answer.bound == "supported rate":
        return f"{head}\n  This is the highest supported rate; the account is not what bounds it"
    if answer.beyond is None:
        return f"{head}\n  One more cannot be sized: {answer.why}"
    return f"{head}\n  One more needs a limit of {answer.beyond.required_concurrency_limit}: {sum_of(answer.beyond)}"


def _not_even_the_lowest(name: str, need: Need) -> str:
    lowest, limit = need.sizing.webhooks_per_hour, need.required_concurrency_limit
    return (
        f"{name}: not even {lowest} webhooks per hour, the lowest supported rate\n"
        f"  That needs a limit of {limit}: {sum_of(need)}\n"
        f"  {_where(need.account)} has {need.account.concurrency_limit}: request {quota.worth_a_request(limit)}\n"
        f"  {quota.increase_command(need.account.region, limit)}"
    )


def needed_as_text(name: str, need: Need) -> str:
    """The limit, the sum behind it, and what to type if the account has less."""
    limit, account = need.required_concurrency_limit, need.account
    rate = need.sizing.webhooks_per_hour
    head = f"{name}: {rate:,} webhooks per hour need a concurrency limit of {limit}\n  {sum_of(need)}"
    if need.fits:
        return f"{head}\n  {_where(account)} has {account.concurrency_limit}: enough"
    return (
        f"{head}\n  {_where(account)} has {account.concurrency_limit}: request {quota.worth_a_request(limit)}\n"
        f"  {quota.increase_command(account.region, limit)}"
    )


def _where(account: AccountQuota) -> str:
    return f"Account {account.name} in {account.region}"


def _account(account: AccountQuota) -> dict[str, Any]:
    return {
        "name": account.name,
        "concurrency_limit": account.concurrency_limit,
        "unreserved_floor": account.unreserved_floor,
        "reserved_elsewhere": account.reserved_elsewhere,
        "reservable": account.reservable,
    }
