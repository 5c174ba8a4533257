"""Values that a parameter's declaration excludes are deployed by nobody."""

from __future__ import annotations

from typing import Any

import pytest

from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from generator.template import conditions
from generator.template.constraints import accepts

NUMBER, STRING = {"Type": "Number"}, {"Type": "String"}


@pytest.mark.parametrize(
    ("parameter", "accepted", "refused"),
    [
        ({**NUMBER, "MinValue": 1, "MaxValue": "10"}, ["1", "10", "2.5"], ["0", "50", "prod"]),
        ({**NUMBER, "MinValue": 1, "Default": 0}, ["0"], ["-1"]),
        ({**NUMBER, "MaxValue": {"Ref": "Other"}}, ["999"], []),
        ({**STRING, "MinLength": 2, "MaxLength": "4"}, ["ab", "prod"], ["a", "stage"]),
        ({**STRING, "AllowedPattern": "dev|test"}, ["dev", "test"], ["prod", "devx"]),
        ({**STRING, "AllowedPattern": "[a-z]+-[a-z]+-[0-9]"}, ["eu-west-1"], ["eu", "eu-west-12"]),
        ({**STRING, "AllowedPattern": "^(?:dev|prod)(-[a-z]\\w*)?$"}, ["prod", "dev-eu"], ["test", "dev-1"]),
        ({**STRING, "AllowedPattern": "(?!prod).*"}, ["prod"], []),
        ({**STRING, "AllowedPattern": "(a+)+b"}, ["a" * 40], []),
        ({**STRING, "AllowedPattern": "a?" * 30 + "a" * 30}, ["a" * 29 + "b"], []),
        ({**STRING, "AllowedPattern": "(a|a)" * 30}, ["a" * 29 + "b"], []),
        ({**STRING, "AllowedPattern": "^(?:dev|prod)$"}, ["prod", "dev"], ["test"]),
        ({**STRING, "AllowedPattern": "dev|" * 50 + "dev"}, ["dev", "x"], []),
        ({**STRING, "AllowedPattern": "["}, ["x"], []),
        ({**STRING, "AllowedPattern": "a{1000}"}, ["x"], []),
        ({"Type": "CommaDelimitedList", "AllowedPattern": "a"}, ["b"], []),
        ({"Type": "AWS::SSM::Parameter::Value<String>", "AllowedPattern": "a"}, ["b"], []),
        ({}, ["b"], []),
    ],
)
def test_accepts_what_the_declaration_leaves_possible(parameter: Any, accepted: list[str], refused: list[str]) -> None:
    assert [value for value in (*accepted, *refused) if accepts(parameter, value)] == accepted


@pytest.mark.parametrize(
    ("stage", "total"),
    [
        ({}, 950),
        ({"AllowedPattern": "dev|test", "Default": "dev"}, 20),
        ({"AllowedPattern": "dev|test", "Default": "prod"}, 900),
        ({"AllowedPattern": "^(dev|test|prod)$"}, 900),
        ({"AllowedPattern": "[a-z]{4}"}, 950),
        ({"AllowedPattern": "[a-z]{3}", "AllowedValues": ["dev", "prod"]}, 20),
        ({"MaxLength": 3, "AllowedValues": ["dev", "prod"]}, 20),
        ({"MinLength": 4, "AllowedPattern": "dev|test"}, 0),
        ({"MaxLength": 2, "AllowedValues": ["dev", "test"]}, 20),
    ],
)
def test_a_condition_on_a_value_that_nobody_can_deploy_never_holds(stage: Any, total: int) -> None:
    """The function reserves 900 in prod, 20 in dev, 0 in test and 950 elsewhere."""
    are_stages = {f"Is{name}": {"Fn::Equals": [{"Ref": "Stage"}, name]} for name in ("prod", "dev", "test")}
    figure = {"Fn::If": ["Isprod", 900, {"Fn::If": ["Isdev", 20, {"Fn::If": ["Istest", 0, 950]}]}]}
    content = {
        "Parameters": {"Stage": {"Type": "String", **stage}},
        "Conditions": are_stages,
        "Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": figure}}},
    }
    assert worst_case(variants(content)).total == total


def test_a_mapping_is_not_looked_up_with_a_value_out_of_range() -> None:
    figure = {"Fn::FindInMap": ["Sizes", {"Ref": "Size"}, "Units"]}
    content = {
        "Parameters": {"Size": {"Type": "Number", "MaxValue": 2, "Default": 1}},
        "Mappings": {"Sizes": {"1": {"Units": 5}, "2": {"Units": 8}, "3": {"Units": 950}}},
        "Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": figure}}},
    }
    case = worst_case(variants(content))
    assert (case.total, case.is_proven) == (8, True)


def conditional(parameters: dict[str, Any], *sides: Any) -> dict[str, Any]:
    """Return a template with a function that reserves 900 if both sides are equal, else 1."""
    units = {"ReservedConcurrentExecutions": {"Fn::If": ["AreEqual", 900, 1]}}
    return {
        "Parameters": parameters,
        "Conditions": {"AreEqual": {"Fn::Equals": list(sides)}},
        "Resources": {"A": {"Type": "AWS::Lambda::Function", "Properties": units}},
    }


@pytest.mark.parametrize(
    ("ending", "total"),
    [("!", 1), ("!${P0}", 1), pytest.param("", 900, id="too many values of each parameter")],
)
def test_a_text_of_many_parameters_is_compared_at_once(ending: str, total: int) -> None:
    names = [f"P{number}" for number in range(12)]
    composed = {"Fn::Sub": "".join(f"${{{name}}}" for name in names) + ending}
    content = conditional({name: {"Type": "String"} for name in names}, composed, "a" * 60)
    assert worst_case(variants(content)).total == total


@pytest.mark.parametrize(("text", "total"), [("y" * 101, 1), ("y" * 101 + "-x", 900)])
def test_a_composed_text_is_compared_with_a_long_one(text: str, total: int) -> None:
    content = conditional({"Env": {"Type": "String"}}, {"Fn::Sub": "${Env}-x"}, text)
    assert worst_case(variants(content)).total == total


def test_a_comparison_beyond_the_bound_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    content = conditional({"Env": {"Type": "String"}}, {"Fn::Sub": "${Env}-x"}, "yyy")
    assert worst_case(variants(content)).total == 1
    monkeypatch.setattr(conditions, "MAX_PLACES", 5)
    assert worst_case(variants(content)).total == 900


@pytest.mark.parametrize(("given", "total"), [("b,c", 1), (["b", "c"], 1), (["a", "c"], 900), (None, 900)])
@pytest.mark.parametrize("kind", ["CommaDelimitedList", "List<String>"])
def test_a_list_has_the_value_that_it_is_given(kind: str, given: Any, total: int) -> None:
    content = conditional({"L": {"Type": kind}}, {"Fn::Select": [0, {"Ref": "L"}]}, "a")
    assert worst_case(variants(content, [{"L": given}])).total == total
