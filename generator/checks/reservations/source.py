"""A template as reservations are read from it: its sections, as their author wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Section = Mapping[str, Any]


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
    macros: tuple[str, ...] = ()
    """Transforms of the whole template that cfn-lint does not know: they may add functions, or change figures."""

    def of_type(self, *types: str) -> Iterator[str]:
        """The logical ids of all resources of these types."""
        return (logical_id for logical_id, resource in self.resources.items() if resource.get("Type") in types)


def substituted(text: str) -> Any:
    """What Fn::Sub makes of a text: of a variable alone what Ref does, of a text without variables nothing."""
    if variable := re.fullmatch(r"\$\{([\w:]+)\}", text):
        return {"Ref": variable[1]}
    return {"Fn::Sub": text} if "${" in text else text


def under(expression: Any, key: str) -> Iterator[Any]:
    """Everything that stands under a key, at any depth."""
    if isinstance(expression, Mapping):
        if key in expression:
            yield expression[key]
        expression = list(expression.values())
    if isinstance(expression, list):
        for inner in expression:
            yield from under(inner, key)
