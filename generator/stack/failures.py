"""The messages of the failure queues: the failed event, the reason, and whether it can be published again.

A message may have any content, because only a queue's policy keeps others from writing it. A message that is not
exactly as the functions and AWS write it is unreadable and left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from generator.stack.alerts import DIRECTIONS, END_OF_TIME_MS, MAX_ARMING_ID_LENGTH, NUMBER, SYMBOL, is_number
from generator.template.intrinsics import Json

_ERROR = "[A-Za-z][A-Za-z0-9._]{0,99}"
"""An error type or an AWS error code. Longer messages are not shown: they may have a phone number in them."""

_SEQUENCE_NUMBER = "[0-9]{1,64}"


class Kind(StrEnum):
    """The kind of event in a message of a failure queue."""

    NOTIFICATION = "notification"
    STREAM_POSITION = "stream position"
    CLEANUP_RUN = "cleanup run"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class FailedEvent:
    """An event that failed for good."""

    kind: Kind
    subject: str
    """The alert and its symbol, or the place in the stream."""
    reason: str
    """The error type or condition, or the reason why the message cannot be read."""
    since_ms: int | None
    """The time at which the alert fired, or the first price arrived in the stream."""
    notification: str | None = None
    """The notification to publish again, exactly as it was."""


def read(body: str, attributes: Mapping[str, str]) -> FailedEvent:
    """Return the failed event in a message. `attributes` are its message attributes."""
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return _unreadable("not JSON")
    if not isinstance(message, dict):
        return _unreadable("not a JSON object")
    reason = _reason(message, attributes)
    if "DDBStreamBatchInfo" in message:
        return _stream_position(message["DDBStreamBatchInfo"], reason)
    payload = message.get("requestPayload", message)
    event = payload if isinstance(payload, dict) else {}
    # The hourly event as EventBridge Scheduler sends it, or as Lambda received it.
    if "SCHEDULE_ARN" in attributes or event.get("source") == "aws.scheduler":
        return FailedEvent(Kind.CLEANUP_RUN, "the hourly cleanup", reason, None)
    texts = _notification_texts(message, event, body)
    if len(texts) != 1:
        return _unreadable("not an event of this stack")
    return _notification(texts[0], reason if reason or "requestPayload" in message else "SNS could not deliver it")


def _notification_texts(message: Mapping[str, Json], event: Mapping[str, Json], body: str) -> list[str]:
    """Return the notifications in a message of Lambda, which has them as payload, or of SNS, with or without envelope.

    Source: AWS Lambda Developer Guide, "Capturing records of Lambda asynchronous invocations"; Amazon SNS Developer
    Guide, "Amazon SNS dead-letter queues".
    """
    if isinstance(records := event.get("Records"), list):
        sns = [record.get("Sns") for record in records if isinstance(record, dict)]
        texts = [record.get("Message") for record in sns if isinstance(record, dict)]
    elif message.get("Type") == "Notification":
        texts = [message.get("Message")]
    else:
        texts = [body] if "alertId" in message else []
    return [text for text in texts if isinstance(text, str)]


def _notification(text: str, reason: str) -> FailedEvent:
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return _unreadable("the notification is not JSON")
    if not isinstance(message, dict) or (fault := _fault(message)):
        return _unreadable(f"the notification is malformed: {fault if isinstance(message, dict) else 'no object'}")
    subject = f"{message['userId']}/{message['alertId']}, {message['symbol']} {message['direction']}"
    return FailedEvent(Kind.NOTIFICATION, subject, reason, message.get("firedAt", message["timestamp"]), text)


def _fault(message: Mapping[str, Json]) -> str | None:
    """Return the first field that SendNotificationFunction could not use, or should not put into an SMS."""
    valid = {
        "userId": lambda value: isinstance(value, str) and value,
        "alertId": lambda value: isinstance(value, str) and value,
        "symbol": lambda value: isinstance(value, str) and re.fullmatch(SYMBOL, value),
        "direction": lambda value: value in DIRECTIONS,
        "price": lambda value: isinstance(value, str) and is_number(value),
        # Applications may arm an alert at 0 or below.
        "threshold": lambda value: isinstance(value, str) and re.fullmatch(f"-?{NUMBER}", value),
        "timestamp": _is_time_ms,
        "firedAt": _is_time_ms,
        "generation": _is_arming_id,
    }
    if unknown := sorted(message.keys() - valid.keys()):
        return f"unknown field {unknown[0][:50]}"
    fields = [name for name in valid if name in message or name != "firedAt"]
    return next((name for name in fields if not valid[name](message.get(name))), None)


def _is_time_ms(value: object) -> bool:
    return type(value) is int and 0 <= value < END_OF_TIME_MS


def _is_arming_id(value: object) -> bool:
    """Return whether the value is an arming id, as an attribute or, as in earlier releases, as digits."""
    ((kind, text),) = value.items() if isinstance(value, dict) and len(value) == 1 else [("N", value)]
    pattern = {"S": f".{{1,{MAX_ARMING_ID_LENGTH}}}", "N": "[0-9]{1,38}"}.get(kind)
    return pattern is not None and isinstance(text, str) and re.fullmatch(pattern, text, re.DOTALL) is not None


def _stream_position(info: object, reason: str) -> FailedEvent:
    """Return the position of a failed batch. Source: AWS Lambda Developer Guide, "Process DynamoDB records"."""
    if not isinstance(info, dict):
        return _unreadable("the position in the stream is malformed")
    shard, first, last = (info.get(name) for name in ("shardId", "startSequenceNumber", "endSequenceNumber"))
    arrived = _time_ms(info.get("approximateArrivalOfFirstRecord"))
    patterns = (("shardId-[0-9a-f-]{1,60}", shard), (_SEQUENCE_NUMBER, first), (_SEQUENCE_NUMBER, last))
    is_valid = all(isinstance(text, str) and re.fullmatch(pattern, text) for pattern, text in patterns)
    if not is_valid or arrived is None:
        return _unreadable("the position in the stream is malformed")
    return FailedEvent(Kind.STREAM_POSITION, f"{shard}, {first} to {last}", reason, arrived)


def _reason(message: Mapping[str, Json], attributes: Mapping[str, str]) -> str:
    response, context = message.get("responsePayload"), message.get("requestContext")
    answer = response if isinstance(response, dict) else {}
    condition = context.get("condition") if isinstance(context, dict) else None
    errors = answer.get("errorType"), answer.get("errorMessage")
    reasons = *errors, condition, attributes.get("ERROR_CODE"), attributes.get("ErrorCode")
    return ", ".join(reason for reason in reasons if isinstance(reason, str) and re.fullmatch(_ERROR, reason))


def _time_ms(value: object) -> int | None:
    try:
        return int(datetime.fromisoformat(str(value)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return None


def _unreadable(why: str) -> FailedEvent:
    return FailedEvent(Kind.UNREADABLE, "-", why, None)
