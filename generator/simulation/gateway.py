"""API Gateway in front of a function, and the senders in front of it, who try again when they are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random

from generator.simulation.assumptions import Assumptions
from generator.simulation.function import LambdaFunction
from generator.simulation.kernel import Kernel
from generator.simulation.limits import TokenBucket
from generator.simulation.measures import Counters, Histogram, conserve

Output = Callable[[float], None]
"""Takes what a stage hands on: the time at which the webhook that caused it was first sent."""

Request = tuple[float, float, int]
"""When a request arrived, when its sender first tried, both in seconds, and which attempt it is, from 0."""


class Quota:
    """Requests that a usage plan allows in a period; the first period begins with the run."""

    __slots__ = ("_left", "_limit", "_period_s", "_until_s")

    def __init__(self, limit: int, period_s: float, start_s: float) -> None:
        self._left = self._limit = limit
        self._period_s, self._until_s = period_s, start_s + period_s

    def take(self, now_s: float) -> bool:
        """Uses one request of the period if there is one left."""
        while now_s >= self._until_s:
            self._until_s += self._period_s
            self._left = self._limit
        if self._left <= 0:
            return False
        self._left -= 1
        return True


Limit = tuple[str, TokenBucket | Quota]
"""What refuses a request, by the name to report, in the order in which API Gateway applies it: usage plan, then
stage, then account. Source: Amazon API Gateway Developer Guide, "Throttle requests to your REST APIs"."""


class Gateway:
    """Offers each request to the limits, then to the function; a refusal goes back to its sender.

    A throttle by Lambda reaches the sender as a server error, and API Gateway does not try again. Source: AWS
    Lambda Developer Guide, "Handling Lambda errors with an API Gateway API".
    """

    def __init__(
        self,
        kernel: Kernel,
        function: LambdaFunction,
        limits: Sequence[Limit],
        outputs: Sequence[Output],
        assumptions: Assumptions,
        random: Random,
    ) -> None:
        self._kernel, self._function, self._limits, self._outputs = kernel, function, tuple(limits), tuple(outputs)
        self._waits_s, self._jitter, self._random = assumptions.sender_retries_s, assumptions.sender_jitter, random
        self._longest_s = assumptions.integration_timeout_s
        self.offered = self.accepted = self.failed = self.late = self.throttled_at_lambda = 0
        self.refusals: Counter[str] = Counter()
        self.latency_s = Histogram()

    def feed(self, times_s: Iterator[float]) -> None:
        """Takes webhooks at these times, which do not go back; one event waits in the kernel, not all of them."""
        kernel = self._kernel

        def arrive(_: None) -> None:
            self._offer((kernel.now, 0))
            for time_s in times_s:
                kernel.at(time_s, arrive)
                return

        for time_s in times_s:
            kernel.at(time_s, arrive)
            return

    def _offer(self, tried: tuple[float, int]) -> None:
        """One attempt: when its sender first tried, and how often it has been refused since."""
        origin_s, attempt = tried
        self.offered += 1
        now_s = self._kernel.now
        for name, limit in self._limits:
            if not limit.take(now_s):
                self.refusals[name] += 1
                return self._refused(origin_s, attempt)
        if self._function.invoke_synchronously(self._answer, self._timed_out, (now_s, origin_s, attempt)) is None:
            self.throttled_at_lambda += 1
            self._refused(origin_s, attempt)
        return None

    def _answer(self, request: Request) -> None:
        """The function has done its work; the sender hears of it unless that took too long."""
        arrived_s, origin_s, _ = request
        latency_s = self._kernel.now - arrived_s
        if latency_s > self._longest_s:
            self.late += 1
            self._timed_out(request)
        else:
            self.accepted += 1
            self.latency_s.add(latency_s)
        for output in self._outputs:
            output(origin_s)

    def _timed_out(self, request: Request) -> None:
        self.failed += 1
        self._refused(*request[1:])

    def _refused(self, origin_s: float, attempt: int) -> None:
        if attempt < len(self._waits_s):
            wait_s = self._waits_s[attempt] * (1 + self._jitter * self._random.random())
            self._kernel.at(self._kernel.now + wait_s, self._offer, (origin_s, attempt + 1))

    def snapshot(self, now_s: float) -> Counters:
        """What happened until now."""
        return {
            "offered": self.offered,
            "accepted": self.accepted,
            "failed": self.failed,
            "answered too late": self.late,
            "throttled at gateway": sum(self.refusals.values()),
            "throttled at lambda": self.throttled_at_lambda,
            **{f"throttled by {name}": self.refusals[name] for name, _ in self._limits},
        }

    def verify(self) -> None:
        """Checks that every request is accounted for. Raises SimulationBug."""
        throttled = sum(self.refusals.values()) + self.throttled_at_lambda
        running = sum(done in (self._answer, self._timed_out) for _, done in self._function.under_way())
        went = {"accepted": self.accepted, "failed": self.failed, "throttled": throttled, "running": running}
        conserve("webhooks", self.offered, **went)
