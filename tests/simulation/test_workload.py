"""Arrivals follow the rates of the workload, and a hot market stays on one shard."""

import math
from array import array
from itertools import chain, islice, takewhile

import pytest

from generator.errors import InvalidSimulation
from generator.simulation import draws
from generator.simulation.trace import Trace
from generator.simulation.workload import (
    DAY_S,
    Day,
    Recorded,
    Spike,
    Steady,
    arrivals,
    profile,
    shard_shares,
    zipf_shares,
)

SPIKE = Spike(mean_per_s=10.0, factor=10.0, onset_s=30.0, decay_s=600.0)


def minutes(*counts):
    """Return a trace with these counts per minute."""
    return Trace(60.0, array("q", counts), max(counts), sum(counts))


def times(rates, start_s, end_s, webhooks_per_burst=1.0):
    blocks = arrivals(rates, draws.random_stream(1, 0, "arrivals"), start_s, webhooks_per_burst)
    return list(takewhile(lambda time_s: time_s < end_s, chain.from_iterable(blocks)))


def expected(rates, start_s, end_s, steps=20_000):
    """Return the integral of the rate."""
    width = (end_s - start_s) / steps
    return math.fsum(rates.rate_per_s(start_s + (step + 0.5) * width) for step in range(steps)) * width


@pytest.mark.parametrize(
    ("rates", "start_s", "end_s"),
    [
        pytest.param(Steady(20.0), -100, 1000, id="steady"),
        pytest.param(Day(2.0), 0, DAY_S, id="a day"),
        pytest.param(Day(20.0), DAY_S / 2 - 600, DAY_S / 2 + 600, id="around noon"),
        pytest.param(SPIKE, -300, 600, id="before the spike"),
        pytest.param(SPIKE, 600, 630, id="the onset"),
        pytest.param(SPIKE, 620, 3600, id="the decay"),
        pytest.param(Recorded(minutes(600, 0, 1800)), -60, 180, id="a trace"),
        pytest.param(Recorded(minutes(600, 0, 1800), 0.5), 0, 180, id="a trace at half the rate"),
    ],
)
def test_the_number_of_arrivals_matches_the_rate(rates, start_s, end_s):
    """The count is within four standard deviations of the mean of a Poisson count."""
    mean = expected(rates, start_s, end_s)
    found = times(rates, start_s, end_s)
    assert abs(len(found) - mean) < 4 * math.sqrt(mean)
    assert found == sorted(found)
    assert start_s <= found[0]


@pytest.mark.parametrize("rates", [Day(20.0), SPIKE, Steady(3.0)], ids=lambda rates: type(rates).__name__)
def test_no_rate_exceeds_the_bound_of_its_piece(rates):
    for begin_s, end_s, bound in islice(rates.pieces(-300.0), 3000):
        for step in range(20):
            time_s = begin_s + (min(end_s, begin_s + 1e6) - begin_s) * step / 20
            assert rates.rate_per_s(time_s) <= bound * (1 + 1e-9)


def test_nothing_arrives_after_a_trace():
    assert times(Recorded(minutes(60, 60)), 0, math.inf)[-1] < 120


def test_a_spike_reaches_its_factor_at_the_end_of_its_onset_and_decays():
    assert SPIKE.rate_per_s(599.9) == 10
    assert SPIKE.rate_per_s(615) == pytest.approx(55)
    assert SPIKE.rate_per_s(630) == pytest.approx(100)
    assert SPIKE.rate_per_s(630 + 600) == pytest.approx(10 + 90 / math.e)


def test_a_day_ranges_from_100_to_50_000_an_hour(environment):
    day = profile(environment(), "day")
    assert [round(day.rate_per_s(hour * 3600) * 3600) for hour in (0, 12, 24)] == [100, 50_000, 100]


@pytest.mark.parametrize(
    ("name", "rate_per_s"), [("peak", 50_000 / 3600 * 5), ("poisson", 50_000 / 3600), ("spike", 50_000 / 3600)]
)
def test_a_workload_starts_at_the_rate_of_the_environment(environment, name, rate_per_s):
    assert profile(environment(), name).rate_per_s(0.0) == pytest.approx(rate_per_s)


def test_a_trace_is_scaled_to_a_rate(environment):
    trace = minutes(10, 30)
    assert profile(environment(), "trace", trace).rate_per_s(70.0) == 0.5
    assert profile(environment(), "trace", trace, 2400).rate_per_s(70.0) == 1.0


def test_an_unknown_workload_and_a_trace_without_a_file_are_refused(environment):
    with pytest.raises(InvalidSimulation, match="choose peak, poisson, day, spike, trace"):
        profile(environment(), "storm")
    with pytest.raises(InvalidSimulation, match="name one with --trace"):
        profile(environment(), "trace")


def test_markets_follow_zipfs_law():
    assert zipf_shares(3, 1.0) == pytest.approx([6 / 11, 3 / 11, 2 / 11])
    assert zipf_shares(4, 0.0) == [0.25] * 4


@pytest.mark.parametrize(
    ("markets", "shards", "busiest", "first"),
    [
        pytest.param(zipf_shares(50, 1.0), 4, 0.40, pytest.approx(0.40, abs=0.002), id="as the environment states"),
        pytest.param([0.6, 0.2, 0.1, 0.1], 4, 0.40, 0.6, id="a market is not split"),
        pytest.param(zipf_shares(50, 0.0), 5, 0.01, pytest.approx(0.2), id="at least an equal share"),
        pytest.param(zipf_shares(9, 1.0), 1, 0.40, pytest.approx(1.0), id="one shard"),
    ],
)
def test_the_busiest_shard_gets_its_share(markets, shards, busiest, first):
    shares = shard_shares(markets, shards, busiest)
    assert shares[0] == first
    assert len(shares) == shards
    assert math.fsum(shares) == pytest.approx(1)
    assert shares[0] == pytest.approx(max(shares))


def test_bursts_keep_the_rate_and_come_at_the_same_time():
    """A geometric burst of mean g makes the count's variance 2g - 1 times a Poisson count's."""
    found = times(Steady(20.0), 0.0, 5000, 5.0)
    assert len(found) / len(set(found)) == pytest.approx(5, rel=0.03)
    assert abs(len(found) - 100_000) < 4 * math.sqrt(9 * 100_000)


def test_a_trace_keeps_its_own_bursts_and_gets_no_others():
    found = times(Recorded(minutes(600)), 0.0, 60, 5.0)
    assert len(found) == len(set(found))
