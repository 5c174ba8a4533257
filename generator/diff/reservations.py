"""Compare reserved and provisioned concurrency, with the same sums that `generator check` finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generator.checks.quota.functions import FUNCTION_TYPES, PROVISIONED, QUALIFIERS, RESERVED
from generator.checks.quota.variants import Variant
from generator.checks.quota.worst_case import worst_case
from generator.diff.equality import DeploymentComparison, is_possible
from generator.diff.model import Reservation, Reservations, Room
from generator.diff.properties import same
from generator.diff.redefinitions import Pair
from generator.template.alternatives import Missing, stated_figures
from generator.template.conditions import DeploymentSpace
from generator.template.intrinsics import Json, as_mapping, is_intrinsic
from generator.template.model import Template
from generator.template.schemas import Certainty

Setting = tuple[str, tuple[str, ...]]
"""A resource and the path of the property that reserves or provisions."""


def reservations(
    sides: Pair, views: Sequence[Pair], comparison: DeploymentComparison, room: Room | None
) -> Reservations:
    """Compare every function's figure in each view, and the sums of the deployments that reserve most."""
    deployed = [Variant(side, DeploymentSpace(side)) for side in sides]
    old, new = (worst_case([side]) for side in deployed)
    settings = dict.fromkeys(setting for side in (sides[1], sides[0]) for setting in _settings(side))
    functions = tuple(_compared(setting, deployed, views, comparison) for setting in settings)
    return Reservations(functions, old.total, new.total, (not old.is_proven, not new.is_proven), room)


def _settings(template: Template) -> Iterator[Setting]:
    yield from ((name, (RESERVED,)) for name in template.of_type(*FUNCTION_TYPES))
    for name in template.of_type(*FUNCTION_TYPES, *QUALIFIERS):
        if PROVISIONED[0] in template.properties(name):
            yield name, PROVISIONED


def _compared(
    setting: Setting, sides: Sequence[Variant], views: Sequence[Pair], comparison: DeploymentComparison
) -> Reservation:
    """Return both figures: equal if no deployment changes, and as written if the same numbers change places."""
    name, path = setting
    label = name if path == (RESERVED,) else f"{name} (provisioned)"
    old, new = (_figure(setting, side) for side in sides)
    written = [[_written(setting, side) for side in view] for view in views]
    changed = [pair for pair in written if not same(*pair) and comparison.difference(*pair) != Certainty.NONE]
    if not changed or (old == new and isinstance(new, int)):
        return Reservation(label, new, new)
    return Reservation(label, *(changed[-1] if old == new else (old, new)))


def _figure(setting: Setting, side: Variant) -> Json:
    """Return the number that a setting always has, all numbers that it may have, or how it is written."""
    name, path = setting
    if name not in side.template.resources:
        return None
    figures = [
        figure.number for figure in stated_figures(side.template, name, *path) if is_possible(side.space, figure.guard)
    ]
    numbers = sorted({number for number in figures if isinstance(number, int)})
    if Missing.UNKNOWN in figures:
        return _written(setting, side.template)
    return (numbers[0] if len(numbers) == 1 else numbers) if numbers else None


def _written(setting: Setting, template: Template) -> Json:
    name, path = setting
    value = as_mapping(template.resources.get(name)).get("Properties")
    for key in path:
        value = value if is_intrinsic(value) else as_mapping(value).get(key)
    return value
