"""Confidence intervals over replications, and the verdict on a target that follows from them.

Means have Student's t interval. Shares of rare events also have the exact Poisson interval, corrected for events that
come in clusters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

CONFIDENCE = 0.95

NORMAL_QUANTILE = 1.959963984540054
"""The quantile of the standard normal distribution at (1 + CONFIDENCE) / 2."""

MAX_EXACT_EVENTS = 400
"""Above this many independent events a Poisson count is nearly normal, and the t interval suffices."""

MAX_REPLICATIONS = 100_000
"""A larger number of replications is no useful advice."""

NEAR = 0.05
"""A value within this share of its limit is at the target if its interval does not decide."""

WIDENING = 1.31
"""An interval widened by this factor has a confidence of 99 %, for looks at results that are still coming in."""


class TargetVerdict(StrEnum):
    """The verdict on a target, as the report and the JSON print it."""

    MET = "met"
    MISSED = "missed"
    AT_TARGET = "at the target"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95 % interval. All three are None if nothing was measured."""

    mean: float | None
    low: float | None = None
    high: float | None = None

    @property
    def interval(self) -> list[float | None] | None:
        """The interval as JSON prints it."""
        return None if self.low is None else [self.low, self.high]


def estimate_mean(values: Sequence[float]) -> Estimate:
    """Return the mean of one value for each of at least two replications, with its t interval.

    The t interval assumes that the values are independent and nearly normal.
    """
    mean, half = math.fsum(values) / len(values), _half_width(values)
    return Estimate(mean, mean - half, mean + half)


def estimate_share(events: Sequence[float], trials: Sequence[float], weight: float = 1.0) -> Estimate:
    """Return the share of trials with the event, given both counts for each of at least two replications.

    `weight` is below 1 if expected numbers of events are given instead of counts: the expected number in one
    independent occurrence, on average over the events.

    The interval is valid for rare events too: it covers the t interval and the exact Poisson interval, whose number of
    events is divided by the overdispersion because events in clusters are not independent. Without any event its upper
    end is above 0. The mean is all events over all trials, at most 1: an event that began before the measured time may
    end within it.
    """
    total_events, total_trials = math.fsum(events), math.fsum(trials)
    if not total_trials:
        return Estimate(None)
    mean = min(1.0, total_events / total_trials)
    # Deviations from the overall share, not a mean of shares: replications differ in their number of trials.
    deviations = [event - mean * trial for event, trial in zip(events, trials, strict=True)]
    half = len(trials) * _half_width(deviations) / total_trials
    low, high, factor = mean - half, mean + half, _overdispersion(total_events, deviations, weight)
    if total_events / factor <= MAX_EXACT_EVENTS:
        exact = [bound * factor / total_trials for bound in poisson_bounds(total_events / factor)]
        low, high = min(low, exact[0]), max(high, exact[1])
    return Estimate(mean, max(0.0, low), min(1.0, high))


def decide(target: float, measured: Estimate, replications: int) -> tuple[TargetVerdict, int | None]:
    """Return the verdict on an upper limit, and for an inconclusive one the replications that would decide it.

    A target is missed only if the whole interval lies above it, and met if the whole interval lies at or below it. It
    is at the target if neither holds and the mean is within 5 % of it. The number of replications assumes that the mean
    stays where it is and that the interval shrinks with their square root, or with their number if no event was seen.
    It is None if no reasonable number would decide.
    """
    if measured.mean is None or measured.low is None or measured.high is None:
        return TargetVerdict.INCONCLUSIVE, None
    if measured.high <= target:
        return TargetVerdict.MET, None
    if measured.low > target:
        return TargetVerdict.MISSED, None
    if abs(measured.mean - target) <= NEAR * target:
        return TargetVerdict.AT_TARGET, None
    needed = replications * measured.high / target
    if measured.mean > 0:
        half = measured.mean - measured.low if measured.mean > target else measured.high - measured.mean
        needed = replications * (half / abs(measured.mean - target)) ** 2
    return TargetVerdict.INCONCLUSIVE, math.ceil(needed) if needed <= MAX_REPLICATIONS else None


def is_settled(target: float, measured: Estimate) -> bool:
    """Return whether more replications are unlikely to change the verdict on an upper limit.

    That is so if a 99 % interval decides, or if the whole interval is within 5 % of the limit. Repeated looks need the
    higher confidence: with 95 % at each, more than 5 % of the verdicts would be wrong. A target without
    measurements is settled.
    """
    if measured.mean is None or measured.low is None or measured.high is None:
        return True
    low = measured.mean - WIDENING * (measured.mean - measured.low)
    high = measured.mean + WIDENING * (measured.high - measured.mean)
    near = (1 - NEAR) * target <= measured.low and measured.high <= (1 + NEAR) * target
    return high <= target or low > target or near


def t_quantile(probability: float, degrees: int) -> float:
    """Return the quantile of Student's t distribution, for probabilities from one half up, by bisection."""
    return _bisect(lambda t: t_cdf(t, degrees) - probability, 0.0, 1e6)


def t_cdf(t: float, degrees: int) -> float:
    """Return P(T <= t) of Student's t distribution for t >= 0.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2
    terms, term = [], cosine if odd else 1.0
    for k in range(2 + odd, degrees + 1, 2):
        terms.append(term)
        term *= cosine**2 * (k - 1) / k
    within = sine * math.fsum(terms) if not odd else 2 / math.pi * (angle + sine * math.fsum(terms))
    return (1 + within) / 2


def poisson_bounds(events: float) -> tuple[float, float]:
    """Return the exact interval for the mean of a Poisson count: 0 to 3.69 for 0 events.

    `events` need not be whole: it is the number of events divided by their overdispersion. Source: F. Garwood,
    "Fiducial limits for the Poisson distribution", Biometrika 28, 1936.
    """
    tail = (1 - CONFIDENCE) / 2
    top = events + 20 * math.sqrt(events + 1) + 20
    low = _bisect(lambda mean: poisson_tail(events, mean) - tail, 0.0, top) if events else 0.0
    return low, _bisect(lambda mean: poisson_tail(events + 1, mean) - (1 - tail), 0.0, top)


def poisson_tail(events: float, mean: float) -> float:
    """Return P(N >= events) of a Poisson count with this mean, for events above 0.

    Between whole numbers it is interpolated by the incomplete gamma function. Source: Abramowitz and Stegun, Handbook
    of Mathematical Functions, 6.5.29.
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


def _overdispersion(events: float, deviations: Sequence[float], weight: float) -> float:
    """Return the overdispersion factor: variance across replications over the Poisson variance, at least `weight`.

    The variance is itself an estimate. It is therefore raised by the squared ratio of the t quantile to the normal
    quantile, which makes the interval of many events equal to the t interval. The raise is at most twofold: below
    five replications the quantile reflects their number more than the events.
    """
    if not events:
        return weight
    ratio = t_quantile((1 + CONFIDENCE) / 2, len(deviations) - 1) / NORMAL_QUANTILE
    dispersion = _variance(deviations) * len(deviations) / events
    return max(weight, min(2.0, ratio**2) * dispersion)


def _half_width(values: Sequence[float]) -> float:
    """Return half the width of the t interval of the mean."""
    return t_quantile((1 + CONFIDENCE) / 2, len(values) - 1) * math.sqrt(_variance(values) / len(values))


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the root of a rising function, to the last digit."""
    while True:
        middle = (low + high) / 2
        if middle in (low, high):
            return middle
        if function(middle) > 0:
            high = middle
        else:
            low = middle
