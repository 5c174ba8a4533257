"""Redelivery by AWS's documented rules, in process: what is retried, when, how often, and where it ends.

Emulators do not retry as AWS does, so this module implements the rules. Sources: Standard Webhooks specification 1.0
(senders retry), AWS Lambda Developer Guide, "Process DynamoDB records" (from the lowest failed sequence number, until
the record is too old) and "How Lambda handles errors with asynchronous invocation" (twice, after one and two minutes).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError as AwsError
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from tests.stack.handlers.clock import Clock, TimedContext
from tests.stack.handlers.harness import Stack, notification, stream_record, webhook

ASYNC_WAITS_S = (60, 120)
SENDER_WAITS_S = (5, 30, 60)
STREAM_WAIT_S = 1
MAX_RECORD_AGE_S = 3600


class Killed(BaseException):
    """The warm instance was killed. Handler code cannot catch this."""


def _refused(code: str, status: int) -> Callable[[], Exception]:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return lambda: AwsError(response, "Operation")


FAULTS: dict[str, Callable[[], BaseException]] = {
    "exception": _refused("InternalServerError", 500),
    "throttle": _refused("ThrottlingException", 400),
    "timeout": lambda: ReadTimeoutError(endpoint_url="https://aws"),
    "lost answer": lambda: ConnectionClosedError(endpoint_url="https://aws"),
    "killed": Killed,
}

POINTS = {
    "before": ("exception", "throttle", "timeout", "killed"),
    "after": ("exception", "timeout", "lost answer", "killed"),
}
"""A throttled call has no effect. An answer can only be lost after the call took effect."""


class World:
    """The four handlers of a stack, connected by queues that redeliver, with at most one fault."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.clock = stack, Clock()
        self.dead: list[object] = []
        self._loaded: dict[str, Any] = {}
        self._fault: tuple[str, int, str, str] | None = None
        self._count = 0
        self.log: list[str] = []

    def inject(self, function: str, number: int, point: str, fault: str) -> None:
        """Make the function's AWS call with this number (from 0) fail once, before or after it takes effect."""
        self._fault = (function, number, point, fault)

    def invoke(self, function: str, event: dict[str, Any], timeout_s: float) -> Any:
        """Invoke a function once. A killed instance is not used again."""
        if function not in self._loaded:
            self._loaded[function] = handler = self.stack.load(function, time=self.clock)
            for value in handler.namespace.values():
                if hasattr(value, "meta") and hasattr(value.meta, "events"):
                    value.meta.events.register_first("before-call", lambda **_: self._call(function, "before"))
                    value.meta.events.register_last("after-call", lambda **_: self._call(function, "after"))
        try:
            return self._loaded[function].run(event, TimedContext(self.clock, timeout_s))
        except Killed:
            del self._loaded[function]
            raise

    def _call(self, function: str, point: str) -> None:
        if self._fault is None or self._fault[0] != function:
            return
        _, number, wanted, fault = self._fault
        due = self._count == number and point == wanted
        self._count += point == "after"
        if due:
            self._fault = None
            raise FAULTS[fault]()

    def send_webhook(self, body: dict[str, Any], webhook_id: str) -> int:
        """Send a webhook again while it gets no answer or a 5xx. Return the last status."""
        status = 0
        for wait_s in (*SENDER_WAITS_S, 0):
            try:
                status = self.invoke(
                    "ProcessWebhookFunction", webhook(body, webhook_id, sent_at=int(self.clock.now)), 30
                )["statusCode"]
            except (Exception, Killed):
                status = 502
            if status < 500:
                break
            self.clock.now += wait_s
        return status

    def stream(self, rows: list[dict[str, Any]]) -> None:
        """Deliver a batch. Deliver the failed record and those after it again until they are too old."""
        records, started = [stream_record(row, number) for number, row in enumerate(rows, 1)], self.clock.now
        while records and self.clock.now - started < MAX_RECORD_AGE_S:
            try:
                failures = self.invoke("CheckAlertsFunction", {"Records": records}, 60)["batchItemFailures"]
            except (Exception, Killed):
                self.clock.now += STREAM_WAIT_S
                continue
            failed = [failure["itemIdentifier"] for failure in failures]
            records = [r for r in records if failed and r["dynamodb"]["SequenceNumber"] >= min(failed)]
            self.clock.now += STREAM_WAIT_S
        self.dead += records

    def asynchronous(self, function: str, event: dict[str, Any], timeout_s: float) -> None:
        """Invoke a function asynchronously, with two retries and then the failure queue."""
        for wait_s in (*ASYNC_WAITS_S, None):
            try:
                self.invoke(function, event, timeout_s)
                return
            except (Exception, Killed):
                if wait_s is None:
                    self.dead.append(event)
                else:
                    self.clock.now += wait_s

    def deliver_notifications(self) -> None:
        """Deliver every message of the topic in its own invocation."""
        for message in self.stack.notifications():
            self.asynchronous("SendNotificationFunction", notification(message), 30)

    def prices_as_stored(self) -> list[dict[str, Any]]:
        """Return the rows that the stream would carry, oldest first."""
        return sorted(self.stack.stored(), key=lambda row: json.dumps(row["observation"]))
