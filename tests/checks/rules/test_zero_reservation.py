"""W9804: no function is switched off by a reservation of 0."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.rules.rule_runner import DELETE, by_name, edited

GOOD: dict[str, Any] = {
    "Parameters": {"Environment": {"Type": "String"}, "Units": {"Type": "Number", "Default": 0}},
    "Conditions": {
        "IsPaused": {"Fn::Equals": [{"Ref": "Environment"}, "paused"]},
        "HasUnits": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Units"}, 0]}]},
    },
    "Resources": {
        "Worker": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 1}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"ReservedConcurrentExecutions": 0}},
    },
}

WORKER = "Resources/Worker/Properties/ReservedConcurrentExecutions"


def finding(path: str = WORKER, scenario: str = "") -> list[tuple[str, str]]:
    return [
        (
            path,
            f"Worker reserves 0 concurrent executions and never runs{scenario}; leave the property out to share the "
            "account's pool",
        )
    ]


SWITCHED_OFF: list[tuple[Any, ...]] = [
    ("number", [(WORKER, 0)], finding()),
    ("text", [(WORKER, "0")], finding()),
    ("sam function", [("Resources/Worker/Type", "AWS::Serverless::Function"), (WORKER, 0)], finding()),
    ("default", [(WORKER, {"Ref": "Units"})], finding(scenario=", when Units is 0")),
    (
        "under a condition",
        [(WORKER, {"Fn::If": ["IsPaused", 0, 10]})],
        finding(f"{WORKER}/Fn::If/1", ", when IsPaused is true"),
    ),
    (
        "function under a condition",
        [("Resources/Worker/Condition", "IsPaused"), (WORKER, 0)],
        finding(scenario=", when IsPaused is true"),
    ),
]

SILENT: list[tuple[Any, ...]] = [
    ("as it is", []),
    ("absent", [(WORKER, DELETE)]),
    ("removed", [(WORKER, {"Ref": "AWS::NoValue"})]),
    ("false", [(WORKER, False)]),
    ("null", [(WORKER, None)]),
    ("a fraction", [(WORKER, 0.5)]),
    ("empty", [(WORKER, "")]),
    ("unknown", [(WORKER, {"Fn::ImportValue": "units"})]),
    ("no default", [("Parameters/Units", {"Type": "Number"}), (WORKER, {"Ref": "Units"})]),
    (
        "a default of 0 that its own condition replaces",
        [(WORKER, {"Fn::If": ["HasUnits", {"Ref": "Units"}, {"Ref": "AWS::NoValue"}]})],
    ),
    (
        "a condition that is never true",
        [("Conditions/IsPaused", {"Fn::Equals": ["a", "b"]}), (WORKER, {"Fn::If": ["IsPaused", 0, 10]})],
    ),
    ("a condition that is not there", [("Resources/Worker/Condition", "Nowhere"), (WORKER, 0)]),
]


@pytest.mark.parametrize(("edits", "expected"), by_name(SWITCHED_OFF))
def test_reports_functions_that_are_switched_off(findings: Any, edits: Any, expected: Any) -> None:
    assert findings("W9804", edited(GOOD, *edits)) == expected


@pytest.mark.parametrize("edits", by_name(SILENT))
def test_is_silent_about_functions_that_run_or_cannot_be_told(findings: Any, edits: Any) -> None:
    assert findings("W9804", edited(GOOD, *edits)) == []


def test_one_finding_for_each_place(findings: Any) -> None:
    twice = edited(GOOD, (WORKER, {"Fn::If": ["IsPaused", 0, 0]}))
    assert [path for path, _ in findings("W9804", twice)] == [f"{WORKER}/Fn::If/1", f"{WORKER}/Fn::If/2"]
