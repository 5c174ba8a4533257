"""Redelivery by AWS's documented rules, in process: retries, their times and number, and failure queues.

Emulators do not retry as AWS does, so this module implements the rules. Sources: AWS Lambda Developer Guide, "Process
DynamoDB records" (from the lowest failed sequence number, until the record is too old) and "How Lambda handles errors
with asynchronous invocation" (twice, after one and two minutes). tests/soak/ adds faults to these rules.
"""

from __future__ import annotations

from typing import Any

from tests.stack.handlers.clock import Clock, TimedContext
from tests.stack.handlers.harness import Stack, notification, stream_record

ASYNC_WAITS_S = (60, 120)
STREAM_WAIT_S = 1
MAX_RECORD_AGE_S = 3600


class World:
    """The handlers of a stack, connected by queues that redeliver."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.clock = stack, Clock()
        self.dead: list[object] = []
        self._loaded: dict[str, Any] = {}

    def invoke(self, function: str, event: dict[str, Any], timeout_s: float) -> Any:
        """Invoke a function once."""
        if function not in self._loaded:
            self._loaded[function] = self.stack.load(function, time=self.clock)
        return self._loaded[function].run(event, TimedContext(self.clock, timeout_s))

    def stream(self, rows: list[dict[str, Any]]) -> None:
        """Deliver a batch. Deliver the failed record and those after it again until they are too old."""
        records, started = [stream_record(row, number) for number, row in enumerate(rows, 1)], self.clock.now
        while records and self.clock.now - started < MAX_RECORD_AGE_S:
            try:
                failures = self.invoke("CheckAlertsFunction", {"Records": records}, 60)["batchItemFailures"]
            except Exception:
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
            except Exception:
                if wait_s is None:
                    self.dead.append(event)
                else:
                    self.clock.now += wait_s

    def deliver_notifications(self) -> None:
        """Deliver every message of the topic in its own invocation."""
        for message in self.stack.notifications():
            self.asynchronous("SendNotificationFunction", notification(message), 30)
