"""API Gateway in front of a function, and the senders in front of it, who retry refused webhooks."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from generator.aws import API_GATEWAY_TIMEOUT_MS
from generator.simulation.functions import LambdaFunction
from generator.simulation.kernel import TokenBucket
from generator.simulation.measures import Counters, Histogram, check_conservation
from generator.simulation.topology import Refusal

STANDARD_WEBHOOKS_RETRIES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Waits before each new attempt. Source: Standard Webhooks specification, "Deliverability and reliability"."""

TIMEOUT_S = API_GATEWAY_TIMEOUT_MS / 1000

Output = Callable[[float], None]
"""A receiver of a stage's output. It takes the time at which the webhook that caused it was first sent."""

Request = tuple[float, float, int]
"""Arrival of a request and first attempt of its sender, both in seconds, and the number of the attempt, from 0."""


@dataclass(frozen=True, slots=True)
class Senders:
    """The waits of senders before each new attempt. `jitter` is the share by which a wait may be longer at random.

    `retry_after_s` has the Retry-After headers of the refusals that carry one. Senders wait at least that long.
    """

    waits_s: Sequence[float] = STANDARD_WEBHOOKS_RETRIES_S
    jitter: float = 0.0
    retry_after_s: Mapping[Refusal, float] = field(default_factory=dict)


class Quota:
    """The requests that a usage plan allows in a period. The first period begins with the run."""

    __slots__ = ("_left", "_limit", "_period_s", "_until_s")

    def __init__(self, limit: int, period_s: float, start_s: float) -> None:
        self._left = self._limit = limit
        self._period_s, self._until_s = period_s, start_s + period_s

    def take(self, now_s: float) -> bool:
        """Use one request of the current period and return True, or return False if none is left."""
        while now_s >= self._until_s:
            self._until_s += self._period_s
            self._left = self._limit
        if self._left <= 0:
            return False
        self._left -= 1
        return True


Limit = tuple[str, TokenBucket | Quota]
"""A limit with the name to report, in the order in which API Gateway applies them: usage plan, stage, account.
Source: Amazon API Gateway Developer Guide, "Throttle requests to your REST APIs"."""


class Gateway:
    """Applies the limits to each request, then invokes the function. A refusal goes back to the sender.

    A throttle by Lambda reaches the sender as a server error, and API Gateway does not retry. Source: AWS Lambda
    Developer Guide, "Handling Lambda errors with an API Gateway API".
    """

    def __init__(
        self,
        function: LambdaFunction,
        limits: Sequence[Limit],
        outputs: Sequence[Output],
        senders: Senders,
        random: Random,
    ) -> None:
        self._kernel, self._function, self._limits, self._outputs = function.kernel, function, limits, outputs
        self._senders, self._random = senders, random
        self.offered = self.accepted = self.failed = self.late = self.throttled_at_lambda = 0
        self.refusals: Counter[str] = Counter()
        self.latency_s = Histogram()

    @property
    def throttled(self) -> int:
        """The number of requests refused by API Gateway or by Lambda."""
        return sum(self.refusals.values()) + self.throttled_at_lambda

    def feed(self, times_s: Iterator[float]) -> None:
        """Offer a webhook at each of these times, which must ascend. Only the next one waits in the kernel."""
        kernel = self._kernel

        def arrive(_: None) -> None:
            self._offer((kernel.now, 0))
            kernel.at(next(times_s, math.inf), arrive)

        kernel.at(next(times_s, math.inf), arrive)

    def _offer(self, sent: tuple[float, int]) -> None:
        """Handle one attempt, given the time of the first attempt and the number of refusals since."""
        origin_s, attempt = sent
        self.offered += 1
        now_s = self._kernel.now
        for name, limit in self._limits:
            if not limit.take(now_s):
                self.refusals[name] += 1
                kind = Refusal.QUOTA_EXCEEDED if isinstance(limit, Quota) else Refusal.THROTTLED
                return self._refused(kind, origin_s, attempt)
        if self._function.invoke_synchronously(self._answer, self._timed_out, (now_s, origin_s, attempt)) is None:
            self.throttled_at_lambda += 1
            self._refused(Refusal.INTEGRATION_FAILURE, origin_s, attempt)
        return None

    def _answer(self, request: Request) -> None:
        """Handle the end of a run. The sender gets an answer only if the run was short enough."""
        arrived_s, origin_s, _ = request
        latency_s = self._kernel.now - arrived_s
        if latency_s > TIMEOUT_S:
            self.late += 1
            self._timed_out(request)
        else:
            self.accepted += 1
            self.latency_s.add(latency_s)
        for output in self._outputs:
            output(origin_s)

    def _timed_out(self, request: Request) -> None:
        self.failed += 1
        arrived_s, origin_s, attempt = request
        is_late = self._kernel.now - arrived_s > TIMEOUT_S
        kind = Refusal.INTEGRATION_TIMEOUT if is_late else Refusal.INTEGRATION_FAILURE
        self._refused(kind, origin_s, attempt)

    def _refused(self, kind: Refusal, origin_s: float, attempt: int) -> None:
        senders = self._senders
        if attempt < len(senders.waits_s):
            least_s = max(senders.waits_s[attempt], senders.retry_after_s.get(kind, 0.0))
            wait_s = least_s * (1 + senders.jitter * self._random.random())
            self._kernel.at(self._kernel.now + wait_s, self._offer, (origin_s, attempt + 1))

    def snapshot(self, now_s: float) -> Counters:
        return {
            "offered": self.offered,
            "accepted": self.accepted,
            "failed": self.failed,
            "answered_too_late": self.late,
            "throttled_at_gateway": sum(self.refusals.values()),
            "throttled_at_lambda": self.throttled_at_lambda,
            **{f"throttled by {name}": self.refusals[name] for name, _ in self._limits},
        }

    def verify(self) -> None:
        running = len(self._function.running_for(self._answer, self._timed_out))
        left = {"accepted": self.accepted, "failed": self.failed, "throttled": self.throttled, "running": running}
        check_conservation("webhooks", self.offered, **left)
