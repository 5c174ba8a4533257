"""Alarms and the dashboard.

Each alarm needs somebody's attention. Throttles within the target do not set off an alarm. The concurrency alarm is an
early warning while traffic stays at the planned peak or above.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from troposphere import AWSObject, GetAtt, Ref, Sub
from troposphere.cloudwatch import Alarm, Dashboard, MetricDimension

from generator._format import percent, usd
from generator.capacity import sms
from generator.capacity.sizing import (
    CHECK_ALERTS,
    CLEANUP_HISTORY,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    THROTTLE_ALARM_PERIOD_S,
    Sizing,
    tolerated_by_chance,
)
from generator.config.schema import Environment
from generator.stack import names
from generator.stack.api import STAGE_NAME

CONCURRENCY_ALARM_SHARE = 0.8
"""Threshold: share of ProcessWebhookFunction's reservation in use."""
CONCURRENCY_ALARM_FROM = 5
"""The smallest reservation with this alarm. With fewer, a healthy function may use all instances but one by chance."""

ITERATOR_AGE_MS = 60_000
"""Threshold: age of a stream record when CheckAlertsFunction gets it. `generator calibrate` compares with it too."""

ASYNC_AGE_MS = 300_000
"""Threshold: age of a notification when SendNotificationFunction gets it."""

SMS_SPEND_SHARE = 0.8
"""Threshold: share of the monthly SMS budget that is spent."""

MIN_SILENCE_MINUTES = 15
"""The shortest derived time without a fresh price that sets off an alarm."""
QUIET_SHARE = 0.1
"""Rate of a quiet night over the mean rate of the busiest hour."""
CHANCE_OF_SILENCE = 1e-6
"""Probability with which Poisson arrivals pause for that long in a quiet night."""

EXPECTED_REQUESTS, WRONG_REQUESTS_SHARE = 100, 0.01
"""Requests in a period of the alarm on 4XX answers, and the share of them that may be wrong."""

EXPECTED_SMS, INVALID_PERIODS = 5, 3
"""SMS in a period of the alarm on invalid numbers, and the periods in a row that must have no valid number."""

FAILED_SMS_SHARE, MIN_SMS_FAILURES, MIN_SMS_SUCCESS_RATE = 0.05, 3, 0.8
"""Share of planned SMS that may fail, the fewest failures that set off an alarm, and the lowest success rate.

Phones that are switched off fail too; one or two must not set off an alarm.
"""

HANDLER_NAMESPACE = "PriceAlerts"
"""Namespace of the metrics that the handlers print in CloudWatch's embedded metric format."""

QUIET_IS_GOOD: dict[str, Any] = {"TreatMissingData": "notBreaching"}
"""For metrics without data while nothing runs: the alarm returns to OK then."""

LONGEST_PERIOD_S = 8 * 3600
"""Three such periods are a day, the most that an alarm evaluates. Source: CloudWatch API reference, PutMetricAlarm."""

Reasoned = tuple[Alarm, str]
"""An alarm, and the reason for its threshold, which the review page prints."""

Source = tuple[str, dict[str, Any]]
"""The namespace and the dimensions of a metric."""


def resources(environment: Environment, sizing: Sizing) -> tuple[list[AWSObject], dict[str, str]]:
    """Return the alarms with the dashboard, and the reason for the threshold of each alarm by its logical id.

    There is no dashboard if the template needs its bytes for sources.
    """
    is_tight = environment.paths and not environment.deployment.upload_bucket
    alarms = list(_alarms(environment, sizing))
    dashboard = [] if is_tight else [_dashboard()]
    return [*(alarm for alarm, _ in alarms), *dashboard], {alarm.title: reason for alarm, reason in alarms}


def silence_minutes(environment: Environment) -> int:
    """Return the minutes without a fresh price that set off the alarm; 0 turns it off.

    Unless the environment states it, Poisson arrivals at the rate of a quiet night pause for so long once in a million
    times.
    """
    if environment.operations.silence_minutes >= 0:
        return environment.operations.silence_minutes
    gap_minutes = 60 / (environment.traffic.webhooks_per_hour * QUIET_SHARE)
    return max(MIN_SILENCE_MINUTES, math.ceil(-math.log(CHANCE_OF_SILENCE) * gap_minutes))


def _alarms(environment: Environment, sizing: Sizing) -> Iterator[Reasoned]:
    """Yield the alarms by symptom, in the order in which a webhook passes through the stack."""
    yield from _function_alarms(sizing)
    yield from _api_alarms(environment.traffic.webhooks_per_hour, sizing.tolerated_throttles)
    yield from _handler_alarms(environment)
    yield from _sms_alarms(sms.per_hour(environment), environment.sms.monthly_budget_usd)


def _function_alarms(sizing: Sizing) -> Iterator[Reasoned]:
    """Yield alarms on the functions and their failure queues.

    Only webhooks have one on concurrency: stream lanes are meant to be all in use, and notifications may queue.
    """
    for function in names.FUNCTIONS:
        why = "no error is expected: the handlers answer what they expect"
        yield _lambda_alarm(function, "Errors", "Sum", 0, why)
    why = "what the throttling target allows at the peak, plus three standard deviations"
    yield _lambda_alarm(PROCESS_WEBHOOK, "Throttles", "Sum", sizing.tolerated_throttles, why)
    reserved = sizing[PROCESS_WEBHOOK].reserved_concurrency or 0
    if reserved >= CONCURRENCY_ALARM_FROM:
        threshold = round(reserved * CONCURRENCY_ALARM_SHARE, 1)
        sustained = {"DatapointsToAlarm": 3, "EvaluationPeriods": 5, "Period": 60}
        why = f"{percent(CONCURRENCY_ALARM_SHARE)} of the reservation: an early warning"
        yield _lambda_alarm(PROCESS_WEBHOOK, "ConcurrentExecutions", "Maximum", threshold, why, **sustained)
    why = "an alert that is a minute late is late"
    yield _lambda_alarm(CHECK_ALERTS, "IteratorAge", "Maximum", ITERATOR_AGE_MS, why)
    why = "longer than both of Lambda's retries take, so an event is stuck, not slow"
    yield _lambda_alarm(SEND_NOTIFICATION, "AsyncEventAge", "Maximum", ASYNC_AGE_MS, why)
    for queue in (names.STREAM_FAILURE_QUEUE, names.ASYNC_FAILURE_QUEUE):
        source = "AWS/SQS", {"QueueName": GetAtt(queue, "QueueName")}
        why = "an event in it has failed for good"
        yield _alarm(f"{queue}Alarm", source, "ApproximateNumberOfMessagesVisible", "Maximum", 0, why)


def _api_alarms(webhooks_per_hour: int, tolerated: int) -> Iterator[Reasoned]:
    """Yield alarms on answers. A sender gets a 503 for each throttle of the function and of the price table."""
    api = "AWS/ApiGateway", {"ApiName": Sub(names.API_NAME), "Stage": STAGE_NAME}
    why = "as many as throttles, each of which the sender gets as a 503"
    yield _alarm("WebhookApiErrorsAlarm", api, "5XXError", "Sum", tolerated, why, **QUIET_IS_GOOD)
    period_s = _period_s(webhooks_per_hour, EXPECTED_REQUESTS)
    requests = webhooks_per_hour * period_s / 3600
    share = round(tolerated_by_chance(requests * WRONG_REQUESTS_SHARE) / requests, 3)
    sustained = {"EvaluationPeriods": 2, "Period": period_s} | QUIET_IS_GOOD
    why = f"of {requests:,.0f} requests, {percent(WRONG_REQUESTS_SHARE)} may be wrong, plus three standard deviations"
    yield _alarm("WebhookRefusalsAlarm", api, "4XXError", "Average", share, why, **sustained)


def _handler_alarms(environment: Environment) -> Iterator[Reasoned]:
    """Yield alarms for failures that cause no error of a function.

    A source that has gone quiet is one. A stack that gets no webhooks has no data, which counts too.
    """
    if minutes := silence_minutes(environment):
        silent = {"ComparisonOperator": "LessThanThreshold", "Period": 60 * minutes, "TreatMissingData": "breaching"}
        rarely = "less than" if minutes == MIN_SILENCE_MINUTES else "about"
        why = (
            f"at {percent(QUIET_SHARE)} of the rate, prices pause this long by chance {rarely} once in a million times"
        )
        if environment.operations.silence_minutes > 0:
            why = "stated by operations.silence_minutes"
        yield _alarm("SilenceAlarm", _metrics_of(PROCESS_WEBHOOK), "Fresh", "Sum", 1, why, **silent)
    twice = {"EvaluationPeriods": 2} | QUIET_IS_GOOD
    why = "Lambda repeats a failed record at once, so a failure that lasts two periods will not clear on its own"
    yield _alarm("FailedRecordsAlarm", _metrics_of(CHECK_ALERTS), "FailedRecords", "Sum", 0, why, **twice)
    why = "each is an alert that will never be sent; they are counted once an hour"
    hourly = {"Period": 3600}
    yield _alarm("UnfireableAlertsAlarm", _metrics_of(CLEANUP_HISTORY), "Unfireable", "Maximum", 0, why, **hourly)
    period_s = _period_s(sms.per_hour(environment), EXPECTED_SMS)
    sustained = {"EvaluationPeriods": INVALID_PERIODS, "Period": period_s} | QUIET_IS_GOOD
    why = (
        f"the minimum is 1 if no number was valid; {EXPECTED_SMS} SMS are expected in a period, so one mistyped number "
    )
    why += "does not set it off"
    yield _alarm("InvalidNumbersAlarm", _metrics_of(SEND_NOTIFICATION), "InvalidNumber", "Minimum", 0, why, **sustained)


def _sms_alarms(sms_per_hour: float, monthly_budget_usd: float) -> Iterator[Reasoned]:
    """Yield alarms on SNS's own metrics of SMS, which cover the account and Region, so also SMS of other applications.

    SNS counts SMS that are sent without a topic under the number PhoneNumberDirect. The name is not documented: public
    dashboards use it (https://github.com/cds-snc/notification-terraform). SMSSuccessRate exists by country; the guide
    also lists metrics without dimensions. If SMSSuccessRate has no data without a country, its alarm stays silent, but
    the alarm on the count of failures does not depend on it.

    Source: Amazon SNS Developer Guide, "Monitoring Amazon SNS topics using CloudWatch".
    """
    everyone = "covers all SMS of the account in the Region"
    hourly = {"Period": 3600} | QUIET_IS_GOOD
    direct = "AWS/SNS", {"PhoneNumber": "PhoneNumberDirect"}
    failures = max(MIN_SMS_FAILURES - 1, tolerated_by_chance(sms_per_hour * FAILED_SMS_SHARE))
    why = f"{percent(FAILED_SMS_SHARE)} of the planned SMS may fail, plus three standard deviations; {everyone}"
    yield _alarm("SmsFailuresAlarm", direct, "NumberOfNotificationsFailed", "Sum", failures, why, **hourly)
    low = {"ComparisonOperator": "LessThanThreshold"} | hourly
    account: Source = "AWS/SNS", {}
    why = f"also finds failures while fewer SMS than planned are sent; {everyone}"
    yield _alarm("SmsSuccessRateAlarm", account, "SMSSuccessRate", "Average", MIN_SMS_SUCCESS_RATE, why, **low)
    spend_usd = round(monthly_budget_usd * SMS_SPEND_SHARE, 2)
    why = f"{percent(SMS_SPEND_SHARE)} of the budget of {usd(monthly_budget_usd)}; {everyone}"
    yield _alarm("SmsSpendAlarm", account, "SMSMonthToDateSpentUSD", "Maximum", spend_usd, why)


def _period_s(per_hour: float, events: int) -> int:
    """Return the length of the fewest periods of five minutes in which that many events are expected."""
    expected_s = events * 3600 / per_hour if per_hour else LONGEST_PERIOD_S
    periods = math.ceil(min(expected_s, LONGEST_PERIOD_S) / THROTTLE_ALARM_PERIOD_S)
    return periods * THROTTLE_ALARM_PERIOD_S


def _lambda_alarm(
    function: str, metric: str, statistic: str, threshold: float, why: str, **evaluation: Any
) -> Reasoned:
    title = f"{function.removesuffix('Function')}{metric}Alarm"
    source = "AWS/Lambda", {"FunctionName": Ref(function)}
    return _alarm(title, source, metric, statistic, threshold, why, **QUIET_IS_GOOD, **evaluation)


def _metrics_of(handler: str) -> Source:
    return HANDLER_NAMESPACE, {"Function": Ref(handler)}


def _alarm(
    title: str, source: Source, metric: str, statistic: str, threshold: float, why: str, **evaluation: Any
) -> Reasoned:
    """Return an alarm on a metric above the threshold in one period of five minutes; `evaluation` overrides that."""
    namespace, dimensions = source
    usual = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Period": THROTTLE_ALARM_PERIOD_S}
    listed = [MetricDimension(Name=key, Value=value) for key, value in dimensions.items()]
    alarm = Alarm(
        title,
        AlarmActions=[Ref(names.OPERATIONS_TOPIC)],
        MetricName=metric,
        Namespace=namespace,
        Statistic=statistic,
        Threshold=threshold,
        **({"Dimensions": listed} if dimensions else {}),
        **{**usual, **evaluation},
    )
    return alarm, why


def _dashboard() -> Dashboard:
    """Return a dashboard of what comes in and goes out. Each service's own pages show the rest."""
    metrics = [
        [HANDLER_NAMESPACE, "Fresh", "Function", f"${{{PROCESS_WEBHOOK}}}"],
        [".", "Sent", ".", f"${{{SEND_NOTIFICATION}}}"],
    ]
    properties = {"region": "${AWS::Region}", "stat": "Sum", "metrics": metrics}
    body = {"widgets": [{"type": "metric", "properties": properties}]}
    return Dashboard("Dashboard", DashboardBody=Sub(json.dumps(body, separators=(",", ":"))))
