"""A change that removes a protection or a retention policy needs a decision, also where a parameter makes it."""

from __future__ import annotations

import pytest

from generator.diff.model import Rating
from generator.diff.summary import consequences, headlines, rating
from tests.diff.documents import compared

HEAD = """
Parameters:
  Keep: {Type: String, Default: "true", AllowedValues: ["true", "false"]}
Conditions:
  IsKept: !Equals [!Ref Keep, "true"]
Resources:
"""
PROTECTED = f"{HEAD}  T: {{Type: AWS::DynamoDB::Table, Properties: {{DeletionProtectionEnabled: VALUE}}}}"
NOTE = "T: deletion protection is removed"


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ("true", "false", [f"{NOTE}."]),
        ("'True'", "'False'", [f"{NOTE}."]),
        ("true", "!Ref AWS::NoValue", [f"{NOTE}."]),
        ("true", "!If [IsKept, true, false]", [f"{NOTE} if IsKept does not hold."]),
        ("!If [IsKept, true, false]", "!If [IsKept, false, true]", [f"{NOTE} if IsKept holds."]),
        ("!If [IsKept, false, true]", "!If [IsKept, false, 'true']", []),
        ("!If [IsKept, true, false]", "true", []),
        ("false", "!If [IsKept, true, false]", []),
        ("true", "!Ref Keep", [f"{NOTE} if ${{Keep}} is off."]),
        ("!Ref Keep", "false", [f"{NOTE} if ${{Keep}} was on."]),
        ("!Ref Keep", "!If [IsKept, true, false]", [f"{NOTE} if IsKept does not hold and ${{Keep}} was on."]),
        ("!Ref Keep", "true", []),
        ("!If [IsKept, !Ref Keep, true]", "!If [IsKept, !Ref Keep, 'true']", []),
    ],
)
def test_removed_deletion_protection_needs_a_decision(old: str, new: str, lines: list[str]) -> None:
    found = compared(PROTECTED.replace("VALUE", old), PROTECTED.replace("VALUE", new))
    assert list(consequences(found)) == lines
    assert (rating(found) == Rating.REVIEW) == bool(lines)
    assert headlines(found)["Verdict"].startswith("needs a decision: lasting effects") == bool(lines)


@pytest.mark.parametrize("value", ["!Ref Keep", "!If [IsKept, true, false]", "!If [IsKept, true, !Ref AWS::NoValue]"])
def test_protection_that_a_new_default_removes_needs_a_decision(value: str) -> None:
    old = PROTECTED.replace("VALUE", value)
    found = compared(old, old.replace('Default: "true"', 'Default: "false"'))
    assert list(consequences(found)) == [f"{NOTE}, where the new default of a parameter applies."]
    assert rating(found) == Rating.REVIEW


@pytest.mark.parametrize(
    ("definition", "is_removed"),
    [
        ("!Or [!Equals [!Ref Keep, 'true'], !Equals [!Ref Keep, 'false']]", False),
        ("!Equals [!Ref Keep, 'false']", True),
    ],
)
def test_a_redefined_condition_removes_a_protection_only_where_it_no_longer_holds(
    definition: str, is_removed: bool
) -> None:
    old = PROTECTED.replace("VALUE", "!If [IsKept, true, false]")
    found = compared(old, old.replace('!Equals [!Ref Keep, "true"]', definition))
    assert (rating(found) == Rating.REVIEW) == is_removed


def test_protection_that_a_new_parameter_removes_needs_a_decision() -> None:
    """An update gives a new parameter its default."""
    old = PROTECTED.replace("VALUE", "true").replace("Keep:", "Other:").replace("!Ref Keep", "!Ref Other")
    new = PROTECTED.replace("VALUE", "!Ref Keep").replace('Default: "true"', 'Default: "false"')
    assert f"{NOTE}." in consequences(compared(old, new))


@pytest.mark.parametrize(
    ("kind", "old", "new", "note"),
    [
        ("AWS::RDS::DBInstance", "{DeletionProtection: true}", "{}", "deletion protection is removed"),
        (
            "AWS::Cognito::UserPool",
            "{DeletionProtection: ACTIVE}",
            "{DeletionProtection: INACTIVE}",
            "deletion protection is removed",
        ),
        (
            "AWS::DynamoDB::Table",
            "{PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}}",
            "{PointInTimeRecoverySpecification: !If [IsKept, {PointInTimeRecoveryEnabled: true}, !Ref AWS::NoValue]}",
            "point-in-time recovery is turned off, and its restore points are lost if IsKept does not hold",
        ),
    ],
)
def test_protections_of_other_types_count_too(kind: str, old: str, new: str, note: str) -> None:
    before, after = (f"{HEAD}  T: {{Type: {kind}, Properties: {properties}}}" for properties in (old, new))
    assert list(consequences(compared(before, after))) == [f"T: {note}."]


@pytest.mark.parametrize("kind", ["AWS::DynamoDB::Table", "AWS::RDS::DBInstance"])
def test_a_retention_policy_that_is_dropped_needs_a_decision(kind: str) -> None:
    old = f"{HEAD}  T: {{Type: {kind}, DeletionPolicy: Retain}}"
    found = compared(old, old.replace(", DeletionPolicy: Retain", ""))
    (line,) = consequences(found)
    assert line.startswith("T: DeletionPolicy Retain is removed: the resource is deleted when it is removed from the")
    assert rating(found) == Rating.REVIEW


DENY = "!If [IsKept, {Effect: Deny, Action: '*', Resource: a}, !Ref AWS::NoValue]"


@pytest.mark.parametrize("constraint", ["AllowedValues: ['false']", "AllowedPattern: f.*", "MinLength: 5"])
@pytest.mark.parametrize(
    ("resource", "old", "new"),
    [
        ("{Type: AWS::DynamoDB::Table, DeletionPolicy: VALUE}", "!If [IsKept, Retain, Delete]", "Delete"),
        ("{Type: AWS::DynamoDB::Table, Properties: {TableName: VALUE}}", "!If [IsKept, x, y]", "y"),
        ("{Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: {Statement: [VALUE]}}}", DENY, ""),
    ],
)
def test_a_value_that_only_one_template_allows_counts(constraint: str, resource: str, old: str, new: str) -> None:
    before = HEAD.replace('Default: "true", ', "")
    after = before.replace('AllowedValues: ["true", "false"]', constraint)
    declared = [f"{before}  T: {resource}".replace("VALUE", old), f"{after}  T: {resource}".replace("VALUE", new)]
    assert rating(compared(*declared)) == Rating.REVIEW
