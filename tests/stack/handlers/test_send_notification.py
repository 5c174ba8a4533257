"""SendNotificationFunction: one SMS for each generation of an alert, and none to what is not a number."""

from __future__ import annotations

import json
import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.stack.handlers.harness import Stack, notification

FUNCTION = "SendNotificationFunction"
MESSAGE = {
    "userId": "user-1",
    "alertId": "alert-1",
    "generation": "1",
    "threshold": "64000",
    "symbol": "BTC-USD",
    "direction": "above",
    "price": "64231.50",
    "timestamp": 1767225600000,
}


def fired(stack: Stack, **changes: Any) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "64000", **changes)


def test_the_sms_has_symbol_price_and_threshold(stack: Stack) -> None:
    fired(stack)
    stack.load(FUNCTION).run(notification(MESSAGE))
    assert stack.sms() == [("+15555550100", "BTC-USD is at 64231.50: above your threshold of 64000")]
    (alert,) = stack.alert_rows()
    assert alert["notified"] == {"NS": ["1"]}
    assert alert["outcome"] == {"S": "sent"}
    assert "leaseUntil" not in alert


def test_the_same_notification_again_sends_nothing(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)
    for _ in range(3):
        handler.run(notification(MESSAGE))
    assert len(stack.sms()) == 1


def test_a_new_generation_sends_an_sms_even_before_an_older_one(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)
    handler.run(notification({**MESSAGE, "generation": "2"}))
    handler.run(notification(MESSAGE))
    assert len(stack.sms()) == 2


def test_a_notification_under_lease_is_retried_and_not_sent_twice(stack: Stack) -> None:
    fired(stack, leaseUntil={"N": "99999999999"})
    handler = stack.load(FUNCTION)
    with pytest.raises(handler.namespace["dynamodb"].exceptions.ConditionalCheckFailedException):
        handler.run(notification(MESSAGE))
    assert stack.sms() == []


def test_an_expired_lease_does_not_block(stack: Stack) -> None:
    fired(stack, leaseUntil={"N": "1"})
    stack.load(FUNCTION).run(notification(MESSAGE))
    assert len(stack.sms()) == 1


@pytest.mark.parametrize("number", ["", "5555550100", "+1 555 555 0100", "+0123456789", "+15555550100\n", "+1555"])
def test_an_invalid_number_is_recorded_and_not_retried(stack: Stack, number: str) -> None:
    fired(stack, phoneNumber={"S": number})
    handler = stack.load(FUNCTION)
    handler.run(notification(MESSAGE))
    handler.run(notification(MESSAGE))
    assert stack.sms() == []
    (alert,) = stack.alert_rows()
    assert alert["outcome"] == {"S": "invalid number"}
    assert alert["notified"] == {"NS": ["1"]}


def test_a_deleted_alert_sends_nothing_and_is_not_recreated(stack: Stack) -> None:
    stack.load(FUNCTION).run(notification(MESSAGE))
    assert stack.sms() == []
    assert stack.alert_rows() == []


def test_an_alert_deleted_while_its_sms_is_sent_is_not_recreated(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)

    def delete(**_: object) -> None:
        key = {"userId": {"S": "user-1"}, "alertId": {"S": "alert-1"}}
        stack.dynamodb.delete_item(TableName=stack.alerts, Key=key)

    handler.namespace["sns"].meta.events.register("after-call.sns.Publish", delete)
    handler.run(notification(MESSAGE))
    assert len(stack.sms()) == 1
    assert stack.alert_rows() == []


def test_an_sns_error_is_raised_without_its_phone_number(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """Lambda logs every error that a handler raises."""
    fired(stack)
    handler = stack.load(FUNCTION)
    said = "User: role is not authorized to perform: SNS:Publish on resource: +15555550100"

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AuthorizationError", "Message": said}}, "Publish")

    handler.namespace["sns"].meta.events.register("before-call.sns.Publish", refuse)
    with pytest.raises(RuntimeError, match=r"^AuthorizationError$") as raised:
        handler.run(notification(MESSAGE))
    assert "5555550100" not in "".join(traceback.format_exception(raised.value)) + capsys.readouterr().out


def test_only_sent_sms_have_a_latency(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)
    for _ in range(2):
        handler.run(notification(MESSAGE))
    sent, again = map(json.loads, capsys.readouterr().out.splitlines())
    assert (sent["outcome"], again["outcome"]) == ("sent", "already sent")
    assert sent["LatencyMs"] > 0
    assert "LatencyMs" not in json.dumps(again)


def test_the_log_has_the_outcome_but_no_phone_number(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    fired(stack)
    stack.load(FUNCTION).run(notification(MESSAGE))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcome"] == "sent"
    assert json.loads(line)["id"] == "sns-1"
    for private in ("5555550100", "64231.50", "user-1"):
        assert private not in line
