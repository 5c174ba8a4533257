"""Which resources depend on what: parameters and conditions that switch them, and others that are replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.review.diff.intrinsics import VARIABLE, is_intrinsic, mapping
from generator.review.diff.model import Json, Template


def names_in(value: Json) -> Iterator[str]:
    """Everything that a value refers to. A condition is named Conditions.NAME, a mapping Mappings.NAME."""
    if isinstance(value, list):
        for item in value:
            yield from names_in(item)
    elif isinstance(value, Mapping):
        if is_intrinsic(value) or value.keys() == {"Condition"}:
            yield from _named(*next(iter(value.items())))
        for inner in value.values():
            yield from names_in(inner)


def affected(template: Template, name: str) -> tuple[str, ...]:
    """The resources that depend on a parameter, condition or mapping, also by way of conditions."""
    names = {name}
    conditions = mapping(template.get("Conditions"))
    for _ in conditions:
        names |= {f"Conditions.{one}" for one, content in conditions.items() if names & set(names_in(content))}
    return tuple(
        one
        for one, resource in template["Resources"].items()
        if names & {*names_in(resource.get("Properties")), f"Conditions.{resource.get('Condition')}"}
    )


def _named(function: str, content: Json) -> Iterator[str]:
    match function, content:
        case "Ref", str(name):
            yield name
        case "Condition", str(name):
            yield f"Conditions.{name}"
        case "Fn::GetAtt", [str(name), *_]:
            yield name
        case "Fn::GetAtt", str(path):
            yield path.split(".")[0]
        case "Fn::If", [str(name), *_]:
            yield f"Conditions.{name}"
        case "Fn::FindInMap", [str(name), *_]:
            yield f"Mappings.{name}"
        case "Fn::Sub", str(text) | [str(text), _]:
            yield from (found.split(".")[0] for found in VARIABLE.findall(text))
