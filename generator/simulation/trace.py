"""Recorded traces: count them per interval, keep their times, and derive the rate and the peak factor that they show.

A file may have ten million rows. It is read row by row into counts per interval, so memory stays bounded.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise
from pathlib import Path

from generator._format import counted, duration
from generator.errors import UnreadableTrace
from generator.simulation.trace_formats import MINUTE_S, SAMPLE_ROWS, SORT, Rows, recognise
from generator.simulation.trace_text import fault, lines

MAX_INTERVALS = 86_400
"""One day in seconds. A longer trace is kept in longer intervals, so that it takes no more memory."""

MAX_SPAN_S = 4096.0 * MAX_INTERVALS
"""More than ten years. A longer trace probably mixes seconds and milliseconds."""

MAX_TIMES = 1_000_000
"""Webhooks whose own times are kept: 8 MB. A trace with more is replayed second by second."""

TOLERANCE = 0.05
"""The most that a row of counts may be off its interval, as a share of the distance between rows."""

MAX_REPEATED_GAPS = 10
"""If the same gap occurs more often in a row, no rows are missing, but the distance between rows has changed."""

HOUR_S = 3600.0
"""A shorter recording may miss the peak of an hour, so its peak factor is a weak estimate."""

FEW = 100
"""Below this number of webhooks in the busiest minute, chance adds more than a fifth to a steady rate's peak factor."""

REGULAR, MIN_WINDOWS = 0.05, 20
"""A dispersion below `REGULAR` over this many windows cannot be chance: the lines are evenly spaced."""

WINDOWS_S = (1.0, 10.0, 60.0)
"""Windows of the dispersion."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Webhooks counted in consecutive intervals of equal length, from the first webhook on.

    `busiest` is the highest count within any `window_s`: a minute, or the distance between the rows if they are
    counts and further apart. `busiest_hour` is the highest within an hour; within as many rows as an hour has, at least
    one. Both are exact even if `interval_s` is longer because the trace was too long to keep.
    `times` are the times of the webhooks after the first, empty for counts, for times in whole seconds and for more
    than `MAX_TIMES` webhooks. `dispersion` is the variance over the mean of the counts in windows of 1, 10 and 60 s.
    `is_counted` is whether the rows are counts, and not times.
    """

    interval_s: float
    counts: array[int]
    busiest: int
    busiest_hour: int
    window_s: float = MINUTE_S
    times: array[float] = field(default_factory=lambda: array("d"))
    dispersion: Mapping[float, float] = field(default_factory=dict)
    is_counted: bool = True

    @property
    def duration_s(self) -> float:
        """The time from the start of the first interval to the end of the last."""
        return self.interval_s * len(self.counts)

    @property
    def webhooks_per_hour(self) -> float:
        """The mean rate of the busiest hour, which may begin at any second or row; of all of a shorter trace."""
        return self.busiest_hour / min(_hour_s(self.window_s), self.duration_s) * HOUR_S

    @property
    def peak_per_hour(self) -> float:
        """The rate of the busiest window, which may begin at any second; the mean of a trace shorter than the window.

        A small trace shows too high a peak, which leads to too much concurrency: the busiest of many minutes exceeds
        the mean even for steady traffic. One hour at a constant 100 webhooks a minute shows a peak of about 1.3 times
        the mean, at 10 a minute about 2. A trace shorter than the cycle that matters (a day, a week) may miss the
        busiest minute, which leads to too little.
        """
        return max(self.busiest / min(self.window_s, self.duration_s) * HOUR_S, self.webhooks_per_hour)

    def weaknesses(self) -> list[str]:
        """Return the reasons why the rate or the peak factor of the recording may be wrong."""
        found = []
        if self.window_s > MINUTE_S:
            found.append(
                f"its lines are {self.window_s:g} s apart and hide shorter peaks; the true peak factor may be higher"
            )
        if self.is_counted:
            found.append("counts hide the bursts within their interval")
        elif not self.times:
            many = f"it has more than {MAX_TIMES:,} webhooks, too many to keep their times"
            reason = many if sum(self.counts) > MAX_TIMES else "its times are whole seconds"
            found.append(f"{reason}, so bursts within a second are unknown")
        if self.duration_s < HOUR_S:
            found.append(f"it spans only {duration(self.duration_s)} and may miss the busiest minute of an hour")
        regular = [s for s, value in self.dispersion.items() if value < REGULAR and self.duration_s >= MIN_WINDOWS * s]
        if regular and not self.is_counted and self.webhooks_per_hour <= 3600:
            found.append("its lines are at equal distances; if each stands for several webhooks, add a column: count")
        if self.busiest < FEW and self.peak_per_hour > 1.005 * self.webhooks_per_hour:
            found.append(
                f"its busiest minute has only {counted(self.busiest, 'webhook')}, and chance raises the peak factor"
            )
        return found


def read_trace(path: Path | str) -> Trace:
    """Read a recording of webhooks: the time of each of them, or their number in consecutive intervals.

    Reads CSV with commas, semicolons or tabs, with or without a header, access logs (common and combined), JSON lines,
    and exports of CloudWatch; also in UTF-16 and compressed with gzip. Times are ISO 8601, dates of Kibana, or seconds,
    milli-, micro- or nanoseconds since 1970, in order. All intervals of counts have the same length, at least a minute.
    Rows may be missing; their count is 0. Empty lines and lines that start with # are skipped.
    Raises UnreadableTrace with the number of the wrong line.
    """
    try:
        with closing(lines(Path(path))) as text:
            rows, is_counted = recognise(text)
            trace = _read_counts(rows) if is_counted else _read_times(rows)
        if not sum(trace.counts):
            raise fault("it has no webhooks", "record at least a minute of webhooks")
    except UnreadableTrace as error:
        raise UnreadableTrace([one._replace(where=str(Path(path))) for one in error.faults]) from error.__cause__
    return trace


class _Tally:
    """Counts per interval, in bounded memory, and the busiest minute and hour, exact throughout."""

    __slots__ = ("_windows", "counts", "hour", "interval_s", "minute")

    def __init__(self, interval_s: float = 1.0) -> None:
        self.interval_s = interval_s
        self.counts = array("q")
        self.minute, self.hour = _Busiest(MINUTE_S), _Busiest(_hour_s(interval_s))
        self._windows = [_Dispersion(window_s) for window_s in WINDOWS_S if window_s >= interval_s]

    def add(self, offset_s: float, count: int) -> None:
        """Add a count at a time after the start of the trace. Times must not go back."""
        self.minute.add(offset_s, count)
        self.hour.add(offset_s, count)
        for window in self._windows:
            window.add(offset_s, count)
        while offset_s >= MAX_INTERVALS * self.interval_s:
            self._merge_pairs()
        position = int(offset_s / self.interval_s)
        if position >= len(self.counts):
            self.counts.extend([0] * (position + 1 - len(self.counts)))
        self.counts[position] += count

    def trace(self, window_s: float, times: array[float], duration_s: float, *, is_counted: bool) -> Trace:
        """Return the trace, with the dispersion for each window that is full at least twice."""
        found = {window.window_s: window.value(duration_s) for window in self._windows}
        dispersion = {window_s: value for window_s, value in found.items() if value is not None}
        busiest = self.minute.count, self.hour.count
        return Trace(self.interval_s, self.counts, *busiest, window_s, times, dispersion, is_counted)

    def _merge_pairs(self) -> None:
        if len(self.counts) % 2:
            self.counts.append(0)
        self.counts = array("q", (a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)))
        self.interval_s *= 2


class _Busiest:
    """The highest count within any window of this length."""

    __slots__ = ("_recent", "_within", "count", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self.count = self._within = 0
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, offset_s: float, count: int) -> None:
        recent = self._recent
        recent.append((offset_s, count))
        self._within += count
        while recent[0][0] <= offset_s - self.window_s:
            self._within -= recent.popleft()[1]
        self.count = max(self.count, self._within)


class _Dispersion:
    """The variance over the mean of the counts in consecutive windows. A last window that is not full is left out."""

    __slots__ = ("_count", "_squares", "_sum", "_window", "window_s")

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._window = self._count = self._sum = self._squares = 0

    def add(self, offset_s: float, count: int) -> None:
        window = int(offset_s / self.window_s)
        if window != self._window:
            self._sum += self._count
            self._squares += self._count * self._count
            self._window, self._count = window, 0
        self._count += count

    def value(self, duration_s: float) -> float | None:
        """Return the dispersion; None with fewer than two full windows."""
        windows = int(duration_s / self.window_s + 1e-9)
        if windows > self._window:
            self.add(windows * self.window_s, 0)
        if windows < 2 or not self._sum:
            return None
        mean = self._sum / windows
        return (self._squares / windows - mean * mean) / mean * windows / (windows - 1)


def _hour_s(step_s: float) -> float:
    """Return an hour in whole steps: the longest time up to it, at least one step."""
    return step_s * max(1, HOUR_S // step_s)


def _read_times(rows: Rows) -> Trace:
    """Count the webhooks of each second before adding them: ten million rows go through this loop."""
    first = next(rows)
    first_s = last_s = first[1]
    until_s, second, waiting, is_fine = first_s + 1, 0, 0, False
    tally, times = _Tally(), array("d")
    for number, time_s, _ in chain([first], rows):
        if time_s < last_s:
            raise fault(f"line {number} is {last_s - time_s:g} s before the previous line", SORT)
        last_s = time_s
        if time_s >= until_s:
            tally.add(second, waiting)
            second, waiting = int(time_s - first_s), 0
            until_s = first_s + second + 1
            _require_span(number, second)
        waiting += 1
        is_fine = is_fine or time_s % 1 != 0
        if len(times) <= MAX_TIMES:
            times.append(time_s - first_s)
    tally.add(second, waiting)
    if last_s == first_s:
        raise fault("all its webhooks have the same time", "record at least a minute of webhooks")
    kept = times if is_fine and len(times) <= MAX_TIMES else array("d")
    return tally.trace(MINUTE_S, kept, second + 1, is_counted=False)


def _read_counts(rows: Rows) -> Trace:
    """Read counts, which must be at equal distances; some may be missing. The first rows give the distance."""
    ascending = _ascending(rows)
    sample = list(islice(ascending, SAMPLE_ROWS))
    step_s = _step_s([later[1] - earlier[1] for earlier, later in pairwise(sample)])
    tally, position, last_s, last_gap, repeats = _Tally(step_s), -1, 0.0, 1, 0
    for number, offset_s, count in chain(sample, ascending):
        gap = round(offset_s / step_s) - position
        position += gap
        repeats = repeats + 1 if gap == last_gap > 1 else 0
        if not gap or abs(offset_s - position * step_s) > step_s * TOLERANCE or repeats == MAX_REPEATED_GAPS:
            what = f"line {number} is {offset_s - last_s:g} s after the previous line, but lines are {step_s:g} s apart"
            raise fault(what, "write lines at equal distances: one a minute, for example")
        last_s, last_gap = offset_s, gap
        tally.add(position * step_s, count)
    return tally.trace(step_s, array("d"), (position + 1) * step_s, is_counted=True)


def _ascending(rows: Rows) -> Rows:
    """Yield the rows from second 0 on. Raises UnreadableTrace if they are not in order and at least a minute apart."""
    first_s = last_s = None
    for number, begins_s, count in rows:
        if first_s is None or last_s is None:
            first_s = begins_s
        elif begins_s <= last_s:
            raise fault(f"line {number} is not after the previous line", SORT)
        elif begins_s - last_s < MINUTE_S * (1 - TOLERANCE):
            what = f"line {number} is less than a minute after the previous line"
            raise fault(what, "write one line a minute, with its start in seconds (0, 60, 120 ...) or ISO 8601")
        last_s = begins_s
        _require_span(number, begins_s - first_s)
        yield number, begins_s - first_s, count


def _step_s(gaps_s: list[float]) -> float:
    """Return the most common gap, the smallest of several; a minute if there is only one row."""
    found = Counter(map(_rounded_s, gaps_s))
    return min(found, key=lambda gap_s: (-found[gap_s], gap_s), default=MINUTE_S)


def _rounded_s(gap_s: float) -> float:
    """Round to whole minutes if that is close, else to whole seconds: clocks are not exact."""
    minutes_s = MINUTE_S * round(gap_s / MINUTE_S)
    return minutes_s if abs(gap_s - minutes_s) <= TOLERANCE * MINUTE_S else float(round(gap_s))


def _require_span(number: int, offset_s: float) -> None:
    if offset_s > MAX_SPAN_S:
        what = f"line {number} is more than ten years after the first"
        raise fault(what, "correct it; all times must have the same unit")
