"""Size one function of any stack by how it is invoked, without an environment. `sizing.py` builds on these models.

Rates are those of the busiest minutes. A duration is a mean, such as that of the CloudWatch metric Duration. The metric
leaves out initialisation, so add cold starts where they matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from generator._format import counted, number, percent, rate, significant
from generator.aws import (
    MAX_BATCHING_WINDOW_S,
    MAX_MAXIMUM_CONCURRENCY,
    MAX_PARALLELIZATION_FACTOR,
    MIN_MAXIMUM_CONCURRENCY,
    REQUESTS_PER_S_PER_UNIT,
)
from generator.capacity import bursts, lanes, queueing
from generator.capacity.arrivals import geometric_bursts
from generator.capacity.bursts import Clusters, Survival
from generator.capacity.lanes import Stream
from generator.capacity.usage_plan import units_for_rate
from generator.config.validation import MAX_LOGNORMAL_P95_OVER_MEAN
from generator.errors import Fault, UnsizableLoad


class Model(StrEnum):
    """The queueing model behind a reservation."""

    ERLANG_B = "Erlang B"
    WEBHOOK_BURSTS = "webhook bursts"
    ALERT_BURSTS = "alert bursts"
    STREAM_LANES = "stream lanes"
    OVERLAP = "overlap"
    BURSTS = "bursts"
    SQS = "SQS maximum concurrency"


class FunctionSizing(NamedTuple):
    """The reserved concurrency of one function and its derivation.

    `offered_load_erlangs` is the mean number of concurrent executions at the peak. The keys of `inputs` end with their
    units. `target` is the probability (Erlang B, bursts) or utilisation (stream lanes) that must not be exceeded, and
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

    @property
    def misses_target(self) -> bool:
        """Whether the prediction for the reservation is above the target."""
        return self.target is not None and (self.predicted or 0) > self.target


def sized(
    name: str,
    units: int,
    model: Model,
    inputs: Mapping[str, float],
    reason: str,
    target: float | None = None,
    predicted: float | None = None,
    load_erlangs: float | None = None,
) -> FunctionSizing:
    """Return a sizing. By default its load follows from the inputs `arrival_rate_per_s` and `mean_duration_s`."""
    if load_erlangs is None:
        load_erlangs = queueing.offered_load_erlangs(inputs["arrival_rate_per_s"], inputs["mean_duration_s"])
    return FunctionSizing(name, units, model, load_erlangs, target, predicted, inputs, reason)


def size_synchronous(
    name: str,
    *,
    rate_per_s: float,
    duration_s: float,
    throttle_probability: float = 1e-4,
    burst: float = 1.0,
    p95_duration_s: float | None = None,
) -> FunctionSizing:
    """Size a function whose caller waits for the answer, such as one behind an API: a throttled request is lost.

    `burst` is the mean number of requests that arrive at once. With `p95_duration_s`, the 95th percentile, the
    duration is lognormal, without it exponential. Raises ValueError for a value that makes no sense.
    """
    target = throttle_probability
    inputs = {"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s, "burst": burst}
    load_erlangs = _load(rate_per_s, duration_s, target, burst, p95_duration_s)
    found = _clusters(rate_per_s, duration_s, burst, p95_duration_s) if burst > 1 else None
    for_load = found.units_for_loss(target) if found else queueing.servers_for_blocking(load_erlangs, target)
    units = max(for_load, units_for_rate(rate_per_s))
    reason = why_units(for_load, rate_per_s, running(load_erlangs, burst), f"{percent(target)} of requests")
    predicted = found.loss(units) if found else queueing.erlang_b(units, load_erlangs)
    return sized(name, units, Model.BURSTS if found else Model.ERLANG_B, inputs, reason, target, predicted)


def running(load_erlangs: float, burst: float = 1.0) -> str:
    """Return the load as the beginning of a reason."""
    bunched = f", in bursts of {number(burst)}" if burst > 1 else ""
    return f"{significant(load_erlangs)} executions run at once on average at the peak{bunched}"


def why_units(for_load: int, rate_per_s: float, load: str, throttled: str) -> str:
    """Return why a synchronous function needs the units for its load, or those for its request rate if they are more.

    `load` and `throttled` describe the load and the share that may be throttled.
    """
    if units_for_rate(rate_per_s) > for_load:
        admitted = f"Lambda admits {REQUESTS_PER_S_PER_UNIT} requests/s per unit and the peak is {rate(rate_per_s)}"
        return f"the load needs {for_load:,}, but {admitted}"
    return f"{load}; {for_load:,} is the smallest reservation that throttles at most {throttled}"


def size_asynchronous(
    name: str,
    *,
    rate_per_s: float,
    duration_s: float,
    wait_probability: float = 0.01,
    burst: float = 1.0,
    p95_duration_s: float | None = None,
) -> FunctionSizing:
    """Size a function that SNS, EventBridge, S3 or another service invokes: an event that finds no unit is tried again.

    `burst` is the mean number of events that arrive at once. With `p95_duration_s`, the 95th percentile, the
    duration is lognormal, without it exponential. Raises ValueError for a value that makes no sense.
    """
    target = wait_probability
    inputs = {"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s, "burst": burst}
    load_erlangs = _load(rate_per_s, duration_s, target, burst, p95_duration_s)
    found = _clusters(rate_per_s, duration_s, burst, p95_duration_s)
    units = found.units_for_lateness(target)
    reason = (
        f"{running(load_erlangs, burst)}; {units:,} is the smallest reservation with which at most {percent(target)} "
        "of events start a second or more late"
    )
    return sized(name, units, Model.BURSTS, inputs, reason, target, found.lateness(units))


def size_stream(
    name: str,
    *,
    records_per_s: float,
    duration_s: float,
    shards: int,
    batch_size: int,
    batching_window_s: float = 0.0,
    busiest_shard_share: float = 0.0,
    utilisation: float = 0.5,
) -> FunctionSizing:
    """Size a function that reads a DynamoDB or Kinesis stream. Its `inputs` have the `parallelization_factor` to set.

    The duration is that of a full batch. `busiest_shard_share` is at least an equal share. `utilisation` is the highest
    share of time for which the lanes of the busiest shard may be busy. Raises UnsizableLoad if no parallelization
    factor carries the load, and ValueError for a value that makes no sense.
    """
    _require(records_per_s=records_per_s, duration_s=duration_s, shards=shards, batch_size=batch_size)
    _require_share(utilisation=utilisation)
    _require_between(0, 1, busiest_shard_share=busiest_shard_share)
    _require_between(0, MAX_BATCHING_WINDOW_S, batching_window_s=batching_window_s)
    share = max(busiest_shard_share, 1 / shards)
    stream = Stream(records_per_s, shards, batch_size, batching_window_s, duration_s, share)
    factor = lanes.smallest_factor(stream, utilisation)
    if factor is None:
        busy = percent(lanes.utilisation(stream, MAX_PARALLELIZATION_FACTOR))
        what = f"the busiest shard's lanes are {busy} busy with {MAX_PARALLELIZATION_FACTOR} of them, above "
        remedy = "raise batch_size, shorten duration_s or add shards"
        raise UnsizableLoad([Fault(name, what + percent(utilisation), remedy)])
    return reader_of_stream(name, stream, factor, utilisation)


def reader_of_stream(name: str, stream: Stream, factor: int, target: float) -> FunctionSizing:
    """Return the sizing of a function that reads a stream with that parallelization factor.

    It has one unit per lane: pollers never run more batches at once.
    """
    groups = lanes.lanes(stream, factor)
    busy = groups[0].utilisation(stream.duration_s)
    inputs = {
        "arrival_rate_per_s": math.fsum(group.batches_per_s for group in groups),
        "mean_duration_s": stream.duration_s,
        "busiest_shard_batches_per_s": groups[0].batches_per_s,
        "busiest_shard_records_per_batch": groups[0].mean_batch,
        "batch_size": stream.batch_size,
        "shards": stream.shards,
        "parallelization_factor": factor,
    }
    reason = (
        f"{counted(stream.shards, 'shard')} plus one during a shard split, {counted(factor, 'lane')} each; the busiest "
        f"shard's lanes are {percent(busy)} busy with batches of {significant(groups[0].mean_batch)} on average"
    )
    return sized(name, (stream.shards + 1) * factor, Model.STREAM_LANES, inputs, reason, target, busy)


def size_sqs(
    name: str,
    *,
    messages_per_s: float,
    duration_s: float,
    batch_size: float = 1.0,
    maximum_concurrency: int | None = None,
    utilisation: float = 0.5,
) -> FunctionSizing:
    """Size a function that reads an SQS queue. The reservation is also the MaximumConcurrency to set for the queue.

    `batch_size` is the mean number of messages per invocation, and the duration is that of one invocation.
    `utilisation` is the highest share of time for which the units may be busy, so that a backlog drains.
    `maximum_concurrency`, if it is set already, is what the function reserves: a smaller reservation throttles the
    queue's pollers. Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings".

    Raises UnsizableLoad if the stated maximum, or the largest that Lambda allows, does not carry the load, and
    ValueError for a value that makes no sense.
    """
    _require(messages_per_s=messages_per_s, duration_s=duration_s, batch_size=batch_size)
    _require_share(utilisation=utilisation)
    rate_per_s = messages_per_s / batch_size
    load_erlangs = queueing.offered_load_erlangs(rate_per_s, duration_s)
    derived = max(MIN_MAXIMUM_CONCURRENCY, math.ceil(round(load_erlangs / utilisation, 9)))
    if derived > MAX_MAXIMUM_CONCURRENCY:
        what = f"{derived:,} units are needed, and the largest maximum concurrency is {MAX_MAXIMUM_CONCURRENCY:,}"
        raise UnsizableLoad([Fault(name, what, "raise batch_size or utilisation, or shorten duration_s")])
    units = derived if maximum_concurrency is None else maximum_concurrency
    _require_between(MIN_MAXIMUM_CONCURRENCY, MAX_MAXIMUM_CONCURRENCY, maximum_concurrency=units)
    if units <= load_erlangs:
        average = f"{significant(load_erlangs)} executions run at once on average"
        what = f"{average}, so the backlog grows with a maximum of {units:,}"
        raise UnsizableLoad([Fault(name, what, f"raise the maximum concurrency to {derived:,}")])
    busy = load_erlangs / units
    stated = ", as MaximumConcurrency states" if maximum_concurrency else ""
    reason = (
        f"{running(load_erlangs)}; {units:,} are {percent(busy)} busy{stated}; the pollers run at most what the "
        "function reserves"
    )
    inputs = {"arrival_rate_per_s": rate_per_s, "mean_duration_s": duration_s, "maximum_concurrency": units}
    return sized(name, units, Model.SQS, inputs, reason, utilisation, busy)


def size_schedule(name: str, *, interval_s: float, timeout_s: float) -> FunctionSizing:
    """Size a function that a schedule invokes: the runs that can overlap, plus one for a duplicate delivery.

    Raises ValueError for a value that makes no sense.
    """
    _require(interval_s=interval_s, timeout_s=timeout_s)
    overlapping = math.ceil(timeout_s / interval_s)
    reason = (
        f"{counted(overlapping, 'run')} can overlap within the timeout of {number(timeout_s)} s, plus one for a "
        "duplicate or late delivery"
    )
    inputs = {"arrival_rate_per_s": 1 / interval_s, "mean_duration_s": timeout_s}
    return sized(name, overlapping + 1, Model.OVERLAP, inputs, reason)


def _clusters(rate_per_s: float, duration_s: float, burst: float, p95_duration_s: float | None) -> Clusters:
    if p95_duration_s is None:
        return geometric_bursts(rate_per_s, Survival("exponential", duration_s, 0.0), burst)
    sigma = bursts.lognormal_sigma(p95_duration_s / duration_s)
    return geometric_bursts(rate_per_s, Survival("lognormal", duration_s, sigma), burst)


def _load(rate_per_s: float, duration_s: float, target: float, burst: float, p95_duration_s: float | None) -> float:
    """Return the offered load. Raises ValueError for a value that makes no sense."""
    _require(rate_per_s=rate_per_s, duration_s=duration_s)
    _require_share(target=target)
    if not 1 <= burst < math.inf:
        raise ValueError(f"burst must be at least 1, got {burst}")
    largest = MAX_LOGNORMAL_P95_OVER_MEAN * duration_s
    if p95_duration_s is not None and not duration_s < p95_duration_s <= largest:
        raise ValueError(
            f"p95_duration_s must be above duration_s and at most {significant(largest)}, got {p95_duration_s}"
        )
    return queueing.offered_load_erlangs(rate_per_s, duration_s)


def _require(**values: float) -> None:
    """Raise ValueError unless all values are above 0 and finite."""
    wrong = [f"{name} = {value}" for name, value in values.items() if not 0 < value < math.inf]
    if wrong:
        raise ValueError(f"must be above 0 and finite: {', '.join(wrong)}")


def _require_share(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {value}")


def _require_between(least: float, most: float, **values: float) -> None:
    for name, value in values.items():
        if not least <= value <= most:
            raise ValueError(f"{name} must be {least} to {most}, got {value}")
