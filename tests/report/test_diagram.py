"""The diagram shows every reference between drawn resources, and no other edge."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest

from generator.report.diagram import PHONES, SENDERS
from tests.conftest import ENVIRONMENTS
from tests.report.documents import graph, mermaid
from tests.stack.model import TEMPLATES

EVERY = pytest.mark.parametrize("name", ENVIRONMENTS)

DRAWN = (
    "RestApi",
    "Lambda::Function",
    "DynamoDB::Table",
    "SNS::Topic",
    "SQS::Queue",
    "Schedule",
    "SecretsManager::Secret",
)

LINKS = (
    (r'"RestApiId": NAME', r'"Uri": NAME'),
    (r'"EventSourceArn": NAME', r'"FunctionName": NAME'),
    (r'"TopicArn": NAME', r'"Endpoint": NAME'),
    (r'"TopicArn": NAME', r'"deadLetterTargetArn": NAME'),
    (r'"FunctionName": NAME', r'"Destination": NAME'),
)
"""The two ends of each resource that only connects others, as patterns of their text."""


def drawn(template: dict[str, Any]) -> set[str]:
    return {name for name, body in template["Resources"].items() if body["Type"].endswith(DRAWN)}


def by_text(template: dict[str, Any]) -> set[tuple[str, str]]:
    """Find the edges in another way: by looking for names in the text of each resource."""
    texts = {name: json.dumps(body) for name, body in template["Resources"].items()}
    pairs = {pair for text in texts.values() for ends in LINKS for pair in tied(text, *ends)}
    for name in drawn(template):
        if '"Target": {"Arn"' in texts[name]:
            target, dead_letters = re.findall(r'"Arn": \{"Fn::GetAtt": \["(\w+)"', texts[name])
            pairs |= {(name, target), (name, dead_letters)}
        if role := re.search(r'"Role": \{"Fn::GetAtt": \["(\w+)"', texts[name]):
            pairs |= {(name, target) for target in reached(texts[role[1]])}
    if any('"HttpMethod": "POST"' in text for text in texts.values()):
        pairs.add(
            (SENDERS, next(name for name in texts if texts[name].startswith('{"Type": "AWS::ApiGateway::RestApi"')))
        )
    known = drawn(template) | {SENDERS, PHONES}
    return {(source, target) for source, target in pairs if source in known and target in known}


def tied(text: str, first: str, second: str) -> set[tuple[str, str]]:
    ends = [re.findall(end.replace("NAME", name_at(end)), text) for end in (first, second)]
    return {(source, target) for source in ends[0] for target in ends[1]}


def name_at(end: str) -> str:
    """Return the pattern of a reference; in an integration's URI the function follows the Region."""
    return r'\{"Fn::Sub": "[^"]*functions/\$\{(\w+)' if "Uri" in end else r'\{"(?:Ref|Fn::GetAtt)": \[?"(\w+)'


def reached(role: str) -> set[str]:
    names: set[str] = set()
    for statement in role.split('"Effect"')[2:]:
        for name, attribute in re.findall(r'\{"(?:Ref|Fn::GetAtt)": \[?"(\w+)"(?:, "(\w+)")?', statement):
            names |= {name} if attribute != "StreamArn" else set()
        names |= set(re.findall(r"\$\{(\w+)\.Arn\}/index", statement))
        names |= {PHONES} if '"NotResource"' in statement and "sns:Publish" in statement else set()
    return names


@EVERY
def test_the_edges_are_the_references_of_the_template(name: str) -> None:
    edges = graph(TEMPLATES[name])
    assert len(edges) == 18
    assert set(edges) == by_text(TEMPLATES[name])


@EVERY
def test_every_drawn_resource_has_an_edge_except_the_alarm_topic(name: str) -> None:
    ends = {end for edge in graph(TEMPLATES[name]) for end in edge}
    assert drawn(TEMPLATES[name]) - ends == {"OperationsTopic"}


@EVERY
def test_the_diagram_has_every_edge_and_every_node_once(name: str) -> None:
    lines = mermaid(TEMPLATES[name]).splitlines()
    arrows = [match.groups() for line in lines if (match := re.fullmatch(r"  (\w+) -.*>\|\"(.*)\"\| (\w+)", line))]
    edges = graph(TEMPLATES[name])
    assert sorted(arrows) == sorted((source, ", ".join(labels), target) for (source, target), labels in edges.items())
    nodes = [match[1] for line in lines if (match := re.fullmatch(r"  (\w+)[(\[{].*[)\]}]", line))]
    assert sorted(nodes) == sorted({end for edge in edges for end in edge})
    assert len(lines) == 1 + len(nodes) + len(arrows)


@EVERY
def test_labels_are_short_and_free_of_mermaid_syntax(name: str) -> None:
    for label in re.findall(r'"(.*?)"', mermaid(TEMPLATES[name])):
        for line in label.split("<br/>"):
            assert 0 < len(line) <= 40
            assert not set(line) & set('"#;<>|')


def test_adding_or_removing_a_reference_adds_or_removes_an_edge() -> None:
    template = copy.deepcopy(TEMPLATES["prod"])
    before = graph(template)
    del template["Resources"]["SendNotificationSubscription"]
    role = template["Resources"]["CleanupHistoryRole"]["Properties"]["Policies"][0]["PolicyDocument"]
    role["Statement"].append({"Effect": "Allow", "Action": "sns:Publish", "Resource": {"Ref": "NotificationTopic"}})
    after = graph(template)
    assert {edge: labels for edge, labels in before.items() if after.get(edge) != labels} == {
        ("NotificationTopic", "SendNotificationFunction"): ["notify"],
        ("NotificationTopic", "AsyncFailureQueue"): ["failed"],
    }
    added = {edge: labels for edge, labels in after.items() if before.get(edge) != labels}
    assert added == {("CleanupHistoryFunction", "NotificationTopic"): ["publish"]}
    assert set(after) == by_text(template)


def test_a_function_without_a_reservation_has_no_label_for_it() -> None:
    template = copy.deepcopy(TEMPLATES["dev"])
    for body in template["Resources"].values():
        body.get("Properties", {}).pop("ReservedConcurrentExecutions", None)
    assert '  CheckAlertsFunction["CheckAlertsFunction"]' in mermaid(template)
