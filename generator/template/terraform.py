"""A Terraform or OpenTofu plan, as `terraform show -json PLAN` prints it, in the terms of CloudFormation.

Each account and Region of a plan becomes one template, so that one engine counts both. A function is named by its
address, and whatever belongs to it names that.

Source: https://developer.hashicorp.com/terraform/internals/json-format, format 1.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from generator.aws import PROVISIONED_DIMENSION
from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.intrinsics import Json, as_list, as_mapping, whole_number
from generator.template.model import Section
from generator.template.plan_files import MAX_CHARACTERS, MAX_VALUES, SHOW, logical_id
from generator.template.plan_references import FUNCTION_TYPES, PlannedResource, References, module_of
from generator.template.reading import json_value, unreadable

MAX_MODULES = 100
"""Levels of nested modules, ten times what any configuration has."""

UNRESERVED = -1
"""The provider's default of reserved_concurrent_executions."""

OPAQUE = (
    "aws_cloudformation_stack_instances",
    "aws_cloudformation_stack_set",
    "aws_cloudformation_stack_set_instance",
    "aws_serverlessapplicationrepository_cloudformation_stack",
    "aws_servicecatalog_provisioned_product",
    "awscc_cloudformation_stack_set",
    "awscc_servicecatalog_cloudformation_provisioned_product",
)
"""Types that create resources from a template that is not in the plan, or in other accounts and Regions."""

CONFIG = "provisioned_concurrency_config"

CONCURRENCY = frozenset(
    ("reserved_concurrent_executions", "provisioned_concurrent_executions", CONFIG, "template_body")
)
"""Attributes by which a resource of any type may take concurrency."""

AFTER_APPLY = "known only after apply"


class Gap(NamedTuple):
    """A part of a plan that may take concurrency but is not counted."""

    address: str
    """Empty for the whole plan."""
    reason: str


@dataclass(slots=True)
class PlanPart:
    """The resources that a plan leaves in one account and Region, or in one stack there."""

    account: str
    """Empty if the plan does not state it."""
    region: str
    """Empty if the plan does not state it."""
    document: dict[str, Json] = field(default_factory=lambda: {"Resources": {}})
    """A template of the resources, or that of the stack."""
    stack: str = ""
    """The address of a CloudFormation stack."""
    parameters: Section = field(default_factory=dict)
    reserved_now: int = 0
    """The sum of the reservations in the state before the apply."""
    reserved_during_apply: int = 0
    """Reservations that may still exist during the apply: of functions that the plan destroys, replaces or lowers."""


class TerraformPlan(NamedTuple):
    """The parts of a plan, one for each account, Region and stack, and everything that is not counted."""

    parts: tuple[PlanPart, ...]
    gaps: tuple[Gap, ...]


def plan(where: str, text: str) -> TerraformPlan:
    """Return the resources that a plan leaves in each account and Region. Raises UnreadableTemplate."""
    if len(text) > MAX_CHARACTERS:
        raise unreadable(where, f"more than {MAX_CHARACTERS:,} characters", "split the plan with -target")
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise unreadable(where, f"more than {MAX_VALUES:,} values", "split the plan with -target")
    document = as_mapping(json_value(where, text))
    version = document.get("format_version")
    if not isinstance(version, str) or not re.match(r"[01]\.\d", version):
        raise unreadable(where, f"a plan of format {version!r}", "use a Terraform that writes format 1")
    if "planned_values" not in document:
        what = "a Terraform state, not a plan" if "values" in document else "a plan without planned_values"
        raise unreadable(where, what, SHOW)
    return _Reader(where, document).plan()


class _Reader:
    """One pass over a plan."""

    def __init__(self, where: str, document: Section) -> None:
        self._where, self._document = where, document
        self._gaps: list[Gap] = []
        self._parts: dict[tuple[str, str], PlanPart] = {}
        self._stacks: list[PlanPart] = []
        changes = [self._section(change, "a resource_changes") for change in self._list(document, "resource_changes")]
        self._deposed = [change for change in changes if "deposed" in change]
        self._changes = {str(change.get("address")): change for change in changes if "deposed" not in change}
        self._resources = list(self._planned())
        self._links = References(document, self._resources)
        self._translators = {
            **dict.fromkeys(FUNCTION_TYPES, self._translate_function),
            "aws_lambda_provisioned_concurrency_config": self._translate_config,
            "awscc_lambda_alias": self._translate_qualifier,
            "awscc_lambda_version": self._translate_qualifier,
            "aws_appautoscaling_target": self._translate_target,
            "awscc_applicationautoscaling_scalable_target": self._translate_target,
            "aws_lambda_event_source_mapping": self._translate_mapping,
            "aws_sqs_queue": self._translate_queue,
            "aws_cloudformation_stack": self._translate_stack,
            "awscc_cloudformation_stack": self._translate_stack,
            "aws_cloudcontrolapi_resource": self._translate_control,
        }

    def plan(self) -> TerraformPlan:
        """Return the parts of the plan, and the gaps in them."""
        self._gaps += _incomplete(self._document)
        for resource in self._resources:
            if resource.is_managed:
                self._translate(resource)
        for change in (*self._changes.values(), *self._deposed):
            self._note_change(change)
        return TerraformPlan((*self._parts.values(), *self._stacks), tuple(dict.fromkeys(self._gaps)))

    def _planned(self) -> Iterator[PlannedResource]:
        """Yield the resources after the apply, and the data sources from the state."""
        prior = as_mapping(as_mapping(self._document.get("prior_state")).get("values"))
        planned = self._section(self._document["planned_values"], "the planned_values")
        for values, mode in ((planned, "managed"), (prior, "data")):
            modules = [self._section(values.get("root_module", {}), "root_module")]
            while modules:
                module = modules.pop()
                modules += [self._section(child, "a child_modules") for child in self._list(module, "child_modules")]
                for entry in self._list(module, "resources"):
                    if self._section(entry, "a resources").get("mode", "managed") == mode:
                        yield self._resource(entry, module.get("address", ""))

    def _resource(self, entry: Section, module_address: Json) -> PlannedResource:
        module = module_of(str(module_address))
        if len(module) > MAX_MODULES:
            raise unreadable(self._where, f"modules nested more than {MAX_MODULES} deep", _WHOLE)
        change = as_mapping(self._changes.get(str(entry.get("address")), {}))
        states = as_mapping(change.get("change"))
        values = entry.get("values")
        if "forget" in as_list(states.get("actions")) and values is None:
            values = states.get("before")  # It stays in the account, but leaves the state.
        return PlannedResource(
            address=str(entry.get("address") or f"{entry.get('type')}.{entry.get('name')}"),
            type=str(entry.get("type")),
            name=str(entry.get("name")),
            index=index if isinstance(index := entry.get("index"), int | str) else None,
            module=module,
            is_managed=entry.get("mode", "managed") == "managed",
            values=as_mapping(values),
            unknown=as_mapping(states.get("after_unknown")),
            before=as_mapping(states.get("before")),
        )

    def _section(self, value: Json, what: str) -> Section:
        if not isinstance(value, dict):
            raise unreadable(self._where, f"{what} entry of the plan is not an object", _WHOLE)
        return value

    def _list(self, section: Section, key: str) -> list[Json]:
        entries = section.get(key)
        if entries is not None and not isinstance(entries, list):
            raise unreadable(self._where, f"{key} of the plan is not a list", _WHOLE)
        return entries or []

    def _translate(self, resource: PlannedResource) -> None:
        if resource.type in self._translators:
            self._translators[resource.type](resource)
        elif resource.type in OPAQUE:
            self._gap(resource, "creates resources from a template that is not in the plan; check that template")
        elif not CONCURRENCY.isdisjoint((*resource.values, *resource.unknown)):
            self._gap(resource, "may take concurrency, but its type is not known; declare it with the aws provider")

    def _translate_function(self, resource: PlannedResource) -> None:
        properties: dict[str, Json] = {"FunctionName": logical_id(resource.address)}
        reserved = self._figure(resource, "reserved_concurrent_executions", "its reservation", UNRESERVED)
        if reserved is not None and reserved != UNRESERVED:
            properties["ReservedConcurrentExecutions"] = reserved
        if resource.values.get("capacity_provider_config"):
            properties["CapacityProviderConfig"] = {"LambdaManagedInstancesCapacityProviderConfig": {}}
        elif resource.unknown.get("capacity_provider_config") is True:
            self._gap(resource, f"its capacity provider is {AFTER_APPLY}")
        self._add(resource, "AWS::Lambda::Function", properties)

    def _translate_config(self, resource: PlannedResource) -> None:
        figure = self._figure(resource, "provisioned_concurrent_executions", "its provisioned concurrency")
        function = self._function(resource, "function_name", figure, "provisions")
        if function and figure:
            properties = {
                "FunctionName": logical_id(function.address),
                "Name": _qualifier(resource, resource.values.get("qualifier")),
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": figure},
            }
            self._add(resource, "AWS::Lambda::Alias", properties)

    def _translate_qualifier(self, resource: PlannedResource) -> None:
        """Take the provisioned concurrency of an alias or a version of the awscc provider."""
        config, is_late = resource.values.get(CONFIG), resource.unknown.get(CONFIG)
        if config is not None or (is_late and not self._is_left_out(resource, CONFIG)):
            late = {"provisioned_concurrent_executions": True} if config is None else as_mapping(is_late)
            values = {**resource.values, **as_mapping(config), "qualifier": resource.values.get("name")}
            self._translate_config(replace(resource, values=values, unknown={**resource.unknown, **late}))

    def _translate_target(self, resource: PlannedResource) -> None:
        dimension = resource.values.get("scalable_dimension")
        is_late = dimension is None and resource.unknown.get("scalable_dimension")
        if dimension != PROVISIONED_DIMENSION and not is_late:
            return
        figure = self._figure(resource, "max_capacity", "its maximum")
        function = self._function(resource, "resource_id", figure, "may provision")
        if function and figure:
            qualifier = _qualifier(resource, str(resource.values.get("resource_id") or "").rpartition(":")[2] or None)
            properties = {
                "ScalableDimension": PROVISIONED_DIMENSION,
                "ResourceId": f"function:{logical_id(function.address)}:{qualifier}",
                "MaxCapacity": figure,
            }
            self._add(resource, "AWS::ApplicationAutoScaling::ScalableTarget", properties)

    def _translate_mapping(self, resource: PlannedResource) -> None:
        functions = self._links.functions(resource, "function_name")
        if len(functions) != 1:
            return
        properties: dict[str, Json] = {"FunctionName": logical_id(functions[0].address)}
        blocks = as_list(resource.values.get("scaling_config"))  # The JSON form wraps the only block in a list.
        scaling = next((block for block in blocks if isinstance(block, dict)), {})
        maximum = whole_number(scaling.get("maximum_concurrency"))
        if maximum:
            properties["ScalingConfig"] = {"MaximumConcurrency": maximum}
        elif resource.unknown.get("scaling_config") or scaling.get("maximum_concurrency") is not None:
            properties["ScalingConfig"] = {"Fn::ImportValue": AFTER_APPLY}
        pollers = "provisioned_poller_config"
        if resource.values.get(pollers) or resource.unknown.get(pollers) is True:
            properties["ProvisionedPollerConfig"] = {}
        queues = self._links.targets(resource, "event_source_arn", ("aws_sqs_queue",))
        if len(queues) == 1:
            properties["EventSourceArn"] = {"Ref": logical_id(queues[0].address)}
        self._add(resource, "AWS::Lambda::EventSourceMapping", properties)

    def _translate_queue(self, resource: PlannedResource) -> None:
        receives = whole_number((_object(resource.values.get("redrive_policy")) or {}).get("maxReceiveCount"))
        if receives and resource.values.get("fifo_queue") is False:
            self._add(resource, "AWS::SQS::Queue", {"RedrivePolicy": {"maxReceiveCount": receives}})

    def _translate_stack(self, resource: PlannedResource) -> None:
        body = resource.values.get("template_body")
        if not isinstance(body, str) or not body:
            is_late = resource.unknown.get("template_body") and not self._is_left_out(resource, "template_body")
            where = f"is {AFTER_APPLY}" if is_late else "is in a bucket"
            self._gap(resource, f"its template {where}; check that template")
            return
        try:
            template = reading.template(resource.address, reading.parsed(resource.address, body))
        except UnreadableTemplate as error:
            self._gap(resource, f"its template_body is {error.faults[0].what}")
            return
        if resource.unknown.get("parameters") and not self._is_left_out(resource, "parameters"):
            self._gap(resource, f"some of its parameters are {AFTER_APPLY}")
        place = self._links.account_and_region(resource)
        given = as_mapping(resource.values.get("parameters"))
        self._stacks.append(PlanPart(*place, template, resource.address, given))

    def _translate_control(self, resource: PlannedResource) -> None:
        """Take a resource of the Cloud Control API, whose state is that of a CloudFormation resource."""
        kind = str(resource.values.get("type_name"))
        if not kind.startswith(("AWS::Lambda::", "AWS::CloudFormation::", "AWS::ApplicationAutoScaling::", "AWS::Ser")):
            return
        properties = _object(resource.values.get("desired_state"))
        if properties is None:
            self._gap(resource, f"its desired_state is {AFTER_APPLY}")
        else:
            self._add(resource, kind, properties)

    def _figure(self, resource: PlannedResource, key: str, what: str, default: int | None = None) -> int | None:
        """Return a figure. If it is not known, note a gap and return None."""
        value = resource.values.get(key)
        if default is not None and (value == default or (value is None and self._is_left_out(resource, key))):
            return default
        number = whole_number(value)
        if number is not None:
            return number
        if value is not None:
            self._gap(resource, f"{what} is {json.dumps(value, default=str)[:40]}; write a whole number")
        elif resource.unknown.get(key):
            self._gap(resource, f"{what} is {AFTER_APPLY}; write a number that does not depend on other resources")
        else:
            self._gap(resource, f"{what} is not in the plan; {_WHOLE}")
        return None

    def _is_left_out(self, resource: PlannedResource, key: str) -> bool:
        """Return whether an attribute is null or absent: a plan has an absent one as unknown if AWS has a default."""
        block = self._links.declared(resource)
        return key in resource.values or (
            bool(block) and bool(resource.unknown.get(key)) and key not in as_mapping(block.get("expressions"))
        )

    def _function(self, resource: PlannedResource, key: str, figure: int | None, verb: str) -> PlannedResource | None:
        """Return the function that a resource belongs to. If it is not known, note a gap and return None."""
        functions = self._links.functions(resource, key)
        if len(functions) == 1:
            return functions[0]
        if figure:
            which = "one of several functions" if functions else "a function that is not in the plan"
            what = f"{verb} {figure:,} for {which}, which may come out of the account's pool"
            remedy = "refer to a function of the plan, such as aws_lambda_function.NAME.function_name"
            elsewhere = f"or add {figure:,} to --reserved-elsewhere and give --allow-unproven"
            self._gap(resource, f"{what}; {remedy}, {elsewhere}")
        return None

    def _part(self, resource: PlannedResource) -> PlanPart:
        place = self._links.account_and_region(resource)
        return self._parts.setdefault(place, PlanPart(*place))

    def _add(self, resource: PlannedResource, kind: str, properties: Section) -> None:
        name, resources = logical_id(resource.address), self._part(resource).document["Resources"]
        if name in resources:
            self._gap(resource, f"appears twice; {_WHOLE}")
        resources[name] = {"Type": kind, "Properties": properties}

    def _gap(self, resource: PlannedResource, reason: str) -> None:
        self._gaps.append(Gap(resource.address, reason))

    def _note_change(self, change: Section) -> None:
        """Add a function's present reservation, and how much of it may still exist during the apply.

        Terraform changes functions in parallel. Without a dependency, it may raise one before it lowers another.
        """
        if change.get("type") not in FUNCTION_TYPES or change.get("mode", "managed") != "managed":
            return
        states = as_mapping(change.get("change"))
        before = whole_number(as_mapping(states.get("before")).get("reserved_concurrent_executions")) or 0
        if not before:
            return
        resource = self._resource(change, change.get("module_address", ""))
        part = self._part(resource)
        part.reserved_now += before
        actions = as_list(states.get("actions"))
        if "forget" in actions and "create" not in actions:
            return
        after = whole_number(as_mapping(states.get("after")).get("reserved_concurrent_executions")) or 0
        stays_until_created = actions[:1] == ["create"] or "deposed" in change
        part.reserved_during_apply += before if stays_until_created else max(0, before - after)


_WHOLE = "give the whole output of: terraform show -json PLAN"


def _incomplete(document: Section) -> Iterator[Gap]:
    if document.get("errored") is True:
        yield Gap("", "the plan ended with an error, so it lacks resources; correct that and plan again")
    elif document.get("complete") is False or document.get("deferred_changes"):
        yield Gap("", "the plan is not complete, because of -target or deferred changes; plan without -target")


def _object(text: Json) -> Section | None:
    """Return the object that a JSON text is; None for anything else."""
    try:
        value = json.loads(str(text))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _qualifier(resource: PlannedResource, name: Json) -> str:
    """Return the alias or version; if it is not known, a unique name."""
    return name if isinstance(name, str) and name else resource.address.replace(":", "_")
