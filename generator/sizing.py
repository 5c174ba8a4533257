"""Turns an environment into its sizing: each function's reserved concurrency with its model, inputs and reason.

Each function has the model that fits how it is invoked; one formula for all would waste quota or drop work.
Nothing here knows the account; whether the sum fits is for `generator.quota`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from generator import queueing
from generator.environment import Environment
from generator.errors import Fault, UnsizableLoad

REQUESTS_PER_S_PER_UNIT = 10
"""Lambda admits ten requests per second for each unit of reserved concurrency, however short they are.
Source: AWS Lambda Developer Guide, "Understanding function scaling" (requests per second)."""

MAX_PARALLELIZATION_FACTOR = 10
"""Concurrent batches per shard. Source: AWS Lambda API reference, CreateEventSourceMapping."""

PROCESS_WEBHOOK = "ProcessWebhookFunction"
CHECK_ALERTS = "CheckAlertsFunction"
SEND_NOTIFICATION = "SendNotificationFunction"
CLEANUP_HISTORY = "CleanupHistoryFunction"


@dataclass(frozen=True, slots=True)
class FunctionSizing:
    """How many concurrent executions one function gets, and why.

    `offered_load_erlangs` is how many would run at once on average at the peak; `inputs` have their units in the keys.
    `target` and `predicted` are what the model promises and what it reckons with this reservation: a probability
    (Erlang B and C) or a utilisation (lanes). They are None where the model promises nothing of the kind.
    `reserved_concurrency` is None where nothing is reserved and the function shares the account's pool.
    """

    logical_id: str
    reserved_concurrency: int | None
    model: str
    offered_load_erlangs: float
    target: float | None
    predicted: float | None
    inputs: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """What API Gateway admits: as much as the reservation sustains, so that an overload is told 429, not 500."""

    rate_per_s: float
    burst: int
    quota_per_day: int


@dataclass(frozen=True, slots=True)
class Sizing:
    """Everything in the template that follows from the rate; sizing["ProcessWebhookFunction"] is one of `functions`.

    `parallelization_factor` is how many batches of a shard run at once.
    """

    webhooks_per_hour: int
    functions: tuple[FunctionSizing, ...]
    parallelization_factor: int
    usage_plan: UsagePlan

    @property
    def total_reserved(self) -> int:
        """The sum of the reservations: what the stack takes out of the account's shared pool."""
        return sum(function.reserved_concurrency or 0 for function in self.functions)

    def __getitem__(self, logical_id: str) -> FunctionSizing:
        return {function.logical_id: function for function in self.functions}[logical_id]


def size(environment: Environment) -> Sizing:
    """Derives every figure from the environment.

    Raises UnsizableLoad with every function that no setting can carry, and the smallest capacity that would.
    """
    factor = _parallelization_factor(environment)
    process_webhook = _process_webhook(environment)
    return Sizing(
        webhooks_per_hour=environment.traffic.webhooks_per_hour,
        functions=(
            process_webhook,
            _check_alerts(environment, factor),
            _send_notification(environment),
            _cleanup_history(environment),
        ),
        parallelization_factor=factor,
        usage_plan=usage_plan(environment, process_webhook.reserved_concurrency or 0),
    )


def _process_webhook(environment: Environment) -> FunctionSizing:
    """Invoked synchronously, a throttle is lost to the sender: a loss system, Erlang B."""
    rate_per_s = environment.peak_rate_per_s
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    target = environment.targets.webhook_throttle_probability
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    for_blocking = queueing.servers_for_blocking(load_erlangs, target)
    for_rate = units_for_rate(rate_per_s)
    reserved = max(for_blocking, for_rate)
    return FunctionSizing(
        logical_id=PROCESS_WEBHOOK,
        reserved_concurrency=reserved,
        model="Erlang B",
        offered_load_erlangs=load_erlangs,
        target=target,
        predicted=queueing.erlang_b(reserved, load_erlangs),
        inputs={"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s},
        reason=(
            f"at the peak {load_erlangs:.3g} run at once on average; {reserved} is the least that throttles "
            f"no more than {_share(target)} of webhooks"
            if for_blocking >= for_rate
            else f"{for_blocking} would carry the load, but Lambda admits {REQUESTS_PER_S_PER_UNIT} requests/s per "
            f"unit, and the peak is {rate_per_s:.3g}/s"
        ),
    )


def _parallelization_factor(environment: Environment) -> int:
    """The smallest factor that keeps the busiest shard's lanes at or below the target utilisation."""
    stream, traffic = environment.stream, environment.traffic
    target = environment.targets.stream_utilisation
    one_lane = queueing.utilisation(_busiest_shard_batches_per_s(environment), _batch_duration_s(environment), 1)
    factor = max(1, math.ceil(_without_rounding_error(one_lane / target)))
    if factor > MAX_PARALLELIZATION_FACTOR:
        batch_size = math.ceil(
            _without_rounding_error(stream.batch_size * one_lane / (target * MAX_PARALLELIZATION_FACTOR))
        )
        fault = Fault(
            f"{environment.name}: {CHECK_ALERTS}",
            f"the busiest shard's {traffic.busiest_shard_share:.0%} of {environment.peak_rate_per_s:.4g} webhooks/s "
            f"needs a parallelization factor of {factor}, and Lambda allows {MAX_PARALLELIZATION_FACTOR}",
            f"the smallest stream.batch_size that carries it in the same batch duration is {batch_size}; or shorten "
            "functions.check_alerts.mean_duration_ms",
        )
        raise UnsizableLoad([fault])
    return factor


def _check_alerts(environment: Environment, factor: int) -> FunctionSizing:
    """Invoked by stream pollers, one batch per lane at a time: more than the lanes is never used."""
    stream = environment.stream
    duration_s = _batch_duration_s(environment)
    batches_per_s = environment.peak_rate_per_s / stream.batch_size
    busiest_batches_per_s = _busiest_shard_batches_per_s(environment)
    predicted = queueing.utilisation(busiest_batches_per_s, duration_s, factor)
    return FunctionSizing(
        logical_id=CHECK_ALERTS,
        reserved_concurrency=(stream.shards + 1) * factor,
        model="stream lanes",
        offered_load_erlangs=queueing.offered_load_erlangs(batches_per_s, duration_s),
        target=environment.targets.stream_utilisation,
        predicted=predicted,
        inputs={
            "arrival_rate_per_s": batches_per_s,
            "mean_duration_s": duration_s,
            "busiest_shard_batches_per_s": busiest_batches_per_s,
            "batch_size": stream.batch_size,
            "shards": stream.shards,
            "parallelization_factor": factor,
        },
        reason=(
            f"{stream.shards} shards, and one more while a shard splits, with {factor} "
            f"lane{'s' if factor > 1 else ''} each; the busiest shard's lanes are then {predicted:.0%} busy"
        ),
    )


def _send_notification(environment: Environment) -> FunctionSizing:
    """Invoked asynchronously, a throttle waits in Lambda's queue: a waiting system, Erlang C."""
    rate_per_s = environment.peak_rate_per_s * environment.traffic.alerts_per_webhook
    duration_s = environment.functions.send_notification.mean_duration_ms / 1000
    target = environment.targets.notification_wait_probability
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    reserved = max(1, queueing.servers_for_waiting(load_erlangs, target))
    return FunctionSizing(
        logical_id=SEND_NOTIFICATION,
        reserved_concurrency=reserved,
        model="Erlang C",
        offered_load_erlangs=load_erlangs,
        target=target,
        predicted=queueing.erlang_c(reserved, load_erlangs),
        inputs={"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s},
        reason=(
            f"at the peak {load_erlangs:.3g} run at once on average; {reserved} is the least that makes "
            f"no more than {_share(target)} of notifications wait"
        ),
    )


def _cleanup_history(environment: Environment) -> FunctionSizing:
    """Invoked by the hour with a timeout far below it: runs overlap only when one is delivered twice or late."""
    duration_s = environment.functions.cleanup_history.mean_duration_ms / 1000
    return FunctionSizing(
        logical_id=CLEANUP_HISTORY,
        reserved_concurrency=2,
        model="overlap",
        offered_load_erlangs=queueing.offered_load_erlangs(1 / 3600, duration_s),
        target=None,
        predicted=None,
        inputs={"arrival_rate_per_s": 1 / 3600, "mean_duration_s": duration_s},
        reason="one run an hour, and one more for a duplicate or late delivery",
    )


def usage_plan(environment: Environment, units: int) -> UsagePlan:
    """Admits what the units sustain, not the peak rate itself: a limit at the mean rejects part of a Poisson stream.

    The quota is a day at the peak rate, all of it.
    """
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    sustained_per_s = min(REQUESTS_PER_S_PER_UNIT * units, _without_rounding_error(units / duration_s))
    return UsagePlan(
        rate_per_s=math.floor(sustained_per_s) if sustained_per_s >= 1 else round(sustained_per_s, 3),
        burst=units,
        quota_per_day=math.ceil(_without_rounding_error(24 * 3600 * environment.peak_rate_per_s)),
    )


def units_for_rate(rate_per_s: float) -> int:
    """The fewest units with which Lambda admits that many requests per second, however short they are."""
    return math.ceil(_without_rounding_error(rate_per_s / REQUESTS_PER_S_PER_UNIT))


def _busiest_shard_batches_per_s(environment: Environment) -> float:
    """Full batches per second on the busiest shard, which has at least an equal share."""
    share = max(environment.traffic.busiest_shard_share, 1 / environment.stream.shards)
    return environment.peak_rate_per_s * share / environment.stream.batch_size


def _batch_duration_s(environment: Environment) -> float:
    return environment.functions.check_alerts.mean_duration_ms / 1000


def _without_rounding_error(value: float) -> float:
    """To 12 significant digits, so that 2.0000000000000004, which is 2 in exact arithmetic, is not rounded up to 3."""
    return float(f"{value:.12g}")


def _share(probability: float) -> str:
    return f"1 in {1 / probability:,.0f}"
