"""The values of one table, through every scope and every command that evaluates templates."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from generator.checks.quota.functions import RESERVED
from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from generator.report.bill import bill, has_bill, total_usd
from generator.simulation.topology.reading import read_topology
from generator.template import alternatives
from generator.template.alternatives import Missing, stated_figures, values_of
from generator.template.evaluation import Evaluator, Scope, Unknown, known, one_deployment
from generator.template.intrinsics import canonical, whole_number
from generator.template.reading import parse
from tests.conftest import FIXTURES, environment_of
from tests.diff.comparing import difference

FUNCTION = "ProcessWebhookFunction"

PARAMETERS: dict[str, Any] = {
    "Env": {"Type": "String", "Default": "prod"},
    "Flag": {"Type": "String", "Default": True},
    "N": {"Type": "Number", "Default": 7},
    "Sizes": {"Type": "CommaDelimitedList", "Default": "3, 9"},
    "Open": {"Type": "Number"},
    "Stored": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/name"},
}
CONDITIONS: dict[str, Any] = {
    "Literal": {"Fn::Equals": [True, "true"]},
    "ByDefault": {"Fn::Equals": [{"Ref": "Flag"}, "true"]},
    "Substituted": {"Fn::Equals": [{"Fn::Sub": "${Env}"}, "prod"]},
    "ByRegion": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]},
    "Never": {"Fn::And": [{"Condition": "ByRegion"}, {"Fn::Not": [{"Condition": "Literal"}]}]},
    "Always": {"Fn::Or": [{"Condition": "ByRegion"}, {"Condition": "Literal"}]},
    "Circle": {"Condition": "Circle"},
}
MAPPINGS: dict[str, Any] = {"Map": {"prod": {"Units": 5, "3": 4}}}

TABLE = [
    pytest.param({"Fn::If": ["Literal", 10, 1]}, 10, id="true equals its text"),
    pytest.param({"Fn::If": ["ByDefault", 10, 1]}, 10, id="a default of true equals its text"),
    pytest.param({"Fn::If": ["Substituted", 10, 1]}, 10, id="a condition on Fn::Sub"),
    pytest.param({"Fn::If": ["Never", 1, {"Fn::If": ["Always", 10, 2]}]}, 10, id="nested conditions"),
    pytest.param({"Fn::Sub": "${N}"}, 7, id="Fn::Sub of a parameter"),
    pytest.param({"Fn::Select": [1, [3, 9]]}, 9, id="Fn::Select of a list"),
    pytest.param({"Fn::Select": [1, {"Ref": "Sizes"}]}, 9, id="Fn::Select of a list parameter"),
    pytest.param({"Fn::FindInMap": ["Map", "dev", "Units", {"DefaultValue": 8}]}, 8, id="DefaultValue"),
    pytest.param({"Fn::FindInMap": ["Map", "prod", 3]}, 4, id="a number as key"),
    pytest.param({"Fn::Join": ["", ["1", "2"]]}, 12, id="Fn::Join"),
    pytest.param({"Fn::Select": [1, {"Fn::Split": ["-", "3-4"]}]}, 4, id="Fn::Select of Fn::Split"),
]


def template(value: Any) -> dict[str, Any]:
    """Return the generated template of dev with this reservation."""
    content: dict[str, Any] = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    content["Resources"][FUNCTION]["Properties"][RESERVED] = value
    for section, added in (("Parameters", PARAMETERS), ("Conditions", CONDITIONS), ("Mappings", MAPPINGS)):
        content[section] = content.get(section, {}) | added
    return content


@pytest.mark.parametrize(("value", "expected"), TABLE)
def test_a_value_in_scope_one(value: Any, expected: int) -> None:
    parsed = parse(template(value))
    assert whole_number(Evaluator(parsed).value(parsed.properties(FUNCTION)[RESERVED])) == expected


@pytest.mark.parametrize(("value", "expected"), TABLE)
def test_every_value_in_scope_every(value: Any, expected: int) -> None:
    assert expected in [figure.number for figure in stated_figures(parse(template(value)), FUNCTION, RESERVED)]


@pytest.mark.parametrize(("value", "expected"), TABLE)
def test_the_quota_verdict_has_the_value(value: Any, expected: int) -> None:
    others = worst_case(variants(template(0))).total
    found = worst_case(variants(template({"Fn::If": ["Always", value, 0]})))
    assert (found.total - others, found.fits(found.total)) == (expected, True)


@pytest.mark.parametrize(("value", "expected"), TABLE)
def test_the_simulation_has_the_value(value: Any, expected: int) -> None:
    assert read_topology(template(value)).functions[FUNCTION].reserved_concurrency == expected


@pytest.mark.parametrize(("value", "expected"), TABLE)
def test_the_diff_has_the_value(value: Any, expected: int) -> None:
    same = difference(template(value), template(expected)).reservations
    assert same.total_old == same.total_new
    more = difference(template(value), template(expected + 1)).reservations
    assert (more.total_new - more.total_old, [one.new for one in more.changed]) == (1, [expected + 1])


@pytest.mark.parametrize(("value", "expected"), TABLE)
def test_the_bill_has_the_value(value: Any, expected: int) -> None:
    dev = environment_of("dev")
    written, literal = (one_deployment(parse(template(one))) for one in (value, expected))
    assert has_bill(written)
    assert total_usd(bill(written, dev)) == total_usd(bill(literal, dev))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"Ref": "Open"}, "parameter Open has no default"),
        ({"Ref": "Stored"}, "parameter Stored is stored in Systems Manager"),
        ({"Fn::If": ["Nowhere", 1, 2]}, "condition Nowhere is not declared"),
        ({"Fn::If": ["Circle", 1, 2]}, "condition Circle depends on itself"),
        ({"Fn::If": ["ByRegion", 1, 2]}, "AWS::Region is known in the account only"),
        ({"Fn::FindInMap": ["Map", "test", "Units"]}, "mapping Map has no test, Units"),
    ],
)
def test_an_unknown_value_has_its_reason(value: Any, reason: str) -> None:
    with pytest.raises(Unknown, match=f"^{reason}"):
        Evaluator(parse(template(value))).value(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "N"}, {"Ref": "N"}),
        ({"Fn::If": ["Literal", 1, 2]}, 1),
        ({"Fn::If": ["ByRegion", {"Ref": "N"}, {"Fn::Sub": "${N}"}]}, {"Ref": "N"}),
        ({"Fn::If": ["ByRegion", 1, 2]}, {"Fn::If": ["ByRegion", 1, 2]}),
        ({"Fn::Join": ["-", ["a", {"Ref": "N"}]]}, {"Fn::Join": ["", ["a-", {"Ref": "N"}]]}),
        (["a", {"Ref": "AWS::NoValue"}], ["a"]),
        ({"Fn::GetAtt": ["Table", "Arn"]}, {"Fn::GetAtt": ["Table", "Arn"]}),
        ({"Fn::FindInMap": ["Map", "prod", "Units"]}, 5),
    ],
)
def test_scope_known_resolves_only_what_no_deployment_changes(value: Any, expected: Any) -> None:
    assert Evaluator(parse(template(0)), Scope.KNOWN).value(value) == expected


def joined(number: int, **declared: Any) -> dict[str, Any]:
    """Return a template with a function that reserves the digits of so many parameters, joined."""
    names = [f"P{index}" for index in range(number)]
    figure = {"Fn::Join": ["", [{"Ref": name} for name in names]]}
    function = {"Type": "AWS::Lambda::Function", "Properties": {RESERVED: figure}}
    return {"Parameters": {name: {"Type": "String", **declared} for name in names}, "Resources": {FUNCTION: function}}


def test_parameters_with_one_value_take_one_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a case for each of them, the time grew with the cube of their number."""
    monkeypatch.setattr(alternatives, "MAX_CASES", 1)
    (figure,) = stated_figures(parse(joined(9, Default="1")), FUNCTION, RESERVED)
    assert figure.number == 111_111_111


def test_a_long_value_has_fewer_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    content = joined(3, AllowedValues=["1", "2"])
    figure = content["Resources"][FUNCTION]["Properties"][RESERVED]
    assert len(values_of(parse(content), figure)) == 8
    monkeypatch.setattr(alternatives, "MAX_CHARACTERS", 500)
    *some, last = values_of(parse(content), figure)
    assert 0 < len(some) < 8
    assert last.value is Missing.UNKNOWN


def test_a_resource_with_a_certain_condition_is_removed_or_unconditional() -> None:
    content = template(0)
    for name in ("Never", "Always", "ByRegion"):
        content["Resources"][name] = {"Type": "AWS::SNS::Topic", "Condition": name}
    resources = known(parse(content)).resources
    assert "Never" not in resources
    assert "Condition" not in resources["Always"]
    assert resources["ByRegion"]["Condition"] == "ByRegion"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"Fn::Sub": "${A}"}, {"Ref": "A"}),
        ({"Fn::Sub": "x"}, "x"),
        ({"Fn::GetAtt": "A.Arn"}, {"Fn::GetAtt": ["A", "Arn"]}),
        ({"Fn::Join": ["", ["a", {"Ref": "B"}]]}, {"Fn::Sub": "a${B}"}),
        ({"Fn::Sub": ["${x}!", {"x": {"Ref": "B"}}]}, {"Fn::Sub": "${B}!"}),
        (True, "true"),
        (1.0, "1"),
    ],
)
def test_equal_meanings_have_one_canonical_form(one: Any, other: Any) -> None:
    assert canonical(one) == canonical(other)


def test_the_quota_verdict_needs_neither_cfn_lint_nor_an_sdk() -> None:
    code = (
        "import sys\n"
        "from generator.checks.quota.variants import variants\n"
        "from generator.checks.quota.worst_case import worst_case\n"
        "properties = {'ReservedConcurrentExecutions': 7}\n"
        "function = {'Type': 'AWS::Lambda::Function', 'Properties': properties}\n"
        "found = worst_case(variants({'Resources': {'F': function}}))\n"
        "assert found.total == 7\n"
        "print(*{'cfnlint', 'boto3', 'botocore', 'troposphere', 'sympy'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
