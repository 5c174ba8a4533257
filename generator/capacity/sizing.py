"""Derive each function's reserved concurrency from an environment, with model, inputs and reason.

Each function has the model that fits its invocation:

ProcessWebhook     Erlang B: API Gateway invokes it synchronously, so a throttled webhook is lost to its sender.
CheckAlerts        Stream lanes: pollers run one batch per lane at a time.
SendNotification   Erlang C: it is invoked asynchronously, so a throttled event waits in Lambda's queue.
CleanupHistory     Overlap: it runs once an hour.

The account is not considered here; `generator.capacity.quota` decides whether the reservations fit it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from generator._format import counted, percent, rate, significant
from generator.aws import MAX_PARALLELIZATION_FACTOR, REQUESTS_PER_S_PER_UNIT
from generator.capacity import queueing
from generator.config.schema import MAX_BATCH_SIZE, Environment
from generator.errors import Fault, UnsizableLoad

PROCESS_WEBHOOK = "ProcessWebhookFunction"
CHECK_ALERTS = "CheckAlertsFunction"
SEND_NOTIFICATION = "SendNotificationFunction"
CLEANUP_HISTORY = "CleanupHistoryFunction"

SETTINGS = {
    PROCESS_WEBHOOK: "process_webhook",
    CHECK_ALERTS: "check_alerts",
    SEND_NOTIFICATION: "send_notification",
    CLEANUP_HISTORY: "cleanup_history",
}
"""The name of each function in the settings and of its handler, in the order in which a webhook passes them."""

QUOTA_DEVIATIONS = 6
"""Standard deviations of a Poisson count that the daily quota allows above a mean day: exceeded once in a billion days.
"""

THROTTLE_ALARM_PERIOD_S = 300
"""The period over which alarms count throttled webhooks."""


class Model(StrEnum):
    """The queueing model behind a reservation."""

    ERLANG_B = "Erlang B"
    ERLANG_C = "Erlang C"
    STREAM_LANES = "stream lanes"
    OVERLAP = "overlap"


@dataclass(frozen=True, slots=True)
class FunctionSizing:
    """The reserved concurrency of one function and its derivation.

    `offered_load_erlangs` is the mean number of concurrent executions at the peak. The keys of `inputs` end with their
    units. `target` is the probability (Erlang B and C) or utilisation (stream lanes) that must not be exceeded, and
    `predicted` is the model's value with this reservation; both are None if the model has no target.
    `reserved_concurrency` is None if nothing is reserved and the function shares the account's pool.
    """

    logical_id: str
    reserved_concurrency: int | None
    model: Model
    offered_load_erlangs: float
    target: float | None
    predicted: float | None
    inputs: Mapping[str, float]
    reason: str


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """The request limits of API Gateway: what the reservation sustains, so that an overload gets a 429, not a 500.

    `source_rates_per_s` has the limit of each source with a path of its own; `rate_per_s` is what they leave. The burst
    is the same on all paths.
    """

    rate_per_s: float
    burst: int
    quota_per_day: int
    source_rates_per_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sizing:
    """Every figure in the template that depends on the rate; sizing["ProcessWebhookFunction"] is one of `functions`.

    `parallelization_factor` is the number of concurrent batches per shard.
    """

    webhooks_per_hour: int
    functions: tuple[FunctionSizing, ...]
    parallelization_factor: int
    usage_plan: UsagePlan

    @property
    def total_reserved(self) -> int:
        """The sum of the reservations, which the stack takes out of the account's shared pool."""
        return sum(function.reserved_concurrency or 0 for function in self.functions)

    @property
    def tolerated_throttles(self) -> int:
        """The number of webhooks that may be throttled by chance in five minutes at the peak."""
        webhook = self[PROCESS_WEBHOOK]
        share = max(webhook.target or 0, webhook.predicted or 0)
        return tolerated_by_chance(THROTTLE_ALARM_PERIOD_S * webhook.inputs["arrival_rate_per_s"] * share)

    def __getitem__(self, logical_id: str) -> FunctionSizing:
        return {function.logical_id: function for function in self.functions}[logical_id]


def size(environment: Environment) -> Sizing:
    """Derive every figure from the environment.

    Raises UnsizableLoad if the stream cannot carry the peak with any setting that AWS allows; the fault names the
    smallest change that would.
    """
    factor = parallelization_factor(environment)
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
    """Erlang B, and enough units for Lambda's request rate limit and for the usage plan, which follows the units."""
    rate_per_s = environment.peak_rate_per_s
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    target = environment.targets.webhook_throttle_probability
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    for_load, for_rate = queueing.servers_for_blocking(load_erlangs, target), units_for_rate(rate_per_s)
    for_lambda = max(for_load, for_rate)
    reserved = units_for_plan(environment, for_lambda)
    if reserved > for_lambda:
        left = ", less the rates of the sources" if environment.paths else ""
        reason = (
            f"Lambda needs {for_lambda}, but the usage plan admits only what the reservation sustains{left}; "
            f"{reserved} is the smallest reservation whose plan rejects at most {percent(target)} of webhooks at the "
            "peak"
        )
    elif for_rate > for_load:
        reason = (
            f"the load needs {for_load}, but Lambda admits {REQUESTS_PER_S_PER_UNIT} requests/s per unit and the "
            f"peak is {rate(rate_per_s)}"
        )
    else:
        reason = (
            f"{significant(load_erlangs)} run at once on average at the peak; {reserved} is the smallest reservation "
            f"that throttles at most {percent(target)} of webhooks"
        )
    return FunctionSizing(
        logical_id=PROCESS_WEBHOOK,
        reserved_concurrency=reserved,
        model=Model.ERLANG_B,
        offered_load_erlangs=load_erlangs,
        target=target,
        predicted=queueing.erlang_b(reserved, load_erlangs),
        inputs={"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s},
        reason=reason,
    )


def _check_alerts(environment: Environment, factor: int) -> FunctionSizing:
    """One unit per lane: pollers never run more batches at once."""
    stream = environment.stream
    duration_s = batch_duration_s(environment)
    batches_per_s = environment.peak_rate_per_s / stream.batch_size
    busiest_batches_per_s = busiest_shard_batches_per_s(environment)
    predicted = queueing.utilisation(busiest_batches_per_s, duration_s, factor)
    return FunctionSizing(
        logical_id=CHECK_ALERTS,
        reserved_concurrency=(stream.shards + 1) * factor,
        model=Model.STREAM_LANES,
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
            f"{counted(stream.shards, 'shard')} plus one during a shard split, {counted(factor, 'lane')} each; the "
            f"busiest shard's lanes are {percent(predicted)} busy{_partly_filled_batches(environment)}"
        ),
    )


def _send_notification(environment: Environment) -> FunctionSizing:
    """Erlang C, at least one."""
    rate_per_s = environment.peak_rate_per_s * environment.traffic.alerts_per_webhook
    duration_s = environment.functions.send_notification.mean_duration_ms / 1000
    target = environment.targets.notification_wait_probability
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    reserved = max(1, queueing.servers_for_waiting(load_erlangs, target))
    return FunctionSizing(
        logical_id=SEND_NOTIFICATION,
        reserved_concurrency=reserved,
        model=Model.ERLANG_C,
        offered_load_erlangs=load_erlangs,
        target=target,
        predicted=queueing.erlang_c(reserved, load_erlangs),
        inputs={"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s},
        reason=(
            f"{significant(load_erlangs)} run at once on average at the peak; {reserved} is the smallest reservation "
            f"with which at most {percent(target)} of notifications wait"
        ),
    )


def _cleanup_history(environment: Environment) -> FunctionSizing:
    """Runs end long before the next one: they overlap only if one is delivered twice or late."""
    duration_s = environment.functions.cleanup_history.mean_duration_ms / 1000
    return FunctionSizing(
        logical_id=CLEANUP_HISTORY,
        reserved_concurrency=2,
        model=Model.OVERLAP,
        offered_load_erlangs=queueing.offered_load_erlangs(1 / 3600, duration_s),
        target=None,
        predicted=None,
        inputs={"arrival_rate_per_s": 1 / 3600, "mean_duration_s": duration_s},
        reason="one run an hour, plus one for a duplicate or late delivery",
    )


def usage_plan(environment: Environment, units: int) -> UsagePlan:
    """Return the usage plan that this many units of ProcessWebhook sustain.

    Its rate is not the peak rate: a limit at the mean of a Poisson stream rejects part of it. Sources with paths of
    their own get the rates that they state, or less if the units sustain no more than those and the peak. The daily
    quota is a whole day at the peak rate, or a mean day and its random variation if that is more.
    """
    webhooks_per_day = 24 * environment.traffic.webhooks_per_hour
    with_variation = webhooks_per_day + QUOTA_DEVIATIONS * math.sqrt(webhooks_per_day)
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    sustained_per_s = min(REQUESTS_PER_S_PER_UNIT * units, _without_rounding_error(units / duration_s))
    stated = {source.name: source.rate_per_s or 0 for source in environment.paths}
    share = min(1.0, sustained_per_s / (sum(stated.values()) + environment.peak_rate_per_s))
    sources = {name: rate_per_s if share == 1 else round(rate_per_s * share, 3) for name, rate_per_s in stated.items()}
    left_per_s = _without_rounding_error(sustained_per_s - sum(sources.values()))
    return UsagePlan(
        rate_per_s=math.floor(left_per_s) if left_per_s >= 1 else round(left_per_s, 3),
        burst=units,
        quota_per_day=math.ceil(max(_without_rounding_error(24 * 3600 * environment.peak_rate_per_s), with_variation)),
        source_rates_per_s=sources,
    )


def units_for_rate(rate_per_s: float) -> int:
    """Return the fewest units with which Lambda admits that many synchronous requests per second."""
    return math.ceil(_without_rounding_error(rate_per_s / REQUESTS_PER_S_PER_UNIT))


def units_for_plan(environment: Environment, minimum: int) -> int:
    """Return the fewest units, at least `minimum`, whose usage plan meets the throttle target at the peak."""
    target = environment.targets.webhook_throttle_probability
    units = minimum
    while plan_rejection(environment, usage_plan(environment, units)) > target:
        units += 1
    return units


def plan_rejection(environment: Environment, plan: UsagePlan) -> float:
    """Return the probability that the usage plan rejects a webhook at the peak."""
    return queueing.token_bucket_rejection(environment.peak_rate_per_s, plan.rate_per_s, plan.burst)


def tolerated_by_chance(mean: float) -> int:
    """Return a count that Poisson events with this mean rarely exceed: mean plus three standard deviations."""
    return math.ceil(mean + 3 * math.sqrt(mean))


def parallelization_factor(environment: Environment) -> int:
    """Return the smallest factor that keeps the busiest shard's lanes at or below the target utilisation.

    A lane is one of a shard's concurrent batches, whose number is the parallelization factor. Raises UnsizableLoad if
    Lambda allows no such factor.
    """
    traffic, target = environment.traffic, environment.targets.stream_utilisation
    one_lane = queueing.utilisation(busiest_shard_batches_per_s(environment), batch_duration_s(environment), 1)
    factor = max(1, math.ceil(_without_rounding_error(one_lane / target)))
    if factor > MAX_PARALLELIZATION_FACTOR:
        fault = Fault(
            f"{environment.name}: {CHECK_ALERTS}",
            f"the busiest shard gets {percent(traffic.busiest_shard_share)} of {rate(environment.peak_rate_per_s)} and "
            f"needs a parallelization factor of {factor:,}; Lambda allows {MAX_PARALLELIZATION_FACTOR}",
            _remedy_for_stream(environment, one_lane / (target * MAX_PARALLELIZATION_FACTOR)),
        )
        raise UnsizableLoad([fault])
    return factor


def busiest_shard_batches_per_s(environment: Environment) -> float:
    """Return the full batches per second on the busiest shard, which gets at least an equal share of the records."""
    share = max(environment.traffic.busiest_shard_share, 1 / environment.stream.shards)
    return environment.peak_rate_per_s * share / environment.stream.batch_size


def batch_duration_s(environment: Environment) -> float:
    """Return the mean time that a lane works on a batch."""
    return environment.functions.check_alerts.mean_duration_ms / 1000


def _remedy_for_stream(environment: Environment, overload: float) -> str:
    """Return the smallest change with which the largest factor carries `overload` times its capacity."""
    batch_size = math.ceil(_without_rounding_error(environment.stream.batch_size * overload))
    duration_ms = math.floor(_without_rounding_error(1000 * batch_duration_s(environment) / overload))
    setting = "functions.check_alerts.mean_duration_ms"
    shorter = f"shorten batches ({setting}) to {duration_ms:,} ms" if duration_ms else "lower the rate"
    if batch_size > MAX_BATCH_SIZE:
        return f"{shorter}; no stream.batch_size up to {MAX_BATCH_SIZE:,} is enough"
    return f"raise stream.batch_size to {batch_size:,}, if batches take no longer then, or {shorter}"


def _partly_filled_batches(environment: Environment) -> str:
    duration_s = batch_duration_s(environment)
    if duration_s < environment.stream.batching_window_s:
        return ""
    return (
        ", or more: a batch takes at least as long as the batching window, so lanes start partly filled batches; raise "
        f"stream.batching_window_s above {significant(duration_s)}"
    )


def _without_rounding_error(value: float) -> float:
    """Round to 12 significant digits, so that 2.0000000000000004, which should be 2, is not rounded up to 3."""
    return float(f"{value:.12g}")
