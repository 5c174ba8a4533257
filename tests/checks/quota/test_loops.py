"""Loops and mappings of AWS::LanguageExtensions are counted as far as the template states them."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from generator.checks.quota.messages import in_scenario
from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from tests.checks.rules.rule_runner import by_name, edited
from tests.conftest import SCALE
from tests.template.oracle import Oracle, replaced

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
    ("a name of every environment", loop("Name", ["A", {"Ref": "Environment"}], {"Worker${Name}": reserving(10)}), 20),
    ("a name unknown", loop("Name", ["A", {"Ref": "AWS::StackName"}], {"Worker${Name}": reserving(10)}), 0),
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
    template = variants(edited(TEMPLATE, (LOOP, written)))
    assert worst_case(template).total == 1000 + expected


TENANTS = {
    "Transform": "AWS::LanguageExtensions",
    "Parameters": {
        "Stage": {"Type": "String", "AllowedValues": ["dev", "prod"], "Default": "dev"},
        "One": {"Type": "String", "Default": "Acme"},
    },
    "Conditions": {"IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]}},
    "Mappings": {
        "Tenants": {"dev": {"Names": ["Acme"]}, "prod": {"Names": ["Acme", "Bolt", "Core", "Dyna"]}},
        "eu": {"eu-west-1": {"Names": ["Acme"]}, "us-east-1": {"Names": ["Acme", "Bolt", "Core", "Dyna"]}},
    },
}


@pytest.mark.parametrize(
    ("collection", "scenario"),
    [
        ({"Fn::FindInMap": ["Tenants", {"Ref": "Stage"}, "Names"]}, "Stage is prod"),
        ({"Fn::If": ["IsDev", ["Acme"], ["Acme", "Bolt", "Core", "Dyna"]]}, "IsDev is false"),
        ({"Fn::If": ["IsDev", {"Ref": "AWS::NoValue"}, ["Acme", "Bolt", "Core", "Dyna"]]}, "IsDev is false"),
        ({"Fn::Split": [",", {"Fn::If": ["IsDev", {"Ref": "One"}, "Acme,Bolt,Core,Dyna"]}]}, "IsDev is false"),
        ({"Fn::FindInMap": ["eu", {"Ref": "AWS::Region"}, "Names"]}, "AWS::Region is us-east-1"),
    ],
)
def test_a_list_that_a_deployment_selects_has_its_worst_case(collection: Any, scenario: str) -> None:
    loops = {"Fn::ForEach::Tenants": loop("Name", collection, {"Fn${Name}": reserving(250)})}
    case = worst_case(variants({**TENANTS, "Resources": loops}))
    assert (case.total, case.is_proven, in_scenario(case.scenario)) == (1000, True, f", when {scenario}")


@pytest.mark.parametrize("declared", [{"AllowedValues": ["dev", "prod"]}, {"AllowedPattern": "^(dev|prod)$"}])
def test_a_loop_over_a_parameter_has_every_value_that_is_stated(declared: Any) -> None:
    figure = {"Fn::FindInMap": ["Units", {"Ref": "Name"}, "Reserved"]}
    content = {
        "Parameters": {"Stage": {"Type": "String", "Default": "dev", **declared}},
        "Mappings": TEMPLATE["Mappings"],
        "Resources": {"Fn::ForEach::X": loop("Name", [{"Ref": "Stage"}], {"Fn${Name}": reserving(figure)})},
    }
    case = worst_case(variants(content))
    assert (case.total, case.is_proven, in_scenario(case.scenario)) == (70, True, ", when Stage is prod")


@pytest.mark.parametrize(("lists", "fact"), [([["A"], []], "IsDev is true"), ([[], ["A"]], "IsDev is false")])
def test_a_fact_that_selects_a_list_and_a_figure_is_named_once(lists: Any, fact: str) -> None:
    worker = reserving({"Fn::If": ["IsDev", 900, 901]})
    loops = {"Fn::ForEach::X": loop("Name", {"Fn::If": ["IsDev", *lists]}, {"Fn${Name}": worker})}
    case = worst_case(variants({**TENANTS, "Resources": loops}))
    assert in_scenario(case.scenario) == f", when {fact}"


def test_two_selected_lists_that_exclude_each_other_do_not_add_up() -> None:
    lists = [{"Fn::If": ["IsDev", one, other]} for one, other in ((["A"], []), ([], ["A", "B"]))]
    loops = {
        f"Fn::ForEach::{key}": loop("Name", names, {f"{key}${{Name}}": reserving(100)})
        for key, names in zip("XY", lists, strict=True)
    }
    case = worst_case(variants({**TENANTS, "Resources": loops}))
    assert (case.total, case.is_proven) == (200, True)


def test_a_name_that_two_lists_write_differently_is_not_proven() -> None:
    """Both lists create the function WorkerA1, with figures of their own."""
    sized = {"Worker&{Name}": reserving({"Fn::FindInMap": ["Sizes", {"Ref": "Name"}, "Units"]})}
    content = {
        **TENANTS,
        "Mappings": {"Sizes": {"A.1": {"Units": 950}, "A1": {"Units": 5}}},
        "Resources": {"Fn::ForEach::X": loop("Name", {"Fn::If": ["IsDev", ["A.1"], ["A1"]]}, sized)},
    }
    assert not worst_case(variants(content)).is_proven


def test_the_properties_of_a_selected_list_are_those_of_the_deployment() -> None:
    keys = {"Fn::If": ["IsDev", [], ["ReservedConcurrentExecutions"]]}
    units = {"Fn::ForEach::Keys": loop("Key", keys, {"${Key}": 900})}
    content = {**TENANTS, "Resources": {"A": {"Type": LAMBDA, "Properties": units}}}
    case = worst_case(variants(content))
    assert (case.total, in_scenario(case.scenario)) == (900, ", when IsDev is false")


def random_list(rng: random.Random, depth: int = 2) -> Any:
    kind = rng.choice(["list", "mapped", "split", "default", *(["if", "if", "parts"] if depth else [])])
    if kind == "if":
        return {"Fn::If": [rng.choice(["IsDev", "IsEu"]), random_list(rng, depth - 1), random_list(rng, depth - 1)]}
    return {
        "list": rng.sample(["A", "B", "C"], rng.randint(0, 3)),
        "mapped": {"Fn::FindInMap": ["Lists", {"Ref": rng.choice(["Stage", "Area"])}, rng.choice(["Few", "Many"])]},
        "split": {"Fn::Split": [",", "B,C"]},
        "default": {"Ref": "Names"},
        "parts": ["A", {"Ref": "Stage"}],
    }[kind]


def random_loops(rng: random.Random) -> dict[str, Any]:
    """Loops over lists that stage and area select, with figures by name and by stage."""
    figures = [{"Fn::FindInMap": ["Units", {"Ref": ref}, "Figure"]} for ref in ("Name", "Stage")]
    resources: dict[str, Any] = {"Own": {**reserving(rng.randint(0, 9)), "Condition": "IsEu"}}
    for number in range(rng.randint(1, 3)):
        worker = reserving(rng.choice([rng.randint(1, 9), {"Fn::If": ["IsEu", 3, 8]}, *figures]))
        if rng.random() < 0.4:
            worker["Condition"] = rng.choice(["IsDev", "IsEu"])
        resources[f"Fn::ForEach::L{number}"] = loop("Name", random_list(rng), {f"F{number}${{Name}}": worker})
    names = ("A", "B", "C", "dev", "prod")
    return {
        "Transform": "AWS::LanguageExtensions",
        "Parameters": {
            "Stage": {"Type": "String", "AllowedValues": ["dev", "prod"], "Default": "dev"},
            "Area": {"Type": "String", "AllowedValues": ["eu", "us"], "Default": "us"},
            "Names": {"Type": "CommaDelimitedList", "Default": "A,C"},
        },
        "Conditions": {
            "IsDev": {"Fn::Equals": [{"Ref": "Stage"}, "dev"]},
            "IsEu": {"Fn::Equals": [{"Ref": "Area"}, "eu"]},
        },
        "Mappings": {
            "Lists": {
                key: {"Few": ["A"], "Many": rng.sample(["A", "B", "C"], 2)} for key in ("dev", "prod", "eu", "us")
            },
            "Units": {name: {"Figure": rng.randint(1, 9)} for name in names},
        },
        "Resources": resources,
    }


def total_in(content: dict[str, Any], given: dict[str, str]) -> int:
    """Return what one deployment reserves: its loops are written out with the lists of that deployment."""
    oracle = Oracle(content, given)
    resources: dict[str, Any] = {}
    for key, entry in content["Resources"].items():
        if key.startswith("Fn::ForEach::"):
            for item in oracle.value(entry[1], ranges=True):
                resources |= replaced(entry[2], entry[0], item)
        else:
            resources[key] = entry
    return Oracle({**content, "Resources": resources}, given).total()


@pytest.mark.parametrize("seed", range(40 * SCALE))
def test_the_worst_case_of_loops_is_that_of_all_deployments(seed: int) -> None:
    content = random_loops(random.Random(seed))
    case = worst_case(variants(content))
    given = [{"Stage": stage, "Area": area, "Names": "A,C"} for stage, area in product(["dev", "prod"], ["eu", "us"])]
    assert case.is_proven
    assert case.total == max(total_in(content, one) for one in given)


def test_a_mapping_by_a_parameter_is_read_as_it_was_written() -> None:
    """cfn-lint's own transform would put the value of the last key in its place, whatever the environment."""
    case = worst_case(variants(edited(TEMPLATE, ("Resources/Sized", reserving(BY_ENVIRONMENT)))))
    assert case.total == 1070
    assert [(share.function, share.reserved) for share in case.shares] == [("Always", 1000), ("Sized", 70)]


def test_a_mapping_by_a_parameter_agrees_with_conditions() -> None:
    sized = reserving({"Fn::If": ["IsDev", BY_ENVIRONMENT, 5]})
    assert worst_case(variants(edited(TEMPLATE, ("Resources/Sized", sized)))).total == 1030


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
    assert worst_case(variants(content)).total == (1020 if literal == "no" else 1003)
    ruled = edited(TEMPLATE, ("Mappings/Flags", content["Mappings"]["Flags"]))
    ruled["Rules"] = {"Only": {"Assertions": [{"Assert": comparison}]}}
    ruled["Resources"] = {"Sized": {**reserving(40), "Condition": "IsDev"}}
    assert worst_case(variants(ruled)).total == (40 if literal == "no" else 0)


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
    assert worst_case(variants(content)).total == total


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
    assert worst_case(variants(content)).total == total


def test_a_mapping_in_sam_globals_is_followed() -> None:
    content = edited(
        TEMPLATE,
        ("Transform", ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"]),
        ("Globals", {"Function": {"ReservedConcurrentExecutions": BY_ENVIRONMENT}}),
        ("Resources/Sized", {"Type": "AWS::Serverless::Function", "Properties": {}}),
    )
    case = worst_case(variants(content))
    assert (case.total, case.unresolved) == (1070, ())
    looped = {"Worker${Name}": {"Type": "AWS::Serverless::Function"}}
    case = worst_case(variants(edited(content, (LOOP, loop("Name", ["A", "B"], looped)))))
    assert (case.total, case.unresolved) == (1210, ())


@pytest.mark.parametrize("written", [None, [], "x", ["Name"], ["Name", ["A"], []], [{}, {}, {"Fn::ForEach::X": 1}]])
def test_a_loop_that_is_none_is_left_to_cfn_lint(written: Any) -> None:
    template = variants(edited(TEMPLATE, (LOOP, written)))
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


def test_a_loop_over_too_many_different_lists_is_not_proven() -> None:
    stages = [f"s{number}" for number in range(101)]
    names = [f"N{number}" for number in range(101)]
    lists = {stage: {"Names": [name for name in names if name[1:] != stage[1:]]} for stage in stages}
    collection = {"Fn::FindInMap": ["Lists", {"Ref": "Stage"}, "Names"]}
    content = {
        "Parameters": {"Stage": {"Type": "String", "AllowedValues": stages}},
        "Mappings": {"Lists": lists},
        "Resources": {"Fn::ForEach::L": loop("Name", collection, {"F${Name}": reserving(9)})},
    }
    assert worst_case(variants(content)).not_examined == ("Fn::ForEach::L",)
