"""What the resource schemas that cfn-lint ships say of a type: which change replaces, and which lists have no order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from generator.review.diff_model import Replacement

REGION = "us-east-1"
"""The Region with all resource types. Which change replaces a resource is the same in every Region."""

ALWAYS_CERTAIN = {"AWS::DynamoDB::Table": ("/properties/KeySchema",)}
"""Stricter than the schema's "conditional": a table with another key is another table. Source: DynamoDB API reference,
UpdateTable, which takes no KeySchema."""

WITHOUT_ORDER = ("DependsOn", "AttributeDefinitions", "GlobalSecondaryIndexes", "NonKeyAttributes")
"""Lists whose order means nothing although no schema says so."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One resource type. A pointer is like /properties/KeySchema; `*` stands for any item of a list."""

    certain: tuple[str, ...]
    possible: tuple[str, ...]
    unordered: frozenset[str]

    def replacement(self, path: str) -> Replacement:
        """What a change at a place such as Properties.KeySchema[0].AttributeName does to the resource."""
        if any(_touches(path, pointer) for pointer in self.certain):
            return "certain"
        return "possible" if any(_touches(path, pointer) for pointer in self.possible) else "none"


@cache
def schema(kind: str) -> Schema:
    """The type's schema; one that says nothing for a type that cfn-lint does not know."""
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    try:
        content: Mapping[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    except ResourceNotFoundError:
        content = {}
    always = ALWAYS_CERTAIN.get(kind, ())
    return Schema(
        certain=(*content.get("createOnlyProperties", ()), *always),
        possible=tuple(content.get("conditionalCreateOnlyProperties", ())),
        unordered=frozenset(_unordered(content)).union(WITHOUT_ORDER),
    )


def _touches(path: str, pointer: str) -> bool:
    """Whether the place is the pointer's, within it, or around it."""
    mine = re.sub(r"\[\d+\]", ".*", path).split(".")
    theirs = pointer.removeprefix("/").split("/")
    if mine[0] != "Properties" or theirs[0] != "properties":
        return False
    return all(one == other or "*" in (one, other) for one, other in zip(mine[1:], theirs[1:], strict=False))


def _unordered(content: Any) -> Iterator[str]:
    for key, inner in content.items() if isinstance(content, Mapping) else ():
        if isinstance(inner, Mapping) and inner.get("insertionOrder") is False:
            yield key
        yield from _unordered(inner)
