"""The environment's targets: what was measured, the verdict, and the first thing to change if a target is missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum
from typing import Any, NamedTuple

from generator.aws import floor_error
from generator.simulation.functions import CONCURRENCY, REQUEST_RATE, SCALING
from generator.simulation.gateway import RATE_AND_BURST, TIMEOUT_S
from generator.simulation.network import Task
from generator.simulation.replication import Measurements
from generator.simulation.statistics import Estimate, TargetVerdict, decide, estimate_mean, estimate_share, is_settled

TIMEOUT = "timeout"
"""The reason for a failure that is not a throttle."""

MIN_FULL_PERIODS = 30
"""Periods without a free execution from which their mean weight is known well enough."""


class Cause(StrEnum):
    """The kind of limit that cost the most. The remedy depends on it."""

    UNITS = "units"
    """A function's reservation."""
    FOLLOWING_PLAN = "following plan"
    """The rate and the burst of a usage plan that follow a reservation."""
    LANES = "lanes"
    """The parallelization factor of an event source mapping."""
    PLAN = "plan"
    """The rate and the burst of a usage plan or a stage that follow no reservation."""
    TIMEOUT = "timeout"
    """A function's timeout."""
    LATE_ANSWER = "late answer"
    """The time that API Gateway waits for an answer."""
    OTHER = "other"


class Bottleneck(NamedTuple):
    """The limit that cost the most, as text, its kind, and the function whose settings change it, if any.

    `lanes` is the parallelization factor if that is the limit, else 0.
    """

    text: str
    cause: Cause = Cause.OTHER
    function: str = ""
    lanes: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """An upper limit, and how the measured value compares with it.

    `replications_needed` would probably decide an inconclusive verdict; None if no reasonable number would. `remedy`
    is the first thing to change for a missed target, else empty. `cause` is its kind, `function` the function whose
    settings change it, and `lanes` the parallelization factor if that is the first thing to change.
    """

    name: str
    target: float
    measured: Estimate
    verdict: TargetVerdict
    replications_needed: int | None = None
    remedy: str = ""
    cause: Cause = Cause.OTHER
    function: str = ""
    lanes: int = 0

    def as_dict(self) -> dict[str, Any]:
        values = {"name": self.name, "target": self.target, "measured": self.measured.mean}
        return {**values, "ci95": self.measured.interval, "verdict": self.verdict}


def judge_targets(task: Task, runs: Sequence[Measurements]) -> list[Target]:
    """Return the verdict on every target for which the template has a stage."""
    return [*_account(task), *_webhooks(task, runs), *_notifications(task, runs), *_stream(task, runs)]


def are_settled(task: Task, runs: Sequence[Measurements]) -> bool:
    """Return whether more replications are unlikely to change any verdict."""
    return all(is_settled(target.target, target.measured) for target in judge_targets(task, runs))


def _busiest_shard(task: Task, runs: Sequence[Measurements]) -> tuple[str, Estimate]:
    """Return the mapping with the busiest shard, and the share of time for which that shard's lanes are busy."""
    lanes = {mapping.logical_id: mapping.parallelization_factor for mapping in task.topology.mappings}
    prefix = "busy_s of shard "
    found = [
        (name, estimate_mean([run.streams[name][key] / task.duration_s / lanes[name] for run in runs]))
        for name, counts in runs[0].streams.items()
        for key in counts
        if key.startswith(prefix)
    ]
    return max(found, key=lambda pair: pair[1].mean or 0.0)


def _judge(task: Task, runs: Sequence[Measurements], name: str, measured: Estimate, limit: Bottleneck) -> Target:
    target = getattr(task.environment.targets, name)
    verdict, needed = decide(target, measured, len(runs))
    bottleneck = limit if verdict is TargetVerdict.MISSED else Bottleneck("")
    return Target(name, target, measured, verdict, needed, *bottleneck)


def _account(task: Task) -> Iterator[Target]:
    """Judge whether AWS would create the functions.

    Source: Lambda API reference, PutFunctionConcurrency: a floor of the account's concurrency stays unreserved.
    """
    account, total = task.environment.account, task.topology.total_reserved
    reservable = max(0, account.concurrency_limit - account.unreserved_floor - account.reserved_elsewhere)
    remedy = (
        f"the reservations: their sum is {total}, but only {reservable} of the account's {account.concurrency_limit} "
        f"can be reserved; this stack could not be created: {floor_error(account.unreserved_floor)}"
    )
    fits = total <= reservable
    verdict = TargetVerdict.MET if fits else TargetVerdict.MISSED
    exact = Estimate(total, total, total)
    yield Target("reserved_concurrency", reservable, exact, verdict, None, "" if fits else remedy)


def _webhooks(task: Task, runs: Sequence[Measurements]) -> Iterator[Target]:
    """Judge the share of lost webhooks: refused by API Gateway or Lambda, timed out, or answered too late.

    If Lambda was often enough without a free execution, the first attempts that it throttled count by their expected
    number and not by their count. Then each such period is an event with a weight of its own.
    """
    gateways = [run.gateway for run in runs]
    lost = [counts["throttled_at_gateway"] + counts["throttled_at_lambda"] + counts["failed"] for counts in gateways]
    weight = 1.0
    periods, expected = (fsum(counts[name] for counts in gateways) for name in ("full_periods", "first_expected"))
    if periods >= MIN_FULL_PERIODS and expected > 0:
        lost = [
            count + counts["first_expected"] - counts["first_throttled"]
            for count, counts in zip(lost, gateways, strict=True)
        ]
        weight = 1 - (1 - expected / periods) * expected / fsum(lost)
    measured = estimate_share(lost, [counts["offered"] for counts in gateways], weight)
    yield _judge(task, runs, "webhook_throttle_probability", measured, _webhook_limit(task, runs))


def _webhook_limit(task: Task, runs: Sequence[Measurements]) -> Bottleneck:
    """Return the limit that cost the most webhooks."""
    entry = task.topology.webhook_functions[0]
    prefix = "throttled by "
    refusals = {
        name.removeprefix(prefix): fsum(run.gateway[name] for run in runs)
        for name in runs[0].gateway
        if name.startswith(prefix)
    }
    late = f"{entry}'s duration: API Gateway waits only {TIMEOUT_S:g} s for an answer"
    refusals[late] = fsum(run.gateway["answered_too_late"] for run in runs)
    worst = max(refusals, key=refusals.__getitem__)
    at_lambda = fsum(run.functions[entry][count] for run in runs for count in ("throttles", "timeouts"))
    if refusals[worst] <= at_lambda:
        return _function_limit(task, runs, entry)
    if worst == late:
        return Bottleneck(worst, Cause.LATE_ANSWER, entry)
    # A generated usage plan admits as many at once as the function reserves. Other plans follow no reservation.
    reserved = task.topology.functions[entry].reserved_concurrency
    limits = {f"{one.logical_id}'s {RATE_AND_BURST}": one.burst for one in task.topology.throttles}
    if worst not in limits:
        return Bottleneck(worst)
    if limits[worst] == reserved:
        return Bottleneck(f"{worst}, which follow {entry}'s reservation of {reserved}", Cause.FOLLOWING_PLAN, entry)
    return Bottleneck(worst, Cause.PLAN, entry)


def _function_limit(task: Task, runs: Sequence[Measurements], name: str) -> Bottleneck:
    """Return the limit of a function that throttled it or timed it out most often."""
    counts = {TIMEOUT: "timeouts"} | {
        reason: f"throttles by {reason}" for reason in (CONCURRENCY, REQUEST_RATE, SCALING)
    }
    reasons = {reason: fsum(run.functions[name][count] for run in runs) for reason, count in counts.items()}
    worst = max(reasons, key=reasons.__getitem__)
    if worst == TIMEOUT:
        timeout_s = task.topology.functions[name].timeout_s
        return Bottleneck(f"{name}'s Timeout of {timeout_s:g} s, which its runs exceed", Cause.TIMEOUT, name)
    if worst == SCALING:
        return Bottleneck(f"{name}'s cold starts: it needs new instances faster than Lambda adds them")
    reserved = task.topology.functions[name].reserved_concurrency
    limit = f"{name}'s reservation of {reserved}" if reserved is not None else "the account's concurrency limit"
    limit += ", which allows ten requests a second per unit" if worst == REQUEST_RATE else ""
    return Bottleneck(limit) if reserved is None else Bottleneck(limit, Cause.UNITS, name)


def _notifications(task: Task, runs: Sequence[Measurements]) -> Iterator[Target]:
    """Judge the share of events that had to wait for a retry because their first run was throttled or timed out."""
    if not runs[0].queues:
        return
    waited, accepted = (
        [fsum(queue[count] for queue in run.queues.values()) for run in runs] for count in ("waited", "accepted")
    )
    worst = max(
        (one for one in task.topology.subscriptions if one.logical_id in runs[0].queues),
        key=lambda subscription: fsum(run.queues[subscription.logical_id]["waited"] for run in runs),
    )
    measured = estimate_share(waited, accepted)
    yield _judge(task, runs, "notification_wait_probability", measured, _function_limit(task, runs, worst.function))


def _stream(task: Task, runs: Sequence[Measurements]) -> Iterator[Target]:
    if not runs[0].streams:
        return
    name, measured = _busiest_shard(task, runs)
    mapping = next(mapping for mapping in task.topology.mappings if mapping.logical_id == name)
    throttles, timeouts, invocations = (
        fsum(run.functions[mapping.function][count] for run in runs)
        for count in ("throttles", "timeouts", "invocations")
    )
    if throttles + timeouts > invocations / 10:
        limit = _function_limit(task, runs, mapping.function)
    else:
        factor = f"{name}'s ParallelizationFactor of {mapping.parallelization_factor}"
        limit = Bottleneck(factor, Cause.LANES, mapping.function, mapping.parallelization_factor)
    yield _judge(task, runs, "stream_utilisation", measured, limit)
