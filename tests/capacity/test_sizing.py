"""The sizing: golden rows, monotony, and each reservation as the smallest that meets its target."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator.aws import MAX_PARALLELIZATION_FACTOR
from generator.capacity import arrivals, lanes, queueing
from generator.capacity.quota import Plan, judge
from generator.capacity.refusal import refusal
from generator.capacity.sizing import (
    CHECK_ALERTS,
    CLEANUP_HISTORY,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    cautions,
    of_functions,
    size,
    tolerated_by_chance,
    webhook_loss,
)
from generator.capacity.usage_plan import plan_rejection, units_for_plan, units_for_rate, usage_plan
from generator.config.fields import declarations
from generator.config.files import read
from generator.config.schema import AccountSettings, Environment, FunctionSettings, StreamSettings, Targets, Traffic
from generator.errors import GeneratorError, InvalidEnvironment, UnsizableLoad

rates = st.integers(100, 50_000)


def environment(webhooks_per_hour: int = 50_000, **sections: Mapping[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": webhooks_per_hour, **sections.pop("traffic", {})}
    return read({"name": "test", "region": "us-east-1", "traffic": traffic, **sections}, "test")


def figures(sized: Environment) -> list[int | None]:
    return [function.reserved_concurrency for function in size(sized).functions]


def test_the_usage_plan_follows_process_webhook_in_any_order() -> None:
    sizing = size(environment())
    assert of_functions(environment(), sizing.functions[::-1]).usage_plan == sizing.usage_plan


@pytest.mark.parametrize(
    ("webhooks_per_hour", "expected", "total"),
    [
        *[(100, [3, 5, 1, 2], 11), (500, [3, 5, 2, 2], 12), (1_000, [4, 5, 2, 2], 13), (2_500, [5, 5, 2, 2], 14)],
        *[(5_000, [7, 5, 3, 2], 17), (10_000, [9, 5, 3, 2], 19), (25_000, [13, 5, 4, 2], 24)],
        *[(38_500, [17, 10, 5, 2], 34), (50_000, [20, 10, 5, 2], 37)],
    ],
)
def test_known_rates_have_their_reservations(webhooks_per_hour: int, expected: list[int], total: int) -> None:
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
    reserved, load = function.reserved_concurrency, sized.peak_rate_per_s * arrivals.webhook_duration_s(sized)
    assert duration_ms / 1000 <= arrivals.webhook_duration_s(sized) <= duration_ms / 1000 + 0.6
    assert reserved is not None
    target = sized.targets.webhook_throttle_probability
    assert function.predicted == webhook_loss(sized, reserved)
    assert queueing.erlang_b(reserved, load) <= webhook_loss(sized, reserved) <= target
    assert reserved >= sized.peak_rate_per_s / 10 - 1e-9
    assert plan_rejection(sized, usage_plan(sized, reserved)) <= target
    one_less_blocks = webhook_loss(sized, reserved - 1) > target
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
        for_load = queueing.servers_for_blocking(sized.peak_rate_per_s * arrivals.webhook_duration_s(sized), 1e-4)
        assert units_for_plan(sized, for_load) == max(for_load, units_for_rate(sized.peak_rate_per_s))


@settings(max_examples=20)
@given(rates, st.floats(1e-3, 2), st.floats(1, 3_000))
def test_send_notification_is_the_smallest_that_meets_its_target(rate: int, share: float, duration_ms: float) -> None:
    functions = {"send_notification": {"mean_duration_ms": duration_ms, "p95_duration_ms": duration_ms * 2}}
    sized = environment(rate, traffic={"alerts_per_webhook": share}, functions=functions)
    sizing = size(sized)
    function, reserved = sizing[SEND_NOTIFICATION], sizing[SEND_NOTIFICATION].reserved_concurrency
    assert reserved is not None
    assert function.predicted is not None
    assert function.predicted <= 0.01
    if sizing.parallelization_factor == 1:
        found = arrivals.alert_clusters(sized, 1)
        assert reserved == 1 or found.lateness(reserved - 1) > 0.01


@settings(max_examples=30)
@given(rates, st.floats(0.1, 1), st.integers(1, 50), st.integers(1, 100))
def test_check_alerts_has_the_fewest_lanes_that_meet_the_target(
    rate: int, share: float, shards: int, batch_size: int
) -> None:
    sized = environment(
        rate, traffic={"busiest_shard_share": share}, stream={"shards": shards, "batch_size": batch_size}
    )
    try:
        sizing = size(sized)
    except UnsizableLoad:
        assert lanes.utilisation(lanes.Stream.of(sized), MAX_PARALLELIZATION_FACTOR) > 0.5
        return
    factor = sizing.parallelization_factor
    assert lanes.utilisation(lanes.Stream.of(sized), factor) <= 0.5 + 1e-9
    assert factor == 1 or lanes.utilisation(lanes.Stream.of(sized), factor - 1) > 0.5 - 1e-9
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
        "4.18 executions run at once on average at the peak; 7 is the smallest reservation that throttles at most 10 % "
        "of webhooks"
    )


def test_a_load_above_the_largest_parallelization_factor_is_refused_with_the_smallest_batch_size() -> None:
    with pytest.raises(UnsizableLoad) as refused:
        size(environment(stream={"batch_size": 1}))
    (fault,) = refused.value.faults
    assert "with the largest parallelization factor that Lambda allows, 10, its lanes are 69 % busy" in fault.what
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


@settings(max_examples=30)
@given(
    *(rates, st.integers(1, 100), st.integers(1, 100), st.integers(5, 95)),
    *(st.integers(1, 59_000), st.integers(1, 1000)),
)
@example(36_000, 20, 100, 50, 25_000, 1)
@example(36_000, 100, 100, 5, 4, 1)
def test_a_refused_stream_names_the_smallest_changes(
    rate: int, peak_factor: int, share: int, target: int, batch_ms: int, batch_size: int
) -> None:
    sized = sized_with(rate, peak_factor, share, target, batch_ms, batch_size)
    try:
        size(sized)
    except UnsizableLoad as refused:
        (fault,) = refused.faults
    else:
        return
    for pattern, setting in ((r"batch_size to ([\d,]+)", "batch_size"), (r"to ([\d,]+) ms", "mean_duration_ms")):
        if named := re.search(pattern, fault.remedy):
            value = int(named[1].replace(",", ""))
            one_worse = value - 1 if setting == "batch_size" else value + 1
            for changed, is_enough in ((value, True), (one_worse, False)):
                size_, ms = (changed, batch_ms) if setting == "batch_size" else (batch_size, changed)
                mended = sized_with(rate, peak_factor, share, target, ms, size_)
                assert (lanes.utilisation(lanes.Stream.of(mended), 10) <= target / 100 + 1e-12) == is_enough


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


@pytest.mark.parametrize(("name", "units"), [("process_webhook", 4), ("check_alerts", 10), ("send_notification", 2)])
def test_a_stated_reservation_replaces_the_derived_one_and_shows_its_effect(name: str, units: int) -> None:
    stated, derived = (
        size(environment(5_000, functions={name: {"reserved_concurrency": units}})),
        size(environment(5_000)),
    )
    # Other lanes have other batches, which changes the bursts of alerts: so the first change is the stated one.
    changed = next(new for new, old in zip(stated.functions, derived.functions, strict=True) if new != old)
    old = derived[changed.logical_id].reserved_concurrency
    assert (changed.reserved_concurrency, changed.inputs["wanted_concurrency"]) == (units, old)
    start = f"{units} as functions.{name}.reserved_concurrency states; derived: {old}; at the peak "
    assert changed.reason.startswith(start)
    assert changed.predicted != derived[changed.logical_id].predicted
    assert stated.usage_plan.burst == stated[PROCESS_WEBHOOK].reserved_concurrency
    assert stated.parallelization_factor == (stated[CHECK_ALERTS].reserved_concurrency or 0) // 5


@pytest.mark.parametrize(
    ("webhooks_per_hour", "size_of_bursts", "units", "simulated"),
    [(50_000, 5, 4, 0.71), (300, 3, 1, 0.672), (100, 1000, 9, 0.99), (5_000, 4, 12, 0.0493), (5_000, 2, 4, 0.1395)],
)
def test_a_usage_plan_that_is_smaller_than_many_bursts_throttles_what_a_simulation_finds(
    webhooks_per_hour: int, size_of_bursts: int, units: int, simulated: float
) -> None:
    """Simulated without retries for three times half an hour, or 10 hours below 1,000 webhooks per hour."""
    functions = {"process_webhook": {"reserved_concurrency": units}}
    traffic = {"webhooks_per_burst": size_of_bursts}
    function = size(environment(webhooks_per_hour, traffic=traffic, functions=functions))[PROCESS_WEBHOOK]
    assert function.predicted == pytest.approx(simulated, rel=0.07)


def test_a_prediction_that_leaves_losses_out_has_a_caution() -> None:
    assert cautions(environment(100)) == cautions(environment()) == []
    slow = environment(300, functions={"process_webhook": {"mean_duration_ms": 4000, "distribution": "exponential"}})
    (late,) = cautions(slow)  # exp(-29 / 4)
    assert late.startswith("0.071 % of ProcessWebhookFunction's runs take longer than the 29 s for which")
    slow_start = {"process_webhook": {"cold_start_ms": 3000}}
    cold = environment(5_000, functions=slow_start, simulation={"environment_idle_timeout_s": 1})
    (often_cold,) = cautions(cold)
    assert often_cold.startswith("19 % of ProcessWebhookFunction's runs start cold")


def test_other_lanes_have_other_batches() -> None:
    function = size(environment(functions={"check_alerts": {"reserved_concurrency": 5}}))[CHECK_ALERTS]
    # Simulated: 6.97 batches/s, of which 1.75 run at once. Two lanes of a shard have 7.89/s and 1.97.
    assert function.inputs["arrival_rate_per_s"] == pytest.approx(6.97, rel=0.01)
    assert function.offered_load_erlangs == pytest.approx(1.75, rel=0.01)


def bounds(kind: type, *left_out: str) -> st.SearchStrategy[dict[str, object]]:
    """Return some settings of a section, each at its lowest or highest value."""
    limits = {name: setting["schema"] for name, setting in declarations(kind).items() if name not in left_out}
    numbers = {name: limit for name, limit in limits.items() if "minimum" in limit}
    choices = {name: limit["enum"] for name, limit in limits.items() if "enum" in limit}
    ends = {name: st.sampled_from((limit["minimum"], limit["maximum"])) for name, limit in numbers.items()}
    return st.fixed_dictionaries(
        {}, optional={**ends, **{name: st.sampled_from(all_) for name, all_ in choices.items()}}
    )


def function_bounds(longest_ms: int, timeout_s: int) -> st.SearchStrategy[dict[str, object]]:
    durations = st.sampled_from(({}, {"mean_duration_ms": 1}, {"mean_duration_ms": longest_ms}))
    others = bounds(FunctionSettings, "mean_duration_ms", "p95_duration_ms", "timeout_s")
    return st.tuples(others, durations).map(lambda both: {"timeout_s": timeout_s, **both[0], **both[1]})


SECTIONS = st.fixed_dictionaries(
    {
        # Many alerts of large bursts take minutes to size.
        "traffic": bounds(Traffic, "webhooks_per_hour", "alerts_per_webhook", "alerts_per_crossing"),
        "targets": bounds(Targets),
        "account": bounds(AccountSettings, "name"),
        "stream": bounds(StreamSettings),
        "functions": st.fixed_dictionaries(
            {
                "process_webhook": function_bounds(28_999, 900),
                "check_alerts": function_bounds(899_999, 900),
                "send_notification": function_bounds(43_999, 44),
                "cleanup_history": function_bounds(899_999, 900),
            }
        ),
    }
)


@pytest.mark.slow
@given(st.sampled_from((100, 5_000)), SECTIONS)
def test_no_valid_settings_end_in_a_traceback(
    webhooks_per_hour: int, sections: dict[str, Mapping[str, object]]
) -> None:
    made = environment(webhooks_per_hour, **sections)
    try:
        sizing = size(made)
        (verdict,) = judge([Plan(made, sizing)])
        assert verdict.fits or refusal(verdict)
    except GeneratorError:
        return
    assert all(function.predicted is None or 0 <= function.predicted <= 1 for function in sizing.functions)


def test_a_stated_reservation_below_a_tenth_of_the_peak_rate_shows_what_the_usage_plan_refuses() -> None:
    fast: dict[str, object] = {"mean_duration_ms": 5, "p95_duration_ms": 10, "reserved_concurrency": 5}
    function = size(environment(functions={"process_webhook": fast}))[PROCESS_WEBHOOK]
    assert 1 - 50 / PEAK_PER_S <= (function.predicted or 0) < 0.3
    assert "29 % of webhooks are throttled, 29 % by the usage plan" in function.reason


def test_a_stated_reservation_of_0_is_refused() -> None:
    with pytest.raises(InvalidEnvironment, match="raise it to 1: without concurrency the function never runs"):
        environment(functions={"send_notification": {"reserved_concurrency": 0}})


@pytest.mark.parametrize(("burst", "units"), [(1, 20), (1.2, 22), (1.5, 26), (2, 32), (5, 64)])
def test_bursty_senders_need_more_units(burst: float, units: int) -> None:
    assert figures(environment(traffic={"webhooks_per_burst": burst}))[0] == units


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

COLD_SHARE = 0.00029030547

DERIVATION = {
    PROCESS_WEBHOOK: (
        *("Erlang B", 0.0001),
        {
            "arrival_rate_per_s": PEAK_PER_S,
            "mean_duration_s": 0.105 + COLD_SHARE * 0.6,
            "cold_start_share": COLD_SHARE,
        },
        "7.3 executions run at once on average at the peak; 20 is the smallest reservation that throttles at most "
        "0.01 % of webhooks",
    ),
    CHECK_ALERTS: (
        *("stream lanes", 0.5),
        {
            "arrival_rate_per_s": 7.886369471,
            "mean_duration_s": 0.25,
            "busiest_shard_batches_per_s": 2.790903893,
            "busiest_shard_records_per_batch": 9.952968228,
            "batch_size": 10,
            "shards": 4,
            "parallelization_factor": 2,
        },
        "4 shards plus one during a shard split, 2 lanes each; the busiest shard's lanes are 35 % busy with batches of "
        "9.95 on average",
    ),
    SEND_NOTIFICATION: (
        *("alert bursts", 0.01),
        {"arrival_rate_per_s": PEAK_PER_S * 0.05, "mean_duration_s": 0.3, "parallelization_factor": 2},
        "1.04 executions run at once on average at the peak, and alerts leave in bursts of up to one batch; 5 is the "
        "smallest reservation with which at most 1 % of notifications start a second or more late",
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
    assert predicted == [*(pytest.approx(value, rel=1e-3) for value in (5.163e-5, 0.34886, 0.009485)), None]


def test_every_reservation_has_a_reason() -> None:
    for function in size(environment()).functions:
        assert function.reason
        assert {"arrival_rate_per_s", "mean_duration_s"} <= function.inputs.keys()
        assert function.model
    assert "20 is the smallest reservation that throttles at most 0.01 %" in size(environment())[PROCESS_WEBHOOK].reason


def test_without_alerts_one_notification_at_a_time_is_enough() -> None:
    assert figures(environment(traffic={"alerts_per_webhook": 0}))[2] == 1


def test_a_sizing_is_immutable() -> None:
    with pytest.raises(AttributeError):
        size(environment()).functions[0].reserved_concurrency = 0  # type: ignore[misc]
