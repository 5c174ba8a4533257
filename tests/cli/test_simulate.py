"""Output, exit codes and errors of `generator simulate`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator._runtime import usable_processors
from tests.processes import started_with

Run = Callable[..., Result]
QUICK = ("--set", "simulation.warm_up_s=20", "--hours", "0.02", "--replications", "2")


@pytest.mark.slow
def test_simulate_reports_on_the_committed_template(generator: Run) -> None:
    result = generator("simulate", "prod", *QUICK)
    assert result.exit_code == 0
    assert "prod, workload peak: 2 replications of 1.2 min, seed 1" in result.stdout
    assert "webhooks throttled" in result.stdout
    assert "simulated in" in result.stderr


@pytest.mark.slow
def test_the_json_has_the_documented_keys_and_no_clock_reading(generator: Run) -> None:
    one, other = (generator("simulate", "prod", *QUICK, "--format", "json").stdout for _ in range(2))
    assert one == other
    report = json.loads(one)
    assert report.keys() == {
        *("environment", "workload", "functions", "webhooks", "alerts", "stream", "targets", "passed"),
        *("not_simulated", "remedies"),
    }
    assert report["functions"]["ProcessWebhookFunction"].keys() == {
        *("invocations", "throttles", "throttle_probability", "concurrency", "cold_start_probability", "environments")
    }
    assert report["webhooks"].keys() == {
        *("offered", "accepted", "failed", "throttled_at_gateway", "throttled_at_lambda", "latency_ms"),
        "later_than_3_s",
    }
    assert all({"name", "target", "measured", "ci95", "verdict"} == target.keys() for target in report["targets"])


@pytest.mark.slow
def test_a_missed_target_exits_with_1_and_names_the_first_change(generator: Run, project: Path) -> None:
    path = Path("templates_out/prod.json")
    small = path.read_text().replace('"ReservedConcurrentExecutions": 20', '"ReservedConcurrentExecutions": 8')
    Path("small.json").write_text(small)
    result = generator("simulate", "prod", "--template", "small.json", "--hours", "0.1", "--replications", "2")
    assert result.exit_code == 1
    assert "missed; change first: ProcessWebhookFunction's reservation of 8" in result.stdout


@pytest.mark.slow
def test_a_template_that_could_not_be_deployed_is_reported(generator: Run, project: Path) -> None:
    text = Path("templates_out/prod.json").read_text()
    for old, new in ((20, 100), (10, 50), (5, 50), (2, 5)):
        text = text.replace(f'"ReservedConcurrentExecutions": {old},', f'"ReservedConcurrentExecutions": {new},')
    Path("guess.json").write_text(text)
    arguments = ("--template", "guess.json", "--set", "account.concurrency_limit=300")
    result = generator("simulate", "prod", *arguments, *QUICK)
    assert result.exit_code == 1
    assert "their sum is 205, but only 200 of the account's 300 can be reserved" in result.stdout
    assert "could not be created" in result.stdout


@pytest.mark.slow
def test_reservations_of_other_environments_are_listed_as_not_simulated(generator: Run, project: Path) -> None:
    for name in ("dev", "prod"):
        path = Path(f"environments/{name}.toml")
        path.write_text(path.read_text() + '\n[account]\nname = "one"\n')
    report = json.loads(generator("simulate", "prod", *QUICK, "--format", "json").stdout)
    assert report["not_simulated"] == [
        "dev: reservations in the same account are not simulated; generator check includes them"
    ]
    assert json.loads(generator("simulate", "staging", *QUICK, "--format", "json").stdout)["not_simulated"] == []


@pytest.mark.slow
def test_a_yaml_template_gives_the_same_result(generator: Run, project: Path) -> None:
    from cfn_flip import to_yaml

    Path("prod.yaml").write_text(to_yaml(Path("templates_out/prod.json").read_text()))
    one = generator("simulate", "prod", *QUICK, "--format", "json")
    other = generator("simulate", "prod", "--template", "prod.yaml", *QUICK, "--format", "json")
    assert other.exit_code == 0
    assert other.stdout == one.stdout


@pytest.mark.slow
def test_a_trace_is_replayed_and_can_be_scaled(generator: Run, project: Path) -> None:
    Path("trace.csv").write_text("start,webhooks\n" + "".join(f"{minute * 60},60\n" for minute in range(5)))
    result = generator("simulate", "dev", "--trace", "trace.csv", "--replications", "2", "--format", "json")
    assert json.loads(result.stdout)["workload"] == "trace"
    scaled = generator(
        "simulate", "dev", "--trace", "trace.csv", "--rate", "7200", "--replications", "2", "--format", "json"
    )
    offered = [json.loads(r.stdout)["webhooks"]["offered"] for r in (result, scaled)]
    assert offered[1] > offered[0] * 1.5


@pytest.mark.parametrize("time", ["0", "-1", "2 h", "soon", "0s", "1ms"])
def test_a_budget_that_is_not_a_time_is_a_usage_error(generator: Run, time: str) -> None:
    result = generator("simulate", "prod", "--budget", time)
    assert result.exit_code == 2
    assert f"'{time}' is not a time above 0 in s, m or h. Write for example 90s, 5m or 1h." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--template", "none.json"), "none.json: no such file; correct the path"),
        (("--template", "bad.json"), "bad.json: neither JSON nor YAML"),
        (("--trace", "none.csv"), "none.csv: No such file or directory"),
        (("--workload", "trace"), "workload: trace needs a file; name one with --trace FILE.csv"),
        (("--hours", "-1"), "hours: -1 is out of range"),
        (
            ("--rate", "100"),
            "rate: it scales a trace, but the workload peak plays none; name a trace with --trace",
        ),
        (("--trace", "trace.csv", "--rate", "nan"), "rate: nan webhooks per hour is out of range"),
        (
            ("--workload", "spike", "--hours", "0.1"),
            "hours: the spike peaks after 630 s, but the simulation ends after 360 s; write more than "
            "0.175 or leave it out",
        ),
        (
            ("--replications", "1"),
            "replications: 1 is too few: an interval needs the spread of at least 2",
        ),
    ],
)
def test_wrong_input_is_reported_in_one_line(
    generator: Run, project: Path, arguments: tuple[str, ...], message: str
) -> None:
    Path("bad.json").write_text("{]: [")
    Path("trace.csv").write_text("count\n60\n")
    result = generator("simulate", "prod", *arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(message)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none/hour.svg", "none/hour.svg: No such file or directory; name a file that can be written"),
        ("folder.svg", "folder.svg: Is a directory; name a file that can be written"),
    ],
)
def test_an_unwritable_chart_is_reported_before_the_simulation(
    generator: Run, project: Path, path: str, message: str
) -> None:
    Path("folder.svg").mkdir()
    result = generator("simulate", "prod", "--chart", path)
    assert (result.exit_code, result.stdout, result.stderr.splitlines()) == (2, "", [message])


def test_missing_matplotlib_is_reported_before_the_simulation(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = generator("simulate", "prod", "--chart", "hour.svg")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("--chart: matplotlib is not installed; run: ")


@pytest.mark.slow
def test_the_simulation_can_be_drawn(generator: Run, project: Path) -> None:
    result = generator("simulate", "prod", *QUICK, "--chart", "hour.svg")
    assert result.exit_code == 0
    assert Path("hour.svg").read_text().startswith("<?xml")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or usable_processors() < 2, reason="no workers, or no /proc")
@pytest.mark.parametrize("after_s", [pytest.param(0, id="as the workers start"), pytest.param(1.5, id="at work")])
@pytest.mark.parametrize(
    ("sent", "send", "code"),
    [
        pytest.param(signal.SIGINT, os.killpg, 1, id="Ctrl-C, sent to the process group"),
        pytest.param(signal.SIGTERM, os.kill, 143, id="SIGTERM"),
        pytest.param(signal.SIGKILL, os.kill, -9, id="SIGKILL"),
    ],
)
def test_ending_the_command_ends_its_workers_at_once(
    project: Path, tmp_path: Path, sent: signal.Signals, send: Callable[[int, int], None], code: int, after_s: float
) -> None:
    command = [sys.executable, "-m", "generator", "simulate", "prod", "--hours", "24", "--replications", "20"]
    env = {**os.environ, "THIS_TEST": str(tmp_path)}
    with subprocess.Popen(command, env=env, stderr=subprocess.PIPE, start_new_session=True) as process:
        while len(started_with(str(tmp_path))) < 3:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(after_s)
        send(process.pid, sent)
        try:
            _, errors = process.communicate(timeout=20)
        finally:
            for left in started_with(str(tmp_path)):
                os.kill(left, signal.SIGKILL)
    assert process.returncode == code
    if sent == signal.SIGINT:
        announced, *end = errors.splitlines()
        assert announced.startswith(b"about ")
        assert b"".join(end) == b"Aborted!"
