"""Lambda: one function with its warm instances, and the queue in front of it for asynchronous events."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import repeat
from operator import sub

from generator.aws import ASYNC_ERROR_WAITS_S, ASYNC_THROTTLE_BACKOFF_S, SCALING_BURST, SCALING_RATE_PER_S
from generator.simulation.draws import Variates
from generator.simulation.limits import Pool, TokenBucket
from generator.simulation.measures import Counters, Histogram, Occupancy, check_conservation

CONCURRENCY, REQUEST_RATE, SCALING = "concurrency", "request rate", "scaling rate"
"""The reasons for a throttle: executions at once, requests per second, new instances per second."""

Run = tuple[float, bool]
"""The duration of a run in seconds, and whether it ends at the function's timeout."""


class LambdaFunction:
    """A function that runs what its pool has room for. The stages that invoke it keep its runs until they end.

    Each run takes the warm instance that was used last, or starts a new one. AWS does not document which warm
    instance Lambda picks; with this choice the others expire. Invariants: `running.inside` instances are busy, `idle`
    holds the times since which the others have been idle, oldest first, and the pool's free units and the runs of all
    functions that share it add up to its size. `draw_s` draws the duration of a run in a warm instance.
    """

    def __init__(
        self,
        name: str,
        pool: Pool,
        draw_s: Variates,
        *,
        cold_start_s: float,
        timeout_s: float,
        idle_timeout_s: float,
        request_rate: TokenBucket | None = None,
        start_s: float = 0.0,
    ) -> None:
        self.name, self.pool, self.draw_s, self.request_rate = name, pool, draw_s, request_rate
        self.timeout_s, self._cold_start_s, self._idle_timeout_s = timeout_s, cold_start_s, idle_timeout_s
        self.running = Occupancy(start_s)
        self.idle: list[float] = []
        self._idle_s = 0.0
        self._new_instances = TokenBucket(SCALING_RATE_PER_S, SCALING_BURST)
        self.invocations = self.completed = self.cold_starts = self.timeouts = self.peak = 0
        self.throttles: Counter[str] = Counter()

    def start_synchronously(self, now_s: float) -> Run | None:
        """Like `start`, but within the rate limit of synchronous requests.

        AWS does not document whether a request that finds no free execution counts towards that rate. Here it does
        not.
        """
        if self.request_rate and self.pool.free and not self.request_rate.take(now_s):
            self.throttles[REQUEST_RATE] += 1
            return None
        return self.start(now_s)

    def start(self, now_s: float) -> Run | None:
        """Start a run and return it, or None if it is throttled. The caller calls `finish` when it ends."""
        pool, idle = self.pool, self.idle
        if not pool.free:
            self.throttles[CONCURRENCY] += 1
            return None
        duration_s = self.draw_s()
        times_out = duration_s >= self.timeout_s
        if times_out:
            duration_s = self.timeout_s
        if idle and now_s - idle[-1] < self._idle_timeout_s:
            self._idle_s += now_s - idle.pop()
        elif self._new_instances.take(now_s):
            # The instance used last has expired, and so have all others, each at its own time.
            self._idle_s += len(idle) * self._idle_timeout_s
            idle.clear()
            self.cold_starts += 1
            duration_s += self._cold_start_s
        else:
            self.throttles[SCALING] += 1
            return None
        self.invocations += 1
        self.timeouts += times_out
        pool.free -= 1
        inside = self.running.enter(now_s)
        if inside > self.peak:
            self.peak = inside
        return duration_s, times_out

    def finish(self, now_s: float, started_s: float) -> None:
        """End the run that started at `started_s`."""
        self.running.leave(now_s, started_s)
        self.pool.free += 1
        self.idle.append(now_s)
        self.completed += 1

    def run_together(self, times_s: Sequence[float], ends_s: Sequence[float], until_s: float) -> bool:
        """Start a run at each time and finish those that end by `until_s`, all at once.

        `ends_s` has the ends of these and of all former runs in order. The caller adds the time that the finished runs
        took to `running.sojourn_s`. Returns False and changes nothing if a run might be throttled or cold, or if all
        executions are in use at some time. The function must have its own pool.
        """
        busy, size, idle, since_s = self.running.inside, self.pool.size, self.idle, self.running.last_s
        done_s = ends_s[: bisect_right(ends_s, until_s)]
        left = busy + len(times_s) - len(done_s)
        # The last time at which a run ended and left this many others, for each number of others.
        started = map(bisect_left, repeat(times_s), done_s)
        last_s = dict(zip(map(sub, started, range(1 - busy, len(done_s) + 1 - busy)), done_s, strict=True))
        most = max(busy, left, max(last_s, default=-1) + 1)
        reused = most - busy
        if most >= size or reused > len(idle):
            return False
        # No instance is idle for longer than since the earliest of those reused, or since the start of the stretch.
        if until_s - (idle[-reused] if reused else since_s) >= self._idle_timeout_s:
            return False
        area_s = self.running.area_until(since_s)
        self.running.enter_all(times_s)
        self.running.leave_all(done_s)
        self.running.advance(until_s)
        # The runs of all these instances and their idle times fill the time.
        idle_s = most * (until_s - since_s) - (self.running.area_s - area_s)
        if reused:
            idle_s += math.fsum(since_s - from_s for from_s in idle[-reused:])
            del idle[-reused:]
        renewed_s = [last_s[others] for others in range(most - 1, left - 1, -1)]
        idle += renewed_s
        self._idle_s += idle_s - math.fsum(until_s - from_s for from_s in renewed_s)
        self.invocations += len(times_s)
        self.completed += len(done_s)
        self.pool.free -= left - busy
        self.peak = max(self.peak, most)
        return True

    def snapshot(self, now_s: float) -> Counters:
        expired = bisect_right(self.idle, now_s - self._idle_timeout_s)
        self._idle_s += expired * self._idle_timeout_s
        del self.idle[:expired]
        busy_s = self.running.area_until(now_s)
        return {
            "invocations": self.invocations,
            "throttles": sum(self.throttles.values()),
            "cold_starts": self.cold_starts,
            "timeouts": self.timeouts,
            "busy_s": busy_s,
            "instances_s": busy_s + self._idle_s + math.fsum(now_s - since_s for since_s in self.idle),
            **{f"throttles by {reason}": self.throttles[reason] for reason in (CONCURRENCY, REQUEST_RATE, SCALING)},
        }

    def take_peak(self) -> int:
        """Return the highest concurrency since the last call."""
        peak, self.peak = self.peak, self.running.inside
        return peak

    def verify(self, now_s: float, started_s: Sequence[float]) -> None:
        """Check conservation and Little's law, given the starts of all current runs. Raises SimulationBug."""
        check_conservation(self.name, self.invocations, completed=self.completed, running=len(started_s))
        self.running.verify(self.name, now_s, started_s)


END, ARRIVAL, ATTEMPT = range(3)
"""Kinds of things that happen to an asynchronous event. Of several at the same time, the ends of runs come first."""


@dataclass(slots=True, eq=False)
class _Event:
    """An asynchronous event, with the number of its throttles and errors so far and its current run."""

    origin_s: float
    accepted_s: float
    throttles: int = 0
    errors: int = 0
    started_s: float = 0.0
    times_out: bool = False


class AsynchronousQueue:
    """Lambda's queue of asynchronous events (from SNS and schedules) for one function.

    An event is tried at once; while it is throttled it is retried after 1 s, 2 s and so on up to 5 min, until it is
    too old. Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
    According to the same page Lambda reads a long queue more slowly; without figures, this is not simulated.

    `is_stopped` stands for a reservation of 0: events go to the failure destination at once. Source: AWS Lambda
    Developer Guide, "Capturing records of Lambda asynchronous invocations".
    """

    def __init__(
        self,
        function: LambdaFunction,
        max_age_s: float,
        max_retries: int,
        *,
        is_stopped: bool = False,
        backoff_s: tuple[float, float] = ASYNC_THROTTLE_BACKOFF_S,
    ) -> None:
        self.function, self._max_age_s = function, max_age_s
        self._is_stopped, (self._min_backoff_s, self._max_backoff_s) = is_stopped, backoff_s
        self._error_waits_s = ASYNC_ERROR_WAITS_S[:max_retries]
        # The heap holds (time, kind, number, event), and never compares two events, which have no order.
        self._moments: list[tuple[float, int, int, _Event]] = []
        self._number, self._period_s = 0, 0.0
        self.accepted = self.completed = self.dropped = self.waited = 0
        self.inside = Occupancy(function.running.last_s)
        self.latency_s = Histogram()

    @property
    def next_s(self) -> float:
        """The time of the next event."""
        return self._moments[0][0] if self._moments else math.inf

    def accept(self, time_s: float, origin_s: float) -> None:
        """Take an event at that time. `origin_s` is the time at which the webhook behind it was first sent."""
        self._add(time_s, ARRIVAL, _Event(origin_s, time_s))

    def accept_every(self, period_s: float, first_s: float) -> None:
        """Take an event once in every period, as a schedule sends them."""
        self._period_s = period_s
        self.accept(first_s, first_s)

    def run(self, until_s: float) -> None:
        """Handle everything up to and including `until_s`."""
        moments = self._moments
        while moments and moments[0][0] <= until_s:
            now_s, kind, _, event = heappop(moments)
            if kind == END:
                self._end(event, now_s)
                continue
            if kind == ARRIVAL:
                self.accepted += 1
                self.inside.enter(now_s)
                if self._period_s:
                    self.accept_every(self._period_s, now_s + self._period_s)
            self._try(event, now_s)
        self.inside.advance(until_s)
        self.function.running.advance(until_s)

    def _add(self, time_s: float, kind: int, event: _Event) -> None:
        self._number = number = self._number + 1
        heappush(self._moments, (time_s, kind, number, event))

    def _try(self, event: _Event, now_s: float) -> None:
        if run := self.function.start(now_s):
            event.started_s = now_s
            duration_s, event.times_out = run
            return self._add(now_s + duration_s, END, event)
        self.waited += not event.throttles and not event.errors
        if self._is_stopped:
            return self._drop(event, now_s)
        wait_s = min(self._max_backoff_s, self._min_backoff_s * 2.0 ** min(event.throttles, 60))
        event.throttles += 1
        return self._retry(event, now_s, now_s + wait_s)

    def _end(self, event: _Event, now_s: float) -> None:
        """End a run. A timeout is an error: Lambda retries an error only a few times."""
        self.function.finish(now_s, event.started_s)
        if not event.times_out:
            self.completed += 1
            self.latency_s.add(now_s - event.origin_s)
            return self.inside.leave(now_s, event.accepted_s)
        self.waited += not event.throttles and not event.errors
        if event.errors >= len(self._error_waits_s):
            return self._drop(event, now_s)
        event.errors += 1
        return self._retry(event, now_s, now_s + self._error_waits_s[event.errors - 1])

    def _retry(self, event: _Event, now_s: float, at_s: float) -> None:
        if at_s - event.accepted_s > self._max_age_s:
            return self._drop(event, now_s)
        return self._add(at_s, ATTEMPT, event)

    def _drop(self, event: _Event, now_s: float) -> None:
        self.dropped += 1
        self.inside.leave(now_s, event.accepted_s)

    def started_s(self) -> Iterator[float]:
        """Yield the starts of the current runs."""
        return (event.started_s for _, kind, _, event in self._moments if kind == END)

    def snapshot(self) -> Counters:
        counts = {"accepted": self.accepted, "completed": self.completed, "dropped": self.dropped}
        return {**counts, "waited": self.waited}

    def verify(self, now_s: float) -> None:
        name = f"asynchronous events of {self.function.name}"
        accepted_s = [event.accepted_s for _, kind, _, event in self._moments if kind != ARRIVAL]
        check_conservation(
            name, self.accepted, completed=self.completed, dropped=self.dropped, in_progress=len(accepted_s)
        )
        self.inside.verify(name, now_s, accepted_s)
