"""At most 16 alarms on plain metrics: each says that somebody must look.

Throttles within the target are no reason to: they may be as many as the sizing tolerates. The concurrency alarm is an
early warning: it is on while traffic stays at the peak that was planned for, or goes beyond.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from troposphere import GetAtt, Ref, Sub
from troposphere.cloudwatch import Alarm, MetricDimension

from generator.capacity.sizing import (
    CHECK_ALERTS,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    THROTTLE_ALARM_PERIOD_S,
    Sizing,
)
from generator.config.schema import Environment
from generator.stack import names
from generator.stack.ingest import STAGE_NAME

CONCURRENCY_ALARM_SHARE = 0.8
CONCURRENCY_ALARM_FROM = 5
"""Below that, 80 % is all but one, which a healthy function reaches by chance."""

ITERATOR_AGE_MS = 60_000
"""A minute behind is late for an alert, and 1/60 of what the mapping drops."""

ASYNC_AGE_MS = 300_000
"""Past both of Lambda's retries, so something is stuck rather than slow."""

SMS_SPEND_SHARE = 0.8

QUIET_IS_GOOD = {"TreatMissingData": "notBreaching"}
"""These metrics are silent where nothing runs, and an alarm should then go back to OK."""


def resources(environment: Environment, sizing: Sizing) -> list[Alarm]:
    """Alarms by symptom, in the order of a webhook's way through the stack."""
    return [
        *_functions(sizing.tolerated_throttles),
        *_concurrency(sizing[PROCESS_WEBHOOK].reserved_concurrency),
        *_lateness(),
        *_dead_letters(),
        *_services(environment.operations.sms_monthly_spend_usd, sizing.tolerated_throttles),
    ]


def _functions(tolerated_throttles: int) -> list[Alarm]:
    errors = [_lambda(function, "Errors", "Sum", 0) for function in names.FUNCTIONS]
    return [*errors, _lambda(PROCESS_WEBHOOK, "Throttles", "Sum", tolerated_throttles)]


def _concurrency(reserved: int | None) -> list[Alarm]:
    """Webhooks only: the stream's lanes are meant to be all in use, and notifications may queue."""
    if reserved is None or reserved < CONCURRENCY_ALARM_FROM:
        return []
    threshold = round(reserved * CONCURRENCY_ALARM_SHARE, 1)
    sustained = {"DatapointsToAlarm": 3, "EvaluationPeriods": 5, "Period": 60}
    return [_lambda(PROCESS_WEBHOOK, "ConcurrentExecutions", "Maximum", threshold, **sustained)]


def _lateness() -> list[Alarm]:
    return [
        _lambda(CHECK_ALERTS, "IteratorAge", "Maximum", ITERATOR_AGE_MS),
        _lambda(SEND_NOTIFICATION, "AsyncEventAge", "Maximum", ASYNC_AGE_MS),
        _lambda(SEND_NOTIFICATION, "AsyncEventsDropped", "Sum", 0),
    ]


def _dead_letters() -> Iterable[Alarm]:
    for queue in (names.STREAM_FAILURE_QUEUE, names.ASYNC_FAILURE_QUEUE):
        dimensions = {"QueueName": GetAtt(queue, "QueueName")}
        yield _alarm(f"{queue}Alarm", "AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, "Maximum", 0)


def _services(sms_monthly_spend_usd: float, tolerated_throttles: int) -> list[Alarm]:
    """For DynamoDB, CloudWatch ignores missing data in any case. Source: CloudWatch API reference, PutMetricAlarm.

    To a sender each of Lambda's throttles is a 503.
    """
    api = {"ApiName": Sub(names.API_NAME), "Stage": STAGE_NAME}
    history = {"TableName": Ref(names.PRICE_HISTORY_TABLE)}
    index = {"TableName": Ref(names.PRICE_ALERTS_TABLE), "GlobalSecondaryIndexName": names.ALERTS_INDEX}
    spend_usd = round(sms_monthly_spend_usd * SMS_SPEND_SHARE, 2)
    return [
        _alarm("WebhookApiErrorsAlarm", "AWS/ApiGateway", "5XXError", api, "Sum", tolerated_throttles, **QUIET_IS_GOOD),
        _alarm("PriceHistoryThrottlesAlarm", "AWS/DynamoDB", "WriteThrottleEvents", history, "Sum", 0),
        _alarm("PriceAlertsThrottlesAlarm", "AWS/DynamoDB", "ReadThrottleEvents", index, "Sum", 0),
        _alarm("SmsSpendAlarm", "AWS/SNS", "SMSMonthToDateSpentUSD", {}, "Maximum", spend_usd),
    ]


def _lambda(function: str, metric: str, statistic: str, threshold: float, **evaluation: int) -> Alarm:
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
    """Above the threshold in one period of five minutes, unless `evaluation` says otherwise."""
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
