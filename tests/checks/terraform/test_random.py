"""Random plans against sums that share nothing with the engine; and nothing that is hidden is ever good."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from generator.checks import quota_check
from generator.checks.findings import CheckVerdict
from generator.checks.quota_check import Report
from generator.checks.request import Request
from tests.checks.terraform.plans import Planned, function, plan, provisioned
from tests.conftest import SCALE

REGIONS = ("eu-west-1", "us-east-1")

MODULES = ("", "module.api", 'module.api["a/b"]', "module.api[1].module.queue", 'module.x.module.y["k.z"]')


def random_plan(rng: random.Random) -> tuple[list[Planned], Counter[str]]:
    """Return resources and what they take from the pool of each Region."""
    resources, pool = [], Counter[str]()
    for number in range(rng.randint(1, 8)):
        module, region = rng.choice(MODULES), rng.choice(REGIONS)
        reserved = rng.choice([-1, -1, 0, rng.randint(1, 400)])
        index = rng.choice([None, 0, "a.b", 'c"d'])
        place: dict[str, Any] = {"module": module, "index": index}
        resources.append(function(f"f{number}", reserved, values={"region": region}, **place))
        warm = [rng.randint(1, 60) for _ in range(rng.choice([0, 0, 1, 2]))]
        for order, figure in enumerate(warm):
            named = {"qualifier": f"q{order}", "region": region}
            own = f"aws_lambda_function.f{number}"
            resources.append(provisioned(figure, own, name=f"p{number}x{order}", values=named, **place))
        pool[region] += sum(warm) if reserved == -1 else reserved
    return resources, +pool


def check(folder: Path, content: Any) -> Report:
    path = folder / "plan.json"
    path.write_text(json.dumps(content))
    return quota_check.check(Request(files=[path]))


@pytest.mark.parametrize("seed", range(50 * SCALE))
def test_agrees_with_the_sum_of_each_region(seed: int, tmp_path: Path) -> None:
    resources, pool = random_plan(random.Random(seed))
    report = check(tmp_path, plan(*resources))
    assert {place.account.region: place.total for place in report.pools if place.total} == pool
    fits = all(total <= 900 for total in pool.values())
    assert any(one.rule == "E9801" for one in report.findings) is not fits
    assert not any(one.rule == "not-proven" for one in report.findings)


@pytest.mark.slow
def test_put_function_concurrency_refuses_what_the_check_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """moto knows reservations; it does not know provisioned concurrency."""
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws

    monkeypatch.setenv("MOTO_LAMBDA_CONCURRENCY_QUOTA", "1000")
    rng, names = random.Random(1), [f"f{number}" for number in range(4)]
    verdicts = set()
    with mock_aws():
        trust = {"RoleName": "role", "AssumeRolePolicyDocument": "{}"}
        role = boto3.client("iam").create_role(**trust)["Role"]["Arn"]
        client = boto3.client("lambda", region_name="eu-west-1")
        for name in names:
            client.create_function(FunctionName=name, Role=role, Code={"ZipFile": b""}, PackageType="Image")
        for _ in range(20):
            figures = [rng.randint(0, 450) for _ in names]
            figures[-1] = rng.choice([figures[-1], max(0, 900 - sum(figures[:3])), max(0, 901 - sum(figures[:3]))])
            refused = False
            for name, figure in zip(names, figures, strict=True):
                try:
                    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=figure)
                except ClientError as error:
                    refused = "below its minimum value" in str(error)
            for name in names:
                client.delete_function_concurrency(FunctionName=name)
            report = check(tmp_path, plan(*map(function, names, figures)))
            assert any(one.rule == "E9801" for one in report.findings) is refused, figures
            verdicts.add(refused)
    assert verdicts == {True, False}


def hidden(rng: random.Random, one: Planned) -> list[Planned]:
    """Return a function that the plan does not show, in one of the ways in which plans do not."""
    opaque = "aws_serverlessapplicationrepository_cloudformation_stack"
    template = {"Resources": {"Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "x"}}}}
    macro = {"Transform": "Unknown", "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    loop = {
        "Resources": {"Fn::ForEach::X": ["N", {"Ref": "AWS::StackName"}, {"F${N}": {"Type": "AWS::Lambda::Function"}}]}
    }
    executions = {"provisioned_concurrent_executions": 5}
    scaled = {"max_capacity": 5, "scalable_dimension": "lambda:function:ProvisionedConcurrency"}
    ways = [
        [function(one.name, None, module=one.module, index=one.index)],
        [Planned("aws_lambda_function", one.name, module=one.module)],
        [Planned(opaque, one.name, module=one.module)],
        [Planned("aws_cloudformation_stack", one.name, {"template_url": "https://s3/x.json"})],
        [Planned("aws_cloudformation_stack", one.name, {}, ("template_body",))],
        [Planned("aws_cloudformation_stack", one.name, {"template_body": "not: a template"})],
        *(
            [Planned("aws_cloudformation_stack", one.name, {"template_body": json.dumps(document)})]
            for document in (template, macro, {**loop, "Transform": "AWS::LanguageExtensions"})
        ),
        [Planned("aws_cloudcontrolapi_resource", one.name, {"type_name": "AWS::Lambda::Function"}, ("desired_state",))],
        [provisioned(5, "data.aws_lambda_function.other", name=one.name, module=one.module)],
        [Planned("awscc_cloudformation_stack_set", one.name, {"template_body": "{}"}, module=one.module)],
        [Planned("awscc_cloudformation_stack", one.name, {"template_body": json.dumps(template)})],
        [Planned("awscc_lambda_alias", one.name, {"provisioned_concurrency_config": executions}, ("function_name",))],
        [Planned("awscc_applicationautoscaling_scalable_target", one.name, scaled, ("resource_id",))],
        [Planned("acme_lambda", one.name, executions)],
    ]
    return rng.choice(ways)


@pytest.mark.parametrize("seed", range(50 * SCALE))
def test_what_a_plan_hides_is_never_good(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    resources, _ = random_plan(rng)
    victim = rng.choice([one for one in resources if one.type == "aws_lambda_function"])
    kept = [one for one in resources if f".{victim.name}" not in json.dumps([one.address, *one.refers.values()])]
    content = plan(*kept, *hidden(rng, victim))
    if rng.random() < 0.1:
        content = plan(*kept, complete=False)
    assert check(tmp_path, content).verdict is not CheckVerdict.GOOD
