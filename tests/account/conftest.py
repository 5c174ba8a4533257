"""AWS accounts for the tests, most of them a variant of a good one."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
import pytest
from click.testing import Result

from generator.account.connection import SMS_VOICE
from tests.account.stub import Question, Refusal, Stub, serving

STACK = "price-alerts-prod"
FUNCTIONS = ("ProcessWebhookFunction", "CheckAlertsFunction", "SendNotificationFunction", "CleanupHistoryFunction")
NO_STACK = Refusal("ValidationError", f"Stack with id {STACK} does not exist")
DESCRIPTION = "Serverless cryptocurrency price alert system (prod)"
NOW = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)

ROLES = "arn:aws:iam::123456789012:role"
ROLE = {"Path": "/", "RoleName": "r", "RoleId": "AROA1234567890123456", "Arn": f"{ROLES}/r", "CreateDate": NOW}
LOG_ROLE = f"{ROLES}/sms"
NUMBER = "arn:aws:sms-voice:us-east-1:123456789012:phone-number/1"
ADMITTING = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sms-voice:SendTextMessage",
            "Resource": NUMBER,
            "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
        }
    ],
}


def phone_number(**changes: Any) -> dict[str, Any]:
    """Return an active number of this year that sends SMS to the United States, with these changes."""
    return {
        "PhoneNumberArn": NUMBER,
        "PhoneNumber": "+18005550100",
        "Status": "ACTIVE",
        "IsoCountryCode": "US",
        "MessageType": "TRANSACTIONAL",
        "NumberCapabilities": ["SMS"],
        "NumberType": "TOLL_FREE",
        "MonthlyLeasingPrice": "2",
        "TwoWayEnabled": False,
        "SelfManagedOptOutsEnabled": False,
        "OptOutListName": "Default",
        "DeletionProtectionEnabled": False,
        "CreatedTimestamp": NOW,
        **changes,
    }


def subscription(arn: str) -> dict[str, str]:
    """Return a subscription of an address to the operations topic; its ARN states whether it is confirmed."""
    return {"SubscriptionArn": arn, "Protocol": "email", "Endpoint": "ops@example.com", "TopicArn": "topic"}


def spend_limits(enforced: int, quota: int) -> dict[str, Any]:
    """Return the answer with the monthly limits of text and voice messages."""
    text = {"EnforcedLimit": enforced, "MaxLimit": quota, "Overridden": enforced < quota}
    voice = {"EnforcedLimit": 0, "MaxLimit": 0, "Overridden": False}
    return {
        "SpendLimits": [
            {"Name": "VOICE_MESSAGE_MONTHLY_SPEND_LIMIT", **voice},
            {"Name": "TEXT_MESSAGE_MONTHLY_SPEND_LIMIT", **text},
        ]
    }


GOOD: dict[Question, Any] = {
    ("sts", "GetCallerIdentity"): {
        "Account": "123456789012",
        "UserId": "user",
        "Arn": "arn:aws:iam::123456789012:user/u",
    },
    ("cloudformation", "DescribeStacks"): NO_STACK,
    ("cloudformation", "DescribeStackResources"): NO_STACK,
    ("lambda", "GetAccountSettings"): {
        "AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}
    },
    ("lambda", "GetFunctionConcurrency"): {},
    ("sns", "GetSMSSandboxAccountStatus"): {"IsInSandbox": False},
    ("sns", "GetSMSAttributes"): {"attributes": {"MonthlySpendLimit": "20000", "DeliveryStatusIAMRole": LOG_ROLE}},
    ("sns", "ListSubscriptionsByTopic"): {"Subscriptions": [subscription("arn:aws:sns:us-east-1:123456789012:t:1")]},
    (SMS_VOICE, "DescribeAccountAttributes"): {"AccountAttributes": [{"Name": "ACCOUNT_TIER", "Value": "PRODUCTION"}]},
    (SMS_VOICE, "DescribeSpendLimits"): spend_limits(20_000, 20_000),
    (SMS_VOICE, "DescribePhoneNumbers"): {"PhoneNumbers": [phone_number()]},
    (SMS_VOICE, "DescribeSenderIds"): {"SenderIds": []},
    (SMS_VOICE, "DescribePools"): {"Pools": []},
    (SMS_VOICE, "GetResourcePolicy"): {"Policy": json.dumps(ADMITTING)},
    ("iam", "GetRole"): {"Role": ROLE},
    ("apigateway", "GetAccount"): {"cloudwatchRoleArn": f"{ROLES}/logging"},
    ("apigateway", "GetRestApis"): {"items": [{"id": "other", "name": "something else"}]},
    ("dynamodb", "DescribeLimits"): {"TableMaxReadCapacityUnits": 40_000, "TableMaxWriteCapacityUnits": 40_000},
    ("kms", "DescribeKey"): {"KeyMetadata": {"KeyId": "key", "KeyState": "Enabled"}},
    ("kms", "ListKeys"): {"Keys": []},
}
"""Answers of a fresh account that sends SMS and has a logging role."""


def limits(limit: int, unreserved: int) -> dict[Question, Any]:
    """Return the answer with the account's concurrency."""
    return {
        ("lambda", "GetAccountSettings"): {
            "AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}
        }
    }


def deployed(
    reserved: Mapping[str, int | None], status: str = "CREATE_COMPLETE", removed: Sequence[str] = ()
) -> dict[Question, Any]:
    """Return the answers about a stack of prod whose functions have these reservations; `removed` are deleted ones."""
    stack = {"StackName": STACK, "CreationTime": NOW, "StackStatus": status, "Description": DESCRIPTION}

    def row(logical_id: str, type_: str, status: str = "CREATE_COMPLETE") -> dict[str, Any]:
        names = {"LogicalResourceId": logical_id, "PhysicalResourceId": f"physical-{logical_id}"}
        return {**names, "ResourceType": type_, "Timestamp": NOW, "ResourceStatus": status}

    types = {
        "WebhookApi": "AWS::ApiGateway::RestApi",
        "KmsKey": "AWS::KMS::Key",
        "ApiLoggingRole": "AWS::IAM::Role",
        "OperationsTopic": "AWS::SNS::Topic",
    }
    rows = [row(name, "AWS::Lambda::Function") for name in reserved]
    rows += [row(name, type_) for name, type_ in types.items()]
    rows += [row(name, "AWS::Lambda::Function", "DELETE_COMPLETE") for name in removed]

    def only_prod(answer: Any) -> Callable[[dict[str, str]], Any]:
        return lambda asked: answer if asked["StackName"] == STACK else NO_STACK

    def concurrency(asked: dict[str, str]) -> dict[str, int]:
        own = reserved[asked["FunctionName"].removeprefix("physical-")]
        return {} if own is None else {"ReservedConcurrentExecutions": own}

    return {
        ("cloudformation", "DescribeStacks"): only_prod({"Stacks": [stack]}),
        ("cloudformation", "DescribeStackResources"): only_prod({"StackResources": rows}),
        ("lambda", "GetFunctionConcurrency"): concurrency,
    }


@contextmanager
def asking(
    generator: Callable[..., Result], answers: Mapping[Question, Any], *options: str
) -> Iterator[tuple[Any, Stub]]:
    """Run the preflight of prod in a good account with these answers changed; yield its JSON by check, and the stub."""
    if "price_usd_per_message =" not in Path("environments/prod.toml").read_text():
        setting("sms", price_usd_per_message=0.008)
    with serving(Stub({**GOOD, **answers})) as stub:
        result = generator("preflight", "prod", "--endpoint-url", stub.url, "--format", "json", *options)
        report = json.loads(result.stdout)
        assert result.exit_code == (0 if report["passed"] else 1)
        yield {check["id"]: check for check in report["checks"]}, stub


@pytest.fixture
def ask(generator: Callable[..., Result]) -> Callable[..., dict[str, dict[str, str]]]:
    """Like `asking`, but without the stub."""

    def run(answers: Mapping[Question, Any] | None = None, *options: str) -> dict[str, dict[str, str]]:
        with asking(generator, answers or {}, *options) as (checks, _):
            return dict(checks)

    return run


def setting(section: str, environment: str = "prod", **values: object) -> None:
    """Write settings into an environment file."""
    path = Path(f"environments/{environment}.toml")
    text, header = path.read_text(), f"[{section}]\n"
    if header not in text:
        text += header
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    path.write_text(text.replace(header, header + lines))


@pytest.fixture(autouse=True)
def service_models_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read botocore's service models and make its clients once, which would take most of the time of these tests."""
    monkeypatch.setattr(botocore.session, "create_loader", _loader)
    monkeypatch.setattr(botocore.session.Session, "create_client", _client_once)


_create_client = botocore.session.Session.create_client
_clients: dict[tuple[object, ...], Any] = {}


def _client_once(self: Any, service_name: str, *arguments: Any, **options: Any) -> Any:
    """Return a client of the stub that was made before for the same request and credentials. Make others anew."""
    if not options.get("endpoint_url"):
        return _create_client(self, service_name, *arguments, **options)
    credentials, config = self.get_credentials(), options.get("config")
    same = {**options, "config": config and config._user_provided_options}
    key = (service_name, arguments, repr(same), credentials and credentials.access_key)
    if key not in _clients:
        _clients[key] = _create_client(self, service_name, *arguments, **options)
    return _clients[key]


@functools.cache
def _loader(search_path_string: str | None = None) -> Any:
    return botocore.loaders.create_loader(search_path_string)
