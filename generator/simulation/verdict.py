"""Holds what was measured against the environment's targets: met, missed or inconclusive, and what to change first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from generator.aws import floor_error
from generator.simulation import intervals
from generator.simulation.function import CONCURRENCY, REQUEST_RATE, SCALING
from generator.simulation.intervals import Estimate
from generator.simulation.replication import Outcome, Task

TIMEOUT = "timeout"
"""Why a run is lost that was not throttled."""

MET, MISSED, INCONCLUSIVE = "met", "missed", "inconclusive"

MAX_REPLICATIONS = 100_000
"""More than this many would be no advice."""


@dataclass(frozen=True, slots=True)
class Target:
    """One promise and what became of it.

    `replications_needed` would probably decide an inconclusive one; None where none or too many would. `remedy` is
    the first thing to change for a missed one, else empty.
    """

    name: str
    target: float
    measured: Estimate
    verdict: str
    replications_needed: int | None = None
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The keys of the JSON output."""
        interval = None if self.measured.low is None else [self.measured.low, self.measured.high]
        values = {"name": self.name, "target": self.target, "measured": self.measured.mean}
        return {**values, "ci95": interval, "verdict": self.verdict}


def targets(task: Task, outcomes: Sequence[Outcome]) -> list[Target]:
    """The verdict on every target that the template has a stage for."""
    return [*_account(task), *_webhooks(task, outcomes), *_notifications(task, outcomes), *_stream(task, outcomes)]


def decide(target: float, measured: Estimate, replications: int) -> tuple[str, int | None]:
    """Missed only when the whole interval lies above the target, met when it lies at or below it.

    Else the number of replications after which the interval, shrinking with their square root, would exclude the
    target if the mean stayed where it is; with no event at all the bound shrinks with their number.
    """
    if measured.mean is None or measured.low is None or measured.high is None:
        return INCONCLUSIVE, None
    if measured.high <= target:
        return MET, None
    if measured.low > target:
        return MISSED, None
    if measured.mean == 0:
        return INCONCLUSIVE, _advice(replications * measured.high / target)
    above = measured.mean > target
    half = measured.mean - measured.low if above else measured.high - measured.mean
    gap = abs(measured.mean - target)
    return INCONCLUSIVE, _advice(replications * (half / gap) ** 2) if gap else None


def _advice(replications: float) -> int | None:
    return math.ceil(replications) if replications <= MAX_REPLICATIONS else None


def _verdict(task: Task, outcomes: Sequence[Outcome], name: str, measured: Estimate, remedy: str) -> Target:
    target = getattr(task.environment.targets, name)
    verdict, needed = decide(target, measured, len(outcomes))
    return Target(name, target, measured, verdict, needed, remedy if verdict == MISSED else "")


def _account(task: Task) -> Iterator[Target]:
    """Whether AWS would create the functions at all.

    Source: Lambda API reference, PutFunctionConcurrency: a floor of the account's concurrency stays unreserved.
    """
    account, total = task.environment.account, task.topology.total_reserved
    reservable = max(0, account.concurrency_limit - account.unreserved_floor - account.reserved_elsewhere)
    fits = task.unreserved or total <= reservable
    measured = 0 if task.unreserved else total
    remedy = (
        f"the reservations: together they are {total}, and of the account's {account.concurrency_limit} only "
        f"{reservable} can be reserved; this template could not have been created: "
        f"{floor_error(account.unreserved_floor)}"
    )
    exact = Estimate(measured, measured, measured)
    yield Target("reserved_concurrency", reservable, exact, MET if fits else MISSED, None, "" if fits else remedy)


def _webhooks(task: Task, outcomes: Sequence[Outcome]) -> Iterator[Target]:
    """Refusals by API Gateway and by Lambda and runs that were cut or too long count alike: no webhook is taken."""
    gateways = [outcome.gateway for outcome in outcomes]
    lost = [counts["throttled at gateway"] + counts["throttled at lambda"] + counts["failed"] for counts in gateways]
    measured = intervals.of_events(lost, [counts["offered"] for counts in gateways])
    remedy = _webhook_remedy(task, outcomes)
    yield _verdict(task, outcomes, "webhook_throttle_probability", measured, remedy)


def _webhook_remedy(task: Task, outcomes: Sequence[Outcome]) -> str:
    """What cost most webhooks."""
    entry = task.topology.webhook_functions[0]
    prefix = "throttled by "
    refusals = {
        name.removeprefix(prefix): _sum(outcome.gateway[name] for outcome in outcomes)
        for name in outcomes[0].gateway
        if name.startswith(prefix)
    }
    late = f"how long {entry} runs: API Gateway waits {task.assumptions.integration_timeout_s:g} s for an answer"
    refusals[late] = _sum(outcome.gateway["answered too late"] for outcome in outcomes)
    worst = max(refusals, key=refusals.__getitem__)
    at_lambda = _sum(outcome.functions[entry][count] for outcome in outcomes for count in ("throttles", "timeouts"))
    return worst if refusals[worst] > at_lambda else _function_remedy(task, outcomes, entry)


def _function_remedy(task: Task, outcomes: Sequence[Outcome], name: str) -> str:
    """The limit of a function that throttled or cut it most."""
    counts = {TIMEOUT: "timeouts"} | {
        reason: f"throttles by {reason}" for reason in (CONCURRENCY, REQUEST_RATE, SCALING)
    }
    reasons = {reason: _sum(outcome.functions[name][count] for outcome in outcomes) for reason, count in counts.items()}
    worst = max(reasons, key=reasons.__getitem__)
    if worst == TIMEOUT:
        return f"{name}'s Timeout of {task.topology.functions[name].timeout_s:g} s, which cuts its runs"
    if worst == SCALING:
        return f"{name}'s cold starts: it needs new execution environments faster than Lambda adds them"
    reserved = None if task.unreserved else task.topology.functions[name].reserved_concurrency
    limit = f"{name}'s reservation of {reserved}" if reserved is not None else "the account's concurrency limit"
    return f"{limit}, which allows ten requests a second per unit" if worst == REQUEST_RATE else limit


def _notifications(task: Task, outcomes: Sequence[Outcome]) -> Iterator[Target]:
    """Events whose first run was throttled or cut, so that they had to wait for another try."""
    if not outcomes[0].queues:
        return
    waited, accepted = (
        [_sum(queue[count] for queue in outcome.queues.values()) for outcome in outcomes]
        for count in ("waited", "accepted")
    )
    worst = max(
        (one for one in task.topology.subscriptions if one.logical_id in outcomes[0].queues),
        key=lambda subscription: _sum(outcome.queues[subscription.logical_id]["waited"] for outcome in outcomes),
    )
    measured = intervals.of_events(waited, accepted)
    remedy = _function_remedy(task, outcomes, worst.function)
    yield _verdict(task, outcomes, "notification_wait_probability", measured, remedy)


def _stream(task: Task, outcomes: Sequence[Outcome]) -> Iterator[Target]:
    if not outcomes[0].streams:
        return
    name, measured = busiest_shard(task, outcomes)
    mapping = next(mapping for mapping in task.topology.mappings if mapping.logical_id == name)
    throttles, timeouts, invocations = (
        _sum(outcome.functions[mapping.function][count] for outcome in outcomes)
        for count in ("throttles", "timeouts", "invocations")
    )
    if throttles + timeouts > invocations / 10:
        remedy = _function_remedy(task, outcomes, mapping.function)
    else:
        remedy = f"{name}'s ParallelizationFactor of {mapping.parallelization_factor}"
    yield _verdict(task, outcomes, "stream_utilisation", measured, remedy)


def busiest_shard(task: Task, outcomes: Sequence[Outcome]) -> tuple[str, Estimate]:
    """The mapping and the share of time for which the lanes of its busiest shard were taken."""
    lanes = {mapping.logical_id: mapping.parallelization_factor for mapping in task.topology.mappings}
    prefix = "busy_s of shard "
    found = [
        (name, intervals.of_means([outcome.streams[name][key] / task.duration_s / lanes[name] for outcome in outcomes]))
        for name, counts in outcomes[0].streams.items()
        for key in counts
        if key.startswith(prefix)
    ]
    return max(found, key=lambda pair: pair[1].mean or 0.0)


def _sum(counts: Iterable[float]) -> float:
    return math.fsum(counts)
