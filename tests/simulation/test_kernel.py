"""Virtual time."""

import pytest

from generator.simulation.kernel import Kernel


def test_events_run_in_order_of_time_and_ties_in_order_of_making():
    kernel, seen = Kernel(), []
    for time_s, name in ((2.0, "late"), (1.0, "first"), (1.0, "second"), (0.5, "early")):
        kernel.at(time_s, seen.append, name)
    kernel.run(3.0)
    assert seen == ["early", "first", "second", "late"]


def test_the_clock_stops_where_it_is_told_to_and_later_events_wait():
    kernel, seen = Kernel(), []
    kernel.at(1.0, seen.append, 1)
    kernel.at(2.0, seen.append, 2)
    kernel.run(1.5)
    assert (seen, kernel.now, list(kernel.pending(seen.append))) == ([1], 1.5, [2])
    kernel.run(2.0)
    assert seen == [1, 2]


def test_an_event_may_make_another_at_its_own_time():
    kernel, seen = Kernel(), []
    kernel.at(1.0, lambda _: kernel.at(kernel.now, seen.append, kernel.now))
    kernel.run(1.0)
    assert seen == [1.0]


@pytest.mark.parametrize("time_s", [0.9, float("nan"), float("-inf")])
def test_an_event_in_the_past_is_refused(time_s):
    kernel = Kernel(1.0)
    with pytest.raises(ValueError, match=r"in the past: it is 1\.0 s"):
        kernel.at(time_s, print)
