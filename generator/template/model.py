"""One CloudFormation or SAM template as data, parsed once and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.template.intrinsics import Json, as_mapping

Section = Mapping[str, Json]

PARAMETER_STORE = "AWS::SSM::"
"""The prefix of parameter types whose value is the name of an entry in Systems Manager."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """The sections of a template, with loops expanded and SAM's Globals merged as far as the template states them."""

    document: Section
    """The whole document as its author wrote it."""

    parameters: Section
    mappings: Section
    conditions: Section
    rules: Section
    resources: Mapping[str, Section]
    outputs: Section

    opaque: Section
    """By name: loops over an unknown list, and Fn::Transform among the resources. They may create any resource."""

    macros: tuple[str, ...] = ()
    """Transforms of the whole template. They may create or change any resource."""

    malformed: tuple[str, ...] = ()
    """Names of entries among the resources whose content or Properties are not a mapping."""

    def of_type(self, *types: str) -> list[str]:
        """Return the logical ids of all resources of these types, in the template's order."""
        return [logical_id for logical_id, resource in self.resources.items() if resource.get("Type") in types]

    def properties(self, logical_id: str) -> Section:
        """Return a resource's properties as they are written; empty where there are none, or no such resource."""
        return as_mapping(self.resources.get(logical_id, {}).get("Properties"))

    def properties_of(self, *types: str) -> dict[str, Section]:
        """Return the properties of every resource of these types by logical id."""
        return {logical_id: self.properties(logical_id) for logical_id in self.of_type(*types)}


def is_stored(parameter: Section) -> bool:
    """Return whether a parameter's value is in Systems Manager and not in the template."""
    return str(parameter.get("Type")).startswith(PARAMETER_STORE)


def is_list(parameter: Section) -> bool:
    """Return whether a parameter's value is a list, written as a text with commas."""
    kind = str(parameter.get("Type"))
    return kind == "CommaDelimitedList" or kind.startswith("List<")
