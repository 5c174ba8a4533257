"""Reading environment files: accepted input and the messages about faults."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from generator.config import fields, files, validation
from generator.config.schema import Environment, Functions
from generator.errors import Fault, InvalidEnvironment, UnsizableLoad, each
from tests.conftest import FIXTURES, snapshot

MINIMAL = {"name": "test", "region": "eu-central-1", "traffic": {"webhooks_per_hour": 100}}


def faults(table: dict[str, object]) -> list[str]:
    with pytest.raises(InvalidEnvironment) as refused:
        files.read(table, "test.toml")
    return [str(fault) for fault in refused.value.faults]


def test_an_error_of_another_kind_is_raised_as_it_is() -> None:
    def fail(kind: type[InvalidEnvironment | UnsizableLoad]) -> None:
        raise kind([Fault("prod", "wrong", "correct it")])

    with pytest.raises(InvalidEnvironment):
        each(fail, [InvalidEnvironment], InvalidEnvironment)
    with pytest.raises(UnsizableLoad):
        each(fail, [UnsizableLoad], InvalidEnvironment)


def test_only_name_region_and_rate_have_no_default() -> None:
    assert [fault.split(": missing")[0] for fault in faults({})] == [
        *("test.toml: name", "test.toml: region", "test.toml: traffic.webhooks_per_hour")
    ]
    files.read(MINIMAL, "test.toml")


def test_documented_defaults() -> None:
    environment = files.read(MINIMAL, "test.toml")
    assert environment.traffic.peak_factor == 5.0
    assert environment.stream.shards == 4
    assert environment.account.name == "test"
    assert environment.account.concurrency_limit == 1000
    memories = [function.memory_mb for function in environment.functions]
    assert memories == [1024, 512, 256, 256]


def test_each_fault_of_a_file_has_its_own_line(generator: Callable[..., Result], project: Path) -> None:
    Path("environments/dev.toml").write_text(
        'name = "dev"\nregion = "moon"\n[traffic]\nwebhooks_per_hour = 99\npeak_facto = 2\n'
        "[stream]\nshards = 1.5\n[account]\non_shortfall = 'shrug'\n"
    )
    before = snapshot(project)
    result = generator("template", "dev")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        'environments/dev.toml: region: "moon" is not a Region such as us-east-1; correct it',
        "environments/dev.toml: traffic.peak_facto: unknown key; did you mean traffic.peak_factor?",
        "environments/dev.toml: traffic.webhooks_per_hour: 99 is below the minimum of 100; raise it to 100: lower "
        "rates need the same capacity",
        'environments/dev.toml: account.on_shortfall: "shrug" is not supported; write one of "fail", "fit", '
        '"unreserved"',
        "environments/dev.toml: stream.shards: 1.5 is not a whole number; write one from 1 to 1,000",
    ]
    assert snapshot(project) == before


def test_faults_of_every_kind_are_reported_together(generator: Callable[..., Result]) -> None:
    Path("environments/a.toml").write_text(
        'name = "other"\nregion = "us-east-1"\nbogus = 1\n[traffic]\nwebhooks_per_hour = 5\n'
        "[functions.process_webhook]\nmean_duration_ms = 300\np95_duration_ms = 250\n"
        "[functions.check_alerts]\nmean_duration_ms = 0\n"
    )
    told = [line.partition(";")[0] for line in generator("size", "a").stderr.splitlines()]
    assert told == [
        "environments/a.toml: bogus: unknown key",
        "environments/a.toml: traffic.webhooks_per_hour: 5 is below the minimum of 100",
        "environments/a.toml: functions.check_alerts.mean_duration_ms: 0 is below the minimum of 1",
        "environments/a.toml: functions.process_webhook.p95_duration_ms: 250 is not above the mean of 300",
        'environments/a.toml: name: "other" is not the name of the file',
    ]
    overrides = ("name=x", "traffic.webhooks_per_hour=5", "functions.process_webhook.p95_duration_ms=100")
    result = generator("size", "prod", *(word for one in overrides for word in ("--set", one)))
    assert result.stderr.splitlines() == [
        "--set traffic.webhooks_per_hour: 5 is below the minimum of 100; raise it to 100: lower rates need the same "
        "capacity",
        "--set functions.process_webhook.p95_duration_ms: 100 is not above the mean of 105; raise it or choose another "
        "distribution",
        '--set name: "x" is not the name of the file; leave it out',
    ]


@pytest.mark.parametrize("rate", ["99", "50001", "-1", '"many"', "many", "nan", "1e9", "true", "50000.5", ""])
def test_an_unsupported_rate_is_reported_in_one_line(
    generator: Callable[..., Result], project: Path, rate: str
) -> None:
    before = snapshot(project)
    result = generator("template", "prod", "--set", f"traffic.webhooks_per_hour={rate}")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("--set traffic.webhooks_per_hour: ")
    assert "; " in line
    assert snapshot(project) == before


@pytest.mark.parametrize("rate", [100, 50_000])
def test_the_lowest_and_the_highest_rate_are_supported(rate: int) -> None:
    assert files.read({**MINIMAL, "traffic": {"webhooks_per_hour": rate}}, "test.toml")


@pytest.mark.parametrize("key", sorted({*fields.keys(Environment)} - {"tags", "sources"}))
def test_every_key_can_be_overridden_and_a_wrong_value_is_located(key: str, project: Path) -> None:
    current: object = files.load_named(["prod"])[0]
    for part in key.split("."):
        current = getattr(current, part)
    if current is None:
        current = 1 if key.endswith("reserved_concurrency") else 0.01
    text = str(current).lower() if isinstance(current, bool) else str(current)
    changed: object = files.load_named(["prod"], [f"{key}={text}"])[0]
    for part in key.split("."):
        changed = getattr(changed, part)
    assert changed == current
    with pytest.raises(InvalidEnvironment) as refused:
        files.load_named(["prod"], [f"{key}=[1]"])
    assert [fault.where for fault in refused.value.faults] == [f"--set {key}"]


def test_a_misspelt_key_suggests_the_nearest_known_one() -> None:
    for key in fields.keys(Environment):
        table: dict[str, Any] = dict(MINIMAL)
        inner, parts = table, key.split(".")
        for part in parts[:-1]:
            copy = dict(inner.get(part, {}))
            inner[part] = copy
            inner = copy
        inner[f"{parts[-1]}x"] = 1
        assert f"test.toml: {key}x: unknown key; did you mean {key}?" in faults(table)


def test_a_key_in_the_wrong_section_suggests_the_right_one() -> None:
    assert faults({**MINIMAL, "peak_factor": 2}) == [
        "test.toml: peak_factor: unknown key; did you mean traffic.peak_factor?"
    ]


def test_a_key_of_several_sections_suggests_all_of_them() -> None:
    (fault,) = faults({**MINIMAL, "timeout_s": 4})
    meant = fault.removeprefix("test.toml: timeout_s: unknown key; did you mean ").removesuffix("?").split(" or ")
    assert meant == [f"functions.{name}.timeout_s" for name in Functions._fields]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("functions.process_webhook.reservd", "functions.process_webhook.reserved_concurrency"),
        ("account.reserved", "account.reserved_elsewhere"),
        ("stream.batch", "stream.batch_size"),
        ("sms.messages", "sms.messages_per_s"),
    ],
)
def test_a_shortened_key_suggests_the_one_of_its_section(key: str, meant: str) -> None:
    section, _, name = key.rpartition(".")
    table: dict[str, object] = {name: 3}
    for outer in reversed(section.split(".")):
        table = {outer: table}
    assert f"test.toml: {key}: unknown key; did you mean {meant}?" in faults({**MINIMAL, **table})


def test_a_lognormal_needs_a_possible_percentile() -> None:
    key = "test.toml: functions.check_alerts.p95_duration_ms"
    assert faults({**MINIMAL, "functions": {"check_alerts": {"p95_duration_ms": 250}}}) == [
        f"{key}: 250 is not above the mean of 250; raise it or choose another distribution"
    ]
    assert faults({**MINIMAL, "functions": {"check_alerts": {"p95_duration_ms": 968}}}) == [
        f"{key}: 968 is too high for a lognormal distribution with a mean of 250; lower it to 967 or raise "
        "mean_duration_ms"
    ]
    constant = {"p95_duration_ms": 1, "distribution": "constant"}
    assert files.read({**MINIMAL, "functions": {"check_alerts": constant}}, "test.toml")


@given(st.floats(0.01, 5))
def test_no_lognormal_exceeds_the_highest_accepted_percentile(sigma: float) -> None:
    ratio = math.exp(1.6448536269514722 * sigma - sigma**2 / 2)
    assert ratio <= validation.MAX_LOGNORMAL_P95_OVER_MEAN * (1 + 1e-12)


def test_settings_that_contradict_each_other_are_all_reported() -> None:
    functions = {
        "process_webhook": {"mean_duration_ms": 29_000, "p95_duration_ms": 29_500},
        "check_alerts": {"timeout_s": 20},
        "send_notification": {"timeout_s": 45},
        "cleanup_history": {"mean_duration_ms": 300_000, "p95_duration_ms": 400_000},
    }
    found = faults({**MINIMAL, "functions": functions})
    assert found == [
        "test.toml: functions.cleanup_history.mean_duration_ms: 300,000 is not below the timeout of 300 s; lower "
        "it or raise timeout_s",
        "test.toml: functions.process_webhook.mean_duration_ms: 29,000 is not below API Gateway's timeout of 29,000 "
        "ms; lower it",
        "test.toml: functions.check_alerts.timeout_s: 20 is too short: the function stops 15 s before its timeout and "
        "resumes later; raise it to 30",
        "test.toml: functions.send_notification.timeout_s: 45 is too long: a claim on an alert expires after 45 s; "
        "lower it below 45",
    ]


@pytest.mark.parametrize("name", ["check_alerts", "cleanup_history"])
def test_a_function_that_resumes_later_needs_time_to_work(name: str) -> None:
    (fault,) = faults({**MINIMAL, "functions": {name: {"timeout_s": 29}}})
    assert fault.startswith(f"test.toml: functions.{name}.timeout_s: 29 is too short: ")


def test_sending_needs_time_for_a_slow_answer_of_sns() -> None:
    (fault,) = faults({**MINIMAL, "functions": {"send_notification": {"timeout_s": 29}}})
    assert fault.startswith("test.toml: functions.send_notification.timeout_s: 29 is too short: SNS may take 16 s")
    assert files.read({**MINIMAL, "functions": {"send_notification": {"timeout_s": 30}}}, "test.toml")


def test_the_first_wait_of_a_poller_is_at_most_the_longest() -> None:
    (fault,) = faults({**MINIMAL, "simulation": {"stream_backoff_first_s": 90}})
    assert fault == (
        "test.toml: simulation.stream_backoff_first_s: 90 is above stream_backoff_longest_s, 60; lower it or raise the "
        "other"
    )
    assert files.read({**MINIMAL, "simulation": {"stream_backoff_first_s": 60}}, "test.toml")


@pytest.mark.parametrize("region", ["cn-north-1", "cn-northwest-1", "us-gov-east-1"])
def test_a_region_without_sms_is_refused(region: str) -> None:
    (fault,) = faults({**MINIMAL, "region": region})
    assert fault.startswith(f"test.toml: region: SNS sends no SMS in {region}: ")


@pytest.mark.parametrize("region", ["us-gov-west-1", "eusc-de-east-1", "il-central-1"])
def test_other_regions_are_left_to_a_check_of_the_account(region: str) -> None:
    assert files.read({**MINIMAL, "region": region}, "test.toml")


def test_every_cross_check_names_existing_settings() -> None:
    """A check of an unknown setting would never run."""
    assert {key for check in validation.CROSS_CHECKS for key in check.keys} <= set(fields.keys(Environment))


def test_settings_at_the_edge_of_a_cross_check_are_accepted() -> None:
    functions = {
        "process_webhook": {"mean_duration_ms": 28_999, "distribution": "constant"},
        "check_alerts": {"timeout_s": 30},
        "send_notification": {"timeout_s": 44},
        "cleanup_history": {"timeout_s": 30, "mean_duration_ms": 29_999, "distribution": "constant"},
    }
    assert files.read({**MINIMAL, "functions": functions}, "test.toml")
    largest = {"mean_duration_ms": 1.0, "p95_duration_ms": validation.MAX_LOGNORMAL_P95_OVER_MEAN}
    assert files.read({**MINIMAL, "functions": {"check_alerts": largest}}, "test.toml")


def test_the_peak_rate_is_the_mean_rate_times_the_peak_factor() -> None:
    traffic = {"webhooks_per_hour": 7_200, "peak_factor": 4}
    assert files.read({**MINIMAL, "traffic": traffic}, "test.toml").peak_rate_per_s == 8


@pytest.mark.parametrize("override", ["traffic", "=1", ".=1", "traffic.=1"])
def test_an_override_without_key_or_value_is_refused(generator: Callable[..., Result], override: str) -> None:
    result = generator("size", "prod", "--set", override)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"--set {override}: not KEY=VALUE; write for example")


def test_every_wrong_override_is_reported() -> None:
    with pytest.raises(InvalidEnvironment) as refused:
        files.load_named(
            ["prod"], ["one", "name.first=x", "two", "region.second=y", "stream.shards=0"], FIXTURES / "environments"
        )
    assert [fault.where for fault in refused.value.faults] == [
        *("--set one", "--set two", "--set name.first", "--set region.second", "--set stream.shards")
    ]


def test_the_value_of_an_override_may_contain_an_equals_sign() -> None:
    assert files.parse_override("operations.email=a=b@example.com") == ("operations.email", "a=b@example.com")


def test_an_override_below_a_setting_is_refused(generator: Callable[..., Result]) -> None:
    result = generator("size", "prod", "--set", "name.first=x")
    assert result.exit_code == 2
    assert result.stderr == "--set name.first: name is not a table; correct the key\n"


def test_the_remedy_for_a_missing_name_is_the_line_to_add(generator: Callable[..., Result]) -> None:
    Path("environments/qa.toml").write_bytes(Path("environments/prod.toml").read_bytes().replace(b'name = "prod"', b""))
    assert generator("size", "qa").stderr == 'environments/qa.toml: name: missing; add name = "qa" at the top\n'


def test_an_environment_must_have_the_name_of_its_file(generator: Callable[..., Result]) -> None:
    Path("environments/qa.toml").write_bytes(Path("environments/prod.toml").read_bytes())
    result = generator("template", "qa")
    assert result.exit_code == 2
    assert result.stderr == (
        'environments/qa.toml: name: "prod" is not the name of the file; write name = "qa" or rename the file to '
        "prod.toml\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"name = ",
            "environments/dev.toml: not TOML (Invalid value (at end of document)); correct the syntax there\n",
        ),
        (b"\xff\xfe", "environments/dev.toml: cannot be read ("),
        (b"name = " + b"9" * 5000, "environments/dev.toml: not TOML ("),
        (b"name = " + b"[" * 5000, "environments/dev.toml: not TOML ("),
    ],
)
def test_a_file_that_is_not_toml_is_refused(generator: Callable[..., Result], content: bytes, message: str) -> None:
    Path("environments/dev.toml").write_bytes(content)
    result = generator("template", "dev")
    assert result.exit_code == 2
    assert result.stderr.startswith(message)


@pytest.mark.parametrize(
    ("value", "expected_message"),
    [
        ("9" * 5000, f'"{"9" * 56}... is not a whole number; write one from 100 to 50,000'),
        ("9" * 900, f"{'9' * 57}... is above the maximum of 50,000; lower it or split the sources over two stacks"),
        ("[" * 5000, f'"{"[" * 56}... is not a whole number; write one from 100 to 50,000'),
    ],
)
def test_a_long_value_is_reported_in_one_line(
    generator: Callable[..., Result], value: str, expected_message: str
) -> None:
    result = generator("size", "dev", "--set", f"traffic.webhooks_per_hour={value}")
    assert (result.exit_code, result.stderr) == (2, f"--set traffic.webhooks_per_hour: {expected_message}\n")


def test_an_unknown_environment_suggests_the_nearest(generator: Callable[..., Result]) -> None:
    result = generator("size", "prd")
    assert (result.exit_code, result.stderr) == (
        2,
        "environments/prd.toml: no such environment file; did you mean prod?\n",
    )


def test_an_unknown_environment_without_a_similar_one_lists_all(generator: Callable[..., Result]) -> None:
    message = "environments/zzz.toml: no such environment file; the environments are "
    assert generator("size", "zzz").stderr == f"{message}dev, prod, staging\n"
    for path in Path("environments").iterdir():
        path.unlink()
    message = "environments/zzz.toml: no such environment file; go to the folder of your project, or start one"
    assert generator("size", "zzz").stderr == f"{message}: generator init DIR\n"


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        pytest.param("environments/prod.toml", "give the name: prod", id="a file"),
        pytest.param("./prod", "give the name: prod", id="a name below the current folder"),
        pytest.param("prod.toml", "give the name: prod", id="a file's name"),
        pytest.param("environments/prd.toml", "did you mean prod?", id="a misspelt file"),
        pytest.param("environments/", "the environments are dev, prod, staging", id="the folder"),
    ],
)
def test_a_path_instead_of_a_name_is_refused(generator: Callable[..., Result], given: str, remedy: str) -> None:
    result = generator("size", given)
    assert result.exit_code == 2
    assert result.stderr == f"{given}: a path, not the name of an environment; {remedy}\n"


def test_a_broken_link_is_reported(generator: Callable[..., Result]) -> None:
    Path("environments/k.toml").symlink_to("nowhere")
    message = "environments/k.toml: a link to a file that does not exist; correct the link or remove it\n"
    assert generator("size", "k").stderr == message
    assert generator("template").stderr == message


def test_a_byte_order_mark_is_accepted(generator: Callable[..., Result]) -> None:
    path = Path("environments/prod.toml")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes()[path.read_bytes().index(b"name") :])
    assert files.load_named(["prod"]) == files.load_named(["prod"], folder=FIXTURES / "environments")
    result = generator("template", "prod", "--set", "name=prod")
    assert "To make this permanent: environments/prod.toml line 1: name = " in result.stdout


def test_an_unreadable_folder_is_not_reported_as_empty(generator: Callable[..., Result]) -> None:
    """The folder is a file here because root can read every folder."""
    shutil.rmtree("environments")
    Path("environments").write_text("")
    message = "environments/: cannot be read (Not a directory); correct the folder or its permissions\n"
    for arguments in (["template"], ["check"], ["diff", "x", "y"]):
        result = generator(*arguments)
        assert (result.exit_code, result.stderr) == (2, message)


def test_the_faults_of_every_file_are_reported(generator: Callable[..., Result]) -> None:
    Path("environments/dev.toml").write_text("name = ")
    Path("environments/staging.toml").unlink()
    Path("environments/staging.toml").mkdir()
    result = generator("template")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "environments/dev.toml: not TOML (Invalid value (at end of document)); correct the syntax there",
        "environments/staging.toml: cannot be read (Is a directory); correct the file or its permissions",
    ]


def test_a_folder_without_environments(generator: Callable[..., Result], project: Path) -> None:
    for path in Path("environments").iterdir():
        path.unlink()
    result = generator("template")
    assert result.exit_code == 2
    assert result.stderr == f"environments/: no environment file here; {files.PROJECT_REMEDY}\n"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
known_keys = st.sampled_from(Environment._fields)


@pytest.mark.slow
@given(st.dictionaries(known_keys | st.text(max_size=8), json_values, max_size=6))
def test_any_table_is_read_or_refused(table: dict[str, object]) -> None:
    """Every random table is refused with a fault, because its required keys are missing or wrong."""
    table.pop("name", None)
    with pytest.raises(InvalidEnvironment) as refused:
        files.read(table, "test.toml")
    assert "test.toml: name: missing; add name = ... at the top" in map(str, refused.value.faults)


def test_a_fault_of_an_override_is_reported_once(generator: Callable[..., Result]) -> None:
    """No file is blamed, because none contains the value."""
    lines = generator("template", "--set", "x.y=1").stderr.splitlines()
    assert [line.partition(";")[0] for line in lines] == ["--set x.y: unknown key"]
    result = generator("size", "dev", "--set", "stream={shards=0}")
    assert result.stderr == "--set stream: 0 is below the minimum of 1; raise it\n"


def functions(**settings: object) -> dict[str, object]:
    return {
        "name": "dev",
        "region": "us-east-1",
        "traffic": {"webhooks_per_hour": 100},
        "functions": {"send_notification": settings},
    }


@pytest.mark.parametrize(
    ("settings", "p95_ms"),
    [
        ({}, 700),
        ({"mean_duration_ms": 300}, 700),
        ({"mean_duration_ms": 600}, 1400),
        ({"mean_duration_ms": 100}, 233),
        ({"mean_duration_ms": 600, "p95_duration_ms": 900}, 900),
    ],
)
def test_a_default_p95_scales_with_the_mean(settings: dict[str, object], p95_ms: float) -> None:
    assert files.load(functions(**settings)).functions.send_notification.p95_duration_ms == p95_ms


@pytest.mark.parametrize("mean", ["300", True, None, 10**400, float("inf"), float("nan"), -1])
def test_a_wrong_mean_is_one_fault(mean: object) -> None:
    with pytest.raises(InvalidEnvironment) as error:
        files.load(functions(mean_duration_ms=mean))
    assert [fault.where for fault in error.value.faults] == [
        "environment: functions.send_notification.mean_duration_ms"
    ]


def test_a_fault_in_a_default_names_it_as_the_default() -> None:
    table = {**functions(), "functions": {"cleanup_history": {"timeout_s": 30, "mean_duration_ms": 30_000}}}
    with pytest.raises(InvalidEnvironment) as error:
        files.load(table)
    assert "30,000 is not below the timeout of 30 s" in str(error.value)
    with pytest.raises(InvalidEnvironment) as error:
        files.load({**functions(), "functions": {"process_webhook": {"p95_duration_ms": 100}}})
    assert "the default" not in str(error.value)
    with pytest.raises(InvalidEnvironment) as error:
        files.load({**functions(), "functions": {"cleanup_history": {"timeout_s": 1}}})
    assert "mean_duration_ms: the default 2,000 is not below the timeout of 1 s" in str(error.value)


def test_environments_in_other_regions_have_separate_quotas(generator: Callable[..., Result], project: Path) -> None:
    for name, region in (("dev", "us-east-1"), ("prod", "eu-west-1")):
        path = project / f"environments/{name}.toml"
        text = re.sub('region = ".*"', f'region = "{region}"', path.read_text())
        path.write_text(text + '\n[account]\nname = "shared"\n')
    line = "account shared: dev in us-east-1 and prod in eu-west-1 have separate quotas, one for each Region"
    for arguments in (["size", "dev"], ["template"]):
        assert line in generator(*arguments).stdout.splitlines()
    assert "separate quotas" not in generator("size", "staging").stdout
