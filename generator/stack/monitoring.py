"""Alarms and the dashboard.

Each alarm needs somebody's attention. Throttles within the target do not set off an alarm. The concurrency alarm is an
early warning while traffic stays at the planned peak or above.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from troposphere import AWSObject, GetAtt, Ref, Sub
from troposphere.cloudwatch import Alarm, Dashboard, MetricDimension

from generator.capacity.sizing import (
    CHECK_ALERTS,
    CLEANUP_HISTORY,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    THROTTLE_ALARM_PERIOD_S,
    Sizing,
)
from generator.config.schema import Environment
from generator.stack import names
from generator.stack.api import STAGE_NAME

CONCURRENCY_ALARM_SHARE = 0.8
CONCURRENCY_ALARM_FROM = 5
"""Below this reservation, 80 % is all instances but one, which a healthy function reaches by chance."""

ITERATOR_AGE_MS = 60_000
"""An alert one minute late is late, and the mapping drops records only after an hour."""

ASYNC_AGE_MS = 300_000
"""Longer than both of Lambda's retries take, so an event is stuck, not slow."""

SMS_SPEND_SHARE = 0.8

HANDLERS = "PriceAlerts"
"""Namespace of the metrics that the handlers print in CloudWatch's embedded metric format."""

QUIET_IS_GOOD: dict[str, Any] = {"TreatMissingData": "notBreaching"}
"""These metrics have no data while nothing runs, and an alarm must then return to OK."""


def resources(environment: Environment, sizing: Sizing) -> list[AWSObject]:
    """Return the alarms by symptom, in the order in which a webhook passes through the stack, and the dashboard."""
    return [
        *_function_alarms(sizing.tolerated_throttles),
        *_concurrency_alarm(sizing[PROCESS_WEBHOOK].reserved_concurrency),
        *_lateness_alarms(),
        *_failure_queue_alarms(),
        _unfireable_alarm(),
        *_service_alarms(environment.sms.monthly_budget_usd, sizing.tolerated_throttles),
        _dashboard(),
    ]


def _function_alarms(tolerated_throttles: int) -> list[Alarm]:
    errors = [_lambda_alarm(function, "Errors", "Sum", 0) for function in names.FUNCTIONS]
    return [*errors, _lambda_alarm(PROCESS_WEBHOOK, "Throttles", "Sum", tolerated_throttles)]


def _concurrency_alarm(reserved: int | None) -> list[Alarm]:
    """Return an alarm for webhooks only: stream lanes are meant to be all in use, and notifications may queue."""
    if reserved is None or reserved < CONCURRENCY_ALARM_FROM:
        return []
    threshold = round(reserved * CONCURRENCY_ALARM_SHARE, 1)
    sustained = {"DatapointsToAlarm": 3, "EvaluationPeriods": 5, "Period": 60}
    return [_lambda_alarm(PROCESS_WEBHOOK, "ConcurrentExecutions", "Maximum", threshold, **sustained)]


def _lateness_alarms() -> list[Alarm]:
    return [
        _lambda_alarm(CHECK_ALERTS, "IteratorAge", "Maximum", ITERATOR_AGE_MS),
        _lambda_alarm(SEND_NOTIFICATION, "AsyncEventAge", "Maximum", ASYNC_AGE_MS),
        _lambda_alarm(SEND_NOTIFICATION, "AsyncEventsDropped", "Sum", 0),
    ]


def _failure_queue_alarms() -> Iterable[Alarm]:
    for queue in (names.STREAM_FAILURE_QUEUE, names.ASYNC_FAILURE_QUEUE):
        dimensions = {"QueueName": GetAtt(queue, "QueueName")}
        yield _alarm(f"{queue}Alarm", "AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, "Maximum", 0)


def _unfireable_alarm() -> Alarm:
    """Return an alarm for armed alerts that no price can fire. CleanupHistoryFunction counts them once an hour."""
    dimensions = {"Function": Ref(CLEANUP_HISTORY)}
    hourly = {"Period": 3600} | QUIET_IS_GOOD
    return _alarm("UnfireableAlertsAlarm", HANDLERS, "Unfireable", dimensions, "Maximum", 0, **hourly)


def _service_alarms(sms_budget_usd: float, tolerated_throttles: int) -> list[Alarm]:
    """Return alarms on API Gateway, DynamoDB and SNS.

    The API alarm tolerates as many errors as throttles, because a sender gets a 503 for each throttle, be it of the
    function or of the price table.
    CloudWatch ignores missing data for DynamoDB in any case. Source: CloudWatch API reference, PutMetricAlarm.
    """
    api = {"ApiName": Sub(names.API_NAME), "Stage": STAGE_NAME}
    index = {"TableName": Ref(names.PRICE_ALERTS_TABLE), "GlobalSecondaryIndexName": names.ALERTS_INDEX}
    spend_usd = round(sms_budget_usd * SMS_SPEND_SHARE, 2)
    return [
        _alarm("WebhookApiErrorsAlarm", "AWS/ApiGateway", "5XXError", api, "Sum", tolerated_throttles, **QUIET_IS_GOOD),
        _alarm("PriceAlertsThrottlesAlarm", "AWS/DynamoDB", "ReadThrottleEvents", index, "Sum", 0),
        _alarm("SmsSpendAlarm", "AWS/SNS", "SMSMonthToDateSpentUSD", {}, "Maximum", spend_usd),
    ]


def _lambda_alarm(function: str, metric: str, statistic: str, threshold: float, **evaluation: int) -> Alarm:
    title = f"{function.removesuffix('Function')}{metric}Alarm"
    dimensions = {"FunctionName": Ref(function)}
    return _alarm(title, "AWS/Lambda", metric, dimensions, statistic, threshold, **QUIET_IS_GOOD, **evaluation)


def _alarm(
    title: str,
    namespace: str,
    metric: str,
    dimensions: dict[str, Any],
    statistic: str,
    threshold: float,
    **evaluation: Any,
) -> Alarm:
    """Return an alarm on a metric above the threshold in one period of five minutes; `evaluation` overrides that."""
    optional = {"Dimensions": [MetricDimension(Name=key, Value=value) for key, value in dimensions.items()]}
    return Alarm(
        title,
        AlarmActions=[Ref(names.OPERATIONS_TOPIC)],
        ComparisonOperator="GreaterThanThreshold",
        MetricName=metric,
        Namespace=namespace,
        Statistic=statistic,
        Threshold=threshold,
        **(optional if dimensions else {}),
        **({"EvaluationPeriods": 1, "Period": THROTTLE_ALARM_PERIOD_S} | evaluation),
    )


def _dashboard() -> Dashboard:
    """Return a dashboard of traffic. Each service's own pages show the rest."""
    metrics = [
        [HANDLERS, "Fresh", "Function", f"${{{PROCESS_WEBHOOK}}}"],
        [".", "AlertsFired", ".", f"${{{CHECK_ALERTS}}}"],
        [".", "Sent", ".", f"${{{SEND_NOTIFICATION}}}"],
    ]
    properties = {"region": "${AWS::Region}", "stat": "Sum", "metrics": metrics}
    body = {"widgets": [{"type": "metric", "width": 24, "properties": properties}]}
    return Dashboard("Dashboard", DashboardBody=Sub(json.dumps(body, separators=(",", ":"))))
