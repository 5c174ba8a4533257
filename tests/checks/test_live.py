"""`generator check --live`: the limit and the reservations of an account in place of the stated ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from moto import mock_aws

from generator.account import connection, live_stack
from tests.account.conftest import NOW
from tests.account.stub import DENIED, Question, Refusal, Stub, serving
from tests.checks.terraform.plans import function, plan
from tests.checks.test_files import Run, template, write
from tests.checks.test_folders import ASSEMBLIES, reserving, resources, stacks

IDENTITY = {"UserId": "u", "Account": "111111111111", "Arn": "arn:aws:iam::111111111111:user/u"}


def row(kind: str, place: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": "One",
        "PhysicalResourceId": place,
        "ResourceType": kind,
        "ResourceStatus": "CREATE_COMPLETE",
        "LastUpdatedTimestamp": NOW,
    }


def resources_of(parameters: Mapping[str, Any]) -> Any:
    """Beta-Api has a function of its own and one in a nested stack."""
    rows = {
        "Beta-Api": [row("AWS::Lambda::Function", "api"), row("AWS::CloudFormation::Stack", "arn:nested")],
        "arn:nested": [row("AWS::Lambda::Function", "worker")],
    }
    name = parameters["StackName"]
    if name not in rows:
        return Refusal("ValidationError", f"Stack with id {name} does not exist")
    return {"StackResourceSummaries": rows[name]}


def answers(limit: int, unreserved: int) -> dict[Question, Any]:
    figures = {"api": 100, "worker": 50}
    return {
        ("sts", "GetCallerIdentity"): IDENTITY,
        ("lambda", "GetAccountSettings"): {
            "AccountLimit": {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}
        },
        ("cloudformation", "ListStackResources"): resources_of,
        ("lambda", "GetFunctionConcurrency"): lambda given: {
            "ReservedConcurrentExecutions": figures[given["FunctionName"]]
        },
    }


@pytest.fixture
def live(generator: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a check of the quota against an account with these answers."""

    def run(name: str, changes: Mapping[Question, Any] | None = None, *options: str) -> Any:
        with serving(Stub(answers(1000, 600) | dict(changes or {}))) as stub:
            monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
            return generator("check", name, "--only", "quota", "--live", "--region", "eu-west-1", *options)

    return run


def test_what_the_assemblys_stacks_hold_is_credited(live: Any) -> None:
    """400 are reserved, of which Beta-Api holds 150: 250 elsewhere leave 1,000 - 100 - 250 = 650 for 660."""
    result = live(str(ASSEMBLIES / "stages"), None, "--format", "json")
    data = json.loads(result.stdout)
    assert [(one["account"], one["reserved"], one["reservable"]) for one in data["accounts"]] == [
        ("111111111111", 660, 650),
        ("222222222222", 1260, 900),
    ]
    assert data["notes"] == [
        "account 111111111111 in eu-west-1: limit 1,000, 400 reserved, 150 of it by Beta-Api",
        "account 222222222222 and eu-west-1: the credentials are those of account 111111111111 in eu-west-1; the "
        "stated numbers are used",
    ]


@pytest.mark.parametrize(("options", "reservable"), [([], 500), (["--stack", "Beta-Api"], 650)])
def test_a_template_is_credited_with_the_stacks_that_are_named(live: Any, options: list[str], reservable: int) -> None:
    write("one.json", template(One=600))
    result = live("one.json", None, *options)
    if reservable == 650:
        assert "account 111111111111 and eu-west-1: one.json 600 reserved of 650 reservable" in result.stdout
    else:
        assert "In account 111111111111 and eu-west-1, the functions reserve 600" in result.stdout
        assert "100 more than the 500 that can be reserved" in result.stdout
    assert result.exit_code == (0 if reservable == 650 else 1)


def test_a_named_stack_that_does_not_exist_is_named_beside_the_verdict(live: Any) -> None:
    write("one.json", template(One=500))
    result = live("one.json", None, "--stack", "Beta-Apy", "--stack", "not/a/name")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "account 111111111111 in eu-west-1: limit 1,000, 400 reserved, all of it elsewhere; nothing is credited for "
        "--stack Beta-Apy and not/a/name, because there is no such stack"
    )
    result = live("one.json", None, "--stack", "Beta-Apy", "--stack", "Beta-Api")
    assert "400 reserved, 150 of it by Beta-Api; nothing is credited for --stack Beta-Apy" in result.stdout


def test_a_plan_is_credited_with_what_its_state_reserves(live: Any) -> None:
    """400 are reserved, 300 of it by the function that the plan raises to 600: 1,000 - 100 - 100 leaves 800."""
    raised = function("one", 600, before={"reserved_concurrent_executions": 300}, actions=("update",))
    result = live(write("plan.json", plan(raised)))
    assert "plan.json 600 reserved of 800 reservable" in result.stdout
    assert "400 reserved, 300 of it by the state of the plan" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize(
    "call",
    [("lambda", "GetAccountSettings"), ("cloudformation", "ListStackResources"), ("lambda", "GetFunctionConcurrency")],
)
def test_without_a_permission_the_stated_numbers_are_used(live: Any, call: Question) -> None:
    result = live(str(ASSEMBLIES / "stages"), {call: DENIED}, "--account-limit", "1360")
    assert result.exit_code == 0
    assert "= 660 reserved of 1,260 reservable" in result.stdout
    (note,) = [line for line in result.stdout.splitlines() if "no permission" in line]
    assert note.startswith(f"account 111111111111 in eu-west-1: no permission for {call[0]}:{call[1]}")
    assert note.endswith(
        "; the stated numbers are used; --live needs lambda:GetAccountSettings, cloudformation:ListStackResources and "
        "lambda:GetFunctionConcurrency"
    )


def test_the_options_of_a_live_account_need_it(generator: Run) -> None:
    write("one.json", template(One=1))
    result = generator("check", "one.json", "--only", "quota", "--stack", "Shop")
    assert result.exit_code == 2
    assert "--profile, --region and --stack need --live" in result.stderr


@pytest.mark.slow
def test_a_file_is_judged_by_the_live_account_beside_cfn_lint(live: Any, generator: Run, monkeypatch: Any) -> None:
    write("one.json", template(One=501))
    with serving(Stub(answers(1000, 600))) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        result = generator("check", "one.json", "--live", "--region", "eu-west-1")
    assert "1 more than the 500 that can be reserved (limit 1,000 - unreserved floor 100 - reserved elsewhere 400)" in (
        result.stdout
    )


def test_a_stack_in_moto_holds_what_its_functions_reserve() -> None:
    """moto has no GetAccountSettings, so the test answers that one call."""
    with mock_aws():
        role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17"}}}
        functions = template(A=20, B=7)["Resources"]
        for one in functions.values():
            one["Properties"]["Role"] = {"Fn::GetAtt": ["Role", "Arn"]}
        client = boto3.client("cloudformation", region_name="eu-west-1")
        client.create_stack(StackName="Shop", TemplateBody=json.dumps({"Resources": {"Role": role, **functions}}))
        account = connection.connect("eu-west-1")
        limits = {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}}
        account._answers["lambda", "GetAccountSettings"] = limits
        found = live_stack.concurrency_in_use(account, ["Shop", "Nowhere"])
    assert (found.limit, found.reserved, found.by_stacks) == (1000, 100, 27)


def test_a_stack_that_may_go_anywhere_is_judged_in_the_credentials_region(live: Any) -> None:
    write("out/manifest.json", stacks(Anywhere="unknown-account/unknown-region"))
    write("out/Anywhere.template.json", resources(One=reserving(501)))
    result = live("out")
    assert "In account 111111111111 and eu-west-1, the functions reserve 501" in result.stdout
    assert "1 more than the 500 that can be reserved" in result.stdout


@pytest.mark.slow
def test_a_file_keeps_the_account_of_the_project_without_a_permission(generator: Run, monkeypatch: Any) -> None:
    write(".cfnlintrc", {"configure_rules": {"E9801": {"concurrency_limit": 300}}})
    write("one.json", template(One=250))
    with serving(Stub(answers(1000, 600) | {("lambda", "GetAccountSettings"): DENIED})) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        result = generator("check", "one.json", "--live", "--region", "eu-west-1")
    assert result.exit_code == 1
    assert "50 more than the 200 that can be reserved (limit 300 - unreserved floor 100" in result.stdout


@pytest.mark.slow
def test_environments_together_are_judged_by_the_live_account(generator: Run, monkeypatch: Any) -> None:
    """They reserve 65. A limit of 500 with 350 reserved leaves 50."""
    with serving(Stub(answers(500, 150))) as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        result = generator("check", "--together", "--live", "--region", "eu-west-1")
    assert result.exit_code == 1
    assert "= 65, 15 more than the 50 that can be reserved" in result.stdout
