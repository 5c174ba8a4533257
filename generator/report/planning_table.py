"""The output of `generator size --max-rate` and `--for-rate`: a few lines for people, and a dict for tools."""

from __future__ import annotations

from typing import Any

from generator.capacity import quota
from generator.capacity.planning import Bound, HighestRate, Need, sum_as_text
from generator.capacity.quota import AccountQuota
from generator.report.sizing_table import account_as_dict


def highest_as_dict(name: str, answer: HighestRate) -> dict[str, Any]:
    """Return the answer; `max_webhooks_per_hour` is null if the lowest supported rate does not fit."""
    return {
        "environment": name,
        "max_webhooks_per_hour": answer.webhooks_per_hour,
        "bound": answer.bound,
        "total_reserved": answer.need.total if answer.need.fits else None,
        "account": account_as_dict(answer.need.account),
    }


def needed_as_dict(name: str, need: Need) -> dict[str, Any]:
    """Return the limit that a rate needs, and whether the account has it."""
    return {
        "environment": name,
        "webhooks_per_hour": need.sizing.webhooks_per_hour,
        "required_concurrency_limit": need.required_concurrency_limit,
        "total_reserved": need.total,
        "sufficient": need.fits,
        "account": account_as_dict(need.account),
    }


def highest_as_text(name: str, answer: HighestRate) -> str:
    """Return the highest rate and the reason why it is not higher."""
    need = answer.need
    if answer.webhooks_per_hour is None:
        return (
            f"{name}: the account cannot hold even {need.sizing.webhooks_per_hour:,} webhooks per hour, the lowest "
            f"supported rate\n  That needs a concurrency limit of {need.required_concurrency_limit:,}: "
            f"{sum_as_text(need)}\n{_request(need)}"
        )
    account, total = need.account, need.total
    return (
        f"{name}: up to {answer.webhooks_per_hour:,} webhooks per hour\n"
        f"  {_named(account)} has {account.reservable:,} reservable; {total:,} reserved, "
        f"{account.reservable - total:,} left\n  {_bound(answer)}"
    )


def needed_as_text(name: str, need: Need) -> str:
    """Return the limit, its terms, and how to request it if the account has less."""
    account = need.account
    enough = f"  {_named(account)} has {account.concurrency_limit:,}: enough"
    return (
        f"{name}: {need.sizing.webhooks_per_hour:,} webhooks per hour need a concurrency limit of "
        f"{need.required_concurrency_limit:,}\n  {sum_as_text(need)}\n{enough if need.fits else _request(need)}"
    )


def _bound(answer: HighestRate) -> str:
    if answer.bound == Bound.SUPPORTED_RATE:
        return "This is the highest supported rate; the account could hold more"
    if answer.need_above is None:
        return f"One webhook per hour more cannot be sized: {answer.reason}"
    limit = answer.need_above.required_concurrency_limit
    return f"One webhook per hour more needs a concurrency limit of {limit:,}: {sum_as_text(answer.need_above)}"


def _request(need: Need) -> str:
    account, limit = need.account, need.required_concurrency_limit
    return (
        f"  {_named(account)} has {account.concurrency_limit:,}: request {quota.limit_to_request(limit)}\n"
        f"  {quota.increase_command(account.region, limit)}"
    )


def _named(account: AccountQuota) -> str:
    return f"Account {account.name} in {account.region}"
