"""Resources that SAM creates are compared: removed, replaced, or declared in the template instead."""

from __future__ import annotations

import pytest

from generator.diff.summary import consequences
from tests.diff.documents import compared, kinds

FUNCTION = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Q: {Type: AWS::SQS::Queue}
  F:
    Type: AWS::Serverless::Function
    Properties:
      Handler: a.b
      Role: arn:aws:iam::111122223333:role/r
"""


def function(**more: str) -> str:
    return FUNCTION + "".join(f"      {key}: {value}\n" for key, value in more.items())


SQS = "{E: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}}"


@pytest.mark.parametrize(
    ("old", "new", "removed"),
    [
        (function(Events=SQS), function(), "FE: SAM creates it for Events.E of F"),
        (function(Events="{E: {Type: Schedule}}"), function(Events="{N: {Type: Schedule}}"), "FE: SAM"),
        (
            function(Events="{E: {Type: SNS, Properties: {Topic: a}}}"),
            function(),
            "FE: SAM creates it for Events.E of F",
        ),
        (function(AutoPublishAlias="live"), function(), "FAliaslive: SAM creates it for AutoPublishAlias of F"),
        (function(AutoPublishAlias="live"), function(AutoPublishAlias="prod"), "FAliaslive: SAM"),
        (function(FunctionUrlConfig="{AuthType: AWS_IAM}"), function(), "FUrl: SAM creates it for FunctionUrlConfig"),
        (FUNCTION.replace("      Role: arn:aws:iam::111122223333:role/r\n", ""), function(), "FRole: SAM"),
    ],
)
def test_what_sam_no_longer_creates_is_removed(old: str, new: str, removed: str) -> None:
    found = compared(old, new)
    assert any(line.startswith(f"Removed: {removed}") for line in consequences(found))
    assert "removal" in kinds(found)
    assert [one.replacement for one in found.resources if one.id == "F"] == ["none"]


def test_the_source_of_an_event_replaces_its_mapping_and_not_the_function() -> None:
    found = compared(function(Events=SQS), function(Events=SQS.replace("Q.Arn", "R.Arn")))
    assert {one.id: str(one.replacement) for one in found.resources} == {"FE": "certain", "F": "none"}
    batch = SQS.replace("Q.Arn", "Q.Arn, BatchSize: 5")
    assert {one.id for one in compared(function(Events=SQS), function(Events=batch)).resources} == {"F"}


def test_a_mapping_that_the_template_now_creates_itself_is_not_removed() -> None:
    own = """
  FE:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref F, EventSourceArn: !GetAtt Q.Arn}
"""
    found = compared(function(Events=SQS), function() + own)
    assert "removal" not in kinds(found)
    assert "replacement" not in kinds(found)


PLAIN = FUNCTION.replace("AWS::Serverless::Function", "AWS::Lambda::Function").replace(
    "Transform: AWS::Serverless-2016-10-31", ""
)


@pytest.mark.parametrize(
    ("old", "new", "replacement"),
    [
        (PLAIN + "      Code: {ZipFile: x}\n", function(InlineCode="x"), None),
        (PLAIN + "      FunctionName: f\n", function(FunctionName="f"), None),
        (PLAIN + "      FunctionName: f\n", function(FunctionName="g"), "certain"),
        (
            "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: id, KeyType: HASH}], "
            "AttributeDefinitions: [{AttributeName: id, AttributeType: S}]}}}",
            "Resources: {T: {Type: AWS::Serverless::SimpleTable}}",
            None,
        ),
        (
            "Resources: {T: {Type: AWS::DynamoDB::Table, Properties: {KeySchema: [{AttributeName: a, KeyType: HASH}], "
            "AttributeDefinitions: [{AttributeName: a, AttributeType: S}]}}}",
            "Resources: {T: {Type: AWS::Serverless::SimpleTable}}",
            "certain",
        ),
        (
            "Resources: {M: {Type: AWS::StepFunctions::StateMachine, Properties: {StateMachineName: m}}}",
            "Resources: {M: {Type: AWS::Serverless::StateMachine, Properties: {Name: m}}}",
            None,
        ),
    ],
)
def test_the_type_that_a_sam_type_becomes_is_the_same_type(old: str, new: str, replacement: str | None) -> None:
    for found in (compared(old, new), compared(new, old)):
        assert [str(one.replacement) for one in found.resources] == ([] if replacement is None else [replacement])
        assert not any(line.startswith("Rejected") for line in consequences(found))


def test_any_other_type_under_the_same_logical_id_is_rejected() -> None:
    found = compared(PLAIN, PLAIN.replace("AWS::Lambda::Function", "AWS::SQS::Queue"))
    assert next(consequences(found)) == (
        "Rejected: F: was AWS::Lambda::Function: CloudFormation rejects another type under the same logical id."
    )
