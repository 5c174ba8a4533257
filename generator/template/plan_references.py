"""Find the resources that a Terraform plan's resources refer to, and the account and Region of each.

A value that is known only after apply is found through the configuration. The configuration lists the names in each
expression, but not how the expression combines them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple, TypeVar

from generator.template.intrinsics import Json, as_list, as_mapping, whole_number
from generator.template.model import Section

MAX_NAME = 2_000
"""Characters of a function's name or ARN, many times what Lambda allows."""

FUNCTION_TYPES = ("aws_lambda_function", "awscc_lambda_function")
"""Terraform's types of Lambda functions."""

NAMING_A_FUNCTION = (
    "aws_lambda_alias",
    "aws_lambda_provisioned_concurrency_config",
    "awscc_lambda_alias",
    "awscc_lambda_version",
)
"""Terraform's types of resources that name the function they belong to."""

NOT_CREDENTIALS = ("region", "alias", "default_tags", "ignore_tags", "max_retries", "retry_mode", "endpoints")
"""Arguments of the aws provider that do not change the account."""

_INDEX = r'\[([0-9]+|"(?:[^"\\]|\\.)*")\]'
_MODULE = re.compile(rf"module\.([\w-]+)(?:{_INDEX})?\.?")
_REFERENCE = re.compile(rf"(module\.|[a-z][\w-]*\.)([\w-]+)(?:{_INDEX})?(?:\.([\w-]+))?")
_ARN = re.compile(r"arn:[\w-]+:[\w-]+:([a-z0-9-]*):([0-9]{12}):")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+)+-[0-9]")
_FUNCTION_NAME = re.compile(r"(?:.*:)?function:([^:]+)(?::.*)?|([^:/]+)(?::[^:]*)?")

Index = int | str | None
"""The count.index or each.key of an instance."""

Module = tuple[tuple[str, Index], ...]
"""An instance of a module: the name and index of each module from the root to it."""

_Reference = tuple[str, str, Index, str]
"""The root, name, index and attribute of a reference, as in aws_lambda_function.worker[0].arn."""

_Instance = TypeVar("_Instance")


@dataclass(frozen=True, slots=True, eq=False)
class PlannedResource:
    """A resource of a plan."""

    address: str
    type: str
    name: str
    index: Index
    module: Module
    is_managed: bool
    values: Section
    """The known values after the apply."""
    unknown: Section
    """True for each attribute that is known only after the apply."""
    before: Section


class _Scope(NamedTuple):
    """The context of an expression: its module, and the value of count.index or each.key in it."""

    module: Module
    index: Json
    for_each: Json
    is_for_each: bool = False
    """Whether the expression is a for_each, each key of which is an index."""


def module_of(address: str) -> Module:
    """Return the module with an address, such as module.api["eu"].module.queue."""
    return tuple((match[1], _index(match[2])) for match in _MODULE.finditer(address))


class References:
    """Finds the function, the account and the Region that a resource of a plan belongs to."""

    def __init__(self, document: Section, resources: Sequence[PlannedResource]) -> None:
        self._configuration = as_mapping(document.get("configuration"))
        self._variables = as_mapping(document.get("variables"))
        self._declared: dict[tuple[str, ...], dict[tuple[str, str], Section]] = {}
        self._providers = as_mapping(self._configuration.get("provider_config"))
        stated = {key: _credentials(as_mapping(block)) for key, block in self._providers.items()}
        self._credentials = defaultdict(lambda: _credentials({}), stated)
        self._instances: dict[tuple[Module, str, str], dict[Index, list[PlannedResource]]] = {}
        """By module, type and name."""
        self._modules: dict[tuple[Module, str], dict[Index, list[Module]]] = defaultdict(dict)
        """By the module around it, and name."""
        self._accounts: dict[str, set[str]] = defaultdict(set)
        """By the credentials of a provider, the accounts that its resources state."""
        self._regions: dict[str, set[str]] = defaultdict(set)
        """By the key of a provider, the Regions that its resources state."""
        self._functions: dict[str, dict[tuple[str, str], list[PlannedResource]]] = {}
        """By name, and by account and Region."""
        for resource in resources:
            key = resource.module, resource.type, resource.name
            self._instances.setdefault(key, {}).setdefault(resource.index, []).append(resource)
            for depth, (name, index) in enumerate(resource.module):
                self._modules[resource.module[:depth], name][index] = [resource.module[: depth + 1]]
            self._note_provider(resource)
        for resource in resources:
            function = resource.values.get("function_name")
            if resource.type in FUNCTION_TYPES and isinstance(function, str):
                places = self._functions.setdefault(function, {})
                places.setdefault(self.account_and_region(resource), []).append(resource)

    def _note_provider(self, resource: PlannedResource) -> None:
        key = self._provider(resource)
        accounts = self._accounts[self._credentials[key]]
        if arn := _arn(resource.values) or _arn(resource.before):
            accounts.add(arn[2])
            self._regions[key].add(arn[1])
        if resource.type == "aws_caller_identity" and isinstance(account := resource.values.get("account_id"), str):
            accounts.add(account)

    def account_and_region(self, resource: PlannedResource) -> tuple[str, str]:
        """Return the account and the Region of a resource; each is empty if the plan does not state it.

        The `region` argument of a resource is part of the aws provider since its version 6.
        """
        key, state = self._provider(resource), resource.values or resource.before
        block = as_mapping(self._providers.get(key))
        expressions = as_mapping(block.get("expressions"))
        names = _names(module_of(str(block.get("module_address", ""))))
        arn = _arn(state)
        region, account = arn.groups() if arn else ("", "")
        if "region" in expressions:
            provider_region = _region(self._value(expressions["region"], names))
        else:
            provider_region = _only(self._regions[key])
        provider_account = self._stated_account(expressions, names) or _only(self._accounts[self._credentials[key]])
        return account or provider_account, _region(state.get("region")) or region or provider_region

    def _stated_account(self, expressions: Section, names: tuple[str, ...]) -> str:
        allowed = self._value(expressions.get("allowed_account_ids"), names)
        if isinstance(allowed, list) and len(allowed) == 1:
            return str(allowed[0])
        for role in as_list(expressions.get("assume_role")):
            arn = _ARN.match(str(self._value(as_mapping(role).get("role_arn"), names)))
            if arn:
                return arn[2]
        return ""

    def functions(self, resource: PlannedResource, key: str) -> list[PlannedResource]:
        """Return the functions that an attribute may name, directly or by an alias. Stop at two."""
        return _first_two(self._functions_of(resource, key))

    def targets(self, resource: PlannedResource, key: str, types: tuple[str, ...]) -> list[PlannedResource]:
        """Return the resources of these types that the expression of an attribute refers to. Stop at two."""
        return _first_two(self._targets(resource, key, types))

    def _functions_of(self, resource: PlannedResource, key: str) -> Iterator[PlannedResource]:
        waiting, seen = [(resource, key)], {resource.address}
        while waiting:
            source, attribute = waiting.pop()
            value = source.values.get(attribute)
            if isinstance(value, str):
                yield from self._named(value, source)
                continue
            for target in self._targets(source, attribute, (*FUNCTION_TYPES, *NAMING_A_FUNCTION)):
                if target.type in FUNCTION_TYPES:
                    yield target
                elif target.address not in seen:
                    seen.add(target.address)
                    waiting.append((target, "function_name"))

    def _named(self, text: str, resource: PlannedResource) -> list[PlannedResource]:
        """Return the functions with a name or ARN. If several have the name, return those in the resource's place."""
        match = _FUNCTION_NAME.fullmatch(text) if len(text) <= MAX_NAME else None
        places = self._functions.get(match[1] or match[2], {}) if match else {}
        named = list(islice(chain.from_iterable(places.values()), 2))
        return named if len(named) == 1 else places.get(self.account_and_region(resource), [])

    def _targets(self, resource: PlannedResource, key: str, types: tuple[str, ...]) -> Iterator[PlannedResource]:
        declared = self.declared(resource)
        expression = as_mapping(declared.get("expressions")).get(key)
        scope = _Scope(resource.module, resource.index, declared.get("for_each_expression"))
        return (target for target in self._followed(expression, scope) if target.type in types)

    def declared(self, resource: PlannedResource) -> Section:
        """Return the resource's block of the configuration; empty if there is none."""
        names = _names(resource.module)
        if names not in self._declared:
            blocks = [as_mapping(block) for block in as_list(self._module(names).get("resources"))]
            self._declared[names] = {(str(block.get("type")), str(block.get("name"))): block for block in blocks}
        return self._declared[names].get((resource.type, resource.name), {})

    def _value(self, expression: Json, names: tuple[str, ...]) -> Json:
        """Return the value of an expression that is a constant or a single variable; None for any other."""
        parts = as_mapping(expression)
        while "constant_value" not in parts:
            references = {str(reference) for reference in as_list(parts.get("references"))}
            if len(references) != 1:
                return None
            name = references.pop().removeprefix("var.")
            if not names:
                return as_mapping(self._variables.get(name)).get("value")
            given = as_mapping(self._call(names).get("expressions"))
            if name not in given:
                return as_mapping(as_mapping(self._module(names).get("variables")).get(name)).get("default")
            parts, names = as_mapping(given[name]), names[:-1]
        return parts["constant_value"]

    def _provider(self, resource: PlannedResource) -> str:
        """Return the key of a resource's provider. A module that configures none uses that of the module around it."""
        key = str(self.declared(resource).get("provider_config_key", ""))
        local, names = key.rpartition(":")[2], _names(resource.module)
        around = [".".join(f"module.{name}" for name in names[:depth]) for depth in range(len(names), 0, -1)]
        candidates = (key, *(f"{path}:{local}" for path in around), local)
        return next((candidate for candidate in candidates if candidate in self._providers), key)

    def _module(self, names: tuple[str, ...]) -> Section:
        module = as_mapping(self._configuration.get("root_module"))
        for name in names:
            module = as_mapping(as_mapping(as_mapping(module.get("module_calls")).get(name)).get("module"))
        return module

    def _call(self, names: tuple[str, ...]) -> Section:
        return as_mapping(as_mapping(self._module(names[:-1]).get("module_calls")).get(names[-1]))

    def _followed(self, expression: Json, scope: _Scope) -> Iterator[PlannedResource]:
        """Yield the resources that an expression refers to, also through variables and outputs."""
        open_, seen = [self._steps(expression, scope)], set()
        while open_:
            step = next(open_[-1], None)
            if step is None:
                open_.pop()
            elif isinstance(step, PlannedResource):
                yield step
            elif (state := (id(step[0]), step[1].module, step[1].index)) not in seen:
                seen.add(state)
                open_.append(self._steps(*step))

    def _steps(self, expression: Json, scope: _Scope) -> Iterator[PlannedResource | tuple[Json, _Scope]]:
        """Yield the resources that an expression names, and the expressions behind its variables and outputs."""
        references = list(_parsed(as_list(as_mapping(expression).get("references"))))
        own_indexes = self._own_indexes(references, scope)
        names = _names(scope.module)
        for root, name, index, attribute in references:
            if root == "var" and names:
                call = self._call(names)
                caller = _Scope(scope.module[:-1], scope.module[-1][1], call.get("for_each_expression"))
                yield as_mapping(call.get("expressions")).get(name), caller
            elif root == "each":
                yield scope.for_each, _Scope(scope.module, scope.index, None, is_for_each=True)
            elif root == "module" and attribute:
                outputs = as_mapping(self._module((*names, name)).get("outputs"))
                output = as_mapping(outputs.get(attribute)).get("expression")
                modules = _of_index(self._modules.get((scope.module, name), {}), index, own_indexes)
                yield from ((output, _Scope(module, None, None)) for module in modules)
            else:
                yield from _of_index(self._instances.get((scope.module, root, name), {}), index, own_indexes)

    def _own_indexes(self, references: Sequence[_Reference], scope: _Scope) -> list[Index]:
        """Return the possible indexes of fn[each.key] or fn[var.name], which the plan lists as fn and the variable."""
        is_own = scope.is_for_each or any(root in ("each", "count") for root, *_ in references)
        names = [name for root, name, *_ in references if root == "var"]
        given = [self._value({"references": [f"var.{name}"]}, _names(scope.module)) for name in names]
        return [*([scope.index] if is_own else []), *(index for index in given if isinstance(index, int | str))]


def _first_two(resources: Iterable[PlannedResource]) -> list[PlannedResource]:
    found: dict[str, PlannedResource] = {}
    for resource in resources:
        found[resource.address] = resource
        if len(found) == 2:
            break
    return list(found.values())


def _names(module: Module) -> tuple[str, ...]:
    return tuple(name for name, _ in module)


def _parsed(references: Iterable[Json]) -> Iterator[_Reference]:
    """Yield the parts of each reference. Drop `a.b` if the list also has `a.b.c`."""
    by_name: dict[tuple[str, str], list[re.Match[str]]] = {}
    for reference in references:
        if isinstance(reference, str) and (match := _REFERENCE.match(reference)):
            by_name.setdefault((match[1], match[2]), []).append(match)
    for (root, name), matches in by_name.items():
        exact = [match for match in matches if match[4]] or [match for match in matches if match[3]] or matches
        for index, attribute in dict.fromkeys((_index(match[3]), match[4] or "") for match in exact):
            yield root.removesuffix("."), name, index, attribute


def _of_index(
    instances: Mapping[Index, Sequence[_Instance]], index: Index, own_indexes: Sequence[Index]
) -> Iterator[_Instance]:
    """Yield the instance with the index. Without an index, yield that with the first of `own_indexes`, or else all."""
    if index is not None:
        return iter(instances.get(index, ()))
    keys = (key for own in own_indexes for key in (own, str(own), whole_number(own)) if key is not None)
    wanted = next((key for key in keys if key in instances), None)
    return chain.from_iterable(instances.values() if wanted is None else [instances[wanted]])


def _index(text: str | None) -> Index:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


def _arn(values: Section) -> re.Match[str] | None:
    return _ARN.match(str(values.get("arn")))


def _region(value: Json) -> str:
    return value if isinstance(value, str) and _REGION.fullmatch(value) else ""


def _only(values: set[str]) -> str:
    return next(iter(values)) if len(values) == 1 else ""


def _credentials(block: Section) -> str:
    """Return a text that is equal for two providers with the same credentials."""
    expressions = as_mapping(block.get("expressions"))
    stated = {key: value for key, value in expressions.items() if key not in NOT_CREDENTIALS}
    module = block.get("module_address", "") if stated else ""
    return json.dumps([block.get("full_name"), module, stated], sort_keys=True, default=str)
