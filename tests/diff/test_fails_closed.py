"""`--fail-on iam-widening` fails for every change that may allow more, also if the template does not show it."""

from __future__ import annotations

import json

import pytest

from generator.diff.summary import KINDS, headlines
from tests.diff.comparing import difference
from tests.diff.documents import compared, kinds

OLD = """
Parameters: {Where: {Type: String, Default: a}}
Resources:
  Admin:
    Type: AWS::IAM::Role
    Properties: {ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']}
  Worker: {Type: AWS::IAM::Role, Properties: {Path: /}}
  F: {Type: AWS::Lambda::Function, Properties: {Handler: a.b, Role: !GetAtt Worker.Arn}}
"""
TASK = "{Type: AWS::ECS::TaskDefinition, Properties: {TaskRoleArn: !GetAtt Admin.Arn}}"
TARGETS = "{Type: AWS::Events::Rule, Properties: {Targets: [{Id: a, Arn: a, RoleArn: !GetAtt Admin.Arn}]}}"
INCLUDE = "{'Fn::Transform': {Name: AWS::Include, Parameters: {Location: s3://b/k}}}"
LOOP = "  Fn::ForEach::Roles: [N, !Ref Names, {'R${N}': {Type: AWS::IAM::Role}}]"


def new(name: str, resource: str) -> str:
    return f"{OLD}  {name}: {resource}\n"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(
            new("G", "{Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Admin.Arn}}"), id="an admin role"
        ),
        pytest.param(
            new("G", "{Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Worker.Arn}}"), id="another's role"
        ),
        pytest.param(new("G", "{Type: AWS::Serverless::Function, Properties: {Role: !GetAtt Admin.Arn}}"), id="SAM"),
        pytest.param(
            new("G", "{Type: AWS::Lambda::Function, Properties: {Role: 'arn:aws:iam::1:role/a'}}"), id="an ARN"
        ),
        pytest.param(new("G", TASK), id="a task"),
        pytest.param(new("G", TARGETS), id="a rule's target"),
        pytest.param(new("P", "{Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Admin]}}"), id="a profile"),
        pytest.param(OLD.replace("!GetAtt Worker.Arn", "!GetAtt Admin.Arn"), id="a role that changes"),
        pytest.param(new("S", "{Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a}}"), id="a nested stack"),
        pytest.param(
            new("S", "{Type: AWS::CloudFormation::StackSet, Properties: {StackSetName: a}}"), id="a stack set"
        ),
        pytest.param(new("S", "{Type: AWS::Serverless::Application, Properties: {Location: a}}"), id="an application"),
        pytest.param(new("M", "{Type: 'My::Own::Type::MODULE', Properties: {A: b}}"), id="a module"),
        pytest.param(new("C", "{Type: Custom::Thing, Properties: {ServiceToken: a}}"), id="a custom resource"),
        pytest.param(new("D", "{Type: Vendor::A::B, Properties: {RoleName: a}}"), id="a third-party type"),
        pytest.param(new("C", "{Type: AWS::CloudFormation::CustomResource}"), id="a custom resource by its other name"),
        pytest.param(f"Transform: MyMacro\n{OLD}", id="a macro"),
        pytest.param(f"Transform: [AWS::Serverless-2016-10-31, MyMacro]\n{OLD}", id="a macro beside SAM"),
        pytest.param(
            f"Transform: {{Name: AWS::Include, Parameters: {{Location: a}}}}\n{OLD}", id="a top-level include"
        ),
        pytest.param(OLD.replace("{Path: /}", INCLUDE), id="an include as a role's properties"),
        pytest.param(OLD.replace("{Path: /}", f"{{Policies: {INCLUDE}}}"), id="an include as a role's policies"),
        pytest.param(f"{OLD}Mappings: {INCLUDE}\n", id="an include as mappings"),
        pytest.param(OLD + LOOP, id="a loop over an unknown list"),
        pytest.param(new("Fn::Transform", "{Name: AWS::Include}"), id="an include among the resources"),
        pytest.param(new("K", "{Type: AWS::IAM::AccessKey, Properties: {UserName: a}}"), id="an access key"),
    ],
)
def test_a_change_that_may_allow_more_fails_the_gate(changed: str) -> None:
    found = compared(OLD, changed)
    assert "iam-widening" in kinds(found)
    assert headlines(found)["IAM"] != "no permissions changed"
    back = compared(changed, OLD)
    assert kinds(back) & {"iam-narrowing"}


MACRO = f"Transform: MyMacro\n{OLD}"
NESTED = new("S", "{Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: a}}")
INCLUDED = OLD.replace("{Path: /}", f"{{Policies: {INCLUDE}}}")


@pytest.mark.parametrize(
    ("old", "changed"),
    [
        pytest.param(MACRO, MACRO.replace("Default: a", "Default: b"), id="a macro may make anything of a change"),
        pytest.param(NESTED, NESTED.replace("TemplateURL: a", "TemplateURL: b"), id="another nested template"),
        pytest.param(INCLUDED, INCLUDED.replace("s3://b/k", "s3://b/other"), id="another included text"),
    ],
)
def test_a_change_that_is_not_shown_fails_the_gate(old: str, changed: str) -> None:
    assert "iam-widening" in kinds(compared(old, changed))
    assert compared(old, old).is_different is False


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(new("Q", "{Type: AWS::SQS::Queue}"), id="a queue"),
        pytest.param(
            new("G", "{Type: AWS::Lambda::Function, Properties: {Handler: a.b}}"), id="a function without role"
        ),
        pytest.param(
            new("N", "{Type: AWS::IAM::Role}")
            + "  G: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt N.Arn}}\n",
            id="a new role without permissions",
        ),
        pytest.param(f"Transform: AWS::LanguageExtensions\n{OLD}", id="a transform that is known"),
    ],
)
def test_a_change_that_allows_nothing_new_passes_the_gate(changed: str) -> None:
    assert "iam-widening" not in kinds(compared(OLD, changed))


def function(policies: str) -> str:
    return f"Resources: {{F: {{Type: AWS::Serverless::Function, Properties: {{Policies: {policies}}}}}}}"


@pytest.mark.parametrize(
    ("old", "changed", "expected"),
    [
        ("[{DynamoDBReadPolicy: {TableName: !Ref T}}]", "[{DynamoDBCrudPolicy: {TableName: !Ref T}}]", {"widened"}),
        ("[{S3CrudPolicy: {BucketName: b}}]", "[{S3ReadPolicy: {BucketName: b}}]", {"narrowed"}),
        ("[{S3ReadPolicy: {BucketName: b}}]", "[{S3ReadPolicy: {BucketName: c}}]", {"widened", "narrowed"}),
        ("[{SQSPollerPolicy: {QueueName: q}}]", "[{SQSSendMessagePolicy: {QueueName: q}}]", {"widened", "narrowed"}),
        (
            "[{DynamoDBReadPolicy: {TableName: t}}, {DynamoDBWritePolicy: {TableName: t}}]",
            "[{DynamoDBCrudPolicy: {TableName: t}}]",
            {"widened"},
        ),
    ],
)
def test_a_policy_template_of_sam_includes_others(old: str, changed: str, expected: set[str]) -> None:
    found = compared(function(old), function(changed)).iam
    assert {one.change for one in found} == expected
    assert not any("{" in action.replace("${", "") for one in found for action in one.statement["Action"])


POLICY = """
Parameters: {PARAMETERS}
Resources:
  P:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      Roles: [r]
      PolicyDocument: {Statement: [{Effect: Allow, Action: 's3:GetObject', Resource: RESOURCE}]}
"""


def policy(resource: str, parameters: str = "") -> str:
    return POLICY.replace("PARAMETERS", parameters).replace("RESOURCE", resource)


ARN = "'arn:aws:s3:::b/*'"


@pytest.mark.parametrize(
    ("old", "changed", "expected"),
    [
        (policy(ARN), policy("!Sub 'arn:${AWS::Partition}:s3:::b/*'"), set()),
        (policy("!Sub 'arn:${AWS::Partition}:s3:::b/*'"), policy(ARN), set()),
        (policy(ARN), policy("!Sub 'arn:${AWS::Partition}:s3:::*'"), {"widened"}),
        (policy(ARN), policy("!Ref A", f"A: {{Type: String, Default: {ARN}}}"), set()),
        (policy(ARN), policy("!Sub '${A}/*'", "A: {Type: String, Default: 'arn:aws:s3:::b'}"), set()),
        (policy(ARN), policy("!Ref A", "A: {Type: String, Default: '*'}"), {"widened"}),
        (policy(ARN), policy("!Ref A", "A: {Type: String}"), {"widened", "narrowed"}),
        (
            policy("!Ref A", "A: {Type: String, Default: a}"),
            policy("!Ref A", "A: {Type: String, Default: '*'}"),
            {"widened"},
        ),
    ],
)
def test_an_arn_is_compared_in_its_partition_and_with_new_defaults(old: str, changed: str, expected: set[str]) -> None:
    assert {one.change for one in compared(old, changed).iam} == expected


def test_a_condition_on_a_new_parameter_hides_no_permission() -> None:
    conditional = policy("!If [Admin, '*', 'arn:aws:s3:::b/*']", "A: {Type: String, Default: no}")
    conditional += "Conditions: {Admin: !Equals [!Ref A, yes]}\n"
    assert {one.change for one in compared(policy(ARN), conditional).iam} >= {"widened"}


def test_another_default_hides_no_permission_elsewhere() -> None:
    old = (
        policy("!If [Prod, a, b]", "Env: {Type: String, Default: dev}")
        + "Conditions: {Prod: !Equals [!Ref Env, prod]}\n"
    )
    changed = old.replace("[Prod, a, b]", "[Prod, a, '*']").replace("Default: dev", "Default: prod")
    assert "iam-widening" in kinds(compared(old, changed))


def large(effect: str, resources: int, more: str = "") -> str:
    statement = {
        "Effect": effect,
        "Action": [f"s3:Get{number}" for number in range(3_000)],
        "Resource": [*(f"arn:aws:s3:::{number}" for number in range(resources)), *filter(None, [more])],
    }
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": {"Statement": [statement]}}]}}
    return json.dumps({"Resources": {"R": role}})


def test_a_large_statement_is_compared_as_a_whole() -> None:
    """It would be nine million grants."""
    few, many = large("Allow", 2_999), large("Allow", 2_999, "arn:aws:s3:::more")
    assert kinds(compared(few, few)) == set()
    assert "iam-widening" in kinds(compared(few, many))
    assert "iam-widening" in kinds(compared(large("Deny", 2_999, "arn:aws:s3:::more"), large("Deny", 2_999)))


def test_a_whole_statement_that_others_together_cover_widens_nothing_certainly() -> None:
    actions, resources = [f"s3:Get{number}" for number in range(70)], [f"arn:aws:s3:::{n}" for n in range(60)]
    halves = [{"Effect": "Allow", "Action": half, "Resource": resources} for half in (actions[:35], actions[35:])]
    found = difference(role(*halves), role({"Effect": "Allow", "Action": actions, "Resource": resources}))
    assert [(one.change, one.certainty) for one in found.iam] == [("widened", "possible")]


def role(*statements: object, **more: object) -> dict[str, object]:
    policy = {"PolicyName": "own", "PolicyDocument": {"Statement": list(statements)}}
    properties = {"Policies": [policy], **more}
    parameters = {"S": {"Type": "CommaDelimitedList"}}
    return {"Parameters": parameters, "Resources": {"R": {"Type": "AWS::IAM::Role", "Properties": properties}}}


def allowed(action: str) -> dict[str, str]:
    return {"Effect": "Allow", "Action": action, "Resource": "*"}


UNREADABLE = {"Fn::Select": [0, {"Ref": "S"}]}
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (role(allowed("s*:*")), role(allowed("s*:*"), UNREADABLE)),
        (role(allowed("m*:*")), role(allowed("m*:*"), ManagedPolicyArns=[ADMINISTRATOR])),
        (role(allowed("s3:GetObject"), UNREADABLE), role(allowed("s3:GetObject"))),
    ],
    ids=["a statement beside a pattern", "a managed policy beside a pattern", "a statement that may have denied"],
)
def test_no_pattern_covers_an_unreadable_policy(old: dict[str, object], new: dict[str, object]) -> None:
    assert KINDS["iam-widening"](difference(old, new))
