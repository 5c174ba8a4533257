"""Find every list that a loop may run over, with the conditions and parameter values under which it does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from generator.template.alternatives import Missing, values_of
from generator.template.conditions import DeploymentSpace
from generator.template.guards import Guard
from generator.template.intrinsics import Json
from generator.template.model import Template
from generator.template.search import possible
from generator.template.transforms import Lists


def every_list(template: Template) -> Lists:
    """Return a function that returns what a collection may be in any deployment.

    Conditions, the keys of mappings and parameters that list their values have every value. Other parameters have
    their defaults, like those that are a figure.
    """
    space = DeploymentSpace(template)

    @cache
    def is_possible(guard: Guard) -> bool:
        return not space.can_read(guard) or possible(space, guard)

    def lists(collection: Json) -> Sequence[tuple[Json, Guard]]:
        return [
            ([] if alternative.value is Missing.ABSENT else alternative.value, alternative.guard)
            for alternative in values_of(template, collection)
            if is_possible(alternative.guard)
        ]

    return lists
