"""The account that a template is compared with: what is taken for granted of it, and how a finding tells it."""

from __future__ import annotations

from generator import quota
from generator.quota import AccountQuota

DEFAULT_ACCOUNT = {"concurrency_limit": 1000, "unreserved_floor": 100, "reserved_elsewhere": 0}
"""AWS's own defaults. Source: Lambda Developer Guide, "Lambda quotas" and "Configuring reserved concurrency"."""


def excess(total: int, account: AccountQuota) -> str:
    """How much more than an account can give so many are, and what that is made of."""
    return (
        f"{total - account.reservable} more than the {account.reservable} that can be reserved "
        f"(limit {account.concurrency_limit} - unreserved floor {account.unreserved_floor} - "
        f"reserved elsewhere {account.reserved_elsewhere})"
    )


def remedy(total: int, account: AccountQuota) -> str:
    """What to do about it, to go at the end of a sentence."""
    return f"; lower them or request a limit of {quota.limit_for(account, total)} or more"
