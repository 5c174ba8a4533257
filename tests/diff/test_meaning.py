"""Changes of conditions, mappings, defaults and SAM's Globals count for the resources that use them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from generator.diff.model import Difference
from generator.diff.sides import comparable
from generator.diff.summary import KINDS, consequences, headlines
from generator.template.evaluation import known
from tests.diff.comparing import difference

TABLE, ROLE, FUNCTION = "AWS::DynamoDB::Table", "AWS::IAM::Role", "AWS::Serverless::Function"
NO_VALUE = {"Ref": "AWS::NoValue"}
BY_STAGE = {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}
TRUE, FALSE = {"Fn::Equals": ["a", "a"]}, {"Fn::Equals": ["a", "b"]}
EVERYTHING = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


def look_up(*keys: Any) -> dict[str, Any]:
    return {"Fn::FindInMap": ["Map", *keys]}


def on(resource: Any) -> dict[str, Any]:
    """A role that may write to a resource."""
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": resource}
    return {"Type": ROLE, "Properties": {"Policies": [{"PolicyName": "p", "PolicyDocument": {"Statement": statement}}]}}


def named(name: Any) -> dict[str, Any]:
    return {"Type": TABLE, "Properties": {"TableName": name}}


def kinds(found: Difference) -> set[str]:
    return {kind for kind, is_in in KINDS.items() if is_in(found)}


def compared(resource: Any, section: str, old: Any, new: Any, **more: Any) -> Difference:
    """Compare the same resource with the old and the new content of a section."""
    before, after = ({"Resources": {"One": resource}, **more, section: content} for content in (old, new))
    return difference(before, after)


def holds(definition: Any) -> dict[str, Any]:
    return {"Keep": definition}


def by_stage(prod: Any, dev: Any = "d") -> dict[str, Any]:
    return {"Map": {"prod": {"name": prod}, "dev": {"name": dev}}}


BOTH_WAYS = {"iam-widening", "iam-narrowing"}
STAGE = {"Stage": {"Type": "String", "Default": "dev"}}


@pytest.mark.parametrize(
    ("resource", "old", "new", "expected"),
    [
        pytest.param(
            {**named("a"), "Condition": "Keep"}, BY_STAGE, {"Fn::Not": [BY_STAGE]}, {"removal"}, id="redefined"
        ),
        pytest.param({**named("a"), "Condition": "Keep"}, TRUE, FALSE, {"removal"}, id="no longer holds"),
        pytest.param({**named("a"), "Condition": "Keep"}, FALSE, TRUE, set(), id="now holds"),
        pytest.param({**on("a"), "Condition": "Keep"}, FALSE, TRUE, {"iam-widening"}, id="a role is now made"),
        pytest.param({**on("a"), "Condition": "Keep"}, BY_STAGE, TRUE, {"iam-widening"}, id="a role is always made"),
        pytest.param(
            {**on("a"), "Condition": "Keep"},
            BY_STAGE,
            {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
            {"removal", *BOTH_WAYS},
            id="a role is made elsewhere",
        ),
        pytest.param(named({"Fn::If": ["Keep", "a", NO_VALUE]}), TRUE, FALSE, {"replacement"}, id="a name goes"),
        pytest.param(named({"Fn::If": ["Keep", "a", "b"]}), BY_STAGE, TRUE, {"replacement"}, id="one name is left"),
        pytest.param(on({"Fn::If": ["Keep", "*", "a"]}), FALSE, TRUE, {"iam-widening"}, id="anything for one resource"),
        pytest.param(
            {"Type": TABLE, "Properties": {"BillingMode": {"Fn::If": ["Keep", "a", "b"]}}},
            BY_STAGE,
            {"Fn::Not": [BY_STAGE]},
            set(),
            id="what replaces nothing",
        ),
    ],
)
def test_a_condition_with_another_meaning_is_a_difference(
    resource: Any, old: Any, new: Any, expected: set[str]
) -> None:
    found = compared(resource, "Conditions", holds(old), holds(new))
    assert (kinds(found), [part.path for part in found.parts]) == (expected, ["Conditions.Keep"])


def test_a_value_that_a_redefined_condition_decides_possibly_differs() -> None:
    resource = {**named({"Fn::If": ["Name", "a", "b"]}), "Condition": "Keep"}
    europe, america = ({"Fn::Equals": [{"Ref": "AWS::Region"}, region]} for region in ("eu-west-1", "us-east-1"))
    old, new = {"Keep": {"Fn::Or": [BY_STAGE, europe]}, "Name": europe}, {"Keep": BY_STAGE, "Name": america}
    found = compared(resource, "Conditions", old, new)
    (one,) = found.resources
    assert (one.replacement, one.removal) == ("possible", "possible")
    assert [(change.path, change.old, change.new) for change in one.properties] == [
        (
            "Properties.TableName",
            {"Fn::If": ["Name (as it was)", "a", "b"]},
            {"Fn::If": ["Name (as it is now)", "a", "b"]},
        ),
        ("Condition", "Keep (as it was)", "Keep (as it is now)"),
    ]
    assert headlines(found)["Replacements"] != "none"
    removal = "Possible removal: One: exists only if Keep (as it is now) holds"
    assert any(line.startswith(removal) for line in consequences(found))


def test_a_condition_changes_with_a_condition_that_it_uses() -> None:
    needs = {"Keep": {"Fn::And": [{"Condition": "Inner"}, BY_STAGE]}}
    old, new = ({**needs, "Inner": {"Fn::Equals": [{"Ref": "Other"}, value]}} for value in "ab")
    assert kinds(compared({**named("a"), "Condition": "Keep"}, "Conditions", old, new)) == {"removal"}


@pytest.mark.parametrize("definition", [None, {"Condition": "Keep"}, {"Fn::Equals": "a"}, "Keep", ["Keep"]])
def test_a_malformed_condition_decides_nothing(definition: Any) -> None:
    resource = {**named("a"), "Condition": "Keep"}
    assert known(comparable({"Resources": {"One": resource}, "Conditions": holds(definition)})).resources == {
        "One": resource
    }


@pytest.mark.parametrize(
    ("definition", "is_there"),
    [
        ({"Fn::Not": [FALSE]}, True),
        ({"Fn::And": [TRUE, BY_STAGE, FALSE]}, False),
        ({"Fn::Or": [BY_STAGE, TRUE]}, True),
        ({"Fn::Or": [FALSE, FALSE]}, False),
        ({"Fn::Equals": [{"Ref": "Stage"}, {"Fn::Sub": "${Stage}"}]}, True),
        ({"Fn::Equals": [1, "1"]}, True),
        ({"Fn::Equals": [look_up("prod", "name"), "p"]}, True),
        ({"Fn::Equals": [look_up("prod", "none", {"DefaultValue": "x"}), "x"]}, True),
    ],
)
def test_a_condition_of_literals_is_decided(definition: Any, is_there: bool) -> None:
    template = {"Resources": {"One": {**named("a"), "Condition": "Keep"}}, "Mappings": by_stage("p")}
    found = known(comparable({**template, "Conditions": holds(definition)})).resources
    assert found == ({"One": named("a")} if is_there else {})


@pytest.mark.parametrize(
    ("resource", "old", "new", "expected"),
    [
        pytest.param(named(look_up("prod", "name")), "p", "q", {"replacement"}, id="a table's name"),
        pytest.param(on(look_up("prod", "name")), "arn:a", "*", {"iam-widening"}, id="a resource of a policy"),
        pytest.param(on(look_up({"Ref": "Stage"}, "name")), "arn:a", "*", BOTH_WAYS, id="by a parameter"),
        pytest.param(named(look_up({"Ref": "Stage"}, "name")), "p", "q", {"replacement"}, id="a name by a parameter"),
        pytest.param(named(look_up("dev", "name")), "p", "q", set(), id="another row"),
        pytest.param(named(look_up({"Ref": "Stage"}, "size")), "p", "q", set(), id="another column"),
        pytest.param(
            {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": look_up("prod", "name")}},
            1,
            2,
            {"reservation"},
            id="a reservation",
        ),
        pytest.param(
            {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {"Threshold": look_up({"Ref": "Stage"}, "name")},
            },
            1,
            2,
            {"alarm"},
            id="a threshold by a parameter",
        ),
    ],
)
def test_a_changed_value_of_a_mapping_is_a_difference(resource: Any, old: Any, new: Any, expected: set[str]) -> None:
    assert kinds(compared(resource, "Mappings", by_stage(old), by_stage(new))) == expected


def test_a_value_looked_up_by_a_parameter_possibly_replaces() -> None:
    found = compared(named(look_up({"Ref": "Stage"}, "name")), "Mappings", by_stage("p"), by_stage("q"))
    assert [one.replacement for one in found.resources] == ["possible"]


def test_a_new_row_of_a_mapping_changes_only_lookups_that_find_it() -> None:
    old = by_stage("p")
    new = {"Map": {**old["Map"], "test": {"name": "t"}}}
    assert kinds(compared(named(look_up({"Ref": "Stage"}, "name")), "Mappings", old, new)) == set()
    by_default = named(look_up({"Ref": "Stage"}, "name", {"DefaultValue": "x"}))
    assert kinds(compared(by_default, "Mappings", old, new)) == {"replacement"}


def test_a_value_moved_into_a_mapping_is_no_difference() -> None:
    old = {"Resources": {"One": named("p")}}
    new = {"Resources": {"One": named(look_up("prod", "name"))}, "Mappings": by_stage("p")}
    assert difference(old, new).resources == ()


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (named({"Ref": "Stage"}), {"replacement"}),
        (named({"Fn::Sub": "table-${Stage}"}), {"replacement"}),
        (named({"Fn::Sub": ["table-${Stage}", {"Stage": "x"}]}), set()),
        (on({"Ref": "Stage"}), BOTH_WAYS),
        ({**named("a"), "Condition": "Keep"}, {"removal"}),
        ({"Type": TABLE, "Properties": {"BillingMode": {"Ref": "Stage"}}}, set()),
    ],
)
def test_another_default_changes_the_resources_that_use_the_parameter(resource: Any, expected: set[str]) -> None:
    new = {"Stage": {**STAGE["Stage"], "Default": "prod"}}
    assert kinds(compared(resource, "Parameters", STAGE, new, Conditions=holds(BY_STAGE))) == expected
    described = {"Stage": {**STAGE["Stage"], "Description": "which one"}}
    assert kinds(compared(resource, "Parameters", STAGE, described, Conditions=holds(BY_STAGE))) == set()


def test_a_property_of_no_value_is_an_absent_property() -> None:
    old: Any = {"Resources": {"One": {"Type": TABLE, "Properties": {"KeySchema": []}}}}
    new = copy.deepcopy(old)
    new["Resources"]["One"]["Properties"]["TableName"] = NO_VALUE
    assert not difference(old, new).is_different


@pytest.mark.parametrize("kind", [TABLE, ROLE, "AWS::CloudWatch::Alarm", "AWS::Lambda::Function"])
def test_properties_of_null_are_no_properties(kind: str) -> None:
    null, absent = ({"Resources": {"One": {"Type": kind, **more}}} for more in ({"Properties": None}, {}))
    assert not difference(null, absent).is_different
    changed = {"Resources": {"One": {"Type": kind, "Properties": {"Tags": [{"Key": "k", "Value": "v"}]}}}}
    assert [one.id for one in difference(null, changed).resources] == ["One"]


def function(**properties: Any) -> dict[str, Any]:
    return {"One": {"Type": FUNCTION, "Properties": {"InlineCode": "x", **properties}}}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"PermissionsBoundary": "arn:b"}, {}, {"iam-widening"}, id="a boundary removed"),
        pytest.param(
            {"ReservedConcurrentExecutions": 10}, {"ReservedConcurrentExecutions": 500}, {"reservation"}, id="10"
        ),
        pytest.param({"Handler": "a.b"}, {"Handler": "c.d"}, {"handler"}, id="a handler"),
        pytest.param({"Layers": ["a"]}, {"Layers": ["a", "b"]}, {"handler"}, id="a layer"),
        pytest.param({"Timeout": 1}, {"Timeout": 2}, set(), id="what the function sets itself"),
    ],
)
def test_globals_count_as_properties_of_every_function(old: Any, new: Any, expected: set[str]) -> None:
    own = function(Timeout=3)
    before, after = ({"Globals": {"Function": shared}, "Resources": own} for shared in (old, new))
    assert kinds(difference(before, after)) == expected


def test_globals_are_merged_as_sam_merges_them() -> None:
    shared = {
        "Layers": ["a"],
        "Environment": {"Variables": {"A": 1, "B": 2}},
        "Tags": {"Fn::Transform": "x"},
        "Timeout": 1,
    }
    own = {"Layers": ["b"], "Environment": {"Variables": {"B": 3}}, "Tags": {"own": "tag"}}
    template = {"Globals": {"Function": shared, "Api": {"Name": "x"}}, "Resources": function(**own)}
    assert known(comparable(template)).resources["One"]["Properties"] == {
        "InlineCode": "x",
        "Layers": ["a", "b"],
        "Environment": {"Variables": {"A": 1, "B": 3}},
        "Tags": {"own": "tag"},
        "Timeout": 1,
    }


def test_a_property_moved_into_globals_is_no_difference() -> None:
    old = {"Resources": function(Timeout=3)}
    new = {"Globals": {"Function": {"Timeout": 3}}, "Resources": function()}
    found = difference(old, new)
    assert (found.resources, [part.path for part in found.parts]) == ((), ["Globals"])


@pytest.mark.parametrize(
    ("kind", "old", "new", "replacement"),
    [
        (FUNCTION, {"FunctionName": "a"}, {"FunctionName": "b"}, "certain"),
        (FUNCTION, {"Timeout": 1}, {"Timeout": 2}, "none"),
        ("AWS::Serverless::SimpleTable", {"TableName": "a"}, {"TableName": "b"}, "certain"),
        ("AWS::Serverless::SimpleTable", {"PrimaryKey": {"Name": "a"}}, {"PrimaryKey": {"Name": "b"}}, "certain"),
        ("AWS::Serverless::SimpleTable", {"Tags": {"a": "b"}}, {}, "none"),
        ("AWS::Serverless::Api", {"StageName": "a"}, {"StageName": "b"}, "certain"),
        ("AWS::Serverless::HttpApi", {"StageName": "a"}, {"StageName": "b"}, "certain"),
        ("AWS::Serverless::LayerVersion", {"ContentUri": "a"}, {"ContentUri": "b"}, "certain"),
        ("AWS::Serverless::StateMachine", {"Type": "STANDARD"}, {"Type": "EXPRESS"}, "certain"),
        ("AWS::Serverless::StateMachine", {"Name": "a"}, {"Name": "b"}, "certain"),
        ("AWS::Serverless::Application", {"Location": "a"}, {"Location": "b"}, "possible"),
    ],
)
def test_a_resource_of_sam_is_replaced_like_the_type_that_it_becomes(
    kind: str, old: Any, new: Any, replacement: str
) -> None:
    before, after = ({"Resources": {"One": {"Type": kind, "Properties": properties}}} for properties in (old, new))
    (found,) = difference(before, after).resources
    assert found.replacement == replacement
