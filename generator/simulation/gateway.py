"""API Gateway in front of a function, and the senders in front of it, who retry refused webhooks."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush
from operator import add
from random import Random
from typing import NamedTuple

from generator.aws import API_GATEWAY_TIMEOUT_MS
from generator.simulation.functions import LambdaFunction
from generator.simulation.limits import Quota, TokenBucket
from generator.simulation.measures import Counters, Histogram, check_conservation
from generator.simulation.topology.model import Refusal

STANDARD_WEBHOOKS_RETRIES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Waits before each new attempt. Source: Standard Webhooks specification, "Deliverability and reliability"."""

FEW = 10
"""Up to this many webhooks are handled faster one by one."""

RATE_AND_BURST = "rate and burst"
"""The limits of a usage plan or a stage. A generated template derives both from ProcessWebhook's reservation."""

TIMEOUT_S = API_GATEWAY_TIMEOUT_MS / 1000


Output = Callable[[Sequence[float], Mapping[float, float]], None]
"""Takes the prices that a function has handled, by their times in order, and the time at which each was first sent."""


class RequestRun(NamedTuple):
    """A run for a request. Senders count their attempts from 0; `origin_s` is the time of the first one."""

    end_s: float
    arrived_s: float
    origin_s: float
    attempt: int
    times_out: bool

    @property
    def is_late(self) -> bool:
        """Return whether API Gateway stops waiting for the answer."""
        return self.end_s - self.arrived_s > TIMEOUT_S


Limit = tuple[str, TokenBucket | Quota]
"""A limit with the name to report, in the order in which API Gateway applies them: usage plan, stage, account.
Source: Amazon API Gateway Developer Guide, "Throttle requests to your REST APIs"."""


class Gateway:
    """Applies the limits to each request, then invokes the function. A refusal goes back to the sender.

    A throttle by Lambda reaches the sender as a server error, and API Gateway does not retry. Source: AWS Lambda
    Developer Guide, "Handling Lambda errors with an API Gateway API".

    Requests that are neither refused nor late and meet only warm instances are handled together, which takes a fraction
    of the time; all others one by one. The result is the same.

    `poisson_per_s` is the rate of first attempts at a time if they come as a Poisson process. Then the time without a
    free execution gives the expected number of first attempts that Lambda throttles, `first_expected`, which varies
    less than their count, `first_throttled`. Source: R. W. Wolff, "Poisson arrivals see time averages", 1982.

    Senders wait for `waits_s` before each new attempt, longer at random by up to the share `jitter`, and at least as
    long as `retry_after_s` states for the refusal.
    """

    def __init__(
        self,
        function: LambdaFunction,
        limits: Sequence[Limit],
        outputs: Sequence[Output],
        random: Random,
        *,
        waits_s: Sequence[float] = STANDARD_WEBHOOKS_RETRIES_S,
        jitter: float = 0.0,
        retry_after_s: Mapping[Refusal, float] | None = None,
        poisson_per_s: Callable[[float], float] | None = None,
        one_by_one: bool = False,
    ) -> None:
        self.function, self._outputs = function, outputs
        self._names = [name for name, _ in limits]
        self._limits = list(_effective(limits))
        buckets = [limit for _, limit in self._limits if isinstance(limit, TokenBucket)]
        rate = function.request_rate
        self._rates = [rate] if rate and not any(bucket.covers(rate) for bucket in buckets) else []
        self._random, self._waits_s, self._jitter = random, waits_s, jitter
        self._retry_after_s = retry_after_s or {}
        self._poisson_per_s = None if one_by_one else poisson_per_s
        self.one_by_one = one_by_one
        self._blocks: Iterator[Sequence[float]] = iter(())
        self._block: Sequence[float] = ()
        self._position = 0
        self._runs: list[RequestRun] = []
        self._retries: list[tuple[float, float, int]] = []
        self._written_s: list[float] = []
        self._origin_s: dict[float, float] = {}
        self.offered = self.accepted = self.failed = self.late = self.throttled_at_lambda = 0
        self.first_throttled = self.full_periods = 0
        self.first_expected = 0.0
        self.refusals: Counter[str] = Counter()
        self.latency_s = Histogram()

    @property
    def throttled(self) -> int:
        """The number of requests refused by API Gateway or by Lambda."""
        return sum(self.refusals.values()) + self.throttled_at_lambda

    def feed(self, blocks: Iterator[Sequence[float]]) -> None:
        """Offer a webhook at each of these times, which must ascend. They come in blocks of at least one."""
        self._blocks = blocks
        self._load()

    def _load(self) -> None:
        if self._position == len(self._block):
            self._block, self._position = next(self._blocks, ()), 0

    @property
    def next_s(self) -> float:
        """The time of the next event."""
        first_s = self._block[self._position] if self._position < len(self._block) else math.inf
        retry_s = self._retries[0][0] if self._retries else math.inf
        return min(first_s, retry_s, self._runs[0].end_s if self._runs else math.inf)

    def run(self, until_s: float) -> float:
        """Handle everything up to `until_s`, or to the end of the current block if that is earlier; return the time."""
        last = bisect_right(self._block, until_s, self._position)
        times_s = self._block[self._position : last]
        if times_s and last == len(self._block):
            until_s = times_s[-1]
        self._run(times_s, until_s)
        self._position = last
        self._load()
        return until_s

    def _run(self, times_s: Sequence[float], until_s: float) -> None:
        """Handle the requests together, or if that is impossible in two halves, and few one by one."""
        if self.one_by_one or len(times_s) < FEW:
            self._run_singly(times_s, until_s)
        elif not self._run_together(times_s, until_s):
            middle = len(times_s) // 2
            self._run(times_s[:middle], times_s[middle - 1])
            self._run(times_s[middle:], until_s)
        self.function.running.advance(until_s)

    def _run_together(self, times_s: Sequence[float], until_s: float) -> bool:
        """Handle all requests at once if that gives the same result, else return False and change nothing."""
        function, runs = self.function, self._runs
        if (self._retries and self._retries[0][0] <= until_s) or any(run.times_out or run.is_late for run in runs):
            return False
        durations_s = function.draw_s.peek(len(times_s))
        limits = [*(limit for _, limit in self._limits), *self._rates]
        states = [limit.after(times_s) for limit in limits]
        if None in states or max(durations_s, default=0.0) >= min(function.timeout_s, TIMEOUT_S):
            return False
        own_ends_s = list(map(add, times_s, durations_s))
        ends_s = sorted([*(run.end_s for run in runs), *own_ends_s])
        if not function.run_together(times_s, ends_s, until_s):
            return False
        for limit, state in zip(limits, states, strict=True):
            if state is not None:
                limit.restore(state)
        function.draw_s.skip(len(times_s))
        done = bisect_right(ends_s, until_s)
        self.offered += len(times_s)
        self.accepted += done
        self.latency_s.add_all(durations_s)
        origin_s = dict(zip(own_ends_s, times_s, strict=True))
        started = {run.end_s: run for run in runs}
        self._runs = [
            started.get(end_s) or RequestRun(end_s, origin_s[end_s], origin_s[end_s], 0, False)
            for end_s in ends_s[done:]
        ]
        # The time that the finished runs took is that of all runs less that of the current ones.
        span_s = math.fsum(durations_s) + math.fsum(run.end_s - run.arrived_s for run in runs)
        function.running.sojourn_s += span_s - math.fsum(run.end_s - run.arrived_s for run in self._runs)
        origin_s.update((run.end_s, run.origin_s) for run in runs)
        self._pass_on(ends_s[:done], origin_s)
        return True

    def _run_singly(self, times_s: Sequence[float], until_s: float) -> None:
        """Handle one event after the other."""
        runs, retries, pool = self._runs, self._retries, self.function.pool
        firsts_s = iter(times_s)
        first_s, since_s = next(firsts_s, math.inf), self.function.running.last_s
        while True:
            now_s = retries[0][0] if retries and retries[0][0] < first_s else first_s
            is_end = bool(runs) and runs[0].end_s <= now_s
            if is_end:
                now_s = runs[0].end_s
            if not pool.free:
                self._expect_throttles(since_s, min(now_s, until_s))
            if now_s > until_s:
                break
            since_s = now_s
            if is_end:
                self._end(heappop(runs))
            elif now_s == first_s:
                self._offer(now_s, now_s, 0)
                first_s = next(firsts_s, math.inf)
            else:
                self._offer(*heappop(retries))
        self._pass_on(self._written_s, self._origin_s)
        self._written_s, self._origin_s = [], {}

    def _pass_on(self, written_s: Sequence[float], origin_s: Mapping[float, float]) -> None:
        if written_s:
            for output in self._outputs:
                output(written_s, origin_s)

    def _offer(self, now_s: float, origin_s: float, attempt: int) -> None:
        """Handle one attempt, given the time of the first attempt and the number of refusals since."""
        self.offered += 1
        for name, limit in self._limits:
            if not limit.take(now_s):
                self.refusals[name] += 1
                kind = Refusal.QUOTA_EXCEEDED if isinstance(limit, Quota) else Refusal.THROTTLED
                return self._refuse(kind, now_s, origin_s, attempt)
        is_full = not self.function.pool.free
        if run := self.function.start_synchronously(now_s):
            duration_s, times_out = run
            heappush(self._runs, RequestRun(now_s + duration_s, now_s, origin_s, attempt, times_out))
            self.full_periods += not self.function.pool.free
            if not times_out and duration_s <= TIMEOUT_S:
                self.latency_s.add(duration_s)
            return None
        self.throttled_at_lambda += 1
        self.first_throttled += is_full and not attempt
        return self._refuse(Refusal.INTEGRATION_FAILURE, now_s, origin_s, attempt)

    def _expect_throttles(self, since_s: float, now_s: float) -> None:
        """Add the first attempts that are expected, and would be throttled, in a time without a free execution."""
        if self._poisson_per_s:
            admitted_s = max([since_s, *(limit.admits_from() for _, limit in self._limits)])
            if admitted_s < now_s:
                self.first_expected += self._poisson_per_s((admitted_s + now_s) / 2) * (now_s - admitted_s)

    def _end(self, run: RequestRun) -> None:
        """End a run. The sender gets an answer only if the run was short enough."""
        self.function.finish(run.end_s, run.arrived_s)
        if run.is_late or run.times_out:
            self.failed += 1
            kind = Refusal.INTEGRATION_TIMEOUT if run.is_late else Refusal.INTEGRATION_FAILURE
            self._refuse(kind, run.end_s, run.origin_s, run.attempt)
        else:
            self.accepted += 1
        if not run.times_out:
            self.late += run.is_late
            self._written_s.append(run.end_s)
            self._origin_s[run.end_s] = run.origin_s

    def _refuse(self, kind: Refusal, now_s: float, origin_s: float, attempt: int) -> None:
        if attempt < len(self._waits_s):
            least_s = max(self._waits_s[attempt], self._retry_after_s.get(kind, 0.0))
            wait_s = least_s * (1 + self._jitter * self._random.random())
            heappush(self._retries, (now_s + wait_s, origin_s, attempt + 1))

    def started_s(self) -> Iterator[float]:
        """Yield the starts of the current runs."""
        return (run.arrived_s for run in self._runs)

    def snapshot(self) -> Counters:
        return {
            "offered": self.offered,
            "accepted": self.accepted,
            "failed": self.failed,
            "answered_too_late": self.late,
            "throttled_at_gateway": sum(self.refusals.values()),
            "throttled_at_lambda": self.throttled_at_lambda,
            "first_throttled": self.first_throttled,
            "first_expected": self.first_expected,
            "full_periods": self.full_periods if self._poisson_per_s else 0,
            **{f"throttled by {name}": self.refusals[name] for name in self._names},
        }

    def verify(self, now_s: float) -> None:
        left = {"accepted": self.accepted, "failed": self.failed, "throttled": self.throttled}
        check_conservation("webhooks", self.offered, **left, running=len(self._runs))


def _effective(limits: Sequence[Limit]) -> Iterator[Limit]:
    """Yield the limits that can refuse a request: not those that admit everything that an earlier one admits."""
    buckets: list[TokenBucket] = []
    for name, limit in limits:
        if isinstance(limit, Quota):
            yield name, limit
        elif not any(bucket.covers(limit) for bucket in buckets):
            buckets.append(limit)
            yield name, limit
