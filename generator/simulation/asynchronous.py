"""Lambda's queue of asynchronous events (SNS, schedules): a throttled event waits and is tried again."""

from __future__ import annotations

from collections.abc import Iterator

from generator.simulation.assumptions import Assumptions
from generator.simulation.function import LambdaFunction
from generator.simulation.kernel import Kernel
from generator.simulation.measures import Counters, Histogram, Occupancy, conserve


class Event:
    """One event: when its webhook arrived, when the queue took it, and how often it has been throttled or failed."""

    __slots__ = ("accepted_s", "errors", "origin_s", "throttles")

    def __init__(self, origin_s: float, accepted_s: float) -> None:
        self.origin_s, self.accepted_s = origin_s, accepted_s
        self.throttles = self.errors = 0


class AsynchronousQueue:
    """Tries each event at once; after a throttle again in 1 s, 2 s, and so on to 5 min, until it is too old.

    Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation". That
    a long queue is read more slowly is said there without figures, and is left out.
    """

    def __init__(
        self,
        kernel: Kernel,
        function: LambdaFunction,
        max_age_s: float,
        max_retries: int,
        assumptions: Assumptions,
    ) -> None:
        self._kernel, self._function, self._max_age_s = kernel, function, max_age_s
        self._first_s, self._longest_s = assumptions.asynchronous_backoff_s
        self._error_waits_s = assumptions.asynchronous_error_waits_s[:max_retries]
        self.accepted = self.completed = self.dropped = self.waited = 0
        self.inside = Occupancy(kernel.now)
        self.latency_s = Histogram()

    @property
    def name(self) -> str:
        """What to call this stage."""
        return f"asynchronous events of {self._function.name}"

    def accept(self, origin_s: float) -> None:
        """Takes an event; it is never refused."""
        now_s = self._kernel.now
        self.accepted += 1
        self.inside.enter(now_s)
        self._try(Event(origin_s, now_s))

    def accept_every(self, period_s: float, first_s: float) -> None:
        """Takes an event at once every period: a schedule."""

        def due(_: None) -> None:
            self.accept(self._kernel.now)
            self._kernel.at(self._kernel.now + period_s, due)

        self._kernel.at(first_s, due)

    def _try(self, event: Event) -> None:
        if self._function.invoke(self._done, self._failed, event) is not None:
            return
        self.waited += not event.throttles and not event.errors
        wait_s = min(self._longest_s, self._first_s * 2.0 ** min(event.throttles, 60))
        event.throttles += 1
        self._again(event, wait_s)

    def _failed(self, event: Event) -> None:
        """A run was cut at its timeout: an error, which is tried again a few times only."""
        self.waited += not event.throttles and not event.errors
        if event.errors >= len(self._error_waits_s):
            return self._leave(event, dropped=True)
        event.errors += 1
        return self._again(event, self._error_waits_s[event.errors - 1])

    def _again(self, event: Event, wait_s: float) -> None:
        at_s = self._kernel.now + wait_s
        if at_s - event.accepted_s > self._max_age_s:
            return self._leave(event, dropped=True)
        return self._kernel.at(at_s, self._try, event)

    def _done(self, event: Event) -> None:
        self.latency_s.add(self._kernel.now - event.origin_s)
        self._leave(event, dropped=False)

    def _leave(self, event: Event, dropped: bool) -> None:
        self.dropped += dropped
        self.completed += not dropped
        self.inside.leave(self._kernel.now, event.accepted_s)

    def snapshot(self, now_s: float) -> Counters:
        """What happened until now."""
        counts = {"accepted": self.accepted, "completed": self.completed, "dropped": self.dropped}
        return {**counts, "waited": self.waited}

    def verify(self) -> None:
        """Checks conservation and Little's law. Raises SimulationBug."""
        entered_s = [event.accepted_s for event in self._under_way()]
        under_way = len(entered_s)
        conserve(self.name, self.accepted, completed=self.completed, dropped=self.dropped, under_way=under_way)
        self.inside.verify(self.name, self._kernel.now, entered_s)

    def _under_way(self) -> Iterator[Event]:
        yield from self._kernel.pending(self._try)
        for argument, done in self._function.under_way():
            if done in (self._done, self._failed):
                yield argument
