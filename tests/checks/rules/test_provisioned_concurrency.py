"""E9802: a function's provisioned concurrency is within its own reservation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.rules.rule_runner import DELETE, by_name, edited

LAMBDA = "AWS::Lambda::Function"

GOOD: dict[str, Any] = {
    "Parameters": {
        "Environment": {"Type": "String"},
        "Warm": {"Type": "Number", "Default": "16"},
        "Name": {"Type": "String"},
    },
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]},
        "IsNotProd": {"Fn::Not": [{"Condition": "IsProd"}]},
    },
    "Resources": {
        "Worker": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 25}},
        "Other": {"Type": LAMBDA, "Properties": {"FunctionName": "other-worker", "ReservedConcurrentExecutions": 1}},
        "Release": {
            "Type": "AWS::Lambda::Version",
            "Properties": {
                "FunctionName": {"Ref": "Worker"},
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 10},
            },
        },
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "FunctionName": {"Fn::GetAtt": ["Worker", "Arn"]},
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 15},
            },
        },
    },
}
"""25 provisioned out of 25 reserved."""

RESERVED = "Resources/Worker/Properties/ReservedConcurrentExecutions"
PROVISIONED = "Resources/{}/Properties/ProvisionedConcurrencyConfig/ProvisionedConcurrentExecutions"
LIVE, RELEASE = PROVISIONED.format("Live"), PROVISIONED.format("Release")
OF_LIVE = "Resources/Live/Properties/FunctionName"


def message(total: int, reserved: int, figures: str, scenario: str = "") -> str:
    return (
        f"Worker has {total} provisioned concurrent executions, {total - reserved} more than the {reserved} that it "
        f"reserves{scenario}: {figures}; reserve {total} or provision less"
    )


TOO_MUCH: list[tuple[Any, ...]] = [
    ("one unit more", [(LIVE, 16)], [(LIVE, message(26, 25, "Live 16, Release 10"))]),
    ("text", [(LIVE, "16")], [(LIVE, message(26, 25, "Live 16, Release 10"))]),
    ("one unit less reserved", [(RESERVED, 24)], [(LIVE, message(25, 24, "Live 15, Release 10"))]),
    ("the larger one is named first", [(RELEASE, 30)], [(RELEASE, message(45, 25, "Release 30, Live 15"))]),
    ("nothing reserved at all", [(RESERVED, 0)], [(LIVE, message(25, 0, "Live 15, Release 10"))]),
    ("default", [(LIVE, {"Ref": "Warm"})], [(LIVE, message(26, 25, "Live 16, Release 10", ", when Warm is 16"))]),
    (
        "arn as text",
        [(OF_LIVE, {"Fn::GetAtt": "Worker.Arn"}), (LIVE, 16)],
        [(LIVE, message(26, 25, "Live 16, Release 10"))],
    ),
    (
        "substituted arn",
        [(OF_LIVE, {"Fn::Sub": "${Worker.Arn}"}), (LIVE, 16)],
        [(LIVE, message(26, 25, "Live 16, Release 10"))],
    ),
    (
        "substituted name in an arn",
        [(OF_LIVE, {"Fn::Sub": "arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:${Worker}"}), (LIVE, 16)],
        [(LIVE, message(26, 25, "Live 16, Release 10"))],
    ),
    (
        "name that the function states",
        [("Resources/Worker/Properties/FunctionName", "worker"), (OF_LIVE, "worker"), (LIVE, 16)],
        [(LIVE, message(26, 25, "Live 16, Release 10"))],
    ),
    (
        "arn of the name that the function states",
        [
            ("Resources/Worker/Properties/FunctionName", "worker"),
            (OF_LIVE, "arn:aws:lambda:eu-west-1:123456789012:function:worker"),
            (LIVE, 16),
        ],
        [(LIVE, message(26, 25, "Live 16, Release 10"))],
    ),
    (
        "the same expression for the name",
        [("Resources/Worker/Properties/FunctionName", {"Ref": "Name"}), (OF_LIVE, {"Ref": "Name"}), (LIVE, 16)],
        [(LIVE, message(26, 25, "Live 16, Release 10"))],
    ),
    (
        "under a condition",
        [("Resources/Live/Condition", "IsProd"), (LIVE, 16)],
        [(LIVE, message(26, 25, "Live 16, Release 10", ", when IsProd is true"))],
    ),
    (
        "a figure under a condition",
        [(LIVE, {"Fn::If": ["IsProd", 5, 16]})],
        [(f"{LIVE}/Fn::If/2", message(26, 25, "Live 16, Release 10", ", when IsProd is false"))],
    ),
    (
        "a configuration under a condition",
        [
            (
                "Resources/Live/Properties/ProvisionedConcurrencyConfig",
                {"Fn::If": ["IsProd", {"ProvisionedConcurrentExecutions": 16}, {"Ref": "AWS::NoValue"}]},
            )
        ],
        [
            (
                "Resources/Live/Properties/ProvisionedConcurrencyConfig/Fn::If/1/ProvisionedConcurrentExecutions",
                message(26, 25, "Live 16, Release 10", ", when IsProd is true"),
            )
        ],
    ),
    (
        "a reservation under a condition",
        [(RESERVED, {"Fn::If": ["IsProd", 25, 20]})],
        [(LIVE, message(25, 20, "Live 15, Release 10", ", when IsProd is false"))],
    ),
    (
        "one alias too much by itself",
        [("Resources/Release", DELETE), (LIVE, 26)],
        [(LIVE, message(26, 25, "Live 26"))],
    ),
    (
        "sam function with its own",
        [
            ("Resources/Worker/Type", "AWS::Serverless::Function"),
            (PROVISIONED.format("Worker"), 1),
        ],
        [(LIVE, message(26, 25, "Live 15, Release 10, Worker 1"))],
    ),
]

SILENT: list[tuple[Any, ...]] = [
    ("as it is", []),
    ("nothing reserved, so nothing to exceed", [(RESERVED, DELETE), (LIVE, 500)]),
    ("reservation unknown", [(RESERVED, {"Fn::ImportValue": "units"}), (LIVE, 500)]),
    ("a negative reservation", [(RESERVED, -1)]),
    ("a negative figure", [(LIVE, -1), (RESERVED, 10)]),
    ("figure unknown", [(LIVE, {"Fn::ImportValue": "units"})]),
    ("figure of another kind", [(LIVE, [500])]),
    ("configuration of another kind", [("Resources/Live/Properties/ProvisionedConcurrencyConfig", 500)]),
    ("no configuration", [("Resources/Live/Properties/ProvisionedConcurrencyConfig", DELETE)]),
    ("no function named", [(OF_LIVE, DELETE), (LIVE, 500)]),
    ("function unknown", [(OF_LIVE, {"Ref": "Name"}), (LIVE, 500)]),
    ("function imported", [(OF_LIVE, {"Fn::ImportValue": "worker"}), (LIVE, 500)]),
    ("a logical id is no name", [(OF_LIVE, "Worker"), (LIVE, 500)]),
    ("another attribute", [(OF_LIVE, {"Fn::GetAtt": ["Worker", "SnapStartResponse"]}), (LIVE, 500)]),
    ("another function", [(OF_LIVE, "a-different-other-worker"), (LIVE, 500)]),
    (
        "a version and an alias that exclude each other",
        [
            ("Resources/Live/Condition", "IsProd"),
            ("Resources/Release/Condition", "IsNotProd"),
            (LIVE, 25),
            (RELEASE, 25),
        ],
    ),
    (
        "each figure with its own reservation",
        [(RESERVED, {"Fn::If": ["IsProd", 100, 25]}), (LIVE, {"Fn::If": ["IsProd", 90, 15]})],
    ),
    (
        "an alias that belongs to the function in one case",
        [(OF_LIVE, {"Fn::If": ["IsProd", {"Ref": "Worker"}]}), (LIVE, 50)],
    ),
    ("a resource of another kind", [("Resources/Live/Type", "AWS::SQS::Queue"), (LIVE, 500)]),
]


@pytest.mark.parametrize(("edits", "expected"), by_name(TOO_MUCH))
def test_reports_more_provisioned_than_reserved(findings: Any, edits: Any, expected: Any) -> None:
    assert findings("E9802", edited(GOOD, *edits)) == expected


@pytest.mark.parametrize("edits", by_name(SILENT))
def test_is_silent_about_what_fits_or_cannot_be_told(findings: Any, edits: Any) -> None:
    assert findings("E9802", edited(GOOD, *edits)) == []


SCALING: dict[str, Any] = {
    "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
    "Properties": {
        "ScalableDimension": "lambda:function:ProvisionedConcurrency",
        "ResourceId": {"Fn::Sub": "function:${Worker}:live"},
        "MaxCapacity": 16,
    },
}


def test_the_maximum_of_application_auto_scaling_counts(findings: Any) -> None:
    """The target replaces the 15 that the alias states."""
    content = edited(GOOD, ("Resources/Live/Properties/Name", "live"), ("Resources/Scaling", SCALING))
    path = "Resources/Scaling/Properties/MaxCapacity"
    assert findings("E9802", content) == [(path, message(26, 25, "Scaling 16, Release 10"))]
    assert findings("E9802", edited(content, (path, 15))) == []


def test_an_alias_moves_between_functions_with_a_condition(findings: Any) -> None:
    """In each case it counts for the function that it then belongs to."""
    moved = edited(GOOD, (OF_LIVE, {"Fn::If": ["IsProd", {"Ref": "Worker"}, {"Ref": "Other"}]}), (LIVE, 16))
    assert findings("E9802", moved) == [
        (LIVE, message(26, 25, "Live 16, Release 10", ", when IsProd is true")),
        (
            LIVE,
            "Other has 16 provisioned concurrent executions, 15 more than the 1 that it reserves, when IsProd is "
            "false: Live 16; reserve 16 or provision less",
        ),
    ]


def test_each_function_has_its_own_finding(findings: Any) -> None:
    both = edited(
        GOOD,
        (LIVE, 16),
        ("Resources/Spare", {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": "other-worker"}}),
        (PROVISIONED.format("Spare"), 2),
    )
    assert findings("E9802", both) == [
        (LIVE, message(26, 25, "Live 16, Release 10")),
        (
            PROVISIONED.format("Spare"),
            "Other has 2 provisioned concurrent executions, 1 more than the 1 that it reserves: Spare 2; reserve 2 "
            "or provision less",
        ),
    ]
