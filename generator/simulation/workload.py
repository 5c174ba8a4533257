"""When webhooks arrive: rates over time, and arrivals drawn from them one by one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Protocol

from generator.config.schema import Environment
from generator.errors import Fault, InvalidSimulation
from generator.simulation.trace import MINUTE_S, Trace

WORKLOADS = ("peak", "poisson", "day", "spike", "trace")

DAY_S = 86_400.0
QUIETEST_SHARE = 100 / 50_000
"""A day's quietest rate over its busiest: the two ends of what the system is for."""

PIECE_S = 60.0
"""How finely a changing rate is cut for thinning: within a piece it is compared with the piece's highest rate."""

Piece = tuple[float, float, float]
"""From and to, in seconds, and a rate per second that the profile does not exceed between them."""


class Profile(Protocol):
    """A rate over time. Time 0 is where measuring starts; what comes before it is the warm-up."""

    @property
    def natural_s(self) -> float:
        """How long it lasts if nobody says otherwise, in seconds."""

    def rate_per_s(self, time_s: float) -> float:
        """Arrivals per second at that time."""

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """Pieces that follow on each other from the start on, without end."""


@dataclass(frozen=True, slots=True)
class Steady:
    """One rate all the time: Poisson arrivals. The warm-up may have another, `before_per_s`."""

    per_s: float
    before_per_s: float | None = None
    natural_s: float = 3600.0

    def rate_per_s(self, time_s: float) -> float:
        """The one rate, or that of the warm-up."""
        return self.per_s if time_s >= 0 or self.before_per_s is None else self.before_per_s

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """The warm-up and all the time after it."""
        if start_s < 0:
            yield start_s, 0.0, self.rate_per_s(start_s)
        yield max(0.0, start_s), math.inf, self.per_s


@dataclass(frozen=True, slots=True)
class Day:
    """From the quietest rate at midnight to the busiest at noon and back, along a cosine."""

    busiest_per_s: float
    natural_s: float = DAY_S

    def rate_per_s(self, time_s: float) -> float:
        """The rate at a time of the day; before the first midnight, that of midnight."""
        swing = (1 - math.cos(math.tau * max(0.0, time_s) / DAY_S)) / 2
        return self.busiest_per_s * (QUIETEST_SHARE + (1 - QUIETEST_SHARE) * swing)

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """Minutes; noon is a whole minute, so the rate rises or falls within each and is highest at an end."""
        return _monotone(self, start_s)


@dataclass(frozen=True, slots=True)
class Spike:
    """A market that moves: from the mean rate to a multiple of it within the onset, then back exponentially.

    It begins a sixth into the hour, so that there is a quiet time to compare it with.
    """

    mean_per_s: float
    factor: float
    onset_s: float
    decay_s: float
    begins_s: float = 600.0

    @property
    def summit_s(self) -> float:
        """When the rate is highest."""
        return self.begins_s + self.onset_s

    @property
    def natural_s(self) -> float:
        """An hour, or more where the onset is so slow that the summit has not as much time after it as before it."""
        return max(3600.0, self.summit_s + self.begins_s)

    def rate_per_s(self, time_s: float) -> float:
        """The rate before, during and after the onset."""
        into_s = time_s - self.begins_s
        if into_s < 0:
            return self.mean_per_s
        if into_s < self.onset_s:
            return self.mean_per_s * (1 + (self.factor - 1) * into_s / self.onset_s)
        return self.mean_per_s * (1 + (self.factor - 1) * math.exp((self.onset_s - into_s) / self.decay_s))

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """Minutes, of which the one with the summit is bounded by it."""
        for begin_s, end_s, bound in _monotone(self, start_s):
            yield begin_s, end_s, self.mean_per_s * self.factor if begin_s <= self.summit_s < end_s else bound


@dataclass(frozen=True, slots=True)
class Recorded:
    """A trace: within each of its intervals arrivals are Poisson at the rate counted there, times `scale`."""

    trace: Trace
    scale: float = 1.0

    @property
    def natural_s(self) -> float:
        """As long as the trace."""
        return self.trace.duration_s

    def rate_per_s(self, time_s: float) -> float:
        """The rate of the interval; before the first, the mean of the first minute; after the last, none."""
        counts, interval_s = self.trace.counts, self.trace.interval_s
        if time_s < 0:
            first = counts[: max(1, round(MINUTE_S / interval_s))]
            return sum(first) / (len(first) * interval_s) * self.scale
        position = int(time_s / interval_s)
        return counts[position] / interval_s * self.scale if position < len(counts) else 0.0

    def pieces(self, start_s: float) -> Iterator[Piece]:
        """The intervals, each at its own rate."""
        if start_s < 0:
            yield start_s, 0.0, self.rate_per_s(start_s)
        interval_s = self.trace.interval_s
        for position, counted in enumerate(self.trace.counts):
            yield position * interval_s, (position + 1) * interval_s, counted / interval_s * self.scale
        yield self.natural_s, math.inf, 0.0


def profile(
    environment: Environment, workload: str, trace: Trace | None = None, trace_per_hour: float | None = None
) -> Profile:
    """The rates of a named workload in this environment. Raises InvalidSimulation.

    The peak comes upon a system that has been running at the mean rate: its first moments start cold.
    A trace is played at the rate at which it was recorded, or with every rate scaled to make its mean
    `trace_per_hour`.
    """
    mean_per_s, settings = environment.traffic.webhooks_per_hour / 3600, environment.simulation
    if workload not in WORKLOADS:
        raise InvalidSimulation([Fault("workload", f"{workload!r} is unknown", f"choose {', '.join(WORKLOADS)}")])
    if workload == "trace" and trace is None:
        raise InvalidSimulation([Fault("workload", "trace needs a recording", "name one with --trace FILE.csv")])
    if trace is not None and workload == "trace":
        return Recorded(trace, 1.0 if trace_per_hour is None else trace_per_hour / trace.webhooks_per_hour)
    profiles: dict[str, Profile] = {
        "peak": Steady(environment.peak_rate_per_s, mean_per_s),
        "poisson": Steady(mean_per_s),
        "day": Day(mean_per_s),
        "spike": Spike(mean_per_s, settings.spike_factor, settings.spike_onset_s, settings.spike_decay_s),
    }
    return profiles[workload]


def unseen(rates: Profile, hours: float) -> Iterator[str]:
    """What so many hours of the profile cannot show."""
    if isinstance(rates, Day) and hours * 3600 < rates.natural_s:
        yield f"the day after its first {hours:g} h: it begins at midnight, when it is quietest, and is busiest at noon"
    if isinstance(rates, Recorded) and rates.trace.interval_s > MINUTE_S:
        yield f"peaks of less than {rates.trace.interval_s:g} s: the recording is played in steps of so long"


def most_webhooks(rates: Profile, duration_s: float) -> float:
    """How many arrive within that time on average, or somewhat more: each piece counts at its highest rate."""
    total = 0.0
    for begin_s, end_s, bound_per_s in rates.pieces(0.0):
        if begin_s >= duration_s:
            break
        total += (min(end_s, duration_s) - begin_s) * bound_per_s
    return total


def arrivals(rates: Profile, random: Random, start_s: float) -> Iterator[float]:
    """Times of arrival from the start on: a Poisson process whose rate follows the profile, by thinning.

    Drawn at each piece's highest rate, and kept with the probability of the rate over that. Source: P. A. W. Lewis
    and G. S. Shedler, "Simulation of nonhomogeneous Poisson processes by thinning", 1979.
    """
    uniform, log = random.random, math.log
    stepwise = isinstance(rates, Steady | Recorded)
    for begin_s, end_s, bound_per_s in rates.pieces(start_s):
        if bound_per_s <= 0:
            if end_s == math.inf:
                return
            continue
        time_s, mean_gap_s = begin_s, -1 / bound_per_s
        while True:
            time_s += mean_gap_s * log(1.0 - uniform())
            if time_s >= end_s:
                break
            if stepwise or uniform() * bound_per_s < rates.rate_per_s(time_s):
                yield time_s


def zipf_shares(symbols: int, exponent: float) -> list[float]:
    """Each market's share of the traffic, the busiest first: the n-th is as 1 / n^exponent (Zipf's law)."""
    weights = [1 / rank**exponent for rank in range(1, symbols + 1)]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def shard_shares(market_shares: list[float], shards: int, busiest_share: float) -> list[float]:
    """Each shard's share of the records, the busiest first. A market is never split: its records share a key.

    The busiest shard holds the busiest market and as many others, in their order, as fit `busiest_share` (at
    least an equal share); the rest goes, market by market, to the emptiest of the other shards. Where the busiest
    market alone is more than `busiest_share`, that is what its shard gets.
    """
    wanted = max(busiest_share, 1 / shards) + 1e-9
    loads = [0.0] * shards
    for share in market_shares:
        fits = shards == 1 or loads[0] == 0 or loads[0] + share <= wanted
        shard = 0 if fits else min(range(1, shards), key=loads.__getitem__)
        loads[shard] += share
    return loads


def _monotone(rates: Profile, start_s: float) -> Iterator[Piece]:
    """Pieces in which the rate rises or falls throughout, so that one of its ends has the highest rate."""
    if start_s < 0:
        yield start_s, 0.0, max(rates.rate_per_s(start_s), rates.rate_per_s(0.0))
    for number in count(int(max(0.0, start_s) // PIECE_S)):
        begin_s, end_s = number * PIECE_S, (number + 1) * PIECE_S
        yield max(begin_s, start_s), end_s, max(rates.rate_per_s(begin_s), rates.rate_per_s(end_s))
