"""The output of `generator size --max-rate` and `--for-rate`: a few lines for people, and a dict for tools."""

from __future__ import annotations

from typing import Any

from generator.capacity import quota
from generator.capacity.planning import Bound, HighestRate, own_sizing, sum_as_text
from generator.capacity.quota import AccountQuota, Verdict
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


def needed_as_dict(name: str, need: Verdict) -> dict[str, Any]:
    """Return the limit that a rate needs, and whether the account has it."""
    return {
        "environment": name,
        "webhooks_per_hour": own_sizing(need).webhooks_per_hour,
        "required_concurrency_limit": need.required_concurrency_limit,
        "total_reserved": need.total,
        "sufficient": need.fits,
        "account": account_as_dict(need.account),
    }


def highest_as_text(name: str, answer: HighestRate) -> str:
    """Return the highest rate and the reason why it is not higher."""
    need = answer.need
    account, rate = need.account, own_sizing(need).webhooks_per_hour
    if not need.fits:
        return (
            f"{name}: the account cannot hold even {rate:,} webhooks per hour, the lowest supported rate\n"
            f"  That needs {_limit(need)}\n{_request(need)}"
        )
    if answer.bound == Bound.SUPPORTED_RATE:
        bound = "This is the highest supported rate; the account could hold more"
    elif answer.need_above is None:
        bound = f"One webhook per hour more cannot be sized: {answer.reason}"
    else:
        bound = f"One webhook per hour more needs {_limit(answer.need_above)}"
    return (
        f"{name}: up to {rate:,} webhooks per hour\n  {_named(account)} has {account.reservable:,} reservable; "
        f"{need.total:,} reserved, {need.headroom:,} left\n  {bound}"
    )


def needed_as_text(name: str, need: Verdict) -> str:
    """Return the limit, its terms, and how to request it if the account has less."""
    account = need.account
    enough = f"  {_named(account)} has {account.concurrency_limit:,}: enough"
    return (
        f"{name}: {own_sizing(need).webhooks_per_hour:,} webhooks per hour need a concurrency limit of "
        f"{need.required_concurrency_limit:,}\n  {sum_as_text(need)}\n{enough if need.fits else _request(need)}"
    )


def _limit(need: Verdict) -> str:
    return f"a concurrency limit of {need.required_concurrency_limit:,}: {sum_as_text(need)}"


def _request(need: Verdict) -> str:
    account, limit = need.account, need.required_concurrency_limit
    return (
        f"  {_named(account)} has {account.concurrency_limit:,}: request {quota.limit_to_request(limit)}\n"
        f"  {quota.increase_command(account.region, limit)}"
    )


def _named(account: AccountQuota) -> str:
    return f"Account {account.name} in {account.region}"
