"""A Terraform or OpenTofu plan, as `terraform show -json PLAN` prints it, in the terms of CloudFormation.

Each account and Region of a plan becomes one template, so that one engine counts both. A function is named by its
address, and whatever belongs to it names that.

Source: https://developer.hashicorp.com/terraform/internals/json-format, format 1.2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from generator.errors import UnreadableTemplate
from generator.template import reading
from generator.template.intrinsics import Json, listed, mapping, whole_number
from generator.template.model import Section
from generator.template.plan_references import FUNCTION, Address, References, Resource, address_of
from generator.template.reading import json_value, unreadable

MAX_CHARACTERS = 200_000_000
"""The plan of ten thousand resources has about 100 million."""

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
)
"""Types whose resources are in a template that the plan does not hold."""

DIMENSION = "lambda:function:ProvisionedConcurrency"

AFTER_APPLY = "known only after apply"

_SIGNS = {".": "\ue000", "/": "\ue001"}
"""Stand for signs of an address in a logical id, where they separate an attribute and a nested stack."""


class Gap(NamedTuple):
    """Something of a plan that may take concurrency and is not counted."""

    address: str
    """Empty for the whole plan."""
    reason: str


@dataclass(slots=True)
class Part:
    """What a plan leaves in one account and Region, or in one stack there."""

    account: str
    """Empty if the plan does not state it."""
    region: str
    """Empty if the plan does not state it."""
    resources: dict[str, Section] = field(default_factory=dict)
    template: Json = None
    """The template of a CloudFormation stack, in place of the resources."""
    stack: str = ""
    """The address of that stack."""
    parameters: Section = field(default_factory=dict)
    held: int = 0
    """The reservations that the state has now."""
    passing: int = 0
    """What may be reserved in addition while the plan is applied: of functions that it destroys, replaces or lowers."""

    @property
    def document(self) -> Json:
        """The template."""
        return self.template if self.stack else {"Resources": self.resources}


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of a plan."""

    parts: tuple[Part, ...]
    gaps: tuple[Gap, ...]


def text_at(path: Path) -> str | None:
    """Return the text of a file that looks like the output of `terraform show -json`; None for any other file.

    What cannot be read is left to the reader of templates, which reports it. Raises UnreadableTemplate for the log of
    `terraform plan -json`.
    """
    try:
        text = reading.bounded_text(path, most=MAX_CHARACTERS)
    except (OSError, UnicodeDecodeError):
        return None
    if text.startswith('{"@level"'):
        raise unreadable(str(path), "the log of terraform plan -json, not a plan", _SHOW)
    return text if looks_like_plan(text) else None


def looks_like_plan(text: str) -> bool:
    """Return whether a text looks like the output of `terraform show -json`, also behind a byte order mark."""
    start = text[:100].lstrip("\ufeff\ufffd \t\r\n")
    return start.startswith("{") and all(key in text for key in ('"format_version"', '"terraform_version"'))


def as_written(text: str) -> str:
    """Return a text with addresses as Terraform writes them."""
    for sign, stand_in in _SIGNS.items():
        text = text.replace(stand_in, sign)
    return text


def _id(address: str) -> str:
    """Return the logical id of a resource."""
    for sign, stand_in in _SIGNS.items():
        address = address.replace(sign, stand_in)
    return address


def plan(where: str, text: str) -> Plan:
    """Return what a plan leaves in each account and Region. Raises UnreadableTemplate."""
    if len(text) > MAX_CHARACTERS:
        raise unreadable(where, f"more than {MAX_CHARACTERS:,} characters", "split the plan with -target")
    document = mapping(json_value(where, text))
    version = document.get("format_version")
    if not isinstance(version, str) or not re.match(r"[01]\.\d", version):
        raise unreadable(where, f"a plan of format {version!r}", "use a Terraform that writes format 1")
    if "planned_values" not in document:
        what = "a Terraform state, not a plan" if "values" in document else "a plan without planned_values"
        raise unreadable(where, what, _SHOW)
    return _Reader(where, document).plan()


class _Reader:
    """One pass over a plan."""

    def __init__(self, where: str, document: Section) -> None:
        self._where, self._document = where, document
        self._gaps: list[Gap] = []
        self._parts: dict[tuple[str, str], Part] = {}
        self._stacks: list[Part] = []
        changes = [self._section(one, "a resource_changes") for one in self._list(document, "resource_changes")]
        self._deposed = [one for one in changes if "deposed" in one]
        self._changes = {str(one.get("address")): one for one in changes if "deposed" not in one}
        self._resources = list(self._planned())
        self._links = References(document, self._resources)

    def plan(self) -> Plan:
        """Return the parts and what is not in them."""
        self._gaps += _incomplete(self._document)
        for resource in self._resources:
            if resource.is_managed:
                self._take(resource)
        for change in (*self._changes.values(), *self._deposed):
            self._note_change(change)
        return Plan((*self._parts.values(), *self._stacks), tuple(dict.fromkeys(self._gaps)))

    def _planned(self) -> Iterator[Resource]:
        """Yield the resources after the apply, and the data sources of the state."""
        prior = mapping(mapping(self._document.get("prior_state")).get("values"))
        planned = self._section(self._document["planned_values"], "the planned_values")
        for values, mode in ((planned, "managed"), (prior, "data")):
            modules = [self._section(values.get("root_module", {}), "root_module")]
            while modules:
                module = modules.pop()
                modules += [self._section(one, "a child_modules") for one in self._list(module, "child_modules")]
                for one in self._list(module, "resources"):
                    if self._section(one, "a resources").get("mode", "managed") == mode:
                        yield self._resource(one, self._address(module.get("address", "")))

    def _address(self, text: Json) -> Address:
        found = address_of(str(text))
        if len(found.names) > MAX_MODULES:
            raise unreadable(self._where, f"modules nested more than {MAX_MODULES} deep", _WHOLE)
        return found

    def _resource(self, one: Section, module: Address) -> Resource:
        change = mapping(self._changes.get(str(one.get("address")), {}))
        states = mapping(change.get("change"))
        values = one.get("values")
        if "forget" in listed(states.get("actions")) and values is None:
            values = states.get("before")  # It stays in the account, only not in the state.
        return Resource(
            address=str(one.get("address") or f"{one.get('type')}.{one.get('name')}"),
            type=str(one.get("type")),
            name=str(one.get("name")),
            index=index if isinstance(index := one.get("index"), int | str) else None,
            module=module,
            is_managed=one.get("mode", "managed") == "managed",
            values=mapping(values),
            unknown=mapping(states.get("after_unknown")),
            before=mapping(states.get("before")),
        )

    def _section(self, value: Json, what: str) -> Section:
        if not isinstance(value, dict):
            raise unreadable(self._where, f"{what} entry of the plan is not an object", _WHOLE)
        return value

    def _list(self, section: Section, key: str) -> list[Json]:
        found = section.get(key)
        if found is not None and not isinstance(found, list):
            raise unreadable(self._where, f"{key} of the plan is not a list", _WHOLE)
        return found or []

    def _take(self, one: Resource) -> None:
        match one.type:
            case "aws_lambda_function" | "awscc_lambda_function":
                self._take_function(one)
            case "aws_lambda_provisioned_concurrency_config":
                self._take_config(one)
            case "aws_appautoscaling_target":
                self._take_target(one)
            case "aws_lambda_event_source_mapping":
                self._take_mapping(one)
            case "aws_sqs_queue":
                self._take_queue(one)
            case "aws_cloudformation_stack":
                self._take_stack(one)
            case "aws_cloudcontrolapi_resource":
                self._take_control(one)
            case "awscc_lambda_alias" | "awscc_lambda_version" if one.values.get("provisioned_concurrency_config"):
                self._gap(one, "may provision concurrency; declare it with the aws provider")
            case kind if kind in OPAQUE:
                self._gap(one, "creates resources from a template that the plan does not hold; check that template")

    def _take_function(self, one: Resource) -> None:
        properties: dict[str, Json] = {"FunctionName": _id(one.address)}
        reserved = self._figure(one, "reserved_concurrent_executions", "its reservation", UNRESERVED)
        if reserved is not None and reserved != UNRESERVED:
            properties["ReservedConcurrentExecutions"] = reserved
        if one.values.get("capacity_provider_config"):
            properties["CapacityProviderConfig"] = {"LambdaManagedInstancesCapacityProviderConfig": {}}
        elif one.unknown.get("capacity_provider_config") is True:
            self._gap(one, f"its capacity provider is {AFTER_APPLY}")
        self._add(one, "AWS::Lambda::Function", properties)

    def _take_config(self, one: Resource) -> None:
        figure = self._figure(one, "provisioned_concurrent_executions", "its provisioned concurrency")
        function = self._function(one, "function_name", figure, "provisions")
        if function and figure:
            properties = {
                "FunctionName": _id(function.address),
                "Name": _qualifier(one, one.values.get("qualifier")),
                "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": figure},
            }
            self._add(one, "AWS::Lambda::Alias", properties)

    def _take_target(self, one: Resource) -> None:
        dimension = one.values.get("scalable_dimension")
        if dimension != DIMENSION and not (dimension is None and one.unknown.get("scalable_dimension")):
            return
        figure = self._figure(one, "max_capacity", "its maximum")
        function = self._function(one, "resource_id", figure, "may provision")
        if function and figure:
            qualifier = _qualifier(one, str(one.values.get("resource_id") or "").rpartition(":")[2] or None)
            properties = {
                "ScalableDimension": DIMENSION,
                "ResourceId": f"function:{_id(function.address)}:{qualifier}",
                "MaxCapacity": figure,
            }
            self._add(one, "AWS::ApplicationAutoScaling::ScalableTarget", properties)

    def _take_mapping(self, one: Resource) -> None:
        found = self._links.functions(one, "function_name")
        if len(found) != 1:
            return
        properties: dict[str, Json] = {"FunctionName": _id(found[0].address)}
        scaling = _block(one.values.get("scaling_config"))
        maximum = whole_number(scaling.get("maximum_concurrency"))
        if maximum:
            properties["ScalingConfig"] = {"MaximumConcurrency": maximum}
        elif one.unknown.get("scaling_config") or scaling.get("maximum_concurrency") is not None:
            properties["ScalingConfig"] = {"Fn::ImportValue": AFTER_APPLY}
        if one.values.get("provisioned_poller_config") or one.unknown.get("provisioned_poller_config") is True:
            properties["ProvisionedPollerConfig"] = {}
        queues = self._links.targets(one, "event_source_arn", ("aws_sqs_queue",))
        if len(queues) == 1:
            properties["EventSourceArn"] = {"Ref": _id(queues[0].address)}
        self._add(one, "AWS::Lambda::EventSourceMapping", properties)

    def _take_queue(self, one: Resource) -> None:
        try:
            redrive = mapping(json.loads(str(one.values.get("redrive_policy") or "{}")))
        except (ValueError, RecursionError):
            redrive = {}
        receives = whole_number(redrive.get("maxReceiveCount"))
        if receives and one.values.get("fifo_queue") is False:
            properties = {"RedrivePolicy": {"maxReceiveCount": receives}}
            self._add(one, "AWS::SQS::Queue", properties)

    def _take_stack(self, one: Resource) -> None:
        body = one.values.get("template_body")
        if not isinstance(body, str) or not body:
            where = f"is {AFTER_APPLY}" if one.unknown.get("template_body") else "is in a bucket"
            self._gap(one, f"its template {where}; check that template")
            return
        try:
            template = reading.template(one.address, reading.parsed(one.address, body))
        except UnreadableTemplate as error:
            self._gap(one, f"its template_body is {error.faults[0].what}")
            return
        if one.unknown.get("parameters"):
            self._gap(one, f"some of its parameters are {AFTER_APPLY}")
        place = self._links.place(one)
        given = mapping(one.values.get("parameters"))
        self._stacks.append(Part(*place, template=template, stack=one.address, parameters=given))

    def _take_control(self, one: Resource) -> None:
        """Take a resource of the Cloud Control API, whose state is that of a CloudFormation resource."""
        kind = str(one.values.get("type_name"))
        if not kind.startswith(("AWS::Lambda::", "AWS::CloudFormation::", "AWS::ApplicationAutoScaling::", "AWS::Ser")):
            return
        try:
            properties = json.loads(str(one.values.get("desired_state")))
        except (ValueError, RecursionError):
            properties = None
        if not isinstance(properties, dict):
            self._gap(one, f"its desired_state is {AFTER_APPLY}")
            return
        self._add(one, kind, properties)

    def _figure(self, one: Resource, key: str, what: str, default: int | None = None) -> int | None:
        """Return a figure, or None and note that it is not known."""
        value = one.values.get(key)
        if default is not None and (value == default or (value is None and self._is_left_out(one, key))):
            return default
        number = whole_number(value)
        if number is not None:
            return number
        if value is not None:
            self._gap(one, f"{what} is {json.dumps(value, default=str)[:40]}; write a whole number")
        elif one.unknown.get(key):
            self._gap(one, f"{what} is {AFTER_APPLY}; write a number that does not depend on other resources")
        else:
            self._gap(one, f"{what} is not in the plan; {_WHOLE}")
        return None

    def _is_left_out(self, one: Resource, key: str) -> bool:
        """Return whether an attribute is null, or stated nowhere: the awscc provider leaves such a value unknown."""
        block = self._links.declared(one)
        return key in one.values or (
            bool(block) and bool(one.unknown.get(key)) and key not in mapping(block.get("expressions"))
        )

    def _function(self, one: Resource, key: str, figure: int | None, verb: str) -> Resource | None:
        """Return the function to which a resource belongs, or None and note that it is not known."""
        found = self._links.functions(one, key)
        if len(found) == 1:
            return found[0]
        if figure:
            which = "one of several functions" if found else "a function that is not in the plan"
            self._gap(one, f"{verb} {figure:,} for {which}, so the account's pool may give them; name one function")
        return None

    def _part(self, one: Resource) -> Part:
        place = self._links.place(one)
        return self._parts.setdefault(place, Part(*place))

    def _add(self, one: Resource, kind: str, properties: Section) -> None:
        if _id(one.address) in self._part(one).resources:
            self._gap(one, f"appears twice; {_WHOLE}")
        self._part(one).resources[_id(one.address)] = {"Type": kind, "Properties": properties}

    def _gap(self, one: Resource, reason: str) -> None:
        self._gaps.append(Gap(one.address, reason))

    def _note_change(self, change: Section) -> None:
        """Note what a function reserves now, and how much of that the apply may hold beside what it creates.

        Terraform changes functions in parallel. Without a dependency, it may raise one before it lowers another.
        """
        if change.get("type") != FUNCTION or change.get("mode", "managed") != "managed":
            return
        states = mapping(change.get("change"))
        before = whole_number(mapping(states.get("before")).get("reserved_concurrent_executions")) or 0
        if not before:
            return
        one = self._resource(change, self._address(change.get("module_address", "")))
        part = self._part(one)
        part.held += before
        actions = listed(states.get("actions"))
        if "forget" in actions and "create" not in actions:
            return
        after = whole_number(mapping(states.get("after")).get("reserved_concurrent_executions")) or 0
        stays_until_created = actions[:1] == ["create"] or "deposed" in change
        part.passing += before if stays_until_created else max(0, before - after)


_SHOW = "run: terraform plan -out=plan, then terraform show -json plan > plan.json"

_WHOLE = "give the whole output of: terraform show -json PLAN"


def _incomplete(document: Section) -> Iterator[Gap]:
    if document.get("errored") is True:
        yield Gap("", "the plan ended with an error, so it lacks resources; correct that and plan again")
    elif document.get("complete") is False or document.get("deferred_changes"):
        yield Gap("", "the plan is not complete, because of -target or deferred changes; plan without -target")


def _block(value: Json) -> Section:
    """Return the only block of a kind: the JSON form has a list of them."""
    blocks: Iterable[Json] = listed(value)
    return next((one for one in blocks if isinstance(one, dict)), {})


def _qualifier(one: Resource, name: Json) -> str:
    """Return an alias or version; where it is not known, a name that nothing else has."""
    return name if isinstance(name, str) and name else one.address.replace(":", "_")
