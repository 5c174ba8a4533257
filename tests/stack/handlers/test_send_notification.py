"""SendNotificationFunction: one SMS for each arming of an alert, and none to an invalid number."""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from generator.config import validation
from tests.stack.handlers.harness import Stack, notification

pytestmark = pytest.mark.slow

FUNCTION = "SendNotificationFunction"
MESSAGE: dict[str, Any] = {
    "userId": "user-1",
    "alertId": "alert-1",
    "generation": {"N": "1"},
    "threshold": "64000",
    "symbol": "BTC-USD",
    "direction": "above",
    "price": "64231.50",
    "timestamp": 1767225600000,
    "firedAt": int(time.time() * 1000),
}
TEXT = "BTC-USD was at 64231.50 at 2026-01-01 00:00 UTC: above your threshold of 64000"


def fired(stack: Stack, **changes: Any) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "64000", **changes)


def test_the_sms_has_symbol_price_and_threshold(stack: Stack) -> None:
    fired(stack)
    stack.load(FUNCTION).run(notification(MESSAGE))
    assert stack.sms() == [("+15555550100", TEXT)]
    (alert,) = stack.alert_rows()
    assert alert["sentId"] == {"N": "1"}
    assert alert["outcome"] == {"S": "sent"}
    assert alert["messageId"]["S"]
    assert abs(int(alert["sentAt"]["N"]) / 1000 - time.time()) < 60
    assert not [name for name in alert if name.startswith("lease")]


def test_the_same_notification_again_sends_nothing(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)
    for _ in range(3):
        handler.run(notification(MESSAGE))
    assert len(stack.sms()) == 1


def outcomes(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["outcome"] for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("arming", [{"N": "2"}, {"S": "1"}, {"S": "0f8fad5b-d9cb-469f-a165-70867728950e"}])
def test_a_notification_of_an_older_arming_is_dropped(
    stack: Stack, capsys: pytest.CaptureFixture[str], arming: dict[str, str]
) -> None:
    """Its text and its price belong to an alert that its owner has replaced, perhaps with another number."""
    handler = stack.load(FUNCTION)
    fired(stack, generation=arming, phoneNumber={"S": "+15555550199"})
    handler.run(notification(MESSAGE))
    assert stack.sms() == []
    handler.run(notification({**MESSAGE, "generation": arming}))
    assert [number for number, _ in stack.sms()] == ["+15555550199"]
    assert outcomes(capsys) == ["superseded", "sent"]


def test_a_rearmed_alert_sends_again_in_place_or_as_a_new_item(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    key = {"userId": {"S": "user-1"}, "alertId": {"S": "alert-1"}}
    for arming in ({"S": "id-1"}, {"S": "id-2"}):
        fired(stack, generation=arming)
        for _ in range(2):
            handler.run(notification({**MESSAGE, "generation": arming}))
    values = {":id": {"S": "id-3"}}
    update = {"UpdateExpression": "SET generation = :id", "ExpressionAttributeValues": values}
    stack.dynamodb.update_item(TableName=stack.alerts, Key=key, **update)
    for _ in range(2):
        handler.run(notification({**MESSAGE, "generation": {"S": "id-3"}}))
    assert len(stack.sms()) == 3


def test_an_alert_sent_before_ids_could_be_texts_stays_sent(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    handler = stack.load(FUNCTION)
    fired(stack, notified={"NS": ["1", "2"]})
    handler.run(notification({**MESSAGE, "generation": "1"}))
    fired(stack, notified={"NS": ["1", "2"]}, generation={"N": "3"})
    for _ in range(2):
        handler.run(notification({**MESSAGE, "generation": "3"}))
    assert outcomes(capsys) == ["already sent", "sent", "already sent"]
    assert "notified" not in stack.alert_rows()[0]


def leased(stack: Stack, arming: dict[str, str], request: str) -> None:
    fired(stack, leaseUntil={"N": "99999999999"}, leaseId=arming, leaseRequest={"S": request})


def test_a_repeated_notification_of_a_leased_arming_ends_without_an_error(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    leased(stack, {"N": "1"}, "another request")
    stack.load(FUNCTION).run(notification(MESSAGE))
    assert outcomes(capsys) == ["in progress"]
    assert stack.sms() == []


@pytest.mark.parametrize(("arming", "request_id"), [({"N": "1"}, "request-1"), ({"N": "2"}, "request-2")])
def test_the_holders_retry_and_another_arming_wait_for_the_lease(
    stack: Stack, arming: dict[str, str], request_id: str
) -> None:
    """Lambda repeats an event under its old request id. Ending it without an error would lose its SMS."""
    leased(stack, arming, request_id)
    handler = stack.load(FUNCTION)
    with pytest.raises(handler.namespace["dynamodb"].exceptions.ConditionalCheckFailedException):
        handler.run(notification(MESSAGE))
    assert stack.sms() == []


def test_a_claim_is_made_under_the_request_id_of_the_invocation(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)

    def fail(**_: object) -> None:
        raise RuntimeError

    handler.namespace["sns"].meta.events.register("before-call.sns.Publish", fail)
    with pytest.raises(RuntimeError):
        handler.run(notification(MESSAGE))
    (alert,) = stack.alert_rows()
    assert (alert["leaseId"], alert["leaseRequest"]) == ({"N": "1"}, {"S": "request-1"})


def test_an_alert_armed_anew_while_its_sms_is_sent_stays_unsent(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)
    handler.namespace["sns"].meta.events.register(
        "after-call.sns.Publish", lambda **_: fired(stack, generation={"S": "id-2"})
    )
    handler.run(notification(MESSAGE))
    assert "sentId" not in stack.alert_rows()[0]
    stack.load(FUNCTION).run(notification({**MESSAGE, "generation": {"S": "id-2"}}))
    assert len(stack.sms()) == 2


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
    assert alert["sentId"] == {"N": "1"}


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
    denial = "User: role is not authorized to perform: SNS:Publish on resource: +15555550100"

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "AuthorizationError", "Message": denial}}, "Publish")

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


def metrics(line: str) -> dict[str, int]:
    parsed = json.loads(line)
    (spec,) = parsed["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: parsed[metric["Name"]] for metric in spec["Metrics"] if metric["Name"] != "LatencyMs"}


def test_each_outcome_has_its_metric(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    handler = stack.load(FUNCTION)
    handler.run(notification(MESSAGE))
    for arming, changes in (("1", {}), ("1", {}), ("2", {"phoneNumber": {"S": "5"}}), ("3", {})):
        if arming != "1" or not stack.alert_rows():
            fired(stack, generation={"N": arming}, **changes)
        late = {"firedAt": MESSAGE["firedAt"] - 3_601_000} if arming == "3" else {}
        handler.run(notification({**MESSAGE, "generation": {"N": arming}, **late}))
    handler.run(notification(MESSAGE))
    leased(stack, {"N": "1"}, "another request")
    handler.run(notification(MESSAGE))
    assert [metrics(line) for line in capsys.readouterr().out.splitlines()] == [
        {"Sent": 0, "Deleted": 1},
        {"Sent": 1, "InvalidNumber": 0},
        {"Sent": 0, "AlreadySent": 1},
        {"Sent": 0, "InvalidNumber": 1},
        {"Sent": 0, "Late": 1},
        {"Sent": 0, "Superseded": 1},
        {"Sent": 0, "InProgress": 1},
    ]


def test_the_log_line_and_the_item_have_the_id_that_delivery_logs_use(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    fired(stack)
    stack.load(FUNCTION).run(notification(MESSAGE))
    assert json.loads(capsys.readouterr().out)["messageId"] == stack.alert_rows()[0]["messageId"]["S"]


@pytest.mark.parametrize(("age_s", "outcome"), [(3_500, "sent"), (3_700, "late")])
def test_a_late_retry_or_replay_ends_without_an_sms(
    stack: Stack, capsys: pytest.CaptureFixture[str], age_s: int, outcome: str
) -> None:
    """Messages of earlier versions have no time of firing: the price's counts."""
    fired(stack)
    at_ms = int((time.time() - age_s) * 1000)
    handler = stack.load(FUNCTION)
    handler.run(notification({name: v for name, v in MESSAGE.items() if name != "firedAt"} | {"timestamp": at_ms}))
    fired(stack, generation={"S": "id-2"})
    handler.run(notification({**MESSAGE, "generation": {"S": "id-2"}, "firedAt": at_ms}))
    assert outcomes(capsys) == [outcome] * 2
    assert len(stack.sms()) == (2 if outcome == "sent" else 0)


@pytest.mark.parametrize("code", ["InvalidParameter", "ParameterValueInvalid"])
def test_a_number_that_sns_refuses_is_invalid(stack: Stack, capsys: pytest.CaptureFixture[str], code: str) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "Publish")

    handler.namespace["sns"].meta.events.register("before-call.sns.Publish", refuse)
    handler.run(notification(MESSAGE))
    assert outcomes(capsys) == ["invalid number"]


def test_any_other_refusal_is_retried(stack: Stack) -> None:
    """OptedOut is no code of Publish: SNS accepts the message and drops it later."""
    fired(stack)
    handler = stack.load(FUNCTION)

    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": "OptedOut"}}, "Publish")

    handler.namespace["sns"].meta.events.register("before-call.sns.Publish", refuse)
    with pytest.raises(RuntimeError):
        handler.run(notification(MESSAGE))
    assert "sentId" not in stack.alert_rows()[0]


def test_sns_has_15_s_to_answer_within_timeout_and_lease(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    clients = [handler.namespace[name].meta.config for name in ("dynamodb", "sns")]
    waits = [one.connect_timeout + one.read_timeout for one in clients]
    attempts = [one.retries["total_max_attempts"] for one in clients]
    assert (clients[1].read_timeout, attempts[1]) == (15, 1)
    slowest_s = 2 * waits[0] * attempts[0] + waits[1]
    assert slowest_s < validation.MIN_SENDING_TIMEOUT_S <= 30 < handler.namespace["LEASE_S"]


def test_an_sms_that_sns_was_slow_to_accept_is_not_sent_again_at_once(stack: Stack) -> None:
    fired(stack)
    handler = stack.load(FUNCTION)

    def time_out(**_: object) -> None:
        raise ReadTimeoutError(endpoint_url="https://sns")

    handler.namespace["sns"].meta.events.register("after-call.sns.Publish", time_out)
    with pytest.raises(ReadTimeoutError):
        handler.run(notification(MESSAGE))
    with pytest.raises(handler.namespace["dynamodb"].exceptions.ConditionalCheckFailedException):
        handler.run(notification(MESSAGE))
    assert len(stack.sms()) == 1


def test_the_log_has_the_outcome_but_no_phone_number(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    fired(stack)
    stack.load(FUNCTION).run(notification(MESSAGE))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcome"] == "sent"
    assert json.loads(line)["id"] == "sns-1"
    for private in ("5555550100", "64231.50", "user-1"):
        assert private not in line
