"""Plans in the documented JSON form of Terraform, from short descriptions of their resources."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from generator.template.plan_references import module_of

IRELAND = {"region": {"constant_value": "eu-west-1"}}

DIMENSION = "lambda:function:ProvisionedConcurrency"


@dataclass(frozen=True)
class Planned:
    """A resource of a plan. `refers` names for each attribute what its expression refers to."""

    type: str
    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    refers: Mapping[str, list[str]] = field(default_factory=dict)
    index: int | str | None = None
    module: str = ""
    before: Mapping[str, Any] | None = None
    actions: tuple[str, ...] = ("create",)
    provider: str = "aws"
    for_each: tuple[str, ...] = ()
    mode: str = "managed"

    @property
    def address(self) -> str:
        index = "" if self.index is None else f"[{json.dumps(self.index)}]"
        return f"{self.module}.{self.type}.{self.name}{index}".removeprefix(".")

    def planned(self) -> dict[str, Any]:
        """Return its entry in planned_values."""
        index = {} if self.index is None else {"index": self.index}
        place = {"address": self.address, "mode": self.mode, "type": self.type, "name": self.name}
        source = {"provider_name": "registry.terraform.io/hashicorp/aws", "schema_version": 0}
        values = {} if self.actions == ("forget",) else {"values": dict(self.values)}
        return {**place, **index, **source, **values, "sensitive_values": {}}

    def change(self) -> dict[str, Any]:
        """Return its entry in resource_changes."""
        states = {
            "actions": list(self.actions),
            "before": self.before,
            "after": dict(self.values),
            "after_unknown": dict.fromkeys(self.unknown, True),
            "before_sensitive": False,
            "after_sensitive": {},
        }
        module = {"module_address": self.module} if self.module else {}
        entry = {key: value for key, value in self.planned().items() if key not in ("values", "sensitive_values")}
        return {**entry, **module, "change": states}

    def declared(self) -> dict[str, Any]:
        """Return its block in the configuration."""
        constants = {key: {"constant_value": value} for key, value in self.values.items()}
        references = {key: {"references": names} for key, names in self.refers.items()}
        each = {"for_each_expression": {"references": list(self.for_each)}} if self.for_each else {}
        place = {"address": f"{self.type}.{self.name}", "mode": self.mode, "type": self.type, "name": self.name}
        return {**place, "provider_config_key": self.provider, "expressions": {**constants, **references}, **each}


def function(name: str = "worker", reserved: int | None = 10, **rest: Any) -> Planned:
    """A function; a reservation of None is known only after apply."""
    figure = {} if reserved is None else {"reserved_concurrent_executions": reserved}
    late = {"reserved_concurrent_executions": ["random_integer.units.result", "random_integer.units"]}
    unknown = ("arn", "id", *(("reserved_concurrent_executions",) if reserved is None else ()))
    values = {"function_name": name, "runtime": "python3.13", **figure, **rest.pop("values", {})}
    refers = late if reserved is None else {}
    return Planned("aws_lambda_function", name, values, unknown, refers, **rest)


def provisioned(figure: int, function: str = "aws_lambda_function.worker", **rest: Any) -> Planned:
    """Provisioned concurrency of a function's alias."""
    values = {"provisioned_concurrent_executions": figure, "qualifier": "live", **rest.pop("values", {})}
    refers = {"function_name": [f"{function}.function_name", function]}
    name = rest.pop("name", "live")
    return Planned(
        "aws_lambda_provisioned_concurrency_config",
        name,
        values,
        ("function_name",),
        rest.pop("refers", refers),
        **rest,
    )


def target(maximum: int, **rest: Any) -> Planned:
    """A scalable target of the worker's alias."""
    values = {"max_capacity": maximum, "scalable_dimension": DIMENSION, "service_namespace": "lambda"}
    refers = {"resource_id": ["aws_lambda_function.worker.function_name", "aws_lambda_function.worker"]}
    return Planned("aws_appautoscaling_target", "live", {**values, **rest.pop("values", {})}, ("id",), refers, **rest)


def mapping(maximum: int, **rest: Any) -> Planned:
    """An SQS event source mapping of the worker."""
    values = {"scaling_config": [{"maximum_concurrency": maximum}], **rest.pop("values", {})}
    refers = {
        "function_name": ["aws_lambda_function.worker.arn", "aws_lambda_function.worker"],
        "event_source_arn": ["aws_sqs_queue.orders.arn", "aws_sqs_queue.orders"],
    }
    refers |= rest.pop("refers", {})
    return Planned("aws_lambda_event_source_mapping", "orders", values, ("function_name",), refers, **rest)


def plan(*resources: Planned, **sections: Any) -> dict[str, Any]:
    """Return a plan. `providers` and `calls` are parts of its configuration; `leaving` are changes without a plan."""
    providers = sections.pop("providers", {"aws": {"name": "aws", "expressions": IRELAND}})
    calls = sections.pop("calls", {})
    leaving = sections.pop("leaving", ())
    states = [one for one in resources if one.mode == "managed"]
    data = [one.planned() for one in resources if one.mode == "data"]
    found = {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "variables": {},
        "planned_values": {"root_module": _module("", states)},
        "resource_changes": [one.change() for one in (*states, *leaving)],
        "prior_state": {"format_version": "1.0", "values": {"root_module": {"resources": data}}},
        "configuration": {"provider_config": providers, "root_module": _configuration((), resources, calls)},
        "applyable": True,
        "complete": True,
        "errored": False,
    }
    return {**found, **sections}


def _module(address: str, resources: list[Planned]) -> dict[str, Any]:
    own = [one.planned() for one in resources if one.module == address]
    depth = len(module_of(address)) + 1
    below = {one.module for one in resources if _first(one.module, depth - 1) == address and one.module != address}
    children = dict.fromkeys(_first(one, depth) for one in sorted(below))
    inner = [_module(child, resources) for child in children]
    named = {"address": address} if address else {}
    return {**named, "resources": own, **({"child_modules": inner} if inner else {})}


def _first(address: str, depth: int) -> str:
    steps = module_of(address)[:depth]
    return ".".join(f"module.{name}" + ("" if index is None else f"[{json.dumps(index)}]") for name, index in steps)


def _configuration(names: tuple[str, ...], resources: tuple[Planned, ...], calls: Any) -> dict[str, Any]:
    paths = {one.module: tuple(name for name, _ in module_of(one.module)) for one in resources}
    own = {(one.type, one.name): one.declared() for one in resources if paths[one.module] == names}
    depth = len(names)
    below = set(paths.values())
    children = sorted({path[depth] for path in below if path[:depth] == names and len(path) > depth})
    module_calls = {}
    for child in children:
        call = {key: value for key, value in calls.get(child, {}).items() if key not in ("outputs", "variables")}
        module = _configuration((*names, child), resources, calls)
        extra = {key: calls.get(child, {}).get(key, {}) for key in ("outputs", "variables")}
        module_calls[child] = {"source": f"./{child}", **call, "module": {**module, **extra}}
    return {"resources": list(own.values()), "module_calls": module_calls}
