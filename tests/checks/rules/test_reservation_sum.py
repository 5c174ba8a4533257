"""E9801: what the functions of a template reserve together fits the account."""

from __future__ import annotations

from typing import Any

import pytest

from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from tests.checks.rules.rule_runner import DELETE, by_name, edited, requested

pytestmark = pytest.mark.usefixtures("no_region")

LAMBDA = "AWS::Lambda::Function"

GOOD: dict[str, Any] = {
    "Parameters": {
        "Environment": {"Type": "String", "Default": "dev", "AllowedValues": ["dev", "test", "prod"]},
        "WebhookUnits": {"Type": "Number", "Default": 100},
    },
    "Conditions": {
        "IsProd": {"Fn::Equals": [{"Ref": "Environment"}, "prod"]},
        "IsDev": {"Fn::Equals": ["dev", {"Ref": "Environment"}]},
        "IsNotDev": {"Fn::Not": [{"Condition": "IsDev"}]},
    },
    "Mappings": {"Units": {"dev": {"Alerts": 1}, "test": {"Alerts": 2}, "prod": {"Alerts": "50", "Note": "busy"}}},
    "Resources": {
        "Webhook": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 100}},
        "Alerts": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 50}},
        "Sms": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 50}},
        "Cleanup": {"Type": LAMBDA, "Properties": {"ReservedConcurrentExecutions": 5}},
        "Shared": {"Type": LAMBDA, "Properties": {}},
        "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"ReservedConcurrentExecutions": 999}},
    },
}
"""Fits an account of 305; one unit less does not."""

PROPERTY = "Resources/{}/Properties/ReservedConcurrentExecutions"
WEBHOOK, ALERTS, SMS = (PROPERTY.format(name) for name in ("Webhook", "Alerts", "Sms"))

TERMS = "(limit 305 - unreserved floor 100 - reserved elsewhere 0)"


def message(total: int, shares: str, scenario: str = "", uncounted: str = "", verb: str = "reserve") -> str:
    return (
        f"The functions {verb} {total:,} concurrent executions together, {total - 205:,} more than the 205 that can be "
        f"reserved {TERMS}{scenario}: {shares}{uncounted}{requested(total + 100)}"
    )


def only(path: str, *terms: Any) -> list[tuple[str, str]]:
    return [(path, message(*terms))]


def switched(allowed: list[Any], value: Any) -> list[tuple[str, Any]]:
    """A function under a condition on a switch, as YAML without quotes makes it: true is no text there."""
    return [
        ("Parameters/Switch", {"Type": "String", "Default": allowed[0], "AllowedValues": allowed}),
        ("Conditions/IsOn", {"Fn::Equals": [{"Ref": "Switch"}, value]}),
        ("Resources/Sms/Condition", "IsOn"),
        (SMS, 60),
    ]


SWITCHED_ON = only(WEBHOOK, 215, "Webhook 100, Sms 60, Alerts 50, Cleanup 5", ", when IsOn is true")


def aliased(function: str, figure: Any, condition: str | None = None) -> tuple[str, Any]:
    """An alias of a function that provisions so much."""
    provisioned = {"ProvisionedConcurrentExecutions": figure}
    alias: dict[str, Any] = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": function}}}
    alias["Properties"]["ProvisionedConcurrencyConfig"] = provisioned
    return ("Resources/Live", alias | ({"Condition": condition} if condition else {}))


PROVISIONED = "Resources/Live/Properties/ProvisionedConcurrencyConfig/ProvisionedConcurrentExecutions"


def ruled(*members: str) -> list[tuple[str, Any]]:
    """A rule that the environment is one of these, beside a function that only prod has."""
    contains = {"Fn::Contains": [list(members), {"Ref": "Environment"}]}
    return [
        ("Rules", {"Environments": {"Assertions": [{"Assert": contains}]}}),
        ("Resources/Sms/Condition", "IsProd"),
        (SMS, 60),
    ]


def scaled(resource_id: Any, maximum: Any = 6, **properties: Any) -> tuple[str, Any]:
    """A scalable target for the provisioned concurrency of a function's alias."""
    stated = {"ServiceNamespace": "lambda", "ScalableDimension": "lambda:function:ProvisionedConcurrency"}
    target = {"ResourceId": resource_id, "MinCapacity": 1, "MaxCapacity": maximum, **stated, **properties}
    return ("Resources/Scaling", {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": target})


SCALED = "Resources/Scaling/Properties/MaxCapacity"
BY_SUB = {"Fn::Sub": "function:${Shared}:live"}
BY_CDK = {"Fn::Join": ["", ["function:", {"Fn::Select": [6, {"Fn::Split": [":", {"Ref": "Live"}]}]}, ":live"]]}
BY_JOIN = {"Fn::Join": [":", ["function", {"Ref": "Shared"}, "live"]]}
NAME = {"Fn::Sub": "${AWS::StackName}-shared"}
CAPACITY = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": "arn"}}


def too_much_scaled(maximum: int = 6) -> list[tuple[str, str]]:
    shares = f"Webhook 100, Alerts 50, Sms 50, Scaling {maximum}, Cleanup 5"
    return only(WEBHOOK, 205 + maximum, shares, "", "", "reserve or provision")


SCALINGS: list[tuple[Any, ...]] = [
    ("by the function's name", [scaled(BY_SUB)], too_much_scaled()),
    ("by a joined name", [scaled(BY_JOIN)], too_much_scaled()),
    ("by the alias, as CDK writes it", [aliased("Shared", 1), scaled(BY_CDK)], too_much_scaled()),
    (
        "in place of what the alias states",
        [
            aliased("Shared", 1),
            scaled({"Fn::Sub": "function:${Shared}:live"}),
            ("Resources/Live/Properties/Name", "live"),
        ],
        too_much_scaled(),
    ),
    (
        "a literal name",
        [("Resources/Shared/Properties/FunctionName", "shared"), scaled("function:shared:live")],
        too_much_scaled(),
    ),
    (
        "a composed name",
        [
            ("Resources/Shared/Properties/FunctionName", NAME),
            scaled({"Fn::Sub": "function:${AWS::StackName}-shared:live"}),
        ],
        too_much_scaled(),
    ),
    (
        "the larger one of two aliases and both",
        [aliased("Shared", 4), scaled({"Fn::Sub": "function:${Shared}:next"})],
        only(
            WEBHOOK, 215, "Webhook 100, Alerts 50, Sms 50, Scaling 6, Cleanup 5, Live 4", "", "", "reserve or provision"
        ),
    ),
    (
        "the figure of the alias is larger",
        [aliased("Shared", 9), scaled(BY_CDK)],
        only(WEBHOOK, 214, "Webhook 100, Alerts 50, Sms 50, Live 9, Cleanup 5", "", "", "reserve or provision"),
    ),
    (
        "a dimension that is not known",
        [scaled(BY_SUB, ScalableDimension={"Fn::ImportValue": "dimension"})],
        too_much_scaled(),
    ),
    (
        "beside managed instances",
        [
            scaled(BY_SUB),
            (
                "Resources/Other",
                {
                    "Type": LAMBDA,
                    "Properties": {"CapacityProviderConfig": CAPACITY, "ReservedConcurrentExecutions": 800},
                },
            ),
        ],
        only(
            WEBHOOK,
            211,
            "Webhook 100, Alerts 50, Sms 50, Scaling 6, Cleanup 5",
            "",
            "; on Lambda Managed Instances, with quotas of their own: Other",
            "reserve or provision",
        ),
    ),
    (
        "on managed instances in one deployment",
        [
            (SMS, 60),
            (
                "Resources/Sms/Properties/CapacityProviderConfig",
                {"Fn::If": ["IsProd", CAPACITY, {"Ref": "AWS::NoValue"}]},
            ),
        ],
        only(
            WEBHOOK,
            215,
            "Webhook 100, Sms 60, Alerts 50, Cleanup 5",
            ", when IsProd is false",
            "; on Lambda Managed Instances, with quotas of their own: Sms",
        ),
    ),
]

NOT_SCALED: list[tuple[Any, ...]] = [
    ("a function that reserves", [scaled({"Fn::Sub": "function:${Sms}:live"})]),
    (
        "another service",
        [scaled({"Fn::Sub": "table/${Table}"}, 500, ScalableDimension="dynamodb:table:ReadCapacityUnits")],
    ),
    ("a function elsewhere", [scaled("function:elsewhere:live", 500)]),
    ("all on managed instances", [(SMS, 500), ("Resources/Sms/Properties/CapacityProviderConfig", CAPACITY)]),
    (
        "an alias of a function on managed instances",
        [aliased("Shared", 500), ("Resources/Shared/Properties/CapacityProviderConfig", CAPACITY)],
    ),
]


@pytest.mark.parametrize(("edits", "expected"), by_name(SCALINGS))
def test_counts_the_maximum_of_application_auto_scaling(findings: Any, edits: Any, expected: Any) -> None:
    assert findings("E9801", edited(GOOD, *edits), concurrency_limit=305) == expected


@pytest.mark.parametrize("edits", by_name(NOT_SCALED))
def test_does_not_count_what_takes_nothing_from_the_pool(findings: Any, edits: Any) -> None:
    assert findings("E9801", edited(GOOD, *edits), concurrency_limit=305) == []


def test_a_target_of_a_function_elsewhere_is_not_in_the_sum() -> None:
    content = edited(GOOD, scaled("function:elsewhere:live"), aliased("elsewhere", 5))
    assert set(worst_case(variants(content)).unresolved) == {"Scaling", "Live"}


UNSTATED = "; not counted: 1 function whose figure the template does not state"

TOO_MUCH: list[tuple[Any, ...]] = [
    ("one unit more", [(SMS, 51)], only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5")),
    ("text", [(SMS, "51")], only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5")),
    (
        "text of nine digits",
        [(SMS, "999999999")],
        only(SMS, 1_000_000_154, "Sms 999,999,999, Webhook 100, Alerts 50, Cleanup 5"),
    ),
    ("largest", [(SMS, 500)], only(SMS, 655, "Sms 500, Webhook 100, Alerts 50, Cleanup 5")),
    (
        "default",
        [("Parameters/WebhookUnits/Default", "101"), (WEBHOOK, {"Ref": "WebhookUnits"})],
        only(WEBHOOK, 206, "Webhook 101, Alerts 50, Sms 50, Cleanup 5", ", when WebhookUnits is 101"),
    ),
    (
        "sam function",
        [("Resources/Sms/Type", "AWS::Serverless::Function"), (SMS, 51)],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5"),
    ),
    (
        "function under a condition",
        [("Resources/Sms/Condition", "IsProd"), (SMS, 60)],
        only(WEBHOOK, 215, "Webhook 100, Sms 60, Alerts 50, Cleanup 5", ", when IsProd is true"),
    ),
    (
        "the larger side of an if",
        [(SMS, {"Fn::If": ["IsProd", 60, 10]})],
        only(f"{WEBHOOK}", 215, "Webhook 100, Sms 60, Alerts 50, Cleanup 5", ", when IsProd is true"),
    ),
    (
        "the place is inside the if",
        [(SMS, {"Fn::If": ["IsProd", {"Ref": "AWS::NoValue"}, {"Fn::If": ["IsDev", 1, 160]}]})],
        only(
            f"{SMS}/Fn::If/2/Fn::If/2",
            315,
            "Sms 160, Webhook 100, Alerts 50, Cleanup 5",
            ", when IsDev is false and IsProd is false",
        ),
    ),
    (
        "conditions that can hold together",
        [(SMS, {"Fn::If": ["IsProd", 60, 1]}), (ALERTS, {"Fn::If": ["IsDev", 1, 60]})],
        only(WEBHOOK, 225, "Webhook 100, Alerts 60, Sms 60, Cleanup 5", ", when IsDev is false and IsProd is true"),
    ),
    (
        "mapping by literal keys",
        [(SMS, {"Fn::FindInMap": ["Units", "prod", "Alerts"]}), (ALERTS, 51)],
        only(WEBHOOK, 206, "Webhook 100, Alerts 51, Sms 50, Cleanup 5"),
    ),
    (
        "mapping by a parameter",
        [(SMS, {"Fn::FindInMap": ["Units", {"Ref": "Environment"}, "Alerts"]}), (ALERTS, 51)],
        only(WEBHOOK, 206, "Webhook 100, Alerts 51, Sms 50, Cleanup 5", ", when Environment is prod"),
    ),
    (
        "an unknown one beside",
        [(SMS, 60), ("Resources/Shared/Properties/ReservedConcurrentExecutions", {"Fn::ImportValue": "units"})],
        only(WEBHOOK, 215, "Webhook 100, Sms 60, Alerts 50, Cleanup 5", "", UNSTATED),
    ),
    (
        "a mapping by Region",
        [
            ("Mappings/Units", {"us-east-1": {"Alerts": 5}, "eu-west-1": {"Alerts": 51}}),
            (SMS, {"Fn::FindInMap": ["Units", {"Ref": "AWS::Region"}, "Alerts"]}),
        ],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5", ", when AWS::Region is eu-west-1"),
    ),
]
TOO_MUCH += [
    (
        "conditions on more than a parameter",
        [
            ("Conditions/IsDev", {"Fn::Equals": [{"Fn::Sub": "${Environment}${WebhookUnits}"}, "prod1"]}),
            (SMS, {"Fn::If": ["IsProd", 50, 1]}),
            (ALERTS, {"Fn::If": ["IsDev", 90, 50]}),
        ],
        only(WEBHOOK, 245, "Webhook 100, Alerts 90, Sms 50, Cleanup 5", ", when IsDev is true and IsProd is true"),
    ),
    ("Fn::Sub of text", [(SMS, {"Fn::Sub": "51"})], only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5")),
    (
        "Fn::Sub of a parameter",
        [("Parameters/Units", {"Type": "Number", "Default": 51}), (SMS, {"Fn::Sub": "${Units}"})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5", ", when Units is 51"),
    ),
    (
        "Fn::Select",
        [(SMS, {"Fn::Select": ["1", [50, "51"]]})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5"),
    ),
    (
        "Fn::Select of a parameter",
        [
            ("Parameters/List", {"Type": "CommaDelimitedList", "Default": "50, 51"}),
            (SMS, {"Fn::Select": [1, {"Ref": "List"}]}),
        ],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5", ", when List is 50, 51"),
    ),
    (
        "Fn::Sub of more than a parameter",
        [("Parameters/Units", {"Type": "Number", "Default": 5}), (SMS, {"Fn::Sub": "${Units}1"})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5", ", when Units is 5"),
    ),
    (
        "Fn::Sub with variables of its own",
        [(SMS, {"Fn::Sub": ["${Units}", {"Units": "51"}]})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5"),
    ),
    (
        "Fn::Join",
        [(SMS, {"Fn::Join": ["", ["5", 1]]})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5"),
    ),
    (
        "Fn::Select of Fn::Split",
        [(SMS, {"Fn::Select": [1, {"Fn::Split": ["/", "50/51"]}]})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5"),
    ),
    ("a float", [(SMS, 51.0)], only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5")),
    ("true without quotes", switched(["true", "false"], True), SWITCHED_ON),
    ("allowed without quotes", switched([True, False], "true"), SWITCHED_ON),
    ("nothing with quotes", switched([True, False], True), SWITCHED_ON),
    (
        "provisioned without a reservation",
        [aliased("Shared", 1)],
        only(WEBHOOK, 206, "Webhook 100, Alerts 50, Sms 50, Cleanup 5, Live 1", "", "", "reserve or provision"),
    ),
    (
        "the largest is provisioned",
        [aliased("Shared", "900", "IsProd")],
        only(
            PROVISIONED,
            1105,
            "Live 900, Webhook 100, Alerts 50, Sms 50, Cleanup 5",
            ", when IsProd is true",
            "",
            "reserve or provision",
        ),
    ),
    (
        "a sam function that provisions by itself",
        [
            ("Resources/Shared/Type", "AWS::Serverless::Function"),
            ("Resources/Shared/Properties/ProvisionedConcurrencyConfig/ProvisionedConcurrentExecutions", 2),
        ],
        only(WEBHOOK, 207, "Webhook 100, Alerts 50, Sms 50, Cleanup 5, Shared 2", "", "", "reserve or provision"),
    ),
    (
        "provisioned by a function that reserves in some deployments only",
        [(SMS, {"Fn::If": ["IsProd", 50, {"Ref": "AWS::NoValue"}]}), aliased("Sms", 60)],
        only(
            WEBHOOK,
            215,
            "Webhook 100, Live 60, Alerts 50, Cleanup 5",
            ", when IsProd is false",
            "",
            "reserve or provision",
        ),
    ),
    (
        "provisioned, and not told",
        [(SMS, 51), aliased("Shared", {"Fn::ImportValue": "figure"})],
        only(WEBHOOK, 206, "Webhook 100, Sms 51, Alerts 50, Cleanup 5", "", UNSTATED),
    ),
    (
        "a rule that allows it",
        ruled("dev", "prod"),
        only(WEBHOOK, 215, "Webhook 100, Sms 60, Alerts 50, Cleanup 5", ", when IsProd is true"),
    ),
]

SILENT: list[tuple[Any, ...]] = [
    ("as it is", []),
    ("absent", [(SMS, DELETE)]),
    ("zero", [(SMS, 0)]),
    ("negative", [(SMS, -5000)]),
    ("a fraction", [(SMS, 500.5)]),
    ("true", [(SMS, True)]),
    ("null", [(SMS, None)]),
    ("a word", [(SMS, "many")]),
    ("digits of another script", [(SMS, "٩٩٩")]),
    ("a list", [(SMS, [500])]),
    ("a table", [(SMS, {"500": 500})]),
    ("more digits than Python converts", [(SMS, "9" * 5000)]),
    ("no such parameter", [(SMS, {"Ref": "Nowhere"})]),
    ("a resource", [(SMS, {"Ref": "Table"})]),
    ("a parameter without default", [("Parameters/WebhookUnits", {"Type": "Number"}), (SMS, {"Ref": "WebhookUnits"})]),
    (
        "a parameter in Systems Manager",
        [
            ("Parameters/WebhookUnits", {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "500"}),
            (SMS, {"Ref": "WebhookUnits"}),
        ],
    ),
    (
        "a list parameter",
        [
            ("Parameters/WebhookUnits", {"Type": "CommaDelimitedList", "Default": "500"}),
            (SMS, {"Ref": "WebhookUnits"}),
        ],
    ),
    ("a dynamic reference", [(SMS, "{{resolve:ssm:units:500}}")]),
    ("Fn::GetAtt", [(SMS, {"Fn::GetAtt": ["Table", "Arn"]})]),
    ("Fn::Sub of something else", [(SMS, {"Fn::Sub": "${Table}"})]),
    ("Fn::Select beyond the list", [(SMS, {"Fn::Select": [1, [500]]})]),
    ("Fn::Select by a parameter", [(SMS, {"Fn::Select": [{"Ref": "WebhookUnits"}, [500]]})]),
    ("Fn::Select of what is no list", [(SMS, {"Fn::Select": [0, {"Ref": "WebhookUnits"}]})]),
    (
        "Fn::Select of a list without default",
        [("Parameters/List", {"Type": "List<Number>"}), (SMS, {"Fn::Select": [0, {"Ref": "List"}]})],
    ),
    ("Fn::ImportValue", [(SMS, {"Fn::ImportValue": "units"})]),
    ("no such mapping", [(SMS, {"Fn::FindInMap": ["Nowhere", "prod", "Alerts"]})]),
    ("no such key", [(SMS, {"Fn::FindInMap": ["Units", "prod", "Nowhere"]})]),
    ("a mapped word", [(SMS, {"Fn::FindInMap": ["Units", "prod", "Note"]})]),
    ("a mapping by a resource", [(SMS, {"Fn::FindInMap": ["Units", {"Ref": "Table"}, "Alerts"]})]),
    (
        "a mapped value that the parameter does not allow",
        [
            ("Mappings/Units/load", {"Alerts": 500}),
            (SMS, {"Fn::FindInMap": ["Units", {"Ref": "Environment"}, "Alerts"]}),
        ],
    ),
    ("an if without its condition", [(SMS, {"Fn::If": ["Nowhere", 500, 500]})]),
    ("an if of two", [(SMS, {"Fn::If": ["IsProd", 500]})]),
    ("an if by a number", [(SMS, {"Fn::If": [1, 500, 500]})]),
    ("a condition that is no name", [("Resources/Sms/Condition", ["IsProd"]), (SMS, 500)]),
    ("a condition that is not there", [("Resources/Sms/Condition", "Nowhere"), (SMS, 500)]),
    (
        "a condition that makes no sense",
        [("Conditions/IsProd", {"Fn::Equals": 1}), ("Resources/Sms/Condition", "IsProd"), (SMS, 500)],
    ),
    (
        "a condition in a circle",
        [("Conditions/IsProd", {"Condition": "IsProd"}), ("Resources/Sms/Condition", "IsProd"), (SMS, 500)],
    ),
    (
        "a condition that is never true",
        [("Conditions/IsProd", {"Fn::Equals": ["a", "b"]}), ("Resources/Sms/Condition", "IsProd"), (SMS, 500)],
    ),
    (
        "conditions that exclude each other",
        [(SMS, {"Fn::If": ["IsProd", 50, 1]}), (ALERTS, {"Fn::If": ["IsDev", 90, 50]})],
    ),
    (
        "conditions that exclude each other in two spellings",
        [
            ("Conditions/IsDev", {"Fn::Equals": [{"Fn::Sub": "${Environment}"}, {"Fn::Sub": "dev"}]}),
            (SMS, {"Fn::If": ["IsProd", 50, 1]}),
            (ALERTS, {"Fn::If": ["IsDev", 90, 50]}),
        ],
    ),
    (
        "conditions on a composed text that exclude each other",
        [
            ("Conditions/IsDev", {"Fn::Equals": [{"Fn::Sub": "${Environment}${WebhookUnits}"}, "dev1"]}),
            (SMS, {"Fn::If": ["IsProd", 50, 1]}),
            (ALERTS, {"Fn::If": ["IsDev", 90, 50]}),
        ],
    ),
    (
        "a function and its value that exclude each other",
        [("Resources/Sms/Condition", "IsDev"), (SMS, {"Fn::If": ["IsProd", 500, 50]})],
    ),
    (
        "a default that its own condition replaces",
        [
            ("Parameters/WebhookUnits/Default", 500),
            ("Conditions/IsStated", {"Fn::Not": [{"Fn::Equals": [{"Ref": "WebhookUnits"}, "500"]}]}),
            (SMS, {"Fn::If": ["IsStated", {"Ref": "WebhookUnits"}, {"Ref": "AWS::NoValue"}]}),
        ],
    ),
    (
        "a default that is not allowed",
        [
            ("Parameters/WebhookUnits", {"Type": "Number", "Default": 500, "AllowedValues": [5]}),
            (SMS, {"Ref": "WebhookUnits"}),
        ],
    ),
    (
        "a mapped flag for an environment without the function",
        [
            ("Mappings/Units/dev/Busy", "no"),
            ("Mappings/Units/test/Busy", "no"),
            ("Mappings/Units/prod/Busy", "yes"),
            (
                "Conditions/IsBusy",
                {"Fn::Equals": [{"Fn::FindInMap": ["Units", {"Ref": "Environment"}, "Busy"]}, "yes"]},
            ),
            ("Resources/Sms/Condition", "IsBusy"),
            (SMS, 105),
            ("Resources/Alerts/Condition", "IsDev"),
            (WEBHOOK, 95),
        ],
    ),
    ("provisioned within a reservation", [aliased("Sms", 50)]),
    ("provisioned within a reservation of more", [aliased("Sms", 500)]),
    ("provisioned within one that is not told", [(SMS, {"Fn::ImportValue": "units"}), aliased("Sms", 500)]),
    (
        "provisioned when there is no function",
        [
            ("Resources/Shared/Condition", "IsDev"),
            aliased("Shared", 500, "IsProd"),
        ],
    ),
    ("a switch that cannot be on", switched([False], True)),
    ("a rule that does not allow it", ruled("dev", "test")),
    ("a rule that allows nothing", ruled()),
    ("properties of another kind", [("Resources/Sms/Properties", [500])]),
    ("no properties", [("Resources/Sms/Properties", DELETE)]),
    ("a type of another kind", [("Resources/Sms/Type", [LAMBDA]), (SMS, 500)]),
    ("a resource of another kind", [("Resources/Sms", "AWS::Lambda::Function")]),
    ("no resources", [("Resources", DELETE)]),
    ("resources of another kind", [("Resources", [])]),
    ("parameters of another kind", [("Parameters", []), (SMS, {"Ref": "WebhookUnits"})]),
]


@pytest.mark.parametrize(("edits", "expected"), by_name(TOO_MUCH))
def test_reports_what_does_not_fit(findings: Any, edits: Any, expected: Any) -> None:
    assert findings("E9801", edited(GOOD, *edits), concurrency_limit=305) == expected


@pytest.mark.parametrize("edits", by_name(SILENT))
def test_is_silent_about_what_fits_or_cannot_be_told(findings: Any, edits: Any) -> None:
    assert findings("E9801", edited(GOOD, *edits), concurrency_limit=305) == []


@pytest.mark.parametrize(
    ("configuration", "shortfall", "terms"),
    [
        ({"concurrency_limit": 300}, "5 more than the 200", "300 - unreserved floor 100 - reserved elsewhere 0"),
        ({"concurrency_limit": 305, "reserved_elsewhere": 1}, "1 more than the 204", "reserved elsewhere 1"),
        ({"concurrency_limit": 305, "unreserved_floor": 101}, "1 more than the 204", "unreserved floor 101"),
        ({"concurrency_limit": 100}, "205 more than the 0", "limit 100"),
        ({"concurrency_limit": 50}, "205 more than the 0", "limit 50"),
        ({"reserved_elsewhere": 800}, "105 more than the 100", "limit 1,000"),
    ],
)
def test_account_comes_from_the_configuration(findings: Any, configuration: Any, shortfall: str, terms: str) -> None:
    [(path, text)] = findings("E9801", GOOD, **configuration)
    assert path == WEBHOOK
    assert "reserve 205 concurrent executions" in text
    assert shortfall in text
    assert terms in text


@pytest.mark.parametrize(
    "configuration", [{}, {"concurrency_limit": 305}, {"concurrency_limit": 245, "unreserved_floor": 40}]
)
def test_accounts_that_it_fits(findings: Any, configuration: Any) -> None:
    assert findings("E9801", GOOD, **configuration) == []


def test_reserving_nothing_fits_an_account_that_can_reserve_nothing(findings: Any) -> None:
    nothing = {"Resources": {"Switch": GOOD["Resources"]["Cleanup"], "Shared": GOOD["Resources"]["Shared"]}}
    nothing = edited(nothing, (PROPERTY.format("Switch"), 0))
    assert findings("E9801", nothing, concurrency_limit=10) == []


def test_names_the_largest_of_many_functions(findings: Any) -> None:
    many = {
        f"Function{n:02}": edited(GOOD["Resources"]["Webhook"], ("Properties/ReservedConcurrentExecutions", n))
        for n in range(1, 21)
    }
    [(path, text)] = findings("E9801", {"Resources": many}, concurrency_limit=300)
    assert path == PROPERTY.format("Function20")
    assert text.endswith(
        ": Function20 20, Function19 19, Function18 18, Function17 17, Function16 16, Function15 15, Function14 14, "
        "Function13 13, and 12 more with 78" + requested(310)
    )
