"""The messages of all findings about concurrency: how much is too much, when it is, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from generator._format import MOST_LISTED, counted, listed_with_sum, shortened
from generator.aws import DEFAULT_CONCURRENCY_LIMIT, DEFAULT_UNRESERVED_FLOOR, MIN_MAXIMUM_CONCURRENCY, MIN_RECEIVES
from generator.capacity import quota
from generator.capacity.quota import AccountQuota
from generator.checks.quota.mismatches import Mismatch
from generator.checks.quota.worst_case import WorstCase, uncounted
from generator.template.guards import Equality, Guard, described

DEFAULT_ACCOUNT = {
    "concurrency_limit": DEFAULT_CONCURRENCY_LIMIT,
    "unreserved_floor": DEFAULT_UNRESERVED_FLOOR,
    "reserved_elsewhere": 0,
}
"""The account of a template that states none; the same defaults as an environment's."""

MAX_FACT = 100
"""Characters of a fact to print. One from a loop may name many values of a parameter."""

SUM_RULE = "E9801"
"""The rule for the sum of reservations, of one stack or of several."""


def of_sum(case: WorstCase, account: AccountQuota) -> str:
    """Return the message of E9801: the functions reserve more than the account can give."""
    shares = listed_with_sum([(share.function, share.reserved) for share in case.shares])
    return (
        f"{subject(account, 'functions', [case])} {case} concurrent executions together, "
        f"{excess(case.total, account)}{in_scenario(case.scenario)}: {shares}"
        f"{uncounted(case)}{remedy(case.total, account)}"
    )


def pool_name(account: AccountQuota) -> str:
    """Return an account's name and Region as text; empty if neither is known."""
    if not (account.name or account.region):
        return ""
    return f"{f'account {account.name}' if account.name else 'any account'} and {account.region or 'any Region'}"


def subject(account: AccountQuota, noun: str, cases: Iterable[WorstCase]) -> str:
    """Return the subject and the verb of a sentence about what reserves in an account."""
    the = f"In {name}, the" if (name := pool_name(account)) else "The"
    is_provisioned = any(share.is_provisioned for case in cases for share in case.shares)
    return f"{the} {noun} {'reserve or provision' if is_provisioned else 'reserve'}"


def of_excess(mismatch: Mismatch) -> str:
    """Return the message of E9802: a function has more provisioned than reserved."""
    total = mismatch.reserved + mismatch.gap
    return (
        f"{mismatch.function} has {total:,} provisioned concurrent executions, "
        f"{mismatch.gap:,} more than the {mismatch.reserved:,} that it reserves"
        f"{in_scenario(mismatch.scenario)}: {listed_with_sum(mismatch.parts)}; reserve {total:,} or provision less"
    )


def of_surplus(mismatch: Mismatch) -> str:
    """Return the message of W9803: a stream consumer reserves more than its pollers can use."""
    usable = mismatch.reserved - mismatch.gap
    return (
        f"{mismatch.function} reserves {mismatch.reserved:,} concurrent executions, {mismatch.gap:,} more than "
        f"the {usable:,} that its pollers can ever use (shards x parallelization factor)"
        f"{in_scenario(mismatch.scenario)}: {listed_with_sum(mismatch.parts)}; reserve {usable:,}"
    )


def of_zero(mismatch: Mismatch) -> str:
    """Return the message of W9804: a reservation of 0 stops the function."""
    return (
        f"{mismatch.function} reserves 0 concurrent executions and never runs{in_scenario(mismatch.scenario)}; "
        "leave the property out to share the account's pool"
    )


def of_mapping(mismatch: Mismatch) -> str:
    """Return the message of E9807: a mapping states a maximum concurrency above the function's reservation."""
    maximum, reserved = mismatch.reserved + mismatch.gap, mismatch.reserved
    lower = f"lower it to {reserved:,}" if reserved >= MIN_MAXIMUM_CONCURRENCY else "leave it out"
    return (
        f"{mismatch.source} has a maximum concurrency of {maximum:,}, {mismatch.gap:,} more than the {reserved:,} that "
        f"{mismatch.function} reserves{in_scenario(mismatch.scenario)}; Lambda refuses that: {lower} or reserve "
        f"{maximum:,}"
    )


def of_throttling(mismatch: Mismatch) -> str:
    """Return the message of W9808: throttled pollers send messages to the dead-letter queue."""
    demand = mismatch.reserved + mismatch.gap
    return (
        f"{mismatch.source} moves a message to its dead-letter queue after {counted(mismatch.receives, 'receive')}, "
        f"and throttles count: the pollers of {mismatch.function} start with {demand:,} concurrent executions, "
        f"{mismatch.gap:,} more than the {mismatch.reserved:,} that it reserves{in_scenario(mismatch.scenario)}; "
        f"reserve {demand:,}, or write a maxReceiveCount of {MIN_RECEIVES} or more"
    )


def excess(total: int, account: AccountQuota) -> str:
    """Return the excess of a sum over an account, with the account's figures."""
    taken = account.unreserved_floor + account.reserved_elsewhere
    leaves_nothing = " leaves nothing" if taken > account.concurrency_limit else ""
    return (
        f"{total - account.reservable:,} more than the {account.reservable:,} that can be reserved "
        f"(limit {account.concurrency_limit:,} - unreserved floor {account.unreserved_floor:,} - "
        f"reserved elsewhere {account.reserved_elsewhere:,}{leaves_nothing})"
    )


def remedy(total: int, account: AccountQuota) -> str:
    """Return the remedy for the excess, to end a sentence with."""
    new_account = quota.advice(account)
    return f"; lower them or {quota.request_text(account, total)}{f'; {new_account}' if new_account else ''}"


def in_scenario(guard: Guard) -> str:
    """Return the conditions under which a finding holds, to end a sentence with; empty if it always holds."""
    # Conditions come first and each kind is sorted by name, because a set has no order.
    ordered = sorted(guard, key=lambda item: (isinstance(item[0], Equality), str(item[0])))
    texts = dict.fromkeys(described(fact, holds) for fact, holds in ordered)
    facts = [textwrap.shorten(text, MAX_FACT, placeholder=" ...") for text in texts]
    named = shortened(facts, f"{len(facts) - MOST_LISTED} more facts hold")
    return f", when {' and '.join(named)}" if facts else ""
