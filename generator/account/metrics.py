"""Request the CloudWatch metrics of a deployed stack's functions, and read the answer or an export of it."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from generator import aws
from generator.account.connection import Unavailable, Unfinished, document, statement
from generator.account.live_stack import LiveStack, find_stack
from generator.capacity.sizing import CHECK_ALERTS, PROCESS_WEBHOOK, SEND_NOTIFICATION, SETTINGS
from generator.errors import Fault, UnreadableMetrics
from generator.simulation import metric_data
from generator.stack.names import log_group
from generator.template.intrinsics import Json

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400

MAX_EXPORT_BYTES = 16 << 20
"""Two weeks of all metrics are about 3 MB."""

MAX_SPAN_S = 455 * DAY_S
"""Source: Amazon CloudWatch User Guide, "Metrics retention": points of an hour are kept for 455 days."""

Points = Mapping[int, float]
"""The values of a metric by the start of their period, in seconds since 1970, in the order of time.

A period without an invocation has no point.
"""

EXPORT = "export it with the commands that `generator calibrate ENV --query` prints"

REPORTS_QUERY = 'filter @type = "REPORT" | fields @log, @duration, @initDuration | limit 10000'
"""Source: Amazon CloudWatch Logs User Guide, "Supported logs and discovered fields", Lambda."""

_QUERY_AGAIN = f"query: {REPORTS_QUERY}"

MIN_DURATION_MS, MAX_DURATION_MS = 0.5, 1000.0 * aws.MAX_FUNCTION_TIMEOUT_S
"""The shortest and the longest duration that a function can have, in milliseconds."""


class Metric(NamedTuple):
    """A metric of one function: its id in the request and in the answer."""

    logical_id: str
    name: str
    statistic: str
    period_s: int

    @property
    def id(self) -> str:
        """Function, metric and statistic as an id. CloudWatch requires a lower-case letter first.

        Source: Amazon CloudWatch API reference, MetricDataQuery, Id.
        """
        return f"{SETTINGS[self.logical_id]}_{self.name}_{self.statistic.replace('.', '_')}".lower()


def metrics(lateness_target: float) -> list[Metric]:
    """Return the metrics that a calibration needs.

    Webhooks are counted per minute, because the peak factor is that of a minute; CloudWatch keeps such points for 15
    days. The rest is hourly. The age of events is the percentile above which the target allows late notifications.
    Sources: AWS Lambda Developer Guide, "Types of metrics for Lambda functions"; Amazon CloudWatch User Guide, "Metrics
    retention".
    """
    metrics_ = [
        Metric(PROCESS_WEBHOOK, "Invocations", "Sum", MINUTE_S),
        Metric(PROCESS_WEBHOOK, "Throttles", "Sum", MINUTE_S),
        Metric(SEND_NOTIFICATION, "Errors", "Sum", HOUR_S),
        Metric(SEND_NOTIFICATION, "AsyncEventAge", f"p{100 * (1 - lateness_target):.6g}", HOUR_S),
        Metric(CHECK_ALERTS, "IteratorAge", "Maximum", HOUR_S),
    ]
    for logical_id in SETTINGS:
        if logical_id != PROCESS_WEBHOOK:
            metrics_.append(Metric(logical_id, "Invocations", "Sum", HOUR_S))
        metrics_ += [Metric(logical_id, "Duration", statistic, HOUR_S) for statistic in ("Average", "p95")]
    return metrics_


def request(wanted: Iterable[Metric], function_names: Mapping[str, str]) -> list[dict[str, object]]:
    """Return MetricDataQueries for functions with these names by logical id."""
    return [
        {
            "Id": metric.id,
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/Lambda",
                    "MetricName": metric.name,
                    "Dimensions": [{"Name": "FunctionName", "Value": function_names[metric.logical_id]}],
                },
                "Period": metric.period_s,
                "Stat": metric.statistic,
            },
        }
        for metric in wanted
    ]


SCRIPT_ACTIONS = (
    "cloudformation:DescribeStackResource",
    "cloudwatch:GetMetricData",
    "logs:GetQueryResults",
    "logs:StartQuery",
)
"""The permissions that the commands of `script` need. Source: AWS Service Authorization Reference."""


def script(wanted: Iterable[Metric], region: str, stack: str, days: int) -> str:
    """Return shell commands that look up the functions' names and write metrics.json and reports.json.

    Times are seconds since 1970, because `date` of macOS and of Linux share no option for another day.
    """
    variables = {logical_id: f"@{logical_id}@" for logical_id in SETTINGS}
    queries = re.sub("@(.*?)@", "'\"$\\1\"'", json.dumps(request(wanted, variables)))
    groups = [log_group(logical_id) for logical_id in SETTINGS]
    lookup = f"aws cloudformation describe-stack-resource --region {region} --stack-name {stack}"
    names = "\n".join(
        f"{name}=$({lookup} --logical-resource-id {name} --query StackResourceDetail.PhysicalResourceId --output text)"
        for name in (*SETTINGS, *groups)
    )
    return f"""\
{names}
now=$(date +%s); hour=$((now - now % 3600))
aws cloudwatch get-metric-data --region {region} --output json \\
  --start-time $((hour - {days * DAY_S})) --end-time $hour \\
  --metric-data-queries '{queries}' > metrics.json
query=$(aws logs start-query --region {region} --query queryId --output text \\
  --log-group-names {" ".join(f"${group}" for group in groups)} \\
  --start-time $((now - {DAY_S})) --end-time $now \\
  --query-string '{REPORTS_QUERY}')
sleep 30; aws logs get-query-results --region {region} --query-id $query --output json > reports.json"""


def from_answer(wanted: Iterable[Metric], answer: Mapping[str, Any], where: str) -> dict[str, Points]:
    """Return the points in an answer of GetMetricData by the ids of their metrics.

    Raises UnreadableMetrics with every fault: a wrong unit, an incomplete answer, points between the periods.
    """
    metric_by_id = {metric.id: metric for metric in wanted}
    try:
        results = metric_data.results(answer, metric_by_id)
    except ValueError as error:
        raise _unreadable(where, str(error), EXPORT) from None
    faults = [Fault(f"{where}: {result.id}", what, metric_data.AGAIN) for result in results for what in result.faults]
    for result in results:
        if what := _wrong_point(metric_by_id[result.id], result.values):
            faults.append(Fault(f"{where}: {result.id}", what, EXPORT))
    if faults:
        raise UnreadableMetrics(faults)
    if not results:
        raise _unreadable(where, "none of its results has points and an id of these metrics", EXPORT)
    times = [time for result in results for time in result.values]
    if max(times) - min(times) > MAX_SPAN_S:
        raise _unreadable(where, "it spans more than 455 days", "export the last two weeks")
    return {result.id: dict(sorted(result.values.items())) for result in results}


def live(wanted: Sequence[Metric], stack: LiveStack, days: int) -> dict[str, Points]:
    """Return the points of the last days, in whole hours, from CloudWatch. Raises Unavailable or UnreadableMetrics."""
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    queries = request(wanted, {logical_id: stack.physical_id(logical_id) for logical_id in SETTINGS})
    question = {"MetricDataQueries": queries, "StartTime": end - timedelta(days=days), "EndTime": end}
    try:
        answer = stack.account.request("cloudwatch", "GetMetricData", all_pages=True, **question)
    except Unfinished as error:
        raise Unavailable(error.reason, "ask for fewer --days, or check the endpoint") from error
    return from_answer(wanted, answer, f"the metrics of {stack.name}")


def policy(region: str, stack_name: str) -> dict[str, Json]:
    """Return the least IAM policy for a calibration. Raises UnreachableAccount if AWS has no such Region.

    GetMetricData allows no resources. Source: AWS Service Authorization Reference, Amazon CloudWatch.
    """
    return document(find_stack(region, stack_name), statement(["cloudwatch:GetMetricData"], ["*"]))


def read_export(wanted: Iterable[Metric], path: Path) -> dict[str, Points]:
    """Read a file that `aws cloudwatch get-metric-data` has written. Raises UnreadableMetrics with every fault."""
    document = _parsed(_text(path), path)
    return from_answer(wanted, document if isinstance(document, dict) else {}, str(path))


def _wrong_point(metric: Metric, points: Points) -> str:
    """Return what is wrong with the first point that lies between the periods or can only have another unit."""
    for time, value in points.items():
        if time % metric.period_s:
            return f"{utc(time)} is not the start of a period of {metric.period_s} s"
        if metric.statistic == "Sum" and value != int(value):
            return f"{value} is not a count; the unit of {metric.name} is Count, not Count/Second"
        if metric.name == "Duration" and not MIN_DURATION_MS <= value <= MAX_DURATION_MS:
            return f"{value} cannot be a duration in milliseconds; the values seem to have another unit"
    return ""


def read_reports(path: Path) -> dict[str, list[float | None]]:
    """Read REPORT lines that Logs Insights exported as JSON or CSV, by the logical id of the function.

    Returns the initialisation time of each run in milliseconds; None for a run that did not start cold.
    Raises UnreadableMetrics.
    """
    runs: dict[str, list[float | None]] = {logical_id: [] for logical_id in SETTINGS}
    for number, row in enumerate(_report_rows(path), 1):
        logical_id = next((id_ for id_ in SETTINGS if log_group(id_) in row.get("@log", "")), None)
        init = row.get("@initDuration", "").strip()
        if logical_id is None:
            raise _unreadable(path, f"row {number} has no @log with a log group of the stack", _QUERY_AGAIN)
        if init and not re.fullmatch(r"\d{1,9}(\.\d*)?", init):
            raise _unreadable(path, f"row {number}: {init[:40]!r} is not a duration in milliseconds", _QUERY_AGAIN)
        runs[logical_id].append(float(init) if init else None)
    return {logical_id: starts for logical_id, starts in runs.items() if starts}


def _report_rows(path: Path) -> Iterator[dict[str, str]]:
    text = _text(path)
    if not text.lstrip().startswith(("{", "[")):
        try:
            yield from csv.DictReader(io.StringIO(text), restval="", strict=True)
        except csv.Error as error:
            raise _unreadable(path, f"it is not CSV ({error})", "export the results again") from None
        return
    document = _parsed(text, path)
    if isinstance(document, list):  # As the console exports them.
        yield from ({name: str(value) for name, value in row.items()} for row in document if isinstance(row, dict))
        return
    if document.get("status", "Complete") != "Complete":
        what = f"the query has the status {str(document['status'])[:40]}"
        raise _unreadable(path, what, "wait until it is Complete, and export the results again")
    rows = document.get("results", [])
    for row in rows if isinstance(rows, list) else []:
        cells = row if isinstance(row, list) else []
        yield {str(cell.get("field")): str(cell.get("value", "")) for cell in cells if isinstance(cell, dict)}


def _parsed(text: str, path: Path) -> Any:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, f"it is not JSON ({str(error)[:80]})", EXPORT) from None
    if not isinstance(document, dict | list):
        raise _unreadable(path, "it is not a JSON object", EXPORT)
    return document


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_EXPORT_BYTES + 1)
        if len(content) > MAX_EXPORT_BYTES:
            raise _unreadable(path, f"it has more than {MAX_EXPORT_BYTES:,} bytes", "export a shorter time")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error), "name a file that can be read") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not text in UTF-8", EXPORT) from error


def utc(time_s: int) -> str:
    """Return a time as 2026-11-29 09:45 UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _unreadable(where: str | Path, what: str, remedy: str) -> UnreadableMetrics:
    return UnreadableMetrics([Fault(str(where), what, remedy)])
