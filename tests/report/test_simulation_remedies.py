"""A remedy can be carried out: it names settings and their values, and a simulation of the result meets the target."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result

from generator import _runtime, plans
from generator._format import joined
from generator.capacity.quota import Plan
from generator.capacity.sizing import SETTINGS, size
from generator.config.files import read
from generator.config.schema import Environment
from generator.report.simulation_remedies import remedies
from generator.simulation import simulate
from generator.simulation.targets import Cause

Run = Callable[..., Result]


def environment(webhooks_per_hour: int = 50_000, **sections: Mapping[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": webhooks_per_hour, **sections.pop("traffic", {})}
    return read({"name": "prod", "region": "us-east-1", "traffic": traffic, **sections}, "prod")


def result(peak_per_s: float, *missed: tuple[str, int, Cause]) -> Any:
    """Return the result of a simulation that missed a target because of each function's limit."""
    targets = [
        SimpleNamespace(
            function=name,
            cause=cause,
            target=1e-4,
            remedy="Plan's rate and burst",
            lanes=min(2, reserved // 5) if cause is Cause.LANES else 0,
        )
        for name, reserved, cause in missed
    ]
    others = [SimpleNamespace(function="", cause=Cause.OTHER)]
    chart = SimpleNamespace(reserved={name: reserved for name, reserved, _ in missed})
    return SimpleNamespace(
        targets=[*targets, *others], settings=SETTINGS, chart=chart, peak_per_s=peak_per_s, recorded=None
    )


PEAK_PER_S = 50_000 / 3600 * 5
WEBHOOKS, NOTIFICATIONS, ALERTS = "ProcessWebhookFunction", "SendNotificationFunction", "CheckAlertsFunction"


def test_a_template_that_is_out_of_date_needs_no_setting() -> None:
    assert [*remedies(environment(), result(PEAK_PER_S, (WEBHOOKS, 8, Cause.UNITS)))] == [
        "ProcessWebhookFunction: reserve 20 instead of 8 (0.0052 % predicted at 69.4/s)",
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
    assert [*remedies(simulated, missed, overrides={"traffic.alerts_per_crossing": "5"})] == [
        "SendNotificationFunction: reserve 22 instead of 3 (0.82 % predicted at 6.94/s)",
        "write traffic.alerts_per_crossing = 5 in environments/prod.toml, then run: generator template prod; it "
        "reserves 7 + 5 + 22 + 2 = 36",
    ]


def test_a_spike_needs_what_its_highest_rate_needs_and_remedies_count_together() -> None:
    missed = result(2 * PEAK_PER_S, (WEBHOOKS, 20, Cause.FOLLOWING_PLAN), (NOTIFICATIONS, 5, Cause.UNITS))
    assert [*remedies(environment(), missed)] == [
        "ProcessWebhookFunction: reserve 31 instead of 20 (0.0069 % predicted at 139/s)",
        "SendNotificationFunction: reserve 8 instead of 5 (0.35 % predicted at 139/s)",
        "write functions.process_webhook.reserved_concurrency = 31 and "
        "functions.send_notification.reserved_concurrency = 8 in environments/prod.toml, then run: generator template "
        "prod; it reserves 31 + 10 + 8 + 2 = 51",
    ]


@pytest.mark.parametrize(
    ("function", "simulated", "cause", "expected", "change"),
    [
        (NOTIFICATIONS, 5, Cause.UNITS, 6, "reserve 6 instead of 5"),
        (ALERTS, 10, Cause.LANES, 15, "3 lanes per shard instead of 2, so reserve 15"),
    ],
)
def test_the_remedy_is_one_more_if_the_model_finds_the_reservation_enough(
    function: str, simulated: int, cause: Cause, expected: int, change: str
) -> None:
    remedy, command = remedies(environment(), result(PEAK_PER_S, (function, simulated, cause)))
    kind = SETTINGS[function]
    assert remedy.startswith(f"{function}: {change} (")
    assert remedy.endswith("predicted at 69.4/s, which is too low; simulate again)")
    mended = size(environment(functions={kind: {"reserved_concurrency": expected}}))
    assert command.startswith(f"write functions.{kind}.reserved_concurrency = {expected} in environments/prod.toml")
    assert command.endswith(mended.sum_as_text)


def test_a_load_that_cannot_be_sized_is_named_once() -> None:
    (remedy,) = remedies(environment(), result(10_000, (ALERTS, 10, Cause.LANES)))
    assert remedy.startswith("prod: CheckAlertsFunction: the busiest shard gets 40 % of 10,000/s; ")


def test_another_template_is_changed_itself() -> None:
    missed = result(PEAK_PER_S, (WEBHOOKS, 8, Cause.UNITS), (ALERTS, 5, Cause.LANES))
    assert [*remedies(environment(), missed, template="stack.yaml")] == [
        "CheckAlertsFunction: in stack.yaml, a ParallelizationFactor of 2 instead of 1 and "
        "ReservedConcurrentExecutions of 10 instead of 5 (35 % predicted at 69.4/s)",
        "ProcessWebhookFunction: in stack.yaml, ReservedConcurrentExecutions of 20 instead of 8 (0.0052 % predicted at "
        "69.4/s)",
    ]
    wide = result(PEAK_PER_S, (ALERTS, 50, Cause.LANES))
    (remedy,) = remedies(environment(), wide, template="stack.yaml")
    assert remedy.startswith("CheckAlertsFunction: in stack.yaml, a ParallelizationFactor of 3 instead of 2 (")
    plan = result(PEAK_PER_S, (WEBHOOKS, 50, Cause.PLAN))
    assert [*remedies(environment(), plan, template="stack.yaml")] == [
        "Plan's rate and burst: in stack.yaml, a rate of 190/s and a burst of 20"
    ]


def test_a_timeout_is_one_that_runs_hardly_exceed() -> None:
    slow = environment(
        functions={"process_webhook": {"mean_duration_ms": 2000, "distribution": "exponential", "timeout_s": 3}}
    )
    timeout, command = remedies(slow, result(PEAK_PER_S, (WEBHOOKS, 20, Cause.TIMEOUT)))
    assert timeout == "ProcessWebhookFunction: a timeout of 29 s, or shorter runs"  # 2 s x ln(1e6) + 0.6 s
    assert command.startswith("write functions.process_webhook.timeout_s = 29 in environments/prod.toml, then run: ")


def test_answers_that_come_too_late_need_shorter_runs() -> None:
    slow = environment(functions={"process_webhook": {"mean_duration_ms": 4000, "distribution": "exponential"}})
    (remedy,) = remedies(slow, result(PEAK_PER_S, (WEBHOOKS, 900, Cause.LATE_ANSWER)))
    assert remedy == (  # (29 s - 0.6 s) / ln(1e6)
        "ProcessWebhookFunction: shorten its runs (functions.process_webhook.mean_duration_ms) from 4,000 to 2,055 ms "
        "on average, so that hardly any takes longer than 29 s, cold start included"
    )


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


def template_of(made: Environment) -> Any:
    return json.loads(plans.render(Plan(made, size(made))))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("traffic", "simulated", "options", "target"),
    [
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
    *_, command = remedies(environment(traffic=load), before)
    stated = re.findall(r"functions\.(\w+)\.reserved_concurrency = (\d+)", command)
    mended = environment(traffic=load, functions={name: {"reserved_concurrency": int(units)} for name, units in stated})
    after = simulate(template_of(mended), mended, **options).targets[target]
    assert after.verdict != "missed"
    assert (after.measured.mean or 0) <= after.target


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
            [
                "functions.send_notification.cold_start_ms = 600",
                'functions.send_notification.distribution = "exponential"',
                "functions.send_notification.mean_duration_ms = 300",
                "functions.send_notification.p95_duration_ms = 700",
                "traffic.alerts_per_crossing = 5",
            ],
            id="a table replaces all of its settings",
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
            ["functions.send_notification.mean_duration_ms=35000", "functions.send_notification.timeout_s=44"],
            ["functions.send_notification.mean_duration_ms = 35000", "functions.send_notification.timeout_s = 44"],
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
    *_, command = json.loads(missed.stdout)["remedies"]
    then = "in environments/staging.toml, then run: generator template staging; it reserves "
    assert command.startswith(f"write {joined(written)} {then}")
    options = [word for setting in written for word in ("--set", setting)]
    total = json.loads(generator("size", "staging", *options, "--format", "json").stdout)["total_reserved"]
    assert command.endswith(f" = {total}")
