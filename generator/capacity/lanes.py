"""The stream's lanes: how many batches of a shard run at once, so that the busiest shard keeps up.

A lane is one of a shard's concurrent batches, of which Lambda's pollers start no more than the parallelization factor.
"""

from __future__ import annotations

import math

from generator._format import percent, without_rounding_error
from generator.aws import MAX_PARALLELIZATION_FACTOR
from generator.capacity import queueing
from generator.config.schema import MAX_BATCH_SIZE, Environment
from generator.errors import Fault, UnsizableLoad


def parallelization_factor(environment: Environment) -> int:
    """The smallest factor that keeps the busiest shard's lanes at or below the target utilisation."""
    traffic, target = environment.traffic, environment.targets.stream_utilisation
    one_lane = queueing.utilisation(busiest_shard_batches_per_s(environment), batch_duration_s(environment), 1)
    factor = max(1, math.ceil(without_rounding_error(one_lane / target)))
    if factor > MAX_PARALLELIZATION_FACTOR:
        fault = Fault(
            f"{environment.name}: CheckAlertsFunction",
            f"the busiest shard's {percent(traffic.busiest_shard_share)} of {environment.peak_rate_per_s:.4g} "
            f"webhooks/s needs a parallelization factor of {factor}, and Lambda allows {MAX_PARALLELIZATION_FACTOR}",
            _what_would_carry(environment, one_lane / (target * MAX_PARALLELIZATION_FACTOR)),
        )
        raise UnsizableLoad([fault])
    return factor


def _what_would_carry(environment: Environment, times: float) -> str:
    """The smallest capacity that carries so many times what the largest factor does."""
    batch_size = math.ceil(without_rounding_error(environment.stream.batch_size * times))
    duration_ms = math.floor(without_rounding_error(1000 * batch_duration_s(environment) / times))
    shorter = f"functions.check_alerts.mean_duration_ms to {duration_ms} or less" if duration_ms else "the work"
    if batch_size > MAX_BATCH_SIZE:
        return f"no stream.batch_size up to {MAX_BATCH_SIZE} carries it in the same batch duration; shorten {shorter}"
    smallest = f"the smallest stream.batch_size that carries it in the same batch duration is {batch_size}"
    return f"{smallest}; or shorten {shorter}"


def half_empty(environment: Environment) -> str:
    """What to add where a batch takes as long as the batching window: lanes then start on what little has come."""
    if batch_duration_s(environment) < environment.stream.batching_window_s:
        return ""
    return ", or busier: a batch does not fill in less time than it takes; raise stream.batching_window_s above that"


def busiest_shard_batches_per_s(environment: Environment) -> float:
    """Full batches per second on the busiest shard, which has at least an equal share."""
    share = max(environment.traffic.busiest_shard_share, 1 / environment.stream.shards)
    return environment.peak_rate_per_s * share / environment.stream.batch_size


def batch_duration_s(environment: Environment) -> float:
    """How long a lane works on a batch, on average."""
    return environment.functions.check_alerts.mean_duration_ms / 1000
