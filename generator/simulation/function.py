"""One Lambda function: whom it lets in, how long each run takes, and which execution environments it keeps."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from generator.aws import SCALING_BURST, SCALING_RATE_PER_S
from generator.simulation.kernel import Action, Kernel
from generator.simulation.limits import Pool, TokenBucket
from generator.simulation.measures import Counters, Occupancy, conserve

CONCURRENCY, REQUEST_RATE, SCALING = "concurrency", "request rate", "scaling rate"
"""Why an invocation is throttled: executions at once, requests per second, new environments per second."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long runs take. `draw_s` is one run's duration in a warm environment."""

    draw_s: Callable[[], float]
    cold_start_s: float
    timeout_s: float
    idle_timeout_s: float


class LambdaFunction:
    """Runs what its pool has room for, in the environment that was used last, or else in a new one.

    Invariants: `running.inside` environments are busy and `idle` holds when each of the others fell idle, oldest
    first; the pool's free units and the runs of the functions that share it add up to its size. Which idle
    environment Lambda picks is not documented; the one used last leaves the others to expire.
    """

    __slots__ = (
        "_at",
        "_end",
        "_idle_s",
        "_new_environments",
        "cold_starts",
        "completed",
        "idle",
        "invocations",
        "kernel",
        "name",
        "peak",
        "pool",
        "request_rate",
        "running",
        "throttles",
        "timeouts",
        "timing",
    )

    def __init__(self, name: str, kernel: Kernel, pool: Pool, timing: Timing, request_rate: TokenBucket | None) -> None:
        self.name, self.kernel, self.pool, self.timing, self.request_rate = name, kernel, pool, timing, request_rate
        self.running = Occupancy(kernel.now)
        self.idle: deque[float] = deque()
        self._idle_s = 0.0
        self._new_environments = TokenBucket(SCALING_RATE_PER_S, SCALING_BURST)
        self.invocations = self.completed = self.cold_starts = self.timeouts = self.peak = 0
        self.throttles: Counter[str] = Counter()
        # Looked up once, not for every run.
        self._at, self._end = kernel.at, self._finish

    def invoke_synchronously(self, done: Action, failed: Action, argument: Any) -> float | None:
        """Like `invoke`, within the rate at which Lambda takes synchronous requests.

        Whether a request that finds no free execution counts towards that rate is not documented; here it does not.
        """
        if self.request_rate and self.pool.free and not self.request_rate.take(self.kernel.now):
            self.throttles[REQUEST_RATE] += 1
            return None
        return self.invoke(done, failed, argument)

    def invoke(self, done: Action, failed: Action, argument: Any) -> float | None:
        """Starts a run and returns how long it takes, in seconds; None if it is throttled.

        At its end `done(argument)` is called, or `failed(argument)` if it is cut at its timeout.
        """
        pool, idle, timing, now_s = self.pool, self.idle, self.timing, self.kernel.now
        if not pool.free:
            self.throttles[CONCURRENCY] += 1
            return None
        duration_s = timing.draw_s()
        is_cut = duration_s >= timing.timeout_s
        if is_cut:
            duration_s, done = timing.timeout_s, failed
        if idle and now_s - idle[-1] < timing.idle_timeout_s:
            self._idle_s += now_s - idle.pop()
        elif self._new_environments.take(now_s):
            self._expire_all()
            self.cold_starts += 1
            duration_s += timing.cold_start_s
        else:
            self.throttles[SCALING] += 1
            return None
        self.invocations += 1
        self.timeouts += is_cut
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

    def _expire_all(self) -> None:
        """Nobody asked for the one used last before it expired, so all have expired, each at its own time."""
        self._idle_s += len(self.idle) * self.timing.idle_timeout_s
        self.idle.clear()

    def snapshot(self, now_s: float) -> Counters:
        """What happened until now."""
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
            "environments_s": busy_s + self._idle_s + math.fsum(now_s - since_s for since_s in self.idle),
            **{f"throttles by {reason}": self.throttles[reason] for reason in (CONCURRENCY, REQUEST_RATE, SCALING)},
        }

    def take_peak(self) -> int:
        """The most that ran at once since the last call."""
        peak, self.peak = self.peak, self.running.inside
        return peak

    def under_way(self) -> Iterator[tuple[Any, Action]]:
        """The argument of each run that is going on, and what it will call."""
        return ((argument, done) for _, done, argument in self.kernel.pending(self._finish))

    def verify(self) -> None:
        """Checks conservation and Little's law. Raises SimulationBug."""
        runs = list(self.kernel.pending(self._finish))
        conserve(self.name, self.invocations, completed=self.completed, running=len(runs))
        self.running.verify(self.name, self.kernel.now, (run[0] for run in runs))
