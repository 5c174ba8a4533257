"""`generator replay` on the failure queues of a stack in moto, with messages of AWS and messages from elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sqs.models import sqs_backends

from generator.account import replay as replaying
from generator.stack import failures
from generator.stack.failures import Kind
from tests.account.conftest import STACK
from tests.account.live import Live, deployed
from tests.hostile.watching import assert_harmless
from tests.stack.handlers.harness import REGION, notification

pytestmark = pytest.mark.slow

Run = Callable[..., Result]

ERROR = {"errorType": "RuntimeError", "errorMessage": "Throttling"}
PHONE = "+15555550100"


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    monkeypatch.setattr(replaying, "WAIT_S", 0)  # moto has one server, and would wait for messages.
    with deployed() as stack:
        yield stack


def fired(live: Live, alert: str = "first", **changes: Any) -> dict[str, Any]:
    """Let an alert fire. Return its notification, which is not delivered."""
    live.write(alertId={"S": alert})
    (message,) = live.receive(alert)
    return {**message, **changes}


def lambda_failure(payload: object, error: object = ERROR) -> str:
    """Return the record of a failed asynchronous invocation.

    Source: AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations".
    """
    context = {"requestId": "r", "functionArn": "arn", "condition": "RetriesExhausted", "approximateInvokeCount": 3}
    body = {"version": "1.0", "requestContext": context, "requestPayload": payload, "responsePayload": error}
    return json.dumps(body)


def position(arrived_at_s: float) -> str:
    """Return the record of a failed batch. Source: AWS Lambda Developer Guide, "Process DynamoDB records"."""
    info = {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": "800000000003126276362",
        "endSequenceNumber": "800000000003126276363",
        "approximateArrivalOfFirstRecord": datetime.fromtimestamp(arrived_at_s, UTC).isoformat().replace("+00:00", "Z"),
        "approximateArrivalOfLastRecord": "2026-11-29T00:13:19Z",
        "batchSize": 2,
        "streamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-14T00:04:06.388",
    }
    return json.dumps({"requestContext": {"condition": "RecordAgeExceeded"}, "DDBStreamBatchInfo": info})


def put(live: Live, body: str, queue: str = "AsyncFailureQueue", **attributes: str) -> None:
    values = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    boto3.client("sqs").send_message(QueueUrl=live.ids[queue], MessageBody=body, MessageAttributes=values)


def left(live: Live) -> list[str]:
    """Return the messages that are left in both queues. No message is hidden: it would look deleted."""
    queues = sqs_backends[DEFAULT_ACCOUNT_ID][REGION].queues.values()
    messages = [message for queue in queues for message in queue._messages]
    assert all(message.visible for message in messages)
    return [message.body for message in messages]


def replay(generator: Run, *options: str) -> list[dict[str, Any]]:
    result = generator("replay", "prod", "--format", "json", *options)
    return list(json.loads(result.stdout)["events"])


def test_a_failed_notification_is_replayed_and_sent_once(generator: Run, live: Live) -> None:
    message = fired(live)
    put(live, lambda_failure(notification(message)))
    before, published = left(live), len(live.notifications())
    (event,) = replay(generator)
    assert (event["action"], event["kind"], event["subject"]) == ("replay", "notification", "me/first, BTC-USD above")
    assert event["reason"] == "RuntimeError, Throttling, RetriesExhausted"
    assert (left(live), len(live.notifications())) == (before, published)
    (event,) = replay(generator, "--run")
    assert (event["action"], left(live)) == ("replayed", [])
    assert live.notifications()[published:] == [message]
    for sent in live.notifications():
        live.send(sent)
    assert len(live.sms()) == 1
    result = generator("replay", "prod", "--run")
    assert (result.exit_code, result.output) == (0, "prod: the failure queues are empty\n")


@pytest.mark.parametrize("form", ["event", "envelope", "message"])
def test_a_notification_that_sns_could_not_deliver_is_replayed(generator: Run, live: Live, form: str) -> None:
    message = fired(live)
    text = json.dumps(message)
    envelope = {"Type": "Notification", "MessageId": "m", "TopicArn": "arn:aws:sns:evil", "Message": text}
    body = {"event": json.dumps(notification(message)), "envelope": json.dumps(envelope), "message": text}[form]
    put(live, body, ErrorCode="ServiceUnavailable")
    (event,) = replay(generator, "--run")
    assert (event["action"], event["reason"]) == ("replayed", "ServiceUnavailable")
    assert live.notifications()[1:] == [message]


def test_only_notifications_younger_than_the_age_limit_are_replayed(generator: Run, live: Live) -> None:
    now_ms = int(time.time() * 1000)
    put(live, lambda_failure(notification(fired(live, "old", firedAt=now_ms - 7_200_000))))
    put(live, lambda_failure(notification(fired(live, "new", firedAt=now_ms - 600_000))))
    actions = {event["subject"][:6]: event["action"] for event in replay(generator, "--run", "--max-age", "60")}
    assert actions == {"me/old": "keep", "me/new": "keep"}
    actions = {event["subject"][:6]: event["action"] for event in replay(generator, "--run")}
    assert (actions, len(left(live))) == ({"me/old": "keep", "me/new": "replayed"}, 1)
    (event,) = replay(generator, "--run", "--discard")
    assert (event["action"], left(live)) == ("discarded", [])
    refused = generator("replay", "prod", "--max-age", "3601")
    assert (refused.exit_code, "max_notification_age_s = 3600" in refused.stderr) == (2, True)


def test_stream_positions_and_cleanup_runs_are_explained_and_only_discarded(generator: Run, live: Live) -> None:
    put(live, position(time.time() - 90_000), "StreamFailureQueue")
    put(live, position(time.time() - 86_100), "StreamFailureQueue")
    put(live, "{}", SCHEDULE_ARN="arn", ERROR_CODE="AccessDenied")
    put(live, lambda_failure({"source": "aws.scheduler", "detail-type": "Scheduled Event"}))
    events = replay(generator, "--run")
    assert [(event["kind"], event["action"]) for event in events] == [
        *[("cleanup run", "keep")] * 2,
        *[("stream position", "keep")] * 2,
    ]
    assert events[0]["reason"] == "AccessDenied"
    assert events[2]["why"].startswith("the prices have left the stream; alerts that they did not fire are still armed")
    assert events[3]["why"].startswith("the prices stay in the stream for ")
    assert len(left(live)) == 4
    assert {event["action"] for event in replay(generator, "--run", "--discard")} == {"discarded"}
    assert left(live) == []


def test_a_notification_that_sns_does_not_accept_stays_in_the_queue(
    generator: Run, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(live, lambda_failure(notification(fired(live))))
    boto3.client("sns").delete_topic(TopicArn=live.ids["NotificationTopic"])
    result = generator("replay", "prod", "--run")
    assert result.exit_code == 1
    assert "failed     notification: me/first" in result.stdout
    assert "sns Publish failed: NotFound" in result.stdout
    assert len(left(live)) == 1


def test_a_message_from_elsewhere_is_left_alone(generator: Run, live: Live) -> None:
    message, error = fired(live), {"errorType": f"\x1b[2J call {PHONE}", "errorMessage": f"bad number {PHONE}"}
    forged = "\x1b[2J\n::error::forged\n##[error]\u202e"
    bodies = [
        "[]",
        "[" * 100_000,
        json.dumps({"alertId": 1}),
        json.dumps({"DDBStreamBatchInfo": {"shardId": forged}}),
        lambda_failure(notification({**message, "price": "0, visit evil.example"}), error),
        lambda_failure(notification({**message, "extra": forged}), error),
        lambda_failure({"Records": [*notification(message)["Records"], *notification(message)["Records"]]}),
    ]
    for body in bodies:
        put(live, body)
    put(live, lambda_failure(notification({**message, "userId": forged, "firedAt": 1}), error))
    for options in (("--run",), ("--run", "--discard"), ("--format", "json")):
        result = generator("replay", "prod", *options)
        assert_harmless(result.output)
        assert "555555" not in result.output
    assert {event["kind"] for event in replay(generator)} == {"unreadable"}
    assert (sorted(left(live)), len(live.notifications())) == (sorted(bodies), 1)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["S", "N", "a"]), inner, max_size=2),
)
NAMES = ("userId", "alertId", "symbol", "direction", "price", "threshold", "timestamp", "generation", "firedAt")
GOOD = {
    "userId": "me",
    "alertId": "first",
    "symbol": "BTC-USD",
    "direction": "above",
    "price": "2",
    "threshold": "1",
    "timestamp": 1_795_946_960_451,
    "generation": {"S": "id"},
    "firedAt": 1_795_946_960_451,
}


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=2), st.sets(st.sampled_from(NAMES), max_size=1))
def test_every_notification_that_is_replayed_has_a_text_for_its_sms(changes: dict[str, Any], missing: set[str]) -> None:
    message = {name: value for name, value in {**GOOD, **changes}.items() if name not in missing}
    event = failures.read(json.dumps(message), {})
    if event.kind == Kind.NOTIFICATION:
        assert json.loads(event.notification or "") == message
        sent = {**message, "at": datetime.fromtimestamp(message["timestamp"] / 1000, UTC)}
        assert "{symbol} {price} {at:%Y-%m-%d %H:%M} {direction} {threshold}".format(**sent).isascii()


@given(
    VALUES, st.sampled_from(["DDBStreamBatchInfo", "requestPayload", "Records", "Type", "responsePayload", "Message"])
)
def test_any_message_is_read_without_an_error(value: Any, name: str) -> None:
    failures.read(json.dumps({"Type": "Notification", "alertId": 1, name: value}), {})


@pytest.mark.parametrize("threshold", ["0", "-5", "-1.5E-7"])
def test_an_alert_that_an_application_armed_at_zero_or_below_is_replayed(threshold: str) -> None:
    event = failures.read(json.dumps({**GOOD, "threshold": threshold}), {})
    assert event.kind == Kind.NOTIFICATION


def test_the_policy_names_queues_and_topic(generator: Run) -> None:
    printed = json.loads(generator("replay", "prod", "--policy").stdout)
    resources = {action: one["Resource"] for one in printed["Statement"] for action in one["Action"]}
    assert resources["sns:Publish"] == [f"arn:aws:sns:us-east-1:*:{STACK}-NotificationTopic-*"]
    assert resources["sqs:DeleteMessage"] == [
        f"arn:aws:sqs:us-east-1:*:{STACK}-{queue}-*" for queue in ("AsyncFailureQueue", "StreamFailureQueue")
    ]
