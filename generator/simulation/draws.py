"""Random numbers: an independent random stream for each purpose, and durations drawn in blocks for speed.

The distributions are written with log, exp, cos and sin, so that the same seed gives the same digits on every Python
version.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain
from random import Random

BLOCK = 256

NORMAL_P95 = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""


def random_stream(seed: int, replication: int, purpose: str) -> Random:
    """Return the random numbers for one purpose. A change to one purpose does not affect the others."""
    return Random(f"{seed}/{replication}/{purpose}")  # noqa: S311 (a simulation, not cryptography)


def lognormal_parameters(mean: float, p95: float) -> tuple[float, float]:
    """Return mu and sigma of the lognormal distribution with this mean and 95th percentile.

    From p95 / mean = exp(1.645 s - s^2 / 2). Of the two roots this is the smaller one, which has the lighter tail.
    Raises ValueError if no lognormal distribution matches: p95 / mean must be from 1 to exp(1.645^2 / 2) = 3.87.
    """
    if not (mean > 0 and p95 >= mean and math.log(p95 / mean) <= NORMAL_P95**2 / 2):
        raise ValueError(f"no lognormal distribution has mean {mean} and 95th percentile {p95}")
    sigma = NORMAL_P95 - math.sqrt(NORMAL_P95**2 - 2 * math.log(p95 / mean))
    return math.log(mean) - sigma**2 / 2, sigma


def exponential(random: Random, mean: float) -> Callable[[], float]:
    """Return a function that draws exponential values."""
    uniform, log = random.random, math.log
    return _in_blocks(lambda: [-mean * log(1.0 - uniform()) for _ in range(BLOCK)])


def lognormal(random: Random, mean: float, p95: float) -> Callable[[], float]:
    """Return a function that draws lognormal values (Box-Muller). Raises ValueError like `lognormal_parameters`."""
    mu, sigma = lognormal_parameters(mean, p95)
    uniform, log, exp, sqrt, cos, sin, turn = random.random, math.log, math.exp, math.sqrt, math.cos, math.sin, math.tau

    def block() -> list[float]:
        values = []
        for _ in range(BLOCK // 2):
            radius, angle = sigma * sqrt(-2.0 * log(1.0 - uniform())), turn * uniform()
            values += [exp(mu + radius * cos(angle)), exp(mu + radius * sin(angle))]
        return values

    return _in_blocks(block)


def constant(value: float) -> Callable[[], float]:
    """Return a function that always returns the same value."""
    return lambda: value


def geometric(random: Random, mean: float) -> Callable[[], int]:
    """Return a function that draws whole numbers from 1 on, with a mean of at least 1."""
    if mean <= 1:
        return lambda: 1
    ratio = math.log(1 - 1 / mean)
    return lambda: 1 + int(math.log(1.0 - random.random()) / ratio)


def _in_blocks(block: Callable[[], list[float]]) -> Callable[[], float]:
    """Return the values of endless blocks one at a time, at the speed of C."""
    return chain.from_iterable(iter(block, None)).__next__
