"""Compare two templates by their meaning. Reads no file and prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from generator.diff.code import functions, handlers
from generator.diff.iam.access import accesses
from generator.diff.iam.not_compared import not_compared
from generator.diff.model import Alarm, Cost, Difference, Part, Property, Reservation, Reservations
from generator.diff.properties import changes, same
from generator.diff.redefinitions import told_apart
from generator.diff.resources import resources, with_new_deployment
from generator.template.evaluation import Evaluator, Unknown, known
from generator.template.intrinsics import Json, whole_number
from generator.template.model import Template
from generator.template.references import dependencies
from generator.template.schemas import schema

MonthlyCost = Callable[[Template], Decimal]

ALARM = "AWS::CloudWatch::Alarm"
ALARM_SETTINGS = (
    *("Threshold", "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm", "Period", "Statistic"),
    *("ExtendedStatistic", "TreatMissingData", "MetricName", "ActionsEnabled", "AlarmActions"),
    *("Namespace", "Dimensions", "Metrics", "Unit"),
)
NAMED_SECTIONS = {"Parameters": "", "Conditions": "Conditions.", "Mappings": "Mappings.", "Outputs": None}
"""Sections of named parts, with what references put before the name; nothing refers to an output."""

APART = ("Resources", "AWSTemplateFormatVersion")


@dataclass(frozen=True, slots=True)
class Room:
    """What the account can reserve, and what its other environments reserve."""

    reservable: int
    elsewhere: int


def difference(
    old: Template, new: Template, room: Room | None = None, monthly_cost: MonthlyCost | None = None
) -> Difference:
    """Return how two templates differ in meaning. `room` adds the headroom, `monthly_cost` the cost."""
    old, renamed = with_new_deployment(old, new)
    before, after = known(old), known(new)
    apart = told_apart(before, after)
    left, right = told_apart(before, after, defaults=False)
    return Difference(
        resources=tuple(resources(before, after, apart, renamed)),
        parts=tuple(_parts(old, new)),
        iam=tuple(accesses(*apart)),
        iam_not_compared=tuple(not_compared(*apart)),
        reservations=_reservations((old, left), (new, right), room),
        handlers=tuple(handlers(left, right)),
        alarms=tuple(_alarms(left, right)),
        cost=Cost(monthly_cost(old), monthly_cost(new)) if monthly_cost else None,
    )


def _parts(old: Template, new: Template) -> Iterator[Part]:
    for section in dict.fromkeys([*new.document, *old.document]):
        if section in APART:
            continue
        before, after = ({} if (found := side.document.get(section)) is None else found for side in (old, new))
        if section not in NAMED_SECTIONS or not isinstance(before, Mapping) or not isinstance(after, Mapping):
            for one in _changes(old.document.get(section), new.document.get(section), section):
                yield Part(one.path, one.old, one.new, ())
            continue
        prefix = NAMED_SECTIONS[section]
        for name in dict.fromkeys([*after, *before]):
            if found := list(_changes(before.get(name), after.get(name), f"{section}.{name}")):
                depends = () if prefix is None else _affected(new, f"{prefix}{name}")
                yield from (Part(one.path, one.old, one.new, depends) for one in found)


def _changes(old: Json, new: Json, path: str) -> Iterator[Property]:
    return changes(old, new, path, frozenset())


def _affected(template: Template, name: str) -> tuple[str, ...]:
    """Return the resources that depend on a parameter, condition or mapping, also by way of conditions."""
    found = {name}
    for _ in template.conditions:
        found |= {
            f"Conditions.{one}" for one, content in template.conditions.items() if found & set(dependencies(content))
        }
    return tuple(
        one
        for one, resource in template.resources.items()
        if found & {*dependencies(resource.get("Properties")), f"Conditions.{resource.get('Condition')}"}
    )


def _reservations(old: tuple[Template, Template], new: tuple[Template, Template], room: Room | None) -> Reservations:
    """Compare figures with every parameter at its default. Each side comes as it is and with redefinitions apart."""
    before, after = _figures(*old), _figures(*new)
    figures = (Reservation(name, before.get(name), after.get(name)) for name in dict.fromkeys([*after, *before]))
    return Reservations(tuple(figures), room.reservable if room else None, room.elsewhere if room else 0)


def _figures(template: Template, apart: Template) -> dict[str, Json]:
    """Return each function's reservation: a number, or an expression if only a deployment decides it."""
    evaluator = Evaluator(template)
    figures: dict[str, Json] = {}
    for name in functions(apart):
        stated = apart.properties(name).get("ReservedConcurrentExecutions")
        try:
            value = evaluator.value(template.properties(name).get("ReservedConcurrentExecutions"))
        except Unknown:
            value = stated
        number = whole_number(value)
        figures[name] = value if number is None else number
    return figures


def _alarms(old: Template, new: Template) -> Iterator[Alarm]:
    for name, resource in new.resources.items():
        before = old.resources.get(name)
        if before is None or ALARM not in (before.get("Type"), resource.get("Type")):
            continue
        was, now = before.get("Properties", {}), resource.get("Properties", {})
        for setting in ALARM_SETTINGS:
            if any(changes(was.get(setting), now.get(setting), setting, schema(ALARM).unordered)):
                yield Alarm(name, setting, was.get(setting), now.get(setting), _effect(setting, was, now))


def _effect(setting: str, was: Mapping[str, Json], now: Mapping[str, Json]) -> Literal["earlier", "later", "other"]:
    """Whether the alarm fires earlier or later than before, by this setting alone and where figures tell.

    A longer period adds up more and is over later, and M of more periods are reached earlier but looked for longer.
    """
    old, new = _figure(was.get(setting)), _figure(now.get(setting))
    m_of_n = "DatapointsToAlarm" in was or "DatapointsToAlarm" in now
    telling = {"Threshold", "DatapointsToAlarm"} if m_of_n else {"Threshold", "EvaluationPeriods"}
    turned = not same(was.get("ComparisonOperator"), now.get("ComparisonOperator"))
    if old is None or new is None or setting not in telling or (setting == "Threshold" and turned):
        return "other"
    below = setting == "Threshold" and str(now.get("ComparisonOperator", "")).startswith("LessThan")
    return "later" if (new > old) != below else "earlier"


def _figure(value: Json) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
