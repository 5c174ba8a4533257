"""The sizing: golden rows, monotony, and each reservation as the smallest that meets its target."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator import _format
from generator.aws import MAX_PARALLELIZATION_FACTOR
from generator.capacity import queueing
from generator.capacity.sizing import (
    CHECK_ALERTS,
    CLEANUP_HISTORY,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    plan_rejection,
    size,
    tolerated_by_chance,
    units_for_plan,
    units_for_rate,
    usage_plan,
)
from generator.config.files import read
from generator.config.schema import Environment
from generator.errors import UnsizableLoad

rates = st.integers(100, 50_000)


def environment(webhooks_per_hour: int = 50_000, **sections: Mapping[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": webhooks_per_hour, **sections.pop("traffic", {})}
    return read({"name": "test", "region": "us-east-1", "traffic": traffic, **sections}, "test")


def figures(sized: Environment) -> list[int | None]:
    return [function.reserved_concurrency for function in size(sized).functions]


@pytest.mark.parametrize(
    ("webhooks_per_hour", "expected", "total"),
    [(50_000, [20, 10, 5, 2], 37), (5_000, [7, 5, 2, 2], 16), (100, [3, 5, 1, 2], 11)],
)
def test_golden_rows(webhooks_per_hour: int, expected: list[int], total: int) -> None:
    sizing = size(environment(webhooks_per_hour))
    assert [function.logical_id for function in sizing.functions] == [
        *("ProcessWebhookFunction", "CheckAlertsFunction", "SendNotificationFunction", "CleanupHistoryFunction")
    ]
    assert [function.reserved_concurrency for function in sizing.functions] == expected
    assert sizing.total_reserved == total


@given(rates, rates)
def test_no_reservation_falls_as_the_rate_rises(one: int, other: int) -> None:
    low, high = sorted((one, other))
    for smaller, larger in zip(figures(environment(low)), figures(environment(high)), strict=True):
        assert smaller is not None
        assert larger is not None
        assert smaller <= larger


@given(rates, st.floats(1, 20), st.floats(1, 3_000))
def test_process_webhook_is_the_smallest_that_meets_its_target(rate: int, peak: float, duration_ms: float) -> None:
    functions = {"process_webhook": {"mean_duration_ms": duration_ms, "p95_duration_ms": duration_ms * 2}}
    sized = environment(rate, traffic={"peak_factor": peak}, functions=functions)
    function = size(sized)[PROCESS_WEBHOOK]
    reserved, load = function.reserved_concurrency, sized.peak_rate_per_s * (duration_ms / 1000)
    assert reserved is not None
    assert function.predicted == queueing.erlang_b(reserved, load) <= sized.targets.webhook_throttle_probability
    assert reserved >= sized.peak_rate_per_s / 10 - 1e-9
    target = sized.targets.webhook_throttle_probability
    assert plan_rejection(sized, usage_plan(sized, reserved)) <= target
    one_less_blocks = queueing.erlang_b(reserved - 1, load) > target
    one_less_refuses = reserved == 1 or plan_rejection(sized, usage_plan(sized, reserved - 1)) > target
    assert one_less_blocks or reserved - 1 < sized.peak_rate_per_s / 10 or one_less_refuses


@pytest.mark.parametrize(
    ("webhooks_per_hour", "duration_ms", "for_lambda", "reserved"),
    [(50_000, 5, 7, 11), (50_000, 20, 8, 11), (50_000, 25, 9, 11), (50_000, 30, 10, 11), (5_000, 10, 3, 4)],
)
def test_a_fast_function_gets_enough_units_for_its_usage_plan_to_admit_a_poisson_peak(
    webhooks_per_hour: int, duration_ms: int, for_lambda: int, reserved: int
) -> None:
    """At 50,000/h and 10 ms, 7 units are enough for Lambda, but 70/s with bursts of 7 reject 7 % of 69.4/s."""
    functions = {"process_webhook": {"mean_duration_ms": duration_ms, "distribution": "constant"}}
    sizing = size(environment(webhooks_per_hour, functions=functions))
    function = sizing[PROCESS_WEBHOOK]
    assert (function.reserved_concurrency, sizing.usage_plan.burst) == (reserved, reserved)
    assert sizing.usage_plan.rate_per_s == 10 * reserved
    assert function.reason == (
        f"Lambda needs {for_lambda}, but the usage plan admits only what the reservation sustains; {reserved} is the "
        "smallest reservation whose plan rejects at most 0.01 % of webhooks at the peak"
    )


def test_with_default_durations_the_usage_plan_needs_no_extra_units_at_any_rate() -> None:
    for rate in range(100, 50_001, 50):
        sized = environment(rate)
        assert size(sized)[PROCESS_WEBHOOK].reserved_concurrency == max(
            queueing.servers_for_blocking(sized.peak_rate_per_s * 0.105, 1e-4), units_for_rate(sized.peak_rate_per_s)
        )


@given(rates, st.floats(1e-3, 2), st.floats(1, 3_000))
def test_send_notification_is_the_smallest_that_meets_its_target(rate: int, share: float, duration_ms: float) -> None:
    functions = {"send_notification": {"mean_duration_ms": duration_ms, "p95_duration_ms": duration_ms * 2}}
    sized = environment(rate, traffic={"alerts_per_webhook": share}, functions=functions)
    reserved = size(sized)[SEND_NOTIFICATION].reserved_concurrency
    load = sized.peak_rate_per_s * share * (duration_ms / 1000)
    assert reserved is not None
    assert queueing.erlang_c(reserved, load) <= 0.01 < queueing.erlang_c(reserved - 1, load)


@given(rates, st.floats(0.1, 1), st.integers(1, 50), st.integers(1, 100))
def test_check_alerts_has_the_fewest_lanes_that_meet_the_target(
    rate: int, share: float, shards: int, batch_size: int
) -> None:
    sized = environment(
        rate, traffic={"busiest_shard_share": share}, stream={"shards": shards, "batch_size": batch_size}
    )
    share = max(share, 1 / shards)
    busy_with_one_lane = sized.peak_rate_per_s * share * 0.25 / batch_size
    try:
        sizing = size(sized)
    except UnsizableLoad:
        assert busy_with_one_lane / MAX_PARALLELIZATION_FACTOR > 0.5
        return
    factor = sizing.parallelization_factor
    assert busy_with_one_lane / factor <= 0.5 + 1e-9
    assert factor == 1 or busy_with_one_lane / (factor - 1) > 0.5 - 1e-9
    assert sizing[CHECK_ALERTS].reserved_concurrency == (shards + 1) * factor


def test_a_short_function_needs_a_unit_for_every_ten_requests_per_second() -> None:
    """The target of 10 % is one that the usage plan meets with fewer units."""
    functions = {"process_webhook": {"mean_duration_ms": 5, "p95_duration_ms": 10}}
    function = size(environment(functions=functions, targets={"webhook_throttle_probability": 0.1}))[PROCESS_WEBHOOK]
    assert function.reserved_concurrency == math.ceil(50_000 / 3600 * 5 / 10)
    assert function.reason == ("the load needs 2, but Lambda admits 10 requests/s per unit and the peak is 69.4/s")


def test_if_load_and_rate_need_the_same_the_reason_is_the_load() -> None:
    functions = {"process_webhook": {"mean_duration_ms": 60, "p95_duration_ms": 150}}
    targets = {"webhook_throttle_probability": 0.1}
    sized = environment(functions=functions, targets=targets)
    function = size(sized)[PROCESS_WEBHOOK]
    assert function.reserved_concurrency == units_for_rate(sized.peak_rate_per_s) == 7
    assert function.reason == (
        "4.17 run at once on average at the peak; 7 is the smallest reservation that throttles at most 10 % of webhooks"
    )


def test_a_load_above_the_largest_parallelization_factor_is_refused_with_the_smallest_batch_size() -> None:
    with pytest.raises(UnsizableLoad) as refused:
        size(environment(stream={"batch_size": 1}))
    (fault,) = refused.value.faults
    assert "parallelization factor of 14; Lambda allows 10" in fault.what
    assert fault.remedy.startswith("raise stream.batch_size to 2, if batches take no longer then, or ")
    assert figures(environment(stream={"batch_size": 2}))[1] == 5 * 7


@pytest.mark.parametrize(
    ("webhooks_per_hour", "rate_per_s", "burst", "quota_per_day"),
    [(50_000, 190, 20, 6_000_000), (100, 28, 3, 12_000)],
)
def test_the_usage_plan_admits_what_the_reservation_sustains(
    webhooks_per_hour: int, rate_per_s: float, burst: int, quota_per_day: int
) -> None:
    plan = size(environment(webhooks_per_hour)).usage_plan
    assert (plan.rate_per_s, plan.burst, plan.quota_per_day) == (rate_per_s, burst, quota_per_day)


@given(rates, st.floats(1, 28_000))
def test_the_usage_plan_always_admits_the_peak(rate: int, duration_ms: float) -> None:
    functions = {"process_webhook": {"mean_duration_ms": duration_ms, "distribution": "constant"}}
    sized = environment(rate, functions=functions)
    plan = size(sized).usage_plan
    assert plan.rate_per_s > 0
    assert plan.rate_per_s >= math.floor(sized.peak_rate_per_s)
    assert plan.quota_per_day >= 24 * 3600 * sized.peak_rate_per_s - 1e-3


def sized_with(rate: int, peak_factor: int, share: int, target: int, batch_ms: int, batch_size: int) -> Environment:
    """Share and target are in percent. With 100 shards, an equal share is at most the given one."""
    return environment(
        rate,
        traffic={"peak_factor": peak_factor, "busiest_shard_share": share / 100},
        targets={"stream_utilisation": target / 100},
        stream={"shards": 100, "batch_size": batch_size},
        functions={"check_alerts": {"mean_duration_ms": batch_ms, "distribution": "constant"}},
    )


@given(
    *(rates, st.integers(1, 100), st.integers(1, 100), st.integers(5, 95)),
    *(st.integers(1, 59_000), st.integers(1, 1000)),
)
@example(36_000, 1, 50, 50, 200, 1)
@example(36_000, 1, 50, 50, 1000, 1)
@example(36_000, 1, 50, 50, 1001, 1)
@example(36_000, 3, 50, 70, 490, 3)
@example(36_000, 20, 100, 50, 25_000, 1)  # the largest batch size, exactly
@example(36_000, 100, 100, 5, 4, 1)  # not even in a millisecond
@example(315, 61, 46, 5, 204, 1)  # 5.3375 webhooks/s, which has no four digits of its own
def test_the_factor_and_the_suggested_batch_size_agree_with_exact_arithmetic(
    rate: int, peak_factor: int, share: int, target: int, batch_ms: int, batch_size: int
) -> None:
    sized = sized_with(rate, peak_factor, share, target, batch_ms, batch_size)
    busy_by_records = Fraction(rate * peak_factor * share * batch_ms, 3600 * 1000 * target)
    factor = max(1, math.ceil(busy_by_records / batch_size))
    if factor <= 10:
        assert size(sized).parallelization_factor == factor
        return
    with pytest.raises(UnsizableLoad) as refused:
        size(sized)
    smallest = math.ceil(busy_by_records / 10)
    longest_ms = math.floor(batch_ms * batch_size * 10 / busy_by_records)
    setting = "functions.check_alerts.mean_duration_ms"
    shorten = f"shorten batches ({setting}) to {longest_ms:,} ms" if longest_ms else "lower the rate"
    remedy = f"raise stream.batch_size to {smallest:,}, if batches take no longer then, or {shorten}"
    if smallest > 1000:
        remedy = f"{shorten}; no stream.batch_size up to 1,000 is enough"
    assert str(refused.value) == (
        f"test: CheckAlertsFunction: the busiest shard gets {share} % of {_format.rate(sized.peak_rate_per_s)} and "
        f"needs a parallelization factor of {factor:,}; Lambda allows 10; {remedy}"
    )


@given(rates, st.integers(1, 100), st.integers(1, 28_999), st.integers(1, 300))
@example(3600, 1, 1000, 1)
@example(3600, 1, 1001, 1)
@example(3600, 1, 7000, 3)
@example(3600, 1, 230, 23)
@example(34_971, 5, 105, 20)
def test_the_usage_plan_agrees_with_exact_arithmetic(rate: int, peak_factor: int, duration_ms: int, units: int) -> None:
    functions = {"process_webhook": {"mean_duration_ms": duration_ms, "distribution": "constant"}}
    plan = usage_plan(environment(rate, traffic={"peak_factor": peak_factor}, functions=functions), units)
    sustained_per_s = min(Fraction(10 * units), Fraction(1000 * units, duration_ms))
    if sustained_per_s >= 1:
        assert (plan.rate_per_s, type(plan.rate_per_s)) == (math.floor(sustained_per_s), int)
    else:
        assert plan.rate_per_s == pytest.approx(float(sustained_per_s), abs=0.0005)
        assert plan.rate_per_s == round(plan.rate_per_s, 3)
    assert plan.burst == units
    assert plan.quota_per_day == max(24 * rate * peak_factor, math.ceil(24 * rate + 6 * math.sqrt(24 * rate)))


@given(st.integers(1, 5_000_000))
@example(100_000)
def test_the_units_for_a_rate_agree_with_exact_arithmetic(webhooks_per_hour: int) -> None:
    assert units_for_rate(webhooks_per_hour / 3600) == math.ceil(Fraction(webhooks_per_hour, 36_000))


def test_batches_that_take_longer_than_the_batching_window_are_reported() -> None:
    functions = {"check_alerts": {"mean_duration_ms": 1000, "distribution": "constant"}}
    reason = size(environment(5_000, functions=functions))[CHECK_ALERTS].reason
    assert reason.endswith("raise stream.batching_window_s above 1")
    assert (
        "raise"
        not in size(environment(5_000, functions=functions, stream={"batching_window_s": 2}))[CHECK_ALERTS].reason
    )


@pytest.mark.parametrize("rate", [100, 590, 5_000, 20_000, 50_000])
def test_throttles_within_the_target_seldom_raise_the_alarm(rate: int) -> None:
    """Throttles in five minutes at the peak, if each webhook is throttled as often as the target allows."""
    sized = environment(rate)
    tolerated, mean = size(sized).tolerated_throttles, 300 * sized.peak_rate_per_s * 1e-4
    beyond = 1 - sum(math.exp(-mean) * mean**k / math.factorial(k) for k in range(tolerated + 1))
    assert beyond < 0.01
    assert tolerated <= mean + 3 * math.sqrt(mean) + 1


def test_a_count_may_exceed_its_mean_by_three_deviations() -> None:
    assert tolerated_by_chance(300) == math.ceil(300 + 3 * math.sqrt(300)) == 352


def test_a_plan_that_just_meets_the_target_gets_no_more_units() -> None:
    sized = environment()
    refused = plan_rejection(sized, usage_plan(sized, 15))
    assert units_for_plan(environment(targets={"webhook_throttle_probability": refused}), 15) == 15


PEAK_PER_S = 50_000 / 3600 * 5

DERIVATION = {
    PROCESS_WEBHOOK: (
        *("Erlang B", 0.0001, {"arrival_rate_per_s": PEAK_PER_S, "mean_duration_s": 0.105}),
        "7.29 run at once on average at the peak; 20 is the smallest reservation that throttles at most 0.01 % of "
        "webhooks",
    ),
    CHECK_ALERTS: (
        *("stream lanes", 0.5),
        {
            "arrival_rate_per_s": PEAK_PER_S / 10,
            "mean_duration_s": 0.25,
            "busiest_shard_batches_per_s": PEAK_PER_S * 0.4 / 10,
            "batch_size": 10,
            "shards": 4,
            "parallelization_factor": 2,
        },
        "4 shards plus one during a shard split, 2 lanes each; the busiest shard's lanes are 35 % busy",
    ),
    SEND_NOTIFICATION: (
        *("Erlang C", 0.01, {"arrival_rate_per_s": PEAK_PER_S * 0.05, "mean_duration_s": 0.3}),
        "1.04 run at once on average at the peak; 5 is the smallest reservation with which at most 1 % of "
        "notifications wait",
    ),
    CLEANUP_HISTORY: (
        *("overlap", None, {"arrival_rate_per_s": 1 / 3600, "mean_duration_s": 2}),
        "one run an hour, plus one for a duplicate or late delivery",
    ),
}


def test_every_reservation_has_the_documented_derivation() -> None:
    sizing = size(environment())
    assert sizing.webhooks_per_hour == 50_000
    for logical_id, (model, target, inputs, reason) in DERIVATION.items():
        function = sizing[logical_id]
        assert (function.logical_id, function.model, function.target) == (logical_id, model, target)
        assert function.inputs == pytest.approx(inputs)
        rate_per_s, duration_s = inputs["arrival_rate_per_s"], inputs["mean_duration_s"]
        assert function.offered_load_erlangs == pytest.approx(rate_per_s * duration_s)
        assert function.reason == reason
    predicted = [function.predicted for function in sizing.functions]
    assert predicted == [
        queueing.erlang_b(20, PEAK_PER_S * 0.105),
        *(pytest.approx(x) for x in (25 / 72, 0.0045544540)),
        None,
    ]
    one_lane = size(environment(5_000))[CHECK_ALERTS].reason
    assert "1 lane each; the busiest shard's lanes are 6.9 % busy" in one_lane


def test_every_reservation_has_a_reason() -> None:
    for function in size(environment()).functions:
        assert function.reason
        assert {"arrival_rate_per_s", "mean_duration_s"} <= function.inputs.keys()
        assert function.model
    assert "20 is the smallest reservation that throttles at most 0.01 %" in size(environment())[PROCESS_WEBHOOK].reason


def test_without_alerts_one_notification_at_a_time_is_enough() -> None:
    assert figures(environment(traffic={"alerts_per_webhook": 0}))[2] == 1


def test_a_sizing_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        size(environment()).functions[0].reserved_concurrency = 0  # type: ignore[misc]
