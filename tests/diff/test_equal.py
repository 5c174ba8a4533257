"""A different layout is no difference; a different meaning is."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest
from cfn_flip import dump_yaml, load_yaml, to_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.diff.iam.grants import GrantScope, is_document
from generator.diff.properties import normal, same
from generator.diff.sides import read
from generator.template.intrinsics import as_list
from tests.conftest import ENVIRONMENTS, SCALE
from tests.diff.comparing import difference
from tests.report.edits import EDITS, Edit
from tests.stack.model import TEMPLATES, TEXTS

ELEMENTS = ("Action", "Resource", "NotResource")


def rewritten(value: Any, rng: random.Random, key: str = "") -> Any:
    """Return the same template in another form: key order, one-item lists, order and cut of statements, Sub for Ref."""
    if isinstance(value, list):
        return [rewritten(item, rng) for item in value]
    if not isinstance(value, dict):
        return str(value) if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.3 else value
    if is_document(value):
        value = {**value, "Statement": statements(as_list(value["Statement"]), rng)}
    elif value.keys() == {"Ref"} and not value["Ref"].startswith("AWS::") and rng.random() < 0.5:
        return {"Fn::Sub": f"${{{value['Ref']}}}"}
    elif value.keys() == {"Fn::GetAtt"}:
        name, attribute = value["Fn::GetAtt"]
        return rng.choice([value, {"Fn::GetAtt": f"{name}.{attribute}"}, {"Fn::Sub": f"${{{name}.{attribute}}}"}])
    elif value.keys() == {"Fn::Sub"} and rng.random() < 0.5:
        return {"Fn::Join": ["", [value, ""]]}
    keys = rng.sample(list(value), len(value))
    return {inner: rewritten(value[inner], rng, inner) for inner in keys}


def statements(found: list[dict[str, Any]], rng: random.Random) -> Any:
    split: list[dict[str, Any]] = []
    for statement in found:
        if not isinstance(statement.get("Action"), list) or "NotAction" in statement:
            split.append(statement)
            continue
        if rng.random() < 0.5:
            split += [{**statement, "Action": action, "Sid": f"S{len(split)}"} for action in statement["Action"]]
        else:
            split.append({**statement, "Action": rng.sample(statement["Action"], len(statement["Action"]))})
    for statement in split:
        for element in ELEMENTS:
            content = statement.get(element)
            if isinstance(content, list) and len(content) == 1 and rng.random() < 0.5:
                statement[element] = content[0]
    rng.shuffle(split)
    return split[0] if len(split) == 1 else split


@pytest.mark.slow
@settings(max_examples=10 * SCALE)
@given(st.integers(0, 2**32), st.sampled_from(ENVIRONMENTS))
def test_a_template_with_another_layout_is_no_difference(seed: int, name: str) -> None:
    other = rewritten(TEMPLATES[name], random.Random(seed))
    assert not difference(TEMPLATES[name], other).is_different
    assert not difference(other, TEMPLATES[name]).is_different


@pytest.mark.slow
@settings(max_examples=10 * SCALE)
@given(st.integers(0, 2**32), st.sampled_from(EDITS))
def test_an_edit_is_found_in_a_template_with_another_layout(seed: int, edit: Edit) -> None:
    old, new = edit.templates()
    found, plainly = difference(old, rewritten(new, random.Random(seed))), difference(old, new)
    assert {(one.id, one.replacement) for one in found.resources} == {
        (one.id, one.replacement) for one in plainly.resources
    }
    assert {(one.resource, one.change) for one in found.iam} == {(one.resource, one.change) for one in plainly.iam}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_yaml_with_short_functions_is_no_difference(name: str, tmp_path: Any) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(to_yaml(TEXTS[name], clean_up=True))
    assert "!Sub" in path.read_text()
    assert not difference(TEMPLATES[name], read(str(path)).template).is_different


def test_a_template_with_a_literal_partition_allows_the_same() -> None:
    literal = json.loads(
        TEXTS["prod"].replace("${AWS::Partition}", "aws").replace("${AWS::URLSuffix}", "amazonaws.com")
    )
    assert literal != TEMPLATES["prod"]
    assert difference(TEMPLATES["prod"], literal).iam == difference(literal, TEMPLATES["prod"]).iam == ()


def test_yaml_dumped_again_is_no_difference(tmp_path: Any) -> None:
    path = tmp_path / "template.yml"
    path.write_text(dump_yaml(load_yaml(TEXTS["prod"])))
    assert not difference(TEMPLATES["prod"], read(str(path)).template).is_different


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Fn::Sub": "${Topic}"}, {"Ref": "Topic"}),
        ({"Fn::GetAtt": "Topic.TopicArn"}, {"Ref": "Topic"}),
        ({"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::Sub": "${Table.Arn}"}),
        ({"Fn::Sub": "plain"}, "plain"),
        ({"Fn::Sub": "${!Literal}"}, "${Literal}"),
        ({"Fn::Join": ["\n", ["a", "b"]]}, "a\nb"),
        ({"Fn::Join": [":", ["arn", {"Ref": "AWS::Region"}]]}, {"Fn::Sub": "arn:${AWS::Region}"}),
        ({"Fn::Join": ["", ["${x}", {"Ref": "A"}]]}, {"Fn::Sub": "${!x}${A}"}),
        ({"Fn::Sub": ["${a}-x", {"a": {"Ref": "B"}}]}, {"Fn::Sub": "${B}-x"}),
        (16.0, 16),
        (True, "true"),
        ({"Threshold": "9.5"}, {"Threshold": 9.5}),
    ],
)
def test_values_with_the_same_meaning_are_equal(one: Any, other: Any) -> None:
    assert same(one, other)
    assert normal(normal(one)) == normal(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Ref": "A"}, "${A}"),
        ({"Ref": "A"}, {"Ref": "B"}),
        ({"Fn::Sub": "${A.Arn}"}, {"Ref": "A"}),
        ({"Fn::Sub": ["${a}", {"a": {"Fn::If": ["c", "x", "y"]}}]}, {"Ref": "a"}),
        ({"Fn::Join": ["", [{"Fn::If": ["c", "x", "y"]}]]}, {"Fn::Join": [",", [{"Fn::If": ["c", "x", "y"]}]]}),
        (0, False),
        (None, ""),
        ([1, 2], [2, 1]),
    ],
)
def test_values_with_different_meanings_differ(one: Any, other: Any) -> None:
    assert not same(one, other)


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    policy = {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": {"Statement": list(statements)}}}
    return {"Resources": {"Policy": policy}}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": "*"}


READ = ["dynamodb:GetItem", "dynamodb:Query"]
WHERE_C = {"Fn::If": ["c", allow("c:d"), {"Ref": "AWS::NoValue"}]}
ONLY = {"StringEquals": {"aws:SourceAccount": ["1"]}}
EITHER = {"StringEquals": {"aws:SourceAccount": ["2", "1"]}}
NOT_ONE, NOT_BOTH = ({"StringNotEquals": {"aws:x": one}} for one in ("1", ["1", "2"]))


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        pytest.param([allow(READ)], [allow("dynamodb:*")], {"widened"}, id="a wildcard for a list"),
        pytest.param([allow(READ)], [allow("dynamodb:GetItem")], {"narrowed"}, id="fewer actions"),
        pytest.param([allow("dynamodb:*")], [allow("dynamodb:*"), allow(READ)], set(), id="what was already allowed"),
        pytest.param([allow("dynamodb:Get*")], [allow("dynamodb:*")], {"widened"}, id="a wider wildcard"),
        pytest.param([allow("dynamodb:?etItem")], [allow("dynamodb:GetItem")], {"narrowed"}, id="one for a letter"),
        pytest.param([allow("a:?")], [allow("a:*")], {"widened"}, id="a letter is not any text"),
        pytest.param([allow("DynamoDB:getitem")], [allow("dynamodb:GetItem")], set(), id="case of an action"),
        pytest.param([allow("a:b", "arn:X")], [allow("a:b", "arn:x")], {"widened", "narrowed"}, id="case of an ARN"),
        pytest.param([allow("a:b", "arn:x/*")], [allow("a:b", "arn:x/y")], {"narrowed"}, id="a narrower resource"),
        pytest.param([allow("a:[bc]")], [allow("a:b")], {"widened", "narrowed"}, id="brackets are no wildcard"),
        pytest.param([allow("a:b", Condition=ONLY)], [allow("a:b")], {"widened"}, id="a condition dropped"),
        pytest.param([allow("a:b")], [allow("a:b", Condition=ONLY)], {"narrowed"}, id="a condition added"),
        pytest.param([allow("a:b", Condition=ONLY)], [allow("a:b", Condition=EITHER)], {"widened"}, id="more values"),
        pytest.param(
            [allow("a:b", Condition=NOT_ONE)], [allow("a:b", Condition=NOT_BOTH)], {"narrowed"}, id="more left out"
        ),
        pytest.param([], [deny("a:b")], {"narrowed"}, id="a denial added"),
        pytest.param([deny("a:*")], [deny("a:b")], {"widened"}, id="a denial narrowed"),
        pytest.param(
            [{"Effect": "Allow", "NotAction": ["a:*", "b:*"], "Resource": "*"}],
            [{"Effect": "Allow", "NotAction": "a:*", "Resource": "*"}],
            {"widened"},
            id="NotAction leaves out less",
        ),
        pytest.param(
            [{"Effect": "Allow", "Action": "a:b", "NotResource": ["arn:x"]}],
            [{"Effect": "Allow", "Action": "a:b", "NotResource": ["arn:*"]}],
            {"narrowed"},
            id="NotResource leaves out more",
        ),
        pytest.param(
            [{"Effect": "Allow", "Action": "a:b", "NotResource": "arn:x"}],
            [allow("a:b")],
            {"widened"},
            id="everything for everything but",
        ),
        pytest.param(
            [allow("a:b")],
            [allow("a:b"), {"Fn::If": ["c", allow("c:d"), {"Ref": "AWS::NoValue"}]}],
            {"widened"},
            id="a statement under a condition",
        ),
        pytest.param([WHERE_C], [allow("c:d")], {"widened"}, id="a condition around a statement dropped"),
        pytest.param([WHERE_C], [allow("c:*")], {"widened"}, id="wider, and without its condition"),
        pytest.param(
            [], [{"Fn::If": ["c", deny("c:d"), {"Ref": "AWS::NoValue"}]}], {"narrowed"}, id="a denial where c holds"
        ),
        pytest.param(
            [allow("a:b")], [{**allow("a:b"), "Effect": {"Ref": "E"}}], {"narrowed"}, id="perhaps no longer allowed"
        ),
        pytest.param([allow("a:b", {"Ref": "X"})], [allow("a:b", "${X}")], {"widened", "narrowed"}, id="a literal"),
        pytest.param([allow("a:b", {"Ref": "X"})], [allow("a:b", {"Fn::Sub": "${X}"})], set(), id="Ref is Sub"),
    ],
)
def test_statements_are_compared_by_what_they_grant(old: list[Any], new: list[Any], changes: set[str]) -> None:
    found = difference(document(*old, deny("z:z")), document(*new, deny("z:z"))).iam
    assert {one.change for one in found} == changes
    turned = {"widened": "narrowed", "narrowed": "widened"}
    back = difference(document(*new, deny("z:z")), document(*old, deny("z:z"))).iam
    assert {one.change for one in back} == {turned[change] for change in changes}


def test_a_permission_to_assume_roles_does_not_cover_a_trust_policy() -> None:
    """A statement without a principal never covers one with a principal."""
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    policies = [{"PolicyName": "p", "PolicyDocument": {"Statement": [allow("sts:*")]}}]
    old: Any = {"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}}}
    new = copy.deepcopy(old)
    new["Resources"]["Role"]["Properties"]["AssumeRolePolicyDocument"] = trust
    (found,) = difference(old, new).iam
    assert (found.change, found.statement["Principal"]) == ("widened", "*")


@pytest.mark.parametrize(
    "policies",
    [
        ["AmazonDynamoDBFullAccess"],
        [{"DynamoDBCrudPolicy": {"TableName": {"Ref": "Table"}}}],
        [{"Statement": allow("dynamodb:*")}],
        [{"Statement": {"Fn::If": ["c", [allow("dynamodb:*")], {"Ref": "AWS::NoValue"}]}}],
        {"Fn::If": ["c", [{"Statement": [allow("dynamodb:*")]}], []]},
    ],
)
def test_a_policy_is_a_widening_however_it_is_written(policies: Any) -> None:
    old: dict[str, Any] = {"Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {}}}}
    new = {"Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": {"Policies": policies}}}}
    assert [(one.resource, one.change) for one in difference(old, new).iam] == [("F", "widened")]
    may_deny = [("F", "widened")] if policies == ["AmazonDynamoDBFullAccess"] else []
    assert [(one.resource, one.change) for one in difference(new, old).iam] == [*may_deny, ("F", "narrowed")]


def test_moving_a_statement_to_a_policy_of_its_own_changes_no_access() -> None:
    old = copy.deepcopy(TEMPLATES["prod"])
    new = copy.deepcopy(old)
    inline = new["Resources"]["CheckAlertsRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    document = {"Version": "2012-10-17", "Statement": [inline.pop()]}
    properties = {"PolicyName": "more", "PolicyDocument": document, "Roles": [{"Ref": "CheckAlertsRole"}]}
    new["Resources"]["MorePolicy"] = {"Type": "AWS::IAM::Policy", "Properties": properties}
    found = difference(old, new)
    assert {one.id for one in found.resources} == {"CheckAlertsRole", "MorePolicy"}
    assert found.iam == ()


@given(st.text("ab*?", max_size=6), st.text("ab*?", max_size=6), st.text("ab", max_size=6))
def test_a_pattern_covers_only_what_it_matches(inner: str, outer: str, word: str) -> None:
    """If a pattern covers another one, it matches every word that the other one matches."""
    if GrantScope((outer,)).covers(GrantScope((inner,))) and GrantScope((inner,)).covers(GrantScope((word,))):
        assert GrantScope((outer,)).covers(GrantScope((word,)))


@pytest.mark.parametrize(
    ("kind", "key", "old", "new", "is_same"),
    [
        ("AWS::StepFunctions::StateMachine", "Definition", {"NumericEquals": 1}, {"NumericEquals": "1"}, False),
        ("AWS::ApiGateway::RestApi", "Body", {"enum": ["true", "1"]}, {"enum": [True, 1]}, False),
        ("AWS::SNS::Subscription", "FilterPolicy", {"a": [1]}, {"a": [1.0]}, True),
        ("AWS::SNS::Subscription", "FilterPolicy", {"a": [True]}, {"a": [1]}, False),
        ("AWS::SNS::Subscription", "RedrivePolicy", {"a": [1]}, {"a": ["1"]}, True),
        ("AWS::ApiGateway::RestApi", "Body", {"a": {"Ref": "A"}}, {"a": {"Fn::Sub": "${A}"}}, True),
        ("AWS::Lambda::Function", "VpcConfig", {"SubnetIds": ["a", "b"]}, {"SubnetIds": ["b", "a"]}, True),
        ("AWS::CloudWatch::Alarm", "AlarmActions", ["a", "b"], ["b", "a"], True),
        ("AWS::Lambda::Function", "Layers", ["a", "b"], ["b", "a"], False),
    ],
)
def test_numbers_and_texts_differ_only_in_properties_that_keep_the_type(
    kind: str, key: str, old: Any, new: Any, is_same: bool
) -> None:
    before, after = ({"Resources": {"One": {"Type": kind, "Properties": {key: one}}}} for one in (old, new))
    assert difference(before, after).is_different != is_same


def test_a_number_that_was_text_is_shown_as_it_is_written() -> None:
    sides = (
        {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"detail": {"x": [one]}}}} for one in (1, "1")
    )
    old, new = ({"Resources": {"One": one}} for one in sides)
    (found,) = difference(old, new).resources
    assert [(one.path, one.old, one.new) for one in found.properties] == [
        ("Properties.EventPattern.detail.x[0]", 1, "1")
    ]


@pytest.mark.parametrize("section", ["Parameters", "Conditions", "Mappings", "Outputs"])
def test_a_section_that_is_a_list_is_a_difference_and_no_error(section: str) -> None:
    old: dict[str, Any] = {"Resources": {}, section: {"A": "b"}}
    assert [part.path for part in difference(old, {"Resources": {}, section: ["a"]}).parts] == [section]


def test_formatting_alone_is_no_difference() -> None:
    assert not difference(
        TEMPLATES["prod"], json.loads(json.dumps(TEMPLATES["prod"], indent=8, sort_keys=True))
    ).is_different


POLICY = {"PolicyName": "all", "PolicyDocument": {"Statement": [allow("*")]}}
GRANT = {"Principal": "p", "FunctionName": "f"}
ASSUMED, OTHER = "arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"
QUEUE = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("kind", "old", "new", "changes"),
    [
        (
            "AWS::IAM::Role",
            {"Policies": [{"Fn::If": ["C", POLICY, {"Ref": "AWS::NoValue"}]}]},
            {"Policies": [POLICY]},
            {"widened"},
        ),
        ("AWS::IAM::Role", {"PolicyDocument": {"Fn::If": ["C", {"Ref": "P"}, {}]}}, {}, {"widened", "narrowed"}),
        ("AWS::Lambda::Permission", {**GRANT, "InvokedViaFunctionUrl": True}, GRANT, {"widened"}),
        ("AWS::ECS::Service", {"Tags": {"Role": ASSUMED}}, {"Tags": {"Role": OTHER}}, set()),
        ("AWS::Serverless::Function", {"Role": ASSUMED}, {"Role": OTHER}, {"widened", "narrowed"}),
        (
            "AWS::Events::Rule",
            {"Targets": [{"RoleArn": ASSUMED}]},
            {"Targets": [{"RoleArn": OTHER}]},
            {"widened", "narrowed"},
        ),
        ("AWS::Lambda::Function", {"Environment": {"Role": ASSUMED}}, {"Environment": {"Role": OTHER}}, set()),
        (
            "AWS::Logs::ResourcePolicy",
            {"PolicyDocument": json.dumps({"Statement": [{**QUEUE, "Resource": "a"}]})},
            {"PolicyDocument": {"Fn::Sub": json.dumps({"Statement": [QUEUE]}, indent=1)}},
            {"widened"},
        ),
        (
            "AWS::SQS::QueueInlinePolicy",
            {"PolicyDocument": "{not JSON"},
            {"PolicyDocument": "{nor this"},
            {"widened", "narrowed"},
        ),
    ],
)
def test_a_wider_policy_is_found_wherever_it_is_written(kind: str, old: Any, new: Any, changes: set[str]) -> None:
    before, after = ({"Resources": {"One": {"Type": kind, "Properties": properties}}} for properties in (old, new))
    assert {one.change for one in difference(before, after).iam} == changes


@pytest.mark.parametrize("kind", ["AWS::IAM::Policy", "AWS::IAM::Role"])
def test_a_grant_that_loses_its_condition_is_wider(kind: str) -> None:
    resource = {"Type": kind, "Properties": {"Roles": [{"Ref": "Role"}], "Policies": [POLICY], **POLICY}}
    new, old = ({"Resources": {"One": {**resource, **more}}} for more in ({}, {"Condition": "C"}))
    assert {one.change for one in difference(old, new).iam} == {"widened"}
    assert {one.change for one in difference(new, old).iam} == {"narrowed"}
    assert difference(new, old).iam[0].statement["Effect"] == "Allow"
