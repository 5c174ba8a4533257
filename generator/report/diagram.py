"""The architecture as edges between resources, read from the references of a template, and as a Mermaid diagram.

Nothing here knows how the template was made: an edge that is drawn is a reference that is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from generator.report.usage import Template, of_type
from generator.template.references import references

SENDERS, PHONES = "Senders", "Phones"
"""The two ends outside of the stack: who calls the API's method, and who gets what is published to no topic."""

LEFT_OUT = (
    "encryption by the KMS key, logs, traces, the API's stage, key and usage plan, and the alarms with their topic"
)

SHAPES = {
    "AWS::ApiGateway::RestApi": ("([", "])"),
    "AWS::Lambda::Function": ("[", "]"),
    "AWS::DynamoDB::Table": ("[(", ")]"),
    "AWS::SNS::Topic": ("{{", "}}"),
    "AWS::SQS::Queue": ("[/", "/]"),
    "AWS::Scheduler::Schedule": ("([", "])"),
    "AWS::SecretsManager::Secret": ("[[", "]]"),
}
"""The types that are drawn, and how."""

VERBS = {
    "dynamodb:PutItem": "put",
    "dynamodb:UpdateItem": "update",
    "dynamodb:DeleteItem": "delete",
    "dynamodb:Query": "query",
    "dynamodb:GetItem": "get",
    "dynamodb:Scan": "scan",
    "secretsmanager:GetSecretValue": "read",
    "sns:Publish": "publish",
    "sqs:SendMessage": "failed",
    "lambda:InvokeFunction": "invoke",
}


@dataclass(frozen=True, slots=True)
class Edge:
    """One thing reaches another; `labels` say how."""

    source: str
    target: str
    labels: tuple[str, ...]


def graph(template: Template) -> tuple[Edge, ...]:
    """Every edge between resources that are drawn, each pair once, in the order of a webhook's way."""
    drawn = {name for name, body in template["Resources"].items() if body["Type"] in SHAPES} | {SENDERS, PHONES}
    found: dict[tuple[str, str], dict[str, None]] = {}
    for read in (_methods, _permissions_of_functions, _streams, _subscriptions, _schedules, _failures):
        for source, target, label in read(template):
            if source in drawn and target in drawn:
                found.setdefault((source, target), {})[label] = None
    return tuple(Edge(source, target, tuple(labels)) for (source, target), labels in found.items())


def listed(value: Any) -> list[Any]:
    """IAM and CloudFormation take one item for a list of one."""
    return value if isinstance(value, list) else [value]


def statements(role: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Every statement of a role's own policies."""
    for policy in role.get("Policies", []):
        yield from listed(policy["PolicyDocument"]["Statement"])


def mermaid(template: Template) -> str:
    """The text of a Mermaid flowchart. Dead ends that nothing else reaches come first, so that fewer lines cross."""
    edges = graph(template)
    sources, targets = ([getattr(edge, end) for edge in edges] for end in ("source", "target"))
    edges = tuple(sorted(edges, key=lambda e: (sources.index(e.source), e.target in sources + _several(targets))))
    ends = dict.fromkeys(end for edge in edges for end in (edge.source, edge.target))
    return "\n".join(
        [
            "flowchart TD",
            *(f"  {_node(name, template)}" for name in ends),
            *(f"  {edge.source} {_arrow(edge, template)} {edge.target}" for edge in edges),
        ]
    )


def _several(names: list[str]) -> list[str]:
    return [name for name in names if names.count(name) > 1]


def _node(name: str, template: Template) -> str:
    body = template["Resources"].get(name, {"Type": ""})
    opening, closing = SHAPES.get(body["Type"], ("((", "))"))
    reserved = body.get("Properties", {}).get("ReservedConcurrentExecutions")
    note = "" if reserved is None else f"<br/>{reserved} reserved"
    return f'{name}{opening}"{name}{note}"{closing}'


def _arrow(edge: Edge, template: Template) -> str:
    """Dotted where only failures go. Quoted, since parentheses mean something to Mermaid."""
    line = "-.->" if template["Resources"].get(edge.target, {}).get("Type") == "AWS::SQS::Queue" else "-->"
    return f'{line}|"{", ".join(edge.labels)}"|'


def _first(value: Any) -> str:
    """The logical id that a value refers to, without its attribute; empty if there is none."""
    return next(references(value), "").partition(".")[0]


def _methods(template: Template) -> Iterator[tuple[str, str, str]]:
    for method in of_type(template, "AWS::ApiGateway::Method").values():
        api, path = _first(method["RestApiId"]), template["Resources"].get(_first(method["ResourceId"]), {})
        yield SENDERS, api, f"{method['HttpMethod']} /{path.get('Properties', {}).get('PathPart', '')}"
        yield api, _first(method.get("Integration", {}).get("Uri")), "invoke"


def _permissions_of_functions(template: Template) -> Iterator[tuple[str, str, str]]:
    """What a function's role lets it reach; its stream is read for it, and is drawn from the mapping."""
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        role = template["Resources"].get(_first(function.get("Role")), {}).get("Properties", {})
        for statement in statements(role):
            for action in listed(statement["Action"]):
                verb = VERBS.get(action, action.partition(":")[2])
                for target in _targets(statement, action):
                    yield name, target, "SMS" if target == PHONES else verb


def _targets(statement: Mapping[str, Any], action: str) -> Iterable[str]:
    if "NotResource" in statement:
        return [PHONES] if action == "sns:Publish" else []
    reached = (next(references(resource), "") for resource in listed(statement["Resource"]))
    return [name.partition(".")[0] for name in reached if not name.endswith(".StreamArn")]


def _streams(template: Template) -> Iterator[tuple[str, str, str]]:
    for mapping in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        function = _first(mapping["FunctionName"])
        yield _first(mapping["EventSourceArn"]), function, f"stream, batches of {mapping.get('BatchSize', 100)}"
        yield function, _on_failure(mapping), "failed"


def _subscriptions(template: Template) -> Iterator[tuple[str, str, str]]:
    for subscription in of_type(template, "AWS::SNS::Subscription").values():
        topic = _first(subscription["TopicArn"])
        yield topic, _first(subscription.get("Endpoint")), "notify"
        yield topic, _first(subscription.get("RedrivePolicy")), "failed"


def _schedules(template: Template) -> Iterator[tuple[str, str, str]]:
    for name, schedule in of_type(template, "AWS::Scheduler::Schedule").items():
        yield name, _first(schedule["Target"]["Arn"]), schedule["ScheduleExpression"]
        yield name, _first(schedule["Target"].get("DeadLetterConfig")), "failed"


def _failures(template: Template) -> Iterator[tuple[str, str, str]]:
    for config in of_type(template, "AWS::Lambda::EventInvokeConfig").values():
        yield _first(config["FunctionName"]), _on_failure(config), "failed"


def _on_failure(properties: Mapping[str, Any]) -> str:
    return _first(properties.get("DestinationConfig", {}).get("OnFailure"))
