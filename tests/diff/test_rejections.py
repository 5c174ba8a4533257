"""Updates that CloudFormation replaces, rejects or ignores, which no resource schema states."""

from __future__ import annotations

import pytest

from generator.diff.markdown import as_markdown
from generator.diff.model import Rating
from generator.diff.rejections import NAMES, REFUSED
from generator.diff.summary import consequences, headlines, rating
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


PARAMETERS = """
Parameters:
  Key: {Type: String, Default: RSA_2048}
  Free: {Type: String}
  Attributes: {Type: CommaDelimitedList, Default: email}
  Env: {Type: String, Default: dev}
Conditions: {Dev: !Equals [!Ref Env, dev], Prod: !Not [!Condition Dev]}
"""
KEY, POOL, SCHEDULE = "AWS::KMS::Key", "AWS::Cognito::UserPool", "AWS::Scheduler::Schedule"


@pytest.mark.parametrize(
    ("kind", "old", "new", "rejected"),
    [
        (KEY, "KeySpec: RSA_2048", "KeySpec: !Ref Key", "possible"),
        (KEY, "Enabled: true", "Enabled: true, KeySpec: SYMMETRIC_DEFAULT", "none"),
        (KEY, "KeyUsage: ENCRYPT_DECRYPT, Origin: AWS_KMS", "MultiRegion: false", "none"),
        (KEY, "Enabled: true", "KeySpec: !If [Dev, RSA_2048, !Ref 'AWS::NoValue']", "possible"),
        (KEY, "Enabled: true", "KeySpec: !If [Dev, SYMMETRIC_DEFAULT, !Ref 'AWS::NoValue']", "none"),
        (POOL, "UsernameAttributes: [email]", "UsernameAttributes: !Ref Attributes", "possible"),
        (POOL, "UserPoolName: a", "UserPoolName: a, UsernameAttributes: []", "none"),
        (POOL, "UserPoolName: a", "UsernameAttributes: !If [Dev, [email], !Ref 'AWS::NoValue']", "possible"),
        (POOL, "UsernameAttributes: [email, phone_number]", "UsernameAttributes: [phone_number, email]", "none"),
        (SCHEDULE, "State: ENABLED", "State: ENABLED, GroupName: default", "none"),
        (SCHEDULE, "GroupName: !Ref Free", "GroupName: !Sub '${Free}-b'", "certain"),
        ("AWS::SNS::Topic", "TopicName: a, FifoTopic: true", "TopicName: !If [Dev, a, b]", "possible"),
        ("AWS::SNS::Topic", "TopicName: a, FifoTopic: true", "TopicName: a, FifoTopic: !If [Dev, true, 0]", "possible"),
        ("AWS::SNS::Topic", "TopicName: a", "TopicName: !If [Dev, a, b]", "none"),
    ],
)
def test_a_rejection_is_as_certain_as_the_change(kind: str, old: str, new: str, rejected: str) -> None:
    found = compared(PARAMETERS + resource(kind, old), PARAMETERS + resource(kind, new))
    assert [str(one.rejected) for one in found.resources] == [rejected]
    lines = [line for line in consequences(found) if "ejection: One" in line or "Rejected: One" in line]
    assert [line.split(":")[0] for line in lines] == {
        "none": [],
        "possible": ["Possible rejection"],
        "certain": ["Rejected"],
    }[rejected]
    assert (rating(found) == Rating.REJECTED) == (rejected == "certain")


def queues(**names: str) -> str:
    """Return a template of queues. A name may have a condition in front, such as `Dev q`."""
    entries = []
    for logical_id, words in names.items():
        *conditions, name = words.split(" ", 1) if words[0] in "DP" else [words]
        condition = f"Condition: {conditions[0]}, " if conditions else ""
        entries.append(f"  {logical_id}: {{Type: AWS::SQS::Queue, {condition}Properties: {{QueueName: {name}}}}}\n")
    return f"{PARAMETERS}Resources:\n{''.join(entries)}"


@pytest.mark.parametrize(
    ("old", "new", "rejected"),
    [
        (queues(A="a"), queues(A="a2", B="a"), {"B": "certain"}),
        (queues(A="a", B="b"), queues(B="a"), {"B": "certain"}),
        (queues(A="a", B="b"), queues(A="b", B="a"), {"A": "certain", "B": "certain"}),
        (queues(A="a", B="b"), queues(A="a2", B="b2"), {}),
        (queues(A="a"), queues(A="a2", B="!Ref Env"), {}),
        (queues(A="dev"), queues(A="a2", B="!Ref Env"), {"B": "possible"}),
        (queues(A="a"), queues(A="a2", B="!If [Dev, a, b]"), {"B": "possible"}),
        (queues(A="a"), queues(A="a2", B="!Ref Free"), {}),
        (queues(A="a"), queues(B="Dev a"), {"B": "possible"}),
        (queues(A="Dev a"), queues(B="Dev a"), {"B": "possible"}),
        (queues(A="Dev a"), queues(B="Prod a"), {}),
        (queues(A="!Sub '${Free}-a'"), queues(A="a", B="!Sub '${Free}-a'"), {"B": "certain"}),
    ],
)
def test_a_name_that_another_resource_had_is_still_taken(old: str, new: str, rejected: dict[str, str]) -> None:
    found = compared(old, new)
    assert {one.id: str(one.rejected) for one in found.resources if one.rejected != "none"} == rejected


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


HTTP = """
Resources:
  Api: {Type: AWS::ApiGatewayV2::Api, Properties: {Name: api, ProtocolType: HTTP}}
  Target: {Type: AWS::ApiGatewayV2::Integration, Properties: {ApiId: !Ref Api, IntegrationUri: URI}}
  Route: {Type: AWS::ApiGatewayV2::Route, Properties: {ApiId: !Ref Api, RouteKey: GET /, AuthorizationType: AWS_IAM}}
  First: {Type: AWS::ApiGatewayV2::Deployment, DependsOn: Route, Properties: {ApiId: !Ref Api}}
  Stage: {Type: AWS::ApiGatewayV2::Stage, Properties: {ApiId: !Ref Api, StageName: v, STAGE}}
"""
KEPT, OWN = "DeploymentId: !Ref First", "AutoDeploy: true"


@pytest.mark.parametrize(
    ("stage", "changes", "is_stale"),
    [
        (KEPT, {"GET /": "GET /a"}, True),
        (KEPT, {"URI": "https://example.com"}, True),
        (KEPT, {"GET /": "GET /a", "First": "Second"}, False),
        (KEPT, {"Name: api": "Name: other"}, False),
        (OWN, {"GET /": "GET /a"}, False),
    ],
)
def test_an_http_api_serves_its_old_deployment_until_a_new_one(
    stage: str, changes: dict[str, str], is_stale: bool
) -> None:
    old = new = HTTP.replace("STAGE", stage)
    for before, after in changes.items():
        new = new.replace(before, after)
    found = compared(old, new)
    assert any(line.startswith("First: keeps its logical id") for line in consequences(found)) == is_stale
    assert ("needs a decision" in headlines(found)["Verdict"]) == is_stale
    assert kinds(found) == set()


def test_a_reference_in_a_line_is_code_and_no_markup() -> None:
    name = "QueueName: !Sub '${AWS::StackName}-q'"
    found = compared(resource("AWS::SQS::Queue", name, "Old"), resource("AWS::SQS::Queue", name, "New"))
    report = as_markdown(found, "a", "b")
    assert "its QueueName `${AWS::StackName}-q` is still taken by Old, because" in report
    assert "<span>" not in report


def test_the_tables_name_types_and_properties_that_exist() -> None:
    for kind, keys in {**REFUSED, **{kind: (key,) for kind, key in NAMES.items()}}.items():
        assert schema(kind).known
        for key in keys:
            old, new = ({"Resources": {"One": {"Type": kind, "Properties": {key: one}}}} for one in "ab")
            assert difference(old, new).is_different
    assert all(schema(kind).known for kind in ALWAYS_CERTAIN)
    assert [kind for kind, key in NAMES.items() if schema(kind).replacement(f"Properties.{key}") != "certain"] == []
