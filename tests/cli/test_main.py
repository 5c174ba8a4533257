"""Output, exit codes and imports of the commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from click.testing import Result

from generator.cli.main import COMMANDS
from generator.stack import functions
from tests.conftest import ROOT, snapshot
from tests.stack.model import TEXTS

Run = Callable[..., Result]


def test_template_leaves_up_to_date_files_unchanged(generator: Run, project: Path) -> None:
    before = snapshot(project)
    result = generator("template")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"templates_out/{name}.json  {rate} webhooks/h  {figures} reserved of 900  {len(TEXTS[name]):,} bytes, "
        f"{51_200 - len(TEXTS[name]):,} left of 51,200  unchanged"
        for name, rate, figures in (
            ("dev", "100", "3 + 5 + 1 + 2 = 11"),
            ("prod", "50,000", "20 + 10 + 5 + 2 = 37"),
            ("staging", "5,000", "7 + 5 + 3 + 2 = 17"),
        )
    ]
    assert snapshot(project) == before


def test_template_prints_one_environment(generator: Run, project: Path) -> None:
    before = snapshot(project)
    result = generator("template", "prod", "--output", "-")
    assert (result.exit_code, result.stdout) == (0, TEXTS["prod"])
    assert snapshot(project) == before
    assert generator("template", "--output", "-").exit_code == 2


def test_template_writes_to_another_folder(generator: Run, project: Path) -> None:
    assert generator("template", "dev", "--output", "elsewhere").exit_code == 0
    assert (project / "elsewhere/dev.json").read_text() == TEXTS["dev"]


def test_an_override_prints_the_line_that_makes_it_permanent(generator: Run) -> None:
    result = generator("template", "prod", "--set", "traffic.webhooks_per_hour=20000", "--set", "stream.batch_size=20")
    assert result.stdout.splitlines()[1:] == [
        "To make this permanent: environments/prod.toml line 6: webhooks_per_hour = 20000",
        "To make this permanent: environments/prod.toml, under [stream]: batch_size = 20",
    ]


def test_a_fault_in_one_environment_prevents_all_output(generator: Run, project: Path) -> None:
    Path("environments/dev.toml").write_text("name = 'dev'\n")
    before = snapshot(project)
    assert generator("template").exit_code == 2
    assert snapshot(project) == before


SIZE_PROD = """\
prod: 50,000 webhooks per hour, 13.9/s on average, 69.4/s at the peak (peak factor 5)

Function                    Rate      Load  Model               Target  Predicted  Reserved
------------------------  ------  --------  ------------  ------------  ---------  --------
ProcessWebhookFunction    69.4/s       7.3  Erlang B         <= 0.01 %   0.0052 %        20
CheckAlertsFunction       7.89/s      1.97  stream lanes  <= 50 % busy  35 % busy        10
SendNotificationFunction  3.47/s      1.04  alert bursts        <= 1 %     0.95 %         5
CleanupHistoryFunction       1/h  0.000556  overlap                  -          -         2
------------------------  ------  --------  ------------  ------------  ---------  --------
Total                                                                                    37
"""


def test_size_prints_a_table_with_reasons_and_the_account(generator: Run) -> None:
    result = generator("size", "prod")
    assert result.exit_code == 0
    assert result.stdout.startswith(SIZE_PROD)
    assert "20 is the smallest reservation that throttles at most 0.01 % of webhooks" in result.stdout
    assert "1,000 limit - 100 unreserved floor - 0 reserved elsewhere = 900 reservable" in result.stdout
    assert "Reserved concurrency itself is free," in result.stdout


def test_size_as_json_has_the_documented_keys(generator: Run) -> None:
    report = json.loads(generator("size", "prod", "--format", "json").stdout)
    assert report.keys() == {
        "environment",
        "webhooks_per_hour",
        "source_rates_per_s",
        "functions",
        "total_reserved",
        "account",
        "sms",
        "cautions",
    }
    function = report["functions"]["ProcessWebhookFunction"]
    assert list(function) == [
        *("reserved_concurrency", "model", "offered_load_erlangs", "target", "predicted", "inputs", "reason")
    ]
    assert list(report["account"]) == [
        *("name", "concurrency_limit", "unreserved_floor", "reserved_elsewhere", "reservable", "headroom")
    ]
    assert (report["total_reserved"], report["account"]["headroom"]) == (37, 863)


def test_size_shows_the_derivation_even_if_the_total_does_not_fit(generator: Run) -> None:
    result = generator("size", "prod", "--set", "account.concurrency_limit=130")
    assert result.exit_code == 1
    assert (
        "Total                                                                                    37" in result.stdout
    )
    assert "7 too many" in result.stderr


@pytest.mark.slow
def test_check_passes_on_the_committed_templates(generator: Run) -> None:
    fullest = max(TEXTS, key=lambda name: len(TEXTS[name]))
    result = generator("check")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "dev, prod, staging: lint, size, drift and quota are good",
            f"{fullest}: {51_200 - len(TEXTS[fullest]):,} bytes left of 51,200; the others have more",
            "dev, prod, staging: SMS budget not checked; set sms.price_usd_per_message",
        ],
    )


@pytest.mark.slow
def test_check_reports_the_line_and_the_fix_of_drift(generator: Run) -> None:
    path = Path("templates_out/prod.json")
    path.write_text(path.read_text().replace('"Timeout": 60,', '"Timeout": 61,'))
    result = generator("check", "prod")
    assert result.exit_code == 1
    line = [line.strip() for line in TEXTS["prod"].splitlines()].index('"Timeout": 60,') + 1
    assert result.stdout.startswith(f"templates_out/prod.json:{line}: error drift: not what environments/prod.toml ")
    assert "run: generator template prod" in result.stdout
    assert re.search(r'^ *\+ +"Timeout": 60,$', result.stdout, re.MULTILINE)
    assert '"Timeout": 61' in path.read_text()


@pytest.mark.slow
def test_an_unknown_region_is_one_finding_among_others(generator: Run) -> None:
    toml = Path("environments/dev.toml")
    toml.write_text(toml.read_text().replace("us-east-1", "us-east-9"))
    result = generator("check", "dev")
    assert (result.exit_code, result.stderr) == (1, "")
    assert (
        "templates_out/dev.json:1: error E0002: cfn-lint does not know the Region us-east-9: correct the "
        "environment's, or upgrade cfn-lint\n"
    ) in result.stdout


@pytest.mark.slow
def test_a_template_without_an_environment_is_reported(generator: Run) -> None:
    Path("environments/staging.toml").unlink()
    done = generator("template")
    assert (done.exit_code, done.stderr) == (
        0,
        "templates_out/staging.json: no environment generates this template; delete it and its page\n",
    )
    result = generator("check")
    assert (result.exit_code, result.stdout) == (
        1,
        "templates_out/staging.json:1: error drift: there is no environments/staging.toml that generates it; remove it "
        "and staging.md, or bring the environment back\n",
    )
    assert generator("check", "prod").exit_code == 0
    Path("other").mkdir()
    Path("other/foreign.json").write_text("{}")
    assert generator("template", "--output", "other").stderr == ""
    Path("templates_out/staging.json").unlink()
    assert (generator("template").stderr, generator("check").exit_code) == ("", 0)


@pytest.mark.slow
def test_check_reports_a_changed_rate_a_missing_file_and_lint(generator: Run) -> None:
    toml = Path("environments/prod.toml")
    toml.write_text(toml.read_text().replace("50000", "40000"))
    Path("templates_out/dev.json").unlink()
    staging = Path("templates_out/staging.json")
    staging.write_text(staging.read_text().replace('"Runtime": "python3.13"', '"Runtime": "python3.99"', 1))
    report = json.loads(generator("check", "--format", "json").stdout)
    found = {(finding["file"], finding["rule"]) for finding in report["findings"]}
    assert not report["passed"]
    assert {
        ("templates_out/prod.json", "drift"),
        ("templates_out/dev.json", "drift"),
        ("templates_out/staging.json", "drift"),
        ("templates_out/staging.json", "E3030"),
    } <= found
    assert list(report["findings"][0]) == ["file", "line", "rule", "severity", "path", "message"]


@pytest.mark.slow
def test_check_reports_an_account_that_is_now_too_small(generator: Run) -> None:
    with Path("environments/prod.toml").open("a") as file:
        file.write("[account]\nconcurrency_limit = 130\n")
    result = generator("check", "prod")
    assert result.exit_code == 1
    assert "error quota" in result.stdout
    assert "7 too many" in result.stdout


@pytest.mark.slow
def test_check_reports_a_file_too_large_to_deploy_without_a_bucket(generator: Run) -> None:
    path = Path("templates_out/dev.json")
    path.write_text(path.read_text() + " " * 10_000)
    size_bytes = path.stat().st_size
    expected = f"{size_bytes:,} bytes are {size_bytes - 51_200:,} more than the 51,200"
    printed = generator("check", "dev").stdout
    assert expected in printed
    assert 'upload_bucket = "YOUR-BUCKET" under [deployment] in environments/dev.toml' in printed
    with Path("environments/dev.toml").open("a") as file:
        file.write('[deployment]\nupload_bucket = "my-templates"\n')
    assert "template-size" not in generator("check", "dev").stdout


def enlarge_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the templates over the limit of a direct upload."""
    shipped = functions.shipped_lines
    monkeypatch.setattr(functions, "shipped_lines", lambda handler: (*shipped(handler), f"# {'x' * 6_000}"))


def test_a_template_that_is_too_large_is_refused_with_the_remedy(
    generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enlarge_handlers(monkeypatch)
    before = snapshot(project)
    for arguments in (["dev"], ["dev", "--output", "-"]):
        result = generator("template", *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert re.fullmatch(
            r"dev\.json: ([\d,]+) bytes are [\d,]+ more than the 51,200 that CloudFormation accepts without an upload; "
            r'write upload_bucket = "YOUR-BUCKET" under \[deployment\] in environments/dev\.toml, which raises the '
            r"limit to 1,000,000\nNothing was written\.\n",
            result.stderr,
        )
    assert snapshot(project) == before


def test_an_upload_bucket_raises_the_limit_and_appears_in_the_deploy_command(
    generator: Run, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enlarge_handlers(monkeypatch)
    result = generator("template", "dev", "--set", "deployment.upload_bucket=my-templates")
    assert result.exit_code == 0
    assert re.search(r" [\d,]+ bytes, [\d,]+ left of 1,000,000  written\n", result.stdout)
    assert '"Type": "AWS::Lambda::Function"' in Path("templates_out/dev.json").read_text(), "laid out with spaces"
    page = Path("templates_out/dev.md").read_text()
    assert (
        "--template-file templates_out/dev.json --capabilities CAPABILITY_IAM \\\n  --s3-bucket my-templates\n" in page
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["template"],
        ["size", "prod"],
        ["template", "prod", "--output", "-"],
        ["check", "--help"],
        ["rules", "--path"],
        ["preflight", "--help"],
    ],
)
def test_the_main_commands_import_neither_boto3_nor_cfnlint(project: Path, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom generator.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {'boto3', 'botocore', 'cfnlint', 'matplotlib', 'moto'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_has_help_with_an_example(generator: Run, command: str) -> None:
    result = generator(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"Example: generator {command}" in result.stdout


def test_python_m_generator_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "generator", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("generator, version ")


def test_a_bug_keeps_its_traceback(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from generator.capacity import quota

    monkeypatch.setattr(quota, "judge", lambda plans: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        generator("size", "prod")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["size", "prod"], ["template", "prod", "--output", "-"]])
def test_a_full_disk_is_reported_in_one_line(project: Path, arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "generator", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    message = "output: cannot be written (No space left on device); free some space or write elsewhere\n"
    assert (done.returncode, done.stderr) == (2, message)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "blamed"),
    [
        (["check"], "templates_out/dev.json"),
        (["check", "prod"], "templates_out/prod.json"),
        (["check", "templates_out/prod.json"], "templates_out/prod.json"),
        (["check", "x" * 300], f"environments/{'x' * 300}.toml"),
        (["diff", "prod", "prod"], "templates_out/prod.json"),
        (["diff", "templates_out/prod.json", "templates_out/prod.json"], "templates_out/prod.json"),
        (["simulate", "prod"], "templates_out/prod.json"),
        (["local", "prod"], "templates_out/prod.json"),
        (["template", "prod"], "templates_out/prod.json"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_an_unreadable_folder_is_reported_in_one_line(
    generator: Run, project: Path, arguments: list[str], blamed: str
) -> None:
    """Use a link to itself: permissions do not stop root."""
    shutil.rmtree("templates_out")
    Path("templates_out").symlink_to("templates_out")
    result = generator(*arguments)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"{blamed}: cannot be ")


@pytest.mark.slow
def test_an_unreadable_page_is_reported_in_one_line(generator: Run) -> None:
    page = Path("templates_out/prod.md")
    page.unlink()
    page.symlink_to(page.name)
    result = generator("check", "prod")
    assert result.exit_code == 2
    assert result.stderr == (
        "templates_out/prod.md: cannot be read (Too many levels of symbolic links); correct the path or its "
        "permissions\n"
    )


def test_fit_trace_takes_rate_and_peak_factor_from_a_trace(generator: Run) -> None:
    Path("trace.csv").write_text("count\n" + "400\n" * 59 + "1000\n")
    result = generator("size", "prod", "--fit-trace", "trace.csv", "--format", "json")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "trace.csv: 24,600 webhooks in 1 h; variance over mean of the counts (Poisson: 1): 14.6 in 60 s",
        "[traffic]",
        "webhooks_per_hour = 24600",
        "peak_factor = 2.44",
        "trace.csv: weak: counts hide the bursts within their interval",
    ]
    assert json.loads(result.stdout)["webhooks_per_hour"] == 24_600
    Path("trace.csv").write_text("nothing\nof the kind\n")
    assert generator("size", "prod", "--fit-trace", "trace.csv").exit_code == 2


def test_an_override_takes_precedence_over_a_trace(generator: Run) -> None:
    Path("trace.csv").write_text("count\n" + "400\n" * 59 + "1000\n")
    chosen = ("--set", "traffic.peak_factor=3", "--format", "json")
    fitted = generator("size", "prod", "--fit-trace", "trace.csv", *chosen)
    assert fitted.stdout == generator("size", "prod", "--set", "traffic.webhooks_per_hour=24600", *chosen).stdout


def test_fit_trace_warns_that_coarse_counts_hide_peaks(generator: Run) -> None:
    """Use rows five minutes apart, as CloudWatch keeps them after 15 days."""
    Path("trace.csv").write_text("time,count\n" + "".join(f"{row * 300},{400 + row % 3}\n" for row in range(288)))
    result = generator("size", "prod", "--fit-trace", "trace.csv")
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "trace.csv: 115,488 webhooks in 24 h",
        "[traffic]",
        "webhooks_per_hour = 4812",
        "peak_factor = 1",
        "trace.csv: weak: its lines are 300 s apart and hide shorter peaks; the true peak factor may be higher",
        "trace.csv: weak: counts hide the bursts within their interval",
    ]


@pytest.mark.parametrize(
    ("counts", "stated", "weak"),
    [
        pytest.param(
            "5000\n" * 120,
            ["webhooks_per_hour = 50000", "peak_factor = 6"],
            [
                "measured 300,000; the setting allows 100 to 50,000, so peak_factor is 6 instead of 1 to keep the "
                "peak of 83.3/s"
            ],
            id="above the highest rate",
        ),
        pytest.param(
            "3\n" + "0\n" * 59,
            ["webhooks_per_hour = 100", "peak_factor = 1.8"],
            [
                "measured 3; the setting allows 100 to 50,000, so peak_factor is 1.8 instead of 60 to keep the peak of "
                "0.05/s"
            ],
            id="below the lowest rate",
        ),
        pytest.param(
            "1491\n" + "2\n" * 10_079,
            ["webhooks_per_hour = 1609", "peak_factor = 55.6"],
            [],
            id="a busy minute in a quiet week",
        ),
        pytest.param(
            "100000\n" * 60,
            ["webhooks_per_hour = 50000", "peak_factor = 100"],
            [
                "measured 6,000,000; the setting allows 100 to 50,000",
                "the peak of 1,670/s is above 1,390/s, the highest that the two settings can state: the reservations "
                "that follow are too small; split the sources over two stacks",
            ],
            id="above any peak",
        ),
        pytest.param(
            "1\n" * 60,
            ["webhooks_per_hour = 100", "peak_factor = 1"],
            [
                "measured 60; the setting allows 100 to 50,000",
                "the peak of 0.0167/s is below 0.0278/s, the lowest that the two settings can state: the reservations "
                "that follow may be larger than needed",
            ],
            id="below any peak",
        ),
    ],
)
def test_a_fitted_setting_outside_its_range_keeps_the_peak(
    generator: Run, counts: str, stated: list[str], weak: list[str]
) -> None:
    Path("trace.csv").write_text("count\n" + counts)
    result = generator("size", "prod", "--fit-trace", "trace.csv")
    lines = [line.removeprefix("trace.csv: weak: ") for line in result.stderr.splitlines()]
    notes = [line.removeprefix("webhooks_per_hour: ") for line in lines]
    end = notes.index("counts hide the bursts within their interval")
    assert notes[1:end] == ["[traffic]", *stated, *weak]
    assert "--set" not in result.stderr


def test_a_fit_describes_the_busiest_hour_of_a_day(generator: Run) -> None:
    """Six webhooks a minute, but in one hour, from half past nine, 117 with a busiest minute of 150."""
    counts = [6] * 570 + [117] * 30 + [150] + [117] * 29 + [6] * 810
    Path("trace.csv").write_text("count\n" + "\n".join(map(str, counts)))
    result = generator("size", "prod", "--fit-trace", "trace.csv", "--format", "json")
    assert {"webhooks_per_hour = 7053", "peak_factor = 1.28"} < set(result.stderr.splitlines())
    process = json.loads(result.stdout)["functions"]["ProcessWebhookFunction"]
    assert process["inputs"]["arrival_rate_per_s"] == pytest.approx(150 / 60, rel=0.005)


def test_a_recording_below_a_minute_has_no_peak_factor_to_raise(generator: Run) -> None:
    Path("trace.csv").write_text("time\n" + "".join(f"{second}.{second % 7}\n" for second in range(20)))
    result = generator("size", "prod", "--fit-trace", "trace.csv")
    assert "peak_factor = 1" in result.stderr.splitlines()
    assert "chance" not in result.stderr


@pytest.mark.slow
def test_size_draws_the_reservations_against_the_rate(generator: Run) -> None:
    result = generator("size", "prod", "--chart", "sizing.svg")
    assert result.exit_code == 0
    assert Path("sizing.svg").read_text().startswith("<?xml")
    assert "wrote sizing.svg" in result.stderr


def test_conflicting_options_are_refused_before_the_chart_is_drawn(generator: Run) -> None:
    result = generator("size", "prod", "--max-rate", "--for-rate", "100", "--chart", "sizing.svg")
    assert (result.exit_code, Path("sizing.svg").exists()) == (2, False)


@pytest.mark.parametrize("command", ["size", "simulate"])
@pytest.mark.parametrize("name", ["environments/prod.toml", "picture.png", "svg"])
def test_a_chart_never_replaces_a_file_of_another_kind(generator: Run, project: Path, command: str, name: str) -> None:
    before = snapshot(project)
    result = generator(command, "prod", "--chart", name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Error: Invalid value for '--chart': '{name}' does not end in .svg.\n" in result.stderr
    assert snapshot(project) == before


@pytest.mark.slow
def test_the_chart_ends_at_the_highest_rate_that_can_be_sized(generator: Run) -> None:
    slow = "functions.check_alerts.mean_duration_ms=2000", "functions.check_alerts.p95_duration_ms=4000"
    settings = [argument for setting in slow for argument in ("--set", setting)]
    assert generator("size", "prod", *settings).exit_code == 2
    assert generator("size", "dev", *settings, "--chart", "sizing.svg").exit_code == 0
    assert "50,000" not in Path("sizing.svg").read_text()


def test_fit_trace_finds_bursts_in_times(generator: Run) -> None:
    """Ten webhooks a second, in pairs at the same time."""
    random = Random(3)
    times = sorted(round(random.uniform(0, 3600), 3) for _ in range(18_000))
    Path("trace.csv").write_text("time\n" + "".join(f"{time}\n{time}\n" for time in times))
    result = generator("size", "prod", "--fit-trace", "trace.csv", "--format", "json")
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("webhooks_per_burst = "))
    # A pair each time has half the siblings of geometric bursts with a mean of two, so it needs fewer units.
    assert 1.4 < float(line.split(" = ")[1]) < 1.7
    assert json.loads(result.stdout)["functions"]["ProcessWebhookFunction"]["model"] == "webhook bursts"
    assert "in progress at once" not in result.stderr


def test_fit_trace_warns_of_no_chance_and_of_no_stated_reservation(generator: Run) -> None:
    """Twelve separate webhooks a second: by chance, more than the reserved units are in progress once an hour."""
    random, time_s, lines = Random(5), 0.0, ["time"]
    while time_s < 3600:
        time_s += random.expovariate(12)
        lines.append(f"{time_s:.4f}")
    Path("trace.csv").write_text("\n".join(lines))
    for stated in ((), ("--set", "functions.process_webhook.reserved_concurrency=4")):
        assert "in progress at once" not in generator("size", "prod", "--fit-trace", "trace.csv", *stated).stderr


def test_fit_trace_prints_the_fit_of_a_load_that_cannot_be_sized(generator: Run) -> None:
    Path("trace.csv").write_text("time\n" + "".join(f"{number / 5 + 0.1}\n" for number in range(18_000)))
    slow = ("check_alerts.mean_duration_ms=30000", "check_alerts.p95_duration_ms=40000")
    settings = [part for one in slow for part in ("--set", f"functions.{one}")]
    result = generator("size", "prod", "--fit-trace", "trace.csv", "--set", "stream.batch_size=1", *settings)
    assert result.exit_code == 2
    assert "webhooks_per_hour = 18000" in result.stderr


def test_fit_trace_warns_of_bursts_far_above_their_mean(generator: Run) -> None:
    """One webhook a second, and once eighty at the same time."""
    Path("trace.csv").write_text(
        "time\n" + "".join(f"{second}.5\n" * (80 if second == 900 else 1) for second in range(3600))
    )
    result = generator("size", "prod", "--fit-trace", "trace.csv")
    (line,) = (line for line in result.stderr.splitlines() if "in progress at once" in line)
    assert line.startswith("trace.csv: weak: up to 8")
    assert line.endswith("then run: generator template prod, then generator simulate prod --trace trace.csv")
