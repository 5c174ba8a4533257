"""E9807: an SQS event source mapping runs at most what its function reserves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.rules.rule_runner import DELETE, by_name, edited

GOOD: dict[str, Any] = {
    "Parameters": {"Stage": {"Type": "String"}, "Most": {"Type": "Number", "Default": 11}},
    "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
    "Resources": {
        "Worker": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 10}},
        "Live": {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "Worker"}}},
        "Orders": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Worker"},
                "EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:orders",
                "ScalingConfig": {"MaximumConcurrency": 10},
            },
        },
    },
}
"""A maximum as large as the reservation."""

RESERVED = "Resources/Worker/Properties/ReservedConcurrentExecutions"
OF_ORDERS = "Resources/Orders/Properties"
MAXIMUM = f"{OF_ORDERS}/ScalingConfig/MaximumConcurrency"

SAM_EVENT = {"Type": "SQS", "Properties": {"Queue": "arn", "ScalingConfig": {"MaximumConcurrency": 12}}}
EVENT_MAXIMUM = "Resources/Worker/Properties/Events/Job/Properties/ScalingConfig/MaximumConcurrency"


def message(maximum: int, reserved: int, scenario: str = "", name: str = "Orders", lower: str = "") -> str:
    return (
        f"{name} has a maximum concurrency of {maximum:,}, {maximum - reserved:,} more than the {reserved} that Worker "
        f"reserves{scenario}; Lambda refuses that: {lower or f'lower it to {reserved}'} or reserve {maximum:,}"
    )


TOO_MUCH: list[tuple[Any, ...]] = [
    ("one unit more", [(MAXIMUM, 11)], MAXIMUM, message(11, 10)),
    ("text", [(MAXIMUM, "1000")], MAXIMUM, message(1000, 10)),
    ("one unit less reserved", [(RESERVED, 9)], MAXIMUM, message(10, 9)),
    ("no maximum is that low", [(RESERVED, 1)], MAXIMUM, message(10, 1, lower="leave it out")),
    ("by an alias", [(f"{OF_ORDERS}/FunctionName", {"Ref": "Live"}), (MAXIMUM, 11)], MAXIMUM, message(11, 10)),
    ("default", [(MAXIMUM, {"Ref": "Most"})], MAXIMUM, message(11, 10, ", when Most is 11")),
    (
        "a reservation under a condition",
        [(RESERVED, {"Fn::If": ["IsProd", 10, 5]})],
        MAXIMUM,
        message(10, 5, ", when IsProd is false"),
    ),
    (
        "a maximum under a condition",
        [(f"{OF_ORDERS}/ScalingConfig", {"Fn::If": ["IsProd", {"MaximumConcurrency": 20}, {"Ref": "AWS::NoValue"}]})],
        f"{OF_ORDERS}/ScalingConfig/Fn::If/1/MaximumConcurrency",
        message(20, 10, ", when IsProd is true"),
    ),
    (
        "event of a sam function",
        [("Resources/Worker/Type", "AWS::Serverless::Function"), ("Resources/Worker/Properties/Events/Job", SAM_EVENT)],
        EVENT_MAXIMUM,
        message(12, 10, name="Worker.Job"),
    ),
    (
        "event with the name of a property",
        [
            ("Resources/Worker/Type", "AWS::Serverless::Function"),
            ("Resources/Worker/Properties/Events/ReservedConcurrentExecutions", SAM_EVENT),
        ],
        EVENT_MAXIMUM.replace("Job", "ReservedConcurrentExecutions"),
        message(12, 10, name="Worker.ReservedConcurrentExecutions"),
    ),
]

SILENT: list[tuple[Any, ...]] = [
    ("as it is", []),
    ("nothing reserved", [(RESERVED, DELETE), (MAXIMUM, 1000)]),
    ("reservation unknown", [(RESERVED, {"Fn::ImportValue": "units"}), (MAXIMUM, 1000)]),
    ("no maximum", [(MAXIMUM, DELETE)]),
    ("maximum unknown", [(MAXIMUM, {"Fn::ImportValue": "most"})]),
    ("another function", [(f"{OF_ORDERS}/FunctionName", "somewhere-else"), (MAXIMUM, 1000)]),
    (
        "each maximum with its own reservation",
        [(RESERVED, {"Fn::If": ["IsProd", 20, 5]}), (MAXIMUM, {"Fn::If": ["IsProd", 20, 5]})],
    ),
    ("a mapping of another deployment", [("Resources/Orders/Condition", "IsProd"), (RESERVED, DELETE)]),
    (
        "on managed instances",
        [("Resources/Worker/Properties/CapacityProviderConfig", {"Provider": "arn"}), (MAXIMUM, 1000)],
    ),
]


@pytest.mark.parametrize(("edits", "path", "expected"), by_name(TOO_MUCH))
def test_reports_a_maximum_above_the_reservation(findings: Any, edits: Any, path: str, expected: str) -> None:
    assert findings("E9807", edited(GOOD, *edits)) == [(path, expected)]


@pytest.mark.parametrize("edits", by_name(SILENT))
def test_is_silent_about_what_fits_or_is_unknown(findings: Any, edits: Any) -> None:
    assert findings("E9807", edited(GOOD, *edits)) == []
