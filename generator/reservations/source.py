"""Takes the sections that reservations depend on out of cfn-lint's template, as their author wrote them.

cfn-lint's copy of the AWS::LanguageExtensions transform guesses where it cannot know: Fn::FindInMap by a parameter
becomes the value of some key, Fn::ForEach over an unknown list becomes two made-up resources. A guess must not become
a finding, so the first is put back as it was written and the second is kept apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cfnlint.template import Template

from generator.reservations.guards import Path
from generator.reservations.loops import guessed_ids, is_stored

Section = Mapping[str, Any]

UNKNOWN_VALUE = {"Fn::Transform": "unknown"}
"""Stands where no one can say which of two values cfn-lint took; an intrinsic function that nothing here resolves."""


@dataclass(frozen=True, slots=True)
class Source:
    """One template, in one deployment's parameters where cfn-lint was given them."""

    resources: Mapping[str, Section]
    guessed: tuple[Section, ...]
    """Resources that cfn-lint made up for a loop over something unknown; the real ones are like them."""

    parameters: Section
    conditions: Section
    mappings: Section
    rules: Section
    outputs: Section

    def of_type(self, *types: str) -> Iterator[str]:
        """The logical ids of all resources of these types."""
        return (logical_id for logical_id, resource in self.resources.items() if resource.get("Type") in types)


def sources(template: Template) -> list[Source]:
    """The template under each set of parameters that cfn-lint was given; just the template when it was given none."""
    section = _reader(template)
    guessed = guessed_ids(template)
    resources = {name: resource for name, resource in section("Resources").items() if isinstance(resource, dict)}
    written = Source(
        resources={name: resource for name, resource in resources.items() if not guessed(name)},
        guessed=tuple(resource for name, resource in resources.items() if guessed(name)),
        parameters=_as_text(section("Parameters")),
        conditions=_as_text(section("Conditions")),
        mappings=section("Mappings"),
        rules=_as_text(section("Rules")),
        outputs=section("Outputs"),
    )
    given = [parameter_set.parameters for parameter_set in template.context.parameter_sets or []]
    return [replace(written, parameters=_pinned(written.parameters, values)) for values in given] or [written]


def _reader(template: Template) -> Callable[[str], Section]:
    """Reads a section, with every Fn::FindInMap as it was before the transform; empty when it is no table."""
    written = _written(template) if template.has_language_extensions_transform() else {}

    def section(name: str) -> Section:
        content = template.template.get(name)
        if not isinstance(content, dict):
            return {}
        return {
            key: _restored(value, (name, key), written) if written else value
            for key, value in content.items()
            if isinstance(key, str)
        }

    return section


def _written(template: Template) -> dict[Path, Any]:
    """Each Fn::FindInMap of the template, by its place.

    One in SAM's Globals is merged into functions before it is guessed, where the guess looks like a literal.
    """
    written = {tuple(path[:-2]): {"Fn::FindInMap": path[-1]} for path in template.transform_pre["Fn::FindInMap"]}
    merged = [path[2:] for path in written if path[:2] == ("Globals", "Function")]
    for function in template.get_resources("AWS::Serverless::Function"):
        for path in merged:
            written.setdefault(("Resources", function, "Properties", *path), UNKNOWN_VALUE)
    return written


def _restored(value: Any, path: Path, written: Mapping[Path, Any]) -> Any:
    if path in written:
        return written[path]
    if isinstance(value, dict):
        return {key: _restored(inner, (*path, key), written) for key, inner in value.items()}
    if isinstance(value, list):
        return [_restored(inner, (*path, index), written) for index, inner in enumerate(value)]
    return value


def _as_text(value: Any) -> Any:
    """With each true and false as CloudFormation compares it: cfn-lint takes Python's "True" and "False" instead."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return {key: _as_text(inner) for key, inner in value.items()}
    return [_as_text(inner) for inner in value] if isinstance(value, list) else value


def _pinned(parameters: Section, values: Mapping[str, Any]) -> Section:
    """Parameters that can only have what this deployment gives them, or else their default."""
    return {name: _pinned_one(parameter, values.get(name)) for name, parameter in parameters.items()}


def _pinned_one(parameter: Any, value: Any) -> Any:
    if not isinstance(parameter, dict) or is_stored(parameter):
        return parameter
    value = parameter.get("Default") if value is None else value
    if not isinstance(value, str | int | float):
        return parameter
    text = _as_text(value)
    return {**parameter, "Default": text, "AllowedValues": [text]}
