"""A remedy can be carried out: it names settings and their values, and a simulation of the result meets the target."""

from __future__ import annotations

import json
import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from generator import _runtime, plans
from generator.capacity.burst_fit import fit
from generator.capacity.quota import Plan
from generator.capacity.sizing import SETTINGS, size
from generator.config.files import read
from generator.config.schema import Environment
from generator.report.simulation_remedies import remedies
from generator.simulation import Topology, read_topology, simulate
from generator.simulation.targets import Bottleneck, Cause
from generator.simulation.trace import read_trace
from generator.simulation.workload import Recorded

Run = Callable[..., Result]

pytestmark = pytest.mark.usefixtures("project")


def environment(webhooks_per_hour: int = 50_000, **sections: Mapping[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": webhooks_per_hour, **sections.pop("traffic", {})}
    return read({"name": "prod", "region": "us-east-1", "traffic": traffic, **sections}, "prod")


def template_of(made: Environment) -> Any:
    return json.loads(plans.render(Plan(made, size(made))))


@cache
def topology() -> Topology:
    return read_topology(template_of(environment()))


TARGETS = {
    "ProcessWebhookFunction": "webhook_throttle_probability",
    "CheckAlertsFunction": "stream_utilisation",
    "SendNotificationFunction": "notification_wait_probability",
}


def result(
    peak_per_s: float,
    *missed: tuple[str, int, Cause],
    reserved: Mapping[str, int] = MappingProxyType({}),
    factor: int = 2,
    measured: float = 0.6,
    throttle: tuple[float, int] | None = None,
    timeout_s: float | None = None,
) -> Any:
    """Return the result of a simulation of the prod template that missed targets, each because of a function's limit.

    All other functions have the reservations of the template or of `reserved`, API Gateway has the limits `throttle`,
    and all functions have the timeout `timeout_s`.
    """
    limits = defaultdict[str, list[Bottleneck]](list)
    for name, _, cause in missed:
        limits[name].append(Bottleneck("limit", cause, name, factor if cause is Cause.LANES else 0))
    targets = [
        SimpleNamespace(name=name, target=0.5 if name == "stream_utilisation" else 1e-4, limits=limits[function])
        for function, name in TARGETS.items()
    ]
    for target in targets:
        target.measured = SimpleNamespace(mean=measured)
    units = {**reserved, **{name: units for name, units, _ in missed}}
    functions = {
        name: replace(
            one,
            reserved_concurrency=units.get(name, one.reserved_concurrency),
            timeout_s=timeout_s or one.timeout_s,
        )
        for name, one in topology().functions.items()
    }
    mappings = tuple(replace(one, parallelization_factor=factor) for one in topology().mappings)
    throttles = topology().throttles
    if throttle:
        throttles = tuple(replace(one, rate_per_s=throttle[0], burst=throttle[1]) for one in throttles)
    changed = replace(topology(), functions=functions, mappings=mappings, throttles=throttles)
    return SimpleNamespace(targets=targets, topology=changed, peak_per_s=peak_per_s, recorded=None)


PEAK_PER_S = 50_000 / 3600 * 5
WEBHOOKS, NOTIFICATIONS, ALERTS = "ProcessWebhookFunction", "SendNotificationFunction", "CheckAlertsFunction"
GENERATED = "generator template prod does that"
LINE_OF = "write in environments/prod.toml, under [functions.{}]: reserved_concurrency = {}"


def test_a_template_that_is_out_of_date_needs_no_setting() -> None:
    assert [*remedies(environment(), result(PEAK_PER_S, (WEBHOOKS, 8, Cause.UNITS)))] == [
        f"ProcessWebhookFunction: reserve 20 instead of 8 (0.0052 % predicted at 69.4/s); {GENERATED}",
        "run: generator template prod; it reserves 20 + 10 + 5 + 2 = 37",
    ]


def test_reservations_that_the_account_does_not_hold_need_a_larger_one_first() -> None:
    small = environment(account={"concurrency_limit": 130, "on_shortfall": "fit"})
    _, account, command = remedies(small, result(PEAK_PER_S, (WEBHOOKS, 13, Cause.UNITS)))
    assert account.startswith("the account can reserve only 30: request a limit of 137 or more")
    assert command == "run: generator template prod; it reserves 20 + 10 + 5 + 2 = 37"


def test_a_setting_that_was_only_simulated_is_one_to_write() -> None:
    simulated = environment(5_000, traffic={"alerts_per_crossing": 5})
    missed = result(5_000 / 3600 * 5, (NOTIFICATIONS, 3, Cause.UNITS))
    overrides = {"traffic.alerts_per_crossing": "5", "traffic.webhooks_per_hour": "5000"}
    assert [*remedies(simulated, missed, overrides=overrides)] == [
        f"SendNotificationFunction: reserve 22 instead of 3 (0.82 % predicted at 6.94/s); {GENERATED}",
        "write in environments/prod.toml, under [traffic]: alerts_per_crossing = 5",
        "write in environments/prod.toml line 6: webhooks_per_hour = 5000",
        "run: generator template prod; it reserves 7 + 5 + 22 + 2 = 36",
    ]


def test_a_spike_needs_what_its_highest_rate_needs_and_remedies_count_together() -> None:
    limits = (WEBHOOKS, 20, Cause.FOLLOWING_PLAN), (NOTIFICATIONS, 5, Cause.UNITS)
    missed = result(2 * PEAK_PER_S, *limits, measured=0.04)
    places = [LINE_OF.format("process_webhook", 31), LINE_OF.format("send_notification", 8)]
    assert [*remedies(environment(), missed)] == [
        f"ProcessWebhookFunction: reserve 31 instead of 20 (0.0069 % predicted at 139/s); {places[0]}",
        f"SendNotificationFunction: reserve 8 instead of 5 (0.35 % predicted at 139/s); {places[1]}",
        "run: generator template prod; it reserves 31 + 10 + 8 + 2 = 51",
    ]


@pytest.mark.parametrize(
    ("function", "simulated", "cause", "expected", "change"),
    [
        (NOTIFICATIONS, 5, Cause.UNITS, 6, "reserve 6 instead of 5"),
        (ALERTS, 10, Cause.LANES, 15, "3 lanes per shard instead of 2, so reserve 15 instead of 10"),
    ],
)
def test_the_remedy_is_one_more_if_the_model_finds_the_reservation_enough(
    function: str, simulated: int, cause: Cause, expected: int, change: str
) -> None:
    remedy, command = remedies(environment(), result(PEAK_PER_S, (function, simulated, cause)))
    kind = SETTINGS[function]
    assert remedy.startswith(f"{function}: {change} (")
    assert "at 69.4/s; the simulation finds more than this prediction, so simulate again); " in remedy
    assert remedy.endswith(LINE_OF.format(kind, expected))
    mended = size(environment(functions={kind: {"reserved_concurrency": expected}}))
    assert command.endswith(mended.sum_as_text)


def test_lanes_that_are_busier_than_predicted_need_as_many_more() -> None:
    """35 % are predicted for 2 lanes. If the simulation finds 90 %, it finds 50 % for the 19 % of 6 lanes."""
    few, many = (
        next(remedies(environment(), result(PEAK_PER_S, (ALERTS, 10, Cause.LANES), measured=measured)))
        for measured in (0.55, 0.9)
    )
    assert "3 lanes per shard instead of 2, so reserve 15 instead of 10 (" in few
    assert "6 lanes per shard instead of 2, so reserve 30 instead of 10 (" in many


def test_more_lanes_than_lambda_allows_are_never_proposed() -> None:
    """The model finds 10 lanes enough for batches of 2,631 ms, and the simulation does not."""
    slow = environment(5_000, functions={"check_alerts": {"mean_duration_ms": 2631}})
    missed = result(5_000 / 3600 * 5, (ALERTS, 50, Cause.LANES), factor=10, measured=0.62)
    expected = (
        "CheckAlertsFunction: a ParallelizationFactor of 10, Lambda's maximum, is not enough at 6.94/s; shorten "
        "batches (functions.check_alerts.mean_duration_ms) to 2,021 ms; no {} up to 1,000 is enough. When they are "
        "that short, write in environments/prod.toml, under [functions.check_alerts]: mean_duration_ms = 2021"
    )
    assert [*remedies(slow, missed, template="stack.yaml")] == [expected.format("BatchSize in stack.yaml")]
    assert [*remedies(slow, missed)] == [
        expected.format("stream.batch_size"),
        "CheckAlertsFunction: reserve 50 (40 % predicted at 6.94/s; the simulation finds more than this prediction, so "
        f"simulate again); {LINE_OF.format('check_alerts', 50)}",
        "run: generator template prod; it reserves 7 + 50 + 2 + 2 = 61",
    ]


@pytest.mark.parametrize("duration_ms", [3_000, 3_601, 9_000, 40_000])
def test_the_shorter_batches_that_are_proposed_can_be_sized(duration_ms: int) -> None:
    slow = environment(5_000, functions={"check_alerts": {"mean_duration_ms": duration_ms, "timeout_s": 300}})
    remedy, *_ = remedies(slow, result(5_000 / 3600 * 5, (ALERTS, 50, Cause.LANES), factor=10, measured=0.501))
    shorter_ms = int(remedy.rpartition(" = ")[2])
    mended = environment(5_000, functions={"check_alerts": {"mean_duration_ms": shorter_ms, "timeout_s": 300}})
    assert size(mended).parallelization_factor == 10


def test_a_load_that_no_lanes_carry_hides_no_other_remedy() -> None:
    missed = result(10_000, (ALERTS, 10, Cause.LANES), (NOTIFICATIONS, 1, Cause.UNITS), measured=1.0)
    batches, lanes, notifications, command = remedies(environment(), missed)
    assert batches.startswith(
        "CheckAlertsFunction: a ParallelizationFactor of 10, Lambda's maximum, is not enough at 10,000/s; raise "
        "stream.batch_size to 200, if batches take no longer then, or shorten batches"
    )
    assert lanes.startswith("CheckAlertsFunction: 10 lanes per shard instead of 2, so reserve 50 instead of 10 (")
    assert notifications.startswith("SendNotificationFunction: reserve ")
    assert command.startswith("run: generator template prod; it reserves 20 + 50 + ")


def test_a_template_without_a_stream_needs_no_shorter_batches() -> None:
    missed = result(10_000, (WEBHOOKS, 8, Cause.UNITS))
    missed.topology = replace(missed.topology, mappings=())
    remedy, *_ = remedies(environment(), missed, template="stack.yaml")
    assert remedy.startswith("ProcessWebhookFunction: in stack.yaml, ReservedConcurrentExecutions of ")


def test_a_load_that_no_batches_carry_is_named_once() -> None:
    (remedy,) = remedies(environment(), result(1e7, (ALERTS, 10, Cause.LANES), measured=1.0))
    assert remedy.startswith("prod: CheckAlertsFunction: the busiest shard gets 40 % of 10,000,000/s; ")


def test_another_template_is_changed_itself() -> None:
    missed = result(PEAK_PER_S, (WEBHOOKS, 8, Cause.UNITS), (ALERTS, 5, Cause.LANES), factor=1, measured=0.69)
    assert [*remedies(environment(), missed, template="stack.yaml")] == [
        "ProcessWebhookFunction: in stack.yaml, ReservedConcurrentExecutions of 20 instead of 8 (0.0052 % predicted at "
        "69.4/s)",
        "CheckAlertsFunction: in stack.yaml, a ParallelizationFactor of 2 instead of 1 and "
        "ReservedConcurrentExecutions of 10 instead of 5 (35 % predicted at 69.4/s)",
    ]
    stopped = result(PEAK_PER_S, (WEBHOOKS, 0, Cause.UNITS))
    assert "ReservedConcurrentExecutions of 20 instead of 0" in next(remedies(environment(), stopped, template="x"))
    wide = result(PEAK_PER_S, (ALERTS, 50, Cause.LANES))
    (remedy,) = remedies(environment(), wide, template="stack.yaml")
    assert remedy.startswith("CheckAlertsFunction: in stack.yaml, a ParallelizationFactor of 3 instead of 2 (")


@pytest.mark.parametrize("cause", [Cause.PLAN, Cause.FOLLOWING_PLAN, Cause.UNITS])
def test_all_limits_on_the_way_to_a_function_are_raised_at_once(cause: Cause) -> None:
    missed = result(PEAK_PER_S, (WEBHOOKS, 8, cause), throttle=(70, 8))
    assert [*remedies(environment(), missed, template="stack.yaml")] == [
        "ProcessWebhookFunction: in stack.yaml, ReservedConcurrentExecutions of 20 instead of 8 (0.0052 % predicted at "
        "69.4/s)",
        "WebhookUsagePlan: in stack.yaml, a rate of 190/s and a burst of 20 instead of 70/s and 8",
        "WebhookStage: in stack.yaml, a rate of 190/s and a burst of 20 instead of 70/s and 8",
    ]


def test_a_function_that_reserves_nothing_needs_no_change_of_its_own() -> None:
    missed = result(PEAK_PER_S, throttle=(70, 25))
    limit = Bottleneck("limit", Cause.FOLLOWING_PLAN, WEBHOOKS)
    missed.targets[0].limits = [limit]
    functions = missed.topology.functions
    unreserved = {**functions, WEBHOOKS: replace(functions[WEBHOOKS], reserved_concurrency=None)}
    missed.topology = replace(missed.topology, functions=unreserved)
    assert {remedy.split(":")[0] for remedy in remedies(environment(), missed, template="stack.yaml")} == {
        "WebhookUsagePlan",
        "WebhookStage",
    }


def test_a_limit_that_admits_what_the_sizing_needs_is_raised_further() -> None:
    missed = result(PEAK_PER_S, (WEBHOOKS, 50, Cause.PLAN), throttle=(190, 20))
    assert next(remedies(environment(), missed, template="stack.yaml")) == (
        "WebhookUsagePlan: in stack.yaml, a rate of 200/s and a burst of 21 instead of 190/s and 20"
    )


def test_functions_after_one_that_held_back_their_load_are_sized_for_all_of_it() -> None:
    missed = result(PEAK_PER_S, (WEBHOOKS, 6, Cause.UNITS), reserved={ALERTS: 3, NOTIFICATIONS: 1}, factor=1)
    assert [remedy.split(" (")[0] for remedy in remedies(environment(), missed)] == [
        "ProcessWebhookFunction: reserve 20 instead of 6",
        "CheckAlertsFunction: 2 lanes per shard instead of 1, so reserve 10 instead of 3",
        "SendNotificationFunction: reserve 5 instead of 1",
        "run: generator template prod; it reserves 20 + 10 + 5 + 2 = 37",
    ]


def test_a_timeout_is_one_that_runs_hardly_exceed() -> None:
    slow = environment(
        functions={"process_webhook": {"mean_duration_ms": 2000, "distribution": "exponential", "timeout_s": 3}}
    )
    timeout, command = remedies(slow, result(PEAK_PER_S, (WEBHOOKS, 200, Cause.TIMEOUT), timeout_s=3))
    assert timeout == (  # 2 s x ln(1e6) + 0.6 s
        "ProcessWebhookFunction: a timeout of 29 s, or shorter runs; write in environments/prod.toml, under "
        "[functions.process_webhook]: timeout_s = 29"
    )
    assert command.startswith("run: generator template prod; ")


@pytest.mark.parametrize(("template", "most_s"), [("", 44), ("stack.yaml", 900)])
def test_a_timeout_above_the_maximum_is_never_proposed(template: str, most_s: int) -> None:
    functions = environment(1000).functions
    slow = functions.send_notification._replace(mean_duration_ms=800_000, distribution="exponential")
    made = environment(1000)._replace(functions=functions._replace(send_notification=slow))
    overrides = {"functions.send_notification.mean_duration_ms": "800000"}
    missed = result(1.0, (NOTIFICATIONS, 900, Cause.TIMEOUT))
    shorter, timeout, *others = remedies(made, missed, template=template, overrides=overrides)
    mean_ms = math.floor((most_s - 0.6) * 1000 / math.log(1e6))
    assert shorter == (
        f"{NOTIFICATIONS}: shorten its runs (functions.send_notification.mean_duration_ms) from 800,000 to "
        f"{mean_ms:,} ms on average, so that hardly any takes longer than {most_s} s, its longest possible timeout, "
        "cold start included. When they are that short, write in environments/prod.toml, under "
        f"[functions.send_notification]: mean_duration_ms = {mean_ms}"
    )
    place = "in stack.yaml, a Timeout of" if template else "a timeout of"
    assert timeout.startswith(f"{NOTIFICATIONS}: {place} {most_s} s, or shorter runs")
    assert not any("800000" in remedy for remedy in others)


def test_a_timeout_that_the_template_has_is_never_proposed() -> None:
    """The runs become so short that the timeout of 30 s is enough."""
    slow = environment(functions={"process_webhook": {"mean_duration_ms": 9000}})
    shorter, command = remedies(slow, result(PEAK_PER_S, (WEBHOOKS, 900, Cause.TIMEOUT)))
    assert "so that hardly any takes longer than 29 s, cold start included" in shorter
    assert command.startswith("run: ")
    late = result(PEAK_PER_S, (WEBHOOKS, 900, Cause.LATE_ANSWER), (WEBHOOKS, 900, Cause.TIMEOUT))
    assert [*remedies(slow, late)] == [shorter, command]


def test_a_timeout_that_the_settings_state_only_needs_the_template() -> None:
    stated = environment(100, functions={"check_alerts": {"mean_duration_ms": 12_000, "timeout_s": 800}})
    timeout, _ = remedies(stated, result(0.03, (ALERTS, 50, Cause.TIMEOUT), factor=10, timeout_s=30))
    assert timeout == f"{ALERTS}: a timeout of 800 s; {GENERATED}"


def test_answers_that_come_too_late_need_shorter_runs() -> None:
    slow = environment(functions={"process_webhook": {"mean_duration_ms": 4000, "distribution": "exponential"}})
    remedy, command = remedies(
        slow,
        result(PEAK_PER_S, (WEBHOOKS, 900, Cause.LATE_ANSWER)),
        overrides={f"functions.process_webhook.{name}_duration_ms": "1" for name in ("mean", "p95")},
    )
    place = "write in environments/prod.toml, under [functions.process_webhook]:"
    p95_ms = 4890  # in the same ratio, as the default changes
    assert remedy == (  # (29 s - 0.6 s) / ln(1e6)
        "ProcessWebhookFunction: shorten its runs (functions.process_webhook.mean_duration_ms) from 4,000 to 2,055 ms "
        "on average, so that hardly any takes longer than 29 s, cold start included. When they are that short, "
        f"{place} mean_duration_ms = 2055, and {place} p95_duration_ms = {p95_ms}"
    )
    assert command.startswith("run: generator template prod; ")


@pytest.mark.parametrize(
    ("made", "per_hour", "quota", "needed", "place"),
    [
        pytest.param(5_000, 5_000, 2_000, 600_000, GENERATED, id="template out of date"),
        pytest.param(5_000, 25_000, 2_000, 600_000, GENERATED, id="template out of date at the peak"),
        pytest.param(5_000, 150_000, 600_000, 3_611_385, "under [traffic]: peak_factor = 30.1", id="peak factor"),
        pytest.param(
            100,
            30_000,
            12_000,
            725_092,
            "webhooks_per_hour = 30000, and write in environments/prod.toml, under [traffic]: peak_factor = 1.01",
            id="factor above its range",
        ),
    ],
)
def test_a_quota_is_that_of_a_day_at_the_peak(made: int, per_hour: float, quota: int, needed: int, place: str) -> None:
    """The load has a peak with this rate. Retries that the quota itself causes do not count."""
    missed = result(per_hour / 3600, (WEBHOOKS, 200, Cause.QUOTA))
    plan, stage = missed.topology.throttles
    missed.topology = replace(missed.topology, throttles=(replace(plan, quota=quota), stage))
    change = f"a quota of {needed:,} instead of {quota:,} per DAY"
    remedy = next(remedies(environment(made), missed))
    assert remedy.startswith(f"WebhookUsagePlan: {change}; ")
    assert remedy.endswith(place)
    assert next(remedies(environment(made), missed, template="x")) == f"WebhookUsagePlan: in x, {change}"


def recording(folder: Path) -> Path:
    """Write 15 minutes with a burst of 4 on average each second, whose webhooks are half a millisecond apart."""
    draw, time_s, times_s = random.Random(3), 0.0, []
    while time_s < 900:
        time_s += draw.expovariate(1)
        times_s.append(time_s)
        while draw.random() > 0.25:
            times_s.append(times_s[-1] + 0.0005)
    path = folder / "trace.csv"
    path.write_text("time\n" + "".join(f"{1_700_000_000 + time_s:.4f}\n" for time_s in sorted(times_s)))
    return path


def uneven(folder: Path) -> Path:
    """Write 15 minutes with a webhook each second, and every 5 minutes 30 at once."""
    path = folder / "trace.csv"
    path.write_text("time\n" + "".join(f"{s + 0.25}\n" * (30 if s % 300 == 150 else 1) for s in range(900)))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("traffic", "simulated", "options", "target"),
    [
        pytest.param({"webhooks_per_hour": 3_948, "peak_factor": 1}, {}, {"trace": uneven}, 1, id="uneven bursts"),
        pytest.param({"webhooks_per_hour": 14_363, "peak_factor": 1.63}, {}, {"trace": recording}, 1, id="recording"),
        pytest.param({"webhooks_per_hour": 5_000, "peak_factor": 1}, {}, {"workload": "spike"}, 1, id="spike"),
        pytest.param({"webhooks_per_hour": 5_000}, {"alerts_per_crossing": 5}, {"hours": 0.5}, 2, id="crossings"),
    ],
)
def test_a_simulation_of_the_remedy_no_longer_misses_the_target(
    traffic: dict[str, object], simulated: dict[str, object], options: dict[str, Any], target: int, tmp_path: Path
) -> None:
    options = {"replications": 2, "workers": 1, **options}
    if make := options.get("trace"):
        options["trace"] = make(tmp_path)
    template, load = template_of(environment(traffic=traffic)), {**traffic, **simulated}
    before = simulate(template, environment(traffic=load), **options)
    assert before.targets[target].verdict == "missed"
    found = "".join(remedies(environment(traffic=load), before))
    stated = re.findall(r"\[functions\.(\w+)\]: reserved_concurrency = (\d+)", found)
    mended = environment(traffic=load, functions={name: {"reserved_concurrency": int(units)} for name, units in stated})
    after = simulate(template_of(mended), mended, **options).targets[target]
    assert after.verdict != "missed"
    assert (after.measured.mean or 0) <= after.target


def test_bursts_that_are_larger_than_the_fitted_ones_need_what_the_recording_does(tmp_path: Path) -> None:
    trace = read_trace(uneven(tmp_path))
    missed = result(1.0, (WEBHOOKS, 4, Cause.UNITS))
    missed.recorded = Recorded(trace)
    made = environment(3_948)
    fitted = fit(trace.times, made.functions.process_webhook)
    remedy = next(remedies(made, missed))
    assert remedy.startswith(f"ProcessWebhookFunction: reserve {fitted.most_at_once + 1} instead of 4 (0 % of the ")
    derived = environment(3_948, traffic={"webhooks_per_burst": fitted.webhooks_per_burst, "peak_factor": 1})
    assert (size(derived)[WEBHOOKS].reserved_concurrency or 0) < fitted.most_at_once
    missed.recorded = Recorded(trace, 0.05)  # Then few of a burst are left.
    assert int(re.findall(r"reserve (\d+)", next(remedies(made, missed)))[0]) < 10


def test_predictions_of_notifications_are_uncertain_for_recorded_bursts(tmp_path: Path) -> None:
    missed = result(1.0, (NOTIFICATIONS, 1, Cause.UNITS), measured=0.03)
    made = environment(14_363, traffic={"alerts_per_webhook": 1})
    uncertain = "; this prediction is uncertain for recorded bursts, so simulate again)"
    assert uncertain not in next(remedies(made, missed))
    missed.recorded = Recorded(read_trace(recording(tmp_path)), 0.5)
    assert uncertain in next(remedies(made, missed))


@pytest.mark.slow
def test_a_template_changed_as_all_remedies_state_misses_no_target() -> None:
    """Three functions and both limits of API Gateway are too small, the lanes only with all webhooks."""
    too_few = {"process_webhook": 6, "check_alerts": 3, "send_notification": 1}
    made, template = (
        environment(),
        template_of(environment(functions={name: {"reserved_concurrency": units} for name, units in too_few.items()})),
    )
    options: dict[str, Any] = {"hours": 0.1, "replications": 2, "workers": 1}
    before = simulate(template, made, **options)
    assert [target.name for target in before.targets if target.limits] == [TARGETS[WEBHOOKS], TARGETS[NOTIFICATIONS]]
    resources = {name: resource["Properties"] for name, resource in template["Resources"].items()}
    throttles = {
        "WebhookUsagePlan": (resources["WebhookUsagePlan"]["Throttle"], "{}Limit"),
        "WebhookStage": (resources["WebhookStage"]["MethodSettings"][0], "Throttling{}Limit"),
    }
    for remedy in remedies(made, before, template="stack.json"):
        logical_id, change = remedy.split(": in stack.json, ")
        for key, value in re.findall(r"(\w+) of (\d+)", change.replace("a rate", "Rate").replace("a burst", "Burst")):
            if logical_id in throttles:
                properties, name = throttles[logical_id]
                properties[name.format(key)] = int(value)
            elif key == "ParallelizationFactor":
                resources["CheckAlertsEventSourceMapping"][key] = int(value)
            elif key == "ReservedConcurrentExecutions":
                resources[logical_id][key] = int(value)
    assert "missed" not in [target.verdict for target in simulate(template, made, **options).targets]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("simulated", "written"),
    [
        pytest.param(
            ["traffic.alerts_per_crossing=5", "simulation.warm_up_s=60", "functions.send_notification.memory_mb=2048"],
            ["traffic.alerts_per_crossing = 5"],
            id="only simulated settings that affect the template",
        ),
        pytest.param(
            [
                "functions.send_notification={memory_mb=512, distribution='exponential'}",
                "traffic.alerts_per_crossing=5",
            ],
            ['functions.send_notification.distribution = "exponential"', "traffic.alerts_per_crossing = 5"],
            id="of a table only what it states",
        ),
        pytest.param(
            [
                "traffic.alerts_per_crossing=5",
                "functions.send_notification.distribution=exponential",
                "functions.send_notification.reserved_concurrency=31",
            ],
            ['functions.send_notification.distribution = "exponential"', "traffic.alerts_per_crossing = 5"],
            id="values are TOML",
        ),
        pytest.param(
            [
                "functions.send_notification.distribution=constant",
                "functions.send_notification.mean_duration_ms=35000",
                "functions.send_notification.timeout_s=44",
            ],
            [
                'functions.send_notification.distribution = "constant"',
                "functions.send_notification.mean_duration_ms = 35000",
                "functions.send_notification.timeout_s = 44",
            ],
            id="a timeout that a duration needs",
        ),
    ],
)
def test_the_command_names_the_simulated_settings(
    generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch, simulated: list[str], written: list[str]
) -> None:
    monkeypatch.setattr(_runtime, "usable_processors", lambda: 1)
    options = [word for setting in simulated for word in ("--set", setting)]
    missed = generator("simulate", "staging", *options, "--hours", "0.5", "--replications", "2", "--format", "json")
    *_, command = found = json.loads(missed.stdout)["remedies"]
    lines = [re.sub(r"^write in environments/staging.toml, under \[(.*)\]: ", r"\1.", line) for line in found]
    assert [line for line in lines if line.startswith(("functions.", "traffic"))] == written
    assert command.startswith("run: generator template staging; it reserves ")
    options = [word for setting in written for word in ("--set", setting)]
    total = json.loads(generator("size", "staging", *options, "--format", "json").stdout)["total_reserved"]
    assert command.endswith(f" = {total}")


def test_settings_that_a_table_replaces_with_other_values_are_ones_to_write(
    generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_runtime, "usable_processors", lambda: 1)
    path = project / "environments" / "dev.toml"
    path.write_text(path.read_text(encoding="utf-8") + "alerts_per_crossing = 2\n", encoding="utf-8")
    setting = "traffic={webhooks_per_hour=50000}"
    found = generator("simulate", "dev", "--set", setting, "--hours", "0.02", "--replications", "2")
    lines = [line.rpartition(": ")[2] for line in found.stdout.splitlines() if line.startswith("remedy: write in ")]
    assert lines == ["alerts_per_crossing = 1.0", "webhooks_per_hour = 50000"]
