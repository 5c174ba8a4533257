"""What a template builds: its functions, what invokes each of them, and the limits on the way.

`read_topology` reads every resource that matters to a simulation. A resource that it cannot read is left out and
listed in `Topology.not_understood` with the reason.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import partial
from typing import TypeVar

from generator import aws
from generator.errors import Fault, UnreadableTemplate
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json, listed
from generator.template.reading import parse

T = TypeVar("T")

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading raises if a value does not have the shape that CloudFormation requires."""

FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
ALIAS, VERSION = "AWS::Lambda::Alias", "AWS::Lambda::Version"
RESOURCE = "AWS::ApiGateway::Resource"
METHOD, STAGE = "AWS::ApiGateway::Method", "AWS::ApiGateway::Stage"
GATEWAY_RESPONSE = "AWS::ApiGateway::GatewayResponse"
USAGE_PLAN, USAGE_PLAN_KEY = "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey"
TABLE, TOPIC, SUBSCRIPTION = "AWS::DynamoDB::Table", "AWS::SNS::Topic", "AWS::SNS::Subscription"
SCHEDULE, RULE = "AWS::Scheduler::Schedule", "AWS::Events::Rule"
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")

SERVICES = ("AWS::Lambda::", "AWS::Serverless::", "AWS::Scheduler::", "AWS::Events::", "AWS::ApiGatewayV2::")
"""Services whose resources are either simulated or listed as not simulated."""

NOT_LISTED = ("AWS::Lambda::Permission", INVOKE_CONFIG, "AWS::Lambda::LayerVersion")
"""Resources of `SERVICES` that are read together with another resource, or that do not change a simulation."""

PERIODS_S = {"minute": 60.0, "hour": 3600.0, "day": 86_400.0}
QUOTA_PERIODS_S = {"DAY": 86_400.0, "WEEK": 604_800.0, "MONTH": 2_592_000.0}

STREAM_EVENTS = frozenset({"INSERT", "MODIFY", "REMOVE"})

BATCH = "dynamodb:BatchWriteItem"

EVENTS_OF_ACTION: Mapping[str, frozenset[str]] = {
    "dynamodb:PutItem": frozenset({"INSERT", "MODIFY"}),
    "dynamodb:UpdateItem": frozenset({"INSERT", "MODIFY"}),
    BATCH: frozenset({"INSERT", "MODIFY", "REMOVE"}),
    "dynamodb:DeleteItem": frozenset({"REMOVE"}),
}
"""The stream events (`eventName`) that each action can cause. Source: Amazon DynamoDB Developer Guide, "Change data
capture for DynamoDB Streams"."""

PUBLISH = "sns:Publish"


class Refusal(StrEnum):
    """The gateway responses to a webhook that is refused or fails, by their types in API Gateway.

    Source: Amazon API Gateway Developer Guide, "Gateway response types". AWS does not document the type of the response
    to a throttle by Lambda; INTEGRATION_FAILURE is assumed.
    """

    THROTTLED = "THROTTLED"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    INTEGRATION_FAILURE = "INTEGRATION_FAILURE"
    INTEGRATION_TIMEOUT = "INTEGRATION_TIMEOUT"

    @property
    def default(self) -> str:
        """The type whose response applies if the API has none for this one."""
        return "DEFAULT_5XX" if self.startswith("INTEGRATION") else "DEFAULT_4XX"


@dataclass(frozen=True, slots=True)
class Access:
    """What a role allows: the tables it may write to, with the stream events that follow, and the topics it may
    publish to."""

    writes: Mapping[str, frozenset[str]]
    publishes: frozenset[str]


NO_ACCESS = Access({}, frozenset())


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    `reserved_concurrency` is None if the function shares the account's pool. `max_event_age_s` and `max_retries`
    apply to asynchronous events. `unclear` is the reason if `access` could not be read, else empty. Source of the
    defaults: CloudFormation reference, AWS::Lambda::Function and AWS::Lambda::EventInvokeConfig.
    """

    logical_id: str
    reserved_concurrency: int | None
    timeout_s: float
    access: Access
    unclear: str = ""
    max_event_age_s: float = aws.MAX_ASYNC_EVENT_AGE_S
    max_retries: int = aws.DEFAULT_ASYNC_RETRIES


@dataclass(frozen=True, slots=True)
class StreamMapping:
    """An event source mapping from a table's stream to a function.

    `events` are the stream events that pass its filter. `max_age_s` is None if records never expire before they
    leave the stream.
    """

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
    """The limits of one usage plan or stage of API Gateway. None stands for no limit."""

    logical_id: str
    rate_per_s: float | None
    burst: float | None
    quota: int | None = None
    quota_period_s: float = QUOTA_PERIODS_S["DAY"]


@dataclass(frozen=True, slots=True)
class Subscription:
    """A topic that invokes a function asynchronously with each message."""

    logical_id: str
    topic: str
    function: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule that invokes a function asynchronously at a fixed interval."""

    logical_id: str
    function: str
    period_s: float


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything of a template that a simulation needs.

    `webhook_functions` are the functions that API methods invoke, the entry point first. `not_understood` lists the
    resources that were left out, each with the reason. `retry_after_s` has the Retry-After header of each refusal that
    carries a number of seconds.
    """

    functions: Mapping[str, Function]
    webhook_functions: tuple[str, ...]
    throttles: tuple[Throttle, ...]
    mappings: tuple[StreamMapping, ...]
    subscriptions: tuple[Subscription, ...]
    schedules: tuple[Schedule, ...]
    not_understood: tuple[str, ...]
    retry_after_s: Mapping[Refusal, float] = field(default_factory=dict)

    @property
    def total_reserved(self) -> int:
        """The sum of all reservations, which the account must be able to reserve when the stack is created."""
        return sum(function.reserved_concurrency or 0 for function in self.functions.values())

    def without_reservations(self) -> Topology:
        """Return the same topology with all functions in the account's pool."""
        functions = {name: replace(one, reserved_concurrency=None) for name, one in self.functions.items()}
        return replace(self, functions=functions)


def read_topology(template: Json, where: str = "template") -> Topology:
    """Return the topology of a parsed template. `where` names the template in faults.

    Raises UnreadableTemplate if it is not a template or if no API method in it invokes a function.
    """
    if not isinstance(template, Mapping) or not isinstance(template.get("Resources"), Mapping):
        raise UnreadableTemplate([Fault(where, "it has no Resources", "name a CloudFormation template")])
    try:
        topology = _Reader(Evaluator(parse(template))).topology()
    except RecursionError as error:
        raise UnreadableTemplate([Fault(where, "it is nested too deeply", "write it with fewer levels")]) from error
    if not topology.webhook_functions:
        why = "; ".join(("no API method in it invokes a function", *topology.not_understood))
        raise UnreadableTemplate([Fault(where, why, "simulate a template whose API invokes a function")])
    return topology


class _Reader:
    """Reads one template and collects a note for each resource that raises Unknown."""

    def __init__(self, template: Evaluator) -> None:
        self._template = template
        self._unclear: list[str] = []
        self._read = set(NOT_LISTED)

    def topology(self) -> Topology:
        functions = {function.logical_id: function for function in self._each(_function, FUNCTION)}
        methods: dict[str, str] = {}
        for function, method in self._each(_integration, METHOD):
            if function in functions:
                methods.setdefault(function, method)
        plans: Sequence[Throttle] = [*self._each(_usage_plan, USAGE_PLAN)]
        if methods:
            plans = self._applying(plans, next(iter(methods.values())))
        retry_after_s = self._retry_after_s(next(iter(methods.values()), ""))
        self._unclear += [*self._each(_provisioned, ALIAS), *self._each(_provisioned, VERSION)]
        unclear_roles = (f"{name}: {function.unclear}" for name, function in functions.items() if function.unclear)
        return Topology(
            functions=functions,
            webhook_functions=tuple(methods),
            throttles=(*plans, *self._stages(next(iter(methods.values()), ""))),
            mappings=tuple(self._each(_stream_mapping, MAPPING)),
            subscriptions=tuple(self._each(_subscription, SUBSCRIPTION)),
            schedules=(*self._each(_schedule, SCHEDULE), *self._each(_schedule, RULE)),
            not_understood=tuple(dict.fromkeys((*self._unclear, *unclear_roles, *self._others()))),
            retry_after_s=retry_after_s,
        )

    def _each(self, read: Callable[[Evaluator, str, Json], T | None], kind: str) -> Iterator[T]:
        """Yield what `read` returns for each resource of one type, except None, which stands for no effect."""
        self._read.add(kind)
        for logical_id in self._template.ids(kind):
            try:
                found = read(self._template, logical_id, self._template.properties(logical_id))
            except Unknown as unknown:
                self._unclear.append(f"{logical_id}: {unknown}")
            except MALFORMED as error:
                self._unclear.append(f"{logical_id}: its properties have an unknown shape ({error!r})")
            else:
                if found is not None:
                    yield found

    def _stages(self, method: str) -> Iterator[Throttle]:
        """Yield the limits of the stages on a method, and note their limits on others, which get no webhooks."""
        for stage, others in self._each(partial(_stage, method=method), STAGE):
            if others:
                reason = f"all simulated webhooks come through {method}"
                self._unclear.append(f"{method}: the limits on {', '.join(others)} are not simulated; {reason}")
            if stage is not None:
                yield stage

    def _retry_after_s(self, method: str) -> Mapping[Refusal, float]:
        """Return the Retry-After headers of the method's API, each with the type that applies."""
        template = self._template
        api = template.references(template.properties(method).get("RestApiId")) if method else set()
        found = self._each(_gateway_response, GATEWAY_RESPONSE)
        stated = {kind: wait_s for owner, kind, wait_s in found if owner == api and isinstance(kind, str)}
        waits_s = {refusal: stated.get(refusal, stated.get(refusal.default)) for refusal in Refusal}
        return {refusal: wait_s for refusal, wait_s in waits_s.items() if wait_s is not None}

    def _applying(self, plans: Sequence[Throttle], method: str) -> Sequence[Throttle]:
        """Return the usage plans that limit a method, and note why the others do not.

        Source: Amazon API Gateway Developer Guide, "Usage plans and API keys for REST APIs": a plan limits the
        requests that come with its keys, and a key belongs to one plan of a stage.
        """
        if not _requires_key(self._template, method):
            self._leave_out(plans, f"no effect, because {method} requires no API key")
            return []
        api = self._template.references(self._template.properties(method).get("RestApiId"))
        own = [plan for plan in plans if _covers(self._template, plan, api)]
        self._leave_out([plan for plan in plans if plan not in own], "no effect, because it belongs to another API")
        own = [self._for_method(plan, method, api) for plan in own]
        if len(own) < 2:
            return own
        keys = map(self._template.properties, self._template.ids(USAGE_PLAN_KEY))
        keyed = self._template.references([*keys])
        named = [plan for plan in own if plan.logical_id in keyed]
        if len(named) == 1:
            self._leave_out([plan for plan in own if plan not in named], "no effect, because it has no key")
            return named
        self._leave_out(own, "the template does not determine which usage plan has the senders' key")
        return []

    def _for_method(self, plan: Throttle, method: str, api: set[str]) -> Throttle:
        """Return the plan with its limits for the method, if it has any, in place of those for all methods."""
        try:
            return _limited(self._template, plan, method, api)
        except Unknown as unknown:
            self._leave_out([plan], f"its throttle of single methods is not simulated: {unknown}")
        except MALFORMED as error:
            self._leave_out([plan], f"its throttle of single methods has an unknown shape ({error!r})")
        return plan

    def _leave_out(self, plans: Sequence[Throttle], reason: str) -> None:
        self._unclear += (f"{plan.logical_id}: {reason}" for plan in plans)

    def _others(self) -> Iterator[str]:
        template = self._template.template
        no_resources = (*template.opaque, *template.malformed)
        yield from (f"{name}: not simulated, because it is not a resource" for name in no_resources)
        for logical_id, resource in template.resources.items():
            kind = str(resource.get("Type"))
            if kind.startswith(SERVICES) and kind not in self._read:
                yield f"{logical_id}: {kind} is not simulated"


# Functions that read one resource each. All of them raise Unknown if the template does not determine a value.


def _function(template: Evaluator, logical_id: str, properties: Json) -> Function:
    """Read a function together with its role and its configuration for asynchronous events.

    Raises UnreadableTemplate for a reservation that Lambda would refuse.
    """
    stated = template.value(properties.get("ReservedConcurrentExecutions"))
    reserved = None if stated is None else template.whole(stated, least=-math.inf)
    if reserved is not None and reserved < 0:
        raise UnreadableTemplate([Fault(logical_id, f"it reserves {reserved}", "write 0 or more, or leave it out")])
    try:
        role = _only(template.references(properties.get("Role")), "its role")
        granted, unclear = _access(template, role, _only_deletes(template, properties)), ""
    except Unknown as unknown:
        granted, unclear = NO_ACCESS, f"its permissions are not known: {unknown}"
    settings: Mapping[str, Json] = {}
    for config in template.ids(INVOKE_CONFIG):
        if logical_id in template.references(template.properties(config).get("FunctionName")):
            settings = template.properties(config)
    return Function(
        logical_id=logical_id,
        reserved_concurrency=reserved,
        timeout_s=template.number(properties.get("Timeout"), aws.DEFAULT_FUNCTION_TIMEOUT_S),
        access=granted,
        unclear=unclear,
        max_event_age_s=template.number(settings.get("MaximumEventAgeInSeconds"), aws.MAX_ASYNC_EVENT_AGE_S),
        max_retries=template.whole(settings.get("MaximumRetryAttempts"), aws.DEFAULT_ASYNC_RETRIES),
    )


def _integration(template: Evaluator, logical_id: str, properties: Json) -> tuple[str, str] | None:
    """Return the function that a method of a REST API invokes, and the method; None without a Lambda integration."""
    target = properties.get("Integration") or {}
    invoked = _functions(template, target.get("Uri"))
    return (_only(invoked, "its integration"), logical_id) if invoked else None


def _gateway_response(template: Evaluator, logical_id: str, properties: Json) -> tuple[set[str], str, float | None]:
    """Return the API of a gateway response, its type, and its Retry-After in seconds, if that is a number.

    Source: Amazon API Gateway Developer Guide, "Gateway response customization": quotes mark a static value.
    """
    parameters = template.value(properties.get("ResponseParameters") or {})
    headers = {name.lower(): str(value) for name, value in parameters.items()}
    seconds = re.fullmatch(r"'(\d+)'", headers.get("gatewayresponse.header.retry-after", ""), re.ASCII)
    api = template.references(properties.get("RestApiId"))
    return api, template.value(properties["ResponseType"]), float(seconds[1]) if seconds else None


def _provisioned(template: Evaluator, logical_id: str, properties: Json) -> str | None:
    """Return a note if an alias or a version has provisioned concurrency."""
    provisioned = template.value(properties.get("ProvisionedConcurrencyConfig"))
    return f"{logical_id}: provisioned concurrency is not simulated; its instances start cold" if provisioned else None


def _usage_plan(template: Evaluator, logical_id: str, properties: Json) -> Throttle:
    """Read the limits of a usage plan. They apply to each key; all simulated webhooks have the same key."""
    throttle, quota = properties.get("Throttle") or {}, properties.get("Quota") or {}
    period = template.value(quota.get("Period", "DAY"))
    if period not in QUOTA_PERIODS_S:
        raise Unknown(f"{period!r} is not a quota period")
    return Throttle(
        logical_id=logical_id,
        rate_per_s=_number_or_none(template, throttle.get("RateLimit")),
        burst=_number_or_none(template, throttle.get("BurstLimit")),
        quota=template.whole(quota["Limit"]) if "Limit" in quota else None,
        quota_period_s=QUOTA_PERIODS_S[period],
    )


def _stage(template: Evaluator, logical_id: str, properties: Json, method: str) -> tuple[Throttle | None, list[str]]:
    """Return the limits that a stage sets for a method, and the other methods on which it sets limits.

    Source: CloudFormation reference, AWS::ApiGateway::Stage MethodSetting: /* and * stand for every method, and ~1 for
    a slash within the path of one.
    """
    limits = {
        f"{setting.get('HttpMethod')} {_decoded(setting.get('ResourcePath'))}": setting
        for setting in template.value(properties.get("MethodSettings") or [])
        if "ThrottlingRateLimit" in setting or "ThrottlingBurstLimit" in setting
    }
    own = limits.pop("* /*", None)
    for key in _keys(template, method) if limits else ():
        own = limits.pop(key, own)
    if own is None:
        return None, [*limits]
    rate_per_s, burst = (_number_or_none(template, own.get(f"Throttling{key}Limit")) for key in ("Rate", "Burst"))
    return Throttle(logical_id, rate_per_s, burst), [*limits]


def _decoded(path: Json) -> str:
    return str(path).replace("~1", "/").replace("//", "/", 1)


def _keys(template: Evaluator, method: str) -> tuple[str, str]:
    """Return the settings that apply to a method, the more specific one last."""
    properties = template.properties(method)
    verb, path = template.value(properties["HttpMethod"]), _path(template, properties["ResourceId"])
    return f"* {path}", f"{verb} {path}"


def _stream_mapping(template: Evaluator, logical_id: str, properties: Json) -> StreamMapping | None:
    """Read a mapping, with AWS's defaults. Source: Lambda API reference, CreateEventSourceMapping."""
    if template.value(properties.get("Enabled")) in (False, "false"):
        return None
    tables = template.references(properties["EventSourceArn"]) & set(template.ids(TABLE))
    if not tables:
        raise Unknown("its source is not the stream of a table in this template")
    age_s = template.number(properties.get("MaximumRecordAgeInSeconds"), -1, least=-1)
    return StreamMapping(
        logical_id=logical_id,
        table=_only(tables, "its source"),
        function=_invoked(template, properties["FunctionName"]),
        batch_size=template.whole(properties.get("BatchSize"), aws.DEFAULT_STREAM_BATCH_SIZE, least=1),
        window_s=template.number(properties.get("MaximumBatchingWindowInSeconds"), 0),
        parallelization_factor=template.whole(
            properties.get("ParallelizationFactor"), 1, least=1, most=aws.MAX_PARALLELIZATION_FACTOR
        ),
        max_age_s=None if age_s < 0 else age_s,
        events=_passing(template.value(properties.get("FilterCriteria"))),
    )


def _subscription(template: Evaluator, logical_id: str, properties: Json) -> Subscription | None:
    """Read a function's subscription to a topic. Other subscriptions (e-mail, queues) use no concurrency."""
    if template.value(properties.get("Protocol")) != "lambda":
        return None
    if properties.get("FilterPolicy"):
        raise Unknown("the template does not determine how many messages pass its filter")
    topics = template.references(properties["TopicArn"])
    return Subscription(logical_id, _only(topics, "its topic"), _invoked(template, properties["Endpoint"]))


def _schedule(template: Evaluator, logical_id: str, properties: Json) -> Schedule | None:
    """Read a schedule of EventBridge Scheduler or a scheduled rule of EventBridge. A rule for events is Unknown."""
    if template.value(properties.get("State")) == "DISABLED":
        return None
    if "ScheduleExpression" not in properties:
        raise Unknown("the template does not determine how often its events come")
    targets = [properties["Target"]] if "Target" in properties else properties.get("Targets") or []
    invoked = _invoked(template, [target["Arn"] for target in targets], "its target")
    return Schedule(logical_id, invoked, _period_s(template.value(properties["ScheduleExpression"])))


def _period_s(expression: Json) -> float:
    match = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", str(expression).strip())
    if not match or match[1] == "0":
        raise Unknown(f"{expression} is not a rate(...) expression")
    return int(match[1]) * PERIODS_S[match[2]]


def _passing(criteria: Json) -> frozenset[str]:
    """Return the stream events that pass a filter. Raises Unknown if it filters by anything but `eventName`."""
    filters = [json.loads(entry["Pattern"]) for entry in (criteria or {}).get("Filters") or []]
    if not filters:
        return STREAM_EVENTS
    if any(not isinstance(pattern, Mapping) or set(pattern) != {"eventName"} for pattern in filters):
        raise Unknown("the template does not determine how many records pass its filter")
    return STREAM_EVENTS & frozenset(name for pattern in filters for name in pattern["eventName"])


def _invoked(template: Evaluator, value: Json, what: str = "the function that it names") -> str:
    return _only(_functions(template, value), what)


def _functions(template: Evaluator, value: Json) -> set[str]:
    """Return the functions that a value refers to, also by their aliases and versions."""
    found = template.references(value)
    for qualifier in found & {*template.ids(ALIAS, VERSION)}:
        found |= template.references(template.properties(qualifier).get("FunctionName"))
    return found & {*template.ids(FUNCTION)}


def _only(found: set[str], what: str) -> str:
    if len(found) != 1:
        raise Unknown(f"{what} should be one resource of this template, not {len(found)}")
    return next(iter(found))


def _number_or_none(template: Evaluator, value: Json) -> float | None:
    return None if value is None else template.number(value)


# Permissions of a role.


def _only_deletes(template: Evaluator, properties: Json) -> bool:
    """Return whether inline code uses BatchWriteItem for nothing but deletions, which no permission states."""
    try:
        code = str(template.value(properties.get("Code"))["ZipFile"])
    except (Unknown, KeyError, TypeError):
        return False
    return "DeleteRequest" in code and "PutRequest" not in code


def _access(template: Evaluator, role: str, only_deletes: bool) -> Access:
    """Return what a role's inline and attached policies allow on the tables and topics that they name.

    Denials, conditions and wildcard resources are ignored: the question is who is meant to write where. Raises
    Unknown if a managed policy is not in the template.
    """
    causes = {**EVENTS_OF_ACTION, BATCH: frozenset({"REMOVE"})} if only_deletes else EVENTS_OF_ACTION
    writes: dict[str, frozenset[str]] = {}
    publishes: set[str] = set()
    for statement in _statements(template, role):
        if statement.get("Effect") != "Allow":
            continue
        named = template.references(statement.get("Resource"))
        patterns = listed(template.value(statement.get("Action")))
        events = frozenset[str]().union(*(caused for action, caused in causes.items() if _matches(action, patterns)))
        for table in sorted(named & set(template.ids(TABLE))) if events else ():
            writes[table] = writes.get(table, frozenset()) | events
        if _matches(PUBLISH, patterns):
            publishes |= named & set(template.ids(TOPIC))
    return Access(writes, frozenset(publishes))


def _statements(template: Evaluator, role: str) -> Iterator[Mapping[str, Json]]:
    """Yield the statements of the role's inline policies and of the policy resources attached to it."""
    properties = template.properties(role)
    for policy in listed(template.value(properties.get("Policies"))):
        yield from listed(policy["PolicyDocument"].get("Statement"))
    managed = listed(properties.get("ManagedPolicyArns"))
    if any(not template.references(arn) and not _is_service_role_policy(arn) for arn in managed):
        raise Unknown(f"{role} has a managed policy that is not in the template")
    for policy in template.ids(*POLICIES):
        separate = template.properties(policy)
        if role in template.references([separate.get("Roles"), separate.get("RoleName")]) or policy in (
            template.references(managed)
        ):
            yield from listed(template.value(separate["PolicyDocument"]).get("Statement"))


def _is_service_role_policy(arn: Json) -> bool:
    """Return whether an ARN names one of AWS's service-role policies for Lambda.

    They grant logging, tracing and reading from streams, none of which writes to a table or a topic.
    """
    text = arn.get("Fn::Sub", "") if isinstance(arn, Mapping) else arn
    return isinstance(text, str) and ":aws:policy/service-role/AWSLambda" in text


def _matches(action: str, patterns: list[Json]) -> bool:
    return any(isinstance(pattern, str) and fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


# Which methods a usage plan limits.


def _requires_key(template: Evaluator, method: str) -> bool:
    """Return whether the method requires an API key; assume so if the value is decided in the account."""
    try:
        return str(template.value(template.properties(method).get("ApiKeyRequired"))).lower() == "true"
    except Unknown:
        return True


def _covers(template: Evaluator, plan: Throttle, api: set[str]) -> bool:
    """Return whether the plan names this API, or no API of the template at all."""
    apis = template.references(template.properties(plan.logical_id).get("ApiStages"))
    return not apis or not api or bool(apis & api)


def _limited(template: Evaluator, plan: Throttle, method: str, api: set[str]) -> Throttle:
    """Return the plan with the limits that it has for this method.

    Source: CloudFormation reference, AWS::ApiGateway::UsagePlan ApiStage: the keys of `Throttle` are the path and the
    HTTP method, such as /prices/POST, or //POST at the root.
    """
    stages = listed(template.value(template.properties(plan.logical_id).get("ApiStages")))
    own = [stage for stage in stages if not api or template.references(stage.get("ApiId")) in (set(), api)]
    throttles = [stage.get("Throttle") or {} for stage in own]
    if not any(throttles):
        return plan
    if any(one != throttles[0] for one in throttles):
        raise Unknown("the template does not determine which stage gets the webhooks")
    properties = template.properties(method)
    verb, path = template.value(properties["HttpMethod"]), _path(template, properties["ResourceId"])
    keys = [f"{path}/{verb}", *([f"{path}/POST"] if verb == "ANY" else [])]
    limits = next((throttles[0][key] for key in keys if key in throttles[0]), None)
    if limits is None:
        raise Unknown(f"{', '.join(throttles[0])} is not {method}, which is {keys[0]}")
    rate_per_s, burst = (_number_or_none(template, limits.get(key)) for key in ("RateLimit", "BurstLimit"))
    return replace(plan, rate_per_s=rate_per_s, burst=burst)


def _path(template: Evaluator, resource: Json) -> str:
    """Return the path of a resource of an API: / is the root."""
    parts: list[str] = []
    while (found := _only(template.references(resource), "the method's resource")) in template.ids(RESOURCE):
        if len(parts) == len(template.ids(RESOURCE)):
            raise Unknown(f"{found} is its own parent")
        properties = template.properties(found)
        parts.insert(0, str(template.value(properties["PathPart"])))
        resource = properties["ParentId"]
    return f"/{'/'.join(parts)}"
