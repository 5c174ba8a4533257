"""Replacement as the resource schemas have it, for every property of every type in our templates."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import cfnlint
import pytest

from generator.template.schemas import ALWAYS_CERTAIN, Schema, schema
from tests.conftest import ENVIRONMENTS
from tests.diff.comparing import difference
from tests.stack.model import TEMPLATES

TYPES = sorted({resource["Type"] for name in ENVIRONMENTS for resource in TEMPLATES[name]["Resources"].values()})


def shipped(kind: str) -> dict[str, Any]:
    """The schema's file, read without the code under test: us-east-1's module names it."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    content: dict[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return content


@pytest.mark.parametrize("kind", TYPES)
def test_every_property_of_every_type_agrees_with_the_lists(kind: str) -> None:
    content = shipped(kind)
    certain = {*content.get("createOnlyProperties", ()), *ALWAYS_CERTAIN.get(kind, ())}
    possible = set(content.get("conditionalCreateOnlyProperties", ()))
    for name in content["properties"]:
        pointer = f"/properties/{name}"
        expected = "certain" if pointer in certain else "possible" if pointer in possible else "none"
        old: dict[str, Any] = {"Resources": {"One": {"Type": kind, "Properties": {name: "old"}}}}
        new = copy.deepcopy(old)
        new["Resources"]["One"]["Properties"][name] = "new"
        (found,) = difference(old, new).resources
        assert (found.properties[0].path, found.replacement) == (f"Properties.{name}", expected)
        for within in (f"Properties.{name}[3].Inner", f"Properties.{name}.Inner[0]"):
            assert schema(kind).replacement(within) == expected


def test_the_schemas_state_create_only_properties() -> None:
    folder = Path(cfnlint.__file__).parent / "data/schemas/resources"
    text = "".join(path.read_text() for path in folder.glob("aws_dynamodb_table*.json"))
    assert not text or "createOnlyProperties" in text
    assert sum(bool(shipped(kind).get("createOnlyProperties")) for kind in TYPES) > 15
    assert schema("AWS::Lambda::Function").possible == ("/properties/DurableConfig",)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Properties.A.B", "certain"),
        ("Properties.A", "certain"),
        ("Properties.A.C", "none"),
        ("Properties.L[0].P", "possible"),
        ("Properties.L[12].Q", "none"),
        ("Properties", "certain"),
        ('Properties["A"].B', "certain"),
        ('Properties.M["team/name"]', "certain"),
        ('Properties.M["a.b\\"]c"].D', "certain"),
        ('Properties["A.B"]', "none"),
        ("DeletionPolicy", "none"),
        ("Metadata.A.B", "none"),
    ],
)
def test_nested_and_listed_properties(path: str, expected: str) -> None:
    known = Schema(certain=("/properties/A/B", "/properties/M"), possible=("/properties/L/*/P",), unordered=frozenset())
    assert known.replacement(path) == expected


def test_a_key_with_a_dot_or_a_slash_belongs_to_its_map() -> None:
    kind = "AWS::Batch::ComputeEnvironment"
    for key in ("team/name", "team.name", 'a"]b', "plain"):
        old, new = ({"Resources": {"One": {"Type": kind, "Properties": {"Tags": {key: value}}}}} for value in "ab")
        assert [one.replacement for one in difference(old, new).resources] == ["certain"], key


@pytest.mark.parametrize(
    ("keys", "replacement"),
    [({"Fn::If": ["C", [], []]}, "possible"), ([{"AttributeName": "id"}], "certain"), ("x", "possible")],
)
def test_an_attribute_of_a_key_that_a_condition_decides_possibly_replaces(keys: Any, replacement: str) -> None:
    sides = (
        {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": kind}], "KeySchema": keys} for kind in "SN"
    )
    old, new = ({"Resources": {"One": {"Type": "AWS::DynamoDB::Table", "Properties": one}}} for one in sides)
    assert [one.replacement for one in difference(old, new).resources] == [replacement]


def test_a_policy_that_is_all_properties_is_compared_by_property() -> None:
    kind, statement = "AWS::Events::EventBusPolicy", {"Effect": "Allow", "Action": "a", "Resource": "b"}
    sides = ({"StatementId": "s", "Statement": {**statement, "Principal": who}} for who in "xy")
    old, new = ({"Resources": {"One": {"Type": kind, "Properties": one}}} for one in sides)
    (found,) = difference(old, new).resources
    assert ([one.path for one in found.properties], found.replacement) == (["Properties.Statement.Principal"], "none")


@pytest.mark.parametrize("kind", ["Acme::Made::Up", "Custom::Thing", "None"])
def test_any_change_of_an_unknown_type_may_replace(kind: str) -> None:
    old = {"Resources": {"One": {"Type": kind, "Properties": {"A": 1}}}}
    new = json.loads(json.dumps(old).replace("1", "2"))
    (found,) = difference(old, new).resources
    assert (found.change, found.replacement) == ("changed", "possible")
    assert found.notes == (f"no schema states which change replaces {kind}",)
