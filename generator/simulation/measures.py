"""Measurements of one run: counters, histograms in bounded memory, and the checks of conservation and Little's law."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

Counters = dict[str, float]
"""Cumulative numbers of one stage at one moment. Their difference is what happened between two moments."""

LITTLE_TOLERANCE = 1e-8
"""Relative. A run adds up about 10^7 numbers, each rounded to 1 part in 10^16."""

BINS_PER_OCTAVE = 128

ZERO_BIN = -1_000_000
"""The bin of 0, below those of all other numbers."""


class SimulationBug(Exception):
    """The simulator contradicts itself. This is never the user's fault, so the traceback is kept."""


class Histogram:
    """Counts of positive values in bins of equal ratio, each at most 0.8 % wide, in bounded memory."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()

    def add(self, value: float) -> None:
        """Count a value; 0 or less counts as 0."""
        self.counts[_bin(value) if value > 0 else ZERO_BIN] += 1

    def quantile(self, share: float) -> float | None:
        """Return the smallest value that at least this share of the counted values does not exceed.

        It is the middle of a bin and correct within 0.4 %. None if nothing was counted.
        """
        wanted = max(1, math.ceil(share * self.total - 1e-9))
        for position in sorted(self.counts):
            wanted -= self.counts[position]
            if wanted <= 0:
                return _bin_middle(position)
        return None

    def at_least(self, value: float) -> int:
        """Return how many of the counted values are at least that high; exact if a bin begins there, such as at 3."""
        first = _bin(value)
        return sum(count for position, count in self.counts.items() if position >= first)

    @property
    def total(self) -> int:
        return self.counts.total()

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        whole = cls()
        for part in parts:
            whole.counts.update(part.counts)
        return whole


class Occupancy:
    """The number of items inside a stage, integrated over time, and separately the time that each item spent there.

    `area_s` comes from the number inside alone, `sojourn_s` from each item's own entry and exit. By Little's law they
    are equal at any moment, once the time so far of the items still inside is added.
    """

    __slots__ = ("area_s", "inside", "last_s", "sojourn_s")

    def __init__(self, start_s: float) -> None:
        self.inside = 0
        self.area_s = self.sojourn_s = 0.0
        self.last_s = start_s

    def enter(self, now_s: float) -> int:
        """Add an item and return the new number inside."""
        inside = self.inside
        self.area_s += inside * (now_s - self.last_s)
        self.last_s = now_s
        self.inside = inside = inside + 1
        return inside

    def leave(self, now_s: float, entered_s: float) -> None:
        """Remove the item that entered at `entered_s`."""
        inside = self.inside
        self.area_s += inside * (now_s - self.last_s)
        self.last_s = now_s
        self.inside = inside - 1
        self.sojourn_s += now_s - entered_s

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


def _bin(value: float) -> int:
    mantissa, exponent = math.frexp(value)
    return exponent * BINS_PER_OCTAVE + int(mantissa * 256)


def _bin_middle(position: int) -> float:
    if position == ZERO_BIN:
        return 0.0
    exponent, step = divmod(position - BINS_PER_OCTAVE, BINS_PER_OCTAVE)
    return math.ldexp((step + BINS_PER_OCTAVE + 0.5) / 256, exponent)
