"""Random values have the requested moments and depend only on their own seed."""

import math

import pytest

from generator.simulation import draws

COUNT = 40_000


def mean(values):
    return math.fsum(values) / len(values)


def test_lognormal_values_have_the_requested_mean_and_95th_percentile():
    draw = draws.lognormal(draws.random_stream(1, 0, "test"), 0.105, 0.25)
    values = sorted(draw.take(COUNT))
    assert mean(values) == pytest.approx(0.105, rel=0.02)
    assert values[int(0.95 * COUNT)] == pytest.approx(0.25, rel=0.03)


def test_the_lognormal_is_the_solution_with_the_lighter_tail():
    mu, sigma = draws.lognormal_parameters(0.105, 0.25)
    assert math.exp(mu + sigma**2 / 2) == pytest.approx(0.105)
    assert math.exp(mu + draws.NORMAL_P95 * sigma) == pytest.approx(0.25)
    assert sigma < draws.NORMAL_P95


def test_exponential_and_geometric_values_have_the_requested_mean():
    exponential = draws.exponential(draws.random_stream(2, 0, "test"), 0.3)
    assert mean(exponential.take(COUNT)) == pytest.approx(0.3, rel=0.02)
    geometric = draws.geometric(draws.random_stream(2, 0, "test"), 3.0)
    values = [geometric() for _ in range(COUNT)]
    assert min(values) == 1
    assert mean(values) == pytest.approx(3, rel=0.03)
    assert draws.geometric(draws.random_stream(2, 0, "test"), 1.0)() == 1
    assert draws.constant(0.2)() == 0.2


def test_long_values_are_as_frequent_and_as_long_as_they_should_be():
    """The last of the 4,096 intervals has 1 in 4,096 values, exponential above its lower end."""
    drawn = draws.exponential(draws.random_stream(3, 0, "test"), 1.0)
    least = math.log(draws.INTERVALS)
    highest = [value for value in drawn.take(2_000_000) if value > least]
    assert len(highest) == pytest.approx(2_000_000 / draws.INTERVALS, rel=0.15)
    assert mean(highest) == pytest.approx(least + 1, rel=0.02)
    assert len(set(highest)) == len(highest)


def test_values_come_in_the_same_order_one_at_a_time_or_many_at_once():
    one, many = (draws.exponential(draws.random_stream(4, 0, "test"), 1.0) for _ in range(2))
    expected = [one() for _ in range(1000)]
    assert many.peek(700) == expected[:700]
    assert many.take(300) == expected[:300]
    many.skip(len(many.peek(400)))
    assert [many(), *many.take(299)] == expected[700:]


def test_random_streams_depend_only_on_seed_replication_and_purpose():
    keys = [(1, 0, "a"), (1, 0, "b"), (1, 1, "a"), (2, 0, "a")]
    firsts = [draws.random_stream(*key).random() for key in keys]
    assert len(set(firsts)) == 4
    assert firsts == [draws.random_stream(*key).random() for key in keys]
