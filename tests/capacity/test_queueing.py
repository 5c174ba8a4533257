"""The formulas agree with published tables, exact arithmetic and their defining properties."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator.capacity import queueing

loads = st.floats(min_value=0.001, max_value=300)
targets = st.floats(min_value=1e-9, max_value=0.5)

# Erlangs that N channels carry at a blocking probability, to three digits, some rounded and some cut off.
# T. Rappaport, "Wireless Communications: Principles and Practice" (2nd ed., 2002), table 3.4.
BLOCKING = (0.01, 0.005, 0.002, 0.001)
ERLANG_B_TABLE = {
    2: (0.153, 0.105, 0.065, 0.046),
    5: (1.36, 1.13, 0.900, 0.762),
    10: (4.46, 3.96, 3.43, 3.09),
    20: (12.0, 11.1, 10.1, 9.41),
    100: (84.1, 80.9, 77.4, 75.2),
}

# P(j >= s) by utilisation and servers. W. Winston, "Operations Research" (4th ed., 2004), chapter 20, table 6.
ERLANG_C_TABLE = [
    *[(0.50, 2, 0.33), (0.50, 3, 0.24), (0.50, 4, 0.17), (0.50, 5, 0.13)],
    *[(0.80, 2, 0.71), (0.80, 3, 0.65), (0.80, 4, 0.60), (0.80, 5, 0.55)],
]


@pytest.mark.parametrize("servers", ERLANG_B_TABLE)
def test_erlang_b_agrees_with_the_published_table(servers: int) -> None:
    for blocking, load_erlangs in zip(BLOCKING, ERLANG_B_TABLE[servers], strict=True):
        digit = 0.001 if load_erlangs < 1 else 10 ** (math.floor(math.log10(load_erlangs)) - 2)
        assert queueing.erlang_b(servers, load_erlangs - digit) <= blocking
        assert queueing.erlang_b(servers, load_erlangs + digit) >= blocking


@pytest.mark.parametrize(("per_server", "servers", "waiting"), ERLANG_C_TABLE)
def test_erlang_c_agrees_with_the_published_table(per_server: float, servers: int, waiting: float) -> None:
    assert queueing.erlang_c(servers, per_server * servers) == pytest.approx(waiting, abs=0.005)


def exact_b(servers: int, load: Fraction) -> Fraction:
    """Return the closed form with factorials, in exact arithmetic: (a^c / c!) / sum of (a^k / k!)."""
    terms = [load**k / math.factorial(k) for k in range(servers + 1)]
    return terms[-1] / sum(terms)


def exact_c(servers: int, load: Fraction) -> Fraction:
    """Return the closed form of M/M/c, in exact arithmetic."""
    last = load**servers / math.factorial(servers) * Fraction(servers) / (servers - load)
    return last / (sum(load**k / Fraction(math.factorial(k)) for k in range(servers)) + last)


@given(st.integers(0, 60), st.fractions(min_value=Fraction(1, 100), max_value=50, max_denominator=1000))
def test_erlang_b_equals_the_closed_form_in_exact_fractions(servers: int, load: Fraction) -> None:
    assert queueing.erlang_b(servers, float(load)) == pytest.approx(float(exact_b(servers, load)), rel=1e-12, abs=0)


@given(st.integers(1, 60), st.fractions(min_value=Fraction(1, 100), max_value=Fraction(99, 100), max_denominator=1000))
def test_erlang_c_equals_the_closed_form_in_exact_fractions(servers: int, per_server: Fraction) -> None:
    load = per_server * servers
    assert queueing.erlang_c(servers, float(load)) == pytest.approx(float(exact_c(servers, load)), rel=1e-12, abs=0)


@given(loads, targets)
def test_servers_for_blocking_is_the_smallest_that_meets_the_target(load: float, target: float) -> None:
    servers = queueing.servers_for_blocking(load, target)
    assert queueing.erlang_b(servers, load) <= target < queueing.erlang_b(servers - 1, load)


@given(st.integers(1, 200), loads)
def test_waiting_is_at_least_as_likely_as_blocking(servers: int, load: float) -> None:
    assert 0 <= queueing.erlang_b(servers, load) <= queueing.erlang_c(servers, load) <= 1


def test_a_hundred_thousand_servers_do_not_overflow_or_underflow() -> None:
    assert 0 < queueing.erlang_b(100_000, 100_000) < 0.01


def test_without_load_nothing_blocks_or_waits() -> None:
    assert queueing.erlang_b(1, 0) == 0
    assert queueing.erlang_c(1, 0) == 0


@pytest.mark.parametrize("load", [-1.0, math.nan, math.inf])
def test_an_invalid_load_is_refused(load: float) -> None:
    for formula in (queueing.erlang_b, queueing.erlang_c):
        with pytest.raises(ValueError, match=f"^loads, rates and times must be finite and not negative, got {load}$"):
            formula(1, load)
    with pytest.raises(ValueError, match="finite and not negative"):
        queueing.servers_for_blocking(load, 0.01)
    for rate_per_s, service_time_s in ((load, 1), (1, load)):
        with pytest.raises(ValueError, match="finite and not negative"):
            queueing.offered_load_erlangs(rate_per_s, service_time_s)


def test_a_target_of_zero_is_refused_instead_of_searched_forever() -> None:
    for target in (0, math.nan):
        with pytest.raises(ValueError, match=rf"^target must be above 0, got {target}$"):
            queueing.servers_for_blocking(1, target)


def test_a_target_of_one_needs_no_server() -> None:
    assert queueing.servers_for_blocking(5, 1) == 0


def test_a_negative_number_of_servers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^servers must not be negative, got -1$"):
        queueing.erlang_b(-1, 1)


def chain(load: float, room: int) -> float:
    """Return L(b, a) by solving the Markov chain at departures as a system of linear equations."""
    arrivals = [math.exp(-load) * load**k / math.factorial(k) for k in range(room)]
    moves = np.zeros((room, room))
    for left in range(room):
        first = max(left - 1, 0)
        moves[left, first : room - 1] = arrivals[: room - 1 - first]
        moves[left, room - 1] = 1 - sum(arrivals[: room - 1 - first])
    system = np.vstack([moves.T - np.eye(room), np.ones(room)])
    never_left_behind = np.linalg.lstsq(system, np.append(np.zeros(room), 1.0), rcond=None)[0][0]
    return float(1 - 1 / (never_left_behind + load))


@given(st.floats(0.01, 5), st.integers(1, 60))
@example(1.05, 60)  # where more would have to come in one service time than ever does
def test_token_bucket_rejection_agrees_with_the_markov_chain(load: float, burst: int) -> None:
    assert queueing.token_bucket_rejection(3 * load, 3, burst) == pytest.approx(chain(load, burst), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("arrival_rate_per_s", "refill_rate_per_s", "burst"), [(69.4, 70, 7), (69.4, 90, 9), (6.94, 30, 3), (5, 10, 1)]
)
def test_token_bucket_rejection_agrees_with_a_simulated_bucket(
    arrival_rate_per_s: float, refill_rate_per_s: float, burst: int
) -> None:
    """Tokens arrive up to the burst; an arrival takes one or is rejected."""
    generator, tokens, refused, count = random.Random(burst), float(burst), 0, 300_000
    for _ in range(count):
        tokens = min(burst, tokens + refill_rate_per_s * generator.expovariate(arrival_rate_per_s))
        refused += tokens < 1
        tokens -= tokens >= 1
    predicted = queueing.token_bucket_rejection(arrival_rate_per_s, refill_rate_per_s, burst)
    assert refused / count == pytest.approx(predicted, abs=10 * math.sqrt(predicted / count))


@given(st.floats(0.001, 100))
def test_a_bucket_of_one_token_equals_one_server_without_queue(load: float) -> None:
    assert queueing.token_bucket_rejection(load, 1, 1) == pytest.approx(queueing.erlang_b(1, load))


@given(st.floats(0.01, 3), st.integers(1, 100))
def test_a_larger_bucket_never_rejects_more(load: float, burst: int) -> None:
    refused = [queueing.token_bucket_rejection(load, 1, size) for size in (burst, burst + 1)]
    assert 0 <= refused[1] <= refused[0] + 1e-15


@pytest.mark.parametrize(
    ("load", "burst", "refused"),
    [
        pytest.param(500, 10, 1 - 1 / 500, id="far more than is refilled"),
        pytest.param(37.5, 2, 1 - 1 / 37.5, id="where the chance of none is negligible"),
        pytest.param(5_000, 1, 1 - 1 / 5_001, id="far more, one token"),
        pytest.param(5_000, 2, 1 - 1 / 5_000, id="far more, two tokens"),
        pytest.param(2, 10_000, 0.5, id="what exceeds the refill, however large the bucket"),
        pytest.param(0.98, 100_000, 0, id="less than the refill, and a large bucket"),
        pytest.param(0, 3, 0, id="nothing"),
    ],
)
def test_extreme_loads_of_a_bucket(load: float, burst: int, refused: float) -> None:
    assert queueing.token_bucket_rejection(load, 1, burst) == pytest.approx(refused, rel=1e-12, abs=1e-14)


@pytest.mark.parametrize(("refill_rate_per_s", "burst"), [(0, 1), (1, 0), (1, -1)])
def test_a_bucket_without_burst_or_refill_is_refused(refill_rate_per_s: float, burst: int) -> None:
    message = f"^burst must be at least 1 and the refill rate above 0, got {burst} and {refill_rate_per_s}$"
    with pytest.raises(ValueError, match=message):
        queueing.token_bucket_rejection(1, refill_rate_per_s, burst)


@pytest.mark.parametrize("rate", [-1.0, math.nan, math.inf])
def test_invalid_rates_of_a_bucket_are_refused(rate: float) -> None:
    for arrival, refill in ((rate, 1), (1, rate)):
        with pytest.raises(ValueError, match="finite and not negative"):
            queueing.token_bucket_rejection(arrival, refill, 1)
