"""The architecture diagram: edges between resources, read from a template's references, and their Mermaid text.

Every edge is a reference in the template; this module does not use the code that generated it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from generator.report.resources import referenced, statements
from generator.template.dependencies import references
from generator.template.intrinsics import Json, as_list
from generator.template.model import Template

SENDERS, PHONES = "Senders", "Phones"
"""The two ends outside the stack: the callers of the API, and the recipients of SMS."""

ABOUT_DIAGRAM = (
    "Drawn from the references in the template. Dotted arrows carry failures only. Not drawn: encryption by the KMS "
    "key, logs, traces, the API's stage, key and usage plan, and the alarms with their topic."
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
"""The resource types to draw, each with its Mermaid shape."""

VERBS = {
    "dynamodb:PutItem": "put",
    "dynamodb:UpdateItem": "update",
    "dynamodb:DeleteItem": "delete",
    "dynamodb:Query": "query",
    "dynamodb:BatchWriteItem": "delete",
    "dynamodb:GetItem": "get",
    "dynamodb:BatchGetItem": "get",
    "dynamodb:Scan": "scan",
    "secretsmanager:GetSecretValue": "read",
    "sns:Publish": "publish",
    "sqs:SendMessage": "failed",
    "lambda:InvokeFunction": "invoke",
}


Edges = dict[tuple[str, str], list[str]]
"""Arrows from one resource to another, each with a label for every way it is used."""


def graph(template: Template) -> Edges:
    """Return the edges between drawn resources, one for each pair, in the order in which a webhook travels."""
    drawn = {name for name, body in template.resources.items() if body["Type"] in SHAPES} | {SENDERS, PHONES}
    edges: Edges = {}
    for source, target, label in _references(template):
        if source in drawn and target in drawn and label not in edges.setdefault((source, target), []):
            edges[source, target].append(label)
    return edges


def mermaid(template: Template) -> str:
    """Return the text of a Mermaid flowchart. Dead ends with one edge come first, so that fewer lines cross."""
    edges = graph(template)
    sources, targets = [source for source, _ in edges], [target for _, target in edges]
    continued = {*sources, *(name for name in targets if targets.count(name) > 1)}
    order = sorted(edges, key=lambda edge: (sources.index(edge[0]), edge[1] in continued))
    nodes = (f"  {_node(name, template)}" for name in dict.fromkeys(chain.from_iterable(order)))
    arrows = []
    for source, target in order:
        # Only failures go to a queue. Labels are quoted because parentheses are Mermaid syntax.
        line = "-.->" if template.resources.get(target, {}).get("Type") == "AWS::SQS::Queue" else "-->"
        arrows.append(f'  {source} {line}|"{", ".join(edges[source, target])}"| {target}')
    return "\n".join(["flowchart TD", *nodes, *arrows])


def _node(name: str, template: Template) -> str:
    opening, closing = SHAPES.get(template.resources.get(name, {}).get("Type", ""), ("((", "))"))
    reserved = template.properties(name).get("ReservedConcurrentExecutions")
    note = "" if reserved is None else f"<br/>{reserved} reserved"
    return f'{name}{opening}"{name}{note}"{closing}'


def _references(template: Template) -> Iterator[tuple[str, str, str]]:
    """Yield the source, target and label of each reference, in the order in which a webhook travels."""
    for method in template.properties_of("AWS::ApiGateway::Method").values():
        api, path = referenced(method["RestApiId"]), template.properties(referenced(method["ResourceId"]))
        yield SENDERS, api, f"{method['HttpMethod']} /{path.get('PathPart', '')}"
        yield api, referenced(method.get("Integration", {}).get("Uri")), "invoke"
    yield from _permissions_of_functions(template)
    for mapping in template.properties_of("AWS::Lambda::EventSourceMapping").values():
        function = referenced(mapping["FunctionName"])
        yield referenced(mapping["EventSourceArn"]), function, f"stream, batches of {mapping.get('BatchSize', 100)}"
        yield function, _on_failure(mapping), "failed"
    for subscription in template.properties_of("AWS::SNS::Subscription").values():
        topic = referenced(subscription["TopicArn"])
        yield topic, referenced(subscription.get("Endpoint")), "notify"
        yield topic, referenced(subscription.get("RedrivePolicy")), "failed"
    for name, schedule in template.properties_of("AWS::Scheduler::Schedule").items():
        yield name, referenced(schedule["Target"]["Arn"]), schedule["ScheduleExpression"]
        yield name, referenced(schedule["Target"].get("DeadLetterConfig")), "failed"
    for config in template.properties_of("AWS::Lambda::EventInvokeConfig").values():
        yield referenced(config["FunctionName"]), _on_failure(config), "failed"


def _permissions_of_functions(template: Template) -> Iterator[tuple[str, str, str]]:
    """Yield an edge to each resource that a function's role allows; edges of streams come from their mappings."""
    for name, function in template.properties_of("AWS::Lambda::Function").items():
        role = template.properties(referenced(function.get("Role")))
        for statement in statements(role):
            for action in as_list(statement["Action"]):
                verb = VERBS.get(action, action.partition(":")[2])
                for target in _targets(statement, action):
                    yield name, target, "SMS" if target == PHONES else verb


def _targets(statement: Mapping[str, Json], action: str) -> Iterable[str]:
    if "NotResource" in statement:
        return [PHONES] if action == "sns:Publish" else []
    reached = (next(references(resource), "") for resource in as_list(statement["Resource"]))
    return [name.partition(".")[0] for name in reached if not name.endswith(".StreamArn")]


def _on_failure(destinations: Mapping[str, Json]) -> str:
    return referenced(destinations.get("DestinationConfig", {}).get("OnFailure"))
