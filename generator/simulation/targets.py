"""The environment's targets: what was measured, the verdict, and the first thing to change if a target is missed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import fsum
from operator import itemgetter
from typing import Any, NamedTuple

from generator.aws import floor_error
from generator.simulation.functions import CONCURRENCY, REQUEST_RATE, SCALING
from generator.simulation.gateway import RATE_AND_BURST, TIMEOUT_S
from generator.simulation.network import Task
from generator.simulation.replication import Measurements
from generator.simulation.statistics import Estimate, TargetVerdict, decide, estimate_mean, estimate_share, is_settled

MIN_FULL_PERIODS = 30
"""Fewest periods without a free execution that give a reliable mean weight."""


class Cause(StrEnum):
    """The kind of a limit. The remedy depends on it."""

    UNITS = "units"
    """A function's reservation."""
    FOLLOWING_PLAN = "following plan"
    """The rate and the burst of a usage plan that follow a reservation."""
    LANES = "lanes"
    """The parallelization factor of an event source mapping."""
    PLAN = "plan"
    """The rate and the burst of a usage plan or a stage that follow no reservation."""
    QUOTA = "quota"
    """The quota of a usage plan."""
    TIMEOUT = "timeout"
    """A function's timeout."""
    LATE_ANSWER = "late answer"
    """The time that API Gateway waits for an answer."""
    OTHER = "other"


class Bottleneck(NamedTuple):
    """A limit that cost too much, as text, its kind, and the function whose settings change it, if any.

    `lanes` is the parallelization factor if that is the limit, else 0.
    """

    text: str
    cause: Cause = Cause.OTHER
    function: str = ""
    lanes: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """An upper limit, and how the measured value compares with it.

    `replications_needed` would probably decide an inconclusive verdict; None if no reasonable number would. `limits`
    are what to change for a missed target: first the limit that cost the most, then all that alone would miss it.
    """

    name: str
    target: float
    measured: Estimate
    verdict: TargetVerdict
    replications_needed: int | None = None
    limits: Sequence[Bottleneck] = ()

    def as_dict(self) -> dict[str, Any]:
        values = {"name": self.name, "target": self.target, "measured": self.measured.mean}
        return {**values, "ci95": self.measured.interval, "verdict": self.verdict}


def judge_targets(task: Task, runs: Sequence[Measurements]) -> list[Target]:
    """Return the verdict on every target for which the template has a stage."""
    return [*_account(task), *_webhooks(task, runs), *_notifications(task, runs), *_stream(task, runs)]


def are_settled(task: Task, runs: Sequence[Measurements]) -> bool:
    """Return whether more replications are unlikely to change any verdict."""
    return all(is_settled(target.target, target.measured) for target in judge_targets(task, runs))


Costs = Iterable[tuple[float, Bottleneck]]
"""Limits with the number of events that each cost."""


def _judge(task: Task, replications: int, name: str, measured: Estimate, costs: Costs, events: float) -> Target:
    """Return the verdict. A missed target has the limit that cost the most, and all that cost too many events."""
    target = getattr(task.environment.targets, name)
    verdict, needed = decide(target, measured, replications)
    if verdict is not TargetVerdict.MISSED:
        return Target(name, target, measured, verdict, needed)
    worst, *others = sorted(costs, key=itemgetter(0), reverse=True)
    limits = [worst[1], *(limit for cost, limit in others if cost > target * events)]
    return Target(name, target, measured, verdict, needed, limits)


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
    yield Target("reserved_concurrency", reservable, exact, verdict, None, () if fits else [Bottleneck(remedy)])


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
        # The expected part of the losses varies by expected / periods of what counts vary by, the rest as counts do.
        weight = 1 - (1 - expected / periods) * expected / fsum(lost)
    offered = [counts["offered"] for counts in gateways]
    measured = estimate_share(lost, offered, weight)
    costs = [*_function_costs(task, runs, task.topology.webhook_functions[0]), *_gateway_costs(task, runs)]
    yield _judge(task, len(runs), "webhook_throttle_probability", measured, costs, fsum(offered))


def _gateway_costs(task: Task, runs: Sequence[Measurements]) -> Iterator[tuple[float, Bottleneck]]:
    """Yield the limits of API Gateway, each with the webhooks that it cost.

    A generated usage plan admits as many at once as the function reserves. Other plans follow no reservation.
    """
    entry, prefix = task.topology.webhook_functions[0], "throttled by "
    late = f"{entry}'s duration: API Gateway waits only {TIMEOUT_S:g} s for an answer"
    yield fsum(run.gateway["answered_too_late"] for run in runs), Bottleneck(late, Cause.LATE_ANSWER, entry)
    reserved, causes = task.topology.functions[entry].reserved_concurrency, {}
    for one in task.topology.throttles:
        follows = reserved is not None and one.burst == reserved
        causes[f"{one.logical_id}'s {RATE_AND_BURST}"] = Cause.FOLLOWING_PLAN if follows else Cause.PLAN
        causes[f"{one.logical_id}'s quota"] = Cause.QUOTA
    for key in runs[0].gateway:
        if key.startswith(prefix):
            text = key.removeprefix(prefix)
            cause = causes.get(text, Cause.OTHER)
            if cause is Cause.FOLLOWING_PLAN:
                text += f", which follow {entry}'s reservation of {reserved}"
            yield fsum(run.gateway[key] for run in runs), Bottleneck(text, cause, "" if cause is Cause.OTHER else entry)


def _function_costs(task: Task, runs: Sequence[Measurements], name: str) -> Iterator[tuple[float, Bottleneck]]:
    """Yield the limits of a function, each with the number of times that it throttled it or timed it out."""
    reserved, timeout_s = task.topology.functions[name].reserved_concurrency, task.topology.functions[name].timeout_s
    units = f"{name}'s reservation of {reserved}" if reserved is not None else "the account's concurrency limit"
    cause, owner = (Cause.OTHER, "") if reserved is None else (Cause.UNITS, name)
    rate, timeout = f"{units}, which allows ten requests a second per unit", f"{name}'s Timeout of {timeout_s:g} s"
    starts = f"{name}'s cold starts: it needs new instances faster than Lambda adds them"
    limits = {
        "timeouts": Bottleneck(f"{timeout}, which its runs exceed", Cause.TIMEOUT, name),
        f"throttles by {CONCURRENCY}": Bottleneck(units, cause, owner),
        f"throttles by {REQUEST_RATE}": Bottleneck(rate, cause, owner),
        f"throttles by {SCALING}": Bottleneck(starts),
    }
    for count, limit in limits.items():
        yield fsum(run.functions[name][count] for run in runs), limit


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
    costs = _function_costs(task, runs, worst.function)
    measured = estimate_share(waited, accepted)
    yield _judge(task, len(runs), "notification_wait_probability", measured, costs, fsum(accepted))


def _stream(task: Task, runs: Sequence[Measurements]) -> Iterator[Target]:
    """Judge the share of time for which the lanes of the busiest shard are busy."""
    shards = []
    for mapping in task.topology.mappings:
        name, lanes = mapping.logical_id, mapping.parallelization_factor
        for key in runs[0].streams.get(name, {}):
            if key.startswith("busy_s of shard "):
                busy = [run.streams[name][key] / task.duration_s / lanes for run in runs]
                shards.append((estimate_mean(busy), mapping))
    if not shards:
        return
    measured, mapping = max(shards, key=lambda shard: shard[0].mean or 0.0)
    invocations = fsum(run.functions[mapping.function]["invocations"] for run in runs)
    costs = [*_function_costs(task, runs, mapping.function)]
    if fsum(cost for cost, _ in costs) <= invocations / 10:
        lanes = mapping.parallelization_factor
        factor = f"{mapping.logical_id}'s ParallelizationFactor of {lanes}"
        costs = [(invocations, Bottleneck(factor, Cause.LANES, mapping.function, lanes))]
    yield _judge(task, len(runs), "stream_utilisation", measured, costs, invocations)
