"""Look up resources, references and policy statements in a template for the sections of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.template.model import Template
from generator.template.references import names


def of_type(template: Template, kind: str) -> dict[str, Mapping[str, Any]]:
    """Return the properties of every resource of a type by logical id."""
    return {name: template.properties(name) for name in template.of_type(kind)}


def properties(template: Template, logical_id: str) -> Mapping[str, Any]:
    """Return the properties of one resource, empty if it does not exist."""
    return template.properties(logical_id) if logical_id in template.resources else {}


def referenced(value: Any) -> str:
    """Return the first logical id that a value refers to, empty if there is none."""
    return next(names(value), "")


def as_list(value: Any) -> list[Any]:
    """Return a list; IAM and CloudFormation accept a single item in place of a list of one."""
    return value if isinstance(value, list) else [value]


def statements(role: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield every statement of a role's inline policies."""
    for policy in role.get("Policies", []):
        yield from as_list(policy["PolicyDocument"]["Statement"])


def has_recovery(table: Mapping[str, Any]) -> bool:
    """Return whether point-in-time recovery is on; the setting can be present and off."""
    stated = table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    return str(stated).lower() == "true"
