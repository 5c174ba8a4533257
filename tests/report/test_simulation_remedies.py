"""A remedy names a setting, its value, and the reservations that follow from it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from generator.capacity.sizing import SETTINGS, size
from generator.config.files import read
from generator.config.schema import Environment
from generator.report.simulation_remedies import remedies


def environment(**sections: dict[str, object]) -> Environment:
    made: dict[str, object] = {"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 50_000}}
    return read({**made, **sections}, "prod")


def result(function: str, reserved: int, peak_per_s: float) -> Any:
    targets = [SimpleNamespace(function=function), SimpleNamespace(function="")]
    chart = SimpleNamespace(reserved={function: reserved})
    return SimpleNamespace(targets=targets, settings=SETTINGS, chart=chart, peak_per_s=peak_per_s)


def test_a_template_that_is_out_of_date_needs_no_setting() -> None:
    (remedy,) = remedies(environment(), result("ProcessWebhookFunction", 8, 50_000 / 3600 * 5))
    assert remedy == (
        "ProcessWebhookFunction: run generator template prod; it reserves 20 instead of 8 (0.0051 % predicted at "
        "69.4/s): 20 + 10 + 5 + 2 = 37"
    )


def test_a_spike_needs_what_its_highest_rate_needs() -> None:
    (remedy,) = remedies(environment(), result("ProcessWebhookFunction", 20, 50_000 / 3600 * 10))
    assert remedy == (
        "ProcessWebhookFunction: write functions.process_webhook.reserved_concurrency = 31 instead of 20 (0.0069 % "
        "predicted at 139/s) and run generator template prod: 31 + 10 + 5 + 2 = 48"
    )


@pytest.mark.parametrize(("function", "simulated", "expected"), [("SendNotification", 5, 6), ("CheckAlerts", 10, 15)])
def test_the_remedy_is_one_more_if_the_model_finds_the_reservation_enough(
    function: str, simulated: int, expected: int
) -> None:
    (remedy,) = remedies(environment(), result(f"{function}Function", simulated, 50_000 / 3600 * 5))
    kind = SETTINGS[f"{function}Function"]
    assert f"write functions.{kind}.reserved_concurrency = {expected} instead of {simulated} (" in remedy
    mended = size(environment(functions={kind: {"reserved_concurrency": expected}}))
    assert remedy.endswith(f"= {mended.total_reserved}")
