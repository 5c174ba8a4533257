"""Lambda: one function with its warm instances, and the queue in front of it for asynchronous events."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from generator.aws import ASYNC_ERROR_WAITS_S, ASYNC_THROTTLE_BACKOFF_S, SCALING_BURST, SCALING_RATE_PER_S
from generator.simulation.kernel import Action, Kernel, Pool, TokenBucket
from generator.simulation.measures import Counters, Histogram, Occupancy, check_conservation

CONCURRENCY, REQUEST_RATE, SCALING = "concurrency", "request rate", "scaling rate"
"""The reasons for a throttle: executions at once, requests per second, new instances per second."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long runs take. `draw_s` draws the duration of a run in a warm instance."""

    draw_s: Callable[[], float]
    cold_start_s: float
    timeout_s: float
    idle_timeout_s: float


class LambdaFunction:
    """A function that runs what its pool has room for.

    Each run takes the warm instance that was used last, or starts a new one. AWS does not document which warm
    instance Lambda picks; with this choice the others expire. Invariants: `running.inside` instances are busy, `idle`
    holds the times since which the others have been idle, oldest first, and the pool's free units and the runs of all
    functions that share it add up to its size.
    """

    def __init__(self, name: str, kernel: Kernel, pool: Pool, timing: Timing, request_rate: TokenBucket | None) -> None:
        self.name, self.kernel, self.pool, self.timing, self.request_rate = name, kernel, pool, timing, request_rate
        self.running = Occupancy(kernel.now)
        self.idle: deque[float] = deque()
        self._idle_s = 0.0
        self._new_instances = TokenBucket(SCALING_RATE_PER_S, SCALING_BURST)
        self.invocations = self.completed = self.cold_starts = self.timeouts = self.peak = 0
        self.throttles: Counter[str] = Counter()
        # Bound methods, looked up once and not for every run.
        self._at, self._end = kernel.at, self._finish

    def invoke_synchronously(self, done: Action, failed: Action, argument: Any) -> float | None:
        """Like `invoke`, but within the rate limit of synchronous requests.

        AWS does not document whether a request that finds no free execution counts towards that rate. Here it does
        not.
        """
        if self.request_rate and self.pool.free and not self.request_rate.take(self.kernel.now):
            self.throttles[REQUEST_RATE] += 1
            return None
        return self.invoke(done, failed, argument)

    def invoke(self, done: Action, failed: Action, argument: Any) -> float | None:
        """Start a run and return its duration in seconds, or None if it is throttled.

        The end of the run calls `done(argument)`, or `failed(argument)` if the run reaches its timeout.
        """
        pool, idle, timing, now_s = self.pool, self.idle, self.timing, self.kernel.now
        if not pool.free:
            self.throttles[CONCURRENCY] += 1
            return None
        duration_s = timing.draw_s()
        times_out = duration_s >= timing.timeout_s
        if times_out:
            duration_s, done = timing.timeout_s, failed
        if idle and now_s - idle[-1] < timing.idle_timeout_s:
            self._idle_s += now_s - idle.pop()
        elif self._new_instances.take(now_s):
            # The instance used last has expired, and so have all others, each at its own time.
            self._idle_s += len(idle) * timing.idle_timeout_s
            idle.clear()
            self.cold_starts += 1
            duration_s += timing.cold_start_s
        else:
            self.throttles[SCALING] += 1
            return None
        self.invocations += 1
        self.timeouts += times_out
        pool.free -= 1
        inside = self.running.enter(now_s)
        if inside > self.peak:
            self.peak = inside
        self._at(now_s + duration_s, self._end, (now_s, done, argument))
        return duration_s

    def _finish(self, run: tuple[float, Action, Any]) -> None:
        started_s, done, argument = run
        now_s = self.kernel.now
        self.running.leave(now_s, started_s)
        self.pool.free += 1
        self.idle.append(now_s)
        self.completed += 1
        done(argument)

    def snapshot(self, now_s: float) -> Counters:
        timeout_s = self.timing.idle_timeout_s
        while self.idle and now_s - self.idle[0] >= timeout_s:
            self.idle.popleft()
            self._idle_s += timeout_s
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

    def running_for(self, *actions: Action) -> list[Any]:
        """Return the argument of each current run whose end will call one of the actions."""
        return [argument for _, done, argument in self.kernel.pending(self._finish) if done in actions]

    def verify(self) -> None:
        runs = list(self.kernel.pending(self._finish))
        check_conservation(self.name, self.invocations, completed=self.completed, running=len(runs))
        self.running.verify(self.name, self.kernel.now, (run[0] for run in runs))


class _Event:
    """An asynchronous event, with the number of its throttles and errors so far."""

    __slots__ = ("accepted_s", "errors", "origin_s", "throttles")

    def __init__(self, origin_s: float, accepted_s: float) -> None:
        self.origin_s, self.accepted_s = origin_s, accepted_s
        self.throttles = self.errors = 0


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
        self._kernel, self._function, self._max_age_s = function.kernel, function, max_age_s
        self._is_stopped, (self._min_backoff_s, self._max_backoff_s) = is_stopped, backoff_s
        self._error_waits_s = ASYNC_ERROR_WAITS_S[:max_retries]
        self.accepted = self.completed = self.dropped = self.waited = 0
        self.inside = Occupancy(function.kernel.now)
        self.latency_s = Histogram()

    def accept(self, origin_s: float) -> None:
        """Take an event. `origin_s` is the time at which the webhook behind it was first sent."""
        now_s = self._kernel.now
        self.accepted += 1
        self.inside.enter(now_s)
        self._try(_Event(origin_s, now_s))

    def accept_every(self, period_s: float, first_s: float) -> None:
        """Take an event once in every period, as a schedule sends them."""

        def due(_: None) -> None:
            self.accept(self._kernel.now)
            self._kernel.at(self._kernel.now + period_s, due)

        self._kernel.at(first_s, due)

    def _try(self, event: _Event) -> None:
        if self._function.invoke(self._done, self._failed, event) is not None:
            return None
        self.waited += not event.throttles and not event.errors
        if self._is_stopped:
            return self._leave(event, dropped=True)
        wait_s = min(self._max_backoff_s, self._min_backoff_s * 2.0 ** min(event.throttles, 60))
        event.throttles += 1
        return self._retry(event, wait_s)

    def _failed(self, event: _Event) -> None:
        """Handle a timeout, which is an error: Lambda retries an error only a few times."""
        self.waited += not event.throttles and not event.errors
        if event.errors >= len(self._error_waits_s):
            return self._leave(event, dropped=True)
        event.errors += 1
        return self._retry(event, self._error_waits_s[event.errors - 1])

    def _retry(self, event: _Event, wait_s: float) -> None:
        at_s = self._kernel.now + wait_s
        if at_s - event.accepted_s > self._max_age_s:
            return self._leave(event, dropped=True)
        return self._kernel.at(at_s, self._try, event)

    def _done(self, event: _Event) -> None:
        self.latency_s.add(self._kernel.now - event.origin_s)
        self._leave(event, dropped=False)

    def _leave(self, event: _Event, dropped: bool) -> None:
        self.dropped += dropped
        self.completed += not dropped
        self.inside.leave(self._kernel.now, event.accepted_s)

    def snapshot(self, now_s: float) -> Counters:
        counts = {"accepted": self.accepted, "completed": self.completed, "dropped": self.dropped}
        return {**counts, "waited": self.waited}

    def verify(self) -> None:
        name = f"asynchronous events of {self._function.name}"
        events = [*self._kernel.pending(self._try), *self._function.running_for(self._done, self._failed)]
        accepted_s = [event.accepted_s for event in events]
        check_conservation(
            name, self.accepted, completed=self.completed, dropped=self.dropped, in_progress=len(accepted_s)
        )
        self.inside.verify(name, self._kernel.now, accepted_s)
