"""E9806: a template has no null values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.checks.rules.rule_runner import edited

GOOD: dict[str, Any] = {
    "Resources": {
        "Worker": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 1}},
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"Tags": [{"Key": "team", "Value": "null"}]}},
    },
}


@pytest.mark.parametrize(
    "path",
    [
        "Resources/Worker/Properties/ReservedConcurrentExecutions",
        "Resources/Worker/Properties",
        "Resources/Topic/Properties/DisplayName",
        "Outputs/Name/Value",
        "Description",
    ],
)
def test_a_null_value_is_found_wherever_it_is(findings: Any, path: str) -> None:
    what = "is null, which CloudFormation refuses; leave it out, or use AWS::NoValue"
    assert findings("E9806", edited(GOOD, (path, None))) == [(path, f"{path.rpartition('/')[2]} {what}")]


def test_a_null_within_a_list_is_found(findings: Any) -> None:
    [(path, _)] = findings("E9806", edited(GOOD, ("Resources/Topic/Properties/Tags", [{}, None])))
    assert path == "Resources/Topic/Properties/Tags/1"


def test_a_template_without_null_is_good(findings: Any) -> None:
    assert findings("E9806", GOOD) == []
