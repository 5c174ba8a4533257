"""A change that happens for some values of the parameters is reported, because the values are not known."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.diff.summary import KINDS
from tests.diff.comparing import difference

PARAMETERS = ("P", "Q")
VALUES = ("a", "b")
NO_VALUE = {"Ref": "AWS::NoValue"}
TOLD = ("replacement", "removal", "iam-widening", "iam-narrowing")


def kinds(old: Any, new: Any) -> set[str]:
    found = difference(old, new)
    return {kind for kind in TOLD if KINDS[kind](found)}


def simple(rng: random.Random) -> Any:
    row = rng.choice(["a", {"Ref": "P"}])
    return rng.choice(["a", "b", "*", {"Ref": "P"}, {"Fn::Sub": "x-${Q}"}, {"Fn::FindInMap": ["M", row, "k"]}])


def either(rng: random.Random, one: Any, other: Any) -> Any:
    return {"Fn::If": [rng.choice("CDE"), one, other]}


def value(rng: random.Random) -> Any:
    return rng.choice([simple(rng), either(rng, simple(rng), either(rng, simple(rng), simple(rng)))])


def statement(rng: random.Random) -> dict[str, Any]:
    return {"Effect": rng.choice(["Allow", "Allow", "Deny"]), "Action": value(rng), "Resource": value(rng)}


def resource(rng: random.Random) -> dict[str, Any]:
    policy = {"Statement": [statement(rng), either(rng, statement(rng), NO_VALUE)]}
    public = {"Statement": [{**statement(rng), "Principal": "*"}]}
    kind, properties = rng.choice(
        [
            ("AWS::DynamoDB::Table", {"TableName": value(rng)}),
            ("AWS::IAM::Role", {"ManagedPolicyArns": [value(rng)], "Policies": [{"PolicyDocument": policy}]}),
            ("AWS::IAM::User", {"Groups": [value(rng), either(rng, simple(rng), NO_VALUE)]}),
            ("AWS::ApiGateway::Method", {"AuthorizationType": either(rng, "NONE", "AWS_IAM"), "ApiKeyRequired": True}),
            ("AWS::EC2::VPCEndpoint", {"PolicyDocument": either(rng, public, NO_VALUE)}),
            ("AWS::Lambda::Function", {"Role": value(rng), "Handler": value(rng)}),
            ("AWS::Serverless::Function", {"FunctionUrlConfig": either(rng, {"AuthType": "NONE"}, NO_VALUE)}),
            ("AWS::Serverless::Function", {"Policies": [value(rng)], "PermissionsBoundary": value(rng)}),
        ]
    )
    condition = {"Condition": rng.choice("CDE")} if rng.random() < 0.4 else {}
    return {"Type": kind, "Properties": properties, **condition}


def template(rng: random.Random) -> dict[str, Any]:
    equal = {"Fn::Equals": [simple(rng), rng.choice(VALUES)]}
    return {
        "Mappings": {"M": {row: {"k": rng.choice(VALUES)} for row in VALUES}},
        "Conditions": {
            "C": equal,
            "D": rng.choice([{"Fn::Not": [{"Condition": "C"}]}, {"Fn::And": [{"Condition": "C"}, equal]}]),
            "E": rng.choice([{"Fn::Or": [{"Condition": "C"}, {"Condition": "D"}]}, {"Fn::Equals": ["a", "b"]}]),
        },
        "Resources": {"One": resource(rng), "Two": resource(rng)},
    }


def edited(old: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    new, other = copy.deepcopy(old), template(rng)
    for section in rng.choices(("Mappings", "Conditions", "Conditions", "Resources"), k=2):
        name = rng.choice(list(new[section]))
        if section != "Resources" or other[section][name]["Type"] == new[section][name]["Type"]:
            new[section][name] = other[section][name]
        else:
            new[section][name]["Condition"] = rng.choice("CDE")
    return new


def deployed(content: Any, values: dict[str, str]) -> Any:
    """The template with the values in the place of the parameters."""
    if isinstance(content, list):
        return [deployed(item, values) for item in content]
    if not isinstance(content, dict):
        return content.replace("${Q}", values["Q"]) if isinstance(content, str) else content
    if content.get("Ref") in values:
        return values[content["Ref"]]
    return {key: deployed(inner, values) for key, inner in content.items()}


@pytest.mark.slow
@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_no_change_that_some_values_cause_is_missed(seed: int) -> None:
    rng = random.Random(seed)
    old = template(rng)
    new = edited(old, rng)
    reported_kinds = kinds(old, new)
    for values in itertools.product(VALUES, repeat=len(PARAMETERS)):
        by_name = dict(zip(PARAMETERS, values, strict=True))
        assert kinds(deployed(old, by_name), deployed(new, by_name)) <= reported_kinds, (by_name, old, new)
