"""The formats of a recorded trace, one reader for each: CSV, access logs, JSON lines and CloudWatch's JSON."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from heapq import heappushpop
from itertools import chain, islice, pairwise
from typing import Any

from generator._format import counted
from generator.simulation import metric_data
from generator.simulation.trace_text import MAX_DOCUMENT, Line, fault

Rows = Iterator[tuple[int, float, int]]
"""A line number, a time in seconds, and the webhooks at that time or in the interval that it begins."""

Cells = tuple[int, list[str]]
"""A line number, and the cells of the line."""

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

COUNTED = "counts?|webhooks|requests|invocations|hits|trades|samplecount|tradecount"
COUNT_NAME = re.compile(
    f"(number_of_|num_)?({COUNTED}|sum|values?)|(trade|request|invocation|sample)s?_count|count_of_records"
)
COUNT_WORD = re.compile(rf"(^|[\W_])({COUNTED})($|[\W_])")
"""A name with such a word is a count if there is no other column but that of the time."""

WHOLE = re.compile(r"\s*\d+(\.0*)?\s*")

KLINE = ("open", "high", "low", "close")
"""The prices of a kline, also named by their first letters."""

NO_COUNT = re.compile(r"duration|latency|concurren|bytes|utili[sz]ation|percent|(?-i:Age(?![a-z]))", re.IGNORECASE)
"""Metrics whose sum counts nothing. Source: AWS Lambda Developer Guide, "Types of metrics for Lambda functions"."""

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

LABELS = ("full label", "label")

METADATA = (*LABELS, "account id", "region", "period", "statistic", "unit", "id", "namespace")

SORT = "sort it by time; if an hour repeats at the end of daylight saving time, write UTC or an offset"


def recognise(rest: Iterator[Line]) -> tuple[Rows, bool]:
    """Return the rows in the lines of a file, and whether they are counts per interval instead of single webhooks.

    Raises UnreadableTrace if the file is empty or has an unknown format.
    """
    first = next(rest, None)
    if first is None:
        raise fault("it has no rows", "record at least a minute of webhooks")
    every, text = chain([first], rest), first[1].lstrip()
    if text.startswith("["):
        raise fault("it is a JSON array", "write one object per line: jq -c '.[]' FILE")
    if text.startswith("{"):
        entry = _parsed(text)
        if not isinstance(entry, dict) or {"MetricDataResults", "Datapoints"} & {*entry}:
            return _metric(every), True
        return _entries(every)
    if LOGGED.search(text):
        return _sorted(_log(every)), False
    return _table(every)


# Access logs and JSON lines.


def _log(rows: Iterator[Line]) -> Rows:
    for number, line in rows:
        found = LOGGED.search(line)
        if not found:
            what = f"line {number} has no time such as [01/Jan/2026:00:00:00 +0000]"
            raise fault(what, "remove the line, or correct it")
        yield number, time_s(number, found[1]), 1


def _entries(rows: Iterator[Line]) -> tuple[Rows, bool]:
    """Read JSON lines like a table whose columns are the keys of the first line."""
    entries = _json_lines(rows)
    sample = list(islice(entries, SAMPLE_ROWS))
    keys = [key for key in sample[0][2] if key not in (*LOG_KEYS, *LOG_KEYS_MORE)]
    times = [at_s for _, at_s, _ in sample]
    every = chain(sample, entries)
    if (counted := _counted(keys, times)) is not None:
        name = keys[counted]
        return ((line, at_s, count(line, str(entry.get(name, "")))) for line, at_s, entry in every), True
    _require_webhooks([(key, [str(entry.get(key, "")) for *_, entry in sample]) for key in keys], times)
    return _sorted((line, at_s, 1) for line, at_s, _ in every), False


def _json_lines(rows: Iterator[Line]) -> Iterator[tuple[int, float, dict[str, Any]]]:
    for number, line in rows:
        entry = _parsed(line)
        if not isinstance(entry, dict):
            raise fault(f"line {number} is not a JSON object", "write one object per line")
        key = next((key for key in (*LOG_KEYS, *LOG_KEYS_MORE) if key in entry), None)
        if key is None:
            raise fault(f"line {number} has no time", f"write it under one of {', '.join(LOG_KEYS)}")
        yield number, time_s(number, str(entry[key])), entry


def _sorted(webhooks: Rows) -> Rows:
    """Yield webhooks in order. The lines may be out of order by up to MAX_UNSORTED."""
    waiting = sorted((at_s, number) for number, at_s, _ in islice(webhooks, MAX_UNSORTED))  # A sorted list is a heap.
    last_s = -math.inf
    for number, at_s, _ in webhooks:
        found_s, line = heappushpop(waiting, (at_s, number))
        if found_s < last_s:
            raise fault(f"line {line} is {last_s - found_s:g} s before an earlier line", SORT)
        last_s = found_s
        yield line, found_s, 1
    yield from ((line, at_s, 1) for at_s, line in sorted(waiting))


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# CloudWatch's JSON.


def _metric(rows: Iterator[Line]) -> Rows:
    """Read the output of `aws cloudwatch get-metric-data` or `get-metric-statistics`."""
    text, size = [], 0
    for _, line in rows:
        size += len(line)
        if size > MAX_DOCUMENT:
            raise fault(f"it is a JSON document of more than {MAX_DOCUMENT:,} characters", "export a part of it")
        text.append(line)
    document, statistic = _parsed("".join(text)), ""
    try:
        if "Datapoints" in document:
            document, statistic = _as_results(document)
        results = metric_data.results(document)
    except (AttributeError, KeyError, TypeError):
        remedy = "name the output of aws cloudwatch get-metric-data, or write one JSON object per line"
        raise fault("it is JSON, but not an export of CloudWatch", remedy) from None
    except ValueError as error:
        raise fault(str(error), metric_data.AGAIN) from None
    _require_counts([result.label for result in results], statistic)
    for result in results:
        if result.faults:
            raise fault(f"{result.id}: {result.faults[0]}", metric_data.AGAIN)
        for row, (at_s, value) in enumerate(sorted(result.values.items()), 1):
            yield row, at_s, count(row, str(value))


def _as_results(document: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the output of `get-metric-statistics` in the form of `get-metric-data`, and its statistic."""
    points = document["Datapoints"]
    key = next((key for key in ("Sum", "SampleCount") if points and key in points[0]), "")
    if points and not key:
        raise fault("it has no Sum", "export it with --statistics Sum")
    times, values = ([point[name] for point in points] for name in ("Timestamp", key))
    label = document.get("Label", "")
    return {"MetricDataResults": [{"Id": label, "Timestamps": times, "Values": values}]}, key


def _require_counts(labels: list[str], statistic: str) -> None:
    """Raise UnreadableTrace unless the labels are of a single metric that counts."""
    if len(labels) > 1:
        raise fault(f"it has several metrics: {', '.join(labels)[:200]}", "export only the metric of the webhooks")
    for label in labels:
        if NO_COUNT.search(label) and "samplecount" not in (label + statistic).lower().replace(" ", ""):
            raise fault(f"{label[:100]} is no count", "export the metric Invocations or Count, with its Sum")


# CSV, with commas, semicolons or tabs.


def _table(rest: Iterator[Line]) -> tuple[Rows, bool]:
    first = next(rest)
    bare = re.sub('"[^"]*"', "", first[1])
    rows = _without_metadata(_split(chain([first], rest), delimiter=max(";\t,", key=bare.count)))
    number, cells = next(rows, (0, []))
    names: list[str] = []
    if not any(map(_is_value, cells)):
        names = cells
        number, cells = next(rows, (0, []))
        if not cells:
            raise fault("it has column names but no rows", "record at least a minute of webhooks")
    every = _of_width(chain([(number, cells)], rows), len(names) or len(cells))
    sample = list(islice(every, SAMPLE_ROWS))
    every = chain(sample, every)
    if len(sample[0][1]) == 1:
        return _column(names, sample, every)
    at, counted = _named_columns(names, sample) if names else _columns(sample)
    if counted is not None:
        return ((line, time_s(line, row[at]), count(line, row[counted])) for line, row in every), True
    if not names and all(_is_kline(row[at + 1 : at + 5]) for _, row in sample):
        what = "its rows look like klines, but no column of counts is known"
        raise fault(what, 'name the columns in the first line, one of them "count"')
    others = [
        (names[column] if names else f"column {column + 1}", [row[column] for _, row in sample])
        for column in range(len(sample[0][1]))
        if column != at
    ]
    _require_webhooks(others, [time_s(line, row[at]) for line, row in sample])
    return ((line, time_s(line, row[at]), 1) for line, row in every), False


def _split(rest: Iterator[Line], delimiter: str) -> Iterator[Cells]:
    """Yield the cells of each line. A quoted cell must not span lines."""
    for number, line in rest:
        if '"' not in line:
            yield number, line.rstrip("\r\n").split(delimiter)
            continue
        try:
            (cells,) = csv.reader([line], delimiter=delimiter, strict=True)
        except csv.Error as error:
            raise fault(f"line {number} is not CSV ({error})", "correct its quotation marks") from None
        yield number, cells


def _without_metadata(rows: Iterator[Cells]) -> Iterator[Cells]:
    """Skip the lines that CloudWatch's console writes above its rows. Raises UnreadableTrace if it has no sums."""
    labels: list[str] = []
    statistic = ""
    for number, cells in rows:
        name = cells[0].strip().lower()
        is_header = name not in LABELS and any(map(TIME_NAME.search, cells[1:]))
        if name not in METADATA or len(cells) == 1 or is_header:
            _require_counts(labels, statistic)
            yield number, cells
            break
        if name in LABELS:
            labels = cells[1:]
        if name == "statistic":
            statistic = cells[1].strip()
            if statistic.lower() not in ("sum", "samplecount", "sample count"):
                what = f"line {number}: the statistic is {statistic[:40]}"
                raise fault(what, "export the metric with the statistic Sum")
    yield from rows


def _of_width(rows: Iterator[Cells], width: int) -> Iterator[Cells]:
    for number, cells in rows:
        if len(cells) != width:
            raise fault(f"line {number} has {counted(len(cells), 'column')}, not {width}", "correct it")
        yield number, cells


def _column(names: Sequence[str], sample: Sequence[Cells], rows: Iterator[Cells]) -> tuple[Rows, bool]:
    """Read a lone column: counts or times by its name. Numbers without a clear name may be either."""
    name = _name(names[0]) if names else ""
    if not all(_is_moment(cell) for _, (cell,) in sample):
        if (COUNT_NAME.fullmatch(name) or COUNT_WORD.search(name)) and "trades" not in name:
            return ((line, row * MINUTE_S, count(line, cell)) for row, (line, (cell,)) in enumerate(rows)), True
        if not TIME_NAME.search(name) and all(re.fullmatch(r"\s*\d{1,9}(\.\d*)?\s*", cell) for _, (cell,) in sample):
            what = f"line {sample[0][0]} begins a column of numbers, which may be times or counts"
            raise fault(what, "name the column in the first line: time (in seconds) or count (per minute)")
    return ((line, time_s(line, cell), 1) for line, (cell,) in rows), False


def _columns(sample: Sequence[Cells]) -> tuple[int, int | None]:
    """Return the columns of time and count where no header names them; no count if each row is one webhook."""
    number, cells = sample[0]
    moments = [column for column, cell in enumerate(cells) if _is_moment(cell)]
    if len(cells) == 2 and 0 in moments and (1 in moments or not _is_value(cells[1])):
        return 0, None
    for at, count_at in LAYOUTS.get(len(cells), ()):
        if count_at not in moments and (at in moments or len(cells) == 2):
            return at, count_at
    if not moments:
        raise fault(f"line {number} has no time in {len(cells)} columns", 'name the columns "time" and "count"')
    return moments[0], None


def _named_columns(names: Sequence[str], sample: Sequence[Cells]) -> tuple[int, int | None]:
    """Return the columns of time and count by their names; no count if each row is one webhook."""
    number, cells = sample[0]
    moments = [column for column, cell in enumerate(cells) if _is_moment(cell)]
    timed = [column for column, name in enumerate(names) if TIME_NAME.search(name)]
    at = next(iter([*(column for column in timed if column in moments), *moments, *timed]), None)
    if at is None:
        what = f"line {number} has no time in its columns {', '.join(names)[:200]}"
        raise fault(what, 'name the columns "time" and "count"')
    others = [column for column in range(len(names)) if column != at]
    counted = _counted([names[column] for column in others], [time_s(line, row[at]) for line, row in sample])
    return at, None if counted is None else others[counted]


def _counted(names: Sequence[str], times: Sequence[float]) -> int | None:
    """Return the one name of a count among the columns beside the time; None if each row is one webhook.

    In a log, whose rows are closer together than a minute, a column such as `value` may hold anything.
    """
    plain = [_name(name) for name in names]
    is_log = len(names) > 1 and any(later - earlier < MINUTE_S / 2 for earlier, later in pairwise(times))
    counted = [
        place
        for place, name in enumerate(plain)
        if COUNT_NAME.fullmatch(name) and not (is_log and re.fullmatch("sum|values?", name))
    ]
    if not counted and len(plain) == 1 and COUNT_WORD.search(plain[0]):
        return 0
    if len(counted) > 1:
        what = f"it has several columns that may be counts: {', '.join(names[place] for place in counted)[:200]}"
        raise fault(what, "keep only one of them")
    if not counted and all(any(re.match(rf"{side}|{side[0]}$", name) for name in plain) for side in KLINE):
        remedy = "export them with their number of trades, or keep only the times if each row is one webhook"
        raise fault("it has klines, but no column of counts", remedy)
    return counted[0] if counted else None


def _require_webhooks(others: Sequence[tuple[str, list[str]]], times: Sequence[float]) -> None:
    """Raise UnreadableTrace if rows are intervals: whole minutes apart, with whole numbers in another column.

    `others` are the names and cells of the other columns.
    """
    gaps = [later - earlier for earlier, later in pairwise(times)]
    if gaps and all(gap_s > 0 and gap_s % MINUTE_S == 0 for gap_s in gaps):
        whole = [name for name, cells in others if all(WHOLE.fullmatch(cell) for cell in cells)]
        if whole:
            columns = ", ".join(whole)[:200]
            what = f"its rows are whole minutes apart, but none of these columns is named as a count: {columns}"
            raise fault(what, 'name the column of counts "count", or keep only the times of webhooks')


def _is_kline(cells: Sequence[str]) -> bool:
    """Return whether four cells are prices with the highest and the lowest in the place of a kline's."""
    try:
        prices = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(prices) == 4 and (max(prices), min(prices)) in ((prices[1], prices[2]), (prices[1], prices[0]))


def _name(name: str) -> str:
    return re.sub(r"[\s.]+", "_", name.strip().lower())


# Cells.


def time_s(number: int, cell: str) -> float:
    """Return a time in seconds. A number has the unit that its size implies. Raises UnreadableTrace."""
    try:
        found = float(cell)
    except ValueError:
        moment = _calendar_s(cell)
        if moment is None:
            raise fault(f"line {number}: {cell.strip()[:40]!r} is not a time", "write seconds or ISO 8601") from None
        return moment
    if 0 <= found < math.inf:
        return found if found < UNITS[-1][0] else _in_seconds(found)
    raise fault(f"line {number}: {cell.strip()[:40]} is not a time", "write seconds (0 or more) or ISO 8601")


def _in_seconds(number: float) -> float:
    return next((number / per_s for least, per_s in UNITS if number >= least), number)


@lru_cache(maxsize=4096)
def _calendar_s(cell: str) -> float | None:
    """Return a date in seconds since 1970, in UTC unless it has a zone; None if it is no date."""
    text = cell.strip().removesuffix(" UTC")
    iso = re.sub(r"^(\d{4})[-/](\d\d?)[-/](\d\d?)D?(?=.?\d|$)", _iso_date, text)
    for form in ("", *DATES):
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(iso)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            continue
    return None


def _iso_date(date: re.Match[str]) -> str:
    separator = "T" if date[0].endswith("D") else ""
    return f"{date[1]}-{int(date[2]):02}-{int(date[3]):02}{separator}"


def count(number: int, cell: str) -> int:
    """Return a cell as a count, also if it is written as 55.0 or 1,800. Raises UnreadableTrace."""
    text = cell.strip()
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.0*)?", text):
        text = text.replace(",", "")
    try:
        found = float(re.sub(r",(?=0*$)", ".", text))
    except ValueError:
        found = -1.0
    if not (0 <= found < 2**40 and found == int(found)):
        raise fault(f"line {number}: {text[:40]!r} is not a count", "write a whole number, 0 or more")
    return int(found)


def _is_value(cell: str) -> bool:
    """Return whether a cell is data and not a column name."""
    return bool(re.match(r"\s*[+-]?(\.?\d|nan$|inf$)", cell, re.IGNORECASE)) or _calendar_s(cell[:60]) is not None


def _is_moment(cell: str) -> bool:
    """Return whether a cell is a date, or a number that is a time since 1970."""
    try:
        return EPOCHS_S[0] <= _in_seconds(float(cell)) < EPOCHS_S[1]
    except ValueError:
        return _calendar_s(cell[:60]) is not None
