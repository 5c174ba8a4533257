"""A deployed stack in moto with the resources that `alerts` and `replay` use, and the shipped handlers around it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3

from tests.account.conftest import DESCRIPTION, STACK
from tests.stack.handlers.harness import TEMPLATE, Stack, cloud, notification, price, stream_record, webhook

KEPT = ("PriceHistoryTable", "PriceAlertsTable", "NotificationTopic", "StreamFailureQueue", "AsyncFailureQueue")
KEY = ("userId", "alertId")
ENCRYPTION = ("SSESpecification", "KmsMasterKeyId", "TimeToLiveSpecification")


class Live(Stack):
    """The stack of prod in moto. Its handlers run one after the other, as AWS would run them."""

    def __init__(self) -> None:
        super().__init__()
        resources = {name: json.loads(json.dumps(TEMPLATE["Resources"][name])) for name in KEPT}
        for resource in resources.values():
            for name in ENCRYPTION:
                resource.get("Properties", {}).pop(name, None)
        cloudformation = boto3.client("cloudformation")
        body = json.dumps({"Description": DESCRIPTION, "Resources": resources})
        cloudformation.create_stack(StackName=STACK, TemplateBody=body)
        rows = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
        self.ids |= {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}
        self.prices, self.alerts = self.ids["PriceHistoryTable"], self.ids["PriceAlertsTable"]
        self.handlers: dict[str, Any] = {}

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        if function not in self.handlers:
            self.handlers[function] = self.load(function)
        return self.handlers[function].run(event)

    def receive(self, webhook_id: str = "msg_1", **changes: object) -> list[dict[str, Any]]:
        """Store a price and check the alerts. Return the notifications that it caused."""
        before = len(self.notifications())
        answer = self.invoke("ProcessWebhookFunction", webhook(price(**changes), webhook_id))
        assert answer["statusCode"] == 202, answer
        (row,) = [row for row in self.stored() if row["observation"]["S"].endswith(webhook_id)]
        assert not self.invoke("CheckAlertsFunction", {"Records": [stream_record(row)]})["batchItemFailures"]
        return self.notifications()[before:]

    def send(self, message: dict[str, Any]) -> None:
        self.invoke("SendNotificationFunction", notification(message))

    def item(self, user: str = "me", alert: str = "first") -> dict[str, Any]:
        key = {"userId": {"S": user}, "alertId": {"S": alert}}
        found: dict[str, Any] = self.dynamodb.get_item(TableName=self.alerts, Key=key)["Item"]
        return found

    def write(self, **changes: Any) -> None:
        """Write an armed alert, as an application might. A change to None leaves an attribute out."""
        self.put_alert("first", "BTC-USD", "above", "64000")
        item = {**self.item("user-1"), "userId": {"S": "me"}, **changes}
        self.dynamodb.delete_item(TableName=self.alerts, Key={name: self.item("user-1")[name] for name in KEY})
        present = {name: value for name, value in item.items() if value is not None}
        self.dynamodb.put_item(TableName=self.alerts, Item=present)


@contextmanager
def deployed() -> Iterator[Live]:
    """Yield the stack in an empty account."""
    with cloud():
        live = Live()
        yield live
        live.close()
