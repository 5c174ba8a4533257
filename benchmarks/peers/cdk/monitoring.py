"""The alarms and the dashboard."""

from __future__ import annotations

import json
from typing import Any

from aws_cdk import Fn, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from functions import Functions
from messaging import Channels
from storage import Storage


def alarms(stack: Stack, stored: Storage, channels: Channels, functions: Functions) -> None:
    """Every alarm tells the operations topic; five minutes above the threshold unless the options differ."""
    quiet = {"treat_missing_data": "notBreaching"}
    busy = {"evaluation_periods": 5, "datapoints_to_alarm": 3, "period": 60}

    def alarm(
        id: str,
        namespace: str,
        metric: str,
        statistic: str,
        threshold: float,
        dimensions: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        named = [
            cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in (dimensions or {}).items()
        ]
        cloudwatch.CfnAlarm(
            stack,
            id,
            alarm_actions=[channels.operations.ref],
            namespace=namespace,
            metric_name=metric,
            statistic=statistic,
            comparison_operator="GreaterThanThreshold",
            threshold=threshold,
            dimensions=named or None,
            **{"evaluation_periods": 1, "period": 300, **options},
        )

    def on(function: lambda_.CfnFunction, name: str, metric: str, statistic: str, threshold: float, **o: Any) -> None:
        dimensions = {"FunctionName": function.ref}
        alarm(f"{name}{metric}Alarm", "AWS/Lambda", metric, statistic, threshold, dimensions, **quiet, **o)

    on(functions.process, "ProcessWebhook", "Errors", "Sum", 0)
    on(functions.check, "CheckAlerts", "Errors", "Sum", 0)
    on(functions.send, "SendNotification", "Errors", "Sum", 0)
    on(functions.cleanup, "CleanupHistory", "Errors", "Sum", 0)
    on(functions.process, "ProcessWebhook", "Throttles", "Sum", 7)
    on(functions.process, "ProcessWebhook", "ConcurrentExecutions", "Maximum", 16, **busy)
    on(functions.check, "CheckAlerts", "IteratorAge", "Maximum", 60_000)
    on(functions.send, "SendNotification", "AsyncEventAge", "Maximum", 300_000)
    on(functions.send, "SendNotification", "AsyncEventsDropped", "Sum", 0)

    visible = "ApproximateNumberOfMessagesVisible"
    for id, queue in (("Stream", channels.stream_failures), ("Async", channels.async_failures)):
        name = {"QueueName": queue.attr_queue_name}
        alarm(f"{id}FailureQueueAlarm", "AWS/SQS", visible, "Maximum", 0, name)
    api = {"ApiName": Fn.sub("price-alerts-${EnvironmentSuffix}"), "Stage": "v1"}
    alarm("WebhookApiErrorsAlarm", "AWS/ApiGateway", "5XXError", "Sum", 7, api, **quiet)
    history = {"TableName": stored.history.ref}
    alarm("PriceHistoryThrottlesAlarm", "AWS/DynamoDB", "WriteThrottleEvents", "Sum", 0, history)
    index = {"TableName": stored.alerts.ref, "GlobalSecondaryIndexName": "CryptocurrencyIndex"}
    alarm("PriceAlertsThrottlesAlarm", "AWS/DynamoDB", "ReadThrottleEvents", "Sum", 0, index)
    alarm("SmsSpendAlarm", "AWS/SNS", "SMSMonthToDateSpentUSD", "Maximum", 40)


def dashboard(stack: Stack) -> None:
    """Four charts."""
    process, check, send, cleanup = (
        f"${{{name}Function}}" for name in ("ProcessWebhook", "CheckAlerts", "SendNotification", "CleanupHistory")
    )

    def each(metric: str) -> list[list[str]]:
        others = [["...", function] for function in (check, send, cleanup)]
        return [["AWS/Lambda", metric, "FunctionName", process], *others]

    def widget(title: str, statistic: str, metrics: list[list[str]]) -> dict[str, Any]:
        properties = {"title": title, "region": "${AWS::Region}", "stat": statistic, "metrics": metrics}
        return {"type": "metric", "width": 12, "properties": properties}

    counts = zip(("Stored", "AlertsFired", "Sent"), (process, check, send))
    lateness = [
        ["AWS/Lambda", "IteratorAge", "FunctionName", check],
        ["AWS/Lambda", "AsyncEventAge", "FunctionName", send],
        ["PriceAlerts", "LatencyMs", "Function", send],
    ]
    own = [["PriceAlerts", metric, "Function", function] for metric, function in counts]
    widgets = [
        widget("Prices stored, alerts fired, SMS sent", "Sum", own),
        widget("ConcurrentExecutions", "Maximum", each("ConcurrentExecutions")),
        widget("Errors", "Sum", each("Errors")),
        widget("Lateness (ms)", "Maximum", lateness),
    ]
    body = json.dumps({"widgets": widgets}, separators=(",", ":"))
    cloudwatch.CfnDashboard(stack, "Dashboard", dashboard_body=Fn.sub(body))
