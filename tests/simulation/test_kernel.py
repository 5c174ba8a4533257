"""Virtual time, token buckets and pools."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.simulation.kernel import Kernel, Pool, TokenBucket


def test_events_run_in_order_of_time_and_ties_first_come_first_served():
    kernel, seen = Kernel(), []
    for time_s, name in ((2.0, "late"), (1.0, "first"), (1.0, "second"), (0.5, "early")):
        kernel.at(time_s, seen.append, name)
    kernel.run(3.0)
    assert seen == ["early", "first", "second", "late"]


def test_run_stops_at_the_given_time_and_keeps_later_events():
    kernel, seen = Kernel(), []
    kernel.at(1.0, seen.append, 1)
    kernel.at(2.0, seen.append, 2)
    kernel.run(1.5)
    assert (seen, kernel.now, list(kernel.pending(seen.append))) == ([1], 1.5, [2])
    kernel.run(2.0)
    assert seen == [1, 2]


def test_an_event_can_add_another_at_the_same_time():
    kernel, seen = Kernel(), []
    kernel.at(1.0, lambda _: kernel.at(kernel.now, seen.append, kernel.now))
    kernel.run(1.0)
    assert seen == [1.0]


@pytest.mark.parametrize("time_s", [0.9, float("nan"), float("-inf")])
def test_an_event_in_the_past_is_refused(time_s):
    kernel = Kernel(1.0)
    with pytest.raises(ValueError, match=r"in the past: it is 1\.0 s"):
        kernel.at(time_s, print)


def counted(rate_per_s, burst, times_s):
    """Apply the definition: add tokens continuously up to the burst, and take one if there is one."""
    tokens, last_s, answers = burst, 0.0, []
    for time_s in times_s:
        tokens, last_s = min(burst, tokens + (time_s - last_s) * rate_per_s), time_s
        answers.append(tokens >= 1 - 1e-6)
        tokens -= answers[-1]
    return answers


@given(
    rate_per_s=st.integers(1, 50),
    burst=st.integers(0, 30),
    gaps_ms=st.lists(st.integers(0, 500), max_size=120),
)
def test_the_bucket_admits_the_same_as_counting_tokens(rate_per_s, burst, gaps_ms):
    times_s, now_s = [], 0.0
    for gap_ms in gaps_ms:
        now_s += gap_ms / 1000
        times_s.append(now_s)
    bucket = TokenBucket(rate_per_s, burst)
    assert [bucket.take(time_s) for time_s in times_s] == counted(rate_per_s, burst, times_s)


@given(rate_per_s=st.floats(0.1, 1000), burst=st.integers(1, 100), duration_s=st.floats(0.1, 10))
def test_a_flood_gets_no_more_than_the_burst_and_the_rate(rate_per_s, burst, duration_s):
    bucket = TokenBucket(rate_per_s, burst)
    admitted = sum(bucket.take(duration_s * step / 2000) for step in range(2001))
    assert admitted <= burst + rate_per_s * duration_s + 1


def test_an_empty_bucket_fills_at_its_rate():
    bucket = TokenBucket(2.0, 10)
    assert [bucket.take(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(1.5) for _ in range(4)] == [True] * 3 + [False]


def test_negative_limits_are_refused():
    for rate_per_s, burst in ((-1.0, 1), (1.0, -1), (float("nan"), 1)):
        with pytest.raises(ValueError, match="a rate and a burst of 0 or more"):
            TokenBucket(rate_per_s, burst)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        Pool(-1)


def test_a_rate_of_0_admits_not_even_the_burst():
    bucket = TokenBucket(0.0, 10)
    assert not any(bucket.take(time_s) for time_s in (0.0, 1.0, 1e9))
