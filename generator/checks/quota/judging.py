"""The rules about quota, and all findings of one stack. cfn-lint's rules in `checks.rules` only pass these on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from generator.capacity.quota import AccountQuota
from generator.checks.findings import Rule
from generator.checks.quota import messages, mismatches
from generator.checks.quota.messages import SUM_RULE
from generator.checks.quota.mismatches import Finder, Mismatch
from generator.checks.quota.variants import Variant
from generator.checks.quota.worst_case import worst_case
from generator.template.alternatives import Location

GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg"

_CONCURRENCY = "configuration-concurrency"

RULES = {
    rule: Rule(rule, title, f"{GUIDE}/{page}.html")
    for rule, title, page in (
        (SUM_RULE, "Reserved and provisioned concurrency of all functions fits the account", _CONCURRENCY),
        ("E9802", "Provisioned concurrency is within the function's reservation", "provisioned-concurrency"),
        ("W9803", "Stream consumer reserves no more than its pollers can use", "with-kinesis"),
        ("W9804", "Reserved concurrency of 0 stops the function", _CONCURRENCY),
        ("E9807", "SQS mapping's maximum concurrency is within the function's reservation", "services-sqs-scaling"),
        ("W9808", "Throttled pollers send no messages to the dead-letter queue", "services-sqs-configure"),
    )
}
"""The rules about single stacks."""

_JUDGES: dict[str, tuple[Finder, Callable[[Mismatch], str]]] = {
    "E9802": (mismatches.excess, messages.of_excess),
    "W9803": (mismatches.surplus, messages.of_surplus),
    "W9804": (mismatches.switched_off, messages.of_zero),
    "E9807": (mismatches.above_reservation, messages.of_mapping),
    "W9808": (mismatches.throttled_pollers, messages.of_throttling),
}
"""For each rule that depends on no account: what finds its cases in a stack, and their message."""


class Violation(NamedTuple):
    """A violation of a rule, and its place in the template."""

    rule: str
    location: Location
    message: str


def violations(rule: str, variants: Sequence[Variant], **settings: int) -> Iterator[Violation]:
    """Yield the violations of a rule. `settings` are those of the rule.

    The sum of reservations has one, at the largest share, because it is one fault.
    """
    if rule == SUM_RULE:
        case, account = worst_case(variants), AccountQuota(name="", region="", **settings)
        if case.total > account.reservable:
            yield Violation(rule, case.shares[0].location, messages.of_sum(case, account))
        return
    find, message = _JUDGES[rule]
    for mismatch in mismatches.mismatches(find, variants, **settings):
        yield Violation(rule, mismatch.location, message(mismatch))


def other_violations(variants: Sequence[Variant]) -> Iterator[Violation]:
    """Yield the violations of all rules but E9801, in the order of the rules."""
    return (violation for rule in _JUDGES for violation in violations(rule, variants))
