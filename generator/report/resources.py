"""Look up references and policy statements in a template for the sections of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.template.dependencies import names
from generator.template.intrinsics import Json, as_list


def referenced(value: Json) -> str:
    """Return the first logical id that a value refers to, empty if there is none."""
    return next(names(value), "")


def statements(role: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """Yield every statement of a role's inline policies."""
    for policy in role.get("Policies", []):
        yield from as_list(policy["PolicyDocument"]["Statement"])


def has_recovery(table: Mapping[str, Json]) -> bool:
    """Return whether point-in-time recovery is on; the setting can be present and off."""
    setting = table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    return str(setting).lower() == "true"
