"""Intervals over replications: Student's t for means, and the exact Poisson interval for rare events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95

MAX_EXACT_EVENTS = 400
"""From here on a Poisson count is so nearly normal that the interval over replications says the same."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval; all three are None where nothing was measured."""

    mean: float | None
    low: float | None = None
    high: float | None = None


NOTHING = Estimate(None)


def t_quantile(probability: float, degrees: int) -> float:
    """The quantile of Student's t distribution, for probabilities from one half up.

    Found by bisection. Raises ValueError if there is no degree of freedom or the probability is out of range.
    """
    if degrees < 1 or not 0.5 <= probability < 1:
        raise ValueError(f"no quantile {probability} of t with {degrees} degrees of freedom")
    return _solve(lambda t: t_distribution(t, degrees) - probability, 0.0, 1e6)


def t_distribution(t: float, degrees: int) -> float:
    """P(T <= t) for t >= 0. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    terms, term = [], cosine if odd else 1.0
    for k in range(2 + odd, degrees + 1, 2):
        terms.append(term)
        term *= cosine**2 * (k - 1) / k
    within = sine * math.fsum(terms) if not odd else 2 / math.pi * (angle + sine * math.fsum(terms))
    return (1 + within) / 2


def poisson_bounds(events: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval for the mean of a Poisson count: for 0 events 0 to 3.69 (both sides share the 5 %).

    Source: F. Garwood, "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.
    """
    tail = (1 - confidence) / 2
    top = events + 20 * math.sqrt(events + 1) + 20
    low = 0.0 if not events else _solve(lambda mean: _poisson(events - 1, mean) - (1 - tail), 0.0, top, falling=True)
    return low, _solve(lambda mean: _poisson(events, mean) - tail, 0.0, top, falling=True)


def of_means(values: Sequence[float]) -> Estimate:
    """The mean of one value per replication with its t interval, which takes them as independent and near normal."""
    if not values:
        return NOTHING
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    half = t_quantile((1 + CONFIDENCE) / 2, len(values) - 1) * math.sqrt(variance / len(values))
    return Estimate(mean, mean - half, mean + half)


def of_events(events: Sequence[float], trials: Sequence[float]) -> Estimate:
    """The share of trials with the event, over replications, with an interval that is sound for few events too.

    It covers both the t interval, which knows that throttles come in clusters, and the exact Poisson interval,
    which knows that no event in so many trials does not mean none ever. The mean is all events over all trials; at most
    1, although what began before the measured time may end within it.
    """
    total_events, total_trials = math.fsum(events), math.fsum(trials)
    if not total_trials:
        return NOTHING
    mean = min(1.0, total_events / total_trials)
    # Deviations from the ratio, not a mean of ratios: replications have different numbers of trials.
    spread = of_means([(event - mean * trial) for event, trial in zip(events, trials, strict=True)])
    low, high = mean, mean
    if spread.high is not None and spread.mean is not None:
        half = (spread.high - spread.mean) * len(trials) / total_trials
        low, high = mean - half, mean + half
    if total_events <= MAX_EXACT_EVENTS or spread.high is None:
        exact = [bound / total_trials for bound in poisson_bounds(int(min(total_events, MAX_EXACT_EVENTS)))]
        low, high = min(low, exact[0]), max(high, exact[1])
    return Estimate(mean, max(0.0, low), min(1.0, high))


def _poisson(events: int, mean: float) -> float:
    """P(N <= events)."""
    if mean <= 0:
        return 1.0
    logs = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(events + 1))
    return math.fsum(map(math.exp, logs))


def _solve(function: Callable[[float], float], low: float, high: float, falling: bool = False) -> float:
    """Where a monotone function is 0, to the last digit, by halving."""
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if (function(middle) > 0) == falling:
            low = middle
        else:
            high = middle
