"""The load of ProcessWebhook and SendNotification: arrivals, their bursts, and the durations of executions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from generator.aws import API_GATEWAY_TIMEOUT_MS
from generator.capacity import bursts, lanes, queueing
from generator.capacity.bursts import Batch, Clusters, Source, Survival
from generator.config.schema import Environment, FunctionSettings

MAX_LOAD, MAX_BATCH, MAX_SIZE = 100, 120, 50
"""Executions are counted in groups if the load, a full batch or the alerts of a record exceed this on average."""

PRECISION = 1e-6
"""Relative error of a time that is found by bisection."""

ANSWER_S = API_GATEWAY_TIMEOUT_MS / 1000
"""The time for which API Gateway waits for ProcessWebhook."""

OTHER_RECORDS = ((0.788675, 0.633975), (0.211325, 2.366025))
"""Two numbers of records in other lanes that represent all numbers: the share of batches, and the number over its mean.

The size of the burst that a random record belongs to has nearly a gamma distribution of shape 2. The two numbers have
the first moments of that distribution. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 25.4.45, for
the weight x exp(-x)."""

PEAK_S = 3600.0
"""How long the busiest time lasts, for the share of what happens once at its beginning."""

POINTS = 40
"""Times at which an integral is evaluated: within 1 % of its value, except for constant durations."""


def cold_starts_per_s(arrival_rate_per_s: float, duration_s: float, idle_timeout_s: float) -> float:
    """Return an upper bound on the cold starts per second of a function whose instances stay warm for that time.

    Lambda uses the warm instance that was used last. So the k-th instance is needed only when k executions run at once,
    and it is cold if that was not the case for the idle timeout T.

    The number of executions rises to k at the rate u = arrival rate x P(k - 1 run), with a Poisson number running. If
    the intervals between these rises are exponential, u exp(-u T) of them per second start cold; if they are clustered,
    fewer do. This is largest at u = 1 / T. A larger u counts with that largest value, so that the bound never falls as
    the rate rises. Each instance may also start cold once when the peak begins.
    """
    load_erlangs = queueing.offered_load_erlangs(arrival_rate_per_s, duration_s)
    found, level, log_running = 0.0, 1, -load_erlangs
    while level <= load_erlangs + 1 or log_running > math.log(bursts.NEGLIGIBLE):
        rises_per_s = arrival_rate_per_s * math.exp(log_running)
        limited_per_s = min(rises_per_s, 1 / idle_timeout_s)
        found += min(rises_per_s, limited_per_s * math.exp(-limited_per_s * idle_timeout_s) + 1 / PEAK_S)
        log_running += math.log(load_erlangs / level)
        level += 1
    return min(found, arrival_rate_per_s)


def cold_start_share(environment: Environment) -> float:
    """Return the share of ProcessWebhook's executions at the peak that start cold."""
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    rate_per_s = environment.peak_rate_per_s
    return cold_starts_per_s(rate_per_s, duration_s, environment.simulation.environment_idle_timeout_s) / rate_per_s


def late_answers(function: FunctionSettings) -> float:
    """Return the share of ProcessWebhook's runs without a cold start for which API Gateway does not wait."""
    return Survival.of(function, function.mean_duration_ms / 1000).after(ANSWER_S)


def longest_run_s(function: FunctionSettings, share: float) -> float:
    """Return the time that this share of a function's runs exceed, without a cold start."""
    survival = Survival.of(function, function.mean_duration_ms / 1000)
    low_s, high_s = 0.0, survival.mean_s
    while survival.after(high_s) > share:
        low_s, high_s = high_s, 2 * high_s
    while high_s - low_s > high_s * PRECISION:
        middle_s = (low_s + high_s) / 2
        low_s, high_s = (middle_s, high_s) if survival.after(middle_s) > share else (low_s, middle_s)
    return high_s


def webhook_duration_s(environment: Environment) -> float:
    """Return ProcessWebhook's mean duration at the peak, cold starts included."""
    function = environment.functions.process_webhook
    return (function.mean_duration_ms + cold_start_share(environment) * function.cold_start_ms) / 1000


def cold_full_share(environment: Environment, units: int, loss: float) -> float:
    """Return the share of time for which all units are in use only because the last one started cold.

    `loss` is the share of time for which they are in use otherwise. Such a period ends with the first of the runs,
    after mean duration / units on average. If the last run started cold, it ends with the first of the others instead.
    That happens at most once within the idle timeout, for which the instance then stays warm.
    """
    function, idle_timeout_s = environment.functions.process_webhook, environment.simulation.environment_idle_timeout_s
    survival = Survival.of(function, function.mean_duration_ms / 1000)
    periods_per_s = loss * units / survival.mean_s
    return min(periods_per_s, 1 / idle_timeout_s) * _longer_full_s(survival, units, function.cold_start_ms / 1000)


@lru_cache(maxsize=1024)
def _longer_full_s(survival: Survival, units: int, cold_start_s: float) -> float:
    """Return how much longer all units are in use if the last of them started cold, by the midpoint rule.

    The others have been running for a random time.
    """
    end_s, total_s = cold_start_s + 10 * survival.mean_s, 0.0
    for point in range(POINTS):
        share = (point + 0.5) / POINTS
        time_s = end_s * share**3
        only_if_cold = survival.after(max(0.0, time_s - cold_start_s)) - survival.after(time_s)
        total_s += share**2 * only_if_cold * survival.remains(time_s) ** (units - 1)
    return 3 * end_s * total_s / POINTS


@lru_cache(maxsize=8)
def webhook_clusters(environment: Environment) -> Clusters:
    """Return the clusters that webhooks form."""
    function, size = environment.functions.process_webhook, environment.traffic.webhooks_per_burst
    survival = Survival.of(function, webhook_duration_s(environment))
    return geometric_bursts(environment.peak_rate_per_s, survival, size)


def geometric_bursts(rate_per_s: float, survival: Survival, size: float) -> Clusters:
    """Return the clusters of geometric bursts with that mean size, each of which arrives at one moment."""
    step = counting_step(rate_per_s * survival.mean_s, 0.0, size)
    return Clusters([Source(1, [(rate_per_s / size, Batch(1, 0.0, 1.0, size))])], survival, step)


@lru_cache(maxsize=128)
def alert_clusters(environment: Environment, factor: int) -> Clusters:
    """Return the clusters that notifications form if the lanes of every shard fire alerts, by parallelization factor.

    A record crosses a threshold with a probability and then fires a geometric number of alerts at once, so that their
    mean per webhook is as configured.
    """
    function, traffic = environment.functions.send_notification, environment.traffic
    survival = Survival.of(function, function.mean_duration_ms / 1000)
    size = max(1.0, traffic.alerts_per_crossing, traffic.alerts_per_webhook)
    crossing = traffic.alerts_per_webhook / size
    stream = lanes.Stream.of(environment)
    groups = lanes.lanes(stream, factor)
    others = [_others(groups, group) for group in groups]
    sources = [_lane_source(stream, group, crossing, size, more) for group, more in zip(groups, others, strict=True)]
    load_erlangs = environment.peak_rate_per_s * traffic.alerts_per_webhook * survival.mean_s
    full_batch = (stream.batch_size + OTHER_RECORDS[-1][1] * max(others)) * traffic.alerts_per_webhook
    return Clusters(sources, survival, counting_step(load_erlangs, full_batch, size))


def _others(groups: Sequence[lanes.Lanes], own: lanes.Lanes) -> float:
    """Return how many records other lanes work on at the same time, because a burst of webhooks started their batches.

    Let b be the mean number of records that the other lane gets of a burst, if any, and n its mean batch. The burst of
    a random record has records in the other lane with the probability 1 - 1 / b^2. It is then the first burst of that
    lane's batch with the probability b / n, and the batch starts with it.
    """
    together = (1 - group.mean_burst**-2 for group in groups)
    return math.fsum(
        (group.number - (group is own)) * share * min(group.mean_batch, group.mean_burst)
        for group, share in zip(groups, together, strict=True)
    )


def _lane_source(stream: lanes.Stream, group: lanes.Lanes, crossing: float, size: float, others: float) -> Source:
    batches_per_s = group.records_per_s / (group.mean_batch + others)
    found = [
        (
            batches_per_s * share * part,
            Batch(records, stream.duration_s, crossing, size, stream.spread, multiple * others),
        )
        for records, share in lanes.batch_sizes(stream, group.records_per_s)
        for part, multiple in (OTHER_RECORDS if others else ((1.0, 0.0),))
    ]
    return Source(group.number, found, lanes.quiet_s(stream, group))


def counting_step(load_erlangs: float, batch: float, size: float) -> int:
    """Return the size of the groups in which to count. Larger groups need more units, never fewer."""
    return math.ceil(max(load_erlangs / MAX_LOAD, batch / MAX_BATCH, size / MAX_SIZE, 1.0))
