"""What a run is measured with: histograms in bounded memory, and the check of Little's law to the last event."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

Counters = dict[str, float]
"""Cumulative numbers of one stage at one moment; what happened between two moments is their difference."""

LITTLE_TOLERANCE = 1e-8
"""Relative; a run adds up to some 10^7 numbers, each rounded to 1 part in 10^16."""

BINS_PER_OCTAVE = 128

ZERO = -1_000_000
"""The bin of 0, below those of all other numbers."""


class SimulationBug(Exception):
    """The simulator contradicts itself: never the user's fault, so it keeps its traceback."""


class Histogram:
    """Counts of positive values in bins of equal ratio, each at most 0.8 % wide; its size does not grow with use."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: defaultdict[int, int] = defaultdict(int, counts or {})

    def add(self, value: float) -> None:
        """Counts a value; 0 or less counts as the smallest."""
        mantissa, exponent = math.frexp(value)
        self.counts[exponent * BINS_PER_OCTAVE + int(mantissa * 256) if value > 0 else ZERO] += 1

    def quantile(self, share: float) -> float | None:
        """The smallest value that at least this share of the counted ones does not exceed; None when there are none.

        It is the middle of a bin, so right within 0.4 %.
        """
        wanted = max(1, math.ceil(share * self.total - 1e-9))
        for position in sorted(self.counts):
            wanted -= self.counts[position]
            if wanted <= 0:
                return _middle(position)
        return None

    @property
    def total(self) -> int:
        """How many values were counted."""
        return sum(self.counts.values())

    @classmethod
    def merged(cls, parts: Iterable[Histogram]) -> Histogram:
        """All counts together."""
        whole = cls()
        for part in parts:
            for position, count in part.counts.items():
                whole.counts[position] += count
        return whole


class Occupancy:
    """How many are inside a stage, integrated over time, beside the time that each one spent there.

    `area_s` comes from the number inside alone, `sojourn_s` from each one's own entry and exit. Little's law says
    that they agree at any moment, once the time so far of those still inside is added.
    """

    __slots__ = ("area_s", "inside", "last_s", "sojourn_s")

    def __init__(self, start_s: float) -> None:
        self.inside = 0
        self.area_s = self.sojourn_s = 0.0
        self.last_s = start_s

    def enter(self, now_s: float) -> int:
        """One more from now on: how many that makes."""
        inside = self.inside
        self.area_s += inside * (now_s - self.last_s)
        self.last_s = now_s
        self.inside = inside = inside + 1
        return inside

    def leave(self, now_s: float, entered_s: float) -> None:
        """One less from now on: the one that came at `entered_s`."""
        inside = self.inside
        self.area_s += inside * (now_s - self.last_s)
        self.last_s = now_s
        self.inside = inside - 1
        self.sojourn_s += now_s - entered_s

    def area_until(self, now_s: float) -> float:
        """The integral of the number inside, from the start to now."""
        return self.area_s + self.inside * (now_s - self.last_s)

    def verify(self, stage: str, now_s: float, entered_s: Iterable[float]) -> None:
        """Checks Little's law, given when those still inside came in. Raises SimulationBug where it does not hold."""
        ages_s = [now_s - entry_s for entry_s in entered_s]
        if len(ages_s) != self.inside:
            raise SimulationBug(f"{stage}: {self.inside} counted inside, {len(ages_s)} found there")
        area_s, sojourn_s = self.area_until(now_s), self.sojourn_s + math.fsum(ages_s)
        if not math.isclose(area_s, sojourn_s, rel_tol=LITTLE_TOLERANCE, abs_tol=1e-6):
            raise SimulationBug(f"{stage}: Little's law: {area_s!r} s inside against {sojourn_s!r} s spent there")


def conserve(stage: str, came: float, **went: float) -> None:
    """Checks that whatever came is accounted for. Raises SimulationBug where it is not."""
    if came != sum(went.values()):
        shown = ", ".join(f"{name} {count}" for name, count in went.items())
        raise SimulationBug(f"{stage}: {came} came, but {shown}")


def _middle(position: int) -> float:
    if position == ZERO:
        return 0.0
    exponent, step = divmod(position - BINS_PER_OCTAVE, BINS_PER_OCTAVE)
    return math.ldexp((step + BINS_PER_OCTAVE + 0.5) / 256, exponent)
