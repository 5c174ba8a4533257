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


NAMED = "Parameters: {A: {Type: String, Default: live}}"
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
        (
            FUNCTION.replace("      Role: arn:aws:iam::111122223333:role/r\n", ""),
            function(),
            "FRole: SAM creates it because F has no Role",
        ),
        (NAMED + function(AutoPublishAlias="!Ref A"), NAMED + function(), "FAliaslive: SAM"),
    ],
)
def test_what_sam_no_longer_creates_is_removed(old: str, new: str, removed: str) -> None:
    found = compared(old, new)
    assert any(line.startswith(f"Removed: {removed}") for line in consequences(found))
    assert "removal" in kinds(found)
    assert [one.replacement for one in found.resources if one.id == "F"] == ["none"]


@pytest.mark.parametrize("written", ["!Ref A", "!Sub '${A}'"])
def test_an_alias_has_the_name_of_its_parameter(written: str) -> None:
    plain, named = NAMED + function(AutoPublishAlias="live"), NAMED + function(AutoPublishAlias=written)
    for found in (compared(plain, named), compared(named, plain)):
        assert kinds(found) == set()
        assert [one.id for one in found.resources] == ["F"]
    renamed = compared(named, named.replace("Default: live", "Default: prod"))
    removals = [(one.id, str(one.removal)) for one in renamed.resources if one.removal != "none"]
    assert removals == [("FAliaslive", "possible")]


def test_an_alias_that_the_template_now_creates_itself_is_updated_in_place() -> None:
    alias = "{Type: AWS::Lambda::Alias, Properties: {FunctionName: !Ref F, Name: live, FunctionVersion: '1'}}"
    found = compared(function(AutoPublishAlias="live"), function() + f"  FAliaslive: {alias}\n")
    assert kinds(found) == set()
    (changed,) = [one for one in found.resources if one.id == "FAliaslive"]
    assert [one.path for one in changed.properties] == ["Properties.FunctionVersion"]


ROLE = "'arn:aws:iam::111122223333:role/r'"
BODY = "{openapi: 3.0.1, paths: {/a: {get: {security: [{token: []}]}}}}"
WRITTEN_AS = [
    (
        f"StateMachine, Properties: {{Role: {ROLE}, Name: m, DefinitionUri: s3://b/k}}",
        f"AWS::StepFunctions::StateMachine, Properties: {{RoleArn: {ROLE}, StateMachineName: m, "
        "DefinitionS3Location: {Bucket: b, Key: k}}",
    ),
    (
        f"Api, Properties: {{StageName: v1, DefinitionBody: {BODY}}}",
        f"AWS::ApiGateway::RestApi, Properties: {{Body: {BODY}}}",
    ),
    (
        f"Function, Properties: {{Role: {ROLE}, Handler: a.b, CodeUri: s3://b/k}}",
        f"AWS::Lambda::Function, Properties: {{Role: {ROLE}, Handler: a.b, Code: {{S3Bucket: b, S3Key: k}}}}",
    ),
    (
        f"Function, Properties: {{Role: {ROLE}, CodeUri: {{Bucket: b, Key: k, Version: v}}, Tracing: Active}}",
        f"AWS::Lambda::Function, Properties: {{Role: {ROLE}, TracingConfig: {{Mode: Active}}, "
        "Code: {S3Bucket: b, S3Key: k, S3ObjectVersion: v}}",
    ),
]


@pytest.mark.parametrize(("sam", "plain"), WRITTEN_AS)
def test_a_type_of_sam_written_as_the_type_it_becomes_changes_nothing(sam: str, plain: str) -> None:
    old, new = f"Resources: {{R: {{Type: AWS::Serverless::{sam}}}}}", f"Resources: {{R: {{Type: {plain}}}}}"
    for found in (compared(old, new), compared(new, old)):
        assert kinds(found) == set()
        assert (found.iam, found.handlers) == ((), ())
    opened = compared(old, new.replace("[{token: []}]", "[]").replace("role/r", "role/other").replace("b/k", "b/l"))
    assert "iam-widening" in kinds(opened)


def test_a_url_that_sam_opens_for_a_plain_function_is_a_widening() -> None:
    plain = "Resources: {F: {Type: AWS::Lambda::Function, Properties: {Role: r}}}"
    new = (
        "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Role: r, FunctionUrlConfig: {AuthType: NONE}}}}"
    )
    assert kinds(compared(plain, new)) == {"iam-widening"}


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


def test_a_type_that_is_no_text_is_another_type() -> None:
    found = compared(FUNCTION, FUNCTION.replace("Type: AWS::SQS::Queue", "Type: {Ref: A}"))
    assert [one.id for one in found.resources] == ["Q"]
