"""Updates that CloudFormation replaces, rejects or ignores, which no resource schema states."""

from __future__ import annotations

import pytest

from generator.diff.rejections import NAMES, REFUSED
from generator.diff.summary import consequences
from generator.template.schemas import ALWAYS_CERTAIN, schema
from tests.diff.comparing import difference
from tests.diff.documents import compared, kinds

KEYS = "AttributeDefinitions: [{AttributeName: a, AttributeType: S}], KeySchema: [{AttributeName: a, KeyType: HASH}]"


def resource(kind: str, properties: str, name: str = "One") -> str:
    return f"Resources:\n  {name}: {{Type: {kind}, Properties: {{{properties}}}}}\n"


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("AWS::Cognito::UserPool", "UsernameAttributes: [email]", "UsernameAttributes: [phone_number]"),
        ("AWS::Cognito::UserPool", "UserPoolName: a", "UserPoolName: a, AliasAttributes: [email]"),
        ("AWS::KMS::Key", "KeySpec: SYMMETRIC_DEFAULT", "KeySpec: RSA_2048"),
        ("AWS::KMS::Key", "MultiRegion: true", "Enabled: true"),
        ("AWS::Scheduler::Schedule", "State: ENABLED", "State: ENABLED, GroupName: g"),
        ("AWS::DynamoDB::Table", f"TableName: t, {KEYS}", f"TableName: t, {KEYS.replace('e: a', 'e: b')}"),
        ("AWS::SQS::Queue", "QueueName: q.fifo", "QueueName: q.fifo, FifoQueue: true"),
        ("AWS::Serverless::SimpleTable", "TableName: t, PrimaryKey: {Name: a}", "TableName: t, PrimaryKey: {Name: b}"),
    ],
)
def test_an_update_that_is_rejected(kind: str, old: str, new: str) -> None:
    found = compared(resource(kind, old), resource(kind, new))
    assert next(consequences(found)).startswith("Rejected: One: ")
    assert "replacement" in kinds(found)


@pytest.mark.parametrize(
    ("kind", "old", "new", "replacement"),
    [
        ("AWS::DynamoDB::Table", KEYS, f"{KEYS}, LocalSecondaryIndexes: [{{IndexName: l}}]", "certain"),
        ("AWS::Route53::RecordSet", "Name: a.example.com", "Name: b.example.com", "certain"),
        ("AWS::Route53::RecordSet", "TTL: 1", "TTL: 2", "none"),
        ("AWS::SQS::Queue", "QueueName: a", "QueueName: b", "certain"),
        ("AWS::KMS::Key", "Enabled: true", "Enabled: false", "none"),
        ("AWS::SNS::Topic", "FifoTopic: true", "FifoTopic: true, TopicName: t", "certain"),
    ],
)
def test_an_update_that_is_not_rejected(kind: str, old: str, new: str, replacement: str) -> None:
    (one,) = compared(resource(kind, old), resource(kind, new)).resources
    assert (one.replacement, one.rejection) == (replacement, "")


@pytest.mark.parametrize(
    ("kind", "name", "new", "is_rejected"),
    [
        ("AWS::SQS::Queue", "QueueName: q", "QueueName: q", True),
        (
            "AWS::Lambda::Function",
            "FunctionName: !Sub 'f-${AWS::Region}'",
            "FunctionName: !Sub 'f-${AWS::Region}'",
            True,
        ),
        ("AWS::SQS::Queue", "QueueName: q", "QueueName: r", False),
        ("AWS::SQS::Queue", "DelaySeconds: 1", "DelaySeconds: 1", False),
    ],
)
def test_a_name_that_another_logical_id_still_has(kind: str, name: str, new: str, is_rejected: bool) -> None:
    found = compared(resource(kind, name, "Old"), resource(kind, new, "New"))
    assert (
        any(line.startswith("Rejected: New: ") and "still taken by Old" in line for line in consequences(found))
        == is_rejected
    )
    assert ("replacement" in kinds(found)) == is_rejected


API = """
Resources:
  Api: {Type: AWS::ApiGateway::RestApi, Properties: {Name: api, Description: BODY}}
  Get: {Type: AWS::ApiGateway::Method, Properties: {RestApiId: !Ref Api, HttpMethod: GET, AuthorizationType: GETAUTH}}
  DEPLOYMENT: {Type: AWS::ApiGateway::Deployment, Properties: {RestApiId: !Ref Api}}
"""
POST = """
  Post:
    Type: AWS::ApiGateway::Method
    Properties: {RestApiId: !Ref Api, HttpMethod: POST, AuthorizationType: AWS_IAM}
"""
ELSEWHERE = POST.replace("!Ref Api", "!Ref Other")


def api(more: str = "", body: str = "a", auth: str = "AWS_IAM", deployment: str = "First") -> str:
    return API.replace("BODY", body).replace("GETAUTH", auth).replace("DEPLOYMENT", deployment) + more


@pytest.mark.parametrize(
    ("new", "is_stale"),
    [
        (api(POST), True),
        (api(auth="NONE"), True),
        (api(POST, deployment="Second"), False),
        (api(ELSEWHERE), False),
        (api(body="b"), False),
    ],
)
def test_a_deployment_that_keeps_its_logical_id_is_stale(new: str, is_stale: bool) -> None:
    lines = consequences(compared(api(), new))
    assert any(line.startswith("First: keeps its logical id: the stage goes on serving") for line in lines) == is_stale


def test_the_tables_name_types_and_properties_that_exist() -> None:
    for kind, keys in {**REFUSED, **{kind: (key,) for kind, key in NAMES.items()}}.items():
        assert schema(kind).known
        for key in keys:
            old, new = ({"Resources": {"One": {"Type": kind, "Properties": {key: one}}}} for one in "ab")
            assert difference(old, new).is_different
    assert all(schema(kind).known for kind in ALWAYS_CERTAIN)
    assert [kind for kind, key in NAMES.items() if schema(kind).replacement(f"Properties.{key}") != "certain"] == []
