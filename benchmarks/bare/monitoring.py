"""The alarms and the dashboard."""

from __future__ import annotations

import json
from typing import Any

from troposphere import AWSObject, GetAtt, Ref, Sub
from troposphere.cloudwatch import Alarm, Dashboard, MetricDimension

PROCESS, CHECK, SEND, CLEANUP = FUNCTIONS = ("ProcessWebhook", "CheckAlerts", "SendNotification", "CleanupHistory")


def resources() -> list[AWSObject]:
    """Every alarm, and the dashboard."""
    return [*function_alarms(), *service_alarms(), dashboard()]


def function_alarms() -> list[Alarm]:
    """The functions: errors, throttles, lateness."""
    busy = {"EvaluationPeriods": 5, "DatapointsToAlarm": 3, "Period": 60}
    return [
        *(function_alarm(name, "Errors", "Sum", 0) for name in FUNCTIONS),
        function_alarm(PROCESS, "Throttles", "Sum", 7),
        function_alarm(PROCESS, "ConcurrentExecutions", "Maximum", 16, **busy),
        function_alarm(CHECK, "IteratorAge", "Maximum", 60_000),
        function_alarm(SEND, "AsyncEventAge", "Maximum", 300_000),
        function_alarm(SEND, "AsyncEventsDropped", "Sum", 0),
    ]


def service_alarms() -> list[Alarm]:
    """The queues, the API, the tables and the money."""
    visible = "ApproximateNumberOfMessagesVisible"
    stream_queue = {"QueueName": GetAtt("StreamFailureQueue", "QueueName")}
    async_queue = {"QueueName": GetAtt("AsyncFailureQueue", "QueueName")}
    api = {"ApiName": Sub("price-alerts-${EnvironmentSuffix}"), "Stage": "v1"}
    history = {"TableName": Ref("PriceHistoryTable")}
    index = {"TableName": Ref("PriceAlertsTable"), "GlobalSecondaryIndexName": "CryptocurrencyIndex"}
    quiet = {"TreatMissingData": "notBreaching"}
    return [
        alarm("StreamFailureQueueAlarm", "AWS/SQS", visible, "Maximum", 0, stream_queue),
        alarm("AsyncFailureQueueAlarm", "AWS/SQS", visible, "Maximum", 0, async_queue),
        alarm("WebhookApiErrorsAlarm", "AWS/ApiGateway", "5XXError", "Sum", 7, api, **quiet),
        alarm("PriceHistoryThrottlesAlarm", "AWS/DynamoDB", "WriteThrottleEvents", "Sum", 0, history),
        alarm("PriceAlertsThrottlesAlarm", "AWS/DynamoDB", "ReadThrottleEvents", "Sum", 0, index),
        alarm("SmsSpendAlarm", "AWS/SNS", "SMSMonthToDateSpentUSD", "Maximum", 40),
    ]


def function_alarm(name: str, metric: str, statistic: str, threshold: float, **options: Any) -> Alarm:
    """An alarm on a metric of a function, quiet while nothing runs."""
    dimensions = {"FunctionName": Ref(f"{name}Function")}
    options = {"TreatMissingData": "notBreaching", **options}
    return alarm(f"{name}{metric}Alarm", "AWS/Lambda", metric, statistic, threshold, dimensions, **options)


def alarm(
    title: str,
    namespace: str,
    metric: str,
    statistic: str,
    threshold: float,
    dimensions: dict[str, Any] | None = None,
    **options: Any,
) -> Alarm:
    """An alarm that tells the operations topic; five minutes above the threshold unless the options differ."""
    options = {"EvaluationPeriods": 1, "Period": 300, **options}
    if dimensions:
        options["Dimensions"] = [MetricDimension(Name=name, Value=value) for name, value in dimensions.items()]
    return Alarm(
        title,
        AlarmActions=[Ref("OperationsTopic")],
        Namespace=namespace,
        MetricName=metric,
        Statistic=statistic,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=threshold,
        **options,
    )


def dashboard() -> Dashboard:
    """Four charts."""
    ids = [f"${{{name}Function}}" for name in FUNCTIONS]
    stored, fired, sent = (
        ["PriceAlerts", metric, "Function", function]
        for metric, function in zip(("Stored", "AlertsFired", "Sent"), ids, strict=False)
    )
    lateness = [
        ["AWS/Lambda", "IteratorAge", "FunctionName", ids[1]],
        ["AWS/Lambda", "AsyncEventAge", "FunctionName", ids[2]],
        ["PriceAlerts", "LatencyMs", "Function", ids[2]],
    ]
    widgets = [
        widget("Prices stored, alerts fired, SMS sent", "Sum", [stored, fired, sent]),
        widget("ConcurrentExecutions", "Maximum", each_function("ConcurrentExecutions", ids)),
        widget("Errors", "Sum", each_function("Errors", ids)),
        widget("Lateness (ms)", "Maximum", lateness),
    ]
    return Dashboard("Dashboard", DashboardBody=Sub(json.dumps({"widgets": widgets}, separators=(",", ":"))))


def each_function(metric: str, ids: list[str]) -> list[list[str]]:
    """One metric of all functions; three dots repeat what stands before."""
    first, *others = ids
    return [["AWS/Lambda", metric, "FunctionName", first], *(["...", other] for other in others)]


def widget(title: str, statistic: str, metrics: list[list[str]]) -> dict[str, Any]:
    """One chart."""
    properties = {"title": title, "region": "${AWS::Region}", "stat": statistic, "metrics": metrics}
    return {"type": "metric", "width": 12, "properties": properties}
