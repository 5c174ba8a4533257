"""Derive each function's reserved concurrency from an environment, with model, inputs and reason.

Each function has the model that fits its invocation:

ProcessWebhook     Erlang B: API Gateway invokes it synchronously, so a throttled webhook is lost to its sender. For
                   senders that send several webhooks at once, the cluster model with bursts of webhooks.
CheckAlerts        Stream lanes: pollers run one batch per lane at a time.
SendNotification   The cluster model: alerts leave CheckAlerts in bursts of up to one batch, and it is invoked
                   asynchronously, so an event that finds no free unit is tried again a second later.
CleanupHistory     Overlap: it runs once an hour.

A reservation that the environment states (`functions.NAME.reserved_concurrency`) replaces the derived one.

The account is not considered here; `generator.capacity.quota` decides whether the reservations fit it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from generator._format import percent, rate
from generator.aws import MAX_PARALLELIZATION_FACTOR
from generator.capacity import arrivals, lanes, queueing
from generator.capacity.functions import (
    FunctionSizing,
    Model,
    reader_of_stream,
    running,
    sized,
    why_units,
)
from generator.capacity.lanes import Stream
from generator.capacity.usage_plan import (
    UsagePlan,
    plan_rejection,
    units_for_plan,
    units_for_rate,
    usage_plan,
)
from generator.config.schema import MAX_BATCH_SIZE, WEBHOOKS_PER_HOUR, Environment
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

THROTTLE_ALARM_PERIOD_S = 300
"""The period over which alarms count throttled webhooks."""

LATE_SHARE = 0.05
"""`size` prints a caution if the share of late answers is above this part of the target."""

COLD_SHARE = 0.1
"""`size` prints a caution if cold starts make up more than this part of the mean duration."""


@dataclass(frozen=True, slots=True)
class Sizing:
    """Every figure in the template that depends on the rate; sizing["ProcessWebhookFunction"] is one of `functions`."""

    webhooks_per_hour: int
    functions: tuple[FunctionSizing, ...]
    usage_plan: UsagePlan

    @property
    def parallelization_factor(self) -> int:
        """The number of concurrent batches per shard."""
        return int(self[CHECK_ALERTS].inputs["parallelization_factor"])

    @property
    def total_reserved(self) -> int:
        """The sum of the reservations, which the stack takes out of the account's shared pool."""
        return sum(function.reserved_concurrency or 0 for function in self.functions)

    @property
    def reservations(self) -> dict[str, int | None]:
        """The reserved concurrency of each function by its logical id."""
        return {function.logical_id: function.reserved_concurrency for function in self.functions}

    @property
    def sum_as_text(self) -> str:
        """The reservations and their sum: 20 + 10 + 5 + 2 = 37."""
        return f"{' + '.join(f'{units or 0:,}' for units in self.reservations.values())} = {self.total_reserved:,}"

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
    check_alerts = _check_alerts(environment)
    factor = int(_as_stated(environment, check_alerts).inputs["parallelization_factor"])
    functions = (
        _process_webhook(environment),
        check_alerts,
        _send_notification(environment, factor),
        _cleanup_history(environment),
    )
    return of_functions(environment, tuple(_as_stated(environment, function) for function in functions))


def of_functions(environment: Environment, functions: tuple[FunctionSizing, ...]) -> Sizing:
    """Return the sizing with these functions. The usage plan follows the reservation of ProcessWebhook."""
    (webhook,) = (function for function in functions if function.logical_id == PROCESS_WEBHOOK)
    plan = usage_plan(environment, webhook.reserved_concurrency or 0)
    return Sizing(environment.traffic.webhooks_per_hour, functions, plan)


def stated(environment: Environment, logical_id: str) -> int | None:
    """Return the reservation that the environment states for a function."""
    reserved: int | None = getattr(environment.functions, SETTINGS[logical_id]).reserved_concurrency
    return reserved


def cautions(environment: Environment) -> list[str]:
    """Return why ProcessWebhook may miss its target although its prediction meets it."""
    function, found = environment.functions.process_webhook, []
    late, target = arrivals.late_answers(function), environment.targets.webhook_throttle_probability
    if late > LATE_SHARE * target:
        found.append(
            f"{percent(late)} of {PROCESS_WEBHOOK}'s runs take longer than the {arrivals.ANSWER_S:g} s for which API "
            f"Gateway waits; those webhooks are lost besides the predicted share. Shorten its runs"
        )
    cold = arrivals.cold_start_share(environment)
    if cold * function.cold_start_ms > COLD_SHARE * function.mean_duration_ms:
        found.append(
            f"{percent(cold)} of {PROCESS_WEBHOOK}'s runs start cold, most of them when many run at once, which the "
            f"prediction leaves out. Simulate before you rely on it: generator simulate {environment.name}"
        )
    return found


def stated_settings(environment: Environment) -> list[str]:
    """Return the reservations that the environment states, as its file does."""
    found = [(name, stated(environment, logical_id)) for logical_id, name in SETTINGS.items()]
    return [f"functions.{name}.reserved_concurrency = {units}" for name, units in found if units is not None]


def with_units(environment: Environment, function: FunctionSizing, units: int, because: str) -> FunctionSizing:
    """Return the function with another reservation and its effect at the peak.

    `because` starts the reason. CheckAlerts runs as many lanes as the units hold.
    """
    inputs = {**function.inputs, "wanted_concurrency": function.reserved_concurrency or 0}
    load_erlangs = function.offered_load_erlangs
    if function.logical_id == PROCESS_WEBHOOK:
        predicted, by_plan = _webhooks_throttled(environment, units)
        effect = f"{percent(predicted)} of webhooks are throttled"
        effect += f", {percent(by_plan)} by the usage plan" if by_plan else ""
    elif function.logical_id == CHECK_ALERTS:
        stream, shards = Stream.of(environment), environment.stream.shards
        factor = max(1, min(MAX_PARALLELIZATION_FACTOR, units // (shards + 1)))
        reader = reader_of_stream(CHECK_ALERTS, stream, factor, environment.targets.stream_utilisation)
        inputs, load_erlangs = {**inputs, **reader.inputs}, reader.offered_load_erlangs
        predicted, waiting = lanes.utilisation(stream, factor), lanes.waiting(stream, factor)
        effect = f"the busiest shard's lanes are {percent(predicted)} busy and {percent(waiting)} of its batches wait"
        if units < shards:
            effect += f", and batches are throttled whenever more than {units:,} of the {shards:,} shards have one"
    elif function.logical_id == SEND_NOTIFICATION:
        factor = int(function.inputs["parallelization_factor"])
        predicted = arrivals.alert_clusters(environment, factor).lateness(units)
        effect = f"{percent(predicted)} of notifications start a second or more late"
    else:
        predicted = queueing.erlang_c(units, load_erlangs)
        effect = f"{percent(predicted)} of runs wait"
    reason = f"{because}; at the peak {effect}"
    return function._replace(
        reserved_concurrency=units,
        offered_load_erlangs=load_erlangs,
        predicted=predicted,
        inputs=inputs,
        reason=reason,
    )


def webhook_loss(environment: Environment, units: int) -> float:
    """Return the share of webhooks that find no free unit at the peak."""
    if environment.traffic.webhooks_per_burst > 1:
        loss = arrivals.webhook_clusters(environment).loss(units)
    else:
        loss = queueing.erlang_b(units, environment.peak_rate_per_s * arrivals.webhook_duration_s(environment))
    return min(1.0, loss + arrivals.cold_full_share(environment, units, loss))


def _webhooks_throttled(environment: Environment, units: int) -> tuple[float, float]:
    """Return the share throttled at the peak, and the usage plan's part of it if that alone misses the target, else 0.

    The part is always 0 for bursts, because the plan and Lambda refuse the same webhooks: those that exceed the units.

    Lambda admits ten requests a second for each unit. If the peak rate is higher, the plan refuses the excess. A plan
    with a burst of N at a rate r admits as much as N units that are in use for N / r each.
    """
    plan = usage_plan(environment, units)
    by_plan = plan_rejection(environment, plan)
    if by_plan <= environment.targets.webhook_throttle_probability:
        return webhook_loss(environment, units), 0.0
    if environment.traffic.webhooks_per_burst > 1:
        return webhook_loss(_with_runs_of_at_least(environment, units / plan.rate_per_s), units), 0.0
    traffic = environment.traffic._replace(peak_factor=environment.traffic.peak_factor * (1 - by_plan))
    admitted = environment._replace(traffic=traffic)
    return by_plan + (1 - by_plan) * webhook_loss(admitted, units), by_plan


def _with_runs_of_at_least(environment: Environment, least_s: float) -> Environment:
    """Return the environment with at least this mean duration of ProcessWebhook."""
    function = environment.functions.process_webhook
    factor = max(1.0, 1000 * least_s / function.mean_duration_ms)
    changed = function._replace(
        mean_duration_ms=function.mean_duration_ms * factor,
        p95_duration_ms=function.p95_duration_ms * factor,
    )
    return environment._replace(functions=environment.functions._replace(process_webhook=changed))


def _as_stated(environment: Environment, function: FunctionSizing) -> FunctionSizing:
    units = stated(environment, function.logical_id)
    if units is None:
        return function
    setting = f"functions.{SETTINGS[function.logical_id]}.reserved_concurrency"
    return with_units(
        environment, function, units, f"{units:,} as {setting} states; derived: {function.reserved_concurrency:,}"
    )


def _process_webhook(environment: Environment) -> FunctionSizing:
    """Return enough units for the load, for Lambda's limit on requests, and for the plan that follows the units."""
    rate_per_s, burst = environment.peak_rate_per_s, environment.traffic.webhooks_per_burst
    duration_s = arrivals.webhook_duration_s(environment)
    target = environment.targets.webhook_throttle_probability
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    for_load = _units_for_webhooks(environment, load_erlangs)
    for_lambda = max(for_load, units_for_rate(rate_per_s))
    reserved = units_for_plan(environment, for_lambda)
    if reserved > for_lambda:
        left = ", minus the rates of the sources" if environment.paths else ""
        reason = (
            f"Lambda needs {for_lambda:,}, but the usage plan admits only what the reservation sustains{left}; "
            f"{reserved:,} is the smallest reservation whose plan rejects at most {percent(target)} of webhooks at the "
            "peak"
        )
    else:
        reason = why_units(for_load, rate_per_s, running(load_erlangs, burst), f"{percent(target)} of webhooks")
    inputs = {
        "arrival_rate_per_s": rate_per_s,
        "mean_duration_s": duration_s,
        "cold_start_share": arrivals.cold_start_share(environment),
    }
    model = Model.WEBHOOK_BURSTS if burst > 1 else Model.ERLANG_B
    return sized(PROCESS_WEBHOOK, reserved, model, inputs, reason, target, webhook_loss(environment, reserved))


def _units_for_webhooks(environment: Environment, load_erlangs: float) -> int:
    target = environment.targets.webhook_throttle_probability
    if environment.traffic.webhooks_per_burst > 1:
        units = arrivals.webhook_clusters(environment).units_for_loss(target)
    else:
        units = queueing.servers_for_blocking(load_erlangs, target)
    while webhook_loss(environment, units) > target:
        units += 1
    return units


def _check_alerts(environment: Environment) -> FunctionSizing:
    stream, target = Stream.of(environment), environment.targets.stream_utilisation
    factor = lanes.smallest_factor(stream, target)
    if factor is None:
        busy = lanes.utilisation(stream, MAX_PARALLELIZATION_FACTOR)
        fault = Fault(
            f"{environment.name}: {CHECK_ALERTS}",
            f"the busiest shard gets {percent(environment.traffic.busiest_shard_share)} of "
            f"{rate(environment.peak_rate_per_s)}; with the largest parallelization factor that Lambda allows, "
            f"{MAX_PARALLELIZATION_FACTOR}, its lanes are {percent(busy)} busy, above the target of {percent(target)}",
            remedy_for_stream(environment),
        )
        raise UnsizableLoad([fault])
    return reader_of_stream(CHECK_ALERTS, stream, factor, target)


def _send_notification(environment: Environment, factor: int) -> FunctionSizing:
    """Return the units that the cluster model needs at this rate, and at lower rates with fewer lanes."""
    target = environment.targets.notification_wait_probability
    found = arrivals.alert_clusters(environment, factor)
    others = [arrivals.alert_clusters(*slower) for slower in _highest_with_fewer_lanes(environment, factor)]
    reserved = max(clusters.units_for_lateness(target) for clusters in (found, *others))
    inputs = {
        "arrival_rate_per_s": environment.peak_rate_per_s * environment.traffic.alerts_per_webhook,
        "mean_duration_s": environment.functions.send_notification.mean_duration_ms / 1000,
        "parallelization_factor": factor,
    }
    reason = (
        f"{running(found.load_erlangs)}, and alerts leave in bursts of up to one batch; {reserved:,} is the "
        f"smallest reservation with which at most {percent(target)} of notifications start a second or more late"
    )
    late, load_erlangs = found.lateness(reserved), found.load_erlangs
    return sized(SEND_NOTIFICATION, reserved, Model.ALERT_BURSTS, inputs, reason, target, late, load_erlangs)


def _cleanup_history(environment: Environment) -> FunctionSizing:
    """Return one unit, and one for a second delivery: a run ends long before the next one starts."""
    mean_duration_s = environment.functions.cleanup_history.mean_duration_ms / 1000
    inputs = {"arrival_rate_per_s": 1 / 3600, "mean_duration_s": mean_duration_s}
    return sized(
        CLEANUP_HISTORY, 2, Model.OVERLAP, inputs, "one run an hour, plus one for a duplicate or late delivery"
    )


def tolerated_by_chance(mean: float) -> int:
    """Return a count that Poisson events with this mean rarely exceed: mean plus three standard deviations."""
    return math.ceil(mean + 3 * math.sqrt(mean))


def _is_carried(environment: Environment, factor: int = MAX_PARALLELIZATION_FACTOR) -> bool:
    return lanes.is_carried(Stream.of(environment), factor, environment.targets.stream_utilisation)


def _highest_with_fewer_lanes(environment: Environment, factor: int) -> Iterator[tuple[Environment, int]]:
    """Yield each smaller factor with the environment at the highest supported rate that it carries, if any.

    Fewer lanes have larger batches, so a lower rate can need more units.
    """
    rates = range(WEBHOOKS_PER_HOUR[0], environment.traffic.webhooks_per_hour)
    for fewer in range(1, factor):
        below = bisect_left(rates, True, key=lambda rate: not _is_carried(at_rate(environment, rate), fewer))
        if below:
            yield at_rate(environment, rates[below - 1]), fewer


def remedy_for_stream(environment: Environment, batch_size: str = "stream.batch_size") -> str:
    """Return the smallest change with which the largest factor carries the load. `batch_size` names that setting."""
    sizes = range(environment.stream.batch_size, MAX_BATCH_SIZE + 1)
    larger = bisect_left(sizes, True, key=lambda records: _is_carried(_with_batch_size(environment, records)))
    longest_ms, setting = longest_batches_ms(environment), "functions.check_alerts.mean_duration_ms"
    shorter = f"shorten batches ({setting}) to {longest_ms:,} ms" if longest_ms else "lower traffic.webhooks_per_hour"
    if larger == len(sizes):
        return f"{shorter}; no {batch_size} up to {MAX_BATCH_SIZE:,} is enough"
    return f"raise {batch_size} to {sizes[larger]:,}, if batches take no longer then, or {shorter}"


def _with_batch_size(environment: Environment, records: int) -> Environment:
    settings = environment.stream
    return environment._replace(stream=settings._replace(batch_size=records))


def longest_batches_ms(environment: Environment) -> int:
    """Return the longest mean duration of batches with which the largest factor carries the load, else 0."""
    durations_ms = range(1, math.floor(environment.functions.check_alerts.mean_duration_ms) + 1)
    return bisect_left(durations_ms, True, key=lambda ms: not _is_carried(_with_batches_of(environment, ms)))


def at_rate(environment: Environment, webhooks_per_hour: int) -> Environment:
    """Return the environment at another rate."""
    return environment._replace(traffic=environment.traffic._replace(webhooks_per_hour=webhooks_per_hour))


def _with_batches_of(environment: Environment, duration_ms: float) -> Environment:
    """Return the environment with batches of that mean duration, and the 95th percentile as its default follows it."""
    stated = environment.functions.check_alerts
    p95_duration_ms = float(f"{duration_ms * stated.p95_duration_ms / stated.mean_duration_ms:.3g}")
    check_alerts = stated._replace(mean_duration_ms=duration_ms, p95_duration_ms=p95_duration_ms)
    return environment._replace(functions=environment.functions._replace(check_alerts=check_alerts))
