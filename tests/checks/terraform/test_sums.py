"""The sums of Terraform plans, each worked out by hand, for each account and Region."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from generator.checks.quota.variants import variants
from generator.checks.quota.worst_case import worst_case
from generator.template import terraform
from tests.checks.rules.rule_runner import by_name
from tests.checks.terraform.plans import Planned, function, plan, provisioned, target

HERE = ("", "eu-west-1")

Sums = dict[tuple[str, str], int]


def read(content: Any) -> tuple[Sums, dict[str, str]]:
    """The sum in each account and Region, and by address what is not counted."""
    found = terraform.plan("plan.json", json.dumps(content))
    sums: Sums = {}
    for part in found.parts:
        given = [part.parameters] if part.stack else []
        case = worst_case(variants(part.document, given))
        assert (case.unresolved, case.not_examined) == ((), ())
        if case.total:
            key = (part.account, part.region)
            sums[key] = sums.get(key, 0) + case.total
    return sums, {gap.address: gap.reason for gap in found.gaps}


def provider(region: Any, **expressions: Any) -> dict[str, Any]:
    return {"name": "aws", "expressions": {"region": region, **expressions}}


def constant(value: Any) -> dict[str, Any]:
    return {"constant_value": value}


ARN = "arn:aws:lambda:eu-west-1:111122223333:function:worker"
DELETED = function("old", before={}, actions=("delete",))
WORKER = "aws_lambda_function.worker"
ROLE = [{"role_arn": constant("arn:aws:iam::111122223333:role/deploy")}]
TEMPLATE = json.dumps(
    {
        "Parameters": {"Units": {"Type": "Number", "Default": 1}},
        "Conditions": {"IsLarge": {"Fn::Equals": [{"Ref": "Units"}, "40"]}},
        "Resources": {
            "Fn1": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"ReservedConcurrentExecutions": {"Fn::If": ["IsLarge", 40, 2]}},
            }
        },
    }
)
STACK = Planned("aws_cloudformation_stack", "forwarder", {"template_body": TEMPLATE, "parameters": {"Units": "40"}})
ALIAS = Planned(
    "awscc_lambda_alias", "live", {"name": "live"}, ("function_name",), {"function_name": [f"{WORKER}.arn", WORKER]}
)
CONFIG = {"provisioned_concurrent_executions": 60}
TARGET = target(70, values={"resource_id": "function:worker:live"})
IN_MODULES = [
    function("a", 3, module="module.api"),
    function("b", 5, module='module.api.module.inner["x.y"]'),
    function("b", 5, module='module.api.module.inner["module.z"]'),
    function("c", 7),
]
TWO_REGIONS = {"aws": provider(constant("eu-west-1")), "aws.us": provider(constant("us-east-1"))}

SUMS: list[tuple[Any, ...]] = [
    ("nothing", plan(), {}),
    ("one function", plan(function(reserved=10)), {HERE: 10}),
    ("the provider's default is no reservation", plan(function(reserved=-1)), {}),
    ("null is no reservation", plan(function(values={"reserved_concurrent_executions": None})), {}),
    ("0 counts as 0", plan(function(reserved=0), function("b", 4)), {HERE: 4}),
    ("count", plan(*(function(reserved=20, index=n) for n in range(3))), {HERE: 60}),
    ("for_each", plan(*(function(reserved=20, index=key) for key in ("a", 'b"]', "c.d"))), {HERE: 60}),
    ("modules, some with for_each", plan(*IN_MODULES), {HERE: 20}),
    ("provisioned without a reservation", plan(function(reserved=-1), provisioned(8)), {HERE: 8}),
    ("provisioned within the reservation", plan(function(reserved=10), provisioned(8)), {HERE: 10}),
    (
        "two aliases without a reservation",
        plan(function(reserved=-1), provisioned(8), provisioned(4, name="next", values={"qualifier": "next"})),
        {HERE: 12},
    ),
    (
        "provisioned for a function by its literal name",
        plan(function(reserved=-1), provisioned(8, values={"function_name": "worker"}, refers={})),
        {HERE: 8},
    ),
    (
        "provisioned for a function by its ARN",
        plan(
            function(reserved=10),
            provisioned(
                8, values={"function_name": "arn:aws:lambda:eu-west-1:111122223333:function:worker"}, refers={}
            ),
        ),
        {HERE: 10},
    ),
    (
        "provisioned by an alias",
        plan(
            function(reserved=-1),
            Planned(
                "aws_lambda_alias",
                "live",
                {"name": "live"},
                ("function_name",),
                {"function_name": ["aws_lambda_function.worker.arn", "aws_lambda_function.worker"]},
            ),
            provisioned(8, refers={"function_name": ["aws_lambda_alias.live.function_name", "aws_lambda_alias.live"]}),
        ),
        {HERE: 8},
    ),
    (
        "provisioned for each function of a for_each",
        plan(
            function(reserved=-1, index="a"),
            function(reserved=30, index="b"),
            *(
                provisioned(8, index=key, refers={"function_name": ["aws_lambda_function.worker", "each.key"]})
                for key in ("a", "b")
            ),
        ),
        {HERE: 38},
    ),
    (
        "provisioned for the function of a variable index",
        plan(
            function(reserved=-1, index=0),
            function(reserved=30, index=1),
            provisioned(8, index=1, refers={"function_name": [WORKER, "var.main"]}),
            variables={"main": {"value": "0"}},
        ),
        {HERE: 38},
    ),
    (
        "provisioned for a function of the awscc provider",
        plan(
            Planned("awscc_lambda_function", "w", {"reserved_concurrent_executions": 30}),
            provisioned(8, "awscc_lambda_function.w"),
        ),
        {HERE: 30},
    ),
    (
        "provisioned for each.value",
        plan(
            function(reserved=-1, index="a"),
            provisioned(
                8,
                index="a",
                refers={"function_name": ["each.value.function_name", "each.value"]},
                for_each=("aws_lambda_function.worker",),
            ),
        ),
        {HERE: 8},
    ),
    (
        "provisioned in a module for a function given to it",
        plan(
            function(reserved=-1),
            provisioned(8, module="module.warm", refers={"function_name": ["var.name"]}),
            calls={
                "warm": {
                    "expressions": {
                        "name": {
                            "references": ["aws_lambda_function.worker.function_name", "aws_lambda_function.worker"]
                        }
                    }
                }
            },
        ),
        {HERE: 8},
    ),
    (
        "provisioned for the output of one instance of a module",
        plan(
            function(reserved=-1, module="module.api[0]"),
            function(reserved=50, module="module.api[1]"),
            provisioned(8, refers={"function_name": ["module.api[0].name", "module.api[0]", "module.api"]}),
            calls={
                "api": {
                    "outputs": {
                        "name": {
                            "expression": {
                                "references": ["aws_lambda_function.worker.function_name", "aws_lambda_function.worker"]
                            }
                        }
                    }
                }
            },
        ),
        {HERE: 58},
    ),
    ("the maximum of auto scaling", plan(function(reserved=-1), provisioned(8), target(30)), {HERE: 38}),
    (
        "the maximum of auto scaling for the same alias",
        plan(function(reserved=-1), provisioned(8), target(30, values={"resource_id": "function:worker:live"})),
        {HERE: 30},
    ),
    (
        "auto scaling of a table",
        plan(function(), target(500, values={"scalable_dimension": "dynamodb:table:ReadCapacityUnits"})),
        {HERE: 10},
    ),
    (
        "managed instances",
        plan(
            function(values={"capacity_provider_config": [{"lambda_managed_instances_capacity_provider_config": []}]})
        ),
        {},
    ),
    ("data sources", plan(function(), function("other", 500, mode="data")), {HERE: 10}),
    (
        "two Regions by alias",
        plan(function(reserved=10), function("b", 20, provider="aws.us"), providers=TWO_REGIONS),
        {HERE: 10, ("", "us-east-1"): 20},
    ),
    (
        "the region argument of a resource",
        plan(function(reserved=10), function("b", 20, values={"region": "us-east-1"})),
        {HERE: 10, ("", "us-east-1"): 20},
    ),
    (
        "a Region by a variable",
        plan(
            function(),
            providers={"aws": provider({"references": ["var.region"]})},
            variables={"region": {"value": "ap-southeast-2"}},
        ),
        {("", "ap-southeast-2"): 10},
    ),
    (
        "a Region by a variable of a module",
        plan(
            function(module="module.api", provider="module.api:aws"),
            providers={"module.api:aws": {**provider({"references": ["var.where"]}), "module_address": "module.api"}},
            calls={"api": {"expressions": {"where": {"references": ["var.region"]}}}},
            variables={"region": {"value": "ap-southeast-2"}},
        ),
        {("", "ap-southeast-2"): 10},
    ),
    (
        "a Region that only the state shows",
        plan(
            function(values={"arn": "arn:aws:lambda:eu-north-1:111122223333:function:worker"}),
            function("b", 5),
            providers={"aws": {"name": "aws", "expressions": {}}},
        ),
        {("111122223333", "eu-north-1"): 15},
    ),
    (
        "an account by its role",
        plan(function(), providers={"aws": provider(constant("eu-west-1"), assume_role=ROLE)}),
        {("111122223333", "eu-west-1"): 10},
    ),
    (
        "an account by the identity of the caller",
        plan(function(), Planned("aws_caller_identity", "me", {"account_id": "111122223333"}, mode="data")),
        {("111122223333", "eu-west-1"): 10},
    ),
    (
        "two accounts",
        plan(
            function(reserved=10),
            function("b", 20, provider="aws.prod"),
            providers={
                "aws": provider(constant("eu-west-1"), allowed_account_ids=constant(["111122223333"])),
                "aws.prod": provider(constant("eu-west-1"), allowed_account_ids=constant(["444455556666"])),
            },
        ),
        {("111122223333", "eu-west-1"): 10, ("444455556666", "eu-west-1"): 20},
    ),
    ("a CloudFormation stack in the plan", plan(function(), STACK), {HERE: 50}),
    (
        "a Cloud Control resource",
        plan(
            Planned(
                "aws_cloudcontrolapi_resource",
                "fn",
                {"type_name": "AWS::Lambda::Function", "desired_state": '{"ReservedConcurrentExecutions": 9}'},
            )
        ),
        {HERE: 9},
    ),
    (
        "a function that is deleted",
        plan(function(), leaving=[DELETED]),
        {HERE: 10},
    ),
    (
        "a function that is only forgotten",
        plan(
            function(reserved=-1),
            Planned("aws_lambda_function", "old", before={"reserved_concurrent_executions": 33}, actions=("forget",)),
        ),
        {HERE: 33},
    ),
    (
        "a reservation that the awscc provider leaves open",
        plan(Planned("awscc_lambda_function", "a", {}, ("reserved_concurrent_executions",)), function()),
        {HERE: 10},
    ),
    (
        "an alias, a target and a stack of the awscc provider",
        plan(
            function(reserved=-1),
            replace(ALIAS, values={**ALIAS.values, "provisioned_concurrency_config": CONFIG}),
            replace(
                target(70, values={"resource_id": "function:worker:live"}),
                type="awscc_applicationautoscaling_scalable_target",
            ),
            replace(STACK, type="awscc_cloudformation_stack", unknown=("parameters", "template_url")),
        ),
        {HERE: 110},
    ),
    (
        "an alias of the awscc provider that leaves provisioned concurrency open",
        plan(function(), replace(ALIAS, unknown=(*ALIAS.unknown, "provisioned_concurrency_config"))),
        {HERE: 10},
    ),
    ("a plan by OpenTofu", plan(function(), terraform_version="1.9.0", format_version="1.2"), {HERE: 10}),
]


@pytest.mark.parametrize(("content", "expected"), by_name(SUMS))
def test_counts_what_the_plan_leaves_in_each_account_and_region(content: Any, expected: Sums) -> None:
    assert read(content) == (expected, {})


LATE_ALIAS = replace(
    ALIAS,
    unknown=("function_name", "provisioned_concurrency_config"),
    refers={**ALIAS.refers, "provisioned_concurrency_config": ["local.config"]},
)
IN_BUCKET = Planned("aws_cloudformation_stack", "s", {"template_url": "https://s3/t.json"})
LATE = Planned("aws_cloudformation_stack", "s", {}, ("template_body",), {"template_body": ["data.http.t.body"]})
SAR = Planned("aws_serverlessapplicationrepository_cloudformation_stack", "s", {})
ELSEWHERE = provisioned(8, values={"function_name": "not-in-the-plan"}, refers={})
UNKNOWN = provisioned(8, refers={"function_name": ["local.name"]})

RESERVED = {"reserved_concurrent_executions": 1}

GAPS: list[tuple[Any, ...]] = [
    ("provisioned by an alias of awscc after apply", plan(function(), LATE_ALIAS), ALIAS.address, "only after apply"),
    (
        "a stack set of the awscc provider",
        plan(Planned("awscc_cloudformation_stack_set", "s", {"template_body": "{}"})),
        "awscc_cloudformation_stack_set.s",
        "not in the plan",
    ),
    (
        "a type of another provider",
        plan(Planned("acme_function", "s", {"reserved_concurrent_executions": 5})),
        "acme_function.s",
        "declare it with the aws provider",
    ),
    ("a reservation after apply", plan(function(reserved=None)), WORKER, "only after apply"),
    (
        "no reservation in the plan",
        plan(Planned("aws_lambda_function", "worker")),
        WORKER,
        "not in the plan",
    ),
    (
        "a word",
        plan(function(values={"reserved_concurrent_executions": "many"})),
        WORKER,
        '"many"',
    ),
    ("a truth", plan(function(values={"reserved_concurrent_executions": True})), WORKER, "true"),
    ("a negative figure", plan(function(reserved=-2)), WORKER, "is -2"),
    (
        "provisioned after apply",
        plan(function(), provisioned(8, values={"provisioned_concurrent_executions": None})),
        "aws_lambda_provisioned_concurrency_config.live",
        "not in the plan",
    ),
    (
        "provisioned elsewhere",
        plan(function(), ELSEWHERE),
        ELSEWHERE.address,
        "for a function that is not",
    ),
    ("provisioned by a local", plan(function(), UNKNOWN), UNKNOWN.address, "for a function that is not"),
    (
        "provisioned for one of two",
        plan(function(reserved=-1, index=0), function(index=1), provisioned(8)),
        UNKNOWN.address,
        "one of several functions",
    ),
    (
        "provisioned by a local index, although its own index would fit",
        plan(
            *(function(reserved=index or -1, index=index) for index in (0, 30)),
            provisioned(8, index=30, refers={"function_name": [WORKER, "local.main"]}),
        ),
        f"{UNKNOWN.address}[30]",
        "one of several functions",
    ),
    (
        "provisioned by a variable without a value",
        plan(
            *(function(reserved=-1, index=index) for index in (0, 1)),
            provisioned(8, refers={"function_name": [WORKER, "var.main"]}),
        ),
        UNKNOWN.address,
        "one of several functions",
    ),
    ("a template in a bucket", plan(IN_BUCKET), IN_BUCKET.address, "in a bucket"),
    ("a template after apply", plan(LATE), LATE.address, "only after apply"),
    ("an application of the repository", plan(SAR), SAR.address, "that is not in the plan"),
    ("an address that appears twice", plan(function(), function()), WORKER, "appears twice"),
    ("the plan has errors", plan(errored=True, complete=False), "", "ended with an error"),
    ("the plan has a target", plan(complete=False), "", "-target"),
    (
        "a capacity provider after apply",
        plan(Planned("aws_lambda_function", "worker", RESERVED, ("capacity_provider_config",))),
        WORKER,
        "only after apply",
    ),
    (
        "a Cloud Control state after apply",
        plan(Planned("aws_cloudcontrolapi_resource", "c", {"type_name": "AWS::Lambda::Alias"}, ("desired_state",))),
        "aws_cloudcontrolapi_resource.c",
        "only after apply",
    ),
]


@pytest.mark.parametrize(("content", "address", "reason"), by_name(GAPS))
def test_names_what_the_plan_does_not_state(content: Any, address: str, reason: str) -> None:
    _, gaps = read(content)
    assert list(gaps) == [address]
    assert reason in gaps[address]
