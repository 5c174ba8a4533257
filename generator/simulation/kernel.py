"""Virtual time: a heap of events, each a callback with one argument, run in order of time.

The clock moves only between events, and two events of the same time run in the order in which they were made.
Nothing here draws random numbers or knows what is simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Any

Action = Callable[[Any], None]


class Kernel:
    """A clock and its events. `now` is in seconds and never goes back.

    The heap holds (time, number, action, argument). The number makes ties first come, first served, and keeps
    the comparison from ever reaching the action, which has no order.
    """

    __slots__ = ("_heap", "_number", "now")

    def __init__(self, start_s: float = 0.0) -> None:
        self.now = start_s
        self._heap: list[tuple[float, int, Action, Any]] = []
        self._number = 0

    def at(self, time_s: float, action: Action, argument: Any = None) -> None:
        """Calls `action(argument)` when the clock reaches `time_s`, which must not be in the past (ValueError)."""
        if not time_s >= self.now:
            raise ValueError(f"an event at {time_s} s is in the past: it is {self.now} s")
        self._number = number = self._number + 1
        heappush(self._heap, (time_s, number, action, argument))

    def run(self, until_s: float) -> None:
        """Runs every event up to and including `until_s`, then sets the clock to it."""
        heap, pop = self._heap, heappop
        while heap and heap[0][0] <= until_s:
            self.now, _, action, argument = pop(heap)
            action(argument)
        self.now = until_s

    def pending(self, action: Action) -> Iterator[Any]:
        """The arguments of the events of one action that have not run yet: what is still under way."""
        return (entry[3] for entry in self._heap if entry[2] == action)
