"""Histograms are small and accurate, and the consistency checks detect errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.simulation.measures import Histogram, Occupancy, SimulationBug, check_conservation


@given(
    values=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200),
    share=st.floats(0.01, 1),
)
def test_quantiles_are_correct_within_half_a_percent(values, share):
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    wanted = sorted(values)[max(0, -(-len(values) * share // 1).__int__() - 1)]
    assert histogram.quantile(share) in [
        pytest.approx(value, rel=0.004) for value in values if value >= wanted * 0.99 and value <= wanted * 1.02
    ]


def test_values_of_at_least_a_bins_start_are_counted_exactly():
    histogram = Histogram()
    for value in (0, 0.1, 2.999_999, 3, 3.000_001, 40):
        histogram.add(value)
    assert (histogram.at_least(3), Histogram().at_least(3)) == (3, 0)


def test_a_histogram_handles_no_values_zeros_and_many_values():
    assert Histogram().quantile(0.5) is None
    histogram = Histogram()
    for value in [0.0, *(0.25 * 1.0001**power for power in range(20_000))]:
        histogram.add(value)
    assert histogram.quantile(1e-9) == 0.0
    assert histogram.total == 20_001
    assert len(histogram.counts) < 400
    assert Histogram.merged([histogram, histogram]).total == 40_002


def test_a_violation_of_littles_law_is_detected():
    inside = Occupancy(0.0)
    inside.enter(1.0)
    inside.enter(2.0)
    inside.leave(5.0, 1.0)
    inside.verify("stage", 7.0, [2.0])
    with pytest.raises(SimulationBug, match="stage: 1 counted inside, 0 found"):
        inside.verify("stage", 7.0, [])
    with pytest.raises(SimulationBug, match=r"stage: Little's law is violated: area 9\.0 s, sojourn 8\.0 s"):
        inside.verify("stage", 7.0, [3.0])


def test_a_lost_item_is_detected():
    check_conservation("stage", 3, completed=2, running=1)
    with pytest.raises(SimulationBug, match="stage: 3 entered, but completed 2, running 0"):
        check_conservation("stage", 3, completed=2, running=0)
