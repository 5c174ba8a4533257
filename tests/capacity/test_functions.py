"""One function of any stack is sized by how it is invoked."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import (
    UnsizableLoad,
    load,
    size,
    size_asynchronous,
    size_schedule,
    size_sqs,
    size_stream,
    size_synchronous,
)
from generator.capacity import queueing
from generator.capacity.functions import Model

RATES = st.floats(0.01, 200)
DURATIONS = st.floats(0.01, 2)


@given(RATES, DURATIONS, st.sampled_from((1e-4, 0.01)))
def test_single_requests_follow_erlang_b_and_the_request_rate(rate: float, duration: float, target: float) -> None:
    found = size_synchronous("F", rate_per_s=rate, duration_s=duration, throttle_probability=target)
    units = found.reserved_concurrency or 0
    assert found.predicted == queueing.erlang_b(units, rate * duration) <= target
    assert units >= rate / 10 * (1 - 1e-9)
    assert units == 1 or max(queueing.erlang_b(units - 1, rate * duration) / target, rate / 10 / (units - 1)) > 1 - 1e-9


def test_units_in_the_reason_are_written_like_those_in_the_table() -> None:
    found = size_synchronous("F", rate_per_s=2000, duration_s=1)
    assert f"; {found.reserved_concurrency:,} is the smallest reservation" in found.reason
    assert (found.reserved_concurrency or 0) > 1000


@pytest.mark.parametrize("size_one", [size_synchronous, size_asynchronous])
def test_bursts_need_more_units(size_one: Any) -> None:
    needs = [size_one("F", rate_per_s=10, duration_s=0.4, burst=burst) for burst in (1, 2, 5, 20)]
    assert [one.reserved_concurrency for one in needs] == sorted({one.reserved_concurrency for one in needs})
    assert all(one.predicted <= one.target and one.offered_load_erlangs == 4 for one in needs)
    assert needs[-1].model == Model.BURSTS


def test_the_spread_of_the_duration_matters_only_in_bursts() -> None:
    arguments: dict[str, Any] = {"rate_per_s": 10, "duration_s": 0.4}
    alone = {size_asynchronous("F", **arguments, p95_duration_s=p95_s).predicted for p95_s in (None, 0.5, 1.2)}
    assert len({round(predicted or 0, 9) for predicted in alone}) == 1
    bursts = {size_synchronous("F", **arguments, burst=5, p95_duration_s=p95_s).predicted for p95_s in (None, 0.5, 1.2)}
    assert len(bursts) == 3


@pytest.mark.parametrize("peak_factor", [1, 5, 20])
@pytest.mark.parametrize("shards", [1, 4])
def test_a_stream_is_sized_as_in_an_environment(peak_factor: int, shards: int) -> None:
    tables = {"traffic": {"webhooks_per_hour": 18_000, "peak_factor": peak_factor, "busiest_shard_share": 0.4}}
    environment = load({"name": "a", "region": "us-east-1", **tables, "stream": {"shards": shards, "batch_size": 50}})
    expected = size(environment)["CheckAlertsFunction"]
    found = size_stream(
        "F",
        records_per_s=5 * peak_factor,
        duration_s=0.25,
        shards=shards,
        batch_size=50,
        batching_window_s=1,
        busiest_shard_share=0.4,
    )
    assert found.reserved_concurrency == expected.reserved_concurrency
    assert found.inputs["parallelization_factor"] == expected.inputs["parallelization_factor"]
    assert found.predicted == pytest.approx(expected.predicted)
    assert found.offered_load_erlangs == pytest.approx(expected.offered_load_erlangs)


def test_a_stream_that_no_factor_carries_gets_a_remedy() -> None:
    with pytest.raises(UnsizableLoad, match="F: the busiest shard's lanes are 100 % busy with 10 of them") as error:
        size_stream("F", records_per_s=1000, duration_s=1, shards=1, batch_size=1)
    assert error.value.faults[0].remedy == "raise batch_size, shorten duration_s or add shards"


def test_a_queue_reserves_its_maximum_concurrency() -> None:
    derived = size_sqs("F", messages_per_s=6, duration_s=2.5)
    assert (derived.reserved_concurrency, derived.predicted) == (30, 0.5)
    assert size_sqs("F", messages_per_s=0.01, duration_s=0.1).reserved_concurrency == 2
    assert size_sqs("F", messages_per_s=60, duration_s=2.5, batch_size=10).reserved_concurrency == 30
    stated = size_sqs("F", messages_per_s=6, duration_s=2.5, maximum_concurrency=20)
    assert (stated.reserved_concurrency, stated.predicted) == (20, 0.75)
    with pytest.raises(UnsizableLoad, match="raise the maximum concurrency to 30"):
        size_sqs("F", messages_per_s=6, duration_s=2.5, maximum_concurrency=15)
    assert size_sqs("F", messages_per_s=200, duration_s=2.5).reserved_concurrency == 1000
    with pytest.raises(UnsizableLoad, match="F: 1,001 units are needed, and the largest maximum concurrency is 1,000"):
        size_sqs("F", messages_per_s=200.1, duration_s=2.5)


@pytest.mark.parametrize(("timeout_s", "units"), [(60, 2), (300, 2), (301, 3), (900, 4)])
def test_a_schedule_reserves_the_runs_that_can_overlap(timeout_s: float, units: int) -> None:
    assert size_schedule("F", interval_s=300, timeout_s=timeout_s).reserved_concurrency == units


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: size_synchronous("F", rate_per_s=0, duration_s=-1), "rate_per_s = 0, duration_s = -1"),
        (lambda: size_synchronous("F", rate_per_s=math.inf, duration_s=1), "rate_per_s = inf"),
        (lambda: size_asynchronous("F", rate_per_s=1, duration_s=1, wait_probability=1), "between 0 and 1, got 1"),
        (lambda: size_asynchronous("F", rate_per_s=1, duration_s=1, burst=0.5), "burst must be at least 1, got 0.5"),
        (lambda: size_asynchronous("F", rate_per_s=1, duration_s=1, p95_duration_s=1), "above duration_s and at most"),
        (lambda: size_stream("F", records_per_s=1, duration_s=1, shards=0, batch_size=1), "shards = 0"),
        (
            lambda: size_stream("F", records_per_s=1, duration_s=1, shards=2, batch_size=1, busiest_shard_share=1.5),
            "busiest_shard_share must be 0 to 1, got 1.5",
        ),
        (
            lambda: size_stream("F", records_per_s=1, duration_s=1, shards=2, batch_size=1, batching_window_s=-5),
            "batching_window_s must be 0 to 300, got -5",
        ),
        (lambda: size_sqs("F", messages_per_s=1, duration_s=1, utilisation=0), "between 0 and 1, got 0"),
        (
            lambda: size_sqs("F", messages_per_s=1, duration_s=0.1, maximum_concurrency=1),
            "maximum_concurrency must be 2 to 1000, got 1",
        ),
        (lambda: size_schedule("F", interval_s=math.nan, timeout_s=1), "interval_s = nan"),
    ],
)
def test_a_value_that_makes_no_sense_is_a_value_error(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
