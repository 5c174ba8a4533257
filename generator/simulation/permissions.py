"""What each function may do to tables and topics, from the statements of its role, wherever they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from generator.simulation.values import Json, Template, Unknown

EVENTS_OF_ACTION: Mapping[str, frozenset[str]] = {
    "dynamodb:PutItem": frozenset({"INSERT", "MODIFY"}),
    "dynamodb:UpdateItem": frozenset({"INSERT", "MODIFY"}),
    "dynamodb:BatchWriteItem": frozenset({"INSERT", "MODIFY", "REMOVE"}),
    "dynamodb:DeleteItem": frozenset({"REMOVE"}),
}
"""What a permitted action can leave in a table's stream, by `eventName`. Source: Amazon DynamoDB Developer Guide,
"Change data capture for DynamoDB Streams"."""

PUBLISH = "sns:Publish"


@dataclass(frozen=True, slots=True)
class Access:
    """The tables a role may change, each with the stream events that follow, and the topics it may publish to."""

    writes: Mapping[str, frozenset[str]]
    publishes: frozenset[str]


def access(template: Template, role: str) -> Access:
    """What a role's own and attached policies allow, by the resources that they name. Raises Unknown.

    A denial, a condition or a wildcard is not weighed: this is about who is meant to write where.
    """
    writes: dict[str, frozenset[str]] = {}
    publishes: set[str] = set()
    for statement in _statements(template, role):
        if statement.get("Effect") != "Allow":
            continue
        named = template.references(statement.get("Resource"))
        patterns = _listed(template.value(statement.get("Action")))
        events = frozenset[str]().union(
            *(left for action, left in EVENTS_OF_ACTION.items() if _allowed(action, patterns))
        )
        for table in sorted(named & set(template.ids("AWS::DynamoDB::Table"))) if events else ():
            writes[table] = writes.get(table, frozenset()) | events
        if _allowed(PUBLISH, patterns):
            publishes |= named & set(template.ids("AWS::SNS::Topic"))
    return Access(writes, frozenset(publishes))


def _statements(template: Template, role: str) -> Iterator[Mapping[str, Json]]:
    """Policies within the role, and policies of their own that name it or that it names."""
    properties = template.properties(role)
    for policy in _listed(template.value(properties.get("Policies"))):
        yield from _listed(policy["PolicyDocument"].get("Statement"))
    managed = _listed(properties.get("ManagedPolicyArns"))
    if any(not template.references(arn) and not _aws_managed(arn) for arn in managed):
        raise Unknown(f"{role} has a managed policy that is not in the template")
    for policy in template.ids("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
        separate = template.properties(policy)
        if role in template.references([separate.get("Roles"), separate.get("RoleName")]) or policy in (
            template.references(managed)
        ):
            yield from _listed(template.value(separate["PolicyDocument"]).get("Statement"))


def _aws_managed(arn: Json) -> bool:
    """AWS's own policies for functions grant logs, tracing and reading of streams: nothing that matters here."""
    text = arn.get("Fn::Sub", "") if isinstance(arn, Mapping) else arn
    return isinstance(text, str) and ":aws:policy/service-role/AWSLambda" in text


def _allowed(action: str, patterns: list[Json]) -> bool:
    return any(isinstance(pattern, str) and fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _listed(value: Json) -> list[Json]:
    """Policies may leave out the list around one entry."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
