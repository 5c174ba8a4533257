"""Tells which resources and conditions of a Fn::ForEach are cfn-lint's guess rather than the template's word."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cfnlint.template import Template

LOOP = "Fn::ForEach::"

VARIABLE = re.compile(r"[$&]\{[^}]*\}")
"""A loop's variable in a logical id."""

CONCURRENCY_PROPERTIES = frozenset(
    {"ReservedConcurrentExecutions", "ProvisionedConcurrencyConfig", "ParallelizationFactor", "ShardCount"}
)

Variables = frozenset[str]


def guessed_ids(template: Template, section: str) -> Callable[[str], bool]:
    """Whether an id comes from a loop whose list, or what it is about, cfn-lint had to make up.

    A resource is about its concurrency figures, a condition about all that is in it.
    """
    patterns: list[re.Pattern[str]] = []
    relevant = section == "Conditions"
    if template.has_language_extensions_transform():
        parameters = template.template.get("Parameters")
        for path in template.transform_pre["Fn::ForEach"]:
            if path[0] == section and len(path) == 3:
                known = parameters if isinstance(parameters, dict) else {}
                keys = _guessed_keys(path[-1], known, frozenset(), relevant)
                patterns.extend(re.compile(_pattern(key)) for key in keys)
    return lambda id_: any(pattern.fullmatch(id_) for pattern in patterns)


def _guessed_keys(loop: Any, parameters: Mapping[str, Any], outer: Variables, relevant: bool) -> Iterator[str]:
    """The ids, variables and all, that a loop or a loop inside it gives to what is guessed."""
    if not _is_loop(loop):
        return
    variable, collection, outputs = loop
    variables = outer | {str(variable)}
    for key, output in outputs.items():
        inner = str(key).startswith(LOOP)
        if not _is_known(collection, parameters, outer):
            yield from _keys(key, output)
        elif inner:
            yield from _guessed_keys(output, parameters, variables, relevant)
        elif _has_figure_by_parameter(output, variables, relevant):
            yield str(key)


def _is_loop(loop: Any) -> bool:
    return isinstance(loop, list) and len(loop) == 3 and isinstance(loop[2], dict)


def _keys(key: Any, output: Any) -> Iterator[str]:
    if not str(key).startswith(LOOP):
        yield str(key)
    elif _is_loop(output):
        for inner_key, inner in output[2].items():
            yield from _keys(inner_key, inner)


def _is_known(collection: Any, parameters: Mapping[str, Any], variables: Variables) -> bool:
    if isinstance(collection, list):
        return all(isinstance(item, str) for item in collection)
    if not isinstance(collection, dict):
        return False
    if "Ref" in collection:
        parameter = parameters.get(str(collection["Ref"]))
        return isinstance(parameter, dict) and bool(parameter.get("Default")) and not is_stored(parameter)
    keys = collection.get("Fn::FindInMap")
    return isinstance(keys, list) and all(isinstance(key, str) or set(_refs(key)) <= variables for key in keys)


def is_stored(parameter: Mapping[str, Any]) -> bool:
    """Whether a parameter's value is a name in Systems Manager, whose content the template does not tell."""
    return str(parameter.get("Type")).startswith("AWS::SSM::")


def _has_figure_by_parameter(value: Any, variables: Variables, relevant: bool) -> bool:
    """Whether Fn::FindInMap chooses what is relevant in a loop by anything but the loop's own variables."""
    if isinstance(value, list):
        return any(_has_figure_by_parameter(item, variables, relevant) for item in value)
    if not isinstance(value, dict):
        return False
    return any(
        not set(_refs(inner)) <= variables
        if relevant and key == "Fn::FindInMap"
        else _has_figure_by_parameter(inner, variables, relevant or key in CONCURRENCY_PROPERTIES)
        for key, inner in value.items()
    )


def _refs(value: Any) -> Iterator[str]:
    """What an expression refers to."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield str(inner)
            yield from _refs(inner)
    elif isinstance(value, list):
        for item in value:
            yield from _refs(item)


def _pattern(key: str) -> str:
    return ".*".join(map(re.escape, VARIABLE.split(key)))
