"""Token buckets, quotas and pools."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.simulation.limits import Quota, TokenBucket


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


def test_a_rate_of_0_admits_not_even_the_burst():
    bucket = TokenBucket(0.0, 10)
    assert not any(bucket.take(time_s) for time_s in (0.0, 1.0, 1e9))


@given(
    rate_per_s=st.floats(0.5, 50),
    burst=st.integers(0, 30),
    gaps_ms=st.lists(st.integers(0, 200), max_size=60),
    first=st.integers(0, 60),
)
def test_many_tokens_at_once_are_the_same_as_one_after_the_other(rate_per_s, burst, gaps_ms, first):
    times_s = list(accumulate(gap_ms / 1000 for gap_ms in gaps_ms))
    one, other = TokenBucket(rate_per_s, burst), TokenBucket(rate_per_s, burst)
    for time_s in times_s[:first]:
        one.take(time_s)
        other.take(time_s)
    state = one.after(times_s[first:])
    admitted = [other.take(time_s) for time_s in times_s[first:]]
    assert (state is not None) == all(admitted)
    if state is not None:
        one.restore(state)
        later_s = times_s[-1] + 0.01 if times_s else 0.0
        assert one.admits_from() == pytest.approx(other.admits_from())
        assert one.take(later_s) == other.take(later_s)


def test_a_bucket_knows_from_when_it_admits():
    bucket = TokenBucket(2.0, 1)
    assert bucket.take(0.0)
    assert bucket.admits_from() == pytest.approx(0.5)
    assert (bucket.take(0.49), bucket.take(0.51)) == (False, True)


def test_a_bucket_that_is_no_stricter_admits_everything_that_another_one_admits():
    strict = TokenBucket(10, 20)
    assert strict.covers(TokenBucket(10, 20))
    assert strict.covers(TokenBucket(11, 20))
    assert not strict.covers(TokenBucket(9, 30))
    assert not strict.covers(TokenBucket(20, 19))


def test_a_quota_starts_again_in_each_period():
    quota = Quota(2, 10.0, start_s=0.0)
    assert [quota.take(time_s) for time_s in (0.0, 1.0, 2.0, 9.9, 10.0, 11.0, 12.0, 35.0)] == [
        *(True, True, False, False),
        *(True, True, False, True),
    ]


def test_a_quota_knows_what_is_left_and_from_when_it_admits():
    quota = Quota(2, 10.0, start_s=0.0)
    assert (quota.after([1.0, 2.0]), quota.after([1.0, 2.0, 3.0]), quota.after([11.0])) == (0, None, None)
    quota.restore(0)
    assert (quota.take(3.0), quota.admits_from()) == (False, 10.0)
