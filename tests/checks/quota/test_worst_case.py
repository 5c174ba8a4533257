"""The worst case as an interface: what it tells, over one template, several, and several deployments of one."""

from __future__ import annotations

from typing import Any

import pytest

from generator.checks.quota.variants import Variant, variants
from generator.checks.quota.worst_case import Share, WorstCase, worst_case
from generator.template.guards import Equality
from generator.template.reading import parsed, text_of
from tests.checks.rules.rule_runner import TEMPLATES, edited

pytestmark = pytest.mark.usefixtures("no_region")

CONTENT: dict[str, Any] = {
    "Parameters": {
        "Environment": {"Type": "String", "AllowedValues": ["dev", "prod"]},
        "Units": {"Type": "Number", "Default": 7},
    },
    "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]}},
    "Mappings": {"Units": {"dev": {"Reserved": 1}, "prod": {"Reserved": 50}}},
    "Resources": {
        "Small": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": {"Ref": "Units"}}},
        "Large": {
            "Type": "AWS::Lambda::Function",
            "Condition": "IsProd",
            "Properties": {"ReservedConcurrentExecutions": 40},
        },
        "Mapped": {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "ReservedConcurrentExecutions": {"Fn::FindInMap": ["Units", {"Ref": "Environment"}, "Reserved"]}
            },
        },
        "Shared": {"Type": "AWS::Lambda::Function", "Properties": {}},
        "Unknown": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"ReservedConcurrentExecutions": {"Fn::ImportValue": "units"}},
        },
    },
}

PROPERTY = ("Properties", "ReservedConcurrentExecutions")


def test_tells_shares_scenario_and_what_it_could_not_tell() -> None:
    case = worst_case(variants(CONTENT))
    assert case.total == 97
    assert case.shares == (
        Share("Mapped", 50, ("Resources", "Mapped", *PROPERTY)),
        Share("Large", 40, ("Resources", "Large", *PROPERTY)),
        Share("Small", 7, ("Resources", "Small", *PROPERTY)),
    )
    assert case.scenario == {("IsProd", True), (Equality("Environment", "prod"), True), (Equality("Units", "7"), True)}
    assert case.search_finished
    assert case.unresolved == ("Unknown",)


def test_a_template_that_reserves_nothing() -> None:
    case = worst_case(variants({"Resources": {}}))
    assert case.search_finished
    assert (case.total, case.shares, case.scenario, case.unresolved) == (0, (), frozenset(), ())


def test_several_templates_add_up() -> None:
    """Each is a stack of its own, so each has its own worst deployment."""
    files = ("sum.json", "sum.yaml", "sum.sam.yaml", "loops.yaml")
    assert [worst_case(variants(parsed(name, text_of(TEMPLATES / name)))).total for name in files] == [
        205,
        205,
        205,
        205,
    ]


@pytest.mark.parametrize(("given", "total"), [({"Switch": True}, 97), ({"Switch": False}, 57), ({}, 97)])
def test_a_switch_without_quotes_is_a_parameter_like_others(given: dict[str, Any], total: int) -> None:
    content = edited(
        CONTENT,
        ("Parameters/Switch", {"Type": "String", "Default": True}),
        ("Conditions/IsOn", {"Fn::Equals": [{"Ref": "Switch"}, "true"]}),
        ("Resources/Large/Condition", "IsOn"),
    )
    assert worst_case(with_parameters(given, content=content)).total == total


def with_parameters(*given: dict[str, Any], content: Any = CONTENT) -> list[Variant]:
    return variants(content, given)


@pytest.mark.parametrize(
    ("given", "total"),
    [
        ([{"Environment": "dev"}], 8),
        ([{"Environment": "prod"}], 97),
        ([{"Environment": "dev", "Units": "30"}], 31),
        ([{"Environment": "dev", "Units": 30}, {"Environment": "prod"}], 97),
        ([{"Environment": "dev", "Units": 300}, {"Environment": "prod"}], 301),
        ([{}], 97),
    ],
)
def test_given_parameters_are_the_deployments(given: Any, total: int) -> None:
    assert worst_case(with_parameters(*given)).total == total


def test_a_parameter_that_is_not_given_has_its_default() -> None:
    content = edited(CONTENT, ("Parameters/Environment/Default", "dev"))
    assert worst_case(with_parameters({"Units": 9}, content=content)).total == 10
    assert worst_case(variants(content)).total == 97


@pytest.mark.parametrize("parameter", [None, [], {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/units"}])
def test_given_parameters_say_nothing_about_odd_ones(parameter: Any) -> None:
    content = edited(CONTENT, ("Parameters/Units", parameter))
    assert worst_case(with_parameters({"Environment": "dev", "Units": [1]}, content=content)).total == 1


@pytest.mark.parametrize(("environment", "total"), [("dev", 8), ("prod", 97)])
def test_the_rules_section_narrows_what_can_be_deployed(environment: str, total: int) -> None:
    assertion = {"Assert": {"Fn::Equals": [{"Ref": "Environment"}, environment]}}
    content = edited(CONTENT, ("Rules", {"Only": {"Assertions": [assertion]}}))
    assert worst_case(variants(content)).total == total


def test_rules_tie_parameters_to_each_other() -> None:
    """Test only with Small, and Large only without: the two conditions alone look independent."""
    is_test = {"Fn::Equals": [{"Ref": "Test"}, "yes"]}
    content = edited(
        CONTENT,
        ("Parameters/Test", {"Type": "String", "AllowedValues": ["yes", "no"]}),
        ("Conditions/IsTest", is_test),
        ("Resources/Small/Condition", "IsTest"),
        (
            "Rules",
            {
                "TestsAreSmall": {
                    "RuleCondition": is_test,
                    "Assertions": [{"Assert": {"Fn::Equals": [{"Ref": "Environment"}, "dev"]}}],
                }
            },
        ),
    )
    assert worst_case(variants(content)).total == 90


BY_REGION, BY_ENVIRONMENT = {"Ref": "AWS::Region"}, {"Ref": "Environment"}


@pytest.mark.parametrize(
    ("arguments", "total", "told"),
    [
        (["Sizes", "region-1", "Reserved"], 101, True),
        (["Sizes", BY_REGION, "Reserved"], 139, True),
        (["Sizes", BY_ENVIRONMENT, "Reserved"], 0, True),
        (["Sizes", "region-1", "Reserved", {"DefaultValue": 500}], 101, True),
        (["Sizes", "region-x", "Reserved", {"DefaultValue": 500}], 500, True),
        (["Sizes", "region-x", "Reserved", {"DefaultValue": {"Ref": "Units"}}], 7, True),
        (["Sizes", "region-x", "Reserved", {"DefaultValue": {"Fn::If": ["IsProd", 80, 90]}}], 90, True),
        (["Sizes", "region-x", "Reserved", {"Default": 500}], 0, False),
        (["Sizes", "region-x", "Reserved", 500], 0, False),
        (["Sizes", BY_ENVIRONMENT, "Reserved", {"DefaultValue": 500}], 500, True),
    ],
)
def test_large_mappings_and_default_values(arguments: Any, total: int, told: bool) -> None:
    """Every key of a mapping is followed, and its DefaultValue where no key is selected."""
    sized = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"ReservedConcurrentExecutions": {"Fn::FindInMap": arguments}},
    }
    content = {
        "Parameters": CONTENT["Parameters"],
        "Conditions": CONTENT["Conditions"],
        "Mappings": {"Sizes": {f"region-{number}": {"Reserved": 100 + number} for number in range(40)}},
        "Resources": {"Sized": sized},
    }
    case = worst_case(variants(content))
    assert case.total == total
    assert case.unresolved == (() if told else ("Sized",))


@pytest.mark.parametrize(("regions", "told"), [(32, True), (250, True), (251, False)])
def test_a_mapping_is_followed_up_to_250_keys(regions: int, told: bool) -> None:
    content: dict[str, Any] = {
        "Mappings": {"Sizes": {f"region-{number}": {"Reserved": 100 + number} for number in range(regions)}},
        "Resources": {"Sized": {"Type": "AWS::Lambda::Function"}},
    }
    figure = {"Fn::FindInMap": ["Sizes", BY_REGION, "Reserved"]}
    content["Resources"]["Sized"]["Properties"] = {"ReservedConcurrentExecutions": figure}
    case = worst_case(variants(content))
    assert (case.total, case.unresolved == ()) == (99 + min(regions, 250), told)


@pytest.mark.parametrize(
    ("first", "second", "total", "told"),
    [
        (BY_ENVIRONMENT, "Reserved", 50, True),
        ({"Ref": "Stage"}, "Reserved", 500, True),
        ({"Ref": "Stage"}, "Nowhere", 500, True),
        ({"Ref": "Stage"}, {"Ref": "Environment"}, 500, True),
        ({"Ref": "Stage"}, {"Fn::ImportValue": "figure"}, 500, False),
        ("dev", {"Ref": "Stage"}, 500, True),
    ],
)
def test_the_default_value_of_a_mapping_holds_when_no_key_is_selected(
    first: Any, second: Any, total: int, told: bool
) -> None:
    """Environment is always one of the keys; Stage may be something else."""
    figure = {"Fn::FindInMap": ["Units", first, second, {"DefaultValue": 500}]}
    content = edited(
        CONTENT,
        ("Mappings/Units/dev/dev", 1),
        ("Parameters/Stage", {"Type": "String"}),
        ("Resources", {"Sized": {"Type": "AWS::Lambda::Function"}}),
        ("Resources/Sized/Properties", {"ReservedConcurrentExecutions": figure}),
    )
    case = worst_case(variants(content))
    assert (case.total, case.unresolved) == (total, () if told else ("Sized",))
    assert case.fits(total) == told


@pytest.mark.parametrize(
    ("at_most", "unresolved", "not_examined", "fits"),
    [
        (900, (), (), True),
        (901, (), (), False),
        (0, ("Function",), (), False),
        (0, (), ("Child",), False),
    ],
)
def test_fits_only_if_no_deployment_can_exceed_the_account(
    at_most: int, unresolved: tuple[str, ...], not_examined: tuple[str, ...], fits: bool
) -> None:
    assert WorstCase((), frozenset(), at_most, unresolved, not_examined).fits(900) == fits


@pytest.mark.parametrize(
    ("resource", "not_examined"),
    [
        ({"Type": "AWS::CloudFormation::Stack"}, ("Child",)),
        ({"Type": "AWS::CloudFormation::StackSet"}, ("Child",)),
        ({"Type": "AWS::ServiceCatalog::CloudFormationProvisionedProduct"}, ("Child",)),
        ({"Type": "AWS::Serverless::Application"}, ("Child",)),
        ({"Type": "Own::Team::Worker::MODULE"}, ("Child",)),
        ({"Type": "AWS::SQS::Queue"}, ()),
    ],
)
def test_names_what_may_bring_functions(resource: Any, not_examined: tuple[str, ...]) -> None:
    template = variants({"Resources": {"Child": resource}})
    assert worst_case(template).not_examined == not_examined


@pytest.mark.parametrize(
    ("transform", "not_examined"),
    [
        ("CompanyDefaults", ("CompanyDefaults",)),
        (["AWS::Serverless-2016-10-31", "CompanyDefaults"], ("CompanyDefaults",)),
        ({"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/functions.yaml"}}, ("AWS::Include",)),
        (["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"], ()),
        ("AWS::SecretsManager-2020-07-23", ()),
        ([], ()),
    ],
)
def test_tells_which_macros_may_bring_functions_or_change_figures(
    transform: Any, not_examined: tuple[str, ...]
) -> None:
    case = worst_case(variants(edited(CONTENT, ("Transform", transform))))
    assert (case.total, case.not_examined) == (97, not_examined)


def test_a_set_of_parameters_that_states_no_figure_leaves_it_open() -> None:
    content = {
        "Parameters": {"Units": {"Type": "Number"}, "Stage": {"Type": "String", "Default": "dev"}},
        "Resources": {
            "Worker": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"ReservedConcurrentExecutions": {"Ref": "Units"}},
            }
        },
    }
    case = worst_case(variants(content, [{"Units": 800}, {"Stage": "prod"}]))
    assert (case.total, case.unresolved, case.fits(900)) == (800, ("Worker",), False)


PROVISIONING = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 1}}


@pytest.mark.parametrize("is_sam", [True, False], ids=["SAM", "CloudFormation"])
@pytest.mark.parametrize(
    ("name", "target", "total"),
    [
        ("live", "function:${F}:live", 950),
        ({"Ref": "Name"}, "function:${F}:${Name}", 950),
        ({"Fn::Sub": "${Name}"}, "function:${F}:live", 950),
        ("live", "function:${F}:${Name}", 950),
        ({"Ref": "Open"}, "function:${F}:${Open}", 950),
        ({"Ref": "Name"}, "function:${F}:other", 951),
        ({"Ref": "Open"}, "function:${F}:live", 951),
    ],
)
def test_the_maximum_of_a_target_replaces_the_figure_of_its_alias(
    is_sam: bool, name: Any, target: str, total: int
) -> None:
    scaling = {"ScalableDimension": "lambda:function:ProvisionedConcurrency", "ResourceId": {"Fn::Sub": target}}
    resources: dict[str, Any] = {
        "T": {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {**scaling, "MaxCapacity": 950}}
    }
    if is_sam:
        resources["F"] = {"Type": "AWS::Serverless::Function", "Properties": {"AutoPublishAlias": name, **PROVISIONING}}
    else:
        alias = {"FunctionName": {"Ref": "F"}, "Name": name, **PROVISIONING}
        resources |= {"F": {"Type": "AWS::Lambda::Function"}, "L": {"Type": "AWS::Lambda::Alias", "Properties": alias}}
    parameters = {"Name": {"Type": "String", "Default": "live"}, "Open": {"Type": "String"}}
    assert worst_case(variants({"Parameters": parameters, "Resources": resources})).total == total
