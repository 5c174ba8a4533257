"""Intervals over replications: Student's t for means, with the Poisson one for rare events, alone or in clusters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95

NORMAL_QUANTILE = 1.959963984540054
"""Of the normal distribution, with half of what the confidence leaves above it."""

MAX_EXACT_EVENTS = 400
"""From so many clusters on a Poisson count is so nearly normal that the t interval says the same."""


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


def poisson_bounds(events: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The exact interval for the mean of a Poisson count: for 0 events 0 to 3.69 (both sides share the 5 %).

    Events that come in clusters are fewer than they look, and no whole number then. Source: F. Garwood, "Fiducial
    limits for the Poisson distribution", Biometrika 28, 1936.
    """
    tail = (1 - confidence) / 2
    top = events + 20 * math.sqrt(events + 1) + 20
    low = _solve(lambda mean: at_least(events, mean) - tail, 0.0, top) if events else 0.0
    return low, _solve(lambda mean: at_least(events + 1, mean) - (1 - tail), 0.0, top)


def at_least(events: float, mean: float) -> float:
    """P(N >= events) of a Poisson count with this mean, for events above 0; between whole numbers it goes on smoothly.

    That is the incomplete gamma function. Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 6.5.29.
    """
    if mean <= 0:
        return 0.0
    terms: list[float] = []
    term, shape = 1 / events, events
    while not terms or term > terms[0] * 1e-17 or shape < mean:
        terms.append(term)
        shape += 1
        term *= mean / shape
    return math.fsum(terms) * math.exp(events * math.log(mean) - mean - math.lgamma(events))


def of_means(values: Sequence[float]) -> Estimate:
    """The mean of one value per replication with its t interval, which takes them as independent and near normal."""
    if not values:
        return NOTHING
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Estimate(mean)
    half = _half_width(values)
    return Estimate(mean, mean - half, mean + half)


def of_events(events: Sequence[float], trials: Sequence[float]) -> Estimate:
    """The share of trials with the event, over replications, with an interval that is sound for few events too.

    It covers both the t interval and the Poisson interval of as many clusters as the events seem to come in: even no
    event in so many trials does not mean none ever. The mean is all events over all trials; at most 1, although what
    began before the measured time may end within it.
    """
    total_events, total_trials = math.fsum(events), math.fsum(trials)
    if not total_trials:
        return NOTHING
    mean = min(1.0, total_events / total_trials)
    # Deviations from the ratio, not a mean of ratios: replications have different numbers of trials.
    deviations = [event - mean * trial for event, trial in zip(events, trials, strict=True)]
    low, high, cluster = mean, mean, 1.0
    if len(trials) > 1:
        half = len(trials) * _half_width(deviations) / total_trials
        low, high, cluster = mean - half, mean + half, _cluster(total_events, deviations)
    if total_events / cluster <= MAX_EXACT_EVENTS or len(trials) == 1:
        exact = [bound * cluster / total_trials for bound in poisson_bounds(total_events / cluster)]
        low, high = min(low, exact[0]), max(high, exact[1])
    return Estimate(mean, max(0.0, low), min(1.0, high))


def _cluster(events: float, deviations: Sequence[float]) -> float:
    """How many events to take for one: their variance over the replications as a multiple of a Poisson count's, but 1.

    The variance is itself an estimate, so it is raised by as much as the t distribution is wider than the normal one,
    squared: many events then have the t interval. At most to the double: for less than five replications the quantile
    says more about their number than about the events.
    """
    if not events:
        return 1.0
    wider = t_quantile((1 + CONFIDENCE) / 2, len(deviations) - 1) / NORMAL_QUANTILE
    dispersion = _variance(deviations) * len(deviations) / events
    return max(1.0, min(2.0, wider**2) * dispersion)


def _half_width(values: Sequence[float]) -> float:
    """Half the t interval of their mean."""
    return t_quantile((1 + CONFIDENCE) / 2, len(values) - 1) * math.sqrt(_variance(values) / len(values))


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _solve(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function is 0, to the last digit, by halving."""
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if function(middle) > 0:
            high = middle
        else:
            low = middle
