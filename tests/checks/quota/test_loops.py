"""Loops and mappings of AWS::LanguageExtensions are counted as far as the template states them."""

from __future__ import annotations

from typing import Any

import pytest

from generator.checks.quota.deployed import deployed
from generator.checks.quota.worst_case import worst_case
from tests.checks.rules.rule_runner import by_name, edited

LAMBDA = "AWS::Lambda::Function"


def reserving(units: Any) -> dict[str, Any]:
    return {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": units}}


def loop(variable: str, collection: Any, outputs: Any) -> list[Any]:
    return [variable, collection, outputs]


TEMPLATE: dict[str, Any] = {
    "Transform": ["AWS::LanguageExtensions"],
    "Parameters": {
        "Names": {"Type": "CommaDelimitedList"},
        "NamesByDefault": {"Type": "CommaDelimitedList", "Default": "A,B,C"},
        "NamesElsewhere": {"Type": "AWS::SSM::Parameter::Value<CommaDelimitedList>", "Default": "/names"},
        "Environment": {"Type": "String", "AllowedValues": ["dev", "prod"]},
    },
    "Conditions": {"IsDev": {"Fn::Equals": [{"Ref": "Environment"}, "dev"]}},
    "Mappings": {
        "Units": {"A": {"Reserved": 1}, "B": {"Reserved": 2}, "prod": {"Reserved": 70}, "dev": {"Reserved": 30}}
    },
    "Resources": {"Always": reserving(1000)},
}

LOOP = "Resources/Fn::ForEach::Workers"
BY_ENVIRONMENT = {"Fn::FindInMap": ["Units", {"Ref": "Environment"}, "Reserved"]}

CASES: list[tuple[Any, ...]] = [
    ("names", loop("Name", ["A", "B"], {"Worker${Name}": reserving(10)}), 20),
    ("names with signs left out", loop("Name", ["a.1", "b-2"], {"Worker&{Name}": reserving(10)}), 20),
    ("names by default", loop("Name", {"Ref": "NamesByDefault"}, {"Worker${Name}": reserving(10)}), 30),
    (
        "units by name",
        loop("Name", ["A", "B"], {"W${Name}": reserving({"Fn::FindInMap": ["Units", {"Ref": "Name"}, "Reserved"]})}),
        3,
    ),
    ("names unknown", loop("Name", {"Ref": "Names"}, {"Worker${Name}": reserving(10)}), 0),
    ("names elsewhere", loop("Name", {"Ref": "NamesElsewhere"}, {"Worker${Name}": reserving(10)}), 0),
    ("a name unknown", loop("Name", ["A", {"Ref": "Environment"}], {"Worker${Name}": reserving(10)}), 0),
    ("units by a parameter", loop("Name", ["A", "B"], {"Worker${Name}": reserving(BY_ENVIRONMENT)}), 140),
    (
        "a loop in a loop",
        loop("Name", ["A", "B"], {"Fn::ForEach::Inner": loop("Size", ["S", "L"], {"W${Name}${Size}": reserving(10)})}),
        40,
    ),
    (
        "units by both names",
        loop(
            "Name",
            ["A", "B"],
            {
                "Fn::ForEach::Inner": loop(
                    "Key",
                    ["Reserved"],
                    {"W${Name}${Key}": reserving({"Fn::FindInMap": ["Units", {"Ref": "Name"}, {"Ref": "Key"}]})},
                )
            },
        ),
        3,
    ),
    (
        "an unknown loop in a loop",
        loop(
            "Name",
            ["A", "B"],
            {"Fn::ForEach::Inner": loop("Size", {"Ref": "Names"}, {"W${Name}${Size}": reserving(10)})},
        ),
        0,
    ),
    (
        "a loop in an unknown loop",
        loop(
            "Name",
            {"Ref": "Names"},
            {"Fn::ForEach::Inner": loop("Size", ["S", "L"], {"W${Name}${Size}": reserving(10)})},
        ),
        0,
    ),
]


@pytest.mark.parametrize(("written", "expected"), by_name(CASES))
def test_counts_what_a_loop_is_known_to_make(written: Any, expected: int) -> None:
    template = deployed(edited(TEMPLATE, (LOOP, written)))
    assert worst_case(template).total == 1000 + expected


def test_a_mapping_by_a_parameter_is_read_as_it_was_written() -> None:
    """cfn-lint's own transform would put the value of the last key in its place, whatever the environment."""
    case = worst_case(deployed(edited(TEMPLATE, ("Resources/Sized", reserving(BY_ENVIRONMENT)))))
    assert case.total == 1070
    assert [(share.function, share.reserved) for share in case.shares] == [("Always", 1000), ("Sized", 70)]


def test_a_mapping_by_a_parameter_agrees_with_conditions() -> None:
    sized = reserving({"Fn::If": ["IsDev", BY_ENVIRONMENT, 5]})
    assert worst_case(deployed(edited(TEMPLATE, ("Resources/Sized", sized)))).total == 1030


@pytest.mark.parametrize("literal", ["no", "yes", "a", "z"])
@pytest.mark.parametrize("is_first", [True, False], ids=["mapping first", "mapping last"])
def test_a_comparison_of_a_mapped_value_is_read_as_it_was_written(literal: str, is_first: bool) -> None:
    """Both environments are mapped to no. cfn-lint compares its guess, and sorts the two of a comparison."""
    operands = [{"Fn::FindInMap": ["Flags", {"Ref": "Environment"}, "IsBusy"]}, literal]
    comparison = {"Fn::Equals": operands if is_first else operands[::-1]}
    content = edited(
        TEMPLATE,
        ("Mappings/Flags", {"dev": {"IsBusy": "no"}, "prod": {"IsBusy": "no"}}),
        ("Conditions/IsBusy", comparison),
        ("Resources/Sized", reserving({"Fn::If": ["IsBusy", 20, 3]})),
    )
    assert worst_case(deployed(content)).total == (1020 if literal == "no" else 1003)
    ruled = edited(TEMPLATE, ("Mappings/Flags", content["Mappings"]["Flags"]))
    ruled["Rules"] = {"Only": {"Assertions": [{"Assert": comparison}]}}
    ruled["Resources"] = {"Sized": {**reserving(40), "Condition": "IsDev"}}
    assert worst_case(deployed(ruled)).total == (40 if literal == "no" else 0)


@pytest.mark.parametrize(
    ("compared", "total"),
    [
        ([{"Ref": "Environment"}, {"Ref": "Name"}], 1020),
        ([{"Fn::FindInMap": ["Units", {"Ref": "Name"}, "Reserved"]}, 70], 1020),
        ([{"Fn::FindInMap": ["Units", {"Ref": "Name"}, "Reserved"]}, 71], 1000),
        ([BY_ENVIRONMENT, 71], 1000),
        ([BY_ENVIRONMENT, 30], 1040),
    ],
    ids=[
        "the name",
        "mapped by name",
        "not mapped by name",
        "mapped by a parameter, never",
        "mapped by a parameter, in dev",
    ],
)
def test_a_condition_that_a_loop_makes_is_evaluated(compared: Any, total: int) -> None:
    """Environments are mapped to 30 and 70."""
    flags = loop("Name", ["dev", "prod"], {"For${Name}": {"Fn::Equals": compared}})
    content = edited(
        TEMPLATE,
        ("Conditions/Fn::ForEach::Flags", flags),
        ("Resources/WorkerDev", {**reserving(20), "Condition": "Fordev"}),
        ("Resources/WorkerProd", {**reserving(20), "Condition": "Forprod"}),
    )
    assert worst_case(deployed(content)).total == total


@pytest.mark.parametrize(
    ("own", "total"),
    [
        ({}, 1140),
        ({"Properties": {"ReservedConcurrentExecutions": 3}}, 1006),
        ({"Properties": {"ReservedConcurrentExecutions": {"Ref": "AWS::NoValue"}}}, 1000),
        ({"IgnoreGlobals": "*"}, 1000),
        ({"IgnoreGlobals": ["ReservedConcurrentExecutions"]}, 1000),
        ({"IgnoreGlobals": ["Timeout"]}, 1140),
        ({"Properties": [3]}, 1000),
    ],
    ids=["none", "a figure", "no value", "ignores all", "ignores it", "ignores another", "no table"],
)
def test_sam_globals_hold_for_the_functions_of_a_loop_that_state_nothing_else(own: Any, total: int) -> None:
    content = edited(
        TEMPLATE,
        ("Transform", ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]),
        ("Globals", {"Function": {"Timeout": 3, "ReservedConcurrentExecutions": 70}}),
        (LOOP, loop("Name", ["A", "B"], {"Worker${Name}": {"Type": "AWS::Serverless::Function", **own}})),
    )
    assert worst_case(deployed(content)).total == total


def test_a_mapping_in_sam_globals_is_followed() -> None:
    content = edited(
        TEMPLATE,
        ("Transform", ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]),
        ("Globals", {"Function": {"ReservedConcurrentExecutions": BY_ENVIRONMENT}}),
        ("Resources/Sized", {"Type": "AWS::Serverless::Function", "Properties": {}}),
    )
    case = worst_case(deployed(content))
    assert (case.total, case.unresolved) == (1070, ())
    looped = {"Worker${Name}": {"Type": "AWS::Serverless::Function"}}
    case = worst_case(deployed(edited(content, (LOOP, loop("Name", ["A", "B"], looped)))))
    assert (case.total, case.unresolved) == (1210, ())


@pytest.mark.parametrize("written", [None, [], "x", ["Name"], ["Name", ["A"], []], [{}, {}, {"Fn::ForEach::X": 1}]])
def test_a_loop_that_is_none_is_left_to_cfn_lint(written: Any) -> None:
    template = deployed(edited(TEMPLATE, (LOOP, written)))
    assert worst_case(template).total == 1000


def test_a_made_up_resource_may_invoke_a_function_all_the_same(findings: Any) -> None:
    permission = {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": {"Ref": "Always"}}}
    source = {"FunctionName": {"Ref": "Always"}, "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]}}
    content = edited(
        TEMPLATE,
        ("Resources/Stream", {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 1}}),
        ("Resources/Source", {"Type": "AWS::Lambda::EventSourceMapping", "Properties": source}),
    )
    assert len(findings("W9803", content)) == 1
    looped = edited(content, (LOOP, loop("Name", {"Ref": "Names"}, {"Permission${Name}": permission})))
    assert findings("W9803", looped) == []
