"""Quantiles match published tables, and intervals cover the truth as often as they should."""

import math
from itertools import pairwise

import pytest

from generator.simulation.draws import exponential, geometric, random_stream
from generator.simulation.statistics import (
    Estimate,
    TargetVerdict,
    decide,
    estimate_mean,
    estimate_share,
    is_settled,
    poisson_bounds,
    poisson_tail,
    t_cdf,
    t_quantile,
)

pytestmark = pytest.mark.slow

# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, critical values of Student's t distribution.
T_TABLE = {
    (0.975, 1): 12.706,
    (0.975, 2): 4.303,
    (0.975, 3): 3.182,
    (0.975, 9): 2.262,
    (0.975, 30): 2.042,
    (0.995, 4): 4.604,
    (0.995, 9): 3.250,
    (0.95, 10): 1.812,
    (0.975, 100): 1.984,
}


@pytest.mark.parametrize(("key", "expected"), T_TABLE.items(), ids=str)
def test_t_quantiles_match_the_published_table(key, expected):
    assert t_quantile(*key) == pytest.approx(expected, abs=6e-4)


def test_the_t_distribution_is_one_half_at_0():
    assert all(t_cdf(0.0, degrees) == pytest.approx(0.5) for degrees in range(1, 40))


# F. Garwood, Biometrika 28 (1936), table of 95 % limits.
@pytest.mark.parametrize(
    ("events", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (50, 37.11, 65.92)]
)
def test_poisson_bounds_match_the_published_table(events, low, high):
    assert poisson_bounds(events) == (pytest.approx(low, abs=5e-3), pytest.approx(high, abs=5e-3))


@pytest.mark.parametrize("events", [1, 2, 7, 60])
@pytest.mark.parametrize("mean", [0.01, 1.0, 8.0, 70.0, 300.0])
def test_the_poisson_tail_equals_the_sum_of_probabilities(events, mean):
    below = math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events))
    assert poisson_tail(events, mean) == pytest.approx(1 - below, abs=1e-12)


def test_poisson_bounds_are_smooth_between_whole_numbers():
    """Bounds are half of chi-square quantiles with 2 degrees of freedom per event: here 3 and 5 degrees."""
    assert poisson_bounds(1.5) == (pytest.approx(0.216 / 2, abs=5e-4), pytest.approx(12.833 / 2, abs=5e-4))
    bounds = [poisson_bounds(events / 10) for events in range(50)]
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(bounds))


def test_no_event_still_has_an_upper_bound():
    assert estimate_share([0, 0, 0], [1000, 1000, 1000]) == Estimate(0.0, 0.0, pytest.approx(3.689 / 3000, rel=1e-3))


def test_few_equal_counts_still_have_a_wide_interval():
    """One event in each of two replications has no spread, but two events are still few."""
    found = estimate_share([1, 1], [1000, 1000])
    assert (found.low, found.high) == (pytest.approx(0.242 / 2000, rel=1e-2), pytest.approx(7.225 / 2000, rel=1e-3))


def test_clusters_widen_the_interval():
    """The same number of events in a single replication gives a wider interval."""
    even, clustered = estimate_share([500] * 4, [10_000] * 4), estimate_share([2000, 0, 0, 0], [10_000] * 4)
    assert even.mean == clustered.mean == 0.05
    assert even.high == pytest.approx(0.05)
    assert (clustered.low, clustered.high > 0.15) == (0.0, True)


def test_two_values_have_a_wide_interval_and_a_share_of_nothing_has_none():
    assert estimate_mean([1.0, 3.0]) == Estimate(
        2.0, pytest.approx(2 - 12.706, abs=1e-3), pytest.approx(14.706, abs=1e-3)
    )
    assert estimate_share([0, 0], [0, 0]) == Estimate(None)


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        pytest.param(Estimate(0.5, 0.4, 0.6), (TargetVerdict.MET, None), id="below"),
        pytest.param(Estimate(0.9, 0.8, 1.0), (TargetVerdict.MET, None), id="up to the target"),
        pytest.param(Estimate(2.0, 1.1, 2.9), (TargetVerdict.MISSED, None), id="above"),
        pytest.param(Estimate(0.8, 0.4, 1.2), (TargetVerdict.INCONCLUSIVE, 40), id="gap of half the half-width"),
        pytest.param(Estimate(1.5, 0.5, 2.5), (TargetVerdict.INCONCLUSIVE, 40), id="gap from above"),
        pytest.param(Estimate(0.0, 0.0, 3.0), (TargetVerdict.INCONCLUSIVE, 30), id="no event yet"),
        pytest.param(Estimate(1.0, 0.5, 1.5), (TargetVerdict.AT_TARGET, None), id="on the target"),
        pytest.param(Estimate(1.04, 0.5, 1.5), (TargetVerdict.AT_TARGET, None), id="within 5 %"),
        pytest.param(Estimate(None), (TargetVerdict.INCONCLUSIVE, None), id="nothing measured"),
    ],
)
def test_only_the_whole_interval_or_nearness_decides_a_target(measured, verdict):
    assert decide(1.0, measured, 10) == verdict


def test_95_percent_of_intervals_for_rare_events_cover_the_truth():
    """Bernoulli trials with 3 expected events over all replications."""
    covered = 0
    for seed in range(300):
        random = random_stream(seed, 0, "coverage").random
        events = [sum(random() < 0.003 for _ in range(100)) for _ in range(10)]
        found = estimate_share(events, [100] * 10)
        covered += found.low <= 0.003 <= found.high
    assert covered >= 0.95 * 300


@pytest.mark.parametrize("clusters", [9, 20])
def test_95_percent_of_intervals_for_clustered_events_cover_the_truth(clusters):
    """Throttles come like this: a Poisson number of clusters over 10 replications, geometric with a mean of 5 / 3."""
    above = below = 0
    for seed in range(500):
        gap, size = (
            exponential(random_stream(seed, 0, "gaps"), 1 / clusters),
            geometric(random_stream(seed, 0, "sizes"), 5 / 3),
        )
        events, now = [0] * 10, gap()
        while now < 1:
            events[int(now * 10)] += size()
            now += gap()
        found = estimate_share(events, [100_000] * 10)
        truth = clusters * 5 / 3 / 1_000_000
        above, below = above + (truth < found.low), below + (truth > found.high)
    assert above + below <= 0.065 * 500
    assert below <= 0.055 * 500


def test_more_events_than_trials_are_a_share_of_1():
    """An event that began before the measured time may end within it."""
    assert estimate_share([101, 100], [100, 100]) == Estimate(1.0, pytest.approx(0.9, abs=0.1), 1.0)


@pytest.mark.parametrize(
    ("estimate", "verdict", "settled"),
    [
        (Estimate(0.8, 0.7, 0.9), TargetVerdict.MET, True),
        (Estimate(0.8, 0.62, 0.98), TargetVerdict.MET, False),
        (Estimate(0.97, 0.8, 1.2), TargetVerdict.AT_TARGET, False),
        (Estimate(1.01, 0.97, 1.04), TargetVerdict.AT_TARGET, True),
        (Estimate(1.06, 0.9, 1.2), TargetVerdict.INCONCLUSIVE, False),
        (Estimate(1.06, 1.01, 1.11), TargetVerdict.MISSED, False),
        (Estimate(1.5, 1.3, 1.7), TargetVerdict.MISSED, True),
        (Estimate(None), TargetVerdict.INCONCLUSIVE, True),
    ],
)
def test_a_verdict_is_settled_only_if_more_replications_would_hardly_change_it(estimate, verdict, settled):
    assert decide(1.0, estimate, 10)[0] is verdict
    assert is_settled(1.0, estimate) is settled
