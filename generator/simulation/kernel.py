"""The core of the simulation: virtual time, and the two limits that everything else is built on.

The clock moves only between events, and events of the same time run in the order in which they were added. Nothing
here draws random numbers or knows what is simulated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

Action = Callable[[Any], None]


class Kernel:
    """A clock and a heap of events. Each event calls an action with one argument. `now` is in seconds.

    The heap holds (time, number, action, argument). Events of the same time run in the order of their numbers, and the
    heap never compares two actions, which have no order.
    """

    __slots__ = ("_heap", "_number", "now")

    def __init__(self, start_s: float = 0.0) -> None:
        self.now = start_s
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._number = 0

    def at(self, time_s: float, action: Action, argument: Any = None) -> None:
        """Call `action(argument)` when the clock reaches `time_s`. Raises ValueError if that is in the past."""
        if not time_s >= self.now:
            raise ValueError(f"an event at {time_s} s is in the past: it is {self.now} s")
        self._number = number = self._number + 1
        heappush(self._heap, (time_s, number, action, argument))

    def run(self, until_s: float) -> None:
        """Run every event up to and including `until_s`, then set the clock to it."""
        heap, pop = self._heap, heappop
        while heap and heap[0][0] <= until_s:
            self.now, _, action, argument = pop(heap)
            action(argument)
        self.now = until_s

    def pending(self, action: Action) -> Iterator[Any]:
        """Yield the arguments of all future events of an action."""
        return (entry[3] for entry in self._heap if entry[2] == action)


class TokenBucket:
    """A limit of `rate_per_s` on average and `burst` at once. It starts full; a rate of 0 admits nothing.

    The state is one number, the time at which the bucket would be full again. This is the generic cell rate algorithm
    (ITU-T I.371), equivalent to counting tokens and refilling them continuously.
    """

    __slots__ = ("_full_at_s", "_interval_s", "_tolerance_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        if not (rate_per_s >= 0 and burst >= 0):
            raise ValueError(f"a bucket needs a rate and a burst of 0 or more, got {rate_per_s} and {burst}")
        self._interval_s = 1 / rate_per_s if rate_per_s else math.inf
        # One part in 10^9 more, so that rounding does not withhold a token that is due now.
        self._tolerance_s = burst / rate_per_s * (1 + 1e-9) if rate_per_s else 0.0
        self._full_at_s = float("-inf")

    def take(self, now_s: float) -> bool:
        """Take one token and return True, or return False if there is none."""
        full_at_s = (self._full_at_s if self._full_at_s > now_s else now_s) + self._interval_s
        if full_at_s - now_s > self._tolerance_s:
            return False
        self._full_at_s = full_at_s
        return True


class Pool:
    """A limit on executions at once: one function's reservation, or the account's shared concurrency.

    Each execution takes one of `free` and gives it back; `free` stays between 0 and `size`.
    """

    __slots__ = ("free", "size")

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"a pool must not be negative, got {size}")
        self.size = self.free = size
