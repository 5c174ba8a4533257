"""Measurements of one run: counters, histograms in bounded memory, and the checks of conservation and Little's law."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import rshift

Counters = dict[str, float]
"""Cumulative numbers of one stage at one moment. Their difference is what happened between two moments."""

LITTLE_TOLERANCE = 1e-8
"""Relative. A run adds up about 10^7 numbers, each rounded to 1 part in 10^16."""

BIN_BITS = 45
"""The bits of a number that its bin leaves out: 7 of the mantissa remain, so 128 bins for each factor of two."""

PENDING = 4096
"""Values that wait to be counted together."""


class SimulationBug(Exception):
    """The simulator contradicts itself. This is never the user's fault, so the traceback is kept."""


class Histogram:
    """Counts of positive values in bins of equal ratio, each at most 0.8 % wide, in bounded memory.

    A bin is the upper bits of the number as a computer stores it: exponent and first bits of the mantissa.
    """

    __slots__ = ("_counts", "_pending")

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._pending: list[float] = []

    def add(self, value: float) -> None:
        """Count a value; less than 0 counts as 0."""
        self._pending.append(value if value > 0 else 0.0)
        if len(self._pending) > PENDING:
            self._count_pending()

    def add_all(self, values: Sequence[float]) -> None:
        """Count values of 0 or more."""
        self._pending += values
        if len(self._pending) > PENDING:
            self._count_pending()

    @property
    def counts(self) -> Counter[int]:
        """The number of values in each bin."""
        self._count_pending()
        return self._counts

    def _count_pending(self) -> None:
        if self._pending:
            self._counts.update(_bins(self._pending))
            self._pending = []

    def quantile(self, share: float) -> float | None:
        """Return the smallest value that at least this share of the counted values does not exceed.

        It is the middle of a bin and correct within 0.4 %. None if nothing was counted.
        """
        wanted = max(1, math.ceil(share * self.total - 1e-9))
        counts = self.counts
        for position in sorted(counts):
            wanted -= counts[position]
            if wanted <= 0:
                low, high = array("d", array("Q", [position << BIN_BITS, (position + 1) << BIN_BITS]).tobytes())
                return (low + high) / 2 if position else 0.0
        return None

    def at_least(self, value: float) -> int:
        """Return how many of the counted values are at least that high; exact if a bin begins there, such as at 3."""
        (first,) = _bins([value])
        return sum(count for position, count in self.counts.items() if position >= first)

    @property
    def total(self) -> int:
        return self.counts.total()

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        whole = cls()
        for part in parts:
            whole._counts.update(part.counts)
        return whole


class Occupancy:
    """The number of items inside a stage, integrated over time, and separately the time that each item spent there.

    `area_s` comes from entries and exits, `sojourn_s` from the time between each item's own entry and exit. By Little's
    law they are equal at any moment, once the time so far of the items still inside is added. Entries and exits may be
    added in any order; `advance` moves the time up to which they are complete.
    """

    __slots__ = ("area_s", "inside", "last_s", "sojourn_s")

    def __init__(self, start_s: float) -> None:
        self.inside = 0
        self.area_s = self.sojourn_s = 0.0
        self.last_s = start_s

    def enter(self, now_s: float) -> int:
        """Add an item and return the new number inside."""
        self.area_s -= now_s - self.last_s
        self.inside = inside = self.inside + 1
        return inside

    def leave(self, now_s: float, entered_s: float) -> None:
        """Remove the item that entered at `entered_s`."""
        self.area_s += now_s - self.last_s
        self.inside -= 1
        self.sojourn_s += now_s - entered_s

    def enter_all(self, times_s: Sequence[float]) -> None:
        """Add an item at each of these times."""
        self.area_s -= math.fsum(times_s) - len(times_s) * self.last_s
        self.inside += len(times_s)

    def leave_all(self, times_s: Sequence[float]) -> None:
        """Remove an item at each of these times. The caller adds the time that they spent inside to `sojourn_s`."""
        self.area_s += math.fsum(times_s) - len(times_s) * self.last_s
        self.inside -= len(times_s)

    def leave_at_once(self, now_s: float, entered_s: Sequence[float]) -> None:
        """Remove the items that entered at these times."""
        count = len(entered_s)
        self.area_s += count * (now_s - self.last_s)
        self.inside -= count
        self.sojourn_s += count * now_s - math.fsum(entered_s)

    def advance(self, now_s: float) -> None:
        """Integrate up to now."""
        self.area_s += self.inside * (now_s - self.last_s)
        self.last_s = now_s

    def area_until(self, now_s: float) -> float:
        """Return the integral of the number inside, from the start to now."""
        return self.area_s + self.inside * (now_s - self.last_s)

    def verify(self, stage: str, now_s: float, entered_s: Iterable[float]) -> None:
        """Check Little's law, given the entry times of the items still inside. Raises SimulationBug."""
        ages_s = [now_s - entry_s for entry_s in entered_s]
        if len(ages_s) != self.inside:
            raise SimulationBug(f"{stage}: {self.inside} counted inside, {len(ages_s)} found")
        area_s, sojourn_s = self.area_until(now_s), self.sojourn_s + math.fsum(ages_s)
        if not math.isclose(area_s, sojourn_s, rel_tol=LITTLE_TOLERANCE, abs_tol=1e-6):
            raise SimulationBug(f"{stage}: Little's law is violated: area {area_s!r} s, sojourn {sojourn_s!r} s")


def check_conservation(stage: str, entered: float, **left: float) -> None:
    """Check that everything that entered a stage is accounted for. Raises SimulationBug."""
    if entered != sum(left.values()):
        shown = ", ".join(f"{name} {count}" for name, count in left.items())
        raise SimulationBug(f"{stage}: {entered} entered, but {shown}")


def _bins(values: Sequence[float]) -> Iterator[int]:
    return map(rshift, array("Q", array("d", values).tobytes()), repeat(BIN_BITS))
