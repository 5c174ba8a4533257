"""Alarms and retention, for a reviewer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from generator.aws import DEFAULT_QUEUE_RETENTION_S
from generator.config.schema import Environment
from generator.report.markdown import code, table
from generator.report.usage import Template, has_recovery, of_type
from generator.template.references import references

COMPARISONS = {
    "GreaterThanThreshold": "above",
    "GreaterThanOrEqualToThreshold": "at or above",
    "LessThanThreshold": "below",
    "LessThanOrEqualToThreshold": "at or below",
}
MILLISECONDS = {"IteratorAge", "AsyncEventAge", "Duration"}


def alarm_lines(template: Template) -> list[str]:
    """Every alarm: what it watches, and when it fires."""
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    topics = dict.fromkeys(next(references(action)) for alarm in alarms.values() for action in alarm["AlarmActions"])
    told = ", ".join(map(code, topics))
    return [
        f"All {len(alarms)} tell {told}. {_audience(template, list(topics))}",
        "",
        *table(("Alarm", "Watches", "Fires when"), [(name, _watched(a), _fires(a)) for name, a in alarms.items()]),
    ]


def retention_lines(template: Template, environment: Environment) -> list[str]:
    """What outlives the stack, and how long things are kept while it lives."""
    kept = {name: body for name, body in template["Resources"].items() if body.get("DeletionPolicy") == "Retain"}
    queues = of_type(template, "AWS::SQS::Queue").values()
    days = sorted({queue.get("MessageRetentionPeriod", DEFAULT_QUEUE_RETENTION_S) // 86_400 for queue in queues})
    header = ("Resource", "When the stack is deleted", "When it is replaced", "Besides")
    return [
        *table(header, [(name, "kept", _replaced(body), _besides(body)) for name, body in kept.items()]),
        "",
        "Everything else is deleted with the stack, the signing secret, the API key and the logs with it. What is kept "
        "goes on costing, and the tables are unreadable without the key.",
        "",
        f"While the stack lives: prices are kept {environment.retention.price_history_days} days, logs "
        f"{environment.retention.log_days} days, failed messages {' or '.join(map(str, days))} days.",
    ]


def _audience(template: Template, topics: list[str]) -> str:
    subscriptions = of_type(template, "AWS::SNS::Subscription").values()
    mine = [one for one in subscriptions if set(references(one["TopicArn"])) & set(topics)]
    if mine:
        return f"Subscribed: {', '.join(code(str(one.get('Endpoint'))) for one in mine)}."
    return "**Nobody is subscribed**: set `operations.email`, or subscribe to the topic."


def _watched(alarm: Mapping[str, Any]) -> str:
    of = [_shown(dimension["Value"]) for dimension in alarm.get("Dimensions", [])]
    return f"{code(alarm['MetricName'])} of {' '.join(of) if of else 'the account'}"


def _fires(alarm: Mapping[str, Any]) -> str:
    threshold, period_s = alarm["Threshold"], alarm["Period"]
    unit = f" ms ({_duration(threshold / 1000)})" if alarm["MetricName"] in MILLISECONDS else ""
    periods, needed = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    lasting = "" if periods == 1 else f", in {needed} of {periods} such periods"
    return (
        f"the {alarm['Statistic'].lower()} over {_duration(period_s)} is "
        f"{COMPARISONS[alarm['ComparisonOperator']]} {threshold:,g}{unit}{lasting}"
    )


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "Fn::Sub" in value:
        return code(value["Fn::Sub"])
    return next((name.partition(".")[0] for name in references(value)), str(value))


def _replaced(body: Mapping[str, Any]) -> str:
    return "the old one is kept" if body.get("UpdateReplacePolicy") == "Retain" else "**the old one is deleted**"


def _besides(body: Mapping[str, Any]) -> str:
    properties = body.get("Properties", {})
    notes = [
        ("deletion protection", properties.get("DeletionProtectionEnabled")),
        ("point-in-time recovery", has_recovery(properties)),
        (f"made only under the condition {code(body.get('Condition', ''))}", body.get("Condition")),
        ("yearly rotation", properties.get("EnableKeyRotation")),
    ]
    if body["Type"] == "AWS::DynamoDB::Table" and not properties.get("DeletionProtectionEnabled"):
        return "**no deletion protection**" + "".join(f", {note}" for note, there in notes if there)
    return ", ".join(note for note, there in notes if there)
