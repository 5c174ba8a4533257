"""Random numbers: an independent random stream for each purpose, and durations drawn in blocks for speed.

The distributions use only what gives the same digits on every Python version.
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable
from functools import cache
from itertools import repeat
from operator import rshift
from random import Random
from statistics import NormalDist

BLOCK = 256

BITS = 12
INTERVALS = 2**BITS

NORMAL = NormalDist()

NORMAL_P95 = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""


def random_stream(seed: int, replication: int, purpose: str) -> Random:
    """Return the random numbers for one purpose. A change to one purpose does not affect the others."""
    return Random(f"{seed}/{replication}/{purpose}")  # noqa: S311 (a simulation, not cryptography)


def lognormal_parameters(mean: float, p95: float) -> tuple[float, float]:
    """Return mu and sigma of the lognormal distribution with this mean and 95th percentile.

    From p95 / mean = exp(1.645 s - s^2 / 2), which must be from 1 to exp(1.645^2 / 2) = 3.87. Of the two roots this is
    the smaller one, which has the lighter tail. Near the upper limit, rounding may put the term
    under the root below 0.
    """
    sigma = NORMAL_P95 - math.sqrt(max(0.0, NORMAL_P95**2 - 2 * math.log(p95 / mean)))
    return math.log(mean) - sigma**2 / 2, sigma


class Variates:
    """Random values that come one at a time or many at once, in the same order. `block` returns the next ones."""

    __slots__ = ("_block", "_next", "_values")

    def __init__(self, block: Callable[[], list[float]]) -> None:
        self._block, self._values, self._next = block, block(), 0

    def __call__(self) -> float:
        """Return the next value."""
        if self._next == len(self._values):
            self._values, self._next = self._block(), 0
        self._next += 1
        return self._values[self._next - 1]

    def peek(self, count: int) -> list[float]:
        """Return the next values without consuming them."""
        if len(self._values) - self._next < count:
            self._values, self._next = self._values[self._next :], 0
            while len(self._values) < count:
                self._values += self._block()
        return self._values[self._next : self._next + count]

    def skip(self, count: int) -> None:
        """Consume as many values as `peek` returned."""
        self._next += count

    def take(self, count: int) -> list[float]:
        """Return the next values and pass them."""
        values = self.peek(count)
        self.skip(count)
        return values


def exponential(random: Random, mean: float) -> Variates:
    """Return exponential values."""
    return _variates(random, "exponential", (mean,))


def lognormal(random: Random, mean: float, p95: float) -> Variates:
    """Return lognormal values."""
    return _variates(random, "lognormal", lognormal_parameters(mean, p95))


def constant(value: float) -> Variates:
    """Return the same value again and again."""
    return Variates(lambda: [value] * BLOCK)


def _variates(random: Random, distribution: str, parameters: tuple[float, ...]) -> Variates:
    """Return values of a distribution: most of them from a table of equally likely ones, the highest exact.

    The table has the middle quantile of each of 4,096 intervals of equal probability. A value from the last interval
    is drawn exactly, so that long runs are as frequent and as long as they should be.
    """
    table = _quantiles(distribution, parameters)
    uniform, last = random.random, INTERVALS - 1

    def block() -> list[float]:
        words = array("H", random.getrandbits(16 * BLOCK).to_bytes(2 * BLOCK, sys.byteorder))
        intervals = list(map(rshift, words, repeat(16 - BITS)))
        values = list(map(table.__getitem__, intervals))
        if last in intervals:
            for position, interval in enumerate(intervals):
                if interval == last:
                    values[position] = _quantile_above(distribution, parameters, (1.0 - uniform()) / INTERVALS)
        return values

    return Variates(block)


@cache
def _quantiles(distribution: str, parameters: tuple[float, ...]) -> list[float]:
    shares = [(interval + 0.5) / INTERVALS for interval in reversed(range(INTERVALS))]
    return [_quantile_above(distribution, parameters, share) for share in shares]


def _quantile_above(distribution: str, parameters: tuple[float, ...], share: float) -> float:
    """Return the value that this share of a distribution exceeds."""
    if distribution == "exponential":
        return -parameters[0] * math.log(share)
    mu, sigma = parameters
    return math.exp(mu - sigma * NORMAL.inv_cdf(share))


def geometric(random: Random, mean: float) -> Callable[[], int]:
    """Return a function that draws whole numbers from 1 on, with a mean of at least 1."""
    if mean <= 1:
        return lambda: 1
    ratio = math.log(1 - 1 / mean)
    return lambda: 1 + int(math.log(1.0 - random.random()) / ratio)
