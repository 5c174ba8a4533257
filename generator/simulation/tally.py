"""Adds up the webhooks of a recording as it is read: per interval in bounded memory, and the busiest minute."""

from __future__ import annotations

from array import array
from collections import deque

MAX_INTERVALS = 86_400
"""A day of seconds; a longer trace is kept in longer intervals, so that it takes no more memory."""

MINUTE_S = 60.0


class Tally:
    """Counts per interval; when there are too many intervals, pairs are put together.

    `busiest` is the most within any minute that begins with something counted, found before anything is put together.
    """

    __slots__ = ("_minute", "_within", "busiest", "counts", "interval_s")

    def __init__(self, interval_s: float = 1.0) -> None:
        self.interval_s = interval_s
        self.counts = array("q")
        self.busiest = 0
        # What the minute up to now consists of, and its sum.
        self._minute: deque[tuple[float, int]] = deque()
        self._within = 0

    def add(self, offset_s: float, count: int) -> None:
        """Counts so many at this time after the start of the trace, which is not before that of the last call."""
        minute = self._minute
        minute.append((offset_s, count))
        self._within += count
        while minute[0][0] <= offset_s - MINUTE_S:
            self._within -= minute.popleft()[1]
        self.busiest = max(self.busiest, self._within)
        while offset_s >= MAX_INTERVALS * self.interval_s:
            self._halve()
        position = int(offset_s / self.interval_s)
        if position >= len(self.counts):
            self.counts.extend([0] * (position + 1 - len(self.counts)))
        self.counts[position] += count

    def _halve(self) -> None:
        if len(self.counts) % 2:
            self.counts.append(0)
        self.counts = array("q", (a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)))
        self.interval_s *= 2
