"""Reads a recorded trace, row by row, into counts per interval: bounded memory however many rows there are."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from generator.errors import Fault, UnreadableTrace

MAX_INTERVALS = 86_400
"""A day of seconds; a longer trace is kept in longer intervals, so that it takes no more memory."""

MAX_INTERVAL_S = 4096.0
"""A day's worth of these is ten years; whoever has a longer trace has mixed seconds and milliseconds."""

MAX_LINE = 1000
"""Characters; nothing that is a time or a count is longer, and a binary file may be one line."""

PIECE = 1 << 16
"""Characters read at once."""

MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds since 1970: as seconds they would lie beyond the year 5000."""

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Trace:
    """Webhooks counted in consecutive intervals of equal length, from the first one recorded."""

    interval_s: float
    counts: array[int]

    @property
    def duration_s(self) -> float:
        """From the start of the first interval to the end of the last."""
        return self.interval_s * len(self.counts)

    @property
    def webhooks_per_hour(self) -> float:
        """The mean rate."""
        return sum(self.counts) / self.duration_s * 3600


def read_trace(path: Path | str) -> Trace:
    """Reads a CSV file of one of two forms, with or without a line of column names.

    One column: the time of one webhook in each row, in order; seconds, or milliseconds since 1970, or ISO 8601.
    Two columns, or one named `count`: the webhooks of consecutive minutes; with two, the minute's start comes first.
    Empty lines and those that start with # are skipped. Raises UnreadableTrace with the line at fault.
    """
    path = Path(path)
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise _wrong(path, "it has no rows", "record at least a minute of webhooks")
    number, cells = first
    named = [cell.strip().lower() for cell in cells]
    has_names = not all(_is_value(cell) for cell in cells)
    if has_names:
        first = next(rows, None)
        if first is None:
            raise _wrong(path, "it has column names and no rows", "record at least a minute of webhooks")
        number, cells = first
    counter = _Counter(path)
    if len(cells) == 2 or (has_names and named in (["count"], ["counts"], ["webhooks"])):
        _read_counts(path, counter, number, cells, rows)
    else:
        _read_times(path, counter, number, cells, rows)
    if not sum(counter.counts):
        raise _wrong(path, "it has no webhooks", "record at least a minute of webhooks")
    return Trace(counter.interval_s, counter.counts)


def fit_trace(path: Path | str) -> tuple[float, float]:
    """The mean rate in webhooks per hour, and the peak factor: the busiest minute's rate over the mean.

    The busiest of many minutes is above the rate even of steady traffic, the more so the fewer webhooks a minute
    has: 60 minutes of 100 webhooks each, at one rate, show a factor of about 1.25, and of 10 each about 1.8. So the
    factor of a small trace is too large, which errs on the side of too much concurrency. A trace shorter than the
    cycle that matters (a day, a week) may miss the busiest minute altogether, which errs on the other side.
    A trace shorter than one minute has a factor of 1. Raises UnreadableTrace.
    """
    trace = read_trace(path)
    per_minute = max(1, round(MINUTE_S / trace.interval_s))
    busiest = max(
        math.fsum(trace.counts[start : start + per_minute]) for start in range(0, len(trace.counts), per_minute)
    )
    minute_s = min(per_minute * trace.interval_s, trace.duration_s)
    return trace.webhooks_per_hour, max(1.0, busiest / minute_s * 3600 / trace.webhooks_per_hour)


class _Counter:
    """Counts per interval; when there are too many intervals, pairs are put together."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.interval_s = 1.0
        self.counts = array("q")

    def add(self, offset_s: float, count: int, number: int) -> None:
        position = int(offset_s / self.interval_s)
        while position >= MAX_INTERVALS:
            self._halve()
            position = int(offset_s / self.interval_s)
            if self.interval_s > MAX_INTERVAL_S:
                what = f"line {number} is more than ten years after the first"
                raise _wrong(self._path, what, "correct it; all times must have the same unit")
        if position >= len(self.counts):
            self.counts.extend([0] * (position + 1 - len(self.counts)))
        self.counts[position] += count

    def end_of(self, offset_s: float) -> float:
        """Where the interval with this offset ends."""
        return (int(offset_s / self.interval_s) + 1) * self.interval_s

    def _halve(self) -> None:
        if len(self.counts) % 2:
            self.counts.append(0)
        self.counts = array("q", (a + b for a, b in zip(self.counts[::2], self.counts[1::2], strict=True)))
        self.interval_s *= 2


def _read_times(path: Path, counter: _Counter, number: int, cells: list[str], rows: Iterator[Row]) -> None:
    """Rows of the same interval are added together first: this is the loop that ten million rows go through."""
    first_s = last_s = counted_s = _time_s(path, number, cells)
    until_s, waiting = first_s, 1
    for number, cells in rows:
        try:
            (cell,) = cells
            time_s = float(cell)
        except ValueError:
            time_s = _time_s(path, number, cells)
        if not 0 <= time_s < MILLISECONDS_FROM:
            time_s = _time_s(path, number, cells)
        if time_s < last_s:
            raise _wrong(path, f"line {number} is {last_s - time_s:g} s before the line above it", "sort it by time")
        last_s = time_s
        if time_s >= until_s:
            counter.add(counted_s - first_s, waiting, number)
            counted_s, waiting = time_s, 0
            until_s = first_s + counter.end_of(time_s - first_s)
        waiting += 1
    counter.add(counted_s - first_s, waiting, number)
    if last_s == first_s:
        raise _wrong(path, "all its webhooks are of one moment", "record at least a minute of webhooks")


def _read_counts(path: Path, counter: _Counter, number: int, cells: list[str], rows: Iterator[Row]) -> None:
    counter.interval_s = MINUTE_S
    first_s, last_s = (_time_s(path, number, cells[:1]) if len(cells) == 2 else 0.0), -1.0
    width, minute = len(cells), 0
    while True:
        if len(cells) != width:
            raise _wrong(path, f"line {number} has {len(cells)} columns, not {width}", "correct it")
        offset_s = _time_s(path, number, cells[:1]) - first_s if width == 2 else minute * MINUTE_S
        if offset_s <= last_s:
            raise _wrong(path, f"line {number} is not after the line above it", "sort it by time")
        if last_s >= 0 and int(offset_s / MINUTE_S) == int(last_s / MINUTE_S):
            what = f"line {number} is of the same minute as the line above it"
            raise _wrong(path, what, "write one line a minute, with its start in seconds (0, 60, 120 ...) or ISO 8601")
        last_s = offset_s
        counter.add(offset_s, _count(path, number, cells[-1]), number)
        minute += 1
        following = next(rows, None)
        if following is None:
            return
        number, cells = following


Row = tuple[int, list[str]]
"""The number of a line and its cells."""


def _rows(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        if len(line) > MAX_LINE or "\0" in line:
            raise _wrong(path, f"line {number} is not text of a time or a count", "name a CSV file")
        if line and not line.isspace() and line[0] != "#":
            yield number, line.split(",")


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, read piece by piece, so that not even a line without end takes all memory."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            rest = ""
            while piece := file.read(PIECE):
                lines = (rest + piece).split("\n")
                rest = lines.pop()
                yield from lines
                if len(rest) > MAX_LINE:
                    break
            if rest:
                yield rest
    except OSError as error:
        raise _wrong(path, error.strerror or str(error), "name a CSV file that can be read") from error
    except UnicodeDecodeError as error:
        raise _wrong(path, "it is not text", "name a CSV file") from error


def _time_s(path: Path, number: int, cells: list[str]) -> float:
    if len(cells) != 1:
        raise _wrong(path, f"line {number} has {len(cells)} columns", "write one, or two for a minute and its count")
    try:
        time_s = float(cells[0])
    except ValueError:
        time_s = _calendar_time_s(path, number, cells[0])
    if not 0 <= time_s < math.inf:
        raise _wrong(path, f"line {number}: {cells[0].strip()} is not a time", "write seconds, from 0 up, or ISO 8601")
    return time_s / 1000 if time_s >= MILLISECONDS_FROM else time_s


def _calendar_time_s(path: Path, number: int, cell: str) -> float:
    try:
        moment = datetime.fromisoformat(cell.strip().strip('"'))
    except ValueError:
        shown = cell.strip()[:40]
        raise _wrong(path, f"line {number}: {shown!r} is not a time", "write seconds or ISO 8601") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _count(path: Path, number: int, cell: str) -> int:
    try:
        count = int(cell)
    except ValueError:
        count = -1
    if not 0 <= count < 2**40:
        raise _wrong(path, f"line {number}: {cell.strip()[:40]!r} is not a count", "write a whole number from 0 up")
    return count


def _is_value(cell: str) -> bool:
    """Whether a cell is data rather than a column's name."""
    return bool(cell.strip()) and (cell.strip()[0] in '+-.0123456789"' or cell.strip().lower() in ("nan", "inf"))


def _wrong(path: Path, what: str, remedy: str) -> UnreadableTrace:
    return UnreadableTrace([Fault(str(path), what, remedy)])
