"""`generator check` on Terraform plans: verdict, exit code, places, and bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from generator.cli.main import main
from tests.checks.rules.rule_runner import by_name
from tests.checks.terraform.plans import Planned, function, mapping, plan, provisioned
from tests.checks.test_files import Run

SNIPPET = "run: terraform plan -out=plan, then terraform show -json plan > plan.json"


def check(generator: Run, content: Any, *options: str) -> Result:
    Path("plan.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return generator("check", "plan.json", *options)


def test_a_plan_that_fits_is_good(generator: Run) -> None:
    result = check(generator, plan(function(reserved=900)))
    assert (result.exit_code, result.stdout) == (
        0,
        "plan.json: quota is good\nany account and eu-west-1: plan.json 900 reserved of 900 reservable\n",
    )


def test_the_sum_of_a_plan_that_is_not_proven_is_a_lower_bound(generator: Run) -> None:
    elsewhere = provisioned(8, values={"function_name": "not-in-the-plan"}, refers={})
    result = check(generator, plan(function(reserved=90), elsewhere))
    assert result.exit_code == 1
    assert result.stdout.endswith("any account and eu-west-1: plan.json at least 90 reserved of 900 reservable\n")
    assert (
        "refer to a function of the plan, such as aws_lambda_function.NAME.function_name, or add 8 to "
        "--reserved-elsewhere and give --allow-unproven\n" in result.stdout
    )


def test_one_unit_more_is_refused_with_the_limit_to_request_in_its_region(generator: Run) -> None:
    result = check(generator, plan(function(reserved=900), function("b", 1, index="a/b.c")))
    assert result.exit_code == 1
    assert result.stdout.startswith(
        "plan.json:1: error E9801: In any account and eu-west-1, the functions reserve 901 concurrent executions "
        "together, 1 more than the 900 that can be reserved (limit 1,000 - unreserved floor 100 - reserved elsewhere 0)"
        ': aws_lambda_function.worker 900, aws_lambda_function.b["a/b.c"] 1; lower them or request a limit of 1,001 '
        "or more: aws service-quotas request-service-quota-increase --region eu-west-1 --service-code lambda "
        "--quota-code L-B99A9384 --desired-value 1001\n"
    )


def test_a_new_account_can_reserve_nothing(generator: Run) -> None:
    result = check(generator, plan(function(reserved=1)), "--account-limit", "10")
    assert result.exit_code == 1
    assert "an account with a limit of 10 can reserve nothing: leave all reservations out" in result.stdout


def test_each_region_has_its_own_sum(generator: Run) -> None:
    result = check(generator, plan(function(reserved=900), function("b", 900, values={"region": "us-east-1"})))
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "any account and eu-west-1: plan.json eu-west-1 900 reserved of 900 reservable",
        "any account and us-east-1: plan.json us-east-1 900 reserved of 900 reservable",
    ]


def test_a_part_without_a_region_counts_in_each_region(generator: Run) -> None:
    late = {"us": {"name": "aws", "expressions": {"region": {"references": ["var.region"]}}}}
    providers = {"aws": {"name": "aws", "expressions": {"region": {"constant_value": "eu-west-1"}}}, **late}
    content = plan(function(reserved=750), function("b", 800, provider="us"), providers=providers)
    message = "In any account and eu-west-1, the functions reserve plan.json any Region 800 + plan.json eu-west-1 750 ="
    assert message in check(generator, content).stdout


def test_providers_without_an_account_count_together(generator: Run) -> None:
    providers = {
        key: {"name": "aws", "expressions": {"region": {"constant_value": "eu-west-1"}, "profile": profile}}
        for key, profile in (("aws", {"constant_value": "dev"}), ("aws.prod", {"constant_value": "prod"}))
    }
    content = plan(function(reserved=500), function("b", 500, provider="aws.prod"), providers=providers)
    assert check(generator, content).exit_code == 1


LATE = plan(function(reserved=500), function("late", None))
LATE_REASON = (
    "not counted: aws_lambda_function.late: its reservation is known only after apply; write a number that does not "
    "depend on other resources"
)


def test_what_is_known_only_after_apply_is_never_good(generator: Run) -> None:
    result = check(generator, LATE)
    assert result.exit_code == 1
    assert result.stdout.startswith(
        f"plan.json:1: warning not-proven: {LATE_REASON}\n"
        "plan.json: the quota is not proven, because not everything is counted\n"
    )
    accepted = check(generator, LATE, "--allow-unproven", "--format", "json")
    assert accepted.exit_code == 0
    data = json.loads(accepted.stdout)
    assert data["verdict"] == "not-proven"
    (finding,) = data["findings"]
    assert (finding["path"], finding["message"]) == ("aws_lambda_function.late", LATE_REASON)


def test_the_other_rules_read_plans_too(generator: Run) -> None:
    queue = Planned("aws_sqs_queue", "orders", {"redrive_policy": '{"maxReceiveCount": 1}', "fifo_queue": False})
    result = check(generator, plan(function(reserved=10), mapping(20), queue, provisioned(12), function("off", 0)))
    found = [line.split(": ")[1].split(" ")[1] for line in result.stdout.splitlines()[:4]]
    assert (result.exit_code, found) == (1, ["E9802", "E9807", "W9804", "W9808"])
    assert "aws_lambda_event_source_mapping.orders has a maximum concurrency of 20" in result.stdout
    assert "aws_sqs_queue.orders moves a message" in result.stdout


@pytest.mark.parametrize("options", [(), ("--only", "quota")])
def test_the_other_rules_read_the_cloudformation_stacks_in_a_plan(generator: Run, options: tuple[str, ...]) -> None:
    provisioning = {"ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 12}}
    resources = {
        "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 10}},
        "Live": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Fn"}, **provisioning}},
    }
    body = json.dumps({"Resources": resources})
    result = check(generator, plan(Planned("aws_cloudformation_stack", "legacy", {"template_body": body})), *options)
    assert (result.exit_code, result.stdout.count("plan.json:1: error E9802: Fn has 12 provisioned")) == (1, 1)


def test_a_syntax_error_in_the_template_of_a_stack_does_not_name_a_line_of_the_plan(generator: Run) -> None:
    result = check(generator, plan(Planned("aws_cloudformation_stack", "s", {"template_body": "a:\n\n  - ["})))
    assert "plan.json:1: warning not-proven: not counted: aws_cloudformation_stack.s: its template" in result.stdout
    assert ": line " in result.stdout


def changed(name: str, before: int, after: int, *actions: str) -> Planned:
    return function(name, after, before={"reserved_concurrent_executions": before}, actions=actions or ("update",))


OLD = changed("old", 200, 0, "delete")

ON_THE_WAY: list[tuple[Any, ...]] = [
    ("one raised before another is lowered", plan(changed("a", 200, 600), changed("b", 600, 200)), 1_200),
    (
        "functions of the awscc provider",
        plan(*(replace(one, type="awscc_lambda_function") for one in (changed("a", 200, 600), changed("b", 600, 200)))),
        1_200,
    ),
    ("created before an old one is destroyed", plan(changed("a", 500, 500, "create", "delete")), 1_000),
    ("created beside one that goes", plan(function(reserved=800), leaving=[OLD]), 1_000),
]

NEVER_MORE: list[tuple[Any, ...]] = [
    ("only lowered", plan(changed("a", 900, 800))),
    ("destroyed before it is created", plan(changed("a", 500, 500, "delete", "create"))),
    ("nothing changes", plan(changed("a", 900, 900, "no-op"))),
    ("room for both", plan(function(reserved=700), leaving=[OLD])),
]


@pytest.mark.parametrize(("content", "most"), by_name(ON_THE_WAY))
def test_warns_of_an_apply_that_needs_more_than_its_result(generator: Run, content: Any, most: int) -> None:
    result = check(generator, content)
    assert result.exit_code == 1
    assert f"warning apply-order: The apply may reserve up to {most:,} at once" in result.stdout


@pytest.mark.parametrize("content", by_name(NEVER_MORE))
def test_does_not_warn_of_an_apply_that_fits_all_the_way(generator: Run, content: Any) -> None:
    assert check(generator, content).exit_code == 0


DEEP = '{"format_version": "1.2", "terraform_version": "1", "planned_values": ' + '{"root_module":' * 50_000
DEEP_MODULES = json.dumps(plan()).replace('"resources": []', '"child_modules": [{"x": 1}, 2]', 1)
LONG = json.dumps(plan(function(reserved=7))).replace(": 7", ": " + "7" * 5_000)

STATE = {"format_version": "1.0", "terraform_version": "1.11.4", "values": {}}

BAD: list[tuple[Any, ...]] = [
    (
        "a state",
        {"format_version": "1.0", "terraform_version": "1.11.4", "values": {}},
        "a Terraform state, not a plan",
    ),
    ("a log", '{"@level":"info","terraform":"1.11.4"}\n{"@level":"info"}\n', "the log of terraform plan -json"),
    ("format 2", plan(format_version="2.0"), "a plan of format '2.0'"),
    ("no format", plan(format_version=None), "a plan of format None"),
    ("planned values of another kind", plan(planned_values=[]), "planned_values entry of the plan is not an object"),
    ("changes of another kind", plan(resource_changes={"a": 1}), "resource_changes of the plan is not a list"),
    ("a change of another kind", plan(resource_changes=["a"]), "resource_changes entry of the plan is not an object"),
    ("a module of another kind", DEEP_MODULES, "child_modules entry of the plan is not an object"),
    ("nested without end", DEEP, "nested too deeply"),
    ("cut off", json.dumps(plan(function()))[:-20], "not JSON"),
    ("a number of 5,000 digits", LONG, "a number with more than 300 digits"),
]


@pytest.mark.parametrize(("content", "reason"), by_name(BAD))
def test_bad_input_is_named(generator: Run, content: Any, reason: str) -> None:
    result = check(generator, content)
    assert (result.exit_code, result.stdout) == (2, "")
    assert reason in result.stderr
    assert "plan.json" in result.stderr


def test_a_state_gets_the_command_that_writes_a_plan(generator: Run) -> None:
    assert SNIPPET in check(generator, STATE).stderr


def test_control_characters_in_an_address_do_not_reach_the_terminal(generator: Run) -> None:
    result = check(generator, plan(function("late\u001b[31m\n::error::", None)))
    assert result.exit_code == 1
    assert "\u001b" not in result.stdout
    assert "\n::error::" not in result.stdout


@pytest.mark.parametrize("kind", ["planned_values", "configuration", "prior_state", "variables", "resource_changes"])
def test_junk_in_a_section_never_ends_in_a_traceback(generator: Run, kind: str) -> None:
    every: list[Any] = [
        {},
        [],
        None,
        1,
        "x",
        [[]],
        {"root_module": []},
        {"provider_config": {"aws": 1}},
        [{"change": [1]}],
    ]
    for junk in every:
        assert check(generator, plan(function(), provisioned(1), **{kind: junk})).exit_code in (0, 1, 2)


@pytest.mark.usefixtures("project")
def test_a_plan_is_read_from_the_standard_input() -> None:
    result = CliRunner().invoke(main, ["check", "-"], input=json.dumps(plan(function(reserved=901))))
    assert result.exit_code == 1
    assert result.stdout.startswith("-:1: error E9801: ")


@pytest.mark.usefixtures("no_region")
def test_a_plan_in_a_folder_counts_with_the_templates_there(generator: Run) -> None:
    folder = Path("infrastructure")
    folder.mkdir()
    resource = {"Type": "AWS::Lambda::Function", "Properties": {"ReservedConcurrentExecutions": 400}}
    (folder / "stack.json").write_text(json.dumps({"Resources": {"Fn": resource}}))
    (folder / "plan.json").write_text(json.dumps(plan(function(reserved=501))))
    (folder / "state.json").write_text(json.dumps(STATE))
    result = generator("check", "--only", "quota", str(folder))
    assert result.exit_code == 1
    assert "plan.json 501 + stack.json 400 = at least 901, 1 more than the 900" in result.stdout
    assert (
        "infrastructure/state.json:1: warning not-proven: not counted: a Terraform state, not a plan" in result.stdout
    )


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--only", "quota")])
def test_a_plan_and_an_environment_count_together(generator: Run, options: tuple[str, ...]) -> None:
    """dev reserves 11 and the plan 889: together they fill the 900 of the account."""
    for figure, code in ((889, 0), (890, 1)):
        Path("plan.json").write_text(json.dumps(plan(function(reserved=figure))))
        result = generator("check", "dev", "plan.json", "--together", *options)
        assert f"plan.json {figure} + dev.json 11 = {figure + 11}" in result.stdout
        assert result.exit_code == code


@pytest.mark.slow
def test_a_gap_cannot_be_ignored(generator: Run) -> None:
    Path("plan.json").write_text(json.dumps(plan(function(), provisioned(5))))
    for one, message in (("not-proven", "use --allow-unproven"), ("not", "use --allow-unproven"), ("", "no rule has")):
        result = generator("check", "plan.json", "--ignore", one)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr


@pytest.mark.slow
def test_the_quota_of_a_plan_is_not_good_where_its_rule_is_left_out(generator: Run) -> None:
    Path("plan.json").write_text(json.dumps(plan(function(reserved=901))))
    result = generator("check", "plan.json", "--ignore", "E9801")
    assert result.stdout.startswith("plan.json: the quota was not checked: E9801 is switched off\n")
