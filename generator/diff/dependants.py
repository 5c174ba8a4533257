"""Which resources depend on what: parameters and conditions that switch them, and others that are replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.diff.intrinsics import mapping
from generator.diff.model import Json, Template
from generator.template.references import names


def names_in(value: Json) -> Iterator[str]:
    """Everything that a value refers to. A condition is named Conditions.NAME, a mapping Mappings.NAME."""
    yield from names(value)
    yield from _switches(value)


def affected(template: Template, name: str) -> tuple[str, ...]:
    """The resources that depend on a parameter, condition or mapping, also by way of conditions."""
    known = {name}
    conditions = mapping(template.get("Conditions"))
    for _ in conditions:
        known |= {f"Conditions.{one}" for one, content in conditions.items() if known & set(names_in(content))}
    return tuple(
        one
        for one, resource in template["Resources"].items()
        if known & {*names_in(resource.get("Properties")), f"Conditions.{resource.get('Condition')}"}
    )


def _switches(value: Json) -> Iterator[str]:
    match value:
        case {"Condition": str(name), **rest} if not rest:
            yield f"Conditions.{name}"
        case {"Fn::If": [str(name), *_], **rest} if not rest:
            yield f"Conditions.{name}"
        case {"Fn::FindInMap": [str(name), *_], **rest} if not rest:
            yield f"Mappings.{name}"
    if isinstance(value, Mapping | list):
        for inner in value if isinstance(value, list) else value.values():
            yield from _switches(inner)
