"""Takes what reservations depend on out of cfn-lint's template, as its author wrote it: once for each deployment.

What cfn-lint makes up for a Fn::ForEach over something that the template does not tell is kept apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from cfnlint.template import Template

from generator.checks.reservations.loops import CONCURRENCY_PROPERTIES, guessed_ids, is_stored
from generator.checks.reservations.places import REGION, mentioned, named_regions, pinned
from generator.checks.reservations.source import Section, Source, substituted
from generator.checks.reservations.written import reader

KNOWN_TRANSFORMS = (
    *("AWS::LanguageExtensions", "AWS::Serverless-", "AWS::CodeDeployBlueGreen", "AWS::SecretsManager-"),
    "AWS::ServiceCatalog",
)
"""How those begin that cfn-lint expands, or that bring no function with a reservation; AWS::Include brings anything.

Source: AWS CloudFormation Template Reference, "Transform reference".
"""


def sources(template: Template) -> list[Source]:
    """The template under each set of parameters that cfn-lint was given; just the template when it was given none."""
    section = reader(template)
    guessed, guessed_condition = guessed_ids(template, "Resources"), guessed_ids(template, "Conditions")
    shared = _shared(template)
    resources = {
        name: _with_globals(resource, shared)
        for name, resource in section("Resources").items()
        if isinstance(resource, dict)
    }
    written = Source(
        resources={name: resource for name, resource in resources.items() if not guessed(name)},
        guessed=tuple(resource for name, resource in resources.items() if guessed(name)),
        parameters=_as_compared(section("Parameters")),
        conditions={
            name: _unknown(name) if guessed_condition(name) else _as_compared(condition)
            for name, condition in section("Conditions").items()
        },
        mappings=section("Mappings"),
        rules=_as_compared(section("Rules")),
        outputs=section("Outputs"),
        macros=tuple(_macros(template)),
    )
    if mentioned(written, REGION) and (regions := named_regions(template)):
        written = pinned(written, {REGION: regions})
    given = [parameter_set.parameters for parameter_set in template.context.parameter_sets or []]
    return [replace(written, parameters=_given(written.parameters, values)) for values in given] or [written]


def _macros(template: Template) -> Iterator[str]:
    for transform in template.transform_pre["Transform"]:
        name = str(transform.get("Name") if isinstance(transform, dict) else transform)
        if not name.startswith(KNOWN_TRANSFORMS):
            yield name


def _shared(template: Template) -> Section:
    """What SAM's Globals state of the concurrency of all functions. Source: AWS SAM Developer Guide, "Globals"."""
    globals_ = template.transform_pre["Globals"]
    stated = globals_.get("Function") if isinstance(globals_, dict) else None
    return {key: stated[key] for key in CONCURRENCY_PROPERTIES & stated.keys()} if isinstance(stated, dict) else {}


def _with_globals(resource: Section, shared: Section) -> Section:
    """A function with what it takes from Globals: cfn-lint merges them before it expands loops, so not into these."""
    ignored, properties = resource.get("IgnoreGlobals"), resource.get("Properties", {})
    if resource.get("Type") != "AWS::Serverless::Function" or ignored == "*" or not isinstance(properties, dict):
        return resource
    taken = {key: value for key, value in shared.items() if not (isinstance(ignored, list) and key in ignored)}
    return {**resource, "Properties": taken | properties}


def _unknown(name: str) -> Section:
    """A condition that nothing is known of: it may be true or false, whatever the others are."""
    return {"Fn::Equals": [{"Fn::Transform": name}, "true"]}


def _as_compared(value: Any) -> Any:
    """With each value in the one form in which CloudFormation compares it.

    cfn-lint takes Python's "True" for true, and takes Fn::Sub of a variable for something else than its Ref.
    """
    match value:
        case bool():
            return str(value).lower()
        case {"Fn::Sub": str(text)} if len(value) == 1:
            return substituted(text)
        case dict():
            return {key: _as_compared(inner) for key, inner in value.items()}
        case list():
            return [_as_compared(inner) for inner in value]
    return value


def _given(parameters: Section, values: Mapping[str, Any]) -> Section:
    """Parameters that can only have what this deployment gives them, or else their default."""
    return {name: _given_one(parameter, values.get(name)) for name, parameter in parameters.items()}


def _given_one(parameter: Any, value: Any) -> Any:
    if not isinstance(parameter, dict) or is_stored(parameter):
        return parameter
    value = parameter.get("Default") if value is None else value
    if not isinstance(value, str | int | float):
        return parameter
    text = _as_compared(value)
    return {**parameter, "Default": text, "AllowedValues": [text]}
