"""Least privilege: every recorded call is compared with the role, because emulators do not enforce IAM."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from generator.stack import names
from tests.stack.handlers.harness import Call, Stack, cloud, notification, price, stream_record, webhook
from tests.stack.model import TEMPLATES, allowed, flat, of_type, permits, statements

# Calls that Lambda makes with the function's role, or that a service requires of the caller. Handlers do not make them,
# so no recording shows them. Sources: AWS Lambda Developer Guide, "Process DynamoDB records", "Retain
# records of asynchronous invocations", "Secure environment variables"; DynamoDB, SNS, SQS and Secrets Manager on KMS.
LOGS, TRACES = {"logs:CreateLogStream", "logs:PutLogEvents"}, {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
STREAM = {f"dynamodb:{a}" for a in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}
BEHIND_THE_SCENES: dict[str, set[tuple[str, str]]] = {
    function: {(action, f"${{{names.log_group(function)}.Arn}}") for action in LOGS} | {(a, "*") for a in TRACES}
    for function in names.FUNCTIONS
}
BEHIND_THE_SCENES["CheckAlertsFunction"] |= {(action, "${PriceHistoryTable.StreamArn}") for action in STREAM}
BEHIND_THE_SCENES["CheckAlertsFunction"] |= {("sqs:SendMessage", "${StreamFailureQueue.Arn}")}
BEHIND_THE_SCENES["SendNotificationFunction"] |= {("sqs:SendMessage", "${AsyncFailureQueue.Arn}")}
BEHIND_THE_SCENES["SendNotificationFunction"] |= {("sms-voice:SendTextMessage", "*")}
BEHIND_THE_SCENES["CleanupHistoryFunction"] |= {("sqs:SendMessage", "${AsyncFailureQueue.Arn}")}

# Every role decrypts, because every function reads encrypted variables. Senders to an encrypted topic or queue also
# generate data keys: all but ProcessWebhookFunction.
KMS_NEEDS = {
    "ProcessWebhookRole": {"kms:Decrypt"},
    "CheckAlertsRole": {"kms:Decrypt", "kms:GenerateDataKey"},
    "SendNotificationRole": {"kms:Decrypt", "kms:GenerateDataKey"},
    "CleanupHistoryRole": {"kms:Decrypt", "kms:GenerateDataKey"},
    "CleanupScheduleRole": {"kms:Decrypt", "kms:GenerateDataKey"},
}


def needed(call: Call) -> tuple[str, str]:
    """Return the action and resource that AWS authorizes a call against. Source: Service Authorization Reference."""
    match call.operation, call.parameters:
        case (("dynamodb:Query" | "dynamodb:Scan"), {"TableName": table, "IndexName": index}):
            return call.operation, f"${{{table}.Arn}}/index/{index}"
        case (("dynamodb:BatchGetItem" | "dynamodb:BatchWriteItem"), {"RequestItems": tables}):
            (table,) = tables
            return call.operation, f"${{{table}.Arn}}"
        case (("dynamodb:PutItem" | "dynamodb:UpdateItem" | "dynamodb:Query"), {"TableName": table}):
            return call.operation, f"${{{table}.Arn}}"
        case "sns:PublishBatch", {"TopicArn": topic}:
            return "sns:Publish", f"${{{topic.rpartition(':')[2]}}}"
        case "sns:Publish", {"PhoneNumber": number}:
            return "sns:Publish", number
        case "secretsmanager:GetSecretValue", _:
            return call.operation, "${SigningSecret}"
    raise AssertionError(f"unexpected call: {call}")


@pytest.fixture(scope="module")
def calls() -> Iterator[list[Call]]:
    """Every call of every handler, on paths that reach all of them."""
    with cloud():
        stack = Stack()
        stack.load("ProcessWebhookFunction").run(webhook(price()))
        stack.put_alert("alert-1", "BTC-USD", "above", "1")
        (row,) = stack.stored()
        topic = stack.capture_topic()
        stack.load("CheckAlertsFunction").run({"Records": [stream_record(row)]})
        stack.load("SendNotificationFunction").run(notification(stack.published(topic)[0]))
        old = {**row, "observation": {"S": "1600000000000#kraken#msg_0"}, "ttl": {"N": "1602592000"}}
        stack.dynamodb.put_item(TableName=stack.prices, Item=old)
        stack.load("CleanupHistoryFunction").run({})
        stack.close()
        yield stack.calls


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_every_call_of_every_handler_is_allowed_by_its_own_role(calls: list[Call], template: dict[str, Any]) -> None:
    assert {call.function for call in calls} == set(names.FUNCTIONS)
    for call in calls:
        assert permits(allowed(template, names.role(call.function)), *needed(call)), call


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
@pytest.mark.parametrize("function", names.FUNCTIONS)
def test_every_allowed_action_is_used(calls: list[Call], template: dict[str, Any], function: str) -> None:
    made = [needed(call) for call in calls if call.function == function]
    for grant in allowed(template, names.role(function)):
        used = any(permits({grant}, *call) for call in made)
        assert used or grant in BEHIND_THE_SCENES[function] or grant[0] in KMS_NEEDS[names.role(function)], grant


def test_sms_permission_does_not_cover_topics() -> None:
    grants = allowed(TEMPLATES["prod"], "SendNotificationRole")
    assert permits(grants, "sns:Publish", "+15555550100")
    assert not permits(grants, "sns:Publish", "arn:aws:sns:us-east-1:123456789012:OperationsTopic")


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_each_role_has_only_the_kms_actions_it_needs(template: dict[str, Any]) -> None:
    for role in of_type(template, "AWS::IAM::Role"):
        kms = {(action, resource) for action, resource in allowed(template, role) if action.startswith("kms:")}
        assert kms == {(action, "${KmsKey.Arn}") for action in KMS_NEEDS[role]}


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES)
def test_only_tracing_and_what_sns_calls_have_a_wildcard_resource(template: dict[str, Any]) -> None:
    for role in set(of_type(template, "AWS::IAM::Role")):
        for statement in statements(template, role):
            assert all("*" not in action for action in statement["Action"])
            if "*" in map(flat, statement.get("Resource", [])):
                by_sns = {"StringEquals": {"aws:CalledViaLast": "sns.amazonaws.com"}}
                through_sns = (["sms-voice:SendTextMessage"], by_sns)
                assert (
                    set(statement["Action"]) == TRACES or (statement["Action"], statement["Condition"]) == through_sns
                )
    for policy in ("AsyncFailureQueuePolicy", "KmsKey"):
        properties = template["Resources"][policy]["Properties"]
        document = properties.get("PolicyDocument") or properties["KeyPolicy"]
        assert "*" not in json.dumps([statement["Action"] for statement in document["Statement"]])


def test_the_key_policy_refers_to_no_resource_of_the_stack() -> None:
    key = TEMPLATES["prod"]["Resources"]["KmsKey"]["Properties"]["KeyPolicy"]
    text = json.dumps(key)
    assert not [name for name in TEMPLATES["prod"]["Resources"] if f'"{name}"' in text or f"${{{name}" in text]
    account, logs, services = key["Statement"]
    assert flat(account["Principal"]["AWS"]) == "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"
    assert "kms:EncryptionContext:aws:logs:arn" in logs["Condition"]["ArnLike"]
    assert services["Principal"]["Service"] == [f"{s}.amazonaws.com" for s in ("cloudwatch", "scheduler", "sns", "sqs")]
    assert services["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
