"""The token bucket against counting tokens one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.simulation.gateway import Quota
from generator.simulation.kernel import Pool, TokenBucket


def counted(rate_per_s, burst, times_s):
    """The definition: tokens are added continuously, up to the burst, and one is taken where there is one."""
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
def test_the_bucket_admits_exactly_what_counting_tokens_admits(rate_per_s, burst, gaps_ms):
    times_s, now_s = [], 0.0
    for gap_ms in gaps_ms:
        now_s += gap_ms / 1000
        times_s.append(now_s)
    bucket = TokenBucket(rate_per_s, burst)
    assert [bucket.take(time_s) for time_s in times_s] == counted(rate_per_s, burst, times_s)


@given(rate_per_s=st.floats(0.1, 1000), burst=st.integers(1, 100), duration_s=st.floats(0.1, 10))
def test_a_flood_gets_the_burst_and_the_rate_and_no_more(rate_per_s, burst, duration_s):
    bucket = TokenBucket(rate_per_s, burst)
    admitted = sum(bucket.take(duration_s * step / 2000) for step in range(2001))
    assert admitted <= burst + rate_per_s * duration_s + 1


def test_an_empty_bucket_fills_at_its_rate():
    bucket = TokenBucket(2.0, 10)
    assert [bucket.take(0.0) for _ in range(11)] == [True] * 10 + [False]
    assert [bucket.take(1.5) for _ in range(4)] == [True] * 3 + [False]


def test_senseless_limits_are_refused():
    for rate_per_s, burst in ((-1.0, 1), (1.0, -1), (float("nan"), 1)):
        with pytest.raises(ValueError, match="a rate and a burst of 0 or more"):
            TokenBucket(rate_per_s, burst)
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        Pool(-1)


def test_a_rate_of_0_admits_nothing_not_even_the_burst():
    bucket = TokenBucket(0.0, 10)
    assert not any(bucket.take(time_s) for time_s in (0.0, 1.0, 1e9))


def test_a_quota_begins_anew_with_each_period():
    quota = Quota(2, 10.0, start_s=0.0)
    assert [quota.take(time_s) for time_s in (0.0, 1.0, 2.0, 9.9, 10.0, 11.0, 12.0, 35.0)] == [
        *(True, True, False, False),
        *(True, True, False, True),
    ]
