"""The page's sections on alarms and retention."""

from __future__ import annotations

from collections.abc import Mapping

from generator._format import code, counted, duration, joined, markdown_details, markdown_table, number
from generator.aws import DEFAULT_QUEUE_RETENTION_S
from generator.config.schema import Environment
from generator.report.resources import has_recovery, referenced
from generator.template.dependencies import references
from generator.template.intrinsics import Json
from generator.template.model import Template

COMPARISONS = {
    "GreaterThanThreshold": "above",
    "GreaterThanOrEqualToThreshold": "at or above",
    "LessThanThreshold": "below",
    "LessThanOrEqualToThreshold": "at or below",
}
KEPT = ("Retain", "RetainExceptOnCreate")
"""Deletion policies of resources that outlive the stack."""

MILLISECONDS = {"IteratorAge", "AsyncEventAge", "Duration"}
"""Metrics in milliseconds."""


def alarm_lines(template: Template, reasons: Mapping[str, str]) -> list[str]:
    """Return the section, folded: every alarm with its metric, its threshold and the reason for it."""
    alarms = template.properties_of("AWS::CloudWatch::Alarm")
    rows = [
        (name, f"{_metric(alarm)}: {_threshold(alarm)}<br>Why: {reasons.get(name, 'no reason stated')}")
        for name, alarm in alarms.items()
    ]
    table = markdown_table(("Alarm", "Fires when, and why"), rows)
    return markdown_details("Every alarm with its threshold and the reason for it", table)


def alarms_line(template: Template) -> str:
    """Return the number of alarms, and who is notified."""
    alarms = template.properties_of("AWS::CloudWatch::Alarm").values()
    topics = list(dict.fromkeys(referenced(action) for alarm in alarms for action in alarm["AlarmActions"]))
    return f"{counted(len(alarms), 'alarm')} notify {joined([*map(code, topics)])}; {_subscribers(template, topics)}"


def retained(template: Template) -> list[str]:
    """Return the resources that outlive the stack."""
    return [name for name, body in template.resources.items() if body.get("DeletionPolicy") in KEPT]


def retention_lines(template: Template, environment: Environment) -> list[str]:
    """Return the resources that outlive the stack, and the retention of its data."""
    kept = {name: template.resources[name] for name in retained(template)}
    queues = template.properties_of("AWS::SQS::Queue").values()
    seconds = sorted({queue.get("MessageRetentionPeriod", DEFAULT_QUEUE_RETENTION_S) for queue in queues})
    header = ("Resource", "When the stack is deleted", "When it is replaced", "Notes")
    text = [
        *markdown_table(header, [(name, "kept", _replaced(body), _notes(body)) for name, body in kept.items()]),
        "",
        "Everything else is deleted with the stack: the queues with the failed events in them, the logs, the signing "
        "secret and the API key, so every sender needs new ones. Retained "
        "resources keep costing money, and the tables are unreadable without the key.",
    ]
    return [
        f"While the stack exists, prices are kept {environment.retention.price_history_days} days, logs "
        f"{environment.retention.log_days} days, and failed messages {' or '.join(map(duration, seconds))}.",
        "",
        *markdown_details("What a deletion keeps and removes", text),
    ]


def _subscribers(template: Template, topics: list[str]) -> str:
    subscriptions = template.properties_of("AWS::SNS::Subscription").values()
    known = [subscription for subscription in subscriptions if {*references(subscription["TopicArn"])} & {*topics}]
    endpoints = [code(str(subscription.get("Endpoint"))) for subscription in known]
    if endpoints:
        return f"subscribed: {', '.join(endpoints)}"
    return "**nobody is subscribed**: set `operations.email`, or subscribe to the topic"


def _metric(alarm: Mapping[str, Json]) -> str:
    dimensions = []
    for dimension in alarm.get("Dimensions", []):
        value = dimension["Value"]
        is_text = isinstance(value, dict) and "Fn::Sub" in value
        dimensions.append(code(value["Fn::Sub"]) if is_text else referenced(value) or str(value))
    return f"{code(alarm['MetricName'])} of {' '.join(dimensions) or 'the account'}"


def _threshold(alarm: Mapping[str, Json]) -> str:
    threshold, periods = alarm["Threshold"], alarm["EvaluationPeriods"]
    comparison = f"{COMPARISONS[alarm['ComparisonOperator']]} {number(threshold)}"
    unit = f" ms ({duration(threshold / 1000)})" if alarm["MetricName"] in MILLISECONDS else ""
    lasting = "" if periods == 1 else f", in {alarm.get('DatapointsToAlarm', periods)} of {periods} periods"
    return f"the {alarm['Statistic'].lower()} over {duration(alarm['Period'])} is {comparison}{unit}{lasting}"


def _replaced(body: Mapping[str, Json]) -> str:
    return "the old one is kept" if body.get("UpdateReplacePolicy") == "Retain" else "**the old one is deleted**"


def _notes(body: Mapping[str, Json]) -> str:
    properties = body.get("Properties", {})
    is_protected = bool(properties.get("DeletionProtectionEnabled"))
    is_table = body["Type"] == "AWS::DynamoDB::Table"
    notes = (
        ("deletion protection", is_protected),
        ("deleted if the stack's creation fails", body["DeletionPolicy"] == "RetainExceptOnCreate"),
        ("**no deletion protection**", is_table and not is_protected),
        ("point-in-time recovery", has_recovery(properties)),
        ("yearly key rotation", properties.get("EnableKeyRotation")),
    )
    return ", ".join(note for note, applies in notes if applies)
