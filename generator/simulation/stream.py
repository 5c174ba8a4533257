"""A table's stream and the mapping that reads it: shards, lanes, batches, and the alerts that a batch fires."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from generator.aws import STREAM_POLL_INTERVAL_S, STREAM_RETENTION_S
from generator.simulation.functions import LambdaFunction
from generator.simulation.gateway import Output
from generator.simulation.measures import Counters, Histogram, Occupancy, check_conservation
from generator.simulation.topology import StreamMapping


class Record(NamedTuple):
    """One change of the table: when pollers see it, when it was written, and when its webhook was first sent."""

    visible_s: float
    written_s: float
    origin_s: float


@dataclass(frozen=True, slots=True)
class Crossings:
    """How often a price crosses an alert's threshold, how many alerts that fires, and where the alerts go."""

    probability: float
    alerts: Callable[[], int]
    random: Random
    outputs: Sequence[Output]

    def cross(self, origin_s: float) -> None:
        """Draw whether the price crosses a threshold, and if so fire the alerts at once."""
        if self.random.random() < self.probability:
            self.fire(origin_s)

    def fire(self, origin_s: float) -> None:
        for _ in range(self.alerts()):
            for output in self.outputs:
                output(origin_s)


class Lane:
    """One of a shard's concurrent batches. `buffer` holds waiting records, oldest first, `batch` those being sent."""

    __slots__ = ("batch", "buffer", "busy_s", "plan", "poll_phase_s", "published", "since_s", "throttles")

    def __init__(self, poll_phase_s: float) -> None:
        self.poll_phase_s = poll_phase_s
        self.buffer: deque[Record] = deque()
        self.batch: list[Record] = []
        self.busy_s = self.since_s = 0.0
        # The number of the latest plan to send. Events of earlier plans do nothing.
        self.plan = self.throttles = 0
        self.published = False


class Stream:
    """Shards whose lanes send one batch at a time, as soon as it is full or its first record has waited the window.

    With a parallelization factor above 1 Lambda keeps the order per item. Every webhook writes its own item, so a
    shard's records spread evenly over its lanes, even if all of them belong to one market. A throttled batch keeps
    its lane and is retried until its records are too old; the retry count does not apply to throttles. Source: AWS
    Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB". `backoff_s` has the first and the longest wait
    after a throttle, in seconds; the wait doubles from one to the other.
    """

    def __init__(
        self,
        function: LambdaFunction,
        mapping: StreamMapping,
        shard_shares: Sequence[float],
        crossings: Crossings,
        backoff_s: tuple[float, float],
        random: Random,
        poll_interval_s: float = STREAM_POLL_INTERVAL_S,
    ) -> None:
        self._kernel, self._function, self._mapping, self._crossings = function.kernel, function, mapping, crossings
        self._random, self._poll_s = random.random, poll_interval_s
        self._min_backoff_s, self._max_backoff_s = backoff_s
        self._max_age_s = mapping.max_age_s or STREAM_RETENTION_S
        lanes = mapping.parallelization_factor
        # Shards are polled in turn, not all at the same moment.
        phases_s = [self._poll_s * number / len(shard_shares) for number in range(len(shard_shares))]
        self.shards = [[Lane(phase_s) for _ in range(lanes)] for phase_s in phases_s]
        self._lanes = [lane for shard in self.shards for lane in shard]
        shares = [share / lanes for share in shard_shares for _ in range(lanes)]
        # The last limit, 1 except for rounding, is left out: everything above the others belongs to the last lane.
        self._limits = list(accumulate(shares))[:-1]
        self.written = self.checked = self.dropped = 0
        self.inside = Occupancy(function.kernel.now)
        self.iterator_age_s = Histogram()
        self.oldest_s = 0.0

    def write(self, origin_s: float) -> None:
        """Add a record. Pollers see it when they next read its shard."""
        now_s, poll_s = self._kernel.now, self._poll_s
        lane = self._lanes[bisect_right(self._limits, self._random())]
        # In whole polls, so that rounding never makes a later record visible before an earlier one.
        phase_s = lane.poll_phase_s
        visible_s = phase_s + poll_s * (1 + (now_s - phase_s) // poll_s) if poll_s else now_s
        self.written += 1
        self.inside.enter(now_s)
        lane.buffer.append(Record(visible_s, now_s, origin_s))
        if not lane.batch and len(lane.buffer) in (1, self._mapping.batch_size):
            self._plan(lane)

    def _plan(self, lane: Lane) -> None:
        """Plan to send at the end of the first record's window, or earlier when the batch is full."""
        buffer, size = lane.buffer, self._mapping.batch_size
        at_s = buffer[0].visible_s + self._mapping.window_s
        if len(buffer) >= size:
            at_s = min(at_s, buffer[size - 1].visible_s)
        lane.plan += 1
        self._kernel.at(max(at_s, self._kernel.now), self._send, (lane, lane.plan))

    def _send(self, planned: tuple[Lane, int]) -> None:
        lane, plan = planned
        if plan != lane.plan:
            return
        now_s, buffer = self._kernel.now, lane.buffer
        while buffer and len(lane.batch) < self._mapping.batch_size and buffer[0].visible_s <= now_s:
            lane.batch.append(buffer.popleft())
        lane.since_s, lane.throttles, lane.published = now_s, 0, False
        self._try(lane)

    def _try(self, lane: Lane) -> None:
        now_s = self._kernel.now
        fresh = [record for record in lane.batch if now_s - record.written_s <= self._max_age_s]
        if len(fresh) < len(lane.batch):
            self._leave([record for record in lane.batch if now_s - record.written_s > self._max_age_s])
            self.dropped += len(lane.batch) - len(fresh)
            lane.batch = fresh
            if not fresh:
                return self._release(lane)
        duration_s = self._function.invoke(self._done, self._retry, lane)
        if duration_s is None:
            return self._retry(lane)
        # IteratorAge is the age of a batch's last record when Lambda sends it. Source: AWS Lambda Developer Guide,
        # "Types of metrics for Lambda functions".
        age_s = now_s - lane.batch[-1].written_s
        self.iterator_age_s.add(age_s)
        if age_s > self.oldest_s:
            self.oldest_s = age_s
        if not lane.published:
            lane.published = True
            self._fire(lane.batch, now_s, duration_s)
        return None

    def _fire(self, batch: Sequence[Record], now_s: float, duration_s: float) -> None:
        """Fire the alerts of a batch while it runs, one record after the other.

        An alert fires once, so only the first run of a batch fires any.
        """
        crossings, at = self._crossings, self._kernel.at
        if not crossings.outputs:
            return
        uniform, probability = crossings.random.random, crossings.probability
        for position, record in enumerate(batch, 1):
            if uniform() < probability:
                at(now_s + duration_s * position / len(batch), crossings.fire, record.origin_s)

    def _done(self, lane: Lane) -> None:
        self.checked += len(lane.batch)
        self._leave(lane.batch)
        lane.batch = []
        self._release(lane)

    def _retry(self, lane: Lane) -> None:
        """Retry a batch that was throttled or timed out, as a whole: bisecting a batch is not simulated."""
        wait_s = min(self._max_backoff_s, self._min_backoff_s * 2.0 ** min(lane.throttles, 60))
        lane.throttles += 1
        self._kernel.at(self._kernel.now + wait_s, self._try, lane)

    def _leave(self, records: Sequence[Record]) -> None:
        now_s, leave = self._kernel.now, self.inside.leave
        for record in records:
            leave(now_s, record.written_s)

    def _release(self, lane: Lane) -> None:
        lane.busy_s += self._kernel.now - lane.since_s
        if lane.buffer:
            self._plan(lane)

    def snapshot(self, now_s: float) -> Counters:
        """Return everything counted so far, with the busy time of each shard's lanes."""
        counts: Counters = {"written": self.written, "checked": self.checked, "dropped": self.dropped}
        for number, lanes in enumerate(self.shards):
            busy_s = math.fsum(lane.busy_s + (now_s - lane.since_s if lane.batch else 0.0) for lane in lanes)
            counts[f"busy_s of shard {number}"] = busy_s
        return counts

    def take_oldest_s(self) -> float:
        """Return the highest iterator age since the last call, in seconds."""
        oldest_s, self.oldest_s = self.oldest_s, 0.0
        return oldest_s

    def verify(self) -> None:
        written_s = [record.written_s for lane in self._lanes for record in (*lane.buffer, *lane.batch)]
        check_conservation(
            "stream", self.written, checked=self.checked, dropped=self.dropped, in_progress=len(written_s)
        )
        self.inside.verify("stream", self._kernel.now, written_s)
