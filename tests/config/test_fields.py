"""The reader of settings with a sample schema, and the contract of the real one: every default, range and choice."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import botocore.session
import pytest

from generator import _format
from generator.aws import LOG_RETENTION_DAYS
from generator.config import fields
from generator.config.fields import REQUIRED, Complaint, CrossCheck, choice, flag, number, section, text, whole_number
from generator.config.schema import Environment


class Leaf(NamedTuple):
    length: int = whole_number(REQUIRED, 1, 10, too_low="water it", too_high="cut it")
    colour: str = choice("green", "green", "red", 7)


class Branch(NamedTuple):
    share: float = number(0.5, 0.25, 2)
    leaf: Leaf = section(Leaf, length=3, colour="red")
    other_leaf: Leaf = section(Leaf)


class Tree(NamedTuple):
    age: int = whole_number(1, 0, 900)
    name: str = text("oak", "[a-z]+", "a word")
    grows: bool = flag(True)
    branch: Branch = section(Branch)


WITH_REQUIRED = {"branch": {"other_leaf": {"length": 4}}}


def read(table: dict[str, Any]) -> Tree:
    tree, faults = fields.read(Tree, {**WITH_REQUIRED, **table}, lambda key: f"tree.toml {key}")
    assert faults == []
    assert tree is not None
    return tree


def fault(table: dict[str, Any]) -> str:
    tree, faults = fields.read(Tree, {**WITH_REQUIRED, **table}, lambda key: f"tree.toml {key}")
    assert tree is None
    (only,) = faults
    return str(only)


def test_a_missing_section_has_its_own_defaults_and_those_of_the_section_around_it() -> None:
    assert read({}) == Tree(1, "oak", True, Branch(0.5, Leaf(3, "red"), Leaf(4, "green")))


def test_a_written_value_replaces_every_default() -> None:
    table = {
        "age": 900,
        "name": "elm",
        "grows": False,
        "branch": {"share": 2, "leaf": {"length": 10, "colour": 7}, "other_leaf": {"length": 1, "colour": "red"}},
    }
    assert read(table) == Tree(900, "elm", False, Branch(2, Leaf(10, 7), Leaf(1, "red")))  # type: ignore[arg-type]


def test_keys_are_dotted() -> None:
    assert list(fields.keys(Tree)) == [
        *("age", "name", "grows", "branch.share", "branch.leaf.length", "branch.leaf.colour"),
        *("branch.other_leaf.length", "branch.other_leaf.colour"),
    ]


@pytest.mark.parametrize(
    ("table", "messages"),
    [
        ({"age": 901}, "age: 901 is above the maximum of 900; lower it"),
        ({"age": -1}, "age: -1 is below the minimum of 0; raise it"),
        ({"age": 1.0}, "age: 1.0 is not a whole number; write one from 0 to 900"),
        ({"age": True}, "age: true is not a whole number; write one from 0 to 900"),
        ({"age": "1"}, 'age: "1" is not a whole number; write one from 0 to 900'),
        ({"name": "Oak"}, 'name: "Oak" is not a word; correct it'),
        ({"name": "oak tree"}, 'name: "oak tree" is not a word; correct it'),
        ({"name": 1}, "name: 1 is not a word; correct it"),
        ({"grows": 1}, "grows: 1 is not supported; write true or false"),
        ({"grows": "true"}, 'grows: "true" is not supported; write true or false'),
        ({"colour": "red"}, "colour: unknown key; did you mean branch.leaf.colour or branch.other_leaf.colour?"),
        ({"branch": 3}, "branch: 3 is not a table; write [branch] and its keys below it"),
    ],
)
def test_the_message_about_a_wrong_value(table: dict[str, Any], messages: str) -> None:
    assert fault(table) == f"tree.toml {messages}"


@pytest.mark.parametrize(
    ("branch", "messages"),
    [
        ({"share": 0.24}, "branch.share: 0.24 is below the minimum of 0.25; raise it"),
        ({"share": 3}, "branch.share: 3 is above the maximum of 2; lower it"),
        ({"share": math.inf}, "branch.share: inf is above the maximum of 2; lower it"),
        ({"share": math.nan}, "branch.share: nan is not a number; write one from 0.25 to 2"),
        ({"share": True}, "branch.share: true is not a number; write one from 0.25 to 2"),
        ({"share": "1"}, 'branch.share: "1" is not a number; write one from 0.25 to 2'),
        ({"leaf": {"length": 0}}, "branch.leaf.length: 0 is below the minimum of 1; water it"),
        ({"leaf": {"length": 11}}, "branch.leaf.length: 11 is above the maximum of 10; cut it"),
        ({"leaf": {"colour": 8}}, 'branch.leaf.colour: 8 is not supported; write one of "green", "red", 7'),
        ({"leaf": {"colour": False}}, 'branch.leaf.colour: false is not supported; write one of "green", "red", 7'),
        ({"leaf": []}, "branch.leaf: [] is not a table; write [branch.leaf] and its keys below it"),
        ({"leaf": {"lenght": 1}}, "branch.leaf.lenght: unknown key; did you mean branch.leaf.length?"),
        ({"leaf": {"age": 1}}, "branch.leaf.age: unknown key; did you mean age?"),
        (
            {"leaf": {"leaf": {"length": 1}}},
            "branch.leaf.leaf: unknown key; the table [branch.leaf] is open here already; write its keys without "
            '"leaf."',
        ),
        ({"leaf": {"zzz": 1}}, "branch.leaf.zzz: unknown key; the keys here are length, colour"),
        ({"zzz": 1}, "branch.zzz: unknown key; the keys here are share, leaf, other_leaf"),
    ],
)
def test_the_message_about_a_wrong_value_in_a_section(branch: dict[str, Any], messages: str) -> None:
    assert fault({"branch": {**WITH_REQUIRED["branch"], **branch}}) == f"tree.toml {messages}"


def test_the_message_about_a_missing_value_names_its_section() -> None:
    assert (
        fault({"branch": {}})
        == "tree.toml branch.other_leaf.length: missing; add length = ... under [branch.other_leaf]"
    )


def test_true_is_not_accepted_as_1() -> None:
    class Switch(NamedTuple):
        level: int = choice(1, 0, 1)

    assert fields.read(Switch, {"level": 1}, str) == (Switch(1), [])
    assert fields.read(Switch, {"level": True}, str)[0] is None


def test_a_long_value_is_shortened() -> None:
    sixty = "x" * 58
    assert fault({"name": sixty + "!"}) == f'tree.toml name: "{"x" * 56}... is not a word; correct it'
    assert fault({"age": sixty}) == f'tree.toml age: "{sixty}" is not a whole number; write one from 0 to 900'


def older_than_long(age: int, length: int) -> Complaint | None:
    return None if age > length else (f"{age} is no more than the leaf's {length}", "let it grow")


OLD = CrossCheck(("age", "branch.leaf.length"), older_than_long)


@pytest.mark.parametrize(
    ("table", "messages"),
    [
        pytest.param({"age": 4}, [], id="kept"),
        pytest.param({"age": 3}, ["age: 3 is no more than the leaf's 3; let it grow"], id="broken by a default"),
        pytest.param({}, ["age: the default 1 is no more than the leaf's 3; let it grow"], id="broken by two defaults"),
        pytest.param({"age": -1}, ["age: -1 is below the minimum of 0; raise it"], id="skipped for a faulty setting"),
        pytest.param({"age": 3, "branch": 1}, ["branch: 1 is not a table; write"], id="skipped for a missing setting"),
        pytest.param(
            {"age": 3, "name": "Oak"},
            ['name: "Oak" is not a word; correct it', "age: 3 is no more than the leaf's 3; let it grow"],
            id="run beside other faults",
        ),
    ],
)
def test_a_cross_check_runs_if_its_settings_are_valid(table: dict[str, Any], messages: list[str]) -> None:
    tree, faults = fields.read(Tree, {**WITH_REQUIRED, **table}, str, [OLD])
    assert (tree is None) == bool(messages)
    assert len(faults) == len(messages)
    assert all(str(fault).startswith(start) for fault, start in zip(faults, messages, strict=True))


def test_a_cross_check_may_cover_all_settings() -> None:
    class Twig(NamedTuple):
        age: int = whole_number(1, 0, 9)

    _, faults = fields.read(Twig, {}, str, [CrossCheck(("age",), lambda age: (f"{age} is odd", "wait a year"))])
    assert [str(fault) for fault in faults] == ["age: the default 1 is odd; wait a year"]


def test_faults_are_in_the_order_of_the_keys() -> None:
    table = {"growth": 1, "age": -1, "branch": {"share": "much", "leaf": 1}}
    tree, faults = fields.read(Tree, table, lambda key: key)
    assert tree is None
    assert [fault.where for fault in faults] == [
        *("growth", "age", "branch.share", "branch.leaf", "branch.other_leaf.length")
    ]


# The default, the smallest and the largest value of each key. These are a contract: valid files stay valid, and files
# without a key keep their meaning.
NUMBERS: dict[str, tuple[float | None, float, float]] = {
    "traffic.webhooks_per_hour": (None, 100, 50_000),
    "traffic.peak_factor": (5, 1, 100),
    "traffic.alerts_per_webhook": (0.05, 0, 100),
    "traffic.alerts_per_crossing": (1, 1, 1000),
    "traffic.webhooks_per_burst": (1, 1, 1000),
    "traffic.busiest_shard_share": (0.4, 0.001, 1),
    "operations.silence_minutes": (-1, -1, 1440),
    "traffic.max_price_age_s": (300, 1, 86_400),
    "traffic.max_notification_age_s": (3600, 60, 1_209_600),
    "targets.webhook_throttle_probability": (0.0001, 1e-9, 0.1),
    "targets.notification_wait_probability": (0.01, 1e-6, 0.5),
    "targets.stream_utilisation": (0.5, 0.05, 0.95),
    "account.concurrency_limit": (1000, 1, 1_000_000),
    "account.unreserved_floor": (100, 0, 1_000_000),
    "account.reserved_elsewhere": (0, 0, 1_000_000),
    "stream.shards": (4, 1, 1000),
    "stream.batch_size": (10, 1, 1000),
    "stream.batching_window_s": (1, 1, 300),
    **{
        f"functions.{name}.{key}": (default, least, most)
        for name, defaults in {
            "process_webhook": (105, 250, 600, 1024, 30, None),
            "check_alerts": (250, 600, 600, 512, 60, None),
            "send_notification": (300, 700, 600, 256, 30, None),
            "cleanup_history": (2000, 5000, 600, 256, 300, None),
        }.items()
        for (key, least, most), default in zip(
            (
                ("mean_duration_ms", 1, 900_000),
                ("p95_duration_ms", 1, 900_000),
                ("cold_start_ms", 0, 60_000),
                ("memory_mb", 128, 10_240),
                ("timeout_s", 1, 900),
                ("reserved_concurrency", 1, 1_000_000),
            ),
            defaults,
            strict=True,
        )
    },
    "retention.price_history_days": (30, 1, 3650),
    "sms.price_usd_per_message": (None, 0.0001, 10),
    "sms.monthly_budget_usd": (50, 1, 1_000_000),
    "sms.messages_per_s": (20, 0.1, 10_000),
    "simulation.spike_factor": (10, 1, 1000),
    "simulation.spike_onset_s": (30, 0, 3600),
    "simulation.spike_decay_s": (600, 1, 86_400),
    "simulation.symbol_zipf_exponent": (1, 0, 5),
    "simulation.symbols": (50, 1, 10_000),
    "simulation.warm_up_s": (300, 0, 86_400),
    "simulation.sender_jitter": (0.1, 0, 1),
    "simulation.request_rate_window_s": (1, 0, 60),
    "simulation.stream_backoff_first_s": (1, 0.1, 3600),
    "simulation.stream_backoff_longest_s": (60, 0.1, 3600),
    "simulation.environment_idle_timeout_s": (600, 1, 86_400),
    "simulation.account_load": (0, 0, 1_000_000),
    **{
        f"prices.{key}": (default, 0, 1000)
        for key, default in {
            "api_request_usd_per_million": 3.5,
            "lambda_request_usd_per_million": 0.2,
            "lambda_arm64_usd_per_gb_s": 0.0000133334,
            "lambda_x86_64_usd_per_gb_s": 0.0000166667,
            "dynamodb_write_usd_per_million": 0.625,
            "dynamodb_read_usd_per_million": 0.125,
            "dynamodb_storage_usd_per_gb_month": 0.25,
            "dynamodb_backup_usd_per_gb_month": 0.2,
            "sns_publish_usd_per_million": 0.5,
            "schedule_usd_per_million": 1,
            "kms_key_usd_per_month": 1,
            "kms_request_usd_per_10k": 0.03,
            "secret_usd_per_month": 0.4,
            "secret_request_usd_per_10k": 0.05,
            "log_ingest_usd_per_gb": 0.5,
            "log_storage_usd_per_gb_month": 0.03,
            "alarm_usd_per_month": 0.1,
            "dashboard_usd_per_month": 3,
            "custom_metric_usd_per_month": 0.3,
            "trace_usd_per_million": 5,
        }.items()
    },
    "usage.hours_per_month": (730, 1, 744),
    "usage.price_item_bytes": (300, 1, 409_600),
    "usage.alert_item_bytes": (500, 1, 409_600),
    "usage.item_overhead_bytes": (100, 0, 10_000),
    "usage.alerts_stored": (10_000, 0, 1_000_000_000),
    "usage.rearmed_share": (1, 0, 1),
    "usage.cleanup_share": (0, 0, 1),
    "usage.cold_start_share": (0.01, 0, 1),
    "usage.secret_reads_per_environment_h": (24, 0, 100_000),
    "usage.kms_requests_per_resource_h": (12, 0, 1_000_000),
    "usage.log_bytes_per_invocation": (600, 0, 1_000_000),
    "usage.log_bytes_per_record": (400, 0, 1_000_000),
    "usage.access_log_bytes": (250, 0, 1_000_000),
    "usage.custom_metrics": (17, 0, 10_000),
    "usage.traced_share": (0.05, 0, 1),
}

# The default is the first option.
CHOICES: dict[str, tuple[object, ...]] = {
    "account.on_shortfall": ("fail", "fit", "unreserved"),
    **{
        f"functions.{name}.distribution": ("lognormal", "exponential", "constant")
        for name in ("process_webhook", "check_alerts", "send_notification", "cleanup_history")
    },
    "operations.deletion_protection": (False, True),
    "operations.api_logging_role": ("existing", "create"),
    "simulation.sender_retries": (True, False),
    "simulation.workload": ("peak", "poisson", "day", "spike", "trace"),
    "retention.log_days": (30, *(days for days in LOG_RETENTION_DAYS if days != 30)),
}

# The default, accepted values, refused values.
TEXTS: dict[str, tuple[str | None, list[str], list[str]]] = {
    "name": (None, ["a", "prod-2", "x" * 32], ["", "2a", "-a", "Prod", "prod_2", "prod.2", "x" * 33]),
    "region": (
        None,
        ["us-east-1", "us-gov-west-1", "ap-southeast-5"],
        ["", "us-east", "us-1", "US-EAST-1", "u-east-1"],
    ),
    "account.name": ("", ["", "0", "My.account_1-a", "x" * 64], ["my account", "a/b", "x" * 65]),
    "operations.email": (
        "",
        ["", "ops@example.com", "a.b+c@mail.example.co.uk"],
        [
            "ops",
            "ops@example",
            "@example.com",
            "ops@",
            "a b@example.com",
            "ops@exam ple.com",
            "a@b@example.com",
            "o@e.c m",
        ],
    ),
    "deployment.upload_bucket": (
        "",
        ["", "cfn-templates", "a.b", "0" * 63],
        ["ab", "Templates", "my_templates", "-templates", "templates-", "s3://templates", "a" * 64],
    ),
}

GIVEN = {"name": "test", "region": "eu-central-1", "traffic.webhooks_per_hour": 100}


def attempt(key: str | None = None, value: object = None) -> tuple[Environment | None, list[str]]:
    """Read a minimal file with one more value."""
    table: dict[str, Any] = {}
    for dotted, given in ({**GIVEN, key: value} if key else GIVEN).items():
        *sections, last = dotted.split(".")
        inner = table
        for name in sections:
            inner = inner.setdefault(name, {})
        inner[last] = given
    environment, faults = fields.read(Environment, table, str)
    return environment, [str(fault) for fault in faults]


def value_of(environment: Environment | None, key: str) -> object:
    value: object = environment
    for name in key.split("."):
        value = getattr(value, name)
    return value


def accepts(key: str, value: object) -> bool:
    environment, faults = attempt(key, value)
    assert bool(faults) == (environment is None)
    return environment is not None and value_of(environment, key) == value


def test_the_contract_names_every_setting() -> None:
    assert {*NUMBERS, *CHOICES, *TEXTS, "tags", "sources"} == set(fields.keys(Environment))


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_has_its_default_and_its_range(key: str) -> None:
    default, lowest, highest = NUMBERS[key]
    if default is not None:
        assert value_of(attempt()[0], key) == default
    assert accepts(key, lowest)
    assert accepts(key, highest)
    is_whole = not accepts(key, lowest + (highest - lowest) / 2**20)
    below, above = (lowest - 1, highest + 1) if is_whole else (math.nextafter(lowest, -1), math.nextafter(highest, 1e9))
    assert attempt(key, below)[1][0].startswith(
        f"{key}: {below} is below the minimum of {_format.number(lowest)}; raise it"
    )
    assert attempt(key, above)[1][0].startswith(
        f"{key}: {above} is above the maximum of {_format.number(highest)}; lower it"
    )


@pytest.mark.parametrize("key", CHOICES)
def test_a_choice_has_its_default_and_its_options(key: str) -> None:
    assert value_of(attempt()[0], key) == CHOICES[key][0]
    for option in CHOICES[key]:
        assert accepts(key, option)
        assert not accepts(key, str(option).swapcase() + "x")


@pytest.mark.parametrize("key", TEXTS)
def test_a_text_has_its_default_and_its_form(key: str) -> None:
    default, accepted, refused = TEXTS[key]
    if default is not None:
        assert value_of(attempt()[0], key) == default
    assert [text for text in accepted if not accepts(key, text)] == []
    assert [text for text in refused if accepts(key, text)] == []


def test_the_message_about_a_text_describes_its_form() -> None:
    messages = {key: attempt(key, "a b c!")[1] for key in TEXTS}
    assert messages == {
        "name": [
            'name: "a b c!" is not a name of up to 32 lower-case letters, digits and dashes, a letter first; correct it'
        ],
        "region": ['region: "a b c!" is not a Region such as us-east-1; correct it'],
        "account.name": [
            'account.name: "a b c!" is not a name of up to 64 letters, digits, dots, dashes and underscores; correct it'
        ],
        "operations.email": ['operations.email: "a b c!" is not an e-mail address or empty; correct it'],
        "deployment.upload_bucket": [
            'deployment.upload_bucket: "a b c!" is not the name of an S3 bucket or empty; correct it'
        ],
    }


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("traffic.webhooks_per_hour", 99, "raise it to 100: lower rates need the same capacity"),
        ("traffic.webhooks_per_hour", 50_001, "lower it or split the sources over two stacks"),
        ("stream.batching_window_s", 0, "raise it to 1: without a window, most batches have one record"),
    ],
)
def test_a_range_with_a_reason_shows_it(key: str, value: int, remedy: str) -> None:
    assert attempt(key, value)[1][0].endswith(f"; {remedy}")


def test_log_retention_options_are_those_of_cloudwatch() -> None:
    days = botocore.session.get_session().get_service_model("logs").shape_for("Days").documentation
    offered = days.partition("Possible values are: ")[2].partition(".")[0].replace("and ", "")
    assert set(LOG_RETENTION_DAYS) <= {int(number) for number in offered.split(", ")}


def test_every_aws_region_is_accepted() -> None:
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    regions = {region for partition in partitions for region in session.get_available_regions("lambda", partition)}
    assert {"us-gov-west-1", "cn-north-1", "eusc-de-east-1"} < regions
    for region in regions:
        assert attempt("region", region)[1] == []
