"""One dashboard: what comes in, what goes out, how much of each reservation is in use, how late things are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from troposphere import AWSObject, Sub
from troposphere.cloudwatch import Dashboard

from generator.capacity.sizing import CHECK_ALERTS, PROCESS_WEBHOOK, SEND_NOTIFICATION
from generator.stack import names


def resources() -> list[AWSObject]:
    """The dashboard, without a name of its own."""
    body = {"widgets": list(_widgets())}
    return [Dashboard("Dashboard", DashboardBody=Sub(json.dumps(body, separators=(",", ":"))))]


def _widgets() -> Iterable[dict[str, Any]]:
    counts = (("Stored", PROCESS_WEBHOOK), ("AlertsFired", CHECK_ALERTS), ("Sent", SEND_NOTIFICATION))
    yield _widget(
        "Prices stored, alerts fired, SMS sent", "Sum", *(_own(metric, function) for metric, function in counts)
    )
    for metric, statistic in (("ConcurrentExecutions", "Maximum"), ("Errors", "Sum")):
        first, *others = names.FUNCTIONS
        yield _widget(metric, statistic, _lambda(metric, first), *(["...", f"${{{name}}}"] for name in others))
    lateness = (_lambda("IteratorAge", CHECK_ALERTS), _lambda("AsyncEventAge", SEND_NOTIFICATION))
    yield _widget("Lateness (ms)", "Maximum", *lateness, _own("LatencyMs", SEND_NOTIFICATION))


def _widget(title: str, statistic: str, *metrics: list[str]) -> dict[str, Any]:
    """Three dots repeat all but the last of the line before."""
    properties = {"title": title, "region": "${AWS::Region}", "stat": statistic, "metrics": metrics}
    return {"type": "metric", "width": 12, "properties": properties}


def _lambda(metric: str, function: str) -> list[str]:
    return ["AWS/Lambda", metric, "FunctionName", f"${{{function}}}"]


def _own(metric: str, function: str) -> list[str]:
    """What the handlers print in CloudWatch's embedded metric format."""
    return ["PriceAlerts", metric, "Function", f"${{{function}}}"]
