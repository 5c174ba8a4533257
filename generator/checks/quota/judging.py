"""All findings of the quota engine about one stack, in the order of their rules. The rules themselves are adapters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from generator.capacity.quota import AccountQuota
from generator.checks.quota import messages
from generator.checks.quota.deployed import Deployed
from generator.checks.quota.provisioned import excesses
from generator.checks.quota.queues import above_reservation, throttled_pollers
from generator.checks.quota.streams import surpluses, switched_off
from generator.checks.quota.worst_case import worst_case
from generator.template.alternatives import Location


class Violation(NamedTuple):
    """A violation of a rule, and its place in the template."""

    rule: str
    location: Location
    message: str


def other_violations(stacks: Sequence[Deployed], shards: int = 0) -> Iterator[Violation]:
    """Yield the violations of all rules but E9801. They depend on no account."""
    yield from provisioned_concurrency(stacks)
    yield from stream_reservation(stacks, shards)
    yield from zero_reservation(stacks)
    yield from queue_concurrency(stacks)
    yield from queue_throttling(stacks)


def reservation_sum(stacks: Sequence[Deployed], account: AccountQuota) -> Iterator[Violation]:
    """Yield one finding, at the largest share, if some deployment reserves more than the account can give."""
    case = worst_case(stacks)
    if case.total > account.reservable:
        yield Violation(messages.SUM_RULE, case.shares[0].location, messages.of_sum(case, account))


def provisioned_concurrency(stacks: Sequence[Deployed]) -> Iterator[Violation]:
    """Yield one finding per function that has more provisioned than reserved, at its largest figure."""
    for excess in excesses(stacks):
        yield Violation("E9802", excess.provisioned[0][2], messages.of_excess(excess))


def stream_reservation(stacks: Sequence[Deployed], shards: int) -> Iterator[Violation]:
    """Yield one finding per stream consumer that reserves more than its pollers can use, at its reservation."""
    for surplus in surpluses(stacks, shards):
        yield Violation("W9803", surplus.location, messages.of_surplus(surplus))


def zero_reservation(stacks: Sequence[Deployed]) -> Iterator[Violation]:
    """Yield one finding per place that states 0, for the first deployment that has it."""
    messages_: dict[Location, str] = {}
    for option in switched_off(stacks):
        messages_.setdefault(option.location, messages.of_zero(option))
    yield from (Violation("W9804", location, message) for location, message in messages_.items())


def queue_concurrency(stacks: Sequence[Deployed]) -> Iterator[Violation]:
    """Yield one finding per mapping with a maximum above the function's reservation, at the maximum."""
    for demand in above_reservation(stacks):
        yield Violation("E9807", demand.location, messages.of_mapping(demand))


def queue_throttling(stacks: Sequence[Deployed]) -> Iterator[Violation]:
    """Yield one finding per function and queue that loses throttled messages, at the queue's maxReceiveCount."""
    for demand in throttled_pollers(stacks):
        yield Violation("W9808", demand.location, messages.of_throttling(demand))
