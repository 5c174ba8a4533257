"""Read event sources: the streams, subscriptions and schedules that invoke functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from generator import aws
from generator.errors import Fault, UnreadableTemplate
from generator.simulation.topology.model import STREAM_EVENTS, Schedule, StreamMapping, Subscription
from generator.simulation.topology.resources import TABLE, functions_in, single
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json

MAPPING, SUBSCRIPTION = "AWS::Lambda::EventSourceMapping", "AWS::SNS::Subscription"
SCHEDULE, RULE = "AWS::Scheduler::Schedule", "AWS::Events::Rule"

PERIODS_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}


def stream_mapping(template: Evaluator, logical_id: str, properties: Json) -> StreamMapping | None:
    """Read a mapping, with AWS's defaults. Source: Lambda API reference, CreateEventSourceMapping.

    Raises UnreadableTemplate for more lanes than Lambda allows.
    """
    if template.value(properties.get("Enabled")) in (False, "false"):
        return None
    tables = template.references(properties["EventSourceArn"]) & set(template.ids(TABLE))
    if not tables:
        raise Unknown("its source is not the stream of a table in this template")
    factor = template.whole(properties.get("ParallelizationFactor"), 1, least=1)
    if factor > aws.MAX_PARALLELIZATION_FACTOR:
        what = f"its ParallelizationFactor is {factor:,}, but Lambda's maximum is {aws.MAX_PARALLELIZATION_FACTOR}"
        raise UnreadableTemplate([Fault(logical_id, what, f"write {aws.MAX_PARALLELIZATION_FACTOR} or less")])
    age_s = template.number(properties.get("MaximumRecordAgeInSeconds"), -1, least=-1)
    return StreamMapping(
        logical_id=logical_id,
        table=single(tables, "its source"),
        function=_invoked(template, properties["FunctionName"]),
        batch_size=template.whole(properties.get("BatchSize"), aws.DEFAULT_STREAM_BATCH_SIZE, least=1),
        window_s=template.number(properties.get("MaximumBatchingWindowInSeconds"), 0),
        parallelization_factor=factor,
        max_age_s=None if age_s < 0 else age_s,
        events=_passing(template.value(properties.get("FilterCriteria"))),
    )


def subscription(template: Evaluator, logical_id: str, properties: Json) -> Subscription | None:
    """Read a function's subscription to a topic. Other subscriptions (e-mail, queues) use no concurrency."""
    if template.value(properties.get("Protocol")) != "lambda":
        return None
    if properties.get("FilterPolicy"):
        raise Unknown("the template does not determine how many messages pass its filter")
    topics = template.references(properties["TopicArn"])
    return Subscription(logical_id, single(topics, "its topic"), _invoked(template, properties["Endpoint"]))


def schedule(template: Evaluator, logical_id: str, properties: Json) -> Schedule | None:
    """Read a schedule of EventBridge Scheduler or a scheduled rule of EventBridge. A rule for events is Unknown."""
    if template.value(properties.get("State")) == "DISABLED":
        return None
    if "ScheduleExpression" not in properties:
        raise Unknown("the template does not determine how often its events come")
    targets = [properties["Target"]] if "Target" in properties else properties.get("Targets") or []
    invoked = _invoked(template, [target["Arn"] for target in targets], "its target")
    expression = template.value(properties["ScheduleExpression"])
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", str(expression).strip())
    if not match or match[1] == "0":
        raise Unknown(f"{expression} is not a rate(...) expression")
    return Schedule(logical_id, invoked, int(match[1]) * PERIODS_S[match[2]])


def _passing(criteria: Json) -> frozenset[str]:
    """Return the stream events that pass a filter. Raises Unknown if it filters by anything but `eventName`."""
    filters = [json.loads(entry["Pattern"]) for entry in (criteria or {}).get("Filters") or []]
    if not filters:
        return STREAM_EVENTS
    if any(not isinstance(pattern, Mapping) or set(pattern) != {"eventName"} for pattern in filters):
        raise Unknown("the template does not determine how many records pass its filter")
    return STREAM_EVENTS & frozenset(name for pattern in filters for name in pattern["eventName"])


def _invoked(template: Evaluator, value: Json, what: str = "the function that it names") -> str:
    return single(functions_in(template, value), what)
