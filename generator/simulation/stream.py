"""A table's stream and the mapping that reads it: shards, lanes, batches, and what a batch's records cause."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

from generator.simulation.assumptions import Assumptions
from generator.simulation.function import LambdaFunction
from generator.simulation.gateway import Output
from generator.simulation.kernel import Kernel
from generator.simulation.measures import Counters, Histogram, Occupancy, conserve


class Record(NamedTuple):
    """One change of the table, in seconds: when pollers see it, when it was written, when its webhook arrived."""

    visible_s: float
    written_s: float
    origin_s: float


@dataclass(frozen=True, slots=True)
class Reading:
    """How a mapping reads: see Lambda API reference, CreateEventSourceMapping. `max_age_s` None is a day, the
    life of a record in the stream."""

    batch_size: int
    window_s: float
    lanes_per_shard: int
    max_age_s: float | None


@dataclass(frozen=True, slots=True)
class Crossings:
    """How often a price crosses thresholds, how many alerts that fires, and where they go."""

    probability: float
    alerts: Callable[[], int]
    random: Random
    outputs: Sequence[Output]

    def cross(self, origin_s: float) -> None:
        """Draws whether a price crosses thresholds, and fires its alerts at once if so."""
        if self.random.random() < self.probability:
            self.fire(origin_s)

    def fire(self, origin_s: float) -> None:
        """Fires the alerts of one crossing."""
        for _ in range(self.alerts()):
            for output in self.outputs:
                output(origin_s)


class Lane:
    """One of a shard's concurrent batches. `buffer` holds what waits, oldest first; `batch` what is being tried."""

    __slots__ = ("batch", "buffer", "busy_s", "poll_phase_s", "published", "since_s", "throttles", "ticket")

    def __init__(self, poll_phase_s: float) -> None:
        self.poll_phase_s = poll_phase_s
        self.buffer: deque[Record] = deque()
        self.batch: list[Record] = []
        self.busy_s = self.since_s = 0.0
        # Only the latest plan to send counts; an event with an older ticket does nothing.
        self.ticket = self.throttles = 0
        self.published = False


class Stream:
    """Each lane sends one batch at a time, when it is full or its first record has waited for the window.

    With a parallelization factor above 1 Lambda keeps order per item, and every webhook is an item of its own, so
    a shard's records spread evenly over its lanes even when they are of one market. A throttled batch keeps its
    lane and is tried again until its records are too old; the retry count does not apply to throttles. Source:
    AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB".
    """

    def __init__(
        self,
        kernel: Kernel,
        function: LambdaFunction,
        reading: Reading,
        shard_shares: Sequence[float],
        crossings: Crossings,
        assumptions: Assumptions,
        random: Random,
    ) -> None:
        self._kernel, self._function, self._reading, self._crossings = kernel, function, reading, crossings
        self._random, self._poll_s = random.random, assumptions.poll_interval_s
        self._first_s, self._longest_s = assumptions.stream_backoff_s
        self._max_age_s = reading.max_age_s or 86_400.0
        # Shards are polled in turn, not all at one moment.
        phases_s = [self._poll_s * number / len(shard_shares) for number in range(len(shard_shares))]
        self.shards = [[Lane(phase_s) for _ in range(reading.lanes_per_shard)] for phase_s in phases_s]
        self._lanes = [lane for shard in self.shards for lane in shard]
        shares = [share / reading.lanes_per_shard for share in shard_shares for _ in range(reading.lanes_per_shard)]
        # Without the last limit, which is 1 but for rounding: whatever is above the others belongs to the last lane.
        self._limits = list(accumulate(shares))[:-1]
        self.written = self.checked = self.dropped = 0
        self.inside = Occupancy(kernel.now)
        self.iterator_age_s = Histogram()
        self.oldest_s = 0.0

    def write(self, origin_s: float) -> None:
        """Takes a record; pollers see it when they next read its shard."""
        now_s, poll_s = self._kernel.now, self._poll_s
        lane = self._lanes[bisect_right(self._limits, self._random())]
        # By whole polls, so that a later record is never seen before an earlier one, not even by rounding.
        phase_s = lane.poll_phase_s
        visible_s = phase_s + poll_s * (1 + (now_s - phase_s) // poll_s) if poll_s else now_s
        self.written += 1
        self.inside.enter(now_s)
        lane.buffer.append(Record(visible_s, now_s, origin_s))
        if not lane.batch and len(lane.buffer) in (1, self._reading.batch_size):
            self._plan(lane)

    def _plan(self, lane: Lane) -> None:
        """Sends when the window of the first record ends, or already when the batch is full."""
        buffer, size = lane.buffer, self._reading.batch_size
        at_s = buffer[0].visible_s + self._reading.window_s
        if len(buffer) >= size:
            at_s = min(at_s, buffer[size - 1].visible_s)
        lane.ticket += 1
        self._kernel.at(max(at_s, self._kernel.now), self._send, (lane, lane.ticket))

    def _send(self, plan: tuple[Lane, int]) -> None:
        lane, ticket = plan
        if ticket != lane.ticket:
            return
        now_s, buffer = self._kernel.now, lane.buffer
        while buffer and len(lane.batch) < self._reading.batch_size and buffer[0].visible_s <= now_s:
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
                return self._free(lane)
        duration_s = self._function.invoke(self._done, self._failed, lane)
        if duration_s is None:
            return self._again(lane)
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
        """Records are checked one after the other, so alerts leave while the batch runs, not all at its end.

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
        self._free(lane)

    def _failed(self, lane: Lane) -> None:
        """A run was cut at its timeout: the batch is tried again. Bisecting it is left out."""
        self._again(lane)

    def _again(self, lane: Lane) -> None:
        wait_s = min(self._longest_s, self._first_s * 2.0 ** min(lane.throttles, 60))
        lane.throttles += 1
        self._kernel.at(self._kernel.now + wait_s, self._try, lane)

    def _leave(self, records: Sequence[Record]) -> None:
        now_s, leave = self._kernel.now, self.inside.leave
        for record in records:
            leave(now_s, record.written_s)

    def _free(self, lane: Lane) -> None:
        lane.busy_s += self._kernel.now - lane.since_s
        if lane.buffer:
            self._plan(lane)

    def snapshot(self, now_s: float) -> Counters:
        """What happened until now; the time in which each shard's lanes were taken is in its own entry."""
        counts = {"written": self.written, "checked": self.checked, "dropped": self.dropped}
        shards = {f"busy_s of shard {n}": busy_s(lanes, now_s) for n, lanes in enumerate(self.shards)}
        return {**counts, **shards}

    def take_oldest_s(self) -> float:
        """The largest iterator age since the last call."""
        oldest_s, self.oldest_s = self.oldest_s, 0.0
        return oldest_s

    def verify(self) -> None:
        """Checks conservation and Little's law. Raises SimulationBug."""
        under_way = [record.written_s for lane in self._lanes for record in (*lane.buffer, *lane.batch)]
        conserve("stream", self.written, checked=self.checked, dropped=self.dropped, under_way=len(under_way))
        self.inside.verify("stream", self._kernel.now, under_way)


def busy_s(lanes: Sequence[Lane], now_s: float) -> float:
    """How long these lanes have been taken by a batch, together."""
    return math.fsum(lane.busy_s + (now_s - lane.since_s if lane.batch else 0.0) for lane in lanes)
