"""Read the answers of CloudWatch's GetMetricData, live or as `aws cloudwatch get-metric-data` writes them."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

VALUE_BELOW = 1e15
"""Far above any count or time of a function. Sums and squares of smaller values stay exact enough."""

SECONDS_BELOW = 1e11
"""A time from this number on is in milliseconds since 1970, not in seconds."""

AGAIN = "export all of it again, without --no-paginate and --max-items"


@dataclass(slots=True)
class MetricResult:
    """The points of one query by their times, in seconds since 1970. `faults` describes points that are wrong."""

    id: str
    label: str
    status: str = ""
    values: dict[int, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def results(answer: Mapping[str, Any], wanted: Container[str] | None = None) -> list[MetricResult]:
    """Return the results with points, only those with the wanted ids.

    The results of several pages are joined: the AWS CLI writes them one after the other, and all but the last have the
    status PartialData. Source: Amazon CloudWatch API reference, MetricDataResult. Raises ValueError if the answer has
    no results, or more pages.
    """
    entries = answer.get("MetricDataResults")
    if not isinstance(entries, list):
        raise ValueError("it has no MetricDataResults")
    if answer.get("NextToken"):
        raise ValueError("it is one page of several")
    found: dict[str, MetricResult] = {}
    for entry in entries:
        id_ = entry.get("Id", "") if isinstance(entry, dict) else None
        if not isinstance(id_, str) or not (wanted is None or id_ in wanted):
            continue
        result = found.setdefault(id_, MetricResult(id_, str(entry.get("Label") or id_)))
        result.status = str(entry.get("StatusCode") or "Complete")
        try:
            result.values.update(_points(entry))
        except ValueError as error:
            result.faults.append(str(error))
    for result in found.values():
        if result.status != "Complete":
            result.faults.append(f"it is not complete (its status is {result.status[:40]})")
    return [result for result in found.values() if result.values or result.faults]


def _points(result: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    times, values = result.get("Timestamps"), result.get("Values")
    if not isinstance(times, list) or not isinstance(values, list) or len(times) != len(values):
        raise ValueError("it needs as many Timestamps as Values")
    for time, value in zip(times, values, strict=True):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < VALUE_BELOW:
            raise ValueError(f"{str(value)[:40]} is not a number of 0 or more, below 10^15")
        yield _time_s(time), float(value)


def _time_s(time: object) -> int:
    seconds = math.nan
    try:
        moment = datetime.fromisoformat(time) if isinstance(time, str) else time
        if isinstance(moment, datetime):
            seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        elif isinstance(moment, int | float) and not isinstance(moment, bool):
            seconds = moment if moment < SECONDS_BELOW else moment / 1000
    except (ValueError, OverflowError):
        pass
    if 0 <= seconds < SECONDS_BELOW:
        return int(seconds)
    raise ValueError(f"{str(time)[:40]} is not a time in ISO 8601 or in seconds since 1970")
