"""The formats of a recorded trace, one reader for each: CSV, access logs, JSON lines and CloudWatch's JSON.

`recognise` looks at the first lines and returns either the times of single webhooks or counts per interval.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from heapq import heappush, heappushpop, nsmallest
from itertools import chain, islice
from pathlib import Path
from typing import Any

from generator.simulation.trace_text import MAX_DOCUMENT, Line, fault

Times = Iterator[tuple[int, float]]
"""A line number and the time of one webhook in seconds."""

Counts = Iterator[tuple[int, float, int]]
"""A line number, the start of an interval in seconds, and its webhooks."""

MINUTE_S = 60.0

SAMPLE_ROWS = 1000
"""Rows from which the meaning of a column, or the distance between rows, is derived."""

MAX_UNSORTED = 10_000
"""Lines by which a log may be out of order, because servers write a request when it ends."""

UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""The smallest number that is read as nano-, micro- and milliseconds since 1970, with the units per second. In the
next larger unit the time would lie beyond the year 5000."""

EPOCHS_S = (946_684_800, 2_500_000_000)
"""From the year 2000 to 2049: a number in this range may be a time since 1970."""

DATES = ("%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S", "%b %d, %Y @ %H:%M:%S.%f", "%b %d, %Y @ %H:%M:%S")
"""Dates of access logs and of Kibana. Any form of ISO 8601 is read before these."""

LOGGED = re.compile(r"\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?)\]")
"""The time of a line in the common or combined format."""

LOG_KEYS = ("requestTimeEpoch", "@timestamp", "timestamp", "time", "ts", "time_iso8601", "requestTime", "time_local")
LOG_KEYS_MORE = ("datetime", "date", "StartUTC", "msec", "T", "E")
"""The keys of a JSON line that hold its time, the most exact first."""

TIME_NAME = re.compile(r"time|date|(^|\W|_)ts($|\W|_)|start|minute|hour", re.IGNORECASE)
COUNT_NAMES = frozenset(
    [
        "count",
        "counts",
        "webhooks",
        "requests",
        "invocations",
        "sum",
        "value",
        "values",
        "hits",
        "trades",
        "samplecount",
        "number_of_trades",
        "count_of_records",
        "num_trades",
        "tradecount",
    ]
)

LAYOUTS: dict[int, tuple[tuple[int, int | None], ...]] = {
    2: ((0, 1),),
    3: ((0, None),),
    6: ((4, None), (0, None)),
    7: ((4, None), (5, None), (0, 6)),
    8: ((5, None),),
    12: ((0, 8),),
}
"""Columns of time and count by the number of columns, where no header names them: trades, aggregated trades and
klines. Source: https://github.com/binance/binance-public-data and Kraken's "Downloadable historical OHLCVT data"."""

METADATA = ("full label", "label", "account id", "region", "period", "statistic", "unit", "id", "namespace")
"""First cells of the lines that CloudWatch's console writes above its rows."""

SORT = "sort it by time; if an hour repeats at the end of daylight saving time, write UTC or an offset"


@dataclass(frozen=True, slots=True)
class Recording:
    """Either the times of single webhooks or counts per interval."""

    times: Times | None = None
    counts: Counts | None = None


def recognise(path: Path, rest: Iterator[Line]) -> Recording:
    """Return the recording in the lines of a file. Raises UnreadableTrace if it is empty or has an unknown format."""
    first = next(rest, None)
    if first is None:
        raise fault(path, "it has no rows", "record at least a minute of webhooks")
    every, text = chain([first], rest), first[1].lstrip()
    if text.startswith("["):
        raise fault(path, "it is a JSON array", "write one object per line: jq -c '.[]' FILE")
    if text.startswith("{"):
        entry = _parsed(text)
        if not isinstance(entry, dict) or {"MetricDataResults", "Datapoints"} & {*entry}:
            return Recording(counts=_metric(path, every))
        return Recording(times=_sorted(path, _json_lines(path, every)))
    if LOGGED.search(text):
        return Recording(times=_sorted(path, _log(path, every)))
    return _table(path, every)


# Access logs and JSON lines.


def _log(path: Path, rows: Iterator[Line]) -> Times:
    for number, line in rows:
        found = LOGGED.search(line)
        if not found:
            what = f"line {number} has no time such as [01/Jan/2026:00:00:00 +0000]"
            raise fault(path, what, "remove the line, or correct it")
        yield number, time_s(path, number, found[1])


def _json_lines(path: Path, rows: Iterator[Line]) -> Times:
    for number, line in rows:
        entry = _parsed(line)
        if not isinstance(entry, dict):
            raise fault(path, f"line {number} is not a JSON object", "write one object per line")
        key = next((key for key in (*LOG_KEYS, *LOG_KEYS_MORE) if key in entry), None)
        if key is None:
            raise fault(path, f"line {number} has no time", f"write it under one of {', '.join(LOG_KEYS)}")
        yield number, time_s(path, number, str(entry[key]))


def _sorted(path: Path, times: Times) -> Times:
    """Yield times in order. The lines may be out of order by up to MAX_UNSORTED."""
    waiting: list[tuple[float, int]] = []
    last_s = -math.inf
    for number, at_s in times:
        if len(waiting) < MAX_UNSORTED:
            heappush(waiting, (at_s, number))
            continue
        found_s, line = heappushpop(waiting, (at_s, number))
        if found_s < last_s:
            raise fault(path, f"line {line} is {last_s - found_s:g} s before an earlier line", SORT)
        last_s = found_s
        yield line, found_s
    yield from ((line, at_s) for at_s, line in nsmallest(len(waiting), waiting))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# CloudWatch's JSON.


def _metric(path: Path, rows: Iterator[Line]) -> Counts:
    """Read the output of `aws cloudwatch get-metric-data` or `get-metric-statistics`."""
    text, size = [], 0
    for _, line in rows:
        size += len(line)
        if size > MAX_DOCUMENT:
            raise fault(path, f"it is a JSON document of more than {MAX_DOCUMENT:,} characters", "export a part of it")
        text.append(line)
    document = _parsed("".join(text))
    try:
        points = _points(path, document)
    except (AttributeError, KeyError, TypeError, ValueError):
        remedy = "name the output of aws cloudwatch get-metric-data, or write one JSON object per line"
        raise fault(path, "it is JSON, but not an export of CloudWatch", remedy) from None
    found = (
        (time_s(path, row, str(at)), row, count(path, row, str(value))) for row, (at, value) in enumerate(points, 1)
    )
    for at_s, row, counted in sorted(found):
        yield row, at_s, counted


def _points(path: Path, document: Any) -> list[tuple[Any, Any]]:
    if "Datapoints" in document:
        points = document["Datapoints"]
        key = next((key for key in ("Sum", "SampleCount") if points and key in points[0]), None)
        if points and key is None:
            raise fault(path, "it has no Sum", "export it with --statistics Sum")
        return [(point["Timestamp"], point[key]) for point in points]
    if document.get("NextToken"):
        raise fault(path, "it is one page of several", "export all pages: leave out --no-paginate and --max-items")
    results = [result for result in document["MetricDataResults"] if result["Timestamps"]]
    labels = sorted({str(result.get("Label") or result.get("Id")) for result in results})
    if len(labels) > 1:
        raise fault(
            path, f"it has several metrics: {', '.join(labels)[:200]}", "export only the metric of the webhooks"
        )
    return [pair for one in results for pair in zip(one["Timestamps"], one["Values"], strict=True)]


# CSV, with commas, semicolons or tabs.


def _table(path: Path, rest: Iterator[Line]) -> Recording:
    first = next(rest)
    bare = re.sub('"[^"]*"', "", first[1])
    delimiter = max(";\t,", key=bare.count)
    rows = _without_metadata(path, _rows(path, chain([first], rest), delimiter))
    number, cells = next(rows, (0, []))
    names: list[str] = []
    if not any(map(_is_value, cells)):
        names = [re.sub(r"[\s.]+", "_", cell.strip().lower()) for cell in cells]
        number, cells = next(rows, (0, []))
        if not cells:
            raise fault(path, "it has column names but no rows", "record at least a minute of webhooks")
    width = max(len(names), len(cells)) if len(names) in (0, len(cells)) else len(names)
    every = _of_width(path, chain([(number, cells)], rows), width)
    if width == 1:
        return _column(path, names, every)
    at, counted = _columns(path, names, number, cells)
    if counted is None:
        return Recording(times=((line, time_s(path, line, row[at])) for line, row in every))
    return Recording(
        counts=((line, time_s(path, line, row[at]), count(path, line, row[counted])) for line, row in every)
    )


def _rows(path: Path, rest: Iterator[Line], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line. A quoted cell must not span lines."""
    for number, line in rest:
        if '"' not in line:
            yield number, line.rstrip("\r\n").split(delimiter)
            continue
        try:
            (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
        except csv.Error as error:
            raise fault(path, f"line {number} is not CSV ({error})", "correct its quotation marks") from None
        yield number, cells


def _without_metadata(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Skip the lines that CloudWatch's console writes above its rows. Raises UnreadableTrace if it has no sums."""
    for number, cells in rows:
        name = cells[0].strip().lower()
        if name not in METADATA or len(cells) == 1:
            yield from chain([(number, cells)], rows)
            return
        if name == "statistic" and cells[1].strip().lower() not in ("sum", "samplecount", "sample count"):
            what = f"line {number}: the statistic is {cells[1].strip()[:40]}"
            raise fault(path, what, "export the metric with the statistic Sum")


def _of_width(path: Path, rows: Iterator[tuple[int, list[str]]], width: int) -> Iterator[tuple[int, list[str]]]:
    for number, cells in rows:
        if len(cells) != width:
            raise fault(path, f"line {number} has {len(cells)} columns, not {width}", "correct it")
        yield number, cells


def _column(path: Path, names: Sequence[str], rows: Iterator[tuple[int, list[str]]]) -> Recording:
    """Read a lone column: counts or times by its name. Whole numbers without a clear name may be either."""
    sample = list(islice(rows, SAMPLE_ROWS))
    every = chain(sample, rows)
    if names and names[0] in COUNT_NAMES and "trades" not in names[0]:
        counted = enumerate(every)
        return Recording(counts=((line, row * MINUTE_S, count(path, line, cell)) for row, (line, (cell,)) in counted))
    is_named = bool(names) and TIME_NAME.search(names[0])
    if not is_named and all(re.fullmatch(r"\s*\d{1,9}(\.0*)?\s*", cell) for _, (cell,) in sample):
        what = f"line {sample[0][0]} begins a column of whole numbers, which may be times or counts"
        raise fault(path, what, "name the column in the first line: time (in seconds) or count (per minute)")
    return Recording(times=((line, time_s(path, line, cell)) for line, (cell,) in every))


def _columns(path: Path, names: Sequence[str], number: int, cells: Sequence[str]) -> tuple[int, int | None]:
    """Return the columns of time and count; the count is None if each row is one webhook."""
    moments = [column for column, cell in enumerate(cells) if _is_moment(cell)]
    if not names:
        found = [layout for layout in LAYOUTS.get(len(cells), ()) if layout[0] in moments or len(cells) == 2]
        if not found and not moments:
            raise fault(
                path, f"line {number} has no time in {len(cells)} columns", 'name the columns "time" and "count"'
            )
        return found[0] if found else (moments[0], None)
    timed = [column for column, name in enumerate(names) if TIME_NAME.search(name)] or moments or [0]
    counted = [column for column, name in enumerate(names) if name in COUNT_NAMES and column != timed[0]]
    if len(counted) > 1 or (not counted and len(names) == 3 and len(moments) == 1 and _counts_only(cells, moments[0])):
        raise fault(
            path, f"it has several columns that may be counts: {', '.join(names)[:200]}", "keep only one of them"
        )
    if not counted and len(names) == 2:
        counted = [1 - timed[0]]
    return timed[0], counted[0] if counted else None


def _counts_only(cells: Sequence[str], moment: int) -> bool:
    return all(re.fullmatch(r"\d+(\.0+)?", cell.strip()) for column, cell in enumerate(cells) if column != moment)


# Cells.


def time_s(path: Path, number: int, cell: str) -> float:
    """Return a time in seconds. A number has the unit that its size implies. Raises UnreadableTrace."""
    try:
        found = float(cell)
    except ValueError:
        moment = _calendar_s(cell)
        if moment is None:
            what = f"line {number}: {cell.strip()[:40]!r} is not a time"
            raise fault(path, what, "write seconds or ISO 8601") from None
        return moment
    if found < UNITS[-1][0]:
        if found >= 0:
            return found
    elif found < math.inf:
        return next(found / per_s for least, per_s in UNITS if found >= least)
    remedy = "write seconds (0 or more) or ISO 8601"
    raise fault(path, f"line {number}: {cell.strip()[:40]} is not a time", remedy)


@lru_cache(maxsize=4096)
def _calendar_s(cell: str) -> float | None:
    """Return a date in seconds since 1970, in UTC unless it has a zone; None if it is no date."""
    text = cell.strip().removesuffix(" UTC")
    iso = re.sub(r"^(\d{4})[-/](\d\d?)[-/](\d\d?)D?(?=.?\d|$)", _iso_date, text)
    moment = None
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        for form in DATES:
            try:
                moment = datetime.strptime(text, form)
                break
            except ValueError:
                continue
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except OverflowError:
        return None


def _iso_date(date: re.Match[str]) -> str:
    separator = "T" if date[0].endswith("D") else ""
    return f"{date[1]}-{int(date[2]):02}-{int(date[3]):02}{separator}"


def count(path: Path, number: int, cell: str) -> int:
    """Return a cell as a count, also if it is written as 55.0 or 1,800. Raises UnreadableTrace."""
    text = cell.strip()
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.0*)?", text):
        text = text.replace(",", "")
    try:
        found = float(re.sub(r",(?=0*$)", ".", text))
    except ValueError:
        found = -1.0
    if not (0 <= found < 2**40 and found == int(found)):
        raise fault(path, f"line {number}: {text[:40]!r} is not a count", "write a whole number, 0 or more")
    return int(found)


def _is_value(cell: str) -> bool:
    """Return whether a cell is data and not a column name."""
    return bool(re.match(r"\s*[+-]?(\.?\d|nan$|inf$)", cell, re.IGNORECASE)) or _calendar_s(cell[:60]) is not None


def _is_moment(cell: str) -> bool:
    """Return whether a cell is a date, or a number that is a time since 1970."""
    try:
        found = float(cell)
    except ValueError:
        return _calendar_s(cell[:60]) is not None
    seconds = next((found / per_s for least, per_s in UNITS if found >= least), found)
    return EPOCHS_S[0] <= seconds < EPOCHS_S[1]
