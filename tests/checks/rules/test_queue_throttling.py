"""W9808: throttled pollers send no messages to the dead-letter queue."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.rules.rule_runner import DELETE, by_name, edited


def mapping(queue: str) -> dict[str, Any]:
    properties = {"FunctionName": {"Ref": "Worker"}, "EventSourceArn": {"Fn::GetAtt": [queue, "Arn"]}}
    return {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}


BAD: dict[str, Any] = {
    "Parameters": {"Stage": {"Type": "String"}},
    "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
    "Resources": {
        "Dead": {"Type": "AWS::SQS::Queue"},
        "Orders": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "RedrivePolicy": {"deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]}, "maxReceiveCount": 4}
            },
        },
        "Worker": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 4}},
        "FromOrders": mapping("Orders"),
    },
}
"""One receive and one unit of concurrency fewer than AWS recommends."""

RESERVED = "Resources/Worker/Properties/ReservedConcurrentExecutions"
RECEIVES = "Resources/Orders/Properties/RedrivePolicy/maxReceiveCount"
SCALING = "Resources/FromOrders/Properties/ScalingConfig"


def message(demand: int = 5, reserved: int = 4, receives: str = "4 receives", scenario: str = "") -> str:
    return (
        f"Orders moves a message to its dead-letter queue after {receives}, and throttles count: the pollers of Worker "
        f"start with {demand} concurrent executions, {demand - reserved} more than the {reserved} that it reserves"
        f"{scenario}; reserve {demand}, or write a maxReceiveCount of 5 or more"
    )


LOSING: list[tuple[Any, ...]] = [
    ("as it is", [], message()),
    ("one receive", [(RECEIVES, "1")], message(receives="1 receive")),
    ("a second queue asks for five more", [("Resources/FromOthers", mapping("Dead"))], message(10)),
    ("two mappings with a maximum", [(SCALING, {"MaximumConcurrency": 5})], message()),
    (
        "in one deployment",
        [(RESERVED, {"Fn::If": ["IsProd", 5, 2]})],
        message(reserved=2, scenario=", when IsProd is false"),
    ),
    (
        "a mapping that is on in one deployment",
        [("Resources/FromOrders/Properties/Enabled", {"Fn::If": ["IsProd", False, True]})],
        message(scenario=", when IsProd is false"),
    ),
    (
        "a mapping with the name of a property",
        [("Resources/FromOrders", DELETE), ("Resources/RedrivePolicy", mapping("Orders"))],
        message(),
    ),
    ("not a FIFO queue", [("Resources/Orders/Properties/FifoQueue", False)], message()),
]

SAFE: list[tuple[Any, ...]] = [
    ("enough receives", [(RECEIVES, 5)]),
    ("enough reserved", [(RESERVED, 5)]),
    ("nothing reserved", [(RESERVED, DELETE)]),
    ("switched off", [(RESERVED, 0)]),
    ("a maximum within the reservation", [(SCALING, {"MaximumConcurrency": 4})]),
    ("no dead-letter queue", [("Resources/Orders/Properties/RedrivePolicy", DELETE)]),
    ("receives unknown", [(RECEIVES, {"Fn::ImportValue": "receives"})]),
    ("a FIFO queue", [("Resources/Orders/Properties/FifoQueue", True)]),
    ("a mapping that is switched off", [("Resources/FromOrders/Properties/Enabled", False)]),
    (
        "a mapping that is on only where enough is reserved",
        [
            (RESERVED, {"Fn::If": ["IsProd", 5, 2]}),
            ("Resources/FromOrders/Properties/Enabled", {"Fn::If": ["IsProd", True, "false"]}),
        ],
    ),
    ("provisioned pollers", [("Resources/FromOrders/Properties/ProvisionedPollerConfig", {"MinimumPollers": 2})]),
    ("a queue elsewhere", [("Resources/FromOrders/Properties/EventSourceArn", "arn:aws:sqs:x:1:orders")]),
    (
        "few receives only where enough is reserved",
        [(RESERVED, {"Fn::If": ["IsProd", 5, 2]}), (RECEIVES, {"Fn::If": ["IsProd", 1, 5]})],
    ),
]


@pytest.mark.parametrize(("edits", "expected"), by_name(LOSING))
def test_reports_a_queue_that_loses_throttled_messages(findings: Any, edits: Any, expected: str) -> None:
    assert findings("W9808", edited(BAD, *edits)) == [(RECEIVES, expected)]


@pytest.mark.parametrize("edits", by_name(SAFE))
def test_is_silent_where_throttles_lose_nothing(findings: Any, edits: Any) -> None:
    assert findings("W9808", edited(BAD, *edits)) == []


@pytest.mark.parametrize("name", ["Job", "ReservedConcurrentExecutions"])
def test_an_event_of_sam_is_a_mapping_too_behind_others(findings: Any, name: str) -> None:
    calls = {f"Call{n}": {"Type": "Api", "Properties": {"Path": f"/{n}", "Method": "get"}} for n in range(20)}
    event = {"Type": "SQS", "Properties": {"Queue": {"Fn::GetAtt": ["Orders", "Arn"]}}}
    sam = edited(BAD, ("Resources/FromOrders", DELETE), ("Resources/Worker/Type", "AWS::Serverless::Function"))
    events = ("Resources/Worker/Properties/Events", {**calls, name: event})
    assert findings("W9808", edited(sam, events)) == [(RECEIVES, message())]
