"""The committed template on the emulator: deployed through CloudFormation and used over HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import string
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from generator.aws import MAX_TEMPLATE_BODY_BYTES
from generator.errors import EmulatorFailure, Fault
from generator.local import emulator
from generator.local.emulator import Emulator
from generator.local.senders import Sender
from generator.stack import alerts
from generator.stack.alerts import Alert, Item
from generator.template.intrinsics import Json
from generator.template.reading import parsed

DEPLOY_TIMEOUT_S = 60
SMS_TIMEOUT_S = 15
FAILURE_TIMEOUT_S = 20
STACK = "local"

LOG_GROUPS = {
    "ProcessWebhookLogGroup": "webhook",
    "CheckAlertsLogGroup": "price checked",
    "SendNotificationLogGroup": "notification",
    "CleanupHistoryLogGroup": "cleanup",
}
"""Kinds of event by the log group that records them, in the order in which a webhook causes them."""

REQUIRED_RESOURCES = (
    *(*LOG_GROUPS, "ProcessWebhookFunction", "PriceAlertsTable", "PriceHistoryTable", "SigningSecret"),
    *("WebhookApi", "WebhookStage", "WebhookApiKey"),
)
"""Logical ids that this module relies on."""


@dataclass
class System:
    """The deployed stack, with the actions of a sender, a subscriber and an operator."""

    emulator: Emulator
    ids: dict[str, str]
    url: str
    api_key: str
    secret: str
    senders: tuple[Sender, ...] = ()
    _read: dict[str, int] = field(default_factory=dict)
    _prices: set[str] = field(default_factory=set)

    def send(self, body: dict[str, object], webhook_id: str) -> tuple[int, str]:
        """POST a price, signed as the Standard Webhooks specification 1.0 has it in "Signature scheme".

        Returns the status and the body of the answer.
        """
        raw, sent_at_s = json.dumps(body).encode(), int(time.time())
        content = f"{webhook_id}.{sent_at_s}.".encode() + raw
        signature = base64.b64encode(hmac.digest(base64.b64decode(self.secret), content, hashlib.sha256)).decode()
        headers = {
            "content-type": "application/json",
            "x-api-key": self.api_key,
            "webhook-id": webhook_id,
            "webhook-timestamp": str(sent_at_s),
            "webhook-signature": f"v1,{signature}",
        }
        return self._post(self.url, raw, headers)

    def send_from(self, sender: Sender, body: str) -> tuple[int, str]:
        """POST a body to the path of a source. Return the status and the body of the answer."""
        return self._post(sender.url, body.encode(), sender.headers(body))

    def _post(self, url: str, raw: bytes, headers: dict[str, str]) -> tuple[int, str]:
        request = urllib.request.Request(url, data=raw, headers=headers, method="POST")  # noqa: S310 - our own URL
        try:
            with emulator.request(request, timeout_s=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def put_alert(self, alert_id: str, symbol: str, direction: str, threshold: str, phone_number: str) -> None:
        """Arm an alert by writing the item that `generator alerts` writes."""
        arming = alerts.arming(symbol, direction, threshold, int(time.time() * 1000))
        item = alerts.item("demo", alert_id, arming, phone_number)
        self.emulator.client("dynamodb").put_item(TableName=self.ids["PriceAlertsTable"], Item=item)

    def sms(self) -> dict[str, list[str]]:
        """Return the texts of the SMS sent so far by phone number."""
        with emulator.request(f"{self.emulator.url}/_ministack/sns/sms-messages", timeout_s=10) as answer:
            by_number = json.load(answer)["sms_messages"]
        return {number: [message["Message"] for message in messages] for number, messages in by_number.items()}

    def wait_for_sms(self, expected: Collection[str]) -> dict[str, list[str]]:
        """Return the texts of the SMS by phone number, as soon as each expected number has one or after a timeout."""
        wait_until(lambda: self.sms().keys() >= set(expected), SMS_TIMEOUT_S)
        return self.sms()

    def alerts(self) -> list[Alert]:
        """Return every alert in the table."""
        return [alerts.read(item) for item in self._items("PriceAlertsTable")]

    def new_prices(self) -> list[Item]:
        """Return the prices that were stored since the last call, oldest first."""
        items = [item for item in self._items("PriceHistoryTable") if "price" in item]
        new = {str(item["observation"]["S"]): item for item in items if item["observation"]["S"] not in self._prices}
        self._prices |= new.keys()
        return [new[name] for name in sorted(new)]

    @contextmanager
    def outage_of_notifications(self) -> Iterator[None]:
        """Switch SendNotification off inside the block. At its end, wait until the failure queue has a notification.

        The emulator neither retries what SNS cannot deliver nor moves it to the failure queue. Inside the block, the
        queue subscribes to the topic instead, so it gets the same message. Raises EmulatorFailure if none arrives.
        """
        sns, sqs, functions = (self.emulator.client(service) for service in ("sns", "sqs", "lambda"))
        function, topic = self.ids["SendNotificationFunction"], self.ids["NotificationTopic"]
        queue = self.ids["AsyncFailureQueue"]

        def attribute(name: str) -> str:
            return str(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name])

        functions.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
        subscription = sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=attribute("QueueArn"), ReturnSubscriptionArn=True
        )
        try:
            yield
            if not wait_until(lambda: int(attribute("ApproximateNumberOfMessages")) > 0, FAILURE_TIMEOUT_S):
                what = f"no notification failed within {FAILURE_TIMEOUT_S} s"
                raise EmulatorFailure([Fault("the emulator", what, "run the command again")])
        finally:
            sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
            functions.delete_function_concurrency(FunctionName=function)

    def _items(self, table: str) -> list[Item]:
        pages = self.emulator.client("dynamodb").get_paginator("scan").paginate(TableName=self.ids[table])
        return [item for page in pages for item in page["Items"]]

    def new_events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the events that the functions logged since the last call, oldest first: kind and log line of each."""
        pages = self.emulator.client("logs").get_paginator("filter_log_events")
        rows = []
        for group, kind in LOG_GROUPS.items():
            events = [event for page in pages.paginate(logGroupName=self.ids[group]) for event in page["events"]]
            for event in events[self._read.get(group, 0) :]:
                if event["message"].startswith('{"_aws"'):
                    rows.append((event["timestamp"], kind, json.loads(event["message"])))
            self._read[group] = len(events)
        return [(kind, line) for _, kind, line in sorted(rows, key=lambda row: row[0])]


def wait_until(holds: Callable[[], bool], timeout_s: float) -> bool:
    """Wait until a condition holds, and return whether it did in time."""
    until = time.monotonic() + timeout_s
    while not (is_reached := holds()) and time.monotonic() < until:
        time.sleep(0.1)
    return is_reached


def deploy(emulator: Emulator, template: str) -> System:
    """Create the stack from the unchanged text of a template, then apply the settings that the emulator ignores.

    The emulator ignores ReservedConcurrentExecutions, so this function sets them by API call where that is harmless. It
    also ignores the generation rules of the secrets, so this function stores valid ones.
    Raises EmulatorFailure with the reason if the stack is not created or is not from this generator.
    """
    ids = _create(emulator, template)
    if missing := [name for name in REQUIRED_RESOURCES if name not in ids]:
        fault = Fault("the template", f"has no {', '.join(missing)}", "run: generator template")
        raise EmulatorFailure([fault])
    _apply_reservations(emulator, parsed("the template", template), ids)
    secret = _new_secret(emulator, ids["SigningSecret"])
    api_key = emulator.client("apigateway").get_api_key(apiKey=ids["WebhookApiKey"], includeValue=True)["value"]
    url = f"{emulator.url}/restapis/{ids['WebhookApi']}/{ids['WebhookStage']}/_user_request_/webhooks"
    return System(emulator, ids, url, api_key, secret, tuple(_senders(emulator, ids["ProcessWebhookFunction"], url)))


def _new_secret(emulator: Emulator, secret_id: str) -> str:
    """Store and return a secret as Secrets Manager generates it for the template."""
    secret = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(44))
    emulator.client("secretsmanager").put_secret_value(SecretId=secret_id, SecretString=secret)
    return secret


def _senders(emulator: Emulator, function: str, url: str) -> Iterator[Sender]:
    """Yield the sources that the function accepts besides the standard one."""
    variables = emulator.client("lambda").get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    for line in variables.get("SOURCES", "").splitlines():
        name, scheme, secret_id, header = line.split()
        yield Sender(name, scheme, header, f"{url}/{name}", _new_secret(emulator, secret_id))


def _create(emulator: Emulator, template: str) -> dict[str, str]:
    """Create the stack. Return the physical ids of its resources by logical id."""
    cloudformation = emulator.client("cloudformation")
    source = {"TemplateBody": template}
    if len(template.encode()) > MAX_TEMPLATE_BODY_BYTES:  # CloudFormation reads longer ones from a bucket.
        s3, place = emulator.client("s3"), {"Bucket": "templates", "Key": f"{STACK}.json"}
        s3.create_bucket(Bucket=place["Bucket"])
        s3.put_object(**place, Body=template.encode())
        source = {"TemplateURL": f"https://s3.amazonaws.com/{place['Bucket']}/{place['Key']}"}
    cloudformation.create_stack(StackName=STACK, Capabilities=["CAPABILITY_IAM"], **source)

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])

    wait_until(lambda: not status().endswith("IN_PROGRESS"), DEPLOY_TIMEOUT_S)
    if (found := status()) != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
        reasons = (f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)
        what = f"the emulator did not create the stack ({found}): {', '.join(reasons)}"
        raise EmulatorFailure([Fault("the template", what, "run: generator check")])
    rows = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    return {row["LogicalResourceId"]: row["PhysicalResourceId"] for row in rows}


def _apply_reservations(emulator: Emulator, template: Mapping[str, Json], ids: dict[str, str]) -> None:
    """Set the reservations, except for functions behind a topic, where the emulator drops throttled events.

    A reservation of 1 would lose the second of two simultaneous notifications. On AWS it waits in Lambda's queue.
    """
    functions, resources = emulator.client("lambda"), template["Resources"]
    endpoints = [r["Properties"].get("Endpoint") for r in resources.values() if r["Type"] == "AWS::SNS::Subscription"]
    queued = {endpoint["Fn::GetAtt"][0] for endpoint in endpoints if isinstance(endpoint, dict)}
    for name, resource in resources.items():
        reserved = resource.get("Properties", {}).get("ReservedConcurrentExecutions")
        if reserved is not None and name in ids and name not in queued:
            functions.put_function_concurrency(FunctionName=ids[name], ReservedConcurrentExecutions=reserved)
