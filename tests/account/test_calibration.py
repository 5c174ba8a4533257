"""`generator calibrate` on synthetic exports: known settings come back, and faults of an export are named."""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from click.testing import Result
from moto import mock_aws

from generator.capacity.sizing import SETTINGS
from generator.cli.calibrate import _named
from generator.errors import Fault
from tests.account.conftest import DESCRIPTION

pytestmark = pytest.mark.slow

START = datetime(2026, 11, 20, tzinfo=UTC)
MEANS_MS = {"process_webhook": 80.0, "check_alerts": 200.0, "send_notification": 280.0, "cleanup_history": 1500.0}
ALERTS, PEAK, HOURLY = 0.08, 4.0, 12_000
Generator = Callable[..., Result]


def exported(hours: int = 48, late: bool = False, throttled: int = 0) -> dict[str, Any]:
    """An export of a stack with the settings above. The busiest hour is the eleventh, and its half hour is its peak."""
    rnd = random.Random(1)

    def noisy(mean: float) -> float:
        return float(max(0, round(rnd.gauss(mean, math.sqrt(mean)))))

    minutes = {}
    for minute in range(60 * hours):
        rate = HOURLY / 60 / (1 if 600 <= minute < 660 else 3)
        minutes[minute] = noisy(rate * PEAK if minute == 630 else rate * (56 / 59) if 600 <= minute < 660 else rate)
    per_hour = {h: sum(minutes[60 * h + m] for m in range(60)) for h in range(hours)}
    series: dict[str, dict[float, float]] = {
        "process_webhook_invocations_sum": {m / 60: count for m, count in minutes.items()},
        "process_webhook_throttles_sum": {10.5: float(throttled)},
        "send_notification_errors_sum": {5: 10.0},
        "send_notification_asynceventage_p99": dict.fromkeys(range(hours), 1200.0 if late else 40.0),
        "check_alerts_iteratorage_maximum": dict.fromkeys(range(hours), 900.0),
        "check_alerts_invocations_sum": {h: round(count / 2) for h, count in per_hour.items()},
        "send_notification_invocations_sum": {h: noisy(count * ALERTS) for h, count in per_hour.items()},
        "cleanup_history_invocations_sum": dict.fromkeys(range(hours), 1.0),
    }
    for name, mean in MEANS_MS.items():
        series[f"{name}_duration_average"] = {h: mean * rnd.gauss(1, 0.05) for h in range(hours)}
        series[f"{name}_duration_p95"] = {h: 2.3 * mean * rnd.gauss(1, 0.05) for h in range(hours)}
    results = [
        {
            "Id": id_,
            "Timestamps": [(START + timedelta(hours=hour)).isoformat() for hour in points],
            "Values": list(points.values()),
            "StatusCode": "Complete",
        }
        for id_, points in series.items()
    ]
    return {"MetricDataResults": results}


def result(document: dict[str, Any], id_: str) -> dict[str, Any]:
    (found,) = (one for one in document["MetricDataResults"] if one["Id"] == id_)
    return found


@pytest.fixture
def calibrate(generator: Generator) -> Callable[..., Result]:
    def run(document: dict[str, Any], *arguments: str) -> Result:
        Path("metrics.json").write_text(json.dumps(document))
        return generator("calibrate", "prod", "--metrics", "metrics.json", *arguments)

    return run


def test_known_settings_come_back_within_the_stated_errors(calibrate: Callable[..., Result]) -> None:
    done = calibrate(exported(), "--format", "json")
    assert done.exit_code == 0
    report = json.loads(done.stdout)
    assert report.keys() == {
        *("environment", "from", "to", "measurements", "holes", "missing", "contradictions", "not_judged", "toml"),
        *("reservations", "measured_reservations", "faults", "conflicts"),
    }
    keys = {"setting", "stated", "measured", "period_s", "points", "relative_error", "weaknesses"}
    assert all(one.keys() == keys for one in report["measurements"])
    measured = {one["setting"]: one for one in report["measurements"]}
    known = {
        "traffic.webhooks_per_hour": HOURLY,
        "traffic.peak_factor": PEAK,
        "traffic.alerts_per_webhook": ALERTS,
        **{f"functions.{name}.mean_duration_ms": mean for name, mean in MEANS_MS.items()},
        **{f"functions.{n}.p95_duration_ms": 2.3 * mean for n, mean in MEANS_MS.items() if n != "cleanup_history"},
    }
    assert set(measured) == set(known)
    for setting, value in known.items():
        one = measured[setting]
        # The error is two standard errors; three of 11 values may lie beyond it by chance, none beyond twice as much.
        assert one["measured"] == pytest.approx(value, rel=2 * one["relative_error"] + 0.005), setting
        assert one["points"] == (2880 if setting.startswith("traffic") and "alerts" not in setting else 48)
    assert report["measured_reservations"]["ProcessWebhookFunction"] < report["reservations"]["ProcessWebhookFunction"]


@pytest.mark.parametrize("times", [1, 20])
def test_a_fitted_trace_has_the_same_rate_and_peak_factor(
    calibrate: Callable[..., Result], generator: Generator, times: int
) -> None:
    """At 20 times the rate, 240,000 per hour, both state a peak factor that keeps the peak of 50,000."""
    document = exported()
    webhooks = result(document, "process_webhook_invocations_sum")
    webhooks["Values"] = [times * value for value in webhooks["Values"]]
    counts = zip(webhooks["Timestamps"], webhooks["Values"], strict=True)
    Path("trace.csv").write_text("time,count\n" + "".join(f"{time},{count}\n" for time, count in counts))
    fitted = generator("size", "prod", "--fit-trace", "trace.csv").stderr.splitlines()
    done = calibrate(document).stdout.splitlines()
    for setting in ("webhooks_per_hour = ", "peak_factor = "):
        assert [line for line in fitted if line.startswith(setting)] == [
            line for line in done if line.startswith(setting)
        ]
    assert any("to keep the peak of " in line for line in done) == (times > 1)


def test_the_printed_lines_are_settings_that_give_the_printed_reservations(
    calibrate: Callable[..., Result], generator: Generator
) -> None:
    report = json.loads(calibrate(exported(), "--format", "json").stdout)
    environment = Path("environments/prod.toml")
    environment.write_text('name = "prod"\nregion = "us-east-1"\n' + "\n".join(report["toml"]))
    sized = json.loads(generator("size", "prod", "--format", "json").stdout)
    figures = {name: one["reserved_concurrency"] for name, one in sized["functions"].items()}
    assert figures == report["measured_reservations"]


def test_settings_that_contradict_each_other_are_left_out_of_the_printed_set(
    calibrate: Callable[..., Result], generator: Generator
) -> None:
    document = exported()
    longest = result(document, "process_webhook_duration_p95")
    longest["Values"] = [1.0] * len(longest["Values"])
    report = json.loads(calibrate(document, "--format", "json").stdout)
    (fault,) = report["faults"]
    assert "functions.process_webhook.p95_duration_ms: 1 is not above the mean of " in fault
    assert "p95_duration_ms = 1" not in report["toml"]
    text = calibrate(document).stdout
    assert "--set" not in text
    assert text.index("left out, because it contradicts other settings") < text.index("The measured settings, for")
    file = Path("environments/prod.toml")
    file.write_text('name = "prod"\nregion = "us-east-1"\n' + "\n".join(report["toml"]))
    assert generator("size", "prod").exit_code == 0


def test_settings_that_fail_only_together_are_printed_with_the_reason(calibrate: Callable[..., Result]) -> None:
    document = exported()
    for statistic, duration_ms in (("average", 30_000.0), ("p95", 40_000.0)):
        series = result(document, f"check_alerts_duration_{statistic}")
        series["Values"] = [duration_ms] * len(series["Values"])
    report = json.loads(calibrate(document, "--format", "json").stdout)
    assert {"mean_duration_ms = 30000", "[traffic]", "[functions.process_webhook]"} <= set(report["toml"])
    assert (report["faults"], report["measured_reservations"]) == ([], None)
    (conflict,) = report["conflicts"]
    assert conflict.startswith("prod: CheckAlertsFunction: the busiest shard gets ")
    text = calibrate(document).stdout
    assert f"the measured settings cannot be used together: {conflict}\n" in text
    assert "left out" not in text
    assert "\n".join(report["toml"]) in text


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ("--set a.mean_ms", {"a.mean_ms=1"}),
        ("environments/a.toml: a.timeout_s", {"a.mean_ms=1"}),
        ("environments/a.toml: b", {"b.mean_ms_2=1"}),
        ("--set b.mean_ms_2", {"b.mean_ms_2=1"}),
        ("a.mean_ms: CheckAlertsFunction", set()),
    ],
)
def test_a_fault_drops_only_the_settings_that_it_names(where: str, named: set[str]) -> None:
    assert _named(["a.mean_ms=1", "b.mean_ms_2=1", "aa.mean_ms=1"], [Fault(where, "wrong", "correct it")]) == named


def test_contradictions_are_named_and_exit_with_1(calibrate: Callable[..., Result]) -> None:
    done = calibrate(exported(late=True, throttled=900))
    assert done.exit_code == 1
    assert "contradicts the model: 900 of " in done.stdout
    assert "in 48 hours more than 1 % of notifications started a second or more late" in done.stdout


def test_a_hole_in_the_recording_does_not_count_as_quiet_time(calibrate: Callable[..., Result]) -> None:
    document = exported()
    webhooks = result(document, "process_webhook_invocations_sum")
    for key in ("Timestamps", "Values"):
        del webhooks[key][1200:1230]
    assert "hole: no webhooks from 2026-11-20 20:00 UTC to 2026-11-20 20:30 UTC" in calibrate(document).stdout


def test_at_a_low_rate_minutes_without_a_webhook_are_not_a_hole(calibrate: Callable[..., Result]) -> None:
    document = exported()
    webhooks = result(document, "process_webhook_invocations_sum")
    webhooks["Values"] = [1.0] * 720
    webhooks["Timestamps"] = webhooks["Timestamps"][::4]
    done = calibrate(document)
    assert "hole" not in done.stdout
    assert "measured 15; the setting allows 100 to 50,000" in done.stdout


def test_a_value_from_few_points_is_weak(calibrate: Callable[..., Result]) -> None:
    done = calibrate(exported(hours=12))
    assert "12 h, less than a day" in done.stdout
    assert "only 12 hours" in done.stdout


def test_missing_metrics_are_named(calibrate: Callable[..., Result]) -> None:
    document = exported()
    document["MetricDataResults"] = [
        one for one in document["MetricDataResults"] if one["Id"] not in ("check_alerts_duration_p95",)
    ]
    done = calibrate(document)
    assert "not measured: functions.check_alerts: the export has no check_alerts_duration_p95" in done.stdout
    assert "not measured: functions.cleanup_history.p95_duration_ms: no hour has 20 runs" in done.stdout


def test_a_time_without_webhooks_measures_no_traffic(calibrate: Callable[..., Result]) -> None:
    document = exported(hours=1)
    webhooks = result(document, "process_webhook_invocations_sum")
    webhooks["Values"] = [0.0] * len(webhooks["Values"])
    done = calibrate(document)
    assert done.exit_code == 0
    assert "not measured: traffic: the export has no webhooks; export a time with traffic" in done.stdout
    assert "[traffic]" not in done.stdout


def test_more_errors_than_runs_give_no_negative_alerts(calibrate: Callable[..., Result]) -> None:
    document = exported(hours=12)
    result(document, "send_notification_errors_sum")["Values"] = [1e6]
    done = calibrate(document)
    assert done.exit_code == 0
    assert "alerts_per_webhook = 0\n" in done.stdout
    assert "more errors than runs; export both for the same time" in done.stdout


def test_a_minute_in_which_every_webhook_was_throttled_counts(calibrate: Callable[..., Result]) -> None:
    document = exported(throttled=5000)
    webhooks = result(document, "process_webhook_invocations_sum")
    for key in ("Timestamps", "Values"):
        del webhooks[key][630]  # The minute of the throttles: Lambda counts no invocation then.
    report = json.loads(calibrate(document, "--format", "json").stdout)
    (peak,) = (one for one in report["measurements"] if one["setting"] == "traffic.peak_factor")
    assert peak["measured"] > 10
    assert report["holes"] == []


@pytest.mark.parametrize(
    ("id_", "change", "what"),
    [
        ("process_webhook_duration_average", lambda v: v / 1000, "cannot be a duration in milliseconds"),
        ("process_webhook_duration_p95", lambda v: v * 1e6, "cannot be a duration in milliseconds"),
        ("process_webhook_invocations_sum", lambda v: v / 60, "is not a count"),
        ("send_notification_invocations_sum", lambda _: "many", "is not a number of 0 or more"),
        ("send_notification_invocations_sum", lambda _: -1, "is not a number of 0 or more"),
    ],
)
def test_wrong_units_are_refused(
    calibrate: Callable[..., Result], id_: str, change: Callable[[float], object], what: str
) -> None:
    document = exported()
    found = result(document, id_)
    found["Values"] = [change(value) for value in found["Values"]]
    done = calibrate(document)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"metrics.json: {id_}: " in done.stderr
    assert what in done.stderr


@pytest.mark.parametrize("text", ["", "[", "1", "{}", '{"MetricDataResults": [1, {"Id": "x"}]}', "[" * 9000, "\0"])
def test_a_file_that_is_not_an_export_is_refused(generator: Generator, text: str) -> None:
    Path("metrics.json").write_text(text)
    done = generator("calibrate", "prod", "--metrics", "metrics.json")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["json", "csv"])
def test_cold_starts_come_from_report_lines(calibrate: Callable[..., Result], form: str) -> None:
    starts = ["400", *[""] * 99, "500", *[""] * 99]
    group = "123456789012:price-alerts-prod-SendNotificationLogGroup-a1B2"
    if form == "csv":
        Path("reports").write_text("@log,@duration,@initDuration\n" + "".join(f"{group},80.5,{s}\n" for s in starts))
    else:
        rows = [[{"field": "@log", "value": group}, {"field": "@initDuration", "value": start}] for start in starts]
        Path("reports").write_text(json.dumps({"results": rows, "status": "Complete"}))
    report = json.loads(calibrate(exported(), "--reports", "reports", "--format", "json").stdout)
    (found,) = (one for one in report["measurements"] if one["setting"].endswith("cold_start_ms"))
    assert (found["setting"], found["measured"], found["points"]) == (
        "functions.send_notification.cold_start_ms",
        450,
        2,
    )
    assert found["weaknesses"] == ["only 2 cold starts", "1 % of 200 runs started cold"]


def test_the_printed_commands_are_valid_shell_and_a_valid_request(generator: Generator, tmp_path: Path) -> None:
    script = generator("calibrate", "prod", "--query").stdout
    aws = tmp_path / "bin/aws"
    aws.parent.mkdir()
    aws.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/$2"\necho "name-$2"\n')
    aws.chmod(0o755)
    of_macos = aws.with_name("date")
    of_macos.write_text('#!/bin/sh\ncase "$*" in *-d*|*ago*) exit 1;; esac\nexec /bin/date "$@"\n')
    of_macos.chmod(0o755)
    path = {"PATH": f"{aws.parent}:/usr/bin:/bin"}
    script = script.replace("sleep 30", "true")
    subprocess.run(["/bin/bash", "-euc", script], check=True, env=path, cwd=tmp_path)
    arguments = (tmp_path / "get-metric-data").read_text().split("\n")
    queries = json.loads(arguments[arguments.index("--metric-data-queries") + 1])
    assert {one["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for one in queries} == {
        "name-describe-stack-resource"
    }
    shape = botocore.session.get_session().get_service_model("cloudwatch").operation_model("GetMetricData").input_shape
    start, end = (arguments[arguments.index(name) + 1] for name in ("--start-time", "--end-time"))
    request = {"MetricDataQueries": queries, "StartTime": start, "EndTime": end}
    assert not ParamValidator().validate(request, shape).has_errors()
    assert (int(end) - int(start), int(end) % 3600) == (7 * 86_400, 0)
    assert 0 <= datetime.now(UTC).timestamp() - int(end) < 3700


def test_the_permissions_of_the_printed_commands_are_printed(generator: Generator) -> None:
    done = generator("calibrate", "prod", "--query")
    calls = set(re.findall(r"aws ([a-z]+) ([a-z-]+)", done.stdout))
    actions = sorted(f"{service}:{call.title().replace('-', '')}" for service, call in calls)
    assert done.stderr == f"These commands need the permissions {', '.join(actions[:-1])} and {actions[-1]}.\n"


def test_a_missing_file_is_named_before_credentials_are_needed(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "nowhere")
    done = generator("calibrate", "prod", "--reports", "none.json")
    assert (done.exit_code, done.stdout) == (2, "")
    missing = "No such file or directory; name a file that can be read"
    assert done.stderr == f"none.json: {missing}\n"
    both = generator("calibrate", "prod", "--reports", "none.json", "--metrics", "nothing.json")
    assert (both.exit_code, both.stderr) == (2, f"nothing.json: {missing}\nnone.json: {missing}\n")


def test_metrics_of_a_deployed_stack_are_read(generator: Generator) -> None:

    with mock_aws():
        role = {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        }
        function = {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Code": {"ZipFile": "pass"},
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            },
        }
        resources = {"Role": role, **dict.fromkeys(SETTINGS, function)}
        body = json.dumps({"Description": DESCRIPTION, "Resources": resources})
        boto3.client("cloudformation").create_stack(StackName="price-alerts-prod", TemplateBody=body)
        names = boto3.client("cloudformation").describe_stack_resources(StackName="price-alerts-prod")
        (webhooks,) = (
            row["PhysicalResourceId"]
            for row in names["StackResources"]
            if row["LogicalResourceId"] == "ProcessWebhookFunction"
        )
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        points = [
            {
                "MetricName": "Invocations",
                "Dimensions": [{"Name": "FunctionName", "Value": webhooks}],
                "Timestamp": now - timedelta(minutes=60 - minute),
                "Value": 200.0,
            }
            for minute in range(60)
        ]
        boto3.client("cloudwatch").put_metric_data(Namespace="AWS/Lambda", MetricData=points)
        done = generator("calibrate", "prod", "--days", "1")
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.search(r"traffic.webhooks_per_hour +50,000 +12,000 ", done.stdout)
    assert "not measured: functions.process_webhook: the export has no process_webhook_duration_average" in done.stdout


def test_a_missing_stack_is_named(generator: Generator) -> None:
    with mock_aws():
        done = generator("calibrate", "prod", "--stack-name", "other")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "there is no stack other" in done.stderr


def test_a_missing_profile_names_only_options_that_exist(generator: Generator) -> None:
    done = generator("calibrate", "prod", "--profile", "nope")
    assert done.exit_code == 2
    assert "(nope) could not be found; correct --profile or AWS_PROFILE\n" in done.stderr


def test_the_policy_allows_every_call_of_a_calibration(generator: Generator) -> None:
    policy = json.loads(generator("calibrate", "prod", "--policy").stdout)
    assert sorted(action for one in policy["Statement"] for action in one["Action"]) == [
        "cloudformation:DescribeStackResources",
        "cloudformation:DescribeStacks",
        "cloudwatch:GetMetricData",
    ]


def points(id_: Any, times: list[Any], values: list[Any]) -> dict[str, Any]:
    return {"Id": id_, "Timestamps": times, "Values": values}


WEBHOOKS = "process_webhook_invocations_sum"
HOSTILE = {
    "a long span": [points(WEBHOOKS, [0, 99_999_999_960], [1, 1])],
    "the year 1": [points(WEBHOOKS, ["0001-01-01T00:00:00", "2026-01-01T00:00:00"], [1, 1])],
    "the year 9999": [points(WEBHOOKS, ["9999-12-31T23:59:00"], [1])],
    "a long number": [points(WEBHOOKS, [0], [10**400])],
    "large numbers": [points(WEBHOOKS, [0, 60], [1e308, 1e308])],
    "a list as id": [points([WEBHOOKS], [0], [1]), points(WEBHOOKS, [0], [1])],
    "no webhook": [points(WEBHOOKS, [0, 60], [0, 0])],
    "more errors than runs": [
        points(WEBHOOKS, [0], [9]),
        points("send_notification_invocations_sum", [0], [1]),
        points("send_notification_errors_sum", [0], [5]),
    ],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_export_ends_in_an_answer_or_a_fault(generator: Generator, tmp_path: Path, case: str) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({"MetricDataResults": HOSTILE[case]}))
    result = generator("calibrate", "prod", "--metrics", str(file))
    assert (result.exit_code, result.stdout == "") in ((0, False), (2, True))


def test_a_report_without_a_cell_or_with_a_start_of_0_ms_is_no_traceback(generator: Generator, tmp_path: Path) -> None:
    file, reports = tmp_path / "metrics.json", tmp_path / "reports.csv"
    file.write_text(json.dumps({"MetricDataResults": [points(WEBHOOKS, [0], [9])]}))
    reports.write_text("@log,@initDuration\n1:CheckAlertsLogGroup,0\n1:CheckAlertsLogGroup,0\n1:CheckAlertsLogGroup\n")
    assert generator("calibrate", "prod", "--metrics", str(file), "--reports", str(reports)).exit_code == 0
