"""SMS: Region, enrolment, sandbox, origination identity and its resource policy, spend limit and delivery log."""

from __future__ import annotations

import copy
import datetime
import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from generator.account import preflight
from generator.account.connection import SMS_VOICE, Unavailable, connect
from generator.account.deployment import CheckResult, Deployment
from generator.account.sms import policy_admits_sns
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.config.files import read
from tests.account.conftest import ADMITTING, GOOD, NUMBER, ROLES, phone_number, spend_limits
from tests.account.stub import Question, Refusal, Stub, serving

pytestmark = pytest.mark.slow

Ask = Callable[..., dict[str, dict[str, str]]]

NUMBERS, SENDER_IDS, POOLS = ((SMS_VOICE, f"Describe{kind}") for kind in ("PhoneNumbers", "SenderIds", "Pools"))
POLICY = (SMS_VOICE, "GetResourcePolicy")
ACCOUNT = "123456789012"
OLD = datetime.datetime(2024, 9, 1, tzinfo=datetime.UTC)
NO_POLICY = Refusal("ResourceNotFoundException", "no policy")
DENY_ALL = {"Effect": "Deny", "Principal": "*", "Action": "*"}
AWS_MESSAGE = "The AWS Access Key Id needs a subscription for the service (Service: PinpointSmsVoiceV2)"
CHECKS = ["sms-enrolment", "sms-sandbox", "sms-origination", "sms-spend", "sms-cost", "sms-delivery-log"]


TABLE = {"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 50_000}}


def ask_one(id_: str, answers: Mapping[Question, Any], **sms: float) -> CheckResult:
    """Run one check alone, which takes a tenth of the time of all."""
    environment = read({**TABLE, "sms": sms}, "prod")
    with serving(Stub({**GOOD, **answers})) as stub:
        account = connect("us-east-1", endpoint_url=stub.url)
        plan = Plan(environment, size(environment))
        deployment = Deployment(account, plan, "price-alerts-prod", (), datetime.date(2026, 11, 29))
        return preflight.run(deployment, [id_])[id_]


def sender_id(country: str) -> dict[str, Any]:
    arn = f"arn:aws:sms-voice:us-east-1:{ACCOUNT}:sender-id/PRICES/{country}"
    return {
        "SenderIdArn": arn,
        "SenderId": "PRICES",
        "IsoCountryCode": country,
        "MessageTypes": ["TRANSACTIONAL"],
        "MonthlyLeasingPrice": "0",
        "DeletionProtectionEnabled": False,
        "Registered": True,
    }


def pool(status: str = "ACTIVE") -> dict[str, Any]:
    arn = f"arn:aws:sms-voice:us-east-1:{ACCOUNT}:pool/pool-1"
    return {
        "PoolArn": arn,
        "PoolId": "pool-1",
        "Status": status,
        "MessageType": "TRANSACTIONAL",
        "TwoWayEnabled": False,
        "SelfManagedOptOutsEnabled": False,
        "OptOutListName": "Default",
        "SharedRoutesEnabled": True,
        "DeletionProtectionEnabled": False,
        "CreatedTimestamp": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    }


def command_in(remedy: str) -> list[str]:
    """Return the words of the AWS CLI command in a remedy, without `aws` and its own options."""
    words = shlex.split(remedy[re.search(r"(?<!the )\baws ", remedy).start() :])[1:]  # type: ignore[union-attr]
    while words[0].startswith("--"):
        del words[:2]
    return words


def check_command(remedy: str) -> None:
    """Fail unless botocore accepts the operation and the text parameters of a remedy's command."""
    service, operation, *options = command_in(remedy)
    model = boto3.client(service, region_name="us-east-1").meta.service_model
    shape = model.operation_model("".join(word.title() for word in operation.split("-"))).input_shape
    names = {re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower(): name for name in shape.members}
    given = {names[key.removeprefix("--")]: value for key, value in zip(options[::2], options[1::2], strict=True)}
    values = {key: [value] if shape.members[key].type_name == "list" else value for key, value in given.items()}
    assert not ParamValidator().validate(values, shape).has_errors()


@pytest.mark.parametrize("region", ["cn-north-1", "us-gov-east-1", "ap-east-1"])
def test_in_a_region_without_sms_only_the_region_fails(ask: Ask, region: str) -> None:
    checks = ask({}, "--region", region)
    assert checks["sms-region"]["status"] == "fail"
    assert f"SNS sends no SMS from {region}" in checks["sms-region"]["message"]
    assert {checks[id_]["status"] for id_ in CHECKS} == {"skip"}
    assert {checks[id_]["remedy"] for id_ in CHECKS} == {"fix the check sms-region first"}


@pytest.mark.parametrize(
    "refused",
    [
        {("sns", "GetSMSSandboxAccountStatus"): Refusal("UserError", AWS_MESSAGE)},
        {(SMS_VOICE, "DescribeAccountAttributes"): Refusal("SubscriptionRequiredException", AWS_MESSAGE)},
    ],
    ids=["by SNS", "by End User Messaging"],
)
def test_an_account_that_is_not_enrolled_fails(ask: Ask, refused: dict[Any, Any]) -> None:
    checks = ask(refused)
    assert checks["sms-enrolment"]["status"] == "fail"
    assert AWS_MESSAGE in checks["sms-enrolment"]["message"]
    assert "https://us-east-1.console.aws.amazon.com/sms-voice/home" in checks["sms-enrolment"]["remedy"]
    skipped = [id_ for id_ in CHECKS if checks[id_]["status"] == "skip" and id_ != "sms-cost"]
    assert skipped == (["sms-sandbox"] if ("sns", "GetSMSSandboxAccountStatus") in refused else [])
    assert all(checks[id_]["remedy"] == "fix the check sms-enrolment first" for id_ in skipped)


def test_another_service_without_a_subscription_is_not_a_matter_of_sms() -> None:
    check = ask_one("key", {("kms", "ListKeys"): Refusal("OptInRequired", AWS_MESSAGE)})
    assert (check.status, check.remedy) == ("skip", "fix the cause, then run this again")


def test_a_check_needs_sms_only_if_it_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_: Deployment) -> CheckResult:
        raise Unavailable(AWS_MESSAGE, "sign in")

    monkeypatch.setitem(preflight.CHECKS, "sms-new", check)
    assert ask_one("sms-new", {}).remedy == "sign in"
    assert set(CHECKS) == preflight.NEED_SMS


def test_an_account_in_the_sandbox_fails() -> None:
    sandbox = ask_one("sms-sandbox", {("sns", "GetSMSSandboxAccountStatus"): {"IsInSandbox": True}})
    assert "verify-sms-sandbox-phone-number --phone-number +15555550100 --one-time-password CODE" in sandbox.remedy


@pytest.mark.parametrize(
    ("enforced", "quota", "stated", "status", "expected"),
    [
        (50, 100, "50", "pass", "50.00 USD in the environment file"),
        (50, 100, "", "pass", "50.00 USD in the environment file"),
        (100, 100, "1", "fail", "run: aws"),
        (1, 100, "", "fail", "run: aws"),
        (1, 1, "1", "fail", "the quota is 1.00 USD: open a quota increase case"),
    ],
)
def test_the_lower_spend_limit_counts(enforced: int, quota: int, stated: str, status: str, expected: str) -> None:
    attributes = {("sns", "GetSMSAttributes"): {"attributes": {"MonthlySpendLimit": stated}}}
    check = ask_one("sms-spend", {**attributes, (SMS_VOICE, "DescribeSpendLimits"): spend_limits(enforced, quota)})
    assert (check.status, expected in check.message + check.remedy) == (status, True)
    assert ("MonthlySpendLimit=50" in check.remedy) is (status == "fail")


def test_without_the_limit_of_text_messages_the_check_is_skipped() -> None:
    assert ask_one("sms-spend", {(SMS_VOICE, "DescribeSpendLimits"): {"SpendLimits": []}}).status == "skip"


@pytest.mark.parametrize(
    ("price_usd", "status", "expected"),
    [
        (0.0001, "pass", "the planned SMS cost 182.50 USD of the monthly limit of 200.00 USD"),
        (0.008, "fail", "the monthly SMS limit is too low: 200.00 USD last about 10 h at 2,500 SMS/h"),
    ],
)
def test_the_planned_sms_are_compared_with_the_live_limit(price_usd: float, status: str, expected: str) -> None:
    limits = {(SMS_VOICE, "DescribeSpendLimits"): spend_limits(200, 200)}
    check = ask_one("sms-cost", limits, price_usd_per_message=price_usd)
    assert (check.status, check.message) == (status, expected)
    assert ("MonthlySpendLimit=14600" in check.remedy) is (status == "fail")


def test_without_a_price_the_cost_is_not_checked() -> None:
    check = ask_one("sms-cost", {})
    assert (check.status, check.remedy.startswith("write price_usd_per_message = ...")) == ("skip", True)


@pytest.mark.parametrize(
    ("answers", "status", "expected"),
    [
        ({}, "pass", "SNS may send from the phone number +18005550100 (US)"),
        ({NUMBERS: {"PhoneNumbers": []}}, "fail", "no active phone number, sender ID or pool"),
        ({NUMBERS: {"PhoneNumbers": [phone_number(Status="PENDING")]}}, "fail", "no active phone number"),
        ({NUMBERS: {"PhoneNumbers": [phone_number(NumberType="SIMULATOR")]}}, "fail", "no active phone number"),
        ({NUMBERS: {"PhoneNumbers": [phone_number(NumberCapabilities=["VOICE"])]}}, "fail", "no active phone number"),
        ({POLICY: NO_POLICY}, "fail", "from the phone number +18005550100 (US): no resource policy admits SNS"),
        ({POLICY: {}}, "fail", "no resource policy admits SNS"),
        ({POLICY: {"Policy": "no JSON"}}, "skip", "the resource policy is not JSON"),
        ({POLICY: NO_POLICY, NUMBERS: {"PhoneNumbers": [phone_number(CreatedTimestamp=OLD)]}}, "pass", "may send from"),
        ({NUMBERS: {"PhoneNumbers": []}, POOLS: {"Pools": [pool("CREATING")]}}, "fail", "no active phone number"),
        ({NUMBERS: {"PhoneNumbers": []}, POOLS: {"Pools": [pool()]}}, "pass", "SNS may send from the pool pool-1"),
    ],
)
def test_sns_needs_an_identity_that_admits_it(answers: dict[Any, Any], status: str, expected: str) -> None:
    check = ask_one("sms-origination", answers)
    assert (check.status, expected in check.message) == (status, True)
    if status == "fail":
        check_command(check.remedy)


def test_each_country_needs_an_identity_that_admits_sns() -> None:
    """A second number of the United States needs no policy, but the only sender ID of Great Britain does."""

    def answer(asked: dict[str, str]) -> Any:
        return {"Policy": json.dumps(ADMITTING)} if asked["ResourceArn"] == NUMBER else NO_POLICY

    second = phone_number(PhoneNumberArn=NUMBER + "2", PhoneNumber="+18005550102")
    numbers = {"PhoneNumbers": [second, phone_number()]}
    answers: dict[Any, Any] = {NUMBERS: numbers, POLICY: answer}
    assert ask_one("sms-origination", answers).status == "pass"
    check = ask_one("sms-origination", {**answers, SENDER_IDS: {"SenderIds": [sender_id("GB")]}})
    assert check.status == "warn"  # AWS does not return when a sender ID was made, and older ones need no policy.
    assert "no resource policy of the sender ID PRICES (GB) admits SNS" in check.message
    assert "+1800" not in check.message


def test_the_suggested_policy_admits_sns() -> None:
    remedy = ask_one("sms-origination", {POLICY: NO_POLICY}).remedy
    words = command_in(remedy)
    written = words[words.index("--policy") + 1]
    assert json.loads(written) == ADMITTING
    assert policy_admits_sns(written, ACCOUNT)


def changed(**changes: Any) -> str:
    policy = copy.deepcopy(ADMITTING)
    policy["Statement"][0].update(changes)  # type: ignore[attr-defined]
    return json.dumps(policy)


@pytest.mark.parametrize(
    ("policy", "admits"),
    [
        (changed(), True),
        (changed(Action=["sms-voice:*"]), True),
        (changed(Principal={"Service": ["ses.amazonaws.com", "sns.amazonaws.com"]}), True),
        (changed(Condition={"StringLike": {"aws:sourceaccount": ["1234*"]}}), True),
        (changed(Condition={}), True),
        (changed(Condition={"StringEquals": {"aws:SourceAccount": "999999999999"}}), False),
        (changed(Principal={"AWS": ACCOUNT}), False),
        (changed(Principal="*"), False),
        (changed(Action="sms-voice:SendVoiceMessage"), False),
        (changed(Effect="Deny"), False),
        (
            json.dumps(
                {
                    "Statement": [
                        *ADMITTING["Statement"],
                        {**DENY_ALL, "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
                    ]
                }
            ),
            True,
        ),
        ('{"Statement": []}', False),
        (
            json.dumps({"Statement": [*ADMITTING["Statement"], DENY_ALL]}),
            False,
        ),
    ],
)
def test_a_resource_policy_admits_sns_if_aws_would_allow_it(policy: str, admits: bool) -> None:
    assert policy_admits_sns(policy, ACCOUNT) is admits


@pytest.mark.parametrize("policy", ["no JSON", "[]"])
def test_a_policy_that_is_not_json_is_not_judged(policy: str) -> None:
    with pytest.raises(Unavailable, match="not JSON"):
        policy_admits_sns(policy, ACCOUNT)


def test_a_missing_delivery_log_is_a_warning_with_the_command() -> None:
    limit = {"MonthlySpendLimit": "50"}
    check = ask_one("sms-delivery-log", {("sns", "GetSMSAttributes"): {"attributes": limit}})
    assert check.status == "warn"
    assert "DeliveryStatusIAMRole=ROLE_ARN,DeliveryStatusSuccessSamplingRate=0" in check.remedy
    assert "the log contains phone numbers" in check.remedy


def test_a_delivery_log_without_its_role_fails() -> None:
    attributes = {("sns", "GetSMSAttributes"): {"attributes": {"DeliveryStatusIAMRole": f"{ROLES}/gone"}}}
    check = ask_one(
        "sms-delivery-log", {**attributes, ("iam", "GetRole"): Refusal("NoSuchEntity", "no such role", 404)}
    )
    assert (check.status, f"{ROLES}/gone no longer exists" in check.message) == ("fail", True)
