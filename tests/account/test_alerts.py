"""`generator alerts` on a deployed stack in moto, compared with the shipped handlers."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from generator.account import alerts as alerts_of_a_stack
from generator.account import connection
from generator.account.alerts import policy
from generator.account.connection import connect
from generator.local import runs
from generator.local.emulator import FOLDER_PREFIX, Emulator
from generator.stack import alerts
from generator.stack.alerts import State
from tests.account.conftest import DESCRIPTION, NO_STACK, NOW, STACK
from tests.account.live import Live, deployed
from tests.account.stub import DENIED, Stub, serving
from tests.conftest import ROOT
from tests.hostile.watching import assert_harmless
from tests.stack.handlers.harness import TEMPLATE

pytestmark = pytest.mark.slow

Run = Callable[..., Result]

PHONE = "+15555550100"
ADD = ("alerts", "prod", "add", "me", "first", "BTC-USD", "above", "64000.50", "--phone-number", PHONE)


@pytest.fixture
def live() -> Iterator[Live]:
    with deployed() as stack:
        yield stack


def shown(generator: Run, *options: str) -> dict[str, Any]:
    result = generator("alerts", "prod", "show", "me", "first", "--format", "json", *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return dict(json.loads(result.stdout))


def test_an_added_alert_fires_and_is_sent_and_every_step_is_shown(generator: Run, live: Live) -> None:
    result = generator(*ADD)
    assert (result.exit_code, PHONE in result.output) == (0, False)
    assert live.item()["threshold"] == {"N": "64000.50"}
    uuid.UUID(live.item()["generation"]["S"])
    assert shown(generator)["state"] == "armed"
    assert live.receive("below", price="64000.49") == []
    (message,) = live.receive("above", price="64000.50")
    fired = shown(generator)
    assert (fired["state"], fired["fired"]["price"], fired["message_id"]) == ("fired", "64000.50", None)
    live.send(message)
    sent = shown(generator)
    assert (sent["state"], sent["message_id"]) == ("sent", live.item()["messageId"]["S"])
    assert (sent["symbol"], sent["direction"], sent["threshold"]) == ("BTC-USD", "above", "64000.50")
    assert live.sms()[0][0] == PHONE


def test_an_existing_alert_is_not_added_and_a_missing_one_is_not_changed(
    generator: Run, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    for command in (("rearm", "me", "first"), ("remove", "me", "first"), ("show", "me", "first")):
        result = generator("alerts", "prod", *command)
        assert (result.exit_code, result.output) == (1, "there is no alert me/first\n")
    assert live.alert_rows() == []
    assert generator(*ADD).exit_code == 0
    item = live.item()
    assert generator(*ADD).exit_code == 1
    assert live.item() == item
    options = ("--profile", "my prod", "--region", "us-east-1", "--stack-name", STACK)
    monkeypatch.setattr(connection, "connect", lambda region, _profile: connect(region))
    refused = generator(*ADD, *options)
    assert refused.output.endswith(f"generator alerts prod rearm me first {shlex.join(options)}\n")
    assert generator("alerts", "prod", "remove", "me", "first").exit_code == 0
    assert live.alert_rows() == []


def test_an_alert_is_armed_again_with_a_new_id_and_fires_again(generator: Run, live: Live) -> None:
    generator(*ADD)
    first = live.item()["generation"]
    (message,) = live.receive("one", price="70000")
    live.send(message)
    assert generator("alerts", "prod", "rearm", "me", "first", "--direction", "below").exit_code == 0
    assert live.item()["generation"] != first
    assert shown(generator)["message_id"] is None
    (again,) = live.receive("two", price="60000", timestamp=int(time.time() * 1000) + 1000)
    assert (again["direction"], again["threshold"]) == ("below", "64000.50")
    live.send(again)
    assert len(live.sms()) == 2


def test_an_alert_of_an_application_is_armed_again_if_all_that_it_watches_is_stated(generator: Run, live: Live) -> None:
    live.write(watch=None, threshold=None)
    result = generator("alerts", "prod", "rearm", "me", "first", "--symbol", "ETH-USD")
    assert result.exit_code == 2
    assert "add --direction, --threshold" in result.stderr
    stated = ("--symbol", "ETH-USD", "--direction", "above", "--threshold", "1")
    assert generator("alerts", "prod", "rearm", "me", "first", *stated).exit_code == 0
    assert live.item()["watch"] == {"S": "ETH-USD#above"}


@pytest.mark.parametrize(
    ("outcome", "changes"),
    [("late", {"firedAt": 1_600_000_000_000}), ("invalid number", {})],
)
def test_outcomes_without_an_sms_are_shown(generator: Run, live: Live, outcome: str, changes: dict[str, int]) -> None:
    live.write(phoneNumber={"S": "5555"})
    (message,) = live.receive()
    live.send({**message, **changes})
    found = shown(generator)
    assert (found["state"], found["message_id"], live.sms()) == (outcome, None, [])
    assert found["settled_at"] is not None
    assert found["reasons"] == ["phoneNumber is not in E.164 form, so no SMS can be sent"]


def test_all_faults_of_the_input_are_reported_at_once_without_the_phone_number(generator: Run) -> None:
    wrong = ("", "a\x1b[2J", "btc-USD", "above", "0", "--phone-number", "15555550100")
    result = generator("alerts", "prod", "add", *wrong)
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        *("USER", "ALERT", "SYMBOL", "THRESHOLD", "--phone-number"),
    ]
    assert "5555550100\n" not in result.output.replace("+15555550100", "")
    assert_harmless(result.output)
    assert "Name the environment first" in generator("alerts", "add", "me", "first").stderr


WATCH = ("btc", "above", "0", "--phone-number", "1")
CHANGES = ("--symbol", "btc", "--threshold", "0", "--phone-number", "1")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("add", "\x1b", "", *WATCH), ["USER", "ALERT", "SYMBOL", "THRESHOLD", "--phone-number"]),
        (("rearm", "\x1b", "", *CHANGES), ["USER", "ALERT", "SYMBOL", "THRESHOLD", "--phone-number"]),
        (("remove", "\x1b", ""), ["USER", "ALERT"]),
        (("show", "\x1b", ""), ["USER", "ALERT"]),
        (("list", "--user", "\x1b"), ["USER"]),
    ],
)
def test_every_command_refuses_wrong_input(generator: Run, arguments: tuple[str, ...], named: list[str]) -> None:
    result = generator("alerts", "prod", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == named


KEYS = {
    *("user_id", "alert_id", "state", "reasons", "symbol", "direction", "threshold", "arming_id"),
    *("armed_at", "settled_at", "message_id", "phone_number"),
}
"""What the JSON of an alert has. A new key is public: mask it if it can hold a phone number or a secret."""


def test_the_json_of_an_alert_has_exactly_the_documented_keys(generator: Run, live: Live) -> None:
    generator(*ADD)
    assert shown(generator).keys() == {*KEYS, "fired"}
    listed = json.loads(generator("alerts", "prod", "list", "--format", "json").stdout)
    assert listed.keys() == {"environment", "alerts", "more"}
    assert [alert.keys() for alert in listed["alerts"]] == [KEYS]


def test_phone_numbers_are_shown_only_if_asked_for(generator: Run, live: Live) -> None:
    generator(*ADD)
    for command in (("list",), ("list", "--format", "json"), ("show", "me", "first"), ("rearm", "me", "first")):
        assert "555555" not in generator("alerts", "prod", *command).output
    assert shown(generator)["phone_number"] == "+*********00"
    assert shown(generator, "--show-phone-numbers")["phone_number"] == PHONE
    live.write(phoneNumber={"S": "call 5555550100"})
    assert "555555" not in generator("alerts", "prod", "list").output


def test_a_list_reads_every_page_and_names_users_and_states(
    generator: Run, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = {"S": "x" * 300_000}
    for number in range(8):
        live.write(alertId={"S": f"a{number}"}, blob=blob, armedAt={"N": "1"} if number else None)
    live.write(userId={"S": "other"})

    def ids(*options: str) -> list[str]:
        found = json.loads(generator("alerts", "prod", "list", "--format", "json", *options).stdout)
        return sorted(alert["alert_id"] for alert in found["alerts"])

    assert ids() == [*(f"a{number}" for number in range(8)), "first"]
    assert ids("--user", "me") == [f"a{number}" for number in range(8)]
    assert ids("--state", "malformed") == ["a0"]
    result = generator("alerts", "prod", "list", "--limit", "3")
    assert len(result.stdout.splitlines()) == 2 + 3
    assert result.stderr == "There are more than 3; name a --user, or raise --limit.\n"
    monkeypatch.setattr(alerts_of_a_stack, "PAGES_S", -1)
    endless = generator("alerts", "prod", "list")
    assert (endless.exit_code, "name a --user, or lower --limit" in endless.stderr) == (2, True)


def test_hostile_ids_and_values_are_escaped(generator: Run, live: Live) -> None:
    forged = {"S": "\x1b[2J\n::error::forged\n##[error]\u202e"}
    live.write(userId=forged, alertId=forged, watch=forged, generation=forged, phoneNumber=forged, armedAt=forged)
    live.write(armedAt={"N": "9" * 38}, sentAt=forged, messageId=forged, sentId={"N": "1"}, watch=None, threshold=None)
    for options in ((), ("--format", "json"), ("--show-phone-numbers",)):
        result = generator("alerts", "prod", "list", *options)
        assert result.exit_code == 0
        assert_harmless(result.output)
    assert_harmless(generator("alerts", "prod", "show", "me", "first").output)


def test_the_documented_copy_brings_back_only_what_is_missing(live: Live) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/recover.md").read_text(), re.S)
    schema = {name: TEMPLATE["Resources"]["PriceAlertsTable"]["Properties"][name] for name in ("KeySchema",)}
    keys = [{"AttributeName": name, "AttributeType": "S"} for name in ("userId", "alertId")]
    live.dynamodb.create_table(TableName="RESTORED", AttributeDefinitions=keys, BillingMode="PAY_PER_REQUEST", **schema)
    live.write(phoneNumber={"S": "+15555550199"})
    for alert in ("first", "second"):
        live.dynamodb.put_item(TableName="RESTORED", Item={"userId": {"S": "me"}, "alertId": {"S": alert}})
    exec(code.replace('"NAME"', repr(live.alerts)), {})
    assert {row["alertId"]["S"]: "phoneNumber" in row for row in live.alert_rows()} == {"first": True, "second": False}


ATTRIBUTES = st.fixed_dictionaries(
    {
        "watch": st.sampled_from([{"S": "BTC-USD#above"}, {"S": "btc-usd#above"}, {"S": "BTC-USD#up"}, {"S": "x"}]),
        "threshold": st.just({"N": "1"}),
    },
    optional={
        "armedAt": st.sampled_from([{"N": "0"}, {"N": "9999999999999"}, {"N": "10000000000000"}, {"S": "1"}]),
        "generation": st.sampled_from([{"N": "1"}, {"S": ""}, {"S": "i" * 128}, {"S": "i" * 129}, {"BOOL": True}]),
    },
)


def test_an_armed_alert_is_malformed_if_and_only_if_the_handlers_skip_it() -> None:
    with deployed() as live:
        can_fire = live.load("CleanupHistoryFunction")
        fires = live.load("CheckAlertsFunction").namespace["fires"]

    @given(ATTRIBUTES)
    def compare(item: dict[str, Any]) -> None:
        is_malformed = alerts.read(item).state == State.MALFORMED
        assert is_malformed is not bool(can_fire.namespace["can_fire"](item))
        assert is_malformed or fires(item, 10**13 - 1)

    compare()


NUMBERS = st.builds(
    "{}{}{}".format,
    *(
        st.sampled_from(parts)
        for parts in (
            ("", "0", "1", "-1", "007", "9" * 37, "9" * 38, "9" * 39, "x", "1\n"),
            ("", ".", ".0", ".5", ".-"),
            ("", "e", "e5", "E-129", "e-130", "e-131", "e+125", "e126", "e1000"),
        )
    ),
)


def test_an_alert_that_was_never_armed_has_not_fired() -> None:
    item = {**alerts.key("me", "first"), "phoneNumber": {"S": "+15555550100"}}
    found = alerts.read(item)
    assert found.state == State.MALFORMED
    assert found.reasons == ("watch, threshold and generation are missing, so it was never armed",)
    assert alerts.read({**item, "generation": {"S": "one"}}).state == State.FIRED


def test_a_threshold_is_a_number_if_and_only_if_the_webhook_takes_it_as_a_price() -> None:
    with deployed() as live:
        check = live.load("ProcessWebhookFunction").namespace["check"]

    @given(NUMBERS)
    def compare(text: str) -> None:
        price = {"symbol": "BTC-USD", "source": "s", "timestamp": 10**12, "price": text}
        assert alerts.is_number(text) is (list(check(price, 10**9)) == [])

    compare()


ANSWERS: dict[tuple[str, str], Any] = {
    ("sts", "GetCallerIdentity"): {"Account": "123456789012", "UserId": "u", "Arn": "arn:aws:iam::123456789012:user/u"},
    ("cloudformation", "DescribeStacks"): {
        "Stacks": [
            {"StackName": STACK, "CreationTime": NOW, "StackStatus": "CREATE_COMPLETE", "Description": DESCRIPTION}
        ]
    },
    ("cloudformation", "DescribeStackResources"): {"StackResources": []},
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({("cloudformation", "DescribeStacks"): NO_STACK}, "there is no stack", id="no stack"),
        pytest.param({("cloudformation", "DescribeStacks"): DENIED}, "generator alerts prod policy", id="denied"),
        pytest.param({}, "has no PriceAlertsTable; deploy the committed template", id="no table"),
    ],
)
def test_a_call_that_aws_refuses_is_one_clear_line(
    generator: Run, monkeypatch: pytest.MonkeyPatch, changes: dict[tuple[str, str], Any], expected: str
) -> None:
    with serving(Stub({**ANSWERS, **changes})) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        result = generator("alerts", "prod", "list")
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"stack {STACK} in us-east-1: ")
    assert expected in line


def test_the_policy_allows_every_call_and_names_the_resources(generator: Run, live: Live) -> None:
    printed = json.loads(generator("alerts", "prod", "policy").stdout)
    assert printed == policy("us-east-1", STACK)
    allowed = {action for statement in printed["Statement"] for action in statement["Action"]}
    assert {"dynamodb:PutItem", "dynamodb:Query", "kms:Decrypt", "cloudformation:DescribeStacks"} <= allowed
    assert [one["Resource"] for one in printed["Statement"] if "*" in one["Resource"]] == []
    assert generator("alerts", "prod", "policy", "--region", "cn-north-1").stdout.count("arn:aws-cn:") == 4


def test_only_a_private_run_of_this_project_is_found(
    generator: Run, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may create folders in the temporary folder, to receive a user's phone numbers."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    def started(name: str, environment: str = "prod") -> Emulator:
        folder = temporary / f"{FOLDER_PREFIX}{name}"
        folder.mkdir(mode=0o700)
        emulator = Emulator(1, "us-east-1", folder)
        runs.announce(emulator, environment)
        return emulator

    started("other environment", "dev")
    other = started("readable by others")
    other.folder.chmod(stat.S_IRWXU | stat.S_IXOTH)
    (temporary / f"{FOLDER_PREFIX}link").symlink_to(temporary)
    result = generator("alerts", "prod", "list", "--local")
    assert (result.exit_code, result.stderr) == (
        2,
        "generator local prod: is not running; start it in another terminal: generator local prod\n",
    )
    own = started("own")
    assert runs.find("prod").url == own.url
    started("second")
    pid = os.getpid()
    several = generator("alerts", "prod", "list", "--local").stderr
    assert f"runs 2 times in this project, as processes {pid} and {pid}; stop all but one with: kill " in several
    monkeypatch.chdir(tmp_path_factory.mktemp("other_project"))
    with pytest.raises(Exception, match="is not running"):
        runs.find("prod")
