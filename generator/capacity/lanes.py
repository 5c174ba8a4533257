"""Stream lanes: how many records a batch has, and how busy the lanes of the busiest shard are.

A lane is one of a shard's concurrent batches; their number is the parallelization factor. A lane sends a batch when it
is full, or when its first record has waited for the batching window and for the poll that reads the shard. While a
lane works on a batch, further records wait. So the batch after one that takes the time d has the records that arrive in
max(d, t + w): t is the time of the first one, and w the wait for window and poll. The probability of n records is

    P(n in d) + P(none in d - w) (P(n - 1 in w) - P(n in w))    if d > w, and otherwise P(n - 1 in w)

with Poisson numbers. A batch never has more than the batch size; the records beyond it are left out instead of starting
the next batch, so batches near saturation are larger, and lanes less busy, than calculated.

Webhooks that arrive in bursts are spread over the lanes. What a lane gets of a geometric burst is geometric again.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from generator.aws import MAX_PARALLELIZATION_FACTOR, STREAM_POLL_INTERVAL_S
from generator.capacity import queueing
from generator.capacity.bursts import Spread, spread
from generator.capacity.usage_plan import without_rounding_error
from generator.config.schema import Environment

NEGLIGIBLE = 1e-8
"""Batch sizes that are rarer than this are left out."""

DEVIATIONS = 8
"""Standard deviations of the number of records in a batch within which all batches lie."""

MAX_BURSTS = 500
"""With more bursts in a batch, their sizes hardly matter to the batch's size, and records count as single ones."""

SPACING = 1.2
"""Ratio between neighbouring batch sizes that represent all others; up to 10 each size represents itself."""


class Lanes(NamedTuple):
    """Lanes with the same load: their number, and for each the records per second, per batch and per burst.

    `mean_batch` and `mean_burst` are means; a burst counts only the records that this lane gets of it.
    """

    number: int
    records_per_s: float
    mean_batch: float
    mean_burst: float = 1.0

    @property
    def batches_per_s(self) -> float:
        """The batches per second of all of them."""
        return self.number * self.records_per_s / self.mean_batch

    def utilisation(self, duration_s: float) -> float:
        """Return the share of time for which they are busy with batches of this duration; at 1 the backlog grows."""
        return min(1.0, self.records_per_s * duration_s / self.mean_batch)


class Stream(NamedTuple):
    """A stream at the peak, and how its batches form.

    `duration_s` is the mean duration of a batch, with the `spread` of single ones. `busiest_share` is the busiest
    shard's share of the records, at least an equal share. `burst` is the mean number of records that arrive at once.
    """

    records_per_s: float
    shards: int
    batch_size: int
    window_s: float
    duration_s: float
    busiest_share: float
    spread: Spread = ((1.0, 1.0),)
    burst: float = 1.0

    @classmethod
    def of(cls, environment: Environment) -> Stream:
        """Return the stream of the price table."""
        settings, function, traffic = environment.stream, environment.functions.check_alerts, environment.traffic
        return cls(
            environment.peak_rate_per_s,
            settings.shards,
            settings.batch_size,
            settings.batching_window_s,
            function.mean_duration_ms / 1000,
            max(traffic.busiest_shard_share, 1 / settings.shards),
            spread(function),
            traffic.webhooks_per_burst,
        )

    def mean_burst(self, records_per_s: float) -> float:
        """Return how many records of a burst a lane with that many records per second gets on average, if any."""
        return 1 + (self.burst - 1) * records_per_s / self.records_per_s


def lanes(stream: Stream, factor: int) -> list[Lanes]:
    """Return the lanes of the busiest shard, then those of the other shards, which share the rest equally."""
    others = stream.shards - 1
    shares = [(factor, stream.busiest_share / factor)]
    if others and stream.busiest_share < 1:
        shares.append((factor * others, (1 - stream.busiest_share) / others / factor))
    return [_lanes(stream, number, stream.records_per_s * own) for number, own in shares]


def _lanes(stream: Stream, number: int, records_per_s: float) -> Lanes:
    burst = stream.mean_burst(records_per_s)
    batch = math.fsum(
        share * mean_records(stream.batch_size, waiting, during, burst)
        for share, waiting, during in _arrivals(stream, records_per_s)
    )
    return Lanes(number, records_per_s, batch, burst)


def utilisation(stream: Stream, factor: int) -> float:
    """Return the share of time for which the lanes of the busiest shard are busy; at 1 their backlog grows."""
    busiest = _lanes(stream, factor, stream.records_per_s * (stream.busiest_share / factor))
    return busiest.utilisation(stream.duration_s)


def is_carried(stream: Stream, factor: int, target: float) -> bool:
    """Return whether that many lanes of the busiest shard are at most as busy as the target."""
    return without_rounding_error(utilisation(stream, factor)) <= target


def smallest_factor(stream: Stream, target: float) -> int | None:
    """Return the smallest parallelization factor that meets the target utilisation; None if Lambda allows none."""
    factors = range(1, MAX_PARALLELIZATION_FACTOR + 1)
    index = bisect_left(factors, True, key=lambda factor: is_carried(stream, factor, target))
    return factors[index] if index < len(factors) else None


def fewest(stream: Stream) -> int:
    """Return the smallest factor with which the busiest shard's lanes carry the peak if every batch is full."""
    full_per_s = stream.records_per_s * stream.busiest_share / stream.batch_size
    return int(queueing.offered_load_erlangs(full_per_s, stream.duration_s)) + 1


def waiting(stream: Stream, factor: int) -> float:
    """Return the probability that a batch of the busiest shard finds all of its lanes busy: Erlang C."""
    return queueing.erlang_c(factor, factor * utilisation(stream, factor))


def quiet_s(stream: Stream, group: Lanes) -> float:
    """Return the mean time before a batch's alerts during which its lane has fired no others.

    From renewal theory: if the intervals between a lane's batches have mean m and coefficient of variation v, the mean
    number of earlier batches within t is t / m - (1 - v^2) / 2, as if batches were Poisson except within
    m (1 - v^2) / 2 before. An interval is at least the window or the duration, and otherwise as random as the arrival
    of as many records as fit into a batch.
    """
    interval_s = group.mean_batch / group.records_per_s
    shortest_s = max(float(stream.window_s), stream.duration_s)
    variation = max(1 / stream.batch_size, max(0.0, 1 - shortest_s / interval_s) ** 2)
    return interval_s * (1 - variation) / 2 + stream.duration_s / 2


def mean_records(size: int, waiting: float, during: float, burst: float = 1.0) -> float:
    """Return the mean number of records in a batch of at most `size`.

    `waiting` is the mean number that arrive while its first record waits, and `during` the mean number in that wait or
    in the duration of the batch before, whichever is longer.
    """
    return size - math.fsum((size - number) * share for number, share in _partly_full(size, waiting, during, burst))


def batch_sizes(stream: Stream, records_per_s: float) -> list[tuple[int, float]]:
    """Return representative numbers of records in a batch of such a lane, each with its share of all batches.

    Numbers above the first few are divided among the two representatives next to them, so that both the batches and
    their records add up.
    """
    size, burst = stream.batch_size, stream.mean_burst(records_per_s)
    shares = dict.fromkeys(_representatives(size), 0.0)
    for part, waiting, during in _arrivals(stream, records_per_s):
        counts = _partly_full(size, waiting, during, burst)
        for number, share in [*counts, (size, 1 - math.fsum(share for _, share in counts))]:
            _divide(shares, number, part * share)
    return [(number, share) for number, share in shares.items() if share > NEGLIGIBLE]


def _divide(shares: dict[int, float], number: int, share: float) -> None:
    """Add a share of batches to the representatives next to their number of records."""
    represented = list(shares)
    index = bisect_left(represented, number)
    above, below = represented[index], represented[max(0, index - 1)]
    upper = (number - below) / (above - below) if above > below else 1.0
    shares[above] += share * upper
    shares[below] += share * (1 - upper)


@lru_cache
def _representatives(size: int) -> list[int]:
    found = [1]
    while found[-1] < size:
        found.append(min(size, max(found[-1] + 1, int(found[-1] * SPACING))))
    return found


def _arrivals(stream: Stream, records_per_s: float) -> list[tuple[float, float, float]]:
    """Return shares of batches by their duration, and for each the arguments of `mean_records` for the next one.

    A poll is half an interval away on average.
    """
    waits_s = stream.window_s + STREAM_POLL_INTERVAL_S / 2
    shares: dict[float, float] = {}
    for share, multiple in stream.spread:
        longer_s = max(waits_s, multiple * stream.duration_s)
        shares[longer_s] = shares.get(longer_s, 0.0) + share
    total = math.fsum(shares.values())
    return [(share / total, records_per_s * waits_s, records_per_s * own_s) for own_s, share in shares.items()]


@lru_cache
def _partly_full(size: int, waiting: float, during: float, burst: float) -> list[tuple[int, float]]:
    """Return the sizes below the full one with their probabilities, except negligible ones; see the module."""
    if burst > 1 and during / burst < MAX_BURSTS:
        return _partly_full_of_bursts(size, waiting / burst, during / burst, 1 - 1 / burst)
    late = math.exp(waiting - during)
    fewest, most = waiting if late > NEGLIGIBLE else during, during
    low, high = int(fewest - _width(fewest)), int(most + _width(most))
    return [
        (number, late * _poisson(number - 1, waiting) + (_poisson(number, during) - late * _poisson(number, waiting)))
        for number in range(max(0, low) + 1, min(size - 1, high) + 1)
    ]


def _width(mean: float) -> float:
    return DEVIATIONS * (math.sqrt(mean) + 1)


def _poisson(number: int, mean: float) -> float:
    return math.exp(number * math.log(mean) - mean - math.lgamma(number + 1))


def _partly_full_of_bursts(size: int, waiting: float, during: float, ratio: float) -> list[tuple[int, float]]:
    """Return the same for numbers of bursts, each longer by one record with the probability `ratio`."""
    late, waited, longer = math.exp(waiting - during), _of_bursts(size, waiting, ratio), _of_bursts(size, during, ratio)
    first, found = 0.0, []
    for number in range(1, size):
        first = (1 - ratio) * waited[number - 1] + ratio * first
        found.append((number, late * first + (longer[number] - late * waited[number])))
    return [(number, share) for number, share in found if share > NEGLIGIBLE]


def _of_bursts(size: int, bursts: float, ratio: float) -> list[float]:
    """Return the probabilities of 0 up to size - 1 records in `bursts` on average.

    Source of the recursion: N. L. Johnson, A. W. Kemp, S. Kotz, Univariate Discrete Distributions, 9.7 (Polya-Aeppli).
    """
    found = [math.exp(-bursts)]
    for number in range(1, size):
        step = (2 * ratio * (number - 1) + bursts * (1 - ratio)) * found[-1]
        before = ratio**2 * (number - 2) * found[-2] if number > 1 else 0.0
        found.append((step - before) / number)
    return found
