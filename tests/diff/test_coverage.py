"""Permissions that are written differently are compared in every deployment."""

from __future__ import annotations

import pytest

from generator.diff.model import Difference
from generator.diff.summary import KINDS, NOTHING, headlines
from generator.template.schemas import Certainty
from tests.diff.documents import compared

HEAD = """
Parameters:
  {E: {Type: String, Default: dev}, Free: {Type: String}, A: {Type: String, AllowedValues: ['arn:aws:s3:::b', '*']}}
Mappings: {M: {dev: {x: b}, prod: {x: c}}, Same: {dev: {x: b}, prod: {x: b}}, Any: {dev: {x: b}, prod: {x: '*'}}}
Conditions:
  Dev: !Equals [!Ref E, dev]
  AlsoDev: !Equals [dev, !Ref E]
  Prod: !Equals [!Ref E, prod]
Resources:
"""


def iam(found: Difference) -> set[tuple[str, str]]:
    return {(str(one.change), str(one.certainty)) for one in found.iam}


POSSIBLE = {("widened", "possible"), ("narrowed", "possible")}
CERTAIN = {("widened", "certain"), ("narrowed", "certain")}
PARTITION = [
    ("R: {Type: AWS::IAM::Role, Properties: {ManagedPolicyArns: [VALUE]}}", "arn:P:iam::aws:policy/a"),
    ("R: {Type: AWS::IAM::Role, Properties: {PermissionsBoundary: VALUE}}", "arn:P:iam::aws:policy/a"),
    ("F: {Type: AWS::Serverless::Function, Properties: {Policies: [VALUE]}}", "arn:P:iam::aws:policy/a"),
    ("F: {Type: AWS::Serverless::Function, Properties: {Role: VALUE}}", "arn:P:iam::111122223333:role/r"),
    (
        "P: {Type: AWS::Lambda::Permission, Properties: {FunctionName: VALUE, Action: a, Principal: b}}",
        "arn:P:lambda:eu-west-1:111122223333:function:f",
    ),
    (
        "R: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: "
        "[{Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: VALUE}}]}}}",
        "ec2.U",
    ),
    ("P: {Type: AWS::IAM::Policy, Properties: {PolicyDocument: {Statement: [STATEMENT]}}}", "arn:P:s3:::b"),
]


@pytest.mark.parametrize(("resource", "value"), PARTITION)
def test_an_arn_of_the_partition_is_the_same_arn_in_every_position(resource: str, value: str) -> None:
    resource = resource.replace("STATEMENT", "{Effect: Allow, Action: 'a:b', Resource: VALUE}")
    literal = value.replace(":P:", ":aws:").replace(".U", ".amazonaws.com")
    written = value.replace(":P:", ":${AWS::Partition}:").replace(".U", ".${AWS::URLSuffix}")
    old, new = (HEAD + "  " + resource.replace("VALUE", one) for one in (literal, f"!Sub '{written}'"))
    either = HEAD + "  " + resource.replace("VALUE", f"!If [Dev, {literal}, !Sub '{written}']")
    for pair in ((old, new), (new, old), (old, either), (either, new)):
        assert iam(compared(*pair)) == set()
    assert iam(compared(old, new.replace("AWS::", "Other::"))) != set()


OTHERS = """
  T: {Type: AWS::DynamoDB::Table}
  L: {Type: AWS::Logs::LogGroup}
  N: {Type: AWS::SNS::Topic}
  C: {Type: Custom::Thing, Properties: {ServiceToken: t}}
  S: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: t}}
"""


def policy(resource: str, action: str = "a:b") -> str:
    statement = f"{{Effect: Allow, Action: {action}, Resource: {resource}}}"
    policy = f"P: {{Type: AWS::IAM::Policy, Properties: {{Roles: [r], PolicyDocument: {{Statement: [{statement}]}}}}}}"
    return f"{HEAD}  {policy}{OTHERS}"


ARN = "'arn:aws:s3:::b'"
WIDER = {("widened", "certain")}
NARROW = ["!GetAtt T.Arn", "!Sub '${T.Arn}/index/*'", "!Sub '${T.Arn}*'", "!Ref N", "!GetAtt N.TopicArn"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (ARN, "!If [Dev, 'arn:aws:s3:::b', 'arn:aws:s3:::c']", POSSIBLE),
        (ARN, "!If [Dev, 'arn:aws:s3:::b', !Sub 'arn:${AWS::Partition}:s3:::b']", set()),
        (ARN, "!If [Dev, 'arn:aws:s3:::b*', 'arn:aws:s3:::b']", {("widened", "possible")}),
        (ARN, "!If [Dev, 'arn:aws:s3:::d', 'arn:aws:s3:::c']", {("widened", "possible"), ("narrowed", "certain")}),
        (ARN, "!Sub ['arn:aws:s3:::${X}', {X: !FindInMap [M, !Ref E, x]}]", POSSIBLE),
        (ARN, "!Sub ['arn:aws:s3:::${X}', {X: !FindInMap [Same, !Ref E, x]}]", set()),
        ("!If [Dev, a, b]", "!If [AlsoDev, a, b]", set()),
        ("!If [Dev, a, b]", "!If [Prod, b, a]", POSSIBLE),
        ("[!If [Dev, a, b], !If [Prod, c, d]]", "!If [Dev, [a, d], !If [Prod, [b, c], [b, d]]]", set()),
        ("'arn:aws:sqs:eu-west-1:1:q'", "!Sub 'arn:aws:sqs:${AWS::Region}:1:q'", POSSIBLE),
        ("'arn:aws:sqs:eu-west-1:1:q'", "!Sub 'arn:aws:sqs:${AWS::Region}:1:other'", CERTAIN),
        (ARN, "!Sub 'arn:aws:s3:::${Free}'", POSSIBLE),
        (ARN, "!Sub 'arn:aws:s3:::${Free}*'", {("widened", "certain"), ("narrowed", "possible")}),
        (ARN, "!Sub 'arn:aws:sns:::${Free}'", CERTAIN),
        ("!Ref E", "!Ref Free", POSSIBLE),
        ("!Ref A", "'arn:aws:s3:::z'", {("widened", "possible"), ("narrowed", "certain")}),
        ("!FindInMap [Any, !Ref E, x]", "'arn:aws:s3:::z'", {("widened", "possible"), ("narrowed", "certain")}),
        (f"'arn:{'a*' * 40}b'", f"'arn:{'a' * 300}c'", CERTAIN),
        (f"!Sub 'arn:{'a*' * 40}${{A}}b'", f"'arn:{'a' * 300}c'", CERTAIN),
        (f"!Sub 'arn:{'a${Free}' * 40}b'", f"'arn:{'a' * 300}c'", CERTAIN),
        *((narrow, "'*'", WIDER) for narrow in NARROW),
        *((narrow, f"[{narrow}, '*']", WIDER) for narrow in NARROW),
        *(
            (open_, "'*'", {("widened", "possible")})
            for open_ in ("!Ref Free", "!GetAtt C.Arn", "!GetAtt S.Outputs.Arn")
        ),
        ("!GetAtt T.Arn", "'arn:aws:dynamodb:*:*:table/*'", WIDER | {("narrowed", "possible")}),
        ("!Sub '${T.Arn}/index/a'", "'arn:aws:dynamodb:*/index/*'", WIDER | {("narrowed", "possible")}),
        ("!Sub '${T.Arn}/index/a'", "'arn:aws:dynamodb:*/index/b'", CERTAIN),
        ("!GetAtt L.Arn", "'arn:aws:logs:eu-west-1:111122223333:log-group:l:*'", POSSIBLE),
    ],
)
def test_a_changed_resource_of_a_statement(old: str, new: str, expected: set[tuple[str, str]]) -> None:
    assert iam(compared(policy(old), policy(new))) == expected
    turned = {("narrowed" if change == "widened" else "widened", certainty) for change, certainty in expected}
    assert iam(compared(policy(new), policy(old))) == turned


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("S3:GetObject", "s3:getobject", set()),
        ("!Sub 'S3:${Free}'", "!Sub 's3:${Free}'", set()),
        ("!Sub 's3:${E}'", "!Sub 's3:${e}'", POSSIBLE),
        ("!Sub 'S3:${Free}'", "s3:getobject", POSSIBLE),
        ("!Sub 's3:${Get}'", "s3:getobject", POSSIBLE),
        ("!Sub 'S3:${Free}'", "s4:getobject", CERTAIN),
        ("!FindInMap [M, !Ref E, action]", "s3:getobject", POSSIBLE),
        ("!FindInMap [Same, !Ref E, action]", "s3:GetObject", set()),
    ],
)
def test_the_case_of_an_action_does_not_matter(old: str, new: str, expected: set[tuple[str, str]]) -> None:
    head = HEAD.replace("x: b}", "x: b, action: 's3:GetObject'}").replace("{E: {", "{e: {Type: String}, Get: GET, E: {")
    head = head.replace("GET", "{Type: String, AllowedValues: [GetObject]}")
    sides = [policy("'*'", action).replace(HEAD, head) for action in (old, new)]
    for pair in (sides, sides[::-1]):
        assert iam(compared(*pair)) == expected


def test_an_action_under_a_condition_widens_where_it_holds() -> None:
    found = compared(policy("'*'"), policy("'*'", "!If [Dev, 'a:*', 'a:b']"))
    assert iam(found) == {("widened", "possible")}


def test_a_default_that_allows_more_widens_certainly() -> None:
    old = policy("!Ref E")
    assert iam(compared(old, old.replace("Default: dev", "Default: '*'"))) == {("widened", Certainty.CERTAIN)}


def test_a_renamed_parameter_behind_a_condition_widens_possibly() -> None:
    old = policy("!If [Dev, a, !Sub ['${X}/y', {X: !FindInMap [M, !Ref E, x]}]]")
    new = old.replace("E: {Type", "Env: {Type").replace("!Ref E", "!Ref Env")
    assert {certainty for _, certainty in iam(compared(old, new))} == {"possible"}


def test_a_renamed_condition_with_its_operands_in_another_order_is_no_difference() -> None:
    old = policy("!If [Dev, a, b]").replace("  P: {", "  P: {Condition: Prod, ").replace("AlsoDev", "Other")
    new = old.replace("Dev: !Equals [!Ref E, dev]", "Small: !Equals [dev, !Ref E]").replace("[Dev,", "[Small,")
    found = compared(old, new)
    assert headlines(found)["Verdict"] == NOTHING
    assert not any(is_in(found) for is_in in KINDS.values())


def test_the_source_of_a_permission_in_the_region_of_the_stack_possibly_differs() -> None:
    old, new = (
        f"{HEAD}  P: {{Type: AWS::Lambda::Permission, Properties: {{Action: a, FunctionName: f, Principal: p, "
        f"SourceArn: {arn}}}}}"
        for arn in (
            "'arn:aws:events:eu-west-2:111122223333:rule/r'",
            "!Sub 'arn:aws:events:${AWS::Region}:${AWS::AccountId}:rule/r'",
        )
    )
    assert iam(compared(old, new)) == POSSIBLE


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("NotResource: a", "Resource: b", {("narrowed", "certain")}),
        ("NotResource: a", "Resource: a", CERTAIN),
        ("NotResource: a", "Resource: '*'", WIDER),
        ("NotResource: 'a*'", "Resource: ab", WIDER | {("narrowed", "possible")}),
        ("NotResource: 'a*'", "Resource: b", {("narrowed", "possible")}),
        ("NotResource: a", "Resource: 'b*'", POSSIBLE),
        ("NotResource: a", "Resource: !Ref Free", POSSIBLE),
        ("NotResource: !Ref Free", "Resource: b", POSSIBLE),
        ("NotResource: '*'", "Resource: b", WIDER),
    ],
)
def test_everything_except_is_compared_with_patterns(old: str, new: str, expected: set[tuple[str, str]]) -> None:
    sides = [policy("VALUE").replace("Resource: VALUE", one) for one in (old, new)]
    assert iam(compared(*sides)) == expected
    turned = {("narrowed" if change == "widened" else "widened", certainty) for change, certainty in expected}
    assert iam(compared(*sides[::-1])) == turned


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{StringLike: {'aws:x': a}}", "{StringLike: {'aws:x': 'a*'}}", POSSIBLE),
        ("{StringEquals: {'aws:x': a}}", "{StringLike: {'aws:X': a}}", POSSIBLE),
        ("{StringEquals: {'aws:x': a}}", "{StringEquals: {'aws:x': b}}", CERTAIN),
        ("{StringEquals: {'aws:x': a}}", "{StringEquals: {'aws:y': a}}", CERTAIN),
    ],
)
def test_conditions_that_may_match_the_same_requests_possibly_differ(
    old: str, new: str, expected: set[tuple[str, str]]
) -> None:
    sides = [policy(f"'*', Condition: {condition}") for condition in (old, new)]
    assert iam(compared(*sides)) == expected
