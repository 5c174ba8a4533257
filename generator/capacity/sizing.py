"""Turns an environment into its sizing: each function's reserved concurrency with its model, inputs and reason.

Each function has the model that fits how it is invoked; one formula for all would waste quota or drop work.
Nothing here knows the account; whether the sum fits is for `generator.capacity.quota`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator._format import percent
from generator.aws import REQUESTS_PER_S_PER_UNIT
from generator.capacity import queueing
from generator.capacity.admission import (
    UsagePlan,
    tolerated_throttles,
    units_for_plan,
    units_for_rate,
    usage_plan,
)
from generator.capacity.lanes import (
    batch_duration_s,
    busiest_shard_batches_per_s,
    half_empty,
    parallelization_factor,
)
from generator.config.schema import Environment

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
"""Every function, in the order of a webhook's way, with its name among the settings and the handlers."""


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

    @property
    def tolerated_throttles(self) -> int:
        """How many webhooks may be throttled in five minutes at the peak, by chance, where all is as it was sized."""
        webhook = self[PROCESS_WEBHOOK]
        share = max(webhook.target or 0, webhook.predicted or 0)
        return tolerated_throttles(webhook.inputs["arrival_rate_per_s"], share)

    def __getitem__(self, logical_id: str) -> FunctionSizing:
        return {function.logical_id: function for function in self.functions}[logical_id]


def size(environment: Environment) -> Sizing:
    """Derives every figure from the environment.

    Raises UnsizableLoad with every function that no setting can carry, and the smallest capacity that would.
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
    """Invoked synchronously, a throttle is lost to the sender: a loss system, Erlang B.

    Where executions are short the load needs few units, and what then admits requests must not refuse more of them:
    Lambda's requests per second, and the usage plan, which follows the units.
    """
    rate_per_s = environment.peak_rate_per_s
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    target = environment.targets.webhook_throttle_probability
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    for_blocking, for_rate = queueing.servers_for_blocking(load_erlangs, target), units_for_rate(rate_per_s)
    needed = max(for_blocking, for_rate)
    reserved = units_for_plan(environment, needed)
    if reserved > needed:
        reason = (
            f"{needed} would do for Lambda, but the usage plan admits what the units sustain, and {reserved} is the "
            f"least with which it refuses no more than {percent(target)} of webhooks at the peak"
        )
    elif for_rate > for_blocking:
        reason = (
            f"{for_blocking} would carry the load, but Lambda admits {REQUESTS_PER_S_PER_UNIT} requests/s per "
            f"unit, and the peak is {rate_per_s:.3g}/s"
        )
    else:
        reason = (
            f"at the peak {load_erlangs:.3g} run at once on average; {reserved} is the least that throttles "
            f"no more than {percent(target)} of webhooks"
        )
    return FunctionSizing(
        logical_id=PROCESS_WEBHOOK,
        reserved_concurrency=reserved,
        model="Erlang B",
        offered_load_erlangs=load_erlangs,
        target=target,
        predicted=queueing.erlang_b(reserved, load_erlangs),
        inputs={"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s},
        reason=reason,
    )


def _check_alerts(environment: Environment, factor: int) -> FunctionSizing:
    """Invoked by stream pollers, one batch per lane at a time: more than the lanes is never used."""
    stream = environment.stream
    duration_s = batch_duration_s(environment)
    batches_per_s = environment.peak_rate_per_s / stream.batch_size
    busiest_batches_per_s = busiest_shard_batches_per_s(environment)
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
            f"lane{'s' if factor > 1 else ''} each; the busiest shard's lanes are then {percent(predicted)} busy"
            f"{half_empty(environment)}"
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
            f"no more than {percent(target)} of notifications wait"
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
