"""Recorded traces: read them from a CSV file, and derive the traffic settings that they show.

A file may have ten million rows. It is read row by row into counts per interval, so memory stays bounded.
"""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice, pairwise
from pathlib import Path

from generator.errors import Fault, UnreadableTrace

MINUTE_S = 60.0

MAX_INTERVALS = 86_400
"""One day in seconds. A longer trace is kept in longer intervals, so that it takes no more memory."""

MAX_SPAN_S = 4096.0 * MAX_INTERVALS
"""More than ten years. A longer trace probably mixes seconds and milliseconds."""

SAMPLE_ROWS = 1000
"""Rows of counts from which the distance between rows is derived."""

TOLERANCE = 0.05
"""How far a row of counts may be off its interval, as a share of the distance between rows."""

MAX_REPEATED_GAPS = 10
"""The same gap this often in a row does not come from missing rows: the distance between rows has changed."""

COUNT_NAMES = ("count", "counts", "webhooks", "requests", "invocations", "sum", "samplecount")
"""Names of a column of counts per minute, among them those of CloudWatch."""

TIME_NAMES = ("time", "times", "timestamp", "seconds", "date", "@timestamp")

MAX_HEADER_LINES = 20
"""Lines before the first row of data."""

DELIMITERS = ",;\t"

MAX_LINE = 1000
"""Characters. No time and no count is longer; a binary file may be a single line."""

SECONDS_BELOW = 1e11
"""Numbers from here on are not seconds since 1970: they would lie beyond the year 5000."""

UNITS = ((1e17, 1e9), (1e14, 1e6), (SECONDS_BELOW, 1e3))
"""The smallest number that is read as nano-, micro- and milliseconds since 1970, with the units per second. In the
next larger unit the time would lie beyond the year 5000."""

Row = tuple[int, list[str]]
"""A line number and the cells of the line."""

CountedRow = tuple[int, float, int]
"""A line number, the start of its interval in seconds after the first, and its count."""


@dataclass(frozen=True, slots=True)
class Trace:
    """Webhooks counted in consecutive intervals of equal length, from the first webhook on.

    `busiest` is the highest count within any `window_s`: a minute, or the distance between the rows if they are
    counts and further apart. It is exact even if `interval_s` is longer because the trace was too long to keep.
    """

    interval_s: float
    counts: array[int]
    busiest: int
    window_s: float = MINUTE_S

    @property
    def duration_s(self) -> float:
        """The time from the start of the first interval to the end of the last."""
        return self.interval_s * len(self.counts)

    @property
    def webhooks_per_hour(self) -> float:
        return sum(self.counts) / self.duration_s * 3600

    @property
    def is_coarse(self) -> bool:
        """Whether the rows are so far apart that a peak of one minute is invisible."""
        return self.window_s > MINUTE_S

    @property
    def peak_factor(self) -> float:
        """The rate of the busiest window, which may begin at any second, over the mean rate.

        It is 1 for a trace shorter than the window. A small trace shows too high a factor, which leads to too much
        concurrency: the busiest of many minutes exceeds the mean even for steady traffic. One hour at a constant 100
        webhooks a minute shows a factor of about 1.3, at 10 a minute about 2. A trace shorter than the cycle that
        matters (a day, a week) may miss the busiest minute, which leads to too little.
        """
        window_s = min(self.window_s, self.duration_s)
        return max(1.0, self.busiest / window_s * 3600 / self.webhooks_per_hour)

    def as_overrides(self) -> list[str]:
        """Return the rate and the peak factor as overrides (KEY=VALUE) of an environment's settings."""
        rate, factor = round(self.webhooks_per_hour), round(self.peak_factor, 2)
        return [f"traffic.webhooks_per_hour={rate}", f"traffic.peak_factor={factor:g}"]


def read_trace(path: Path | str) -> Trace:
    """Read a CSV file in one of two formats, with or without a header line.

    One column: the time of one webhook in each row, in order, as ISO 8601, as seconds, or as milli-, micro- or
    nanoseconds since 1970. Small whole numbers need a column name, `time` or `count`.
    Two columns, or one named `count`, `sum` or `requests`: the number of webhooks in consecutive intervals. With two
    columns, the start of the interval comes first and all intervals have the same length, at least a minute; with one,
    it is a minute. Rows may be missing; their count is 0.
    Commas, semicolons or tabs separate columns. Empty lines and lines that start with # are skipped. Raises
    UnreadableTrace with the number of the wrong line.
    """
    path = Path(path)
    rows = _rows(path)
    names, first = _start(path, rows)
    if len(first[1]) == 2 or (names and names[0] in COUNT_NAMES):
        trace = _read_counts(path, first, rows)
    else:
        sample = [first, *islice(rows, SAMPLE_ROWS)]
        if not names or names[0] not in TIME_NAMES:
            _require_times(path, sample)
        trace = _read_times(path, first, chain(sample[1:], rows))
    if not sum(trace.counts):
        raise _fault(path, "it has no webhooks", "record at least a minute of webhooks")
    return trace


def _start(path: Path, rows: Iterator[Row]) -> tuple[list[str], Row]:
    """Return the column names, in lower case, and the first row of data.

    CloudWatch's console writes several lines about the metric before the column names; the last line counts.
    """
    names: list[str] = []
    for position, (number, cells) in enumerate(rows):
        if _is_value(cells[0]) and (position <= 1 or _is_value(cells[-1])):
            return names, (number, cells)
        if position == MAX_HEADER_LINES or (names and not cells[0].strip()):
            break
        names = [cell.strip().lower() for cell in cells]
    what = "it has column names but no rows" if names else "it has no rows"
    raise _fault(path, what, "record at least a minute of webhooks")


def _require_times(path: Path, sample: list[Row]) -> None:
    """Refuse a column that may be times or counts: whole numbers too small for times since 1970."""
    if all(len(cells) == 1 and re.fullmatch(r"\s*[0-9]{1,9}(\.0*)?\s*", cells[0]) for _, cells in sample):
        what = f"line {sample[0][0]} begins a column of whole numbers, which may be times or counts"
        raise _fault(path, what, "name the column in the first line: time (in seconds) or count (per minute)")


class _Tally:
    """Counts per interval, in bounded memory. `busiest` is the highest count within any minute, exact throughout."""

    __slots__ = ("_minute", "_within", "busiest", "counts", "interval_s")

    def __init__(self, interval_s: float = 1.0) -> None:
        self.interval_s = interval_s
        self.counts = array("q")
        self.busiest = 0
        # The times and counts of the last minute, and their sum.
        self._minute: deque[tuple[float, int]] = deque()
        self._within = 0

    def add(self, offset_s: float, count: int) -> None:
        """Add a count at a time after the start of the trace. Times must not go back."""
        minute = self._minute
        minute.append((offset_s, count))
        self._within += count
        while minute[0][0] <= offset_s - MINUTE_S:
            self._within -= minute.popleft()[1]
        self.busiest = max(self.busiest, self._within)
        while offset_s >= MAX_INTERVALS * self.interval_s:
            self._merge_pairs()
        position = int(offset_s / self.interval_s)
        if position >= len(self.counts):
            self.counts.extend([0] * (position + 1 - len(self.counts)))
        self.counts[position] += count

    def _merge_pairs(self) -> None:
        if len(self.counts) % 2:
            self.counts.append(0)
        self.counts = array("q", (a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)))
        self.interval_s *= 2


# One column: the time of each webhook.


def _read_times(path: Path, first: Row, rows: Iterator[Row]) -> Trace:
    """Count the rows of each second before adding them: ten million rows go through this loop."""
    tally, second, waiting = _Tally(), 0, 1
    first_s = last_s = _time_s(path, *first)
    until_s = first_s + 1
    for number, cells in rows:
        try:
            (cell,) = cells
            time_s = float(cell)
        except ValueError:
            time_s = _time_s(path, number, cells)
        if not 0 <= time_s < SECONDS_BELOW:
            time_s = _time_s(path, number, cells)
        if time_s < last_s:
            raise _fault(path, f"line {number} is {last_s - time_s:g} s before the previous line", "sort it by time")
        last_s = time_s
        if time_s >= until_s:
            tally.add(second, waiting)
            second, waiting = int(time_s - first_s), 0
            until_s = first_s + second + 1
            _require_span(path, number, second)
        waiting += 1
    tally.add(second, waiting)
    if last_s == first_s:
        raise _fault(path, "all its webhooks have the same time", "record at least a minute of webhooks")
    return Trace(tally.interval_s, tally.counts, tally.busiest)


def _time_s(path: Path, number: int, cells: list[str]) -> float:
    """Return the time in a line with one cell, in seconds. Raises UnreadableTrace."""
    if len(cells) != 1:
        raise _fault(path, f"line {number} has {len(cells)} columns", "write one (time) or two (start, count)")
    try:
        found = float(cells[0])
    except ValueError:
        found = _calendar_time_s(path, number, cells[0])
    if not 0 <= found < math.inf:
        raise _fault(path, f"line {number}: {cells[0].strip()} is not a time", "write seconds (0 or more) or ISO 8601")
    return next((found / per_s for least, per_s in UNITS if found >= least), found)


def _calendar_time_s(path: Path, number: int, cell: str) -> float:
    try:
        moment = datetime.fromisoformat(re.sub(r"^(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3", cell.strip()))
    except ValueError:
        shown = cell.strip()[:40]
        raise _fault(path, f"line {number}: {shown!r} is not a time", "write seconds or ISO 8601") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# Counts per interval.


def _read_counts(path: Path, first: Row, rows: Iterator[Row]) -> Trace:
    """Read counts whose distance is derived from the first rows."""
    counted = _counted_rows(path, chain([first], rows))
    sample = list(islice(counted, SAMPLE_ROWS))
    step_s = _step_s([later[1] - earlier[1] for earlier, later in pairwise(sample)])
    tally = _Tally(step_s)
    for position, count in _placed(path, step_s, chain(sample, counted)):
        tally.add(position * step_s, count)
    return Trace(tally.interval_s, tally.counts, tally.busiest, step_s)


def _counted_rows(path: Path, rows: Iterator[Row]) -> Iterator[CountedRow]:
    """Yield the rows. Raises UnreadableTrace if they are not in order and at least a minute apart."""
    first_s = last_s = -1.0
    width = 0
    for minute, (number, cells) in enumerate(rows):
        width = width or len(cells)
        if len(cells) != width:
            raise _fault(path, f"line {number} has {len(cells)} columns, not {width}", "correct it")
        begins_s = _time_s(path, number, cells[:1]) if width == 2 else minute * MINUTE_S
        if not minute:
            first_s = begins_s
        elif begins_s <= last_s:
            what = f"line {number} is not after the previous line"
            raise _fault(path, what, "sort it by time; if an hour repeats as summer time ends, write UTC or an offset")
        elif begins_s - last_s < MINUTE_S * (1 - TOLERANCE):
            what = f"line {number} is less than a minute after the previous line"
            raise _fault(path, what, "write one line a minute, with its start in seconds (0, 60, 120 ...) or ISO 8601")
        last_s = begins_s
        _require_span(path, number, begins_s - first_s)
        yield number, begins_s - first_s, _count(path, number, cells[-1])


def _placed(path: Path, step_s: float, counted: Iterator[CountedRow]) -> Iterator[tuple[int, int]]:
    """Yield the interval number and count of each row. Raises UnreadableTrace if the distance between rows varies."""
    last, last_s, last_gap, repeats = -1, 0.0, 1, 0
    for number, offset_s, count in counted:
        position = round(offset_s / step_s)
        gap = position - last
        repeats = repeats + 1 if gap == last_gap > 1 else 0
        if not gap or abs(offset_s - position * step_s) > step_s * TOLERANCE or repeats == MAX_REPEATED_GAPS:
            what = f"line {number} is {offset_s - last_s:g} s after the previous line, but lines are {step_s:g} s apart"
            raise _fault(path, what, "write lines at equal distances: one a minute, for example")
        last, last_s, last_gap = position, offset_s, gap
        yield position, count


def _step_s(gaps_s: list[float]) -> float:
    """Return the most common gap, the smallest of several; a minute if there is only one row."""
    found = Counter(map(_rounded_s, gaps_s))
    return min(found, key=lambda gap_s: (-found[gap_s], gap_s), default=MINUTE_S)


def _rounded_s(gap_s: float) -> float:
    """Round to whole minutes if that is close, else to whole seconds: clocks are not exact."""
    minutes_s = MINUTE_S * round(gap_s / MINUTE_S)
    return minutes_s if abs(gap_s - minutes_s) <= TOLERANCE * MINUTE_S else float(round(gap_s))


def _count(path: Path, number: int, cell: str) -> int:
    """Return a cell as a count, which may be written as 55.0. Raises UnreadableTrace."""
    try:
        found = float(cell)
    except ValueError:
        found = -1.0
    if not (0 <= found < 2**40 and found == int(found)):
        what = f"line {number}: {cell.strip()[:40]!r} is not a count"
        raise _fault(path, what, "write a whole number, 0 or more")
    return int(found)


# Lines and cells.


def _rows(path: Path) -> Iterator[Row]:
    """Yield the lines that are neither empty nor comments. Raises UnreadableTrace."""
    try:
        with path.open(encoding=_encoding(path)) as file:
            delimiter = ""
            # A limit for each line: a single endless line must not take all memory.
            for number, line in enumerate(iter(partial(file.readline, MAX_LINE + 1), ""), 1):
                if len(line) > MAX_LINE or "\0" in line:
                    raise _fault(path, f"line {number} is neither a time nor a count", "name a CSV file")
                if not line.isspace() and line[0] != "#":
                    delimiter = delimiter or next((one for one in DELIMITERS if one in line), "")
                    split = line.split(delimiter or ",")
                    yield number, _cells(path, number, line, delimiter or ",") if '"' in line else split
    except OSError as error:
        raise _fault(path, error.strerror or str(error), "name a CSV file that can be read") from error
    except UnicodeDecodeError as error:
        raise _fault(path, "it is not text in UTF-8 or UTF-16", "name a CSV file") from error


def _encoding(path: Path) -> str:
    """Return UTF-16 if the file begins with its mark, as PowerShell writes it."""
    with path.open("rb") as file:
        return "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _cells(path: Path, number: int, line: str, delimiter: str) -> list[str]:
    """Split a line with quotation marks, which is slow. A quoted cell must not span lines."""
    try:
        (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise _fault(path, f"line {number} is not CSV ({error})", "correct its quotation marks") from None
    return cells


def _is_value(cell: str) -> bool:
    """Return whether a cell is data and not a column name."""
    return bool(cell.strip()) and (cell.strip()[0] in "+-.0123456789" or cell.strip().lower() in ("nan", "inf"))


def _require_span(path: Path, number: int, offset_s: float) -> None:
    if offset_s > MAX_SPAN_S:
        what = f"line {number} is more than ten years after the first"
        raise _fault(path, what, "correct it; all times must have the same unit")


def _fault(path: Path, what: str, remedy: str) -> UnreadableTrace:
    return UnreadableTrace([Fault(str(path), what, remedy)])
