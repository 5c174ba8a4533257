"""A hostile Terraform plan ends in bounded time, without a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from generator._runtime import time_limit
from generator.errors import UnreadableTemplate
from generator.template import terraform
from generator.template.plan_references import PlannedResource, References

CONFIG = "aws_lambda_provisioned_concurrency_config"
DEPTH = 40


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    with time_limit(10):
        yield


def entry(type_: str, name: str, index: Any = None, module: str = "", **values: Any) -> dict[str, Any]:
    address = f"{module}.{type_}.{name}".lstrip(".") + ("" if index is None else f"[{index}]")
    found = {"address": address, "mode": "managed", "type": type_, "name": name, "index": index, "values": values}
    return {key: value for key, value in found.items() if value is not None}


def provisioned(module: str = "", index: Any = None, **values: Any) -> dict[str, Any]:
    return entry(CONFIG, "p", index, module, provisioned_concurrent_executions=5, **values)


def block(type_: str, name: str, *references: str) -> dict[str, Any]:
    return {"type": type_, "name": name, "expressions": {"function_name": {"references": list(references)}}}


def read(
    resources: list[Any], root: dict[str, Any], module: str = "", inside: tuple[Any, ...] = ()
) -> terraform.TerraformPlan:
    planned = {"resources": resources, "child_modules": [{"address": module, "resources": list(inside)}]}
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": planned},
        "configuration": {"root_module": root},
    }
    return terraform.plan("plan.json", json.dumps(document))


@pytest.mark.parametrize("index", ['"\\q"', "007", "٣", "9" * 5000, '"a\nb"'], ids=ascii)
def test_an_index_that_terraform_does_not_write_names_nothing(index: str) -> None:
    module = f"module.a[{index}]"
    root = {"resources": [block(CONFIG, "p", f"aws_lambda_function.f[{index}].arn")]}
    read([provisioned()], root, module, (entry("aws_lambda_function", "f", module=module),))


def test_references_are_followed_once() -> None:
    """Each of these names two others, forty times over."""
    aliases = [f"aws_lambda_alias.a{number}" for number in range(4)]
    blocks = [block("aws_lambda_alias", one.partition(".")[2], *aliases) for one in aliases]
    entries = [entry("aws_lambda_alias", one["name"]) for one in blocks]
    assert read([provisioned(), *entries], {"resources": [*blocks, block(CONFIG, "p", aliases[0])]}).gaps

    both: dict[str, Any] = {"references": ["var.a", "var.b"]}
    inner: dict[str, Any] = {"resources": [block(CONFIG, "p", "var.a")]}
    for _ in range(DEPTH):
        inner = {"module_calls": {"m": {"expressions": {"a": both, "b": both}, "module": inner}}}
    module = ".".join(["module.m"] * DEPTH)
    assert read([], inner, module, (provisioned(module),)).gaps

    inner = {"outputs": {key: {"expression": {"references": ["aws_lambda_function.f.arn"]}} for key in "ab"}}
    outputs = {key: {"expression": {"references": ["module.m.a", "module.m.b"]}} for key in "ab"}
    for _ in range(DEPTH - 1):
        inner = {"module_calls": {"m": {"module": inner}}, "outputs": outputs}
    root = {"module_calls": {"m": {"module": inner}}, "resources": [block(CONFIG, "p", "module.m.a")]}
    found = read([provisioned()], root, module, (entry("aws_lambda_function", "f", module=module),))
    assert found.gaps[0].reason.startswith("its reservation is not in the plan")
    assert len(found.parts[0].document["Resources"]) == 2


@pytest.mark.parametrize("depth", [3, terraform.MAX_MODULES])
def test_a_reference_is_followed_through_all_modules(depth: int) -> None:
    function = entry("aws_lambda_function", "f", function_name="f", reserved_concurrent_executions=10)
    module = ".".join(["module.m"] * depth)
    named, config = {"references": ["aws_lambda_function.f.arn"]}, block(CONFIG, "p", "var.fn")
    inner: dict[str, Any] = {"resources": [config]}
    for level in range(depth):
        given = named if level == depth - 1 else {"references": ["var.fn"]}
        inner = {"module_calls": {"m": {"expressions": {"fn": given}, "module": inner}}}
    assert not read([function], inner, module, (provisioned(module),)).gaps

    inner = {"outputs": {"arn": {"expression": named}}}
    for _ in range(depth - 1):
        output = {"arn": {"expression": {"references": ["module.m.arn"]}}}
        inner = {"module_calls": {"m": {"module": inner}}, "outputs": output}
    root = {"module_calls": {"m": {"module": inner}}, "resources": [block(CONFIG, "p", "module.m.arn")]}
    function["address"] = f"{module}.aws_lambda_function.f"
    assert not read([provisioned()], root, module, (function,)).gaps


def test_the_module_of_a_provider_may_have_any_depth() -> None:
    region = {"region": {"references": ["var.region"]}}
    provider = {"aws": {"module_address": "module.a." * 5000, "expressions": region}}
    function = entry("aws_lambda_function", "f", function_name="f", reserved_concurrent_executions=10)
    declared = {**block("aws_lambda_function", "f"), "provider_config_key": "aws"}
    configuration = {"provider_config": provider, "root_module": {"resources": [declared]}}
    planned = {"root_module": {"resources": [function]}}
    document = {"format_version": "1.2", "planned_values": planned, "configuration": configuration}
    assert terraform.plan("plan.json", json.dumps(document)).parts


def test_one_name_in_many_accounts_does_not_take_quadratic_time() -> None:
    resources = [
        PlannedResource(
            address=f"aws_lambda_function.f[{number}]",
            type="aws_lambda_function",
            name="f",
            index=number,
            module=(),
            is_managed=True,
            values={"function_name": "f", "arn": f"arn:aws:lambda:eu-west-1:{10**11 + number}:function:f"},
            unknown={},
            before={},
        )
        for number in range(20_000)
    ]
    references = References({}, resources)
    with time_limit(10):
        assert all(references.functions(one, "function_name") == [one] for one in resources)


def test_many_instances_do_not_take_quadratic_time() -> None:
    functions = [entry("aws_lambda_function", "f", number, function_name="f") for number in range(3000)]
    unnamed = [provisioned(index=number) for number in range(3000)]
    assert read([*functions, *unnamed], {"resources": [block(CONFIG, "p", "aws_lambda_function.f")]}).parts
    named = [provisioned(index=number, function_name="f") for number in range(3000)]
    assert read([*functions, *named], {}).gaps


def test_a_name_longer_than_any_function_names_none() -> None:
    assert read([provisioned(function_name="function:a:" * 50_000 + "\n")], {}).gaps


def test_modules_have_a_bound() -> None:
    with pytest.raises(UnreadableTemplate, match="nested more than 100 deep"):
        read([], {}, "module.a." * 50_000, (entry("aws_lambda_function", "f"),))


def test_values_without_text_have_a_bound() -> None:
    """A file of 90 MB took 2.2 GB."""
    with pytest.raises(UnreadableTemplate, match="more than 10,000,000 values"):
        terraform.plan("plan.json", f"[{'[],' * 5_000_001}[]]")
