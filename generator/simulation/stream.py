"""A table's stream and the mapping that reads it: shards, lanes, batches, and the alerts that a batch fires."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import accumulate
from random import Random

from generator.aws import STREAM_POLL_INTERVAL_S, STREAM_RETENTION_S
from generator.simulation.functions import LambdaFunction
from generator.simulation.measures import Counters, Histogram, Occupancy, check_conservation
from generator.simulation.topology.model import StreamMapping

Receiver = Callable[[float, float], None]
"""Takes an alert at a time. The second argument is the time at which its webhook was first sent."""


class Crossings:
    """The rate at which prices cross thresholds, the number of alerts that each crossing fires, and their receivers."""

    def __init__(
        self, probability: float, alerts: Callable[[], int], random: Random, outputs: Sequence[Receiver]
    ) -> None:
        self._probability, self._alerts, self._uniform, self.outputs = probability, alerts, random.random, outputs
        self._next = self._gap()

    def among(self, count: int) -> list[int]:
        """Return which of the next `count` prices cross a threshold, by their positions."""
        found, position = [], self._next
        while position < count:
            found.append(int(position))
            position += 1 + self._gap()
        self._next = position - count
        return found

    def fire(self, time_s: float, origin_s: float) -> None:
        """Fire the alerts of one crossing at once."""
        for _ in range(self._alerts()):
            for output in self.outputs:
                output(time_s, origin_s)

    def accept(self, written_s: Sequence[float], origin_s: Mapping[float, float]) -> None:
        """Take prices, and fire the alerts of those that cross a threshold."""
        for position in self.among(len(written_s)):
            self.fire(written_s[position], origin_s[written_s[position]])

    def _gap(self) -> float:
        """Return the number of prices before the next crossing: geometric."""
        if self._probability >= 1:
            return 0
        if self._probability <= 0:
            return math.inf
        return math.log(1.0 - self._uniform()) // math.log1p(-self._probability)


@dataclass(slots=True, eq=False)
class Lane:
    """One of a shard's concurrent batches.

    `written_s` has the times of its records: those before `first` have left, the next `batch` are being sent, and the
    others wait. `crossings` has the written time and the webhook's first attempt of records that will fire alerts.
    `due_s` is the time at which the next batch is sent; events for other times are outdated.
    """

    poll_phase_s: float
    written_s: list[float] = field(default_factory=list)
    crossings: deque[tuple[float, float]] = field(default_factory=deque)
    first: int = 0
    batch: int = 0
    throttles: int = 0
    busy_s: float = 0.0
    since_s: float = 0.0
    started_s: float = 0.0
    due_s: float = math.inf


TRIM = 512
"""Records that have left a lane before its list is cut."""

SENT, DONE, CUT, RETRIED = range(4)
"""Kinds of things that happen to a lane: it sends a batch, whose run ends well or at its timeout, or sends it again."""


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
        self.function, self._crossings = function, crossings
        self._size, self._window_s = mapping.batch_size, mapping.window_s
        self._uniform, self._poll_s = random.random, poll_interval_s
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
        self._events: list[tuple[float, int, int]] = []
        self.written = self.checked = self.dropped = 0
        self.inside = Occupancy(function.running.last_s)
        self.iterator_age_s = Histogram()
        self.oldest_s = 0.0

    @property
    def next_s(self) -> float:
        """The time of the next event."""
        return self._events[0][0] if self._events else math.inf

    def accept(self, written_s: Sequence[float], origin_s: Mapping[float, float]) -> None:
        """Add a record at each time. Pollers see it when they next read its shard."""
        limits, uniform, lanes = self._limits, self._uniform, self._lanes
        numbers = [bisect_right(limits, uniform()) for _ in written_s]
        appends = [lane.written_s.append for lane in lanes]
        for number, time_s in zip(numbers, written_s, strict=True):
            appends[number](time_s)
        if self._crossings.outputs:
            for position in self._crossings.among(len(written_s)):
                time_s = written_s[position]
                lanes[numbers[position]].crossings.append((time_s, origin_s[time_s]))
        self.written += len(written_s)
        self.inside.enter_all(written_s)
        for number, lane in enumerate(lanes):
            if not lane.batch:
                self._plan(number, lane, self.inside.last_s)

    def run(self, until_s: float) -> None:
        """Handle everything up to and including `until_s`."""
        events, lanes, finish = self._events, self._lanes, self.function.finish
        while events and events[0][0] <= until_s:
            now_s, number, kind = heappop(events)
            lane = lanes[number]
            if kind == DONE:
                finish(now_s, lane.started_s)
                self.checked += lane.batch
                self._leave(lane, lane.batch, now_s)
                self._release(number, lane, now_s)
            elif kind == CUT:
                finish(now_s, lane.started_s)
                self._retry(number, lane, now_s)
            elif kind == RETRIED:
                self._try(number, lane, now_s)
            elif kind == SENT and now_s == lane.due_s:  # Otherwise it was planned anew.
                self._send(number, lane, now_s)
        self.inside.advance(until_s)
        self.function.running.advance(until_s)

    def _plan(self, number: int, lane: Lane, now_s: float) -> None:
        """Plan to send at the end of the first record's window, or earlier when the batch is full.

        Pollers see a record from the next poll on. Polls are counted, so that rounding never makes a later record
        visible before an earlier one.
        """
        first, waiting = lane.first, len(lane.written_s) - lane.first
        if waiting <= 0:
            return
        due_s = self._visible_s(lane, first) + self._window_s
        if waiting >= self._size:
            due_s = min(due_s, self._visible_s(lane, first + self._size - 1))
        due_s = max(due_s, now_s)
        if due_s != lane.due_s:
            lane.due_s = due_s
            heappush(self._events, (due_s, number, SENT))

    def _visible_s(self, lane: Lane, position: int) -> float:
        """Return the time of the first poll after a record was written."""
        written_s, poll_s, phase_s = lane.written_s[position], self._poll_s, lane.poll_phase_s
        return phase_s + poll_s * (1 + (written_s - phase_s) // poll_s) if poll_s else written_s

    def _send(self, number: int, lane: Lane, now_s: float) -> None:
        first, poll_s = lane.first, self._poll_s
        last = min(first + self._size, len(lane.written_s))
        if poll_s:
            # The records written before the latest poll. A tolerance, because `now_s` may be that of a poll.
            polls = math.floor((now_s - lane.poll_phase_s) / poll_s + 1e-9)
            last = bisect_left(lane.written_s, lane.poll_phase_s + poll_s * polls, first, last)
        else:
            last = bisect_right(lane.written_s, now_s, first, last)
        lane.batch, lane.due_s = last - first or 1, math.inf
        lane.since_s, lane.throttles = now_s, 0
        self._try(number, lane, now_s)

    def _try(self, number: int, lane: Lane, now_s: float) -> None:
        written_s, since_s = lane.written_s, now_s - self._max_age_s
        if written_s[lane.first] < since_s:
            expired = bisect_left(written_s, since_s, lane.first, lane.first + lane.batch) - lane.first
            self.dropped += expired
            self._leave(lane, expired, now_s)
            if not lane.batch:
                self._release(number, lane, now_s)
                return
        run = self.function.start(now_s)
        if not run:
            self._retry(number, lane, now_s)
            return
        duration_s, times_out = run
        lane.started_s = now_s
        heappush(self._events, (now_s + duration_s, number, CUT if times_out else DONE))
        # IteratorAge is the age of a batch's last record when Lambda sends it. Source: AWS Lambda Developer Guide,
        # "Types of metrics for Lambda functions".
        first, end, crossings = lane.first, lane.first + lane.batch, lane.crossings
        last_s = written_s[end - 1]
        self.iterator_age_s.add(now_s - last_s)
        self.oldest_s = max(self.oldest_s, now_s - last_s)
        # A run gets to its records one after the other. An alert fires once, so only the first run of a batch fires it.
        while crossings and crossings[0][0] <= last_s:
            crossed_s, origin_s = crossings.popleft()
            position = bisect_right(written_s, crossed_s, first, end) - first
            self._crossings.fire(now_s + duration_s * position / lane.batch, origin_s)

    def _retry(self, number: int, lane: Lane, now_s: float) -> None:
        """Retry a batch that was throttled or timed out, as a whole: bisecting a batch is not simulated."""
        wait_s = min(self._max_backoff_s, self._min_backoff_s * 2.0 ** min(lane.throttles, 60))
        lane.throttles += 1
        heappush(self._events, (now_s + wait_s, number, RETRIED))

    def _leave(self, lane: Lane, count: int, now_s: float) -> None:
        """Remove the first records of a batch."""
        left_s = lane.written_s[lane.first : lane.first + count]
        self.inside.leave_at_once(now_s, left_s)
        lane.first += count
        lane.batch -= count
        crossings = lane.crossings
        while crossings and crossings[0][0] <= left_s[-1]:
            crossings.popleft()
        if lane.first > TRIM:
            del lane.written_s[: lane.first]
            lane.first = 0

    def _release(self, number: int, lane: Lane, now_s: float) -> None:
        lane.busy_s += now_s - lane.since_s
        self._plan(number, lane, now_s)

    def started_s(self) -> Iterator[float]:
        """Yield the starts of the current runs."""
        return (self._lanes[number].started_s for _, number, kind in self._events if kind in (DONE, CUT))

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

    def verify(self, now_s: float) -> None:
        written_s = [time_s for lane in self._lanes for time_s in lane.written_s[lane.first :]]
        check_conservation(
            "stream", self.written, checked=self.checked, dropped=self.dropped, in_progress=len(written_s)
        )
        self.inside.verify("stream", now_s, written_s)
