"""The price table's stream and its event source mapping, with the settings of the template.

Sources: AWS Lambda Developer Guide, "Process DynamoDB records with Lambda", "Parallelization factor" (items in order,
one lane each), "Report batch item failures" (from the lowest failed sequence number on), "Error handling".
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.soak.dynamodb import Key
from tests.soak.expressions import Item
from tests.soak.history import Invocation

if TYPE_CHECKING:
    from tests.soak.world import World

SHARDS = 2
STREAM_RETENTION_S = 86_400
POLL_S = 0.25
LONGEST_RETRY_WAIT_S = 60


class Record:
    """A record of the stream."""

    def __init__(self, number: int, name: str, item: Item, created_at: float) -> None:
        self.number, self.created_at = f"{number:021d}", created_at
        self.webhook_id: str = item["observation"]["S"].split("#")[-1]
        self.event = {
            "eventID": f"event-{number}",
            "eventName": name,
            "dynamodb": {"NewImage": item, "SequenceNumber": self.number},
        }


class Mapping:
    """The event source mapping between the stream and CheckAlertsFunction."""

    def __init__(self, world: World, properties: dict[str, Any]) -> None:
        self.world, self.batch_size = world, properties["BatchSize"]
        self.window_s: int = properties.get("MaximumBatchingWindowInSeconds", 0)
        self.bisects: bool = properties.get("BisectBatchOnFunctionError", False)
        self.max_retries: int = properties.get("MaximumRetryAttempts", -1)
        age_s: int = properties.get("MaximumRecordAgeInSeconds", -1)
        self.max_age_s = age_s if age_s > 0 else float("inf")
        filters = properties.get("FilterCriteria", {"Filters": []})["Filters"]
        self.names = [name for one in filters for name in json.loads(one["Pattern"]).get("eventName", ())]
        self.lanes = [Lane(self, number) for number in range(SHARDS * properties.get("ParallelizationFactor", 1))]
        self.paused: list[tuple[float, float]] = []
        self._count = 0

    def changed(self, key: Key, old: Item | None, new: Item | None) -> None:
        """Take a change of the table."""
        name = "REMOVE" if new is None else "MODIFY" if old else "INSERT"
        if new is None or old == new or (self.names and name not in self.names):
            return
        self._count += 1
        choices = self.world.choices
        number = choices.draw(("lane", key), 0, 0.7, lambda random: random.randrange(len(self.lanes)))
        self.lanes[number].add(Record(self._count, name, new, self.world.scheduler.now))

    def paused_for(self, now: float) -> float:
        """Return the time for which the mapping does not poll."""
        return max((end - now for start, end in self.paused if start <= now < end), default=0.0)


class Lane:
    """Records that one concurrent batch of one shard takes, in order."""

    def __init__(self, mapping: Mapping, number: int) -> None:
        self._mapping, self._number = mapping, number
        self._queue: deque[Record] = deque()
        self._batches: list[list[Record]] = []
        self._is_polling, self._tries, self._count = False, 0, 0

    def add(self, record: Record) -> None:
        self._queue.append(record)
        if not self._is_polling:
            self._is_polling = True
            world = self._mapping.world
            rate = world.choices.rate("poll delay", 0.5)
            usual = POLL_S + self._mapping.window_s
            delay_s = world.choices.draw(("poll", record.webhook_id), usual, rate, lambda random: random.uniform(0, 3))
            world.scheduler.later(delay_s, self._poll)

    def _poll(self) -> None:
        world = self._mapping.world
        if wait_s := self._mapping.paused_for(world.scheduler.now):
            world.scheduler.later(wait_s, self._poll)
            return
        if not self._batches and self._queue:
            size = min(self._mapping.batch_size, len(self._queue))
            self._batches = [[self._queue.popleft() for _ in range(size)]]
        self._batches = [left for batch in self._batches if (left := self._without_old(batch))]
        if not self._batches and not self._queue:
            self._is_polling = False
        elif not self._batches:
            world.scheduler.later(0, self._poll)
        else:
            self._invoke(self._batches[0])

    def _without_old(self, batch: list[Record]) -> list[Record]:
        now, kept, mapping = self._mapping.world.scheduler.now, [], self._mapping
        for record in batch:
            age_s = now - record.created_at
            if age_s > STREAM_RETENTION_S:
                mapping.world.note(f"the stream no longer has {record.webhook_id}")
            elif age_s > mapping.max_age_s or 0 <= mapping.max_retries < self._tries:
                mapping.world.note(f"record of {record.webhook_id}: to the failure queue")
                mapping.world.history.failed_records.add(record.webhook_id)
            else:
                kept.append(record)
        return kept

    def _invoke(self, batch: list[Record]) -> None:
        self._count += 1
        label = f"check {'+'.join(record.webhook_id for record in batch)} lane {self._number} try {self._count}"
        event = {"Records": [record.event for record in batch]}
        self._mapping.world.functions.invoke("CheckAlertsFunction", event, label, label, self._ended)

    def _ended(self, invocation: Invocation) -> None:
        batch = self._batches.pop(0)
        if invocation.outcome == "throttled":
            self._batches.insert(0, batch)
            self._mapping.world.scheduler.later(1, self._poll)
            return
        left = self._failed(batch, invocation)
        if left:
            middle = len(left) // 2
            parts = [left[:middle], left[middle:]] if self._is_bisected(left, invocation) else [left]
            self._batches = [*parts, *self._batches]
            self._tries += 1
        else:
            self._tries = 0
            self._redeliver(batch, invocation.name)
        wait_s = min(2**self._tries, LONGEST_RETRY_WAIT_S) if left else 0
        self._mapping.world.scheduler.later(wait_s, self._poll)

    def _is_bisected(self, left: list[Record], invocation: Invocation) -> bool:
        return self._mapping.bisects and invocation.outcome != "ok" and len(left) > 1

    def _failed(self, batch: list[Record], invocation: Invocation) -> list[Record]:
        if invocation.outcome != "ok":
            return batch
        failed = [one["itemIdentifier"] for one in (invocation.answer or {}).get("batchItemFailures") or ()]
        if not failed:
            return []
        numbers = [record.number for record in batch]
        return batch[min(numbers.index(one) for one in failed) :] if {*failed} <= {*numbers} else batch

    def _redeliver(self, batch: list[Record], label: str) -> None:
        """Deliver a batch again that was already taken: the position of the shard was not stored in time."""
        choices = self._mapping.world.choices
        if choices.draw(("redelivered", label), False, choices.rate("redelivered", 0.1), lambda _: True):
            self._batches.insert(0, batch)
