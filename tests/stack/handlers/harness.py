"""The committed template's tables, topic and secret in moto, and its handlers, run from the shipped text.

Keys, indexes and variables come from the template. Every AWS call of a handler is recorded.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import time
import types
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from tests.conftest import FIXTURES
from tests.stack.model import of_type

TEMPLATE = json.loads((FIXTURES / "templates_out/dev.json").read_text())
SECRET_TEXT = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2"
REGION = "us-east-1"


def cloud() -> AbstractContextManager[Any]:
    """An empty AWS account in moto. It keeps the boto3 session, because a new one reads every service model again."""
    return mock_aws(config={"core": {"reset_boto3_session": False}})


@dataclass
class Context:
    """The context that Lambda passes to a handler."""

    remaining_ms: int = 60_000
    aws_request_id: str = "request-1"
    function_name: str = "function"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass(frozen=True)
class Call:
    """One AWS call: the handler that made it, the operation and the parameters."""

    function: str
    operation: str
    parameters: dict[str, Any] = field(hash=False)


class Stack:
    """The committed template, or another one, deployed to moto. Use it inside `cloud()`."""

    def __init__(self, template: dict[str, Any] = TEMPLATE) -> None:
        self.template = template
        self.calls: list[Call] = []
        self._running = ""
        if boto3.DEFAULT_SESSION is None:
            boto3.setup_default_session(region_name=REGION)
        boto3.DEFAULT_SESSION.events.register("provide-client-params", self._record, unique_id="recorder")
        self.dynamodb = boto3.client("dynamodb")
        self.ids = {name: name for name in ("PriceHistoryTable", "PriceAlertsTable")}
        for name in self.ids:
            self._create_table(name)
        self.ids["NotificationTopic"] = boto3.client("sns").create_topic(Name="NotificationTopic")["TopicArn"]
        for name in of_type(template, "AWS::SecretsManager::Secret"):
            text = SECRET_TEXT if name == "SigningSecret" else secret_of(name)
            made = boto3.client("secretsmanager").create_secret(Name=name, SecretString=text)
            self.ids[name] = made["ARN"]
        self.prices, self.alerts = self.ids["PriceHistoryTable"], self.ids["PriceAlertsTable"]

    def _create_table(self, name: str) -> None:
        wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        properties = self.template["Resources"][name]["Properties"]
        self.dynamodb.create_table(TableName=name, **{key: properties[key] for key in wanted if key in properties})

    def close(self) -> None:
        """Stop recording."""
        boto3.DEFAULT_SESSION.events.unregister("provide-client-params", unique_id="recorder")

    def load(self, function: str, **changes: object) -> types.SimpleNamespace:
        """Run the shipped text as Lambda imports it, then replace names in it, such as `time`, with `changes`."""
        properties = self.template["Resources"][function]["Properties"]
        separator, lines = properties["Code"]["ZipFile"]["Fn::Join"]
        variables = properties["Environment"]["Variables"]
        resolved = {key: self._resolved(value) for key, value in variables.items()}
        kept = dict(os.environ)
        os.environ.update(resolved)
        namespace: dict[str, Any] = {"__name__": "index"}
        try:
            exec(compile(separator.join(lines), f"{function}/index.py", "exec"), namespace)
        finally:
            os.environ.clear()
            os.environ.update(kept)
        namespace.update(changes)
        return types.SimpleNamespace(namespace=namespace, run=lambda *a: self._run(function, namespace, *a))

    def _resolved(self, value: Any) -> str:
        match value:
            case {"Ref": name}:
                return self.ids[name]
            case {"Fn::Sub": text}:
                return re.sub(r"\$\{(\w+)\}", lambda match: self.ids[match[1]], text)
        return str(value)

    def _run(self, function: str, namespace: dict[str, Any], event: dict[str, Any], context: object = None) -> Any:
        self._running = function
        try:
            return namespace["handler"](event, context or Context(function_name=function))
        finally:
            self._running = ""

    def _record(self, params: dict[str, Any], model: Any, **_: object) -> None:
        if self._running:
            self.calls.append(Call(self._running, f"{model.service_model.service_name}:{model.name}", params))

    def stored(self) -> list[dict[str, Any]]:
        """Return every stored price, without the list of symbols."""
        return [row for row in self._scan(self.prices) if "price" in row]

    def alert_rows(self) -> list[dict[str, Any]]:
        return self._scan(self.alerts)

    def _scan(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [row for page in pages for row in page["Items"]]

    def put_alert(self, alert_id: str, symbol: str, direction: str, threshold: str, **changes: Any) -> None:
        """Write an armed alert, like an application. A change to None leaves an attribute out."""
        item = {
            "userId": {"S": "user-1"},
            "alertId": {"S": alert_id},
            "watch": {"S": f"{symbol}#{direction}"},
            "threshold": {"N": threshold},
            "generation": {"N": "1"},
            "armedAt": {"N": str(int(time.time() * 1000) - 3_600_000)},
            "phoneNumber": {"S": "+15555550100"},
            **changes,
        }
        present = {name: value for name, value in item.items() if value is not None}
        self.dynamodb.put_item(TableName=self.alerts, Item=present)

    def notifications(self) -> list[dict[str, Any]]:
        """Return everything ever published to the notification topic, in order."""
        topic = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[self.ids["NotificationTopic"]]
        return [json.loads(sent[1]) for sent in topic.sent_notifications]

    def capture_topic(self) -> str:
        """Subscribe a queue to the notification topic and return its URL."""
        sqs = boto3.client("sqs")
        url: str = sqs.create_queue(QueueName="captured")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        boto3.client("sns").subscribe(TopicArn=self.ids["NotificationTopic"], Protocol="sqs", Endpoint=arn)
        return url

    def published(self, url: str) -> list[dict[str, Any]]:
        """Return what the topic delivered to the queue since the last call."""
        sqs, found = boto3.client("sqs"), []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                found.append(json.loads(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def sms(self) -> list[tuple[str, str]]:
        """Return the number and text of every SMS that SNS accepted."""
        return list(sns_backends[DEFAULT_ACCOUNT_ID][REGION].sms_messages.values())


def secret_of(name: str) -> str:
    """Return 44 letters and digits, like the generated text of a secret."""
    return hashlib.sha256(name.encode()).hexdigest()[:44]


def price(**changes: object) -> dict[str, object]:
    """Return the body of a webhook."""
    return {
        "symbol": "BTC-USD",
        "price": "64231.50",
        "timestamp": int(time.time() * 1000),
        "source": "kraken",
        **changes,
    }


def webhook(body: str | bytes | dict[str, object], webhook_id: str = "msg_1", **changes: Any) -> dict[str, Any]:
    """Return the event that API Gateway makes of a signed request."""
    raw = json.dumps(body).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else body
    stamp = str(changes.pop("sent_at", int(time.time())))
    key = base64.b64decode(changes.pop("secret", SECRET_TEXT))
    signature = base64.b64encode(hmac.digest(key, f"{webhook_id}.{stamp}.".encode() + raw, hashlib.sha256)).decode()
    headers = {"Webhook-Id": webhook_id, "Webhook-Timestamp": stamp, "Webhook-Signature": f"v1,{signature}"}
    return {"headers": headers, "body": raw.decode(), "isBase64Encoded": False, **changes}


def stream_record(row: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Return the stream record of an inserted row."""
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "dynamodb": {"NewImage": row, "SequenceNumber": f"{number:021d}"},
    }


def notification(message: dict[str, Any]) -> dict[str, Any]:
    """Return the event that SNS delivers to a Lambda function."""
    return {"Records": [{"Sns": {"MessageId": "sns-1", "Message": json.dumps(message)}}]}
