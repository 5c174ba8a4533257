"""Reads a recorded trace, row by row, into counts per interval: bounded memory however many rows there are."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from pathlib import Path

from generator.simulation import lines
from generator.simulation.lines import SECONDS_BELOW, Row, wrong
from generator.simulation.tally import MAX_INTERVALS, MINUTE_S, Tally

MAX_SPAN_S = 4096.0 * MAX_INTERVALS
"""More than ten years; whoever has a longer trace has mixed seconds and milliseconds."""

SAMPLE = 1000
"""Lines of counts that are read before it is decided how far apart they are."""

TOLERANCE = 0.05
"""How far from its place a line of counts may be, as a share of the distance between lines."""

MAX_REPEATS = 10
"""A gap that comes so often in a row is not of missing lines: there the lines are further apart than elsewhere."""

Counted = tuple[int, float, int]
"""The number of a line, when its interval begins, in seconds after the first, and its count."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Webhooks counted in consecutive intervals of equal length, from the first one recorded.

    `busiest` is the most within any `window_s`: a minute, or the distance between the lines where they are counts and
    further apart, so that nothing shorter can be seen. It is what was recorded, even where `interval_s` is longer,
    because a trace was too long to be kept as it was.
    """

    interval_s: float
    counts: array[int]
    busiest: int
    window_s: float = MINUTE_S

    @property
    def duration_s(self) -> float:
        """From the start of the first interval to the end of the last."""
        return self.interval_s * len(self.counts)

    @property
    def webhooks_per_hour(self) -> float:
        """The mean rate."""
        return sum(self.counts) / self.duration_s * 3600

    @property
    def is_coarse(self) -> bool:
        """Whether its lines are so far apart that a peak of a minute cannot be seen."""
        return self.window_s > MINUTE_S

    @property
    def peak_factor(self) -> float:
        """The busiest window's rate over the mean; 1 for a trace that is shorter than the window."""
        window_s = min(self.window_s, self.duration_s)
        return max(1.0, self.busiest / window_s * 3600 / self.webhooks_per_hour)


def read_trace(path: Path | str) -> Trace:
    """Reads a CSV file of one of two forms, with or without a line of column names.

    One column: the time of one webhook in each row, in order; seconds, or milli-, micro- or nanoseconds since 1970, or
    ISO 8601.
    Two columns, or one named `count`: the webhooks of consecutive minutes; with two, the start comes first, and the
    rows may be further apart than a minute, if all are equally far. Rows may be missing: nothing was counted then.
    Empty lines and those that start with # are skipped. Raises UnreadableTrace with the line at fault.
    """
    path = Path(path)
    rows = lines.rows(path)
    first = next(rows, None)
    if first is None:
        raise wrong(path, "it has no rows", "record at least a minute of webhooks")
    _, cells = first
    named = [cell.strip().lower() for cell in cells]
    has_names = not all(lines.is_value(cell) for cell in cells)
    if has_names:
        first = next(rows, None)
        if first is None:
            raise wrong(path, "it has column names and no rows", "record at least a minute of webhooks")
    is_counts = len(first[1]) == 2 or (has_names and named in (["count"], ["counts"], ["webhooks"]))
    trace = (_of_counts if is_counts else _of_times)(path, first, rows)
    if not sum(trace.counts):
        raise wrong(path, "it has no webhooks", "record at least a minute of webhooks")
    return trace


def fit_trace(path: Path | str) -> tuple[float, float]:
    """The mean rate in webhooks per hour, and the peak factor: the busiest minute's rate over the mean.

    The minute may begin at any second. Where counts are further apart than a minute, it is the busiest of them. The
    busiest of many minutes is above the rate even of steady traffic, the more so the fewer webhooks a minute
    has: an hour of 100 webhooks a minute, at one rate, shows a factor of about 1.3, and of 10 a minute about 2. So
    the factor of a small trace is too large, which errs on the side of too much concurrency. A trace shorter than the
    cycle that matters (a day, a week) may miss the busiest minute altogether, which errs on the other side.
    A trace shorter than one minute has a factor of 1. Raises UnreadableTrace.
    """
    trace = read_trace(path)
    return trace.webhooks_per_hour, trace.peak_factor


def _of_times(path: Path, first: Row, rows: Iterator[Row]) -> Trace:
    """Rows of the same second are added together first: this is the loop that ten million rows go through."""
    tally, second, waiting = Tally(), 0, 1
    first_s = last_s = lines.time_s(path, *first)
    until_s = first_s + 1
    for number, cells in rows:
        try:
            (cell,) = cells
            time_s = float(cell)
        except ValueError:
            time_s = lines.time_s(path, number, cells)
        if not 0 <= time_s < SECONDS_BELOW:
            time_s = lines.time_s(path, number, cells)
        if time_s < last_s:
            raise wrong(path, f"line {number} is {last_s - time_s:g} s before the line above it", "sort it by time")
        last_s = time_s
        if time_s >= until_s:
            tally.add(second, waiting)
            second, waiting = int(time_s - first_s), 0
            until_s = first_s + second + 1
            _require_span(path, number, second)
        waiting += 1
    tally.add(second, waiting)
    if last_s == first_s:
        raise wrong(path, "all its webhooks are of one moment", "record at least a minute of webhooks")
    return Trace(tally.interval_s, tally.counts, tally.busiest)


def _of_counts(path: Path, first: Row, rows: Iterator[Row]) -> Trace:
    """Counts at regular distances, which the first of them tell."""
    counted = _counted(path, chain([first], rows))
    sample = list(islice(counted, SAMPLE))
    step_s = _step_s([later[1] - earlier[1] for earlier, later in pairwise(sample)])
    tally = Tally(step_s)
    for position, count in _placed(path, step_s, chain(sample, counted)):
        tally.add(position * step_s, count)
    return Trace(tally.interval_s, tally.counts, tally.busiest, step_s)


def _placed(path: Path, step_s: float, counted: Iterator[Counted]) -> Iterator[tuple[int, int]]:
    """Each count with the number of its interval. Raises UnreadableTrace where the lines are not of one distance."""
    last, last_s, last_gap, repeats = -1, 0.0, 1, 0
    for number, offset_s, count in counted:
        position = round(offset_s / step_s)
        gap = position - last
        repeats = repeats + 1 if gap == last_gap > 1 else 0
        if not gap or abs(offset_s - position * step_s) > step_s * TOLERANCE or repeats == MAX_REPEATS:
            what = (
                f"line {number} is {offset_s - last_s:g} s after the line above it, and others are {step_s:g} s apart"
            )
            raise wrong(path, what, "write one line for each minute, or for each interval of one length")
        last, last_s, last_gap = position, offset_s, gap
        yield position, count


def _counted(path: Path, rows: Iterator[Row]) -> Iterator[Counted]:
    """What the lines say, in order and of at least a minute each. Raises UnreadableTrace."""
    first_s = last_s = -1.0
    width = 0
    for minute, (number, cells) in enumerate(rows):
        width = width or len(cells)
        if len(cells) != width:
            raise wrong(path, f"line {number} has {len(cells)} columns, not {width}", "correct it")
        begins_s = lines.time_s(path, number, cells[:1]) if width == 2 else minute * MINUTE_S
        if not minute:
            first_s = begins_s
        elif begins_s <= last_s:
            raise wrong(path, f"line {number} is not after the line above it", "sort it by time")
        elif begins_s - last_s < MINUTE_S * (1 - TOLERANCE):
            what = f"line {number} is less than a minute after the line above it"
            raise wrong(path, what, "write one line a minute, with its start in seconds (0, 60, 120 ...) or ISO 8601")
        last_s = begins_s
        _require_span(path, number, begins_s - first_s)
        yield number, begins_s - first_s, lines.count(path, number, cells[-1])


def _step_s(gaps_s: list[float]) -> float:
    """How far lines are apart: the most common gap, of several the smallest; a minute if there is only one line."""
    found = Counter(map(_rounded_s, gaps_s))
    return min(found, key=lambda gap_s: (-found[gap_s], gap_s), default=MINUTE_S)


def _rounded_s(gap_s: float) -> float:
    """Whole minutes if it nearly is, else whole seconds: clocks are not exact."""
    minutes_s = MINUTE_S * round(gap_s / MINUTE_S)
    return minutes_s if abs(gap_s - minutes_s) <= TOLERANCE * MINUTE_S else float(round(gap_s))


def _require_span(path: Path, number: int, offset_s: float) -> None:
    if offset_s > MAX_SPAN_S:
        what = f"line {number} is more than ten years after the first"
        raise wrong(path, what, "correct it; all times must have the same unit")
