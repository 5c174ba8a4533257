"""Simulations of the committed templates under their workloads."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from generator.errors import InvalidSimulation
from generator.simulation import as_text, simulate
from generator.simulation.gateway import Gateway
from generator.simulation.network import Task
from generator.simulation.replication import _replicate_before, replicate
from generator.simulation.targets import Cause
from generator.simulation.topology.reading import read_topology
from generator.simulation.workload import Steady
from tests.conftest import FIXTURES, ROOT

pytestmark = pytest.mark.slow

SHORT = "simulation.warm_up_s=30"
NO_RETRIES = "simulation.sender_retries=false"


def reserve(template, **units):
    """Return the template with other reservations."""
    for name, reserved in units.items():
        template["Resources"][name]["Properties"]["ReservedConcurrentExecutions"] = reserved
    return template


def verdicts(result):
    return {target["name"]: target["verdict"] for target in result["targets"]}


def remedies(result):
    """Return the limit of each missed target that cost the most."""
    return {target.name: target.limits[0].text for target in result.targets if target.limits}


@pytest.fixture(scope="module")
def peak(committed, environment):
    """Simulate the prod template under its own workload: 10 replications of 12 minutes at the peak rate."""
    return simulate(committed(), environment("prod", "simulation.warm_up_s=60"), hours=0.2, replications=10, seed=2)


def test_prod_meets_its_targets_at_the_peak_with_cold_starts(peak):
    assert verdicts(peak) == {
        "reserved_concurrency": "met",
        "webhook_throttle_probability": "met",
        "notification_wait_probability": "met",
        "stream_utilisation": "met",
    }
    assert peak["passed"]
    assert peak["workload"] == "peak"
    assert peak["functions"]["ProcessWebhookFunction"]["cold_start_probability"] > 0
    assert peak.notes == peak["not_simulated"] == []


def test_answers_later_than_three_seconds_include_those_after_a_cold_start(template, environment):
    """A start of 3 s makes every first run late. The last starts of the warm-up answer within the measured time."""

    def late_and_cold(cold_start_ms):
        changes = (
            f"functions.process_webhook.cold_start_ms={cold_start_ms}",
            "traffic.webhooks_per_hour=2000",
            "simulation.warm_up_s=1",
        )
        result = simulate(template, environment("prod", *changes), hours=0.05, replications=2)
        webhook = result["functions"]["ProcessWebhookFunction"]
        return result["webhooks"]["later_than_3_s"], webhook["cold_start_probability"]

    late, cold = late_and_cold(3000)
    assert 0.01 < cold <= late < cold + 0.005
    assert late_and_cold(600)[0] == 0


def test_the_document_has_exactly_the_documented_keys(peak):
    assert list(peak) == [
        *("environment", "workload", "functions", "webhooks", "alerts", "stream", "targets", "passed"),
        "not_simulated",
    ]
    for function in peak["functions"].values():
        assert list(function) == [
            *("invocations", "throttles", "throttle_probability", "concurrency", "cold_start_probability"),
            "environments",
        ]
        assert (
            list(function["throttle_probability"]),
            list(function["concurrency"]),
            list(function["environments"]),
        ) == (
            *(["mean", "ci95"], ["mean", "peak"]),
            ["mean"],
        )
    counts = ["offered", "accepted", "failed", "throttled_at_gateway", "throttled_at_lambda"]
    assert list(peak["webhooks"]) == [*counts, "latency_ms", "later_than_3_s"]
    assert list(peak["webhooks"]["latency_ms"]) == list(peak["alerts"]["latency_ms"]) == ["p50", "p95", "p99"]
    assert list(peak["alerts"]) == ["notified", "dropped", "latency_ms"]
    assert (list(peak["stream"]), list(peak["stream"]["iterator_age_ms"])) == (
        ["iterator_age_ms", "utilisation", "dropped"],
        ["p99", "max"],
    )
    assert all(list(target) == ["name", "target", "measured", "ci95", "verdict"] for target in peak["targets"])
    assert json.loads(json.dumps(dict(peak), allow_nan=False)) == dict(peak)


def test_the_peak_agrees_with_the_sizing(peak, environment):
    """The two computations share no code: formulas, and events on the resulting template."""
    from generator.capacity.sizing import size

    sizing = size(environment())
    measured = {target.name: target.measured for target in peak.targets}
    throttled = measured["webhook_throttle_probability"]
    assert throttled.low <= sizing["ProcessWebhookFunction"].predicted <= throttled.high
    assert measured["stream_utilisation"].mean == pytest.approx(sizing["CheckAlertsFunction"].predicted, rel=0.02)
    for name in ("ProcessWebhookFunction", "SendNotificationFunction"):
        concurrency = peak["functions"][name]["concurrency"]["mean"]
        assert concurrency == pytest.approx(sizing[name].offered_load_erlangs, rel=0.03)


def test_no_more_notifications_are_late_than_the_sizing_predicts(peak, environment):
    from generator.capacity.sizing import size

    late = next(target.measured for target in peak.targets if target.name == "notification_wait_probability")
    predicted = size(environment())["SendNotificationFunction"].predicted
    assert late.interval[0] < predicted < 0.01
    assert predicted / 2 < late.mean


def test_a_reservation_of_8_misses_the_target_and_is_the_remedy(template, environment):
    reserve(template, ProcessWebhookFunction=8)
    result = simulate(template, environment("prod", SHORT), hours=0.05, replications=2)
    assert verdicts(result)["webhook_throttle_probability"] == "missed"
    assert not result["passed"]
    assert remedies(result) == {"webhook_throttle_probability": "ProcessWebhookFunction's reservation of 8"}


def test_no_webhook_is_lost_if_the_usage_plan_admits_none_while_the_function_is_full(committed, environment):
    template = reserve(committed("dev"), ProcessWebhookFunction=1)
    template["Resources"]["WebhookUsagePlan"]["Properties"]["Throttle"] = {"RateLimit": 6, "BurstLimit": 1}
    constant = "{mean_duration_ms=150,p95_duration_ms=150,cold_start_ms=0,distribution='constant'}"
    dev = environment("dev", SHORT, f"functions.process_webhook={constant}")
    result = simulate(template, dev, workload="poisson", replications=2, workers=1)
    assert result.targets[1].measured.mean == 0


def test_205_reserved_of_300_could_not_be_created(template, environment):
    reserve(template, ProcessWebhookFunction=100, CheckAlertsFunction=50)
    reserve(template, SendNotificationFunction=50, CleanupHistoryFunction=5)
    tight = environment("prod", SHORT, "account.concurrency_limit=300")
    result = simulate(template, tight, hours=0.02, replications=2)
    assert result["targets"][0] == {
        "name": "reserved_concurrency",
        "target": 200,
        "measured": 205,
        "ci95": [205, 205],
        "verdict": "missed",
    }
    assert "could not be created" in remedies(result)["reserved_concurrency"]
    assert not result["passed"]
    assert (
        simulate(template, tight, hours=0.02, replications=2, unreserved=True, workers=1)["targets"][0]["verdict"]
        == "met"
    )


@pytest.mark.parametrize(
    ("change", "overrides", "unreserved", "remedy", "cause"),
    [
        pytest.param(
            ("WebhookUsagePlan", "Throttle", {"RateLimit": 60, "BurstLimit": 20}),
            (),
            False,
            "WebhookUsagePlan's rate and burst, which follow ProcessWebhookFunction's reservation of 20",
            Cause.FOLLOWING_PLAN,
            id="gateway rate",
        ),
        pytest.param(
            ("WebhookUsagePlan", "Throttle", {"RateLimit": 60, "BurstLimit": 25}),
            (),
            False,
            "WebhookUsagePlan's rate and burst",
            Cause.PLAN,
            id="gateway rate that follows no reservation",
        ),
        pytest.param(
            ("WebhookUsagePlan", "Throttle", {"RateLimit": 1}),
            (),
            True,
            "WebhookUsagePlan's rate and burst",
            Cause.PLAN,
            id="gateway rate without a burst or a reservation",
        ),
        pytest.param(
            ("WebhookUsagePlan", "Quota", {"Limit": 3000, "Period": "DAY"}),
            (),
            False,
            "WebhookUsagePlan's quota",
            Cause.QUOTA,
            id="daily quota",
        ),
        pytest.param(
            ("ProcessWebhookFunction", "ReservedConcurrentExecutions", 6),
            ("functions.process_webhook.mean_duration_ms=20", "functions.process_webhook.p95_duration_ms=40"),
            False,
            "ProcessWebhookFunction's reservation of 6, which allows ten requests a second per unit",
            Cause.UNITS,
            id="request rate of short runs",
        ),
        pytest.param(
            ("ProcessWebhookFunction", "Timeout", 30),
            ("simulation.account_load=990",),
            True,
            "the account's concurrency limit",
            Cause.OTHER,
            id="load of others in the account",
        ),
    ],
)
def test_the_remedy_is_the_limit_that_refused_most(template, environment, change, overrides, unreserved, remedy, cause):
    resource, key, value = change
    template["Resources"][resource]["Properties"][key] = value
    result = simulate(
        template,
        environment("prod", NO_RETRIES, "simulation.warm_up_s=10", *overrides),
        hours=0.03,
        replications=4,
        unreserved=unreserved,
        workers=1,
    )
    assert remedies(result)["webhook_throttle_probability"] == remedy
    (target,) = (one for one in result.targets if one.name == "webhook_throttle_probability")
    assert target.limits[0].cause == cause
    assert target.limits[0].function == ("" if cause is Cause.OTHER else "ProcessWebhookFunction")


def test_the_remedy_for_a_slow_stream_is_its_lanes_or_its_reservation(template, environment):
    mapping = template["Resources"]["CheckAlertsEventSourceMapping"]["Properties"]
    mapping["ParallelizationFactor"] = 1
    options = {"hours": 0.03, "replications": 4, "workers": 1}
    assert remedies(simulate(template, environment("prod", SHORT), **options)) == {
        "stream_utilisation": "CheckAlertsEventSourceMapping's ParallelizationFactor of 1"
    }
    mapping["ParallelizationFactor"] = 2
    reserve(template, CheckAlertsFunction=1)
    assert remedies(simulate(template, environment("prod", SHORT), **options)) == {
        "stream_utilisation": "CheckAlertsFunction's reservation of 1"
    }


CONSTANT = 'functions.{0}.distribution="constant"', "functions.{0}.mean_duration_ms={1}"


@pytest.mark.parametrize(
    ("function", "timeout_s", "duration_ms", "missed", "remedy", "cause"),
    [
        pytest.param(
            "process_webhook",
            3,
            4000,
            "webhook_throttle_probability",
            "ProcessWebhookFunction's Timeout of 3 s, which its runs exceed",
            Cause.TIMEOUT,
            id="webhooks time out",
        ),
        pytest.param(
            "process_webhook",
            60,
            28_700,
            "webhook_throttle_probability",
            "ProcessWebhookFunction's duration: API Gateway waits only 29 s for an answer",
            Cause.LATE_ANSWER,
            id="answers come too late",
        ),
        pytest.param(
            "send_notification",
            1,
            2000,
            "notification_wait_probability",
            "SendNotificationFunction's Timeout of 1 s, which its runs exceed",
            Cause.TIMEOUT,
            id="notifications time out",
        ),
        pytest.param(
            "check_alerts",
            2,
            4000,
            "stream_utilisation",
            "CheckAlertsFunction's Timeout of 2 s, which its runs exceed",
            Cause.TIMEOUT,
            id="batches time out",
        ),
    ],
)
def test_runs_that_time_out_miss_the_target_without_any_throttle(
    template, environment, function, timeout_s, duration_ms, missed, remedy, cause
):
    name = "".join(part.title() for part in function.split("_")) + "Function"
    template["Resources"][name]["Properties"]["Timeout"] = timeout_s
    reserve(template, **{name: 200})
    slow = [setting.format(function, duration_ms) for setting in CONSTANT]
    settings = (
        "traffic.webhooks_per_hour=600",
        "simulation.environment_idle_timeout_s=1",
        "account.concurrency_limit=2000",
        "simulation.warm_up_s=60",
        NO_RETRIES,
    )
    options = {"hours": 0.1, "replications": 3, "workers": 1}
    result = simulate(template, environment("prod", *slow, *settings), **options)
    target = next(target for target in result.targets if target.name == missed)
    assert (target.verdict, target.limits[0].text, result.passed) == ("missed", remedy, False)
    assert (target.limits[0].cause, target.limits[0].function) == (cause, name)
    assert target.measured.mean <= 1


def test_correlated_crossings_make_notifications_wait(template, environment):
    result = simulate(
        template,
        environment("prod", SHORT, "traffic.alerts_per_crossing=10"),
        hours=0.1,
        replications=2,
        workers=1,
    )
    assert remedies(result) == {"notification_wait_probability": "SendNotificationFunction's reservation of 5"}


def test_the_result_depends_on_the_seed_but_not_on_the_number_of_workers(template, environment):
    def run(workers, seed=1):
        return simulate(template, environment("staging", SHORT), hours=0.1, replications=3, seed=seed, workers=workers)

    one, three = run(1), run(3)
    assert json.dumps(dict(one)) == json.dumps(dict(three))
    assert one.chart == three.chart
    assert json.dumps(dict(one)) != json.dumps(dict(run(1, seed=2)))


SCRIPT = """
import json, sys
from pathlib import Path
from generator.config import files
from generator.simulation import simulate
template = json.loads(Path("templates_out/staging.json").read_text())
found = simulate(template, files.load_named(["staging"])[0], workload="spike", hours=0.2, replications=2, workers=1)
print(sys.version_info[:2], json.dumps(dict(found)))
"""


def interpreters():
    """Yield an interpreter or None for each Python from 3.11 to 3.13, from PATH and from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in (11, 12, 13):
        found = [*sorted(pyenv.glob(f"3.{minor}.*/bin/python")), shutil.which(f"python3.{minor}")]
        if sys.version_info[:2] == (3, minor):
            found = [sys.executable]
        yield next((str(path) for path in found if path), None)


def test_the_result_is_identical_on_every_python():
    found = [python for python in interpreters() if python]
    if len(found) < 2:
        pytest.skip("only one Python from 3.11 to 3.13 is installed here")
    outputs = {}
    for number, python in enumerate(found):
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number)}
        run = subprocess.run(
            [python, "-c", SCRIPT], capture_output=True, text=True, check=True, cwd=FIXTURES, env=variables
        )
        version, _, document = run.stdout.partition(") ")
        outputs[version] = document
    assert len(set(outputs.values())) == 1, list(outputs)


def test_memory_does_not_grow_with_the_hours(template, environment):
    def peak_bytes(hours):
        task = Task(read_topology(template), environment("prod", SHORT), Steady(1.0), hours * 3600, 1)
        tracemalloc.start()
        replicate(task, 0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(0.1)
    # If each of the 10,800 additional webhooks used memory, this would be megabytes. A few histogram bins are not.
    assert peak_bytes(4) - peak_bytes(1) < 150_000


def test_a_trace_is_played_and_scaled(template, environment, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("count\n" + "600\n" * 5 + "1200\n")
    played = simulate(template, environment("prod", SHORT), trace=trace, replications=2, workers=1)
    assert (played["workload"], played.hours) == ("trace", 0.1)
    assert played["webhooks"]["offered"] == pytest.approx(2 * 4200, rel=0.04)
    scaled = simulate(
        template, environment("prod", SHORT), trace=trace, trace_per_hour=21_000, replications=2, workers=1
    )
    assert scaled["webhooks"]["offered"] == pytest.approx(2 * 2100, rel=0.06)
    assert played.chart.offered_per_s[-5] == pytest.approx(20, rel=0.3)


def test_recorded_times_that_are_drawn_anew_get_a_note(template, environment, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("time\n" + "".join(f"{row}.{row % 7}\n" for row in range(60)))
    options = {"trace": trace, "replications": 2, "workers": 1}
    assert simulate(template, environment("prod", SHORT), **options, trace_per_hour=3600)["not_simulated"] == []
    (note,) = simulate(template, environment("prod", SHORT), **options, trace_per_hour=7200)["not_simulated"]
    assert note.startswith("the recorded times: the rate is above the recorded one, so arrivals are drawn anew")


def test_a_trace_of_coarse_counts_is_played_with_a_note(template, environment, tmp_path):
    trace = tmp_path / "trace.csv"
    trace.write_text("time,count\n" + "".join(f"{row * 300},3000\n" for row in range(3)))
    played = simulate(template, environment("prod", SHORT), trace=trace, replications=2, workers=1)
    assert (played["webhooks"]["offered"], played.hours) == (pytest.approx(2 * 9000, rel=0.04), 0.25)
    assert max(played.chart.offered_per_s) < 20
    assert played["not_simulated"] == ["peaks shorter than 300 s, because the trace has one count for each 300 s"]


def test_a_slow_spike_is_simulated_beyond_its_summit(template, environment):
    """The rate rises from 2 a minute to 100 times that within an hour, from the tenth minute on."""
    settings = ("simulation.spike_onset_s=3600", "simulation.spike_factor=100", "traffic.webhooks_per_hour=120")
    options = {"workload": "spike", "replications": 2, "workers": 1}
    result = simulate(template, environment("prod", SHORT, *settings), **options)
    offered = result.chart.offered_per_s
    assert result.hours == 80 / 60
    # From 68 to 72 minutes, and from 4 to 8.
    assert sum(offered[102:108]) > 40 * sum(offered[6:12]) > 0


def test_a_part_of_a_day_gets_a_note(template, environment):
    options = {"workload": "day", "replications": 2, "workers": 1}
    result = simulate(template, environment("dev", SHORT), hours=2, **options)
    assert result["not_simulated"] == [
        "the day after its first 2 h; it starts at midnight, when it is quietest, and is busiest at noon"
    ]
    assert simulate(template, environment("dev", SHORT), **options)["not_simulated"] == []


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"hours": 0}, "hours"),
        ({"hours": float("nan")}, "hours"),
        ({"hours": 1000}, "hours"),
        ({"replications": 1}, "replications"),
        ({"workload": "trace"}, "workload"),
        ({"workload": "peak", "trace": "some.csv"}, "trace"),
        ({"trace_per_hour": 100.0}, "rate"),
        ({"trace": "one.csv", "trace_per_hour": 0.0}, "rate"),
        ({"trace": "one.csv", "trace_per_hour": float("nan")}, "rate"),
        ({"trace": "one.csv", "trace_per_hour": float("inf")}, "rate"),
        ({"trace": "busy.csv"}, "rate"),
        ({"trace": "one.csv", "hours": 2}, "hours"),
        ({"workload": "spike", "hours": 0.17}, "hours"),
        ({"workers": 0}, "workers"),
        ({"workers": -1}, "workers"),
    ],
    ids=str,
)
def test_impossible_requests_are_refused(template, environment, options, where, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("one.csv").write_text("count\n60\n")
    Path("busy.csv").write_text("count\n10000000000\n")
    with pytest.raises(InvalidSimulation) as refused:
        simulate(template, environment(), **options)
    assert [fault.where for fault in refused.value.faults] == [where]


def test_losses_are_counted_and_reported(template, environment):
    """Webhooks time out, records of a starved stream expire, and notifications of a stopped function are dropped."""
    resources = template["Resources"]
    resources["ProcessWebhookFunction"]["Properties"]["Timeout"] = 0.2
    resources["CheckAlertsEventSourceMapping"]["Properties"]["MaximumRecordAgeInSeconds"] = 60
    reserve(template, CheckAlertsFunction=1, SendNotificationFunction=0)
    slow = environment(
        "prod",
        SHORT,
        NO_RETRIES,
        "functions.check_alerts.mean_duration_ms=2000",
        "functions.check_alerts.p95_duration_ms=4000",
    )
    result = simulate(template, slow, hours=0.06, replications=2, workers=1)
    failed, old, given_up = result["webhooks"]["failed"], result["stream"]["dropped"], result["alerts"]["dropped"]
    assert min(failed, old, given_up) > 0
    text = as_text(result)
    assert f"lost: {failed:,} webhooks timed out, {old:,} records expired\n" in text
    assert f"given up after all retries: {given_up:,} notifications; Lambda passes each to" in text
    assert result["not_simulated"] == [
        "SendNotificationFunction: a reservation of 0 stops it; its events go to its failure destination at once, "
        "if it has one"
    ]
    assert verdicts(result)["notification_wait_probability"] == "missed"


@pytest.mark.parametrize("workers", [1, 2])
def test_a_budget_too_short_for_two_replications_is_not_exceeded(template, environment, workers):
    with pytest.raises(
        InvalidSimulation, match=r"^budget: 200 ms ended before two replications finished, .*--budget to"
    ):
        simulate(template, environment("prod", SHORT), hours=24, budget_s=0.2, workers=workers)


@pytest.fixture
def clock_s(monkeypatch):
    """Replace the clock by one on which a thousand attempts to send a webhook take a second."""
    clock_s, handle = [0.0], Gateway.run

    def run(gateway, until_s):
        offered = gateway.offered
        reached_s = handle(gateway, until_s)
        clock_s[0] += (gateway.offered - offered) / 1000
        return reached_s

    monkeypatch.setattr(Gateway, "run", run)
    monkeypatch.setattr(time, "time", lambda: clock_s[0])
    return clock_s


@pytest.mark.parametrize("unreserved", [False, True])
def test_a_budget_bounds_the_warm_up_and_the_error_names_one_that_suffices(template, environment, clock_s, unreserved):
    made = environment("prod", "simulation.warm_up_s=150")
    options = {"hours": 0.005, "unreserved": unreserved, "workers": 1}
    with pytest.raises(InvalidSimulation) as raised:
        simulate(template, made, budget_s=1.0, **options)
    assert clock_s[0] < 2
    budget_s = float(re.search(r"raise --budget to about (\S+) s,", str(raised.value))[1])
    assert simulate(template, made, budget_s=budget_s, **options).replications >= 2


def test_the_time_that_an_unfinished_replication_needs_includes_retries(template, environment, clock_s):
    """The function runs nothing, so senders repeat every webhook after 5 s and again after 5 min."""
    topology = read_topology(reserve(template, ProcessWebhookFunction=0))
    task = Task(topology, environment("prod", SHORT), Steady(7.0), 720.0, 1)
    unfinished = _replicate_before(task, 1.0, 0)
    clock_s[0] = 0.0
    replicate(task, 0)
    assert clock_s[0] <= unfinished.needed_s


def test_senders_heed_the_retry_after_of_the_template(template, environment):
    """Lambda throttles every webhook. With a Retry-After of an hour, all attempts are first ones."""
    reserve(template, ProcessWebhookFunction=0)
    busy = environment("dev", SHORT, "traffic.webhooks_per_hour=5000")
    options = {"hours": 0.01, "replications": 2, "workers": 1}

    def offered(environment):
        return simulate(template, environment, **options)["webhooks"]["offered"]

    with_retries = offered(busy)
    header = template["Resources"]["Default5xxResponse"]["Properties"]["ResponseParameters"]
    header["gatewayresponse.header.Retry-After"] = "'3600'"
    once = offered(environment("dev", SHORT, NO_RETRIES, "traffic.webhooks_per_hour=5000"))
    assert offered(busy) == once < with_retries


@pytest.mark.parametrize(
    ("resource", "key", "value"),
    [
        ("WebhookUsagePlan", "Throttle", {"RateLimit": 0, "BurstLimit": 20}),
        (
            "WebhookStage",
            "MethodSettings",
            [{"HttpMethod": "*", "ResourcePath": "/*", "ThrottlingRateLimit": 0, "ThrottlingBurstLimit": 0}],
        ),
    ],
)
def test_a_rate_limit_of_0_refuses_everything(template, environment, resource, key, value):
    template["Resources"][resource]["Properties"][key] = value
    options = {"hours": 0.01, "replications": 2, "workers": 1}
    webhooks = simulate(template, environment("dev", SHORT, "traffic.webhooks_per_hour=5000"), **options)["webhooks"]
    assert webhooks["offered"] == webhooks["throttled_at_gateway"] > 0


def test_a_function_that_is_not_understood_is_left_out_and_the_rest_simulated(template, environment):
    template["Parameters"]["Unset"] = {"Type": "Number"}
    reserve(template, SendNotificationFunction={"Ref": "Unset"})
    result = simulate(template, environment("prod", SHORT), hours=0.01, replications=2, workers=1)
    assert "notification_wait_probability" not in verdicts(result)
    assert result["not_simulated"] == ["SendNotificationFunction: parameter Unset has no default"]


def test_replications_stop_when_every_target_is_decided_whatever_the_budget(template, environment):
    """Without alerts there is no share of notifications to decide, and 8 units refuse many webhooks."""
    reserve(template, ProcessWebhookFunction=8)
    made = environment("prod", SHORT, "traffic.alerts_per_webhook=0")
    options = {"hours": 0.01, "workers": 1}
    first, second = (simulate(template, made, budget_s=budget_s, **options) for budget_s in (60.0, 90.0))
    assert first.replications in (10, 15, 23)
    assert first.document == second.document
    assert verdicts(first)["webhook_throttle_probability"] == "missed"
    assert verdicts(first)["stream_utilisation"] == "met"


def test_progress_is_reported_once_per_replication(template, environment):
    calls = []
    options = {"hours": 0.01, "replications": 3, "workers": 1}
    simulate(template, environment("prod", SHORT), progress=lambda share, done: calls.append((share, done)), **options)
    assert calls == [(pytest.approx(done / 3), done) for done in (1, 2, 3)]
