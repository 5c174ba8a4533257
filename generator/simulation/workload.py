"""Workloads: rates over time, arrivals drawn from them, and the shares of markets and shards in the traffic."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, repeat, takewhile
from operator import mul
from random import Random

from generator.config.schema import WORKLOADS, Environment
from generator.errors import Fault, InvalidSimulation
from generator.simulation.draws import Variates, exponential, geometric
from generator.simulation.trace import Trace
from generator.simulation.trace_formats import MINUTE_S

DAY_S = 86_400.0
QUIETEST_SHARE = 100 / 50_000
"""A day's quietest rate over its busiest: the lowest and the highest rate that the system supports."""

PIECE_S = 60.0
"""The length of the pieces into which a changing rate is cut for thinning."""

MOST_IN_BLOCK = 512
"""Arrivals that are drawn at once."""

Piece = tuple[float, float, float]
"""Start and end in seconds, and an upper bound of the rate per second between them."""


@dataclass(frozen=True, slots=True)
class Steady:
    """A constant rate: Poisson arrivals. `warm_up_per_s` is the rate of the warm-up if that differs."""

    per_s: float
    warm_up_per_s: float | None = None
    default_duration_s: float = 3600.0

    def rate_per_s(self, time_s: float) -> float:
        return self.per_s if time_s >= 0 or self.warm_up_per_s is None else self.warm_up_per_s

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """Yield one piece for the warm-up and one for the time after it."""
        if start_s < 0:
            yield start_s, 0.0, self.rate_per_s(start_s)
        yield max(0.0, start_s), math.inf, self.per_s


@dataclass(frozen=True, slots=True)
class Day:
    """A day, from the quietest rate at midnight to the busiest at noon and back, along a cosine."""

    busiest_per_s: float
    default_duration_s: float = DAY_S

    def rate_per_s(self, time_s: float) -> float:
        """Return the rate at a time of the day; before it, that of midnight."""
        swing = (1 - math.cos(math.tau * max(0.0, time_s) / DAY_S)) / 2
        return self.busiest_per_s * (QUIETEST_SHARE + (1 - QUIETEST_SHARE) * swing)

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """Yield minutes. Noon is a whole minute, so the rate is monotone within each."""
        return _monotone(self, start_s)


@dataclass(frozen=True, slots=True)
class Spike:
    """A volatile market: from the mean rate to a multiple of it within the onset, then back exponentially.

    It begins after ten minutes, so that there is a quiet time to compare it with.
    """

    mean_per_s: float
    factor: float
    onset_s: float
    decay_s: float
    begins_s: float = 600.0

    @property
    def summit_s(self) -> float:
        return self.begins_s + self.onset_s

    @property
    def default_duration_s(self) -> float:
        """An hour, or more if the onset is slow: the summit has at least ten minutes after it."""
        return max(3600.0, self.summit_s + self.begins_s)

    def rate_per_s(self, time_s: float) -> float:
        into_s = time_s - self.begins_s
        if into_s < 0:
            return self.mean_per_s
        if into_s < self.onset_s:
            return self.mean_per_s * (1 + (self.factor - 1) * into_s / self.onset_s)
        return self.mean_per_s * (1 + (self.factor - 1) * math.exp((self.onset_s - into_s) / self.decay_s))

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """Yield minutes. The bound of the minute with the summit is the rate at the summit."""
        for begin_s, end_s, bound in _monotone(self, start_s):
            yield begin_s, end_s, self.mean_per_s * self.factor if begin_s <= self.summit_s < end_s else bound


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trace, played at `scale` times its rate.

    Recorded times are played as they are; below a scale of 1, some of them at random. Counts have no times, and a
    higher rate needs more, so there the arrivals are drawn: Poisson in each interval, at the counted rate.
    """

    trace: Trace
    scale: float = 1.0

    @property
    def default_duration_s(self) -> float:
        return self.trace.duration_s

    @property
    def is_played_as_recorded(self) -> bool:
        return bool(self.trace.times) and self.scale <= 1

    def rate_per_s(self, time_s: float) -> float:
        """Return the rate of an interval: in the warm-up the mean of the first minute, after the trace 0."""
        counts, interval_s = self.trace.counts, self.trace.interval_s
        if time_s < 0:
            first = counts[: max(1, round(MINUTE_S / interval_s))]
            return sum(first) / (len(first) * interval_s) * self.scale
        position = int(time_s / interval_s)
        return counts[position] / interval_s * self.scale if position < len(counts) else 0.0

    def pieces(self, start_s: float) -> Iterator[Piece]:
        if start_s < 0:
            yield start_s, 0.0, self.rate_per_s(start_s)
        interval_s = self.trace.interval_s
        for position, counted in enumerate(self.trace.counts):
            yield position * interval_s, (position + 1) * interval_s, counted / interval_s * self.scale
        yield self.default_duration_s, math.inf, 0.0

    def played(self, uniform: Callable[[], float]) -> Iterator[Sequence[float]]:
        """Yield recorded times in blocks; at a scale below 1, some of them at random."""
        for first in range(0, len(self.trace.times), MOST_IN_BLOCK):
            times_s = self.trace.times[first : first + MOST_IN_BLOCK].tolist()
            if kept_s := times_s if self.scale == 1 else [time_s for time_s in times_s if uniform() < self.scale]:
                yield kept_s


Profile = Steady | Day | Spike | Recorded
"""A rate over time. Measuring starts at time 0; the warm-up comes before it.

`default_duration_s` is the simulated time unless the user chooses another, `rate_per_s` the arrivals per second at a
time, and `pieces` yields consecutive pieces from a start on, without end.
"""


def profile(
    environment: Environment, workload: str, trace: Trace | None = None, trace_per_hour: float | None = None
) -> Profile:
    """Return the rates of a named workload in an environment.

    The warm-up before a peak runs at the mean rate, so the measured time begins with cold starts. A trace is played at
    its own rate, or scaled to `trace_per_hour` in its busiest hour. Raises InvalidSimulation.
    """
    mean_per_s, settings = environment.traffic.webhooks_per_hour / 3600, environment.simulation
    match workload:
        case "peak":
            return Steady(environment.peak_rate_per_s, mean_per_s)
        case "poisson":
            return Steady(mean_per_s)
        case "day":
            return Day(mean_per_s)
        case "spike":
            return Spike(mean_per_s, settings.spike_factor, settings.spike_onset_s, settings.spike_decay_s)
        case "trace" if trace is not None:
            return Recorded(trace, 1.0 if trace_per_hour is None else trace_per_hour / trace.webhooks_per_hour)
        case "trace":
            raise InvalidSimulation([Fault("workload", "trace needs a file", "name one with --trace FILE.csv")])
    raise InvalidSimulation([Fault("workload", f"{workload!r} is unknown", f"choose {', '.join(WORKLOADS)}")])


def max_expected_webhooks(rates: Profile, begins_s: float, ends_s: float) -> float:
    """Return an upper bound of the mean number of webhooks between two times: each piece counts at its bound."""
    pieces = takewhile(lambda piece: piece[0] < ends_s, rates.pieces(begins_s))
    return math.fsum((min(end_s, ends_s) - begin_s) * bound_per_s for begin_s, end_s, bound_per_s in pieces)


def arrivals(
    rates: Profile, random: Random, start_s: float, webhooks_per_burst: float = 1.0
) -> Iterator[Sequence[float]]:
    """Yield the arrival times of a Poisson process whose rate follows the profile, in blocks, by thinning.

    Recorded times follow the warm-up as they are. Other arrivals are drawn at the bound of each piece and kept with the
    probability rate / bound. Source: P. A. W. Lewis and G. S. Shedler, "Simulation of nonhomogeneous Poisson processes
    by thinning", 1979. Bursts have a geometric number of webhooks at the same time. A trace has the bursts that were
    recorded and no others.
    """
    uniform = random.random
    is_stepwise = isinstance(rates, Steady | Recorded)
    size = 1.0 if isinstance(rates, Recorded) else webhooks_per_burst
    in_burst = geometric(random, size)
    gaps = exponential(random, size)
    for begin_s, end_s, bound_per_s in rates.pieces(start_s):
        if begin_s >= 0 and isinstance(rates, Recorded) and rates.is_played_as_recorded:
            yield from rates.played(uniform)
            return
        if bound_per_s <= 0:
            continue
        for times_s in _poisson(gaps, begin_s, end_s, bound_per_s):
            kept_s = times_s
            if not is_stepwise:
                kept_s = [time_s for time_s in times_s if uniform() * bound_per_s < rates.rate_per_s(time_s)]
            if size > 1:
                kept_s = [time_s for time_s in kept_s for _ in range(in_burst())]
            if kept_s:
                yield kept_s


def _poisson(gaps: Variates, begin_s: float, end_s: float, per_s: float) -> Iterator[list[float]]:
    """Yield the times of a Poisson process between two times, in blocks, from gaps with a mean of 1 or more."""
    time_s = begin_s
    while time_s < end_s:
        count = min(MOST_IN_BLOCK, 1 + int((end_s - time_s) * per_s)) if end_s < math.inf else MOST_IN_BLOCK
        times_s = list(accumulate(map(mul, gaps.take(count), repeat(1 / per_s)), initial=time_s))
        time_s = times_s[-1]
        yield times_s[1 : bisect_left(times_s, end_s)]


def zipf_shares(symbols: int, exponent: float) -> list[float]:
    """Return each market's share of the traffic, the busiest first, by Zipf's law: proportional to 1 / n^exponent."""
    weights = [1 / rank**exponent for rank in range(1, symbols + 1)]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def shard_shares(market_shares: list[float], shards: int, busiest_share: float) -> list[float]:
    """Return each shard's share of the records, the busiest first. A market is never split: its records share a key.

    The busiest shard gets the busiest market and as many others, in their order, as fit into `busiest_share`, or into
    an equal share if that is larger. Each remaining market goes to the emptiest of the other shards. If the busiest
    market alone exceeds `busiest_share`, its shard gets exactly that market.
    """
    wanted = max(busiest_share, 1 / shards) + 1e-9
    loads = [0.0] * shards
    for share in market_shares:
        fits = shards == 1 or loads[0] == 0 or loads[0] + share <= wanted
        shard = 0 if fits else min(range(1, shards), key=loads.__getitem__)
        loads[shard] += share
    return loads


def _monotone(rates: Profile, start_s: float) -> Iterator[Piece]:
    """Yield pieces in which the rate is monotone, so that it is highest at one of the ends."""
    if start_s < 0:
        yield start_s, 0.0, max(rates.rate_per_s(start_s), rates.rate_per_s(0.0))
    for number in count(int(max(0.0, start_s) // PIECE_S)):
        begin_s, end_s = number * PIECE_S, (number + 1) * PIECE_S
        yield max(begin_s, start_s), end_s, max(rates.rate_per_s(begin_s), rates.rate_per_s(end_s))
