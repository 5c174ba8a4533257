"""Read functions, their settings for asynchronous events, and the access that their roles grant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

from generator import aws
from generator.errors import Fault, UnreadableTemplate
from generator.simulation.topology.model import Function
from generator.simulation.topology.resources import INVOKE_CONFIG, TABLE, single
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json, as_list

TOPIC = "AWS::SNS::Topic"
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")

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

Access = tuple[dict[str, frozenset[str]], frozenset[str]]
"""The tables that a role may write to, with the stream events that follow, and the topics it may publish to."""


def read_function(template: Evaluator, logical_id: str, properties: Json) -> Function:
    """Read a function together with its role and its configuration for asynchronous events.

    Raises UnreadableTemplate for a reservation that Lambda would refuse.
    """
    stated = template.value(properties.get("ReservedConcurrentExecutions"))
    reserved = None if stated is None else template.whole(stated, least=-math.inf)
    if reserved is not None and reserved < 0:
        raise UnreadableTemplate([Fault(logical_id, f"it reserves {reserved}", "write 0 or more, or leave it out")])
    try:
        role = single(template.references(properties.get("Role")), "its role")
        (writes, publishes), unclear = _access(template, role, _only_deletes(template, properties)), ""
    except Unknown as unknown:
        writes, publishes, unclear = {}, frozenset(), f"its permissions are not known: {unknown}"
    configs = map(template.properties, template.ids(INVOKE_CONFIG))
    own = [config for config in configs if logical_id in template.references(config.get("FunctionName"))]
    settings: Mapping[str, Json] = own[-1] if own else {}
    return Function(
        logical_id=logical_id,
        reserved_concurrency=reserved,
        timeout_s=template.number(properties.get("Timeout"), aws.DEFAULT_FUNCTION_TIMEOUT_S),
        writes=writes,
        publishes=publishes,
        unclear=unclear,
        max_event_age_s=template.number(settings.get("MaximumEventAgeInSeconds"), aws.MAX_ASYNC_EVENT_AGE_S),
        max_retries=template.whole(settings.get("MaximumRetryAttempts"), aws.DEFAULT_ASYNC_RETRIES),
    )


def note_provisioned(template: Evaluator, logical_id: str, properties: Json) -> str | None:
    """Return a note if an alias or a version has provisioned concurrency."""
    provisioned = template.value(properties.get("ProvisionedConcurrencyConfig"))
    return f"{logical_id}: provisioned concurrency is not simulated; its instances start cold" if provisioned else None


def _only_deletes(template: Evaluator, properties: Json) -> bool:
    """Return whether inline code uses BatchWriteItem only to delete. Permissions do not distinguish that."""
    try:
        code = str(template.value(properties.get("Code"))["ZipFile"])
    except (Unknown, KeyError, TypeError):
        return False
    return "DeleteRequest" in code and "PutRequest" not in code


def _access(template: Evaluator, role: str, only_deletes: bool) -> Access:
    """Return the access that a role's inline and attached policies grant to tables and topics by name.

    Denials, conditions and wildcard resources are ignored: a grant by name shows the intended flow. Raises
    Unknown if a managed policy is not in the template.
    """
    causes = {**EVENTS_OF_ACTION, BATCH: frozenset({"REMOVE"})} if only_deletes else EVENTS_OF_ACTION
    writes: dict[str, frozenset[str]] = {}
    publishes: set[str] = set()
    for statement in _statements(template, role):
        if statement.get("Effect") != "Allow":
            continue
        named = template.references(statement.get("Resource"))
        patterns = as_list(template.value(statement.get("Action")))
        events = frozenset[str]().union(*(caused for action, caused in causes.items() if _matches(action, patterns)))
        for table in sorted(named & set(template.ids(TABLE))) if events else ():
            writes[table] = writes.get(table, frozenset()) | events
        if _matches(PUBLISH, patterns):
            publishes |= named & set(template.ids(TOPIC))
    return writes, frozenset(publishes)


def _statements(template: Evaluator, role: str) -> Iterator[Mapping[str, Json]]:
    """Yield the statements of the role's inline policies and of the policy resources attached to it."""
    properties = template.properties(role)
    for policy in as_list(template.value(properties.get("Policies"))):
        yield from as_list(policy["PolicyDocument"].get("Statement"))
    managed = as_list(properties.get("ManagedPolicyArns"))
    if any(not template.references(arn) and not _is_service_role_policy(arn) for arn in managed):
        raise Unknown(f"{role} has a managed policy that is not in the template")
    for policy in template.ids(*POLICIES):
        separate = template.properties(policy)
        roles = template.references([separate.get("Roles"), separate.get("RoleName")])
        if role in roles or policy in template.references(managed):
            yield from as_list(template.value(separate["PolicyDocument"]).get("Statement"))


def _is_service_role_policy(arn: Json) -> bool:
    """Return whether an ARN names a service-role policy for Lambda. None of them writes to a table or a topic."""
    text = arn.get("Fn::Sub", "") if isinstance(arn, Mapping) else arn
    return isinstance(text, str) and ":aws:policy/service-role/AWSLambda" in text


def _matches(action: str, patterns: list[Json]) -> bool:
    return any(isinstance(pattern, str) and fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)
