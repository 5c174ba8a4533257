"""Read the failure queues of a deployed stack, and publish notifications again that are not too old."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from generator._format import duration
from generator.account.connection import Unavailable, document, partition, statement, use_of_keys
from generator.account.live_stack import LiveStack, find_stack
from generator.aws import STREAM_RETENTION_S
from generator.stack import failures, names
from generator.stack.failures import FailedEvent, Kind
from generator.template.intrinsics import Json

QUEUES = (names.ASYNC_FAILURE_QUEUE, names.STREAM_FAILURE_QUEUE)

HIDDEN_S = 600
"""Seconds for which a received message stays hidden from others, unless this process makes it visible again."""

WAIT_S = 1
"""With a wait, SQS asks all of its servers, so an empty answer means an empty queue.

Source: Amazon SQS Developer Guide, "Amazon SQS short and long polling".
"""


class Action(StrEnum):
    """The decision on a message, or its result."""

    REPLAY = "replay"
    REPLAYED = "replayed"
    DISCARD = "discard"
    DISCARDED = "discarded"
    KEEP = "keep"
    FAILED = "failed"


class Message(NamedTuple):
    """A message of a failure queue, with the decision on it."""

    queue: str
    message_id: str
    receipt: str
    failed_at_ms: int
    failed_ago_s: float
    """At the time when the message was received, like the ages in `why`."""
    event: FailedEvent
    action: Action
    why: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A pass over the failure queues. Without `is_run`, it publishes and deletes nothing."""

    stack: LiveStack
    max_age_s: int
    is_run: bool
    is_discard: bool
    """Whether to delete messages that can never be replayed."""

    def messages(self, limit: int) -> Iterator[Message]:
        """Yield each message after processing it. At the end, make the messages that remain visible again.

        Raises Unavailable if a queue cannot be read.
        """
        for queue in QUEUES:
            yield from self._queue(queue, self.stack.physical_id(queue), limit)

    def _queue(self, queue: str, url: str, limit: int) -> Iterator[Message]:
        hidden: dict[str, str] = {}
        try:
            for raw in self._received(url, limit):
                message = self._decided(queue, url, raw)
                hidden[message.message_id] = message.receipt
                if self.is_run:
                    message = self._done(url, message)
                if message.action in (Action.REPLAYED, Action.DISCARDED):
                    del hidden[message.message_id]
                yield message
        finally:
            self._show_again(url, list(hidden.values()))

    def _received(self, url: str, limit: int) -> Iterator[dict[str, Any]]:
        """Yield up to `limit` messages, each once, even if it reappears because processing took too long."""
        seen: set[str] = set()
        while len(seen) < limit:
            batch = self.stack.account.request(
                "sqs",
                "ReceiveMessage",
                QueueUrl=url,
                MaxNumberOfMessages=min(10, limit - len(seen)),
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=WAIT_S,
                AttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            new = [raw for raw in batch if raw["MessageId"] not in seen]
            if not new:
                return
            for raw in new:
                seen.add(raw["MessageId"])
                yield raw

    def _decided(self, queue: str, url: str, raw: dict[str, Any]) -> Message:
        attributes = {name: value.get("StringValue", "") for name, value in raw.get("MessageAttributes", {}).items()}
        event = failures.read(raw["Body"], attributes)
        action, why = self._decision(event, url)
        failed_at_ms = int(raw.get("Attributes", {}).get("SentTimestamp", 0))
        ago_s = max(time.time() - failed_at_ms / 1000, 0)
        return Message(queue, raw["MessageId"], raw["ReceiptHandle"], failed_at_ms, ago_s, event, action, why)

    def _decision(self, event: FailedEvent, url: str) -> tuple[Action, str]:
        age_s = time.time() - (event.since_ms or 0) / 1000
        useless = Action.DISCARD if self.is_discard else Action.KEEP
        match event.kind:
            case Kind.NOTIFICATION if age_s <= self.max_age_s:
                return Action.REPLAY, f"fired {duration(max(age_s, 0))} ago"
            case Kind.NOTIFICATION:
                return useless, f"fired {duration(age_s)} ago, and the limit is {duration(self.max_age_s)}"
            case Kind.STREAM_POSITION:
                left_s = STREAM_RETENTION_S - age_s
                place = f"stay in the stream for {duration(left_s)}" if left_s > 0 else "have left the stream"
                why = f"the prices {place}; alerts that they did not fire are still armed and fire at the next price"
                return useless, why
            case Kind.CLEANUP_RUN:
                return useless, "the next hourly run does its work"
        return Action.KEEP, f"read it with: aws sqs receive-message --queue-url {url}"

    def _done(self, url: str, message: Message) -> Message:
        """Carry out the decision. A message is deleted only after its notification was accepted."""
        done = {Action.REPLAY: Action.REPLAYED, Action.DISCARD: Action.DISCARDED}.get(message.action)
        if done is None:
            return message
        try:
            if message.action == Action.REPLAY:
                topic = self.stack.physical_id(names.NOTIFICATION_TOPIC)
                self.stack.account.request("sns", "Publish", TopicArn=topic, Message=message.event.notification)
            self.stack.account.request("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=message.receipt)
        except Unavailable as unavailable:
            return message._replace(action=Action.FAILED, why=f"{unavailable.reason}; {unavailable.remedy}")
        return message._replace(action=done)

    def _show_again(self, url: str, receipts: list[str]) -> None:
        for start in range(0, len(receipts), 10):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for number, receipt in enumerate(receipts[start : start + 10])
            ]
            self.stack.account.request("sqs", "ChangeMessageVisibilityBatch", QueueUrl=url, Entries=entries)


def policy(region: str, stack_name: str) -> dict[str, Json]:
    """Return the least IAM policy for a replay, with resources by the names that CloudFormation gives them.

    Raises UnreachableAccount if AWS has no such Region.
    """
    prefix = f"arn:{partition(region)}"
    queues = [f"{prefix}:sqs:{region}:*:{stack_name}-{queue}-*" for queue in QUEUES]
    topic = f"{prefix}:sns:{region}:*:{stack_name}-{names.NOTIFICATION_TOPIC}-*"
    return document(
        find_stack(region, stack_name),
        statement(["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"], queues),
        statement(["sns:Publish"], [topic]),
        use_of_keys(region, ["sns", "sqs"], ["kms:Decrypt", "kms:GenerateDataKey"]),
    )
