"""Metrics with holes, other units or too few points: no wrong setting, and no verdict on what was not judged."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from generator.account import connection, metrics
from generator.account.calibration import (
    AGES,
    ITERATOR_AGE,
    NOTIFICATIONS,
    THROTTLES,
    WEBHOOKS,
    Calibration,
    Measurement,
    calibrate,
)
from generator.account.connection import Unavailable
from generator.account.live_stack import LiveStack
from generator.account.metrics import HOUR_S, MINUTE_S
from generator.capacity.sizing import SEND_NOTIFICATION, SETTINGS, size
from generator.config.files import read
from generator.errors import UnreadableMetrics

HOURS = 24
ENVIRONMENT = read({"name": "test", "region": "us-east-1", "traffic": {"webhooks_per_hour": 5000}}, "test")
WANTED = metrics.metrics(ENVIRONMENT.targets.notification_wait_probability)
SIZING = size(ENVIRONMENT)
Series = dict[str, dict[int, float]]


def recorded() -> Series:
    """A day with 60 webhooks a minute and 180 notifications an hour."""
    hours = range(0, HOURS * HOUR_S, HOUR_S)
    return {
        WEBHOOKS: dict.fromkeys(range(0, HOURS * HOUR_S, MINUTE_S), 60.0),
        THROTTLES: {0: 0.0},
        NOTIFICATIONS: dict.fromkeys(hours, 180.0),
        f"{AGES}_p99": dict.fromkeys(hours, 40.0),
        ITERATOR_AGE: dict.fromkeys(hours, 900.0),
    }


def answer(series: Series, **changed: object) -> dict[str, Any]:
    return {
        "MetricDataResults": [
            {"Id": id_, "Timestamps": [*points], "Values": [*points.values()], **changed}
            for id_, points in series.items()
        ]
    }


def calibrated(series: Series, reports: Mapping[str, Sequence[float | None]] | None = None) -> Calibration:
    return calibrate(ENVIRONMENT, SIZING, metrics.from_answer(WANTED, answer(series), "m.json"), reports or {})


def measured(found: Calibration, setting: str) -> Measurement | None:
    return next((one for one in found.measurements if one.setting == setting), None)


def without_hours(series: Series, id_: str, first: int, last: int) -> None:
    series[id_] = {time: value for time, value in series[id_].items() if not first * HOUR_S <= time < last * HOUR_S}


def zeros(series: Series, id_: str, first: int, last: int) -> None:
    series[id_] |= {time: 0.0 for time in series[id_] if first * HOUR_S <= time < last * HOUR_S}


def busy_minute(series: Series, id_: str, *_: int) -> None:
    series[id_] = {5 * HOUR_S: 60.0} | {time: value for time, value in series[id_].items() if time >= 8 * HOUR_S}


@pytest.mark.parametrize(
    ("change", "id_"),
    [(without_hours, WEBHOOKS), (without_hours, NOTIFICATIONS), (zeros, WEBHOOKS), (busy_minute, WEBHOOKS)],
)
def test_alerts_per_webhook_rest_on_hours_that_have_both(change: Callable[..., None], id_: str) -> None:
    series = recorded()
    change(series, id_, 10, 13)
    alerts = measured(calibrated(series), "traffic.alerts_per_webhook")
    assert alerts is not None
    assert (alerts.measured, alerts.points) == (0.05, HOURS - (8 if change is busy_minute else 3))
    assert f"without {HOURS - alerts.points} hours that lack webhooks or notifications" in alerts.weaknesses


def test_one_minute_of_webhooks_measures_no_alerts_per_webhook() -> None:
    series = recorded() | {WEBHOOKS: {0: 18.0}}
    found = calibrated(series)
    assert measured(found, "traffic.alerts_per_webhook") is None
    assert "traffic.alerts_per_webhook: no hour has all of its webhooks and notifications" in found.missing


def test_quiet_hours_count_although_they_have_no_notification() -> None:
    series = recorded()
    series[WEBHOOKS] = dict.fromkeys(range(0, HOURS * HOUR_S, 10 * MINUTE_S), 1.0)
    series[NOTIFICATIONS] = {3 * HOUR_S: 2.0, 20 * HOUR_S: 1.0}
    alerts = measured(calibrated(series), "traffic.alerts_per_webhook")
    assert alerts is not None
    assert alerts.measured == pytest.approx(3 / (6 * HOURS), rel=0.01)
    assert alerts.points == HOURS


def test_webhooks_of_longer_periods_are_refused() -> None:
    series = recorded() | {WEBHOOKS: dict.fromkeys(range(0, HOURS * HOUR_S, 300), 300.0)}
    with pytest.raises(UnreadableMetrics, match="its points are 300 s apart; export it with period 60"):
        calibrated(series)


@pytest.mark.parametrize(
    ("setting", "value", "unit"),
    [
        ("functions.cleanup_history.mean_duration_ms", 1.69, "seconds"),
        ("functions.process_webhook.mean_duration_ms", 80_000.0, "microseconds"),
        ("functions.send_notification.cold_start_ms", 0.45, "seconds"),
    ],
)
def test_durations_in_another_unit_are_refused(setting: str, value: float, unit: str) -> None:
    _, function, key = setting.split(".")
    series, reports = recorded(), dict[str, list[float | None]]()
    if key == "cold_start_ms":
        reports[SEND_NOTIFICATION] = [value] * 9 + [None] * 191
    else:
        series[f"{function}_invocations_sum"] = series.get(f"{function}_invocations_sum", {0: 9.0})
        series[f"{function}_duration_average"] = {0: value}
    with pytest.raises(UnreadableMetrics) as refused:
        calibrated(series, reports)
    (fault,) = refused.value.faults
    assert (fault.where, fault.what.endswith(f"is stated, seems to be in {unit}")) == (setting, True)


@pytest.mark.parametrize(("id_", "what"), [(THROTTLES, "throttled"), (AGES, "late"), (ITERATOR_AGE, "records")])
def test_a_missing_metric_is_not_judged(id_: str, what: str) -> None:
    found = calibrated({name: points for name, points in recorded().items() if not name.startswith(id_)})
    (line,) = found.not_judged
    assert line.startswith(what)
    assert line.endswith(f"the export has no {id_}")


def test_a_metric_whose_id_only_begins_like_that_of_another_is_missing() -> None:
    names = [f"check_alerts_{name}" for name in ("duration_average", "duration_p95", "invocations_sum_again")]
    found = calibrate(ENVIRONMENT, SIZING, {name: {0: 60.0} for name in names}, {})
    assert "functions.check_alerts: the export has no check_alerts_invocations_sum" in found.missing


@pytest.mark.parametrize(("runs", "late", "unjudged"), [(100.0, 1, 0), (99.0, 0, 1)])
def test_lateness_in_hours_with_few_notifications_is_not_judged(runs: float, late: int, unjudged: int) -> None:
    """With a target of 1 %, one of 100 notifications is the first that is too late."""
    series = recorded()
    series |= {NOTIFICATIONS: dict.fromkeys(series[NOTIFICATIONS], runs)}
    assert not calibrated(series).not_judged
    series[f"{AGES}_p99"][5 * HOUR_S] = 60_000.0
    found = calibrated(series)
    assert (len(found.contradictions), len(found.not_judged)) == (late, unjudged)
    assert all("1 hour, first from 1970-01-01 05:00 UTC" in line for line in found.not_judged)


@pytest.mark.parametrize(("runs", "late"), [(33.0, 0), (34.0, 1)])
def test_the_fewest_notifications_for_a_share_are_printed_as_they_are_used(runs: float, late: int) -> None:
    """With a target of 3 %, one of 33 notifications is more than the target, and one of 34 is not."""
    table = {"name": "test", "region": "us-east-1", "traffic": {"webhooks_per_hour": 5000}}
    environment = read({**table, "targets": {"notification_wait_probability": 0.03}}, "test")
    series = {NOTIFICATIONS: {0: runs}, f"{AGES}_p97": {0: 60_000.0}}
    wanted = metrics.metrics(environment.targets.notification_wait_probability)
    found = calibrate(environment, SIZING, metrics.from_answer(wanted, answer(series), "m.json"), {})
    assert len(found.contradictions) == late
    assert any("but an hour needs 34 for a share" in line for line in found.not_judged) == (not late)


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (answer(recorded()) | {"NextToken": "x"}, "it is one page of several"),
        (answer(recorded(), StatusCode="PartialData"), f"{WEBHOOKS}: it is not complete .its status is PartialData"),
    ],
)
def test_an_incomplete_export_is_refused(document: dict[str, Any], what: str) -> None:
    with pytest.raises(UnreadableMetrics, match=what):
        metrics.from_answer(WANTED, document, "m.json")


def test_a_query_that_still_runs_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "reports.json"
    file.write_text(json.dumps({"results": [], "status": "Running"}))
    with pytest.raises(UnreadableMetrics, match="the query has the status Running; wait until it is Complete"):
        metrics.read_reports(file)


def page(*minutes: int, token: str | None = None, status: str = "Complete") -> dict[str, Any]:
    points = {"Timestamps": [60 * minute for minute in minutes], "Values": [1.0] * len(minutes)}
    found = {"MetricDataResults": [{"Id": WEBHOOKS, "StatusCode": status, **points}]}
    return {**found, "NextToken": token} if token else found


def read_live(*pages: dict[str, Any]) -> Mapping[str, metrics.Points]:
    """Read the metrics of a stack for which CloudWatch answers with these pages."""
    account = connection.emulated("us-east-1", "http://127.0.0.1:1")
    stack = LiveStack(account, "price-alerts-prod", dict.fromkeys(SETTINGS, "name"))
    with Stubber(account._client("cloudwatch")) as stubber:
        for answered in pages:
            stubber.add_response("get_metric_data", answered)
        return metrics.live(WANTED, stack, 1)


def test_the_pages_of_live_metrics_are_joined() -> None:
    found = read_live(page(0, 1, token="second", status="PartialData"), page(2, 3))
    assert found == {WEBHOOKS: {0: 1.0, 60: 1.0, 120: 1.0, 180: 1.0}}


def test_a_page_that_comes_again_is_a_fault_of_the_endpoint() -> None:
    with pytest.raises(Unavailable, match="cloudwatch GetMetricData answers with the same page again") as refused:
        read_live(page(0, token="again"), page(1, token="again"), page(2, token="again"))
    assert refused.value.remedy.startswith("correct the endpoint")


def test_live_metrics_that_take_too_long_are_asked_for_fewer_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PAGES_S", 1e-6)
    with pytest.raises(Unavailable, match="GetMetricData did not end within") as refused:
        read_live(page(0))
    assert refused.value.remedy.startswith("ask for fewer --days")
