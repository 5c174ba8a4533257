"""Reads single resources of a template, one function for each type; all raise Unknown for what they cannot tell."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from generator.errors import Fault, UnreadableTemplate
from generator.simulation.permissions import Access, access
from generator.simulation.values import Json, Template, Unknown

FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
METHOD, STAGE, USAGE_PLAN = "AWS::ApiGateway::Method", "AWS::ApiGateway::Stage", "AWS::ApiGateway::UsagePlan"
SUBSCRIPTION = "AWS::SNS::Subscription"
SCHEDULE, RULE = "AWS::Scheduler::Schedule", "AWS::Events::Rule"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"

NO_ACCESS = Access({}, frozenset())
PERIODS_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
QUOTA_PERIODS_S = {"DAY": 86_400.0, "WEEK": 604_800.0, "MONTH": 2_592_000.0}
STREAM_EVENTS = frozenset({"INSERT", "MODIFY", "REMOVE"})


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `reserved_concurrency` is None where it shares the account's pool; the age and the retries are
    those of asynchronous events. `unclear` says what of it could not be told. Source of the defaults: CloudFormation
    reference, AWS::Lambda::Function and AWS::Lambda::EventInvokeConfig."""

    logical_id: str
    reserved_concurrency: int | None
    timeout_s: float
    access: Access
    unclear: str = ""
    max_event_age_s: float = 21_600.0
    max_retries: int = 2


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """A mapping from a table's stream to a function; `events` are the kinds of change that pass its filter.
    `max_age_s` None is as long as the stream keeps a record."""

    logical_id: str
    table: str
    function: str
    batch_size: int
    window_s: float
    parallelization_factor: int
    max_age_s: float | None
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class Throttle:
    """A limit that API Gateway applies; None where it limits nothing of the kind."""

    logical_id: str
    rate_per_s: float | None
    burst: float | None
    quota: int | None = None
    quota_period_s: float = QUOTA_PERIODS_S["DAY"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A function that is invoked, asynchronously, for each message of a topic."""

    logical_id: str
    topic: str
    function: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function that is invoked, asynchronously, at a fixed interval."""

    logical_id: str
    function: str
    period_s: float


def function(template: Template, logical_id: str, properties: Json) -> Function:
    """The function with what its role lets it write to and its asynchronous configuration.

    Raises UnreadableTemplate for a reservation that Lambda would refuse.
    """
    stated = template.value(properties.get("ReservedConcurrentExecutions"))
    reserved = None if stated is None else template.whole(stated, least=-math.inf)
    if reserved is not None and reserved < 0:
        raise UnreadableTemplate([Fault(logical_id, f"it reserves {reserved}", "write 0 or more, or leave it out")])
    try:
        granted, unclear = access(template, _only(template.references(properties.get("Role")), "its role")), ""
    except Unknown as unknown:
        granted, unclear = NO_ACCESS, f"where it writes and publishes: {unknown}"
    settings: Mapping[str, Json] = {}
    for config in template.ids(INVOKE_CONFIG):
        if logical_id in template.references(template.properties(config).get("FunctionName")):
            settings = template.properties(config)
    return Function(
        logical_id=logical_id,
        reserved_concurrency=reserved,
        timeout_s=template.number(properties.get("Timeout"), 3),
        access=granted,
        unclear=unclear,
        max_event_age_s=template.number(settings.get("MaximumEventAgeInSeconds"), 21_600),
        max_retries=template.whole(settings.get("MaximumRetryAttempts"), 2),
    )


def integration(template: Template, logical_id: str, properties: Json) -> str | None:
    """The function that a method of a REST API invokes; None for a method without a Lambda integration."""
    target = properties.get("Integration") or {}
    invoked = template.references(target.get("Uri")) & set(template.ids(FUNCTION))
    return _only(invoked, "its integration") if invoked else None


def usage_plan(template: Template, logical_id: str, properties: Json) -> Throttle:
    """What a usage plan admits of one key: all webhooks are taken to come with the same key."""
    throttle, quota = properties.get("Throttle") or {}, properties.get("Quota") or {}
    period = template.value(quota.get("Period", "DAY"))
    if period not in QUOTA_PERIODS_S:
        raise Unknown(f"{period!r} is not a quota's period")
    return Throttle(
        logical_id=logical_id,
        rate_per_s=_number_or_none(template, throttle.get("RateLimit")),
        burst=_number_or_none(template, throttle.get("BurstLimit")),
        quota=template.whole(quota["Limit"]) if "Limit" in quota else None,
        quota_period_s=QUOTA_PERIODS_S[period],
    )


def stage(template: Template, logical_id: str, properties: Json) -> Throttle | None:
    """What a stage admits of all its methods; a setting for single methods is Unknown."""
    limits = [
        setting
        for setting in template.value(properties.get("MethodSettings") or [])
        if "ThrottlingRateLimit" in setting or "ThrottlingBurstLimit" in setting
    ]
    if not limits:
        return None
    if any((setting.get("HttpMethod"), setting.get("ResourcePath")) != ("*", "/*") for setting in limits):
        raise Unknown("it throttles single methods; only a setting for all of them is simulated")
    return Throttle(
        logical_id=logical_id,
        rate_per_s=_number_or_none(template, limits[-1].get("ThrottlingRateLimit")),
        burst=_number_or_none(template, limits[-1].get("ThrottlingBurstLimit")),
    )


def stream_mapping(template: Template, logical_id: str, properties: Json) -> StreamMapping | None:
    """The mapping, with AWS's defaults. Source: Lambda API reference, CreateEventSourceMapping."""
    if template.value(properties.get("Enabled")) in (False, "false"):
        return None
    tables = template.references(properties["EventSourceArn"]) & set(template.ids("AWS::DynamoDB::Table"))
    if not tables:
        raise Unknown("its source is not the stream of a table in this template")
    age_s = template.number(properties.get("MaximumRecordAgeInSeconds"), -1, least=-1)
    return StreamMapping(
        logical_id=logical_id,
        table=_only(tables, "its source"),
        function=_invoked(template, properties["FunctionName"]),
        batch_size=template.whole(properties.get("BatchSize"), 100, least=1),
        window_s=template.number(properties.get("MaximumBatchingWindowInSeconds"), 0),
        parallelization_factor=template.whole(properties.get("ParallelizationFactor"), 1, least=1, most=10),
        max_age_s=None if age_s < 0 else age_s,
        events=_passing(template.value(properties.get("FilterCriteria"))),
    )


def subscription(template: Template, logical_id: str, properties: Json) -> Subscription | None:
    """A function's subscription to a topic; others (e-mail, queues) take nothing from the account's concurrency."""
    if template.value(properties.get("Protocol")) != "lambda":
        return None
    if properties.get("FilterPolicy"):
        raise Unknown("which messages pass its filter is not in the template")
    topics = template.references(properties["TopicArn"])
    return Subscription(logical_id, _only(topics, "its topic"), _invoked(template, properties["Endpoint"]))


def schedule(template: Template, logical_id: str, properties: Json) -> Schedule | None:
    """A schedule of EventBridge Scheduler."""
    if template.value(properties.get("State")) == "DISABLED":
        return None
    period_s = _period_s(template.value(properties["ScheduleExpression"]))
    return Schedule(logical_id, _invoked(template, properties["Target"]["Arn"]), period_s)


def rule(template: Template, logical_id: str, properties: Json) -> Schedule | None:
    """A scheduled rule of EventBridge; a rule that waits for events is Unknown."""
    if template.value(properties.get("State")) == "DISABLED":
        return None
    if "ScheduleExpression" not in properties:
        raise Unknown("how often its events come is not in the template")
    targets = [target["Arn"] for target in properties.get("Targets") or []]
    invoked = _only(template.references(targets) & set(template.ids(FUNCTION)), "its targets")
    return Schedule(logical_id, invoked, _period_s(template.value(properties["ScheduleExpression"])))


def _period_s(expression: Json) -> float:
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", str(expression).strip())
    if not match or match[1] == "0":
        raise Unknown(f"{expression} is not a rate(...) expression")
    return int(match[1]) * PERIODS_S[match[2]]


def _passing(criteria: Json) -> frozenset[str]:
    """The kinds of change that pass a filter. Raises Unknown for a filter on anything but `eventName`."""
    filters = [json.loads(entry["Pattern"]) for entry in (criteria or {}).get("Filters") or []]
    if not filters:
        return STREAM_EVENTS
    if any(not isinstance(pattern, Mapping) or set(pattern) != {"eventName"} for pattern in filters):
        raise Unknown("how many records pass its filter is not in the template")
    return STREAM_EVENTS & frozenset(name for pattern in filters for name in pattern["eventName"])


def _invoked(template: Template, value: Json) -> str:
    return _only(template.references(value) & set(template.ids(FUNCTION)), "the function that it names")


def _only(found: set[str], what: str) -> str:
    if len(found) != 1:
        raise Unknown(f"{what} should be one resource of this template, not {len(found)}")
    return next(iter(found))


def _number_or_none(template: Template, value: Json) -> float | None:
    return None if value is None else template.number(value)
