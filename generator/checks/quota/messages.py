"""Sentences that several findings share: when a finding holds, how much is too much, and what to do."""

from __future__ import annotations

import dataclasses

from generator._format import MOST_LISTED, shortened
from generator.capacity import quota
from generator.capacity.quota import AccountQuota
from generator.config.schema import Account
from generator.template.conditions import Equality, Fact, Guard

DEFAULT_ACCOUNT: dict[str, int] = {
    field.name: field.metadata["default"]
    for field in dataclasses.fields(Account)
    if field.name in ("concurrency_limit", "unreserved_floor", "reserved_elsewhere")
}
"""The account of a template that states none; the same defaults as an environment's."""


def excess(total: int, account: AccountQuota) -> str:
    """Return by how much a sum exceeds an account, with the account's figures."""
    return (
        f"{total - account.reservable:,} more than the {account.reservable:,} that can be reserved "
        f"(limit {account.concurrency_limit:,} - unreserved floor {account.unreserved_floor:,} - "
        f"reserved elsewhere {account.reserved_elsewhere:,})"
    )


def remedy(total: int, account: AccountQuota) -> str:
    """Return what to do about it, to end a sentence with."""
    return f"; lower them or request a limit of {quota.limit_for(account, total):,} or more"


def in_scenario(guard: Guard) -> str:
    """Return the conditions under which a finding holds, to end a sentence with; empty if it always holds."""
    facts = [_fact(fact, holds) for fact, holds in sorted(guard, key=_order)]
    named = shortened(facts, f"{len(facts) - MOST_LISTED} more facts hold")
    return f", when {' and '.join(named)}" if facts else ""


def _fact(fact: Fact, holds: bool) -> str:
    if isinstance(fact, Equality):
        return f"{fact.parameter} is {'' if holds else 'not '}{fact.value}"
    return f"{fact} is {'true' if holds else 'false'}"


def _order(item: tuple[Fact, bool]) -> tuple[bool, str]:
    """Sort conditions first and each kind by name, because a set has no order."""
    fact, _ = item
    return isinstance(fact, Equality), str(fact)
