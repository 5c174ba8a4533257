"""The account that a template is compared with: what is taken for granted of it, and how a finding tells it."""

from __future__ import annotations

import dataclasses

from generator.capacity import quota
from generator.capacity.quota import AccountQuota
from generator.config.schema import Account

DEFAULT_ACCOUNT: dict[str, int] = {
    field.name: field.metadata["default"]
    for field in dataclasses.fields(Account)
    if field.name in ("concurrency_limit", "unreserved_floor", "reserved_elsewhere")
}
"""What an environment takes for granted as well."""


def excess(total: int, account: AccountQuota) -> str:
    """How much more than an account can give so many are, and what that is made of."""
    return (
        f"{total - account.reservable:,} more than the {account.reservable:,} that can be reserved "
        f"(limit {account.concurrency_limit:,} - unreserved floor {account.unreserved_floor:,} - "
        f"reserved elsewhere {account.reserved_elsewhere:,})"
    )


def remedy(total: int, account: AccountQuota) -> str:
    """What to do about it, to go at the end of a sentence."""
    return f"; lower them or request a limit of {quota.limit_for(account, total):,} or more"
