"""`generator check FOLDER`: sums against figures computed by hand, and what could not be read.

aws-cdk-lib 2.276, serverless 3 and sam wrote the folders in tests/checks/assemblies. Metadata that
no check reads is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from generator import _runtime
from generator.aws import PROVISIONED_DIMENSION
from generator.checks import quota_check
from generator.checks.findings import NOT_PROVEN, CheckVerdict
from generator.checks.quota_check import Report
from generator.checks.request import Request
from generator.cli.main import main
from tests.checks.rules.rule_runner import by_name
from tests.checks.test_files import Run, template, write

ASSEMBLIES = Path(__file__).parent / "assemblies"

ANYWHERE = ("", "")
LAMBDA = "AWS::Lambda::Function"
STACK = "AWS::CloudFormation::Stack"


def reserving(figure: Any, **attributes: Any) -> dict[str, Any]:
    properties = {} if figure is None else {"ReservedConcurrentExecutions": figure}
    return {"Type": LAMBDA, "Properties": properties, **attributes}


def resources(**found: Any) -> dict[str, Any]:
    return {"Resources": found}


def nested(url: str, condition: str = "", **parameters: Any) -> dict[str, Any]:
    stack = {"Type": STACK, "Properties": {"TemplateURL": url, "Parameters": parameters}}
    return {**stack, "Condition": condition} if condition else stack


def stacks(**environments: str) -> dict[str, Any]:
    """The manifest of an assembly."""
    artifacts = {
        name: {
            "type": "aws:cloudformation:stack",
            "environment": f"aws://{environment}",
            "properties": {"templateFile": f"{name}.template.json"},
        }
        for name, environment in environments.items()
    }
    return {"version": "55.0.0", "artifacts": artifacts}


CHILD: dict[str, Any] = {
    "Parameters": {"Units": {"Type": "Number", "Default": 5}, "Stage": {"Type": "String", "Default": "dev"}},
    "Conditions": {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}},
    "Resources": {
        "Worker": reserving({"Ref": "Units"}),
        "Extra": reserving(30, Condition="IsProd"),
    },
}
STAGE = {"Stage": {"Type": "String", "Default": "prod", "AllowedValues": ["prod", "dev"]}}
IS_PROD = {"IsProd": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]}}
PROVISIONED: dict[str, Any] = {
    "Live": {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": {"Ref": "Worker"},
            "FunctionVersion": "1",
            "Name": "live",
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 60},
        },
    }
}
LOOP = {
    "Transform": "AWS::LanguageExtensions",
    "Parameters": {"Names": {"Type": "CommaDelimitedList", "Default": "A"}},
    "Resources": {"Fn::ForEach::Workers": ["Name", {"Ref": "Names"}, {"Worker${Name}": reserving(10)}]},
}
SAM_CHILD = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Globals": {"Function": {"ReservedConcurrentExecutions": {"Ref": "Units"}}},
    "Parameters": {"Units": {"Type": "Number", "Default": 7}},
    "Resources": {"Worker": {"Type": "AWS::Serverless::Function", "Properties": {}}},
}
MAPPED = {
    "Parameters": {"Size": {"Type": "String"}},
    "Mappings": {"Sizes": {"small": {"Units": 3}, "large": {"Units": 80}}},
    "Resources": {"Worker": reserving({"Fn::FindInMap": ["Sizes", {"Ref": "Size"}, "Units"]})},
}

Files = Mapping[str, Any]
Places = Mapping[tuple[str, str], int]

CASES: list[tuple[str, Files, Places, CheckVerdict]] = [
    (
        "a parent of 450 with two children of 400",
        {
            "parent.json": resources(
                Handler=reserving(450), A=nested("child.json", Units="400"), B=nested("child.json", Units="400")
            ),
            "child.json": CHILD,
        },
        {ANYWHERE: 1250},
        CheckVerdict.BAD,
    ),
    (
        "one child with its default and one with a figure",
        {"parent.json": resources(A=nested("child.json"), B=nested("child.json", Units=40)), "child.json": CHILD},
        {ANYWHERE: 45},
        CheckVerdict.GOOD,
    ),
    (
        "a child whose condition the parent decides",
        {"parent.json": resources(A=nested("child.json", Stage="prod")), "child.json": CHILD},
        {ANYWHERE: 35},
        CheckVerdict.GOOD,
    ),
    (
        "children of two conditions that exclude each other",
        {
            "parent.json": {
                "Parameters": STAGE,
                "Conditions": {**IS_PROD, "IsDev": {"Fn::Not": [{"Condition": "IsProd"}]}},
                **resources(
                    A=nested("child.json", "IsProd", Units=500, Stage={"Ref": "Stage"}),
                    B=nested("child.json", "IsDev", Units=520, Stage={"Ref": "Stage"}),
                ),
            },
            "child.json": CHILD,
        },
        {ANYWHERE: 530},
        CheckVerdict.GOOD,
    ),
    (
        "a parameter that is left out under a condition",
        {
            "parent.json": {
                "Parameters": STAGE,
                "Conditions": IS_PROD,
                **resources(A=nested("child.json", Units={"Fn::If": ["IsProd", {"Ref": "AWS::NoValue"}, 4]})),
            },
            "child.json": CHILD,
        },
        {ANYWHERE: 5},
        CheckVerdict.GOOD,
    ),
    (
        "a condition with a default parameter",
        {"one.json": {"Parameters": STAGE, "Conditions": IS_PROD, **resources(A=reserving(300, Condition="IsProd"))}},
        {ANYWHERE: 300},
        CheckVerdict.GOOD,
    ),
    (
        "Fn::If",
        {
            "one.json": {
                "Parameters": STAGE,
                "Conditions": IS_PROD,
                **resources(A=reserving({"Fn::If": ["IsProd", 300, 20]}), B=reserving({"Fn::If": ["IsProd", 1, 40]})),
            }
        },
        {ANYWHERE: 301},
        CheckVerdict.GOOD,
    ),
    (
        "provisioned without a reservation",
        {"one.json": resources(Worker=reserving(None), **PROVISIONED)},
        {ANYWHERE: 60},
        CheckVerdict.GOOD,
    ),
    (
        "provisioned within a reservation",
        {"one.json": resources(Worker=reserving(100), **PROVISIONED)},
        {ANYWHERE: 100},
        CheckVerdict.GOOD,
    ),
    (
        "two templates that may share an account",
        {"a.json": resources(A=reserving(500)), "b.json": resources(B=reserving(401))},
        {ANYWHERE: 901},
        CheckVerdict.BAD,
    ),
    (
        "templates in subfolders, YAML and JSON, beside other files",
        {
            "a/one.yaml": "Resources:\n  A:\n    Type: AWS::Lambda::Function\n"
            "    Properties: {ReservedConcurrentExecutions: 10}\n",
            "b/two.template": resources(B=reserving(20)),
            "package.json": {"name": "left-pad"},
            "values.yaml": "replicas: 3\n",
            "node_modules/c.json": resources(C=reserving(400)),
            ".hidden/d.json": resources(D=reserving(400)),
        },
        {ANYWHERE: 30},
        CheckVerdict.GOOD,
    ),
    (
        "a grandchild, once for each instance of the child",
        {
            "parent.json": resources(A=nested("sub/middle.json"), B=nested("sub/middle.json")),
            "sub/middle.json": resources(C=nested("leaf.json", Units=9), Own=reserving(1)),
            "sub/leaf.json": CHILD,
        },
        {ANYWHERE: 20},
        CheckVerdict.GOOD,
    ),
    (
        "a child with a mapping, looked up by the parent's parameter",
        {
            "parent.json": {"Parameters": {"Any": {"Type": "String"}}, **resources(A=nested("m.json", Size="large"))},
            "m.json": MAPPED,
        },
        {ANYWHERE: 80},
        CheckVerdict.GOOD,
    ),
    (
        "a loop over a list that the parent gives",
        {"parent.json": resources(A=nested("loop.json", Names="A,B,C")), "loop.json": LOOP},
        {ANYWHERE: 30},
        CheckVerdict.GOOD,
    ),
    (
        "SAM: a local application with Globals",
        {
            ".aws-sam/build/template.json": {
                "Transform": "AWS::Serverless-2016-10-31",
                "Resources": {
                    "Api": {
                        "Type": "AWS::Serverless::Application",
                        "Properties": {"Location": "Api/template.json", "Parameters": {"Units": 70}},
                    },
                    "Own": {"Type": "AWS::Serverless::Function", "Properties": {"ReservedConcurrentExecutions": 5}},
                },
            },
            ".aws-sam/build/Api/template.json": SAM_CHILD,
        },
        {ANYWHERE: 75},
        CheckVerdict.GOOD,
    ),
    (
        "an assembly with two accounts",
        {
            "manifest.json": stacks(A="1/eu-west-1", B="2/eu-west-1"),
            "A.template.json": resources(A=reserving(600)),
            "B.template.json": resources(B=reserving(700)),
        },
        {("1", "eu-west-1"): 600, ("2", "eu-west-1"): 700},
        CheckVerdict.GOOD,
    ),
    (
        "an assembly with a stack for any account and Region",
        {
            "manifest.json": stacks(A="1/eu-west-1", B="2/us-east-1", C="unknown-account/unknown-region"),
            "A.template.json": resources(A=reserving(600)),
            "B.template.json": resources(B=reserving(700)),
            "C.template.json": resources(C=reserving(250)),
        },
        {("1", "eu-west-1"): 850, ("2", "us-east-1"): 950},
        CheckVerdict.BAD,
    ),
    (
        "a stack for any place that reserves most where no other stack goes",
        {
            "manifest.json": stacks(A="1/eu-west-1", C="unknown-account/unknown-region"),
            "A.template.json": resources(A=reserving(6)),
            "C.template.json": {
                "Conditions": {"IsHome": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]}},
                **resources(C=reserving({"Fn::If": ["IsHome", 950, 1]})),
            },
        },
        {ANYWHERE: 950, ("1", "eu-west-1"): 7},
        CheckVerdict.BAD,
    ),
    (
        "a template that the app's own parameters decide",
        {
            "manifest.json": {
                "artifacts": {
                    "A": {
                        "type": "aws:cloudformation:stack",
                        "properties": {"templateFile": "A.json", "parameters": {"Units": "11", "Stage": "dev"}},
                    }
                }
            },
            "A.json": CHILD,
        },
        {ANYWHERE: 11},
        CheckVerdict.GOOD,
    ),
    (
        "old templates that the manifest no longer lists",
        {
            "manifest.json": stacks(A="1/eu-west-1"),
            "A.template.json": resources(A=reserving(6)),
            "Old.template.json": resources(A=reserving(800)),
        },
        {("1", "eu-west-1"): 6},
        CheckVerdict.GOOD,
    ),
    (
        "an assembly below the folder",
        {
            "cdk.out/manifest.json": stacks(A="1/r"),
            "cdk.out/A.template.json": CHILD,
            "x.json": resources(X=reserving(3)),
        },
        {("1", "r"): 38},
        CheckVerdict.GOOD,
    ),
    (
        "a child that cannot be found",
        {"parent.json": resources(Own=reserving(1), A=nested("child.json"))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a child elsewhere beside too much",
        {"parent.json": resources(Own=reserving(901), A=nested("https://bucket.s3.amazonaws.com/child.json"))},
        {ANYWHERE: 901},
        CheckVerdict.BAD,
    ),
    (
        "templates that nest each other",
        {"a.json": resources(A=reserving(1), B=nested("b.json")), "b.json": resources(B=nested("a.json"))},
        {ANYWHERE: 2},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a stack whose template is missing",
        {"manifest.json": stacks(A="1/r", B="1/r"), "A.template.json": CHILD},
        {("1", "r"): 35},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a stage whose folder is missing",
        {
            "manifest.json": {
                "artifacts": {
                    **stacks(A="1/r")["artifacts"],
                    "assembly-Prod": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-Prod"}},
                }
            },
            "A.template.json": CHILD,
        },
        {("1", "r"): 35},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a broken template beside a good one",
        {"a.json": '{"Resources": {"A": {"Type": "AWS::Lambda::Function"', "b.json": resources(B=reserving(1))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a template that ends before its first type",
        {"a.template.json": '{"Resources": {"A": ', "b.json": resources(B=reserving(1))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a broken yaml template without any type",
        {"a.yaml": "Resources:\n  A: [\n", "b.json": resources(B=reserving(1))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a broken yml template without any type",
        {"a.yml": '"Resources":\n  A:\n    Type: !Ref X\n   bad: [', "b.json": resources(B=reserving(1))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a broken json template without any type",
        {"a.json": '{"Description": "x", "Resources": {"A": ', "b.json": resources(B=reserving(1))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a service of the Serverless Framework",
        {"serverless.yml": "service: shop\n", "b.json": resources(B=reserving(1))},
        {ANYWHERE: 1},
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "a figure that the parent does not know",
        {"parent.json": resources(A=nested("c.json", Units={"Fn::ImportValue": "units"})), "c.json": CHILD},
        {ANYWHERE: 0},
        CheckVerdict.NOT_PROVEN,
    ),
]


def laid(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        write(str(folder / name), content)
    return folder


def judged(*folders: Path, **options: Any) -> Report:
    return quota_check.check(Request(folders=folders, **options))


def totals(report: Report) -> dict[tuple[str, str], int]:
    return {(pool.account.name, pool.account.region): pool.total for pool in report.pools}


@pytest.fixture(autouse=True)
def nowhere(no_region: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(("files", "places", "verdict"), by_name(CASES))
def test_the_sum_of_a_folder_is_the_one_computed_by_hand(
    files: Files, places: Places, verdict: CheckVerdict, tmp_path: Path
) -> None:
    folder = laid(tmp_path / "folder", files)
    report = judged(folder / ".aws-sam/build" if (folder / ".aws-sam").is_dir() else folder)
    assert totals(report) == places
    assert report.verdict is verdict


@pytest.mark.parametrize(
    ("app", "places"),
    [
        ("nested", {ANYWHERE: 450 + 400 + 400}),
        ("nested-with-metadata", {ANYWHERE: 450 + 400 + 400}),
        (
            "stages",
            {
                ("111111111111", "eu-west-1"): 100 + 200 + 60 + 300,
                ("222222222222", "eu-west-1"): 500 + 400 + 60 + 300,
            },
        ),
        (
            "regions",
            {("111111111111", "eu-west-1"): 500 + 40, ("111111111111", "us-east-1"): 600 + 250 + 40},
        ),
        ("serverless", {ANYWHERE: 450 + 20 + 30}),
        ("sam", {ANYWHERE: 30 + 900}),
    ],
)
def test_the_sums_of_an_assembly_are_those_of_its_app(app: str, places: Places) -> None:
    """60 and 30 are provisioned without a reservation; 300 needs the default of a parameter."""
    report = judged(ASSEMBLIES / app)
    assert totals(report) == places
    assert report.verdict is (CheckVerdict.BAD if max(places.values()) > 900 else CheckVerdict.GOOD)


def test_the_finding_names_the_stack_of_a_nested_function(tmp_path: Path) -> None:
    folder = laid(
        tmp_path / "f", {"p.json": resources(Small=reserving(1), A=nested("c.json", Units=950)), "c.json": CHILD}
    )
    (finding,) = judged(folder).findings
    assert (finding.path, finding.line) == ("Resources/A", 9)
    assert "The functions reserve 951 concurrent executions together, 51 more than the 900" in finding.message
    assert ": A/Worker 950, Small 1; lower them or request a limit of 1,051 or more" in finding.message


@pytest.mark.parametrize("how", ["a link out", "a path out", "a pipe", "a folder", "a link to a folder out"])
def test_nothing_outside_of_the_folder_is_read(how: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps(resources(A=reserving(2))))
    folder = laid(
        tmp_path / "f", {"p.json": resources(A=nested("../secret.json" if how == "a path out" else "c.json"))}
    )
    if how == "a link out":
        (folder / "c.json").symlink_to(secret)
    elif how == "a pipe":
        os.mkfifo(folder / "c.json")
    elif how == "a folder":
        (folder / "c.json").mkdir()
    elif how == "a link to a folder out":
        (folder / "linked").symlink_to(tmp_path)
    report = judged(folder)
    assert report.verdict is CheckVerdict.NOT_PROVEN
    assert totals(report) == {ANYWHERE: 0}


def test_a_child_that_nests_itself_many_times_ends(tmp_path: Path) -> None:
    many = {f"S{number}": nested("b.json") for number in range(40)}
    folder = laid(
        tmp_path / "f",
        {"a.json": resources(**many), "b.json": resources(**{n: nested("c.json") for n in many}), "c.json": CHILD},
    )
    report = judged(folder, account={"concurrency_limit": 100_000})
    assert report.verdict is CheckVerdict.NOT_PROVEN
    assert "more than 500 nested stacks" in report.findings[0].message


def test_a_single_file_counts_its_nested_stacks(tmp_path: Path) -> None:
    folder = laid(tmp_path / "f", CASES[0][1])
    report = quota_check.check(Request(files=[folder / "parent.json"]))
    assert totals(report) == {ANYWHERE: 1250}
    (folder / "child.json").unlink()
    report = quota_check.check(Request(files=[folder / "parent.json"]))
    assert (totals(report), report.verdict) == ({ANYWHERE: 450}, CheckVerdict.NOT_PROVEN)
    assert [finding.path for finding in report.findings] == ["Resources/A", "Resources/B"]
    assert "there is no file" in report.findings[0].message


GIVEN: list[tuple[str, Any, int]] = [
    ("by a condition", {"Fn::If": ["IsDev", "dev", "prod"]}, 850),
    ("by another condition", {"Fn::If": ["IsEu", "dev", "prod"]}, 1200),
    ("by two conditions", {"Fn::If": ["IsDev", "dev", {"Fn::If": ["IsEu", "dev", "prod"]}]}, 850),
    ("in a text", {"Fn::Sub": ["${Part}", {"Part": {"Fn::If": ["IsDev", "dev", "prod"]}}]}, 850),
    ("by a mapping", {"Fn::FindInMap": ["Stages", {"Fn::If": ["IsDev", "a", "b"]}, "Stage"]}, 850),
    ("by a condition that is not declared", {"Fn::If": ["IsElse", "dev", "prod"]}, 1200),
]


@pytest.mark.parametrize(("given", "expected"), by_name(GIVEN))
def test_a_child_agrees_with_the_condition_that_gives_its_parameter(given: Any, expected: int, tmp_path: Path) -> None:
    """A exists in dev and reserves 600. B reserves 600 in prod and 250 in dev."""
    child = {
        "Parameters": {**STAGE, "Units": {"Type": "Number", "Default": 7}},
        "Conditions": IS_PROD,
        **resources(Worker=reserving({"Fn::If": ["IsProd", 600, {"Ref": "Units"}]})),
    }
    parent = {
        "Parameters": {name: {"Type": "String", "AllowedValues": ["yes", "no"]} for name in ("Dev", "Eu")},
        "Conditions": {f"Is{name}": {"Fn::Equals": [{"Ref": name}, "yes"]} for name in ("Dev", "Eu")},
        "Mappings": {"Stages": {"a": {"Stage": "dev"}, "b": {"Stage": "prod"}}},
        **resources(A=nested("c.json", "IsDev", Stage="prod"), B=nested("c.json", Stage=given, Units=250)),
    }
    report = judged(laid(tmp_path, {"p.json": parent, "c.json": child}))
    assert totals(report)[ANYWHERE] == expected


def test_a_loop_in_a_child_runs_over_what_each_deployment_gives_it(tmp_path: Path) -> None:
    """In prod, the parent creates A and B with three names each: 3 x 100 in A and 3 x 200 in B. In dev, A has one."""
    names = {"Fn::If": ["IsProd", "a,b,c", "a"]}
    selected = {"Fn::FindInMap": ["Stacks", {"Ref": "Stage"}, "Names"]}
    looped = {"S${Name}": nested("c.json", Names=names, Who={"Ref": "Name"})}
    parent = {
        "Parameters": STAGE,
        "Conditions": IS_PROD,
        "Mappings": {"Stacks": {"dev": {"Names": ["A"]}, "prod": {"Names": ["A", "B"]}}},
        **resources(**{"Fn::ForEach::Stacks": ["Name", selected, looped]}),
    }
    workers = {"F${Name}": reserving({"Fn::If": ["IsB", 200, 100]})}
    child = {
        "Parameters": {"Names": {"Type": "CommaDelimitedList"}, "Who": {"Type": "String"}},
        "Conditions": {"IsB": {"Fn::Equals": [{"Ref": "Who"}, "B"]}},
        **resources(**{"Fn::ForEach::Workers": ["Name", {"Ref": "Names"}, workers]}),
    }
    report = judged(laid(tmp_path, {"p.json": parent, "c.json": child}))
    assert (totals(report), report.verdict) == ({ANYWHERE: 900}, CheckVerdict.GOOD)


HIDDEN = reserving(950)
INCLUDE = {"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "s3://bucket/part.yaml"}}}
HIDING: dict[str, Any] = {
    "a nested stack elsewhere": resources(A=nested("https://example.com/a.json")),
    "a nested stack by reference": resources(A=nested({"Fn::Sub": "https://${Bucket}/a.json"})),  # type: ignore[arg-type]
    "a stack set": resources(A={"Type": "AWS::CloudFormation::StackSet", "Properties": {}}),
    "a product": resources(A={"Type": "AWS::ServiceCatalog::CloudFormationProvisionedProduct", "Properties": {}}),
    "an application": resources(A={"Type": "AWS::Serverless::Application", "Properties": {"Location": {"X": "y"}}}),
    "a macro": {"Transform": ["CompanyDefaults"], **resources(B=reserving(1))},
    "an include of the template": {**INCLUDE, **resources(B=reserving(1))},
    "an include among the transforms": {"Transform": [{"Name": "AWS::Include"}], **resources(B=reserving(1))},
    "an include among the resources": resources(B=reserving(1), **INCLUDE),
    "an include in a resource": resources(A={**INCLUDE}),
    "an include beside a type": resources(A={"Type": LAMBDA, **INCLUDE}),
    "an include in the properties": resources(A={"Type": LAMBDA, "Properties": INCLUDE}),
    "a module": resources(A={"Type": "Company::Api::Worker::MODULE", "Properties": {}}),
    "a loop over what is imported": resources(
        **{"Fn::ForEach::Loop": ["Name", {"Fn::ImportValue": "names"}, {"Worker${Name}": HIDDEN}]}
    ),
    "a condition from a loop": {
        "Conditions": {"Fn::ForEach::Loop": ["Name", {"Fn::ImportValue": "names"}, {"Is${Name}": True}]},
        **resources(A={**HIDDEN, "Condition": "IsProd"}),
    },
    "a condition from an include": {"Conditions": INCLUDE, **resources(A={**HIDDEN, "Condition": "IsProd"})},
    "a condition that is no name": resources(A={**HIDDEN, "Condition": {"Ref": "Stage"}}),
    "a mapping from an include": {
        "Mappings": INCLUDE,
        **resources(A=reserving({"Fn::FindInMap": ["Sizes", "prod", "Units"]})),
    },
    "a parameter without a value": {
        "Parameters": {"Figure": {"Type": "Number"}},
        **resources(A=reserving({"Ref": "Figure"})),
    },
    "a stored parameter": {
        "Parameters": {"Figure": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/units"}},
        **resources(A=reserving({"Ref": "Figure"})),
    },
    "an alias of a function elsewhere": resources(
        Live={
            **PROVISIONED["Live"],
            "Properties": {**PROVISIONED["Live"]["Properties"], "FunctionName": {"Fn::ImportValue": "f"}},
        }
    ),
    "a resource that is no mapping": resources(A=["what"], B=reserving(1)),
    "a local module": resources(A={"Type": "LocalModule", "Source": "worker.yaml"}),
    "a section of modules": {"Modules": {"Worker": {"Source": "worker.yaml"}}, **resources(B=reserving(1))},
    "too much, in the open": resources(A=HIDDEN),
}
SCALED = {"ScalableDimension": PROVISIONED_DIMENSION, "ResourceId": "function:f:live", "MaxCapacity": 950}
VERSION = {**PROVISIONED["Live"], "Type": "AWS::Lambda::Version"}
TABLE = {"Type": "AWS::ApplicationAutoScaling::ScalableTarget", "Properties": {"ScalableDimension": "dynamodb:table"}}
LOOPED: dict[str, Any] = {
    "a function": HIDDEN,
    "a function of SAM": {"Type": "AWS::Serverless::Function"},
    "an alias": PROVISIONED["Live"],
    "an alias with an include": {**PROVISIONED["Live"], "Properties": INCLUDE},
    "a version": VERSION,
    "a target": {**TABLE, "Properties": SCALED},
    "a target of any dimension": {**TABLE, "Properties": {"ScalableDimension": {"Ref": "Dimension"}}},
    "a nested stack": nested("https://example.com/a.json"),
    "a module": {"Type": "Company::Api::Worker::MODULE"},
    "a type by the name": {"Type": "AWS::${Name}::Function"},
    "a resource with an include": {"Type": "AWS::SNS::Topic", **INCLUDE},
    "what is no resource": ["what"],
}
HIDING |= {
    f"an unknown loop of {what}": {
        "Transform": "AWS::LanguageExtensions",
        **resources(
            B=reserving(1), **{"Fn::ForEach::Loop": ["Name", {"Fn::ImportValue": "n"}, {"A${Name}": resource}]}
        ),
    }
    for what, resource in LOOPED.items()
}


@pytest.mark.parametrize("name", ["parent.json", "child.json"])
def test_an_unknown_loop_of_what_takes_no_concurrency_is_good(name: str, tmp_path: Path) -> None:
    alias = {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": {"Ref": "B"}, "Name": {"Ref": "Name"}}}
    inner = {"Fn::ForEach::Inner": ["Other", ["a"], {"Topic${Name}${Other}": {"Type": "AWS::SNS::Topic"}}]}
    body = {"Alias${Name}": alias, "Table${Name}": TABLE, **inner}
    loop = resources(B=reserving(1), **{"Fn::ForEach::Loop": ["Name", {"Fn::ImportValue": "n"}, body]})
    folder = laid(tmp_path, {"parent.json": resources(A=nested("child.json")), name: loop})
    assert judged(folder).verdict is CheckVerdict.GOOD


@pytest.mark.parametrize("text", ['{"version":', "", "[]"])
def test_a_broken_manifest_beside_templates_is_not_left_out(text: str, tmp_path: Path) -> None:
    (laid(tmp_path, {"a.json": resources(B=reserving(1))}) / "manifest.json").write_text(text)
    report = judged(tmp_path)
    assert report.verdict is CheckVerdict.NOT_PROVEN
    assert report.findings[0].file.endswith("manifest.json")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(hiding="a section of modules", around=["child"])
@given(
    hiding=st.sampled_from(sorted(HIDING)),
    around=st.lists(st.sampled_from(["child", "twice", "conditional", "stage", "folder"]), max_size=3),
)
def test_what_is_hidden_is_never_good(hiding: str, around: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """Functions stand behind whatever hides them, behind any number of nested stacks."""
    folder = tmp_path_factory.mktemp("hidden")
    name = "0.json"
    write(str(folder / name), HIDING[hiding])
    for number, wrapper in enumerate(around, 1):
        inner, name = name, f"{number}.json"
        outer = resources(Fine=reserving(1), A=nested(inner, Units=1))
        if wrapper == "twice":
            outer["Resources"]["B"] = nested(inner)
        elif wrapper == "conditional":
            outer |= {"Parameters": STAGE, "Conditions": IS_PROD}
            outer["Resources"]["A"]["Condition"] = "IsProd"
        write(str(folder / name), outer)
    if "stage" in around:
        manifest = stacks(A="1/r")
        manifest["artifacts"]["A"]["properties"]["templateFile"] = name
        write(str(folder / "manifest.json"), manifest)
    for report in (judged(folder), quota_check.check(Request(files=[folder / name]))):
        assert report.verdict is not CheckVerdict.GOOD
        assert report.findings


def test_an_assembly_takes_the_parameters_of_cfnlintrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The values in the manifest win."""
    monkeypatch.chdir(tmp_path)
    manifest = stacks(A="1/r", B="1/r")
    manifest["artifacts"]["B"]["properties"]["parameters"] = {"Units": "3"}
    open_ = {"Parameters": {"Units": {"Type": "Number"}}, **resources(Worker=reserving({"Ref": "Units"}))}
    files = {"manifest.json": manifest, "A.template.json": open_, "B.template.json": open_}
    folder = laid(tmp_path / "cdk.out", files)
    (finding,) = judged(folder).findings
    assert "write the figure, or state the parameters in .cfnlintrc" in finding.message
    write(".cfnlintrc", {"parameters": [{"Units": 40}, {"Other": 1}]})
    report = judged(folder)
    assert (totals(report), report.verdict) == ({("1", "r"): 43}, CheckVerdict.GOOD)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        (nested("https://s3.amazonaws.com/b/a.json"), "a.json; check its template, and give what it reserves with"),
        (nested("../a.json"), "is outside {}; check a folder that holds both"),
        (nested("a.json"), "a.json; correct the path, or add the file"),
        (reserving(-1), "A states -1 as its concurrency, so it is not counted; write 0 or more"),
        (reserving(""), 'A states "" as its concurrency, so it is not counted; write 0 or more'),
        (reserving({"Ref": "Units"}), "reserves or provisions, so it is not counted; write the figure, or state the"),
    ],
)
def test_a_gap_has_one_remedy_that_helps(resource: Any, expected: str, tmp_path: Path) -> None:
    write(str(tmp_path / "a.json"), resources(B=reserving(1)))
    folder = laid(tmp_path / "f", {"p.json": {"Parameters": {"Units": {"Type": "Number"}}, **resources(A=resource)}})
    (finding,) = judged(folder).findings
    assert expected.format(folder) in finding.message
    assert finding.message.count("; ") == 1


def test_a_folder_of_many_templates_names_the_largest(tmp_path: Path) -> None:
    folder = laid(tmp_path, {f"t{number:02}.json": resources(A=reserving(number)) for number in range(1, 31)})
    (pool,) = judged(folder).pools
    assert str(pool).endswith(" + t24.json 24 + t23.json 23 + 22 more with 253 = 465 reserved of 900 reservable")
    report = judged(folder, account={"concurrency_limit": 50})
    assert " + 22 more with 253 = 465, 465 more than the 0 that can be reserved" in report.findings[0].message
    assert "(limit 50 - unreserved floor 100 - reserved elsewhere 0 leaves nothing)" in report.findings[0].message


def test_a_good_verdict_names_functions_on_managed_instances(tmp_path: Path) -> None:
    managed = {"Type": LAMBDA, "Properties": {"CapacityProviderConfig": {"X": {}}}}
    (pool,) = judged(laid(tmp_path, {"a.json": resources(A=reserving(1), B=managed)})).pools
    assert str(pool).endswith("reservable; on Lambda Managed Instances, with quotas of their own: B")


PLAN = {"format_version": "1.2", "terraform_version": "1.9.0", "planned_values": {}}


@pytest.mark.parametrize(
    ("content", "encoding", "reason"),
    [
        (resources(A=reserving(1)), "utf-16", "not a text in UTF-8 (invalid start byte); save it as UTF-8"),
        (PLAN, "utf-16", "invalid start byte"),
        (PLAN, "utf-8-sig", "BOM"),
    ],
)
def test_a_file_as_powershell_writes_it_is_not_left_out(
    content: Any, encoding: str, reason: str, tmp_path: Path
) -> None:
    laid(tmp_path, {"b.json": resources(B=reserving(1))})
    (tmp_path / "a.json").write_text(json.dumps(content), encoding=encoding)
    report = judged(tmp_path)
    assert report.verdict is CheckVerdict.NOT_PROVEN
    assert reason in report.findings[0].message
    assert str(tmp_path) not in report.findings[0].message


def test_a_folder_without_a_template_is_not_called_linted(generator: Run) -> None:
    write("service/serverless.yml", "service: orders")
    result = generator("check", "service")
    assert result.exit_code == 1
    assert "service: the quota is not proven, because not everything is counted" in result.stdout.splitlines()


def test_a_missing_settings_file_is_a_missing_file(generator: Run) -> None:
    result = generator("check", "samconfig.toml")
    assert (result.exit_code, result.stderr) == (2, "samconfig.toml: no such file; correct the path\n")


def test_a_gap_is_accepted_only_if_it_is_allowed(generator: Run) -> None:
    write("parent.json", template(Own=5) | {"Resources": {**template(Own=5)["Resources"], "A": nested("child.json")}})
    write("folder/parent.json", Path("parent.json").read_text())
    for name in ("parent.json", "folder"):
        result = generator("check", name, "--only", "quota", "--format", "json")
        data = json.loads(result.stdout)
        assert (result.exit_code, data["passed"], data["verdict"]) == (1, False, "not-proven")
        assert [found["rule"] for found in data["findings"]] == [NOT_PROVEN]
        result = generator("check", name, "--only", "quota", "--allow-unproven", "--format", "json")
        data = json.loads(result.stdout)
        assert (result.exit_code, data["passed"], data["verdict"]) == (0, True, "not-proven")
        text = generator("check", name, "--only", "quota").stdout
        assert f"{name}: the quota is not proven, because not everything is counted" in text


def test_the_output_lists_every_account_with_its_stacks(generator: Run) -> None:
    result = generator("check", str(ASSEMBLIES / "stages"), "--only", "quota", "--account-limit", "1360")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "account 111111111111 and eu-west-1: Shared 300 + Beta-Worker 200 + Beta-Api 100 + Beta-Live 60 = 660 reserved "
        "of 1,260 reservable",
        "account 222222222222 and eu-west-1: Prod-Api 500 + Prod-Worker 400 + Shared 300 + Prod-Live 60 = 1,260 "
        "reserved of 1,260 reservable",
    ]
    result = generator("check", str(ASSEMBLIES / "stages"), "--only", "quota", "--format", "json")
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert data["verdict"] == "bad"
    assert [(one["account"], one["region"], one["reserved"], one["reservable"]) for one in data["accounts"]] == [
        ("111111111111", "eu-west-1", 660, 900),
        ("222222222222", "eu-west-1", 1260, 900),
    ]
    assert data["accounts"][1]["stacks"][0] == {
        "name": "Prod-Api",
        "file": str(ASSEMBLIES / "stages/assembly-Prod/ProdApi2466CF1F.template.json"),
        "reserved": 500,
    }


@pytest.mark.usefixtures("project")
def test_the_standard_input_is_a_template() -> None:
    result = CliRunner().invoke(main, ["check", "-", "--only", "quota"], input=json.dumps(template(One=950), indent=1))
    assert result.exit_code == 1
    assert result.stdout.startswith("-:19: error E9801: The functions reserve 950 concurrent executions together")


@pytest.mark.usefixtures("project")
def test_the_places_name_the_standard_input() -> None:
    given = json.dumps(template(One=1))
    result = CliRunner().invoke(main, ["check", "-", "--only", "quota", "--format", "json"], input=given)
    (pool,) = json.loads(result.stdout)["accounts"]
    assert pool["stacks"] == [{"name": "-", "file": "-", "reserved": 1}]


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--ignore", "E9801")], ids=[".cfnlintrc", "--ignore"])
def test_the_quota_of_a_folder_is_not_good_where_its_rule_is_switched_off(generator: Run, options: Any) -> None:
    write("out/one.json", template(One=950))
    mandatory = {"mandatory_checks": ["E98", "W98"], "ignore_checks": ["W9804"]}
    write(".cfnlintrc", mandatory if options else {"ignore_checks": ["E9801"]})
    result = generator("check", "out", *options)
    assert result.exit_code == 0
    assert "out: lint and size are good; the quota was not checked: E9801 is switched off" in result.stdout
    assert json.loads(generator("check", "out", *options, "--format", "json").stdout)["verdict"] == "not-proven"
    looped: dict[str, Any] = template(Two=0) | {"Transform": "AWS::LanguageExtensions"}
    looped["Resources"]["Fn::ForEach::Loop"] = ["Name", [], {"${Name}": {}}]  # cfn-lint runs no rule on this template.
    write("out/two.json", looped)
    data = json.loads(generator("check", "out", *options, "--format", "json").stdout)
    found = {one["rule"] for one in data["findings"]}
    assert "W9804" in found
    assert "E9801" not in found


OUTPUTS: dict[str, Any] = {
    "Parameters": {"Units": {"Type": "Number", "Default": 5}},
    "Resources": {"Own": reserving(1)},
    "Outputs": {"Figure": {"Value": {"Ref": "Units"}}},
}


def output(stack: str, name: str = "Figure") -> Any:
    return {"Fn::GetAtt": [stack, f"Outputs.{name}"]}


LINKED: list[tuple[str, Files, int, CheckVerdict]] = [
    (
        "an output as a parameter of another nested stack, which stands before it",
        {"p.json": resources(A=nested("c.json", Units=output("Z")), Z=nested("o.json", Units=40))},
        40 + 1,
        CheckVerdict.GOOD,
    ),
    (
        "an output as a reservation of the parent, in each of its notations",
        {
            "p.json": resources(
                Z=nested("o.json", Units=40),
                A=reserving(output("Z")),
                B=reserving({"Fn::GetAtt": "Z.Outputs.Figure"}),
                C=reserving({"Fn::Sub": "${Z.Outputs.Figure}0"}),
            )
        },
        1 + 40 + 40 + 400,
        CheckVerdict.GOOD,
    ),
    (
        "an output of an output, one level down",
        {
            "p.json": resources(M=nested("m.json"), A=nested("c.json", Units=output("M", "Passed"))),
            "m.json": {
                **resources(Z=nested("o.json", Units=7), A=nested("c.json", Units=output("Z"))),
                "Outputs": {"Passed": {"Value": {"Fn::Join": ["", [output("Z"), "0"]]}}},
            },
        },
        1 + 7 + 70,
        CheckVerdict.GOOD,
    ),
    (
        "an output that decides a condition of another nested stack",
        {
            "p.json": resources(A=nested("c.json", Stage=output("Z", "Stage")), Z=nested("s.json")),
            "s.json": {**resources(Own=reserving(1)), "Outputs": {"Stage": {"Value": "prod"}}},
        },
        1 + 5 + 30,
        CheckVerdict.GOOD,
    ),
    (
        "a function of one nested stack with an alias in another one",
        {
            "p.json": resources(A=nested("f.json"), B=nested("alias.json", Worker=output("A", "Arn"))),
            "f.json": {
                **resources(Worker=reserving(100)),
                "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Worker", "Arn"]}}},
            },
            "alias.json": {"Parameters": {"Worker": {"Type": "String"}}, "Resources": PROVISIONED},
        },
        100,
        CheckVerdict.GOOD,
    ),
    (
        "an output that nobody knows",
        {
            "p.json": resources(A=nested("c.json", Units=output("Z")), Z=nested("o.json")),
            "o.json": {**OUTPUTS, "Outputs": {"Figure": {"Value": {"Fn::GetAtt": ["Own", "Arn"]}}}},
        },
        1,
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "an output of a stack elsewhere",
        {"p.json": resources(A=reserving(output("Z")), Z=nested("https://example.com/other.json"))},
        0,
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "outputs that need each other",
        {"p.json": resources(A=nested("o.json", Units=output("B")), B=nested("o.json", Units=output("A")))}
        | {"o.json": {**OUTPUTS, "Resources": {"Own": reserving({"Ref": "Units"})}}},
        0,
        CheckVerdict.NOT_PROVEN,
    ),
    (
        "an output larger than any",
        {
            "p.json": resources(A=reserving(output("Z")), Z=nested("o.json")),
            "o.json": {**OUTPUTS, "Outputs": {"Figure": {"Value": {"Fn::Join": ["", ["1"] * 200]}}}},
        },
        1,
        CheckVerdict.NOT_PROVEN,
    ),
]


@pytest.mark.parametrize(("files", "total", "verdict"), by_name(LINKED))
def test_the_outputs_of_nested_stacks_are_followed(
    files: Files, total: int, verdict: CheckVerdict, tmp_path: Path
) -> None:
    nested_in = {name: one for name, one in {"c.json": CHILD, "o.json": OUTPUTS}.items() if name in str(files)}
    report = judged(laid(tmp_path / "folder", {**nested_in, **files}))
    assert totals(report) == {ANYWHERE: total}
    assert report.verdict is verdict


@pytest.mark.parametrize("processors", [1, 2])
def test_every_stack_of_a_large_folder_is_checked(
    processors: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_runtime, "usable_processors", lambda: processors)
    numbers = range(2 * quota_check.MIN_PER_PROCESS)
    folder = laid(tmp_path / "folder", {f"{one}.json": resources(Fn=reserving(one % 2)) for one in numbers})
    found = {(Path(one.file).name, one.rule) for one in judged(folder).findings}
    assert found == {(f"{one}.json", "W9804") for one in numbers if one % 2 == 0}


def test_the_fault_of_an_empty_standard_input_names_what_to_pipe() -> None:
    result = CliRunner().invoke(main, ["check", "-", "--only", "quota"], input="")
    assert result.exit_code == 2
    assert result.output.endswith("pipe a template, or the JSON of a Terraform plan, into the command\n")


def test_a_broken_file_of_a_folder_is_named_with_its_line_and_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("Resources:\n  A: [\n")
    (found,) = judged(tmp_path).findings
    assert (found.line, found.message) == (
        3,
        "not counted: neither JSON nor YAML (did not find expected node content: line 3 column 1); correct the file",
    )


@pytest.mark.parametrize("options", [pytest.param((), marks=pytest.mark.slow), ("--only", "quota")])
def test_a_folder_or_file_that_is_named_twice_counts_once(generator: Run, options: tuple[str, ...]) -> None:
    write("shop/parent.json", {"Resources": {**template(One=20)["Resources"], "Child": nested("child.json")}})
    write("shop/child.json", template(Two=30))
    write("other.json", template(Three=40))
    Path("link").symlink_to("shop")
    names = ["shop", "shop/", "link", "shop/parent.json", "link/child.json", "other.json"]
    result = generator("check", "--together", *names, "--format", "json", *options)
    totals = [stack["reserved"] for stack in json.loads(result.stdout)["accounts"][0]["stacks"]]
    assert sorted(totals) == [40, 50]
