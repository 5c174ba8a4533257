"""Preflight over HTTP: fresh and used accounts, each permission missing in turn, and an unreachable endpoint."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.tokens import SSOTokenProvider
from click.testing import Result

from generator import plans
from generator.account import connection
from generator.account.connection import ACTIONS, SMS_VOICE, LiveAccount, policy
from generator.account.live_stack import _WAITERS
from generator.capacity import allocation
from tests.account.conftest import (
    FUNCTIONS,
    GOOD,
    NO_STACK,
    ROLES,
    STACK,
    asking,
    deployed,
    limits,
    setting,
    subscription,
)
from tests.account.stub import DENIED, Refusal, Stub, serving

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
Ask = Callable[..., dict[str, dict[str, str]]]

IDS = [
    *("stack", "account-limit", "reserved-elsewhere", "reservations", "update-order", "runtime", "api-logging-role"),
    *("api-name", "table-throughput", "key", "operations-topic", "sms-region", "sms-enrolment", "sms-sandbox"),
    *("sms-origination", "sms-spend", "sms-cost", "sms-delivery-log"),
]
IN_PLACE = dict(zip(FUNCTIONS, (20, 10, 5, 2), strict=True))


def failed(checks: dict[str, dict[str, str]]) -> list[str]:
    return [id_ for id_, check in checks.items() if check["status"] == "fail"]


def skipped(checks: dict[str, dict[str, str]]) -> list[str]:
    return [id_ for id_, check in checks.items() if check["status"] == "skip"]


def test_a_fresh_account_passes_every_check(ask: Ask) -> None:
    setting("operations", email="ops@example.com")
    checks = ask()
    assert list(checks) == IDS
    assert {check["status"] for check in checks.values()} == {"pass"}
    assert not any(check["remedy"] for check in checks.values())
    assert all(list(check) == ["id", "status", "message", "remedy"] for check in checks.values())
    assert checks["reservations"]["message"] == (
        "37 to reserve, 900 reservable (limit 1,000 - floor 100 - reserved by others 0)"
    )


def test_text_report_names_the_account_and_counts_results(generator: Run) -> None:
    with serving(Stub({**GOOD, ("sns", "GetSMSSandboxAccountStatus"): {"IsInSandbox": True}})) as stub:
        result = generator("preflight", "prod", "--endpoint-url", stub.url)
    assert result.exit_code == 1
    assert result.stdout.startswith("prod: stack price-alerts-prod in account 123456789012, us-east-1\n")
    assert "fail  sms-sandbox" in result.stdout
    assert "-> verify your test numbers: aws --endpoint-url http" in result.stdout
    assert result.stdout.endswith("15 passed, 1 failed, 1 warning, 1 skipped\n")


def test_an_account_of_ten(ask: Ask) -> None:
    checks = ask(limits(10, 10))
    assert failed(checks) == ["account-limit", "reservations"]
    assert checks["account-limit"]["remedy"].startswith("write concurrency_limit = 10 under [account]")
    assert "37 to reserve, 0 reservable" in checks["reservations"]["message"]
    assert "below its minimum value of [100]" in checks["reservations"]["message"]
    assert "--quota-code L-B99A9384 --desired-value 1000" in checks["reservations"]["remedy"]
    assert checks["reservations"]["remedy"].endswith(
        'or write concurrency_limit = 10 and on_shortfall = "unreserved" under [account], '
        "then run: generator template prod"
    )
    shared = ask(limits(130, 125))["reservations"]["remedy"]
    assert "write concurrency_limit = 130, reserved_elsewhere = 5 and on_shortfall" in shared
    assert 'and on_shortfall = "fit" or "unreserved" under [account]' in shared


def test_fit_is_suggested_only_if_the_smallest_allocation_fits(ask: Ask, generator: Run) -> None:
    (plan,) = plans.prepare(["prod"])[0].verdict.plans
    (least,) = allocation.minimum([(plan.environment, plan.sizing)])
    enough = 100 + least.total_reserved
    assert 'on_shortfall = "fit" or "unreserved" under' in ask(limits(enough, enough))["reservations"]["remedy"]
    assert 'on_shortfall = "unreserved" under' in ask(limits(enough - 1, enough - 1))["reservations"]["remedy"]


def test_the_suggested_settings_make_the_account_fit(ask: Ask, generator: Run) -> None:
    setting("account", concurrency_limit=130, reserved_elsewhere=5, on_shortfall="fit")
    assert generator("template", "prod").exit_code == 0
    assert failed(ask(limits(130, 125))) == []


def test_an_account_of_ten_accepts_a_plan_that_reserves_nothing(ask: Ask) -> None:
    setting("account", concurrency_limit=10, on_shortfall="unreserved")
    assert failed(ask(limits(10, 10))) == []


def test_unstated_foreign_reservations_fail(ask: Ask) -> None:
    checks = ask(limits(1000, 900))
    assert failed(checks) == ["reserved-elsewhere"]
    assert checks["reserved-elsewhere"]["remedy"].startswith("write reserved_elsewhere = 100 under [account]")
    assert failed(ask(limits(1000, 136))) == ["reserved-elsewhere", "reservations"]
    assert failed(ask(limits(1000, 137))) == ["reserved-elsewhere"]


def test_stated_foreign_reservations_pass(ask: Ask) -> None:
    setting("account", reserved_elsewhere=100)
    assert failed(ask(limits(1000, 900))) == []


def test_own_reservations_do_not_count_as_elsewhere(ask: Ask) -> None:
    setting("account", concurrency_limit=137)
    checks = ask({**deployed(IN_PLACE), **limits(137, 100)})
    assert failed(checks) == []
    assert "37 by price-alerts-prod" in checks["reserved-elsewhere"]["message"]
    assert checks["update-order"]["message"] == "safe in any order: never more than 37 of 37 reserved"
    assert "will be updated" in checks["stack"]["message"]


def test_an_update_that_could_exceed_the_limit_halfway_gets_two_steps(ask: Ask) -> None:
    setting("account", concurrency_limit=137)
    old = dict(zip(FUNCTIONS, (10, 10, 15, None), strict=True))
    checks = ask({**deployed(old), **limits(137, 102)})
    assert failed(checks) == ["update-order"]
    assert "the update could reserve 47 of 37 halfway" in checks["update-order"]["message"]
    assert (
        "--region us-east-1 lambda put-function-concurrency --function-name physical-SendNotificationFunction "
        "--reserved-concurrent-executions 5. Then deploy with --disable-rollback" in checks["update-order"]["remedy"]
    )
    gone = ask({**deployed({**old, "OldFunction": 1}), **limits(137, 101)})
    assert "lambda delete-function-concurrency" in gone["update-order"]["remedy"]


def test_an_update_that_only_lowers_is_safe_even_if_the_live_stack_does_not_fit(ask: Ask) -> None:
    setting("account", concurrency_limit=120, on_shortfall="unreserved")
    checks = ask({**deployed(IN_PLACE), **limits(120, 83)})
    assert failed(checks) == []
    assert checks["update-order"]["message"] == (
        "safe in any order: nothing is raised; but a rollback would fail, because the 37 reserved now no longer fit"
    )


def test_update_order_is_skipped_if_the_reservations_do_not_fit(ask: Ask) -> None:
    checks = ask({**deployed({FUNCTIONS[0]: 1}), **limits(130, 129)})
    assert checks["update-order"]["status"] == "skip"
    assert checks["reservations"]["status"] == "fail"


def test_a_function_deleted_outside_cloudformation_reserves_nothing(ask: Ask) -> None:
    gone = {("lambda", "GetFunctionConcurrency"): Refusal("ResourceNotFoundException", "Function not found", 404)}
    checks = ask({**deployed(IN_PLACE), **gone})
    assert (failed(checks), skipped(checks)) == ([], [])


@pytest.mark.parametrize(
    ("status", "command"),
    [
        ("ROLLBACK_COMPLETE", "--region us-east-1 cloudformation delete-stack --stack-name price-alerts-prod"),
        ("UPDATE_ROLLBACK_FAILED", "cloudformation continue-update-rollback"),
        ("DELETE_FAILED", "delete-stack --stack-name price-alerts-prod; add --retain-resources"),
        ("CREATE_FAILED", "deploy with --disable-rollback to continue from there; or give up the failed change: aws"),
        ("CREATE_FAILED", "cloudformation delete-stack"),
        ("UPDATE_FAILED", "cloudformation rollback-stack"),
        ("UPDATE_IN_PROGRESS", "cloudformation wait stack-update-complete"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "cloudformation wait stack-update-complete"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "cloudformation wait stack-rollback-complete"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "cloudformation wait stack-rollback-complete"),
        ("CREATE_IN_PROGRESS", "cloudformation wait stack-create-complete"),
        ("ROLLBACK_IN_PROGRESS", "repeat until it ends: aws"),
        ("IMPORT_IN_PROGRESS", "cloudformation wait stack-import-complete"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "repeat until it ends: aws"),
        ("DELETE_IN_PROGRESS", "cloudformation wait stack-delete-complete"),
        ("IMPORT_ROLLBACK_FAILED", "cloudformation describe-stack-events --stack-name price-alerts-prod"),
    ],
)
def test_a_blocking_stack_state_fails_with_a_command(ask: Ask, status: str, command: str) -> None:
    checks = ask({**deployed({}, status), **limits(1000, 1000)})
    assert "stack" in failed(checks)
    assert command in checks["stack"]["remedy"]


def test_every_waiter_exists_in_boto3() -> None:
    client = boto3.client("cloudformation", region_name="us-east-1")
    for waiter in _WAITERS.values():
        assert f"stack_{waiter}_complete" in client.waiter_names


def test_a_foreign_stack_with_the_same_name_fails(ask: Ask) -> None:
    answers = deployed({})
    taken = answers["cloudformation", "DescribeStacks"]({"StackName": STACK})["Stacks"][0] | {"Description": "Theirs"}
    checks = ask({**answers, ("cloudformation", "DescribeStacks"): {"Stacks": [taken]}})
    assert "the name price-alerts-prod belongs to another stack" in checks["stack"]["message"]
    mine = ask({}, "--stack-name", "mine")
    assert mine["stack"]["message"] == "the stack mine does not exist yet and will be created"


@pytest.mark.parametrize("error", [Refusal("ProxyError", "the route does not exist"), Refusal("ValidationError", "no")])
def test_only_the_code_and_the_text_together_mean_that_there_is_no_stack(ask: Ask, error: Refusal) -> None:
    checks = ask({("cloudformation", "DescribeStacks"): error})
    assert "stack" in skipped(checks)
    assert f"failed: {error.code} {error.message}" in checks["stack"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        pytest.param("a", True, id="one letter"),
        pytest.param("Z9-", True, id="letters, digits and dashes"),
        pytest.param("a" * 128, True, id="longest"),
        pytest.param("a" * 129, False, id="too long"),
        pytest.param("", False, id="empty"),
        pytest.param("9a", False, id="a digit first"),
        pytest.param("a b", False, id="a space"),
        pytest.param("a_b", False, id="an underscore"),
        pytest.param("a\n", False, id="a newline"),
    ],
)
def test_stack_name_has_the_form_that_cloudformation_accepts(
    generator: Callable[..., Result], name: str, accepted: bool
) -> None:
    """A valid name gets as far as the endpoint, where nothing answers."""
    result = generator("preflight", "prod", "--stack-name", name, "--endpoint-url", "http://127.0.0.1:9")
    assert result.exit_code == 2
    assert ("Invalid value for '--stack-name'" in result.stderr) is not accepted
    assert ("127.0.0.1:9" in result.stderr) is accepted


@pytest.mark.parametrize("status", ["REVIEW_IN_PROGRESS", "DELETE_COMPLETE"])
def test_an_unexecuted_change_set_or_a_deleted_stack_counts_as_absent(ask: Ask, status: str) -> None:
    checks = ask({**deployed(IN_PLACE, status), **limits(1000, 963)})
    assert "will be created" in checks["stack"]["message"]
    assert "(none by our stacks, 37 elsewhere)" in checks["reserved-elsewhere"]["message"]


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"])
def test_a_stack_at_rest_will_be_updated(ask: Ask, status: str) -> None:
    checks = ask({**deployed(IN_PLACE, status), **limits(1000, 963)})
    assert (failed(checks), checks["stack"]["message"].endswith(f"in state {status} and will be updated")) == ([], True)


def test_functions_removed_from_the_stack_are_not_queried(ask: Ask) -> None:
    """The stub has no answer for it."""
    checks = ask({**deployed(IN_PLACE, removed=["OldFunction"]), **limits(1000, 963)})
    assert (failed(checks), skipped(checks)) == ([], [])


@pytest.mark.parametrize(
    ("choice", "role", "is_deployed", "remedy"),
    [
        ("existing", "arn:aws:iam::123456789012:role/theirs", False, None),
        ("existing", None, False, 'write api_logging_role = "create"'),
        ("create", None, False, None),
        ("create", "arn:aws:iam::123456789012:role/theirs", False, 'write api_logging_role = "existing"'),
        ("create", "arn:aws:iam::123456789012:role/physical-ApiLoggingRole", True, None),
        (
            "existing",
            "arn:aws:iam::123456789012:role/physical-ApiLoggingRole",
            True,
            'write api_logging_role = "create"',
        ),
        (
            "create",
            "arn:aws:iam::123456789012:role/physical-ApiLoggingRole-2",
            True,
            'write api_logging_role = "existing"',
        ),
        (
            "create",
            "arn:aws:iam::123456789012:role/not-physical-ApiLoggingRole",
            True,
            'write api_logging_role = "existing"',
        ),
        ("create", "arn:aws:iam::123456789012:role/path/physical-ApiLoggingRole", True, None),
    ],
)
def test_the_right_logging_role_setting_passes(
    ask: Ask, choice: str, role: str | None, is_deployed: bool, remedy: str | None
) -> None:
    setting("operations", api_logging_role=choice)
    answers: dict[Any, Any] = deployed({}) if is_deployed else {}
    check = ask({**answers, ("apigateway", "GetAccount"): {"cloudwatchRoleArn": role} if role else {}})[
        "api-logging-role"
    ]
    assert check["status"] == ("fail" if remedy else "pass")
    assert check["remedy"].startswith(remedy or "")


@pytest.mark.parametrize(
    ("choice", "role", "status", "expected"),
    [
        ("existing", "theirs", "fail", "no longer exists, so API Gateway cannot write its logs"),
        ("create", "physical-ApiLoggingRole", "fail", "no longer exists, so API Gateway cannot write its logs"),
        ("create", "theirs", "pass", "the stack will replace the Region's logging role"),
    ],
)
def test_a_logging_role_that_was_deleted_fails(ask: Ask, choice: str, role: str, status: str, expected: str) -> None:
    setting("operations", api_logging_role=choice)
    account = {("apigateway", "GetAccount"): {"cloudwatchRoleArn": f"{ROLES}/path/{role}"}}
    gone = {("iam", "GetRole"): lambda asked: Refusal("NoSuchEntity", f"no {asked['RoleName']}", 404)}
    check = ask({**deployed({}), **account, **gone})["api-logging-role"]
    assert (check["status"], expected in check["message"]) == (status, True)
    assert ("update-account --patch-operations" in check["remedy"]) is (status == "fail")


def test_a_logging_role_of_another_account_is_not_looked_up(ask: Ask) -> None:
    foreign = {("apigateway", "GetAccount"): {"cloudwatchRoleArn": "arn:aws:iam::999999999999:role/theirs"}}
    assert ask({**foreign, ("iam", "GetRole"): DENIED})["api-logging-role"]["status"] == "pass"


@pytest.mark.parametrize(
    ("email", "subscriptions", "status", "expected"),
    [
        ("", None, "warn", "nobody is going to receive the alarms"),
        ("ops@example.com", None, "pass", "the stack will subscribe ops@example.com"),
        ("", [], "fail", "the topic physical-OperationsTopic has no subscription"),
        ("ops@example.com", [], "pass", "the update will subscribe ops@example.com"),
        ("ops@example.com", ["PendingConfirmation"], "fail", "ops@example.com did not confirm the subscription"),
        ("", ["PendingConfirmation", "arn:aws:sns:r:a:t:1"], "pass", "the alarms have 1 confirmed subscription"),
    ],
)
def test_alarms_need_a_confirmed_subscription(
    ask: Ask, email: str, subscriptions: list[str] | None, status: str, expected: str
) -> None:
    setting("operations", email=email)
    answers: dict[Any, Any] = {} if subscriptions is None else deployed({})
    found = {"Subscriptions": [subscription(arn) for arn in subscriptions or []]}
    check = ask({**answers, ("sns", "ListSubscriptionsByTopic"): found})["operations-topic"]
    assert (check["status"], expected in check["message"]) == (status, True)
    assert bool(check["remedy"]) is (status != "pass")


def test_another_api_with_the_same_name_fails(ask: Ask) -> None:
    apis = {("apigateway", "GetRestApis"): {"items": [{"id": "physical-WebhookApi", "name": "price-alerts-prod"}]}}
    assert ask({**deployed({}), **apis})["api-name"]["status"] == "pass"
    check = ask(apis)["api-name"]
    assert check["status"] == "fail"
    assert "update-rest-api --rest-api-id physical-WebhookApi" in check["remedy"]


def test_every_page_of_an_answer_is_read(ask: Ask) -> None:
    def page(asked: dict[str, str]) -> dict[str, Any]:
        if asked.get("position") == "second":
            return {"items": [{"id": "other", "name": "price-alerts-prod"}]}
        return {"items": [{"id": "first", "name": "something else"}], "position": "second"}

    assert "another API (other) also has the name" in ask({("apigateway", "GetRestApis"): page})["api-name"]["message"]


@pytest.mark.parametrize(("other", "status"), [("price-alerts-prod", "pass"), ("price-alerts-prod2", "fail")])
def test_the_api_name_uses_the_suffix_of_the_live_stack(ask: Ask, other: str, status: str) -> None:
    apis = {("apigateway", "GetRestApis"): {"items": [{"id": "other", "name": other}]}}
    answers = deployed({})
    (live,) = answers["cloudformation", "DescribeStacks"]({"StackName": STACK})["Stacks"]
    suffix = {"ParameterKey": "EnvironmentSuffix", "ParameterValue": "prod2"}
    described = {("cloudformation", "DescribeStacks"): {"Stacks": [live | {"Parameters": [suffix]}]}}
    assert ask({**answers, **apis, **described})["api-name"]["status"] == status


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/sns/v3/home?region=eu-west-1#/"),
        ("us-gov-west-1", "https://console.amazonaws-us-gov.com/sns/v3/home?region=us-gov-west-1#/"),
    ],
)
def test_region_option_changes_region_and_console_links(generator: Run, region: str, console: str) -> None:
    with serving(Stub({**GOOD, ("sns", "GetSMSSandboxAccountStatus"): {"IsInSandbox": True}})) as stub:
        options = ("--endpoint-url", stub.url, "--region", region, "--format", "json")
        report = json.loads(generator("preflight", "prod", *options).stdout)
    assert (report["region"], stub.regions) == (region, {region})
    (remedy,) = (check["remedy"] for check in report["checks"] if check["id"] == "sms-sandbox")
    assert f"--region {region} sns create-sms-sandbox-phone-number" in remedy
    assert console in remedy


def test_table_throughput_and_key_state(ask: Ask) -> None:
    small = ask({("dynamodb", "DescribeLimits"): {"TableMaxWriteCapacityUnits": 69}})["table-throughput"]
    assert (small["status"], small["message"]) == (
        "fail",
        "the quota of a table is 69 writes/s, below the peak of 70/s",
    )
    for state, command in (("PendingDeletion", "kms cancel-key-deletion"), ("Disabled", "kms enable-key")):
        answer = {("kms", "DescribeKey"): {"KeyMetadata": {"KeyId": "key", "KeyState": state}}}
        check = ask({**deployed({}), **answer})["key"]
        assert check["status"] == "fail"
        assert command in check["remedy"]


@pytest.mark.parametrize("answers", [{}, deployed(IN_PLACE)], ids=["fresh", "deployed"])
@pytest.mark.parametrize("question", sorted(set(ACTIONS) - {("sts", "GetCallerIdentity")}))
def test_a_missing_permission_skips_the_checks_that_need_it(generator: Run, question: Any, answers: Any) -> None:
    account = limits(1000, 963 if answers else 1000)
    with asking(generator, {**answers, **account, question: DENIED}) as (checks, stub):
        assert failed(checks) == []
        missing = skipped(checks)
        is_one_of_several = question == (SMS_VOICE, "DescribeAccountAttributes")
        assert bool(missing) == (question in stub.asked and not is_one_of_several)
        for id_ in missing:
            assert checks[id_]["message"].startswith("no permission for ")
            assert "User: me is not authorized to perform: " in checks[id_]["message"]
            assert checks[id_]["remedy"].endswith("generator preflight --policy")


def test_without_permissions_every_check_that_calls_aws_is_skipped_and_none_passes(generator: Run) -> None:
    identity = ("sts", "GetCallerIdentity")
    answers = {**GOOD, **dict.fromkeys(ACTIONS, DENIED), identity: GOOD[identity]}
    with serving(Stub(answers)) as stub:
        result = generator("preflight", "prod", "--endpoint-url", stub.url)
    assert result.exit_code == 1
    assert [line.split()[1] for line in result.stdout.splitlines() if line.startswith("pass")] == [
        "runtime",
        "sms-region",
    ]
    assert result.stdout.endswith(
        "2 passed, 0 failed, 0 warnings, 16 skipped\nAWS answered no check, so nothing is known about the account\n"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refusal", "expected", "remedy", "tries"),
    [
        (
            Refusal("InvalidAction", "unknown", 400),
            "does not support sns GetSMSSandbox",
            "run this against AWS itself",
            1,
        ),
        (Refusal("Gone", "", 404), "does not support sns GetSMSSandbox", "run this against AWS itself", 1),
        (Refusal("NotImplemented", "", 501), "does not support sns GetSMSSandbox", "run this against AWS itself", 1),
        (
            Refusal("NotFoundException", "no", 404),
            "failed: NotFoundException no",
            "fix the cause, then run this again",
            1,
        ),
        (Refusal("InternalError", "try later", 500), "failed: InternalError try later", "wait a minute, ", 3),
        (Refusal("Throttling", "Rate exceeded", 400), "failed: Throttling Rate exceeded", "wait a minute, ", 3),
    ],
)
def test_a_failed_call_skips_the_check_with_reason_and_remedy(
    generator: Run, refusal: Refusal, expected: str, remedy: str, tries: int
) -> None:
    question = ("sns", "GetSMSSandboxAccountStatus")
    with asking(generator, {question: refusal}) as (checks, stub):
        assert skipped(checks) == ["sms-sandbox"]
        assert expected in checks["sms-sandbox"]["message"]
        assert checks["sms-sandbox"]["remedy"].startswith(remedy)
        assert stub.asked.count(question) == tries


@pytest.mark.slow
def test_incomplete_answers_skip_the_checks(ask: Ask) -> None:
    empty: dict[Any, Any] = {("lambda", "GetAccountSettings"): {}, ("sns", "GetSMSSandboxAccountStatus"): {}}
    checks = ask({**empty, ("dynamodb", "DescribeLimits"): {}})
    concurrency = ["account-limit", "reserved-elsewhere", "reservations", "update-order"]
    assert skipped(checks) == [*concurrency, "table-throughput", "sms-sandbox"]


@pytest.mark.slow
def test_an_unreachable_endpoint_is_one_line_and_exit_code_2(generator: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = generator("preflight", "prod", "--endpoint-url", url)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("AWS account in us-east-1: sts GetCallerIdentity got no answer: Could not connect")
    assert len(result.stderr.splitlines()) == 1


def test_a_profile_with_a_space_is_quoted_in_commands() -> None:
    assert LiveAccount(None, "us-east-1", "my prod", None).cli == "aws --profile 'my prod'"


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--profile", "nowhere"], "The config profile (nowhere) could not be found"), (["--endpoint-url", "x"], "x")],
)
def test_a_wrong_profile_or_endpoint_is_exit_code_2(generator: Run, options: list[str], expected: str) -> None:
    result = generator("preflight", "prod", *options)
    assert result.exit_code == 2
    assert expected in result.stderr


@pytest.fixture
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")


SIGN_IN = "sign in (aws sso login), store keys (aws configure) or choose a profile (--profile)"
SSO = """[default]
sso_start_url = https://example.com
sso_region = us-east-1
sso_account_id = 111111111111
sso_role_name = reader
"""
CORRECT_CREDENTIALS = "correct the credentials (environment variables, AWS CLI files) or sign in (aws sso login)"
KEYS = """'{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T", "Expiration": "DATE"}'"""


def program(printed: str) -> str:
    """Return a config file with a program that prints credentials."""
    return f"[default]\ncredential_process = echo {printed}\n"


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("config", "fault"),
    [
        pytest.param("", f"Unable to locate credentials; {SIGN_IN}", id="none"),
        pytest.param(
            SSO, f"Error loading SSO Token: Token for https://example.com does not exist; {SIGN_IN}", id="signed out"
        ),
        pytest.param(
            "[default]\naws_access_key_id = AK\n",
            "Partial credentials found in config-file, missing: aws_secret_access_key; add what is missing, or choose "
            "another profile (--profile)",
            id="half",
        ),
        pytest.param("region = [", "Unable to parse config file: config; correct that file", id="not a config file"),
        pytest.param(
            "[default]\ncredential_process = /nowhere/keys\n",
            "the credentials need /nowhere/keys, which cannot be used (No such file or directory); correct its path in "
            "the environment variables (AWS_WEB_IDENTITY_TOKEN_FILE) or in the profile",
            id="no such program",
        ),
        pytest.param(
            "[default]\ncredential_process = echo keys\n",
            "the credentials are in a form that cannot be read (Expecting value: line 1 column 1 (char 0)); correct "
            "the profile's credential_process",
            id="a program without an answer",
        ),
        pytest.param(
            program("'[]'"),
            "the credentials are in a form that cannot be read ('list' object has no attribute 'get'); "
            f"{CORRECT_CREDENTIALS}",
            id="a program with a list",
        ),
        pytest.param(
            program("null"),
            "the credentials are in a form that cannot be read ('NoneType' object has no attribute 'get'); "
            f"{CORRECT_CREDENTIALS}",
            id="a program with null",
        ),
        pytest.param(
            program(KEYS.replace("DATE", "2020-01-01T00:00:00Z")),
            f"Credentials were refreshed, but the refreshed credentials are still expired; {SIGN_IN}",
            id="a program with expired keys",
        ),
        pytest.param(
            program(KEYS.replace("DATE", "soon")),
            f"the credentials are in a form that cannot be read (Unknown string format: soon); {CORRECT_CREDENTIALS}",
            id="a program with a date that is none",
        ),
        pytest.param(
            program("""'{"Version": 1, "AccessKeyId": 1, "SecretAccessKey": "S"}'"""),
            "the credentials are in a form that cannot be read (sequence item 0: expected str instance, int found); "
            f"{CORRECT_CREDENTIALS}",
            id="a program with a number as key",
        ),
    ],
)
def test_credentials_that_cannot_be_loaded_are_one_line_with_a_remedy(generator: Run, config: str, fault: str) -> None:
    Path("config").write_text(config)
    result = generator("preflight", "prod")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"AWS account in us-east-1: {fault}\n"


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    "command",
    [
        "preflight prod",
        "calibrate prod",
        "alerts prod list",
        "replay prod",
        "check --live --only quota templates_out/prod.json",
    ],
)
def test_a_missing_token_file_is_one_line_for_every_command(
    generator: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/reader")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "nowhere/token")
    result = generator(*command.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "AWS account in us-east-1: the credentials need nowhere/token, which cannot be used (No such file or "
        "directory); correct its path in the environment variables (AWS_WEB_IDENTITY_TOKEN_FILE) or in the profile\n"
    )


@pytest.mark.usefixtures("no_credentials")
def test_an_expired_sign_in_has_the_remedy_to_sign_in_again(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", ".")
    session = "[sso-session s]\nsso_region = us-east-1\nsso_start_url = https://example.com\n"
    Path("config").write_text(SSO.replace("sso_start_url = https://example.com", "sso_session = s") + session)
    token = {"accessToken": "T", "expiresAt": "2020-01-01T00:00:00Z"}
    Path(f"{hashlib.sha1(b's').hexdigest()}.json").write_text(json.dumps(token))
    result = generator("preflight", "prod")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "AWS account in us-east-1: Error when retrieving token from sso: Token has expired and refresh failed; "
        f"{SIGN_IN}\n"
    )


@pytest.mark.usefixtures("no_credentials")
@pytest.mark.parametrize(
    ("page", "reason"), [(b"[]", "list indices must be integers or slices, not str"), (b"{}", "'AccessKeyId'")]
)
def test_a_container_without_keys_is_a_fault_of_the_credentials(
    generator: Run, monkeypatch: pytest.MonkeyPatch, page: bytes, reason: str
) -> None:
    with answering(200, page) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        result = generator("preflight", "prod")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"AWS account in us-east-1: the credentials are in a form that cannot be read ({reason}); "
        f"{CORRECT_CREDENTIALS}\n"
    )


@pytest.mark.usefixtures("no_credentials")
def test_a_container_on_a_forbidden_host_is_a_fault_of_the_credentials(
    generator: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/keys")
    result = generator("preflight", "prod")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Unsupported host 'example.com'" in result.stderr
    assert result.stderr.endswith(f"; {CORRECT_CREDENTIALS}\n")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["--region", "us east"], "correct --region"),
        (["--endpoint-url", "http://h:abc"], "correct --endpoint-url or AWS_ENDPOINT_URL"),
    ],
)
def test_a_malformed_option_is_what_to_correct(generator: Run, options: list[str], remedy: str) -> None:
    result = generator("preflight", "prod", *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"; {remedy}\n")


@contextmanager
def answering(status: int, page: bytes) -> Iterator[str]:
    """Yield the URL of a server that answers every request in this way."""

    class Server(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        do_GET = do_POST

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.usefixtures("no_credentials")
def test_a_role_that_cannot_be_assumed_is_a_fault_of_the_credentials(
    generator: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("token").write_text("token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::111111111111:role/reader")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "token")
    error = b"<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>expired</Message></Error></ErrorResponse>"
    with answering(400, error) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        result = generator("preflight", "prod")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "AWS account in us-east-1: no credentials: An error occurred (InvalidIdentityToken) when calling the "
        f"AssumeRoleWithWebIdentity operation: expired; {SIGN_IN}, or correct the role\n"
    )


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>\n<p>Sign in<br>here</p>", b"<html><p>Sign in</p></html>"])
def test_a_web_page_is_no_answer_from_aws(generator: Run, page: bytes) -> None:
    with answering(200, page) as url:
        result = generator("preflight", "prod", "--endpoint-url", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "AWS account in us-east-1: sts GetCallerIdentity got an answer that is not from AWS; correct the endpoint "
        "(--endpoint-url, AWS_ENDPOINT_URL) or the proxy\n"
    )


def test_an_endpoint_that_never_answers_fails_within_20_s() -> None:
    """Three attempts of the first call, with waits of up to 1 s and 2 s between them."""
    config = connection.emulated("us-east-1", "http://127.0.0.1:9")._client("sts").meta.config
    assert config.retries["total_max_attempts"] * max(config.connect_timeout, config.read_timeout) + 3 <= 20


def test_rejected_credentials_are_exit_code_2(generator: Run) -> None:
    rejected = {("sts", "GetCallerIdentity"): Refusal("ExpiredToken", "expired", 403)}
    with serving(Stub({**GOOD, **rejected})) as stub:
        result = generator("preflight", "prod", "--endpoint-url", stub.url)
    assert result.exit_code == 2
    assert "AWS rejected the credentials (ExpiredToken)" in result.stderr
    assert result.stderr.endswith(f"aws --endpoint-url {stub.url} --region us-east-1 sts get-caller-identity\n")


def test_neighbour_reservations_count_by_stack(generator: Run) -> None:
    setting("account", name="dev")
    answers = deployed(IN_PLACE)

    def of_dev(call: str) -> Callable[[dict[str, str]], Any]:
        answer = answers["cloudformation", call]
        return lambda asked: answer({"StackName": STACK}) if asked["StackName"] == "price-alerts-dev" else NO_STACK

    calls = {("cloudformation", call): of_dev(call) for call in ("DescribeStacks", "DescribeStackResources")}
    with asking(generator, {**answers, **calls, **limits(1000, 963)}) as (checks, _):
        assert checks["reserved-elsewhere"]["status"] == "pass"
        assert "37 by price-alerts-dev" in checks["reserved-elsewhere"]["message"]
        assert "reserved by others 37" in checks["reservations"]["message"]
    with asking(generator, {**answers, **calls, **limits(140, 103)}) as (checks, _):
        assert "write concurrency_limit = 140 and" in checks["reservations"]["remedy"]


def test_a_missing_neighbour_stack_is_named_if_too_much_is_reserved_elsewhere(generator: Run) -> None:
    setting("account", name="dev")
    with asking(generator, limits(1000, 963)) as (checks, _):
        message = checks["reserved-elsewhere"]["message"]
        assert message.endswith(
            "; there is no stack price-alerts-dev; if it has another name, its reservations count as elsewhere"
        )
    with asking(generator, limits(1000, 1000)) as (checks, _):
        assert "there is no stack" not in checks["reserved-elsewhere"]["message"]


def test_a_denial_shows_the_message_of_aws_and_the_action_that_it_names(ask: Ask) -> None:
    message = "User: me is not authorized to perform: sms-voice:DescribeAccountAttributes because no policy allows it"
    question = ("sns", "GetSMSSandboxAccountStatus")
    check = ask({question: Refusal("AuthorizationError", message, 403)})["sms-sandbox"]
    assert check["message"] == f"no permission for sms-voice:DescribeAccountAttributes: {message}"
    assert check["remedy"].startswith("allow sms-voice:DescribeAccountAttributes; ")
    denied = "User: me is not authorized to perform: kms:ListKeys with an explicit deny in a service control policy"
    check = ask({("kms", "ListKeys"): Refusal("AccessDeniedException", denied)})["key"]
    assert check["remedy"].startswith("ask an administrator to lift the explicit deny of kms:ListKeys")


@pytest.mark.parametrize(
    ("arguments", "partition"),
    [
        ((), "aws"),
        (("prod",), "aws"),
        (("--region", "us-gov-west-1"), "aws-us-gov"),
        (("prod", "--region", "cn-north-1"), "aws-cn"),
    ],
)
def test_the_policy_is_printed_without_credentials_for_the_partition(
    generator: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], partition: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = generator("preflight", "--policy", *arguments)
    printed = json.loads(result.stdout)
    assert (result.exit_code, printed["Statement"][0]["Action"]) == (
        0,
        sorted({*ACTIONS.values()} - {"apigateway:GET"}),
    )
    assert f"arn:{partition}:apigateway:*::/account" in printed["Statement"][1]["Resource"]


def test_the_policy_of_an_unknown_region_is_exit_code_2(generator: Run) -> None:
    result = generator("preflight", "--policy", "--region", "us-east-1x")
    assert (result.exit_code, "AWS has no such Region; correct region or --region" in result.stderr) == (2, True)


def test_the_policy_allows_exactly_the_calls_made(generator: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[tuple[str, str]] = set()

    def note(model: Any, **_: Any) -> None:
        made.add((model.service_model.service_name, model.name))

    client = boto3.session.Session.client

    def recorded(self: Any, *arguments: Any, **options: Any) -> Any:
        opened = client(self, *arguments, **options)
        opened.meta.events.register("before-call", note)
        return opened

    monkeypatch.setattr(boto3.session.Session, "client", recorded)
    no_number: dict[Any, Any] = {(SMS_VOICE, "DescribePhoneNumbers"): {"PhoneNumbers": []}}
    for answers in ({}, {**deployed(IN_PLACE), **limits(1000, 963), **no_number}):
        with asking(generator, answers) as (_, stub):
            assert set(stub.asked) <= made
    assert made == set(ACTIONS)
    statements = policy("us-east-1")["Statement"]
    allowed = {action for statement in statements for action in statement["Action"]}
    assert allowed == {ACTIONS[call] for call in made}
    assert all(action.partition(":")[2].startswith(("Get", "GET", "Describe", "List")) for action in allowed)
