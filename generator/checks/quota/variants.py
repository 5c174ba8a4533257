"""A template under each set of given parameters, with the conditions and parameter values that can hold together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from generator.template.conditions import DeploymentSpace
from generator.template.intrinsics import Json
from generator.template.loop_lists import every_list
from generator.template.model import Template
from generator.template.nesting import ChildReader, with_nested
from generator.template.reading import parse

REGION, ACCOUNT = "AWS::Region", "AWS::AccountId"

Values = Mapping[str, Json]
"""Parameters with the values they are given; the others have their defaults."""


class Variant(NamedTuple):
    """A template under one set of given parameters, and everything that can be deployed from it."""

    template: Template
    space: DeploymentSpace
    unread: Mapping[str, str] = {}
    """By logical id, why the template of a nested stack could not be read."""

    def pinned(self, pins: Mapping[str, Collection[str]]) -> Variant:
        """Return the variant with other values for some pseudo parameters; any value where there are none.

        Searches in it do not count towards the limit on the steps of this one.
        """
        return self._replace(space=DeploymentSpace(self.template, {**self.space.pins, **pins}))


def variants(
    document: Json, given: Iterable[Values] = (), regions: Iterable[str] = (), reader: ChildReader | None = None
) -> list[Variant]:
    """Return a template under each set of parameters that is given, or once with any parameters.

    `regions` are those it may be deployed to; without any, every Region that it mentions and another one. `reader`
    reads the templates of nested stacks, which then count as part of the template.
    """
    templates = [parse(document, values, lists=every_list) for values in tuple(given) or (None,)]
    whole = [with_nested(template, reader) if reader else (template, {}) for template in templates]
    pins = {REGION: list(regions)}
    return [Variant(template, DeploymentSpace(template, pins), unread) for template, unread in whole]
