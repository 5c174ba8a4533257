"""The Lambda functions of a template: what they reserve, what provisions for them, and what invokes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from generator.aws import PROVISIONED_DIMENSION
from generator.template.alternatives import Figure, Missing, alternatives, branches, stated_figures
from generator.template.dependencies import MAPPING_TYPES, names, walk
from generator.template.guards import ALWAYS, Guard, merge
from generator.template.intrinsics import Json, as_mapping, is_intrinsic, literal_text, plain_reference, template_text
from generator.template.model import Template, is_stored
from generator.template.search import Choice

FUNCTION_TYPES = ("AWS::Lambda::Function", "AWS::Serverless::Function")

RESERVED = "ReservedConcurrentExecutions"

MANAGED = "CapacityProviderConfig"

_NOT_MANAGED = (Missing.ABSENT, Missing.UNKNOWN)

PROVISIONED = ("ProvisionedConcurrencyConfig", "ProvisionedConcurrentExecutions")

TARGET = "AWS::ApplicationAutoScaling::ScalableTarget"

MAXIMUM = "MaxCapacity"

LEFT_OUT: Choice = Choice(0, ALWAYS, None)
"""The choice of no figure. Ignoring a figure can only lower a sum."""

EVENT_SOURCE_MAPPING = "AWS::Lambda::EventSourceMapping"

QUALIFIERS = ("AWS::Lambda::Alias", "AWS::Lambda::Version")

NEVER_INVOKES = (
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
)
"""Types that may name a function without invoking it."""

OTHER_HOLDER = ""
"""Stands for outputs, loops and includes, which may pass a function's name to an invoker that is not known."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")
"""A function's name within a text, such as an ARN."""

_ALONE = re.compile(r"(?:arn:[^{}]*(?:\$\{AWS::\w+\}[^{}]*)*:function:)?\$\{([A-Za-z0-9/]+)(?:\.Arn)?\}")
"""A Fn::Sub of a function's name or ARN and nothing else, perhaps in a nested stack."""


def functions(template: Template) -> list[str]:
    """Return the logical ids of all functions."""
    return template.of_type(*FUNCTION_TYPES)


@lru_cache(maxsize=10_000)
def reservations(template: Template, function: str) -> list[Figure]:
    """Return the possible reservations of a function in the account's pool, which managed instances do not use."""
    pooled = [side.guard for side in branches(template, function, MANAGED) if side.value in _NOT_MANAGED]
    return within(stated_figures(template, function, RESERVED), pooled)


def may_be_managed(template: Template, function: str) -> bool:
    """Return whether a function may run on Lambda Managed Instances, which have quotas of their own.

    Source: AWS Lambda Developer Guide, "Lambda Managed Instances quotas": separate from the default quotas.
    """
    return any(side.value not in _NOT_MANAGED for side in branches(template, function, MANAGED))


def within(figures: Iterable[Figure], guards: Sequence[Guard]) -> list[Figure]:
    """Return the figures under each of the guards, without those that contradict it."""
    return [
        figure._replace(guard=both)
        for figure, guard in product(figures, guards)
        if (both := merge(figure.guard, guard)) is not None
    ]


def added(figures: Iterable[Figure]) -> list[Choice]:
    """Return a choice for each figure that is known and above 0, with the figure as its weight."""
    return [Choice(number, figure.guard, figure) for figure in figures if (number := figure.known())]


def deducted(figures: Iterable[Figure]) -> list[Choice]:
    """Return a choice for each figure that is known, 0 included, with a negative weight."""
    return [Choice(-number, figure.guard, figure) for figure in figures if (number := figure.known()) is not None]


class EventSource(NamedTuple):
    """An event source mapping, or an event of a SAM function."""

    place: tuple[str, ...]
    """The resource, and the keys that lead from its properties to those of the event source."""
    kinds: list[tuple[str, Guard]]
    """In each branch, EVENT_SOURCE_MAPPING or SAM's type of the event; empty where it invokes another function."""

    @property
    def is_sam(self) -> bool:
        """Whether it is an event of a SAM function."""
        return len(self.place) > 1


class FunctionReferences:
    """The places where a template names its functions, versions and aliases, found in one pass over it."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._targets = {*functions(template), *template.of_type(*QUALIFIERS)}
        self._by_name: dict[str, set[str]] = {}
        for function in functions(template):
            name = template.properties(function).get("FunctionName")
            if name and isinstance(name, str | dict):
                self._by_name.setdefault(_key(name), set()).add(function)
        self._has_composed_names = any(key.startswith("{") for key in self._by_name)
        self._namers: dict[str, dict[str, Json]] = {}
        """By function, version or alias, the resources that name it, with their types."""
        for logical_id, resource in template.resources.items():
            if resource.get("Type") not in NEVER_INVOKES:
                self._note(logical_id, resource.get("Type"), resource)
        for value in (*template.outputs.values(), *template.opaque.values()):
            self._note(OTHER_HOLDER, None, value)

    def referenced(self, value: Json) -> set[str]:
        """Return the functions, versions and aliases whose name or ARN an expression is.

        A literal counts if it is the name that the resource gives itself: a logical id is no name.
        """
        functions_ = set(self._by_name.get(_key(value), ()))
        if isinstance(value, str) and ":function:" in value:
            functions_ |= self._by_name.get(value.rpartition(":function:")[2], set())
        return functions_ | self._targets.intersection([_referred(value)])

    def event_sources(self, function: str) -> list[EventSource]:
        """Return what SAM and event source mappings let invoke a function, or one of its versions or aliases."""
        template, targets = self._template, self._targets_of(function)
        sources = []
        for name in map(str, as_mapping(template.properties(function).get("Events"))):
            sides = branches(template, function, "Events", name, "Type")
            kinds = [(side.value if isinstance(side.value, str) else "", side.guard) for side in sides]
            sources.append(EventSource((function, "Events", name, "Properties"), kinds))
        for mapping in self._naming(targets, EVENT_SOURCE_MAPPING):
            sides = branches(template, mapping, "FunctionName")
            kinds = [
                ("" if self.referenced(side.value).isdisjoint(targets) else EVENT_SOURCE_MAPPING, side.guard)
                for side in sides
            ]
            sources.append(EventSource((mapping,), kinds))
        return sources

    def has_other_invoker(self, function: str) -> bool:
        """Return whether anything but an event source mapping names the function, its versions or its aliases.

        An output may hand it to an invoker in another stack.
        """
        targets = self._targets_of(function)
        namers = {namer: kind for target in targets for namer, kind in self._namers.get(target, {}).items()}
        return "FunctionUrlConfig" in self._template.properties(function) or any(
            kind not in (EVENT_SOURCE_MAPPING, *QUALIFIERS) for namer, kind in namers.items() if namer not in targets
        )

    def _targets_of(self, function: str) -> list[str]:
        return [function, *self._naming([function], *QUALIFIERS)]

    def _naming(self, targets: Iterable[str], *types: str) -> list[str]:
        namers = {namer: kind for target in targets for namer, kind in self._namers.get(target, {}).items()}
        return [namer for namer, kind in namers.items() if kind in types]

    def _note(self, logical_id: str, kind: Json, value: Json) -> None:
        named = {*names(value)} & self._targets
        for inner in walk(value) if self._by_name else ():
            if isinstance(inner, str):
                named.update(*(self._by_name.get(text, ()) for text in (inner, *_NAME.findall(inner))))
            elif self._has_composed_names and isinstance(inner, MAPPING_TYPES):
                named |= self._by_name.get(_key(inner), set())
        for target in named:
            self._namers.setdefault(target, {})[logical_id] = kind


@lru_cache(maxsize=2)
def function_references(template: Template) -> FunctionReferences:
    """Return the places where a template names its functions. Every rule asks for them."""
    return FunctionReferences(template)


def _referred(value: Json) -> str | None:
    """Return the logical id in a Ref, an Fn::GetAtt of the ARN, or an Fn::Sub of either alone."""
    match = _ALONE.fullmatch(template_text(value) or "") if is_intrinsic(value) else None
    return match[1] if match else None


def _key(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def provisions(template: Template, function: str) -> list[list[Figure]]:
    """Return the figures of everything that belongs to a function: SAM's own, versions and aliases."""
    return list(_owners(template).of_function.get(function, {}).values())


def without_function(template: Template) -> list[str]:
    """Return the versions, aliases and scalable targets that provision for a function outside the template."""
    return _owners(template).without_function


_Owner = tuple[str, str, Guard]
"""A function and its version or alias, where the guard holds."""


class _Owners:
    """The provisioned concurrency of each function, found in one pass over the template.

    The figures of one version or alias are alternatives: Application Auto Scaling replaces what the alias states.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self.of_function: dict[str, dict[str, list[Figure]]] = {name: {} for name in functions(template)}
        self.without_function: list[str] = []
        self._of_qualifier: dict[str, list[_Owner]] = {}
        for function in self.of_function:
            alias = self._text(template.properties(function).get("AutoPublishAlias"))
            if alias:
                self._of_qualifier[f"{function}Alias{alias}"] = [(function, alias, ALWAYS)]  # SAM's logical id
            self._add([(function, alias, ALWAYS)], stated_figures(template, function, *PROVISIONED))
        for qualifier in template.of_type(*QUALIFIERS):
            figures = stated_figures(template, qualifier, *PROVISIONED)
            for side in branches(template, qualifier, "FunctionName"):
                named = sorted(function_references(template).referenced(side.value) & self.of_function.keys())
                owners = [(function, qualifier, side.guard) for function in named]
                self._of_qualifier.setdefault(qualifier, []).extend(owners)
                self._add(owners, figures)
                stated = (figure.number for figure in within(figures, [side.guard]))
                if not owners and any(number is not Missing.ABSENT and number for number in stated):
                    self.without_function.append(qualifier)
        self._by_name = {template_text(template.properties(id_).get("FunctionName")): id_ for id_ in self.of_function}
        for target in template.of_type(TARGET):
            figures = stated_figures(template, target, MAXIMUM)
            for side in branches(template, target, "ResourceId") if _scales_functions(template, target) else ():
                owners = self._scaled(side.value)
                self._add(owners, within(figures, [side.guard]))
                if not owners:
                    self.without_function.append(target)

    def _add(self, owners: Iterable[_Owner], figures: list[Figure]) -> None:
        for function, qualifier, guard in owners:
            self.of_function[function].setdefault(qualifier, []).extend(within(figures, [guard]))

    def _scaled(self, resource_id: Json) -> list[_Owner]:
        """Return the functions that a target scales, each with the version or alias.

        CDK names the alias by its ARN, in an Fn::Split; others write the function's name and that of the alias.
        """
        referenced = sorted({*names(resource_id)})
        name, _, alias = (template_text(resource_id) or "").removeprefix("function:").rpartition(":")
        for qualifier in referenced:
            if owners := self._of_qualifier.get(qualifier):
                return owners
        functions_ = [name_ for name_ in referenced if name_ in self.of_function]
        if not functions_ and name in self._by_name:
            functions_ = [self._by_name[name]]
        return [(function, self._alias(function, self._text({"Fn::Sub": alias})), ALWAYS) for function in functions_]

    def _alias(self, function: str, name: str) -> str:
        """Return the logical id of a function's alias of this name, or the name itself."""
        ids = (qualifier for qualifier in self.of_function[function] if qualifier in self._template.resources)
        named = (one for one in ids if self._text(self._template.properties(one).get("Name")) == name)
        return next(named, name)

    def _text(self, value: Json) -> str:
        """Return the name of an alias as text, in the place of a parameter its default; empty if it is not there."""
        declared = as_mapping(self._template.parameters.get(plain_reference(value) or ""))
        default = None if is_stored(declared) else literal_text(declared.get("Default"))
        return template_text(value) or "" if default is None else default


@lru_cache(maxsize=2)
def _owners(template: Template) -> _Owners:
    return _Owners(template)


def _scales_functions(template: Template, target: str) -> bool:
    """Return whether a target may scale provisioned concurrency: its dimension does, or is not known."""
    dimensions = (alternative.value for alternative in alternatives(template, target, "ScalableDimension"))
    return any(
        value == PROVISIONED_DIMENSION or value is Missing.UNKNOWN or is_intrinsic(value) for value in dimensions
    )
