"""Compare two templates by their meaning. Reads no file and prints nothing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping

from generator.checks.quota.functions import FUNCTION_TYPES
from generator.diff.iam.access import Coverage, accesses
from generator.diff.iam.not_compared import not_compared
from generator.diff.model import CODE, Alarm, Cost, Difference, Effect, Handler, Part, Room
from generator.diff.properties import changes, literal, same
from generator.diff.redefinitions import Redefinitions, with_new_names
from generator.diff.reservations import reservations
from generator.diff.resources import resources, with_new_deployment
from generator.diff.sam import with_same_types
from generator.template.dependencies import dependencies
from generator.template.evaluation import known
from generator.template.intrinsics import Json, as_mapping, template_text, text
from generator.template.model import Template
from generator.template.schemas import schema
from generator.template.transforms import SAM_FUNCTION

ALARM = "AWS::CloudWatch::Alarm"
ALARM_SETTINGS = (
    *("Threshold", "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm", "Period", "Statistic"),
    *("ExtendedStatistic", "TreatMissingData", "MetricName", "ActionsEnabled", "AlarmActions"),
    *("Namespace", "Dimensions", "Metrics", "Unit"),
)

CODE_PROPERTIES = ("Code", "CodeUri", "InlineCode", "ImageUri", "ImageConfig", "Layers", "Handler")
"""Properties that select the code, of AWS::Lambda::Function and of AWS::Serverless::Function."""

NAMED_SECTIONS = {"Parameters": "", "Conditions": "Conditions.", "Mappings": "Mappings.", "Outputs": None}
"""Sections of named parts, with the prefix of references to them. Nothing refers to an output."""

HANDLED_SEPARATELY = ("Resources", "AWSTemplateFormatVersion")


def difference(old: Template, new: Template, room: Room | None = None, cost: Cost | None = None) -> Difference:
    """Return the differences in meaning between two templates. `room` adds the headroom; `cost` is passed through."""
    old, renamed = with_new_deployment(with_new_names(old, new), new)
    before, after = known(old), known(new)
    redefinitions = Redefinitions(before, after)
    views = redefinitions.views
    coverage = Coverage(redefinitions.comparison)
    iam = {
        (access.resource, access.change, text(access.statement)): access
        for view in views
        for access in accesses(*with_same_types(*view, SAM_FUNCTION), coverage)
    }
    code = {handler.id: handler for view in views for handler in _handlers(*with_same_types(*view))}
    alarms = {(alarm.id, alarm.setting): alarm for view in views for alarm in _alarms(*view)}
    return Difference(
        resources=tuple(resources(before, after, redefinitions, renamed)),
        parts=tuple(_parts(old, new, redefinitions)),
        iam=tuple(iam.values()),
        iam_not_compared=tuple(dict.fromkeys(found for view in views for found in not_compared(*view))),
        reservations=reservations((old, new), views, redefinitions.comparison, room),
        handlers=tuple(code.values()),
        alarms=tuple(alarms.values()),
        cost=cost,
    )


def _parts(old: Template, new: Template, redefinitions: Redefinitions) -> Iterator[Part]:
    used = _used_by_resources(new)
    for section in dict.fromkeys([*new.document, *old.document]):
        if section in HANDLED_SEPARATELY:
            continue
        contents = (old.document.get(section), new.document.get(section))
        if section not in NAMED_SECTIONS or any(isinstance(side, list | str) for side in contents):
            yield from (Part(change.path, change.old, change.new, ()) for change in changes(*contents, section))
            continue
        before, after = (getattr(side, section.lower()) for side in (old, new))
        prefix = NAMED_SECTIONS[section]
        for name in dict.fromkeys([*after, *before]):
            if section == "Conditions" and name in before.keys() & after.keys() - redefinitions.conditions:
                continue
            changed = list(changes(before.get(name), after.get(name), f"{section}.{name}"))
            if section == "Outputs":
                outputs = [as_mapping(side.outputs.get(name)) for side in redefinitions.with_distinct_names]
                distinct = changes(outputs[0], outputs[1], f"Outputs.{name}")
                conditions = [output.get("Condition") for output in outputs]
                differing = redefinitions.comparison.differing(changed, distinct, conditions)
                changed = [change for change, _ in differing.values()]
            if changed:
                depends = tuple(one for one, names in used.items() if prefix is not None and f"{prefix}{name}" in names)
                yield from (Part(change.path, change.old, change.new, depends) for change in changed)


def _used_by_resources(template: Template) -> dict[str, set[str]]:
    """Return the names on which each resource depends, directly or through conditions."""
    conditions = {f"Conditions.{name}": [*dependencies(content)] for name, content in template.conditions.items()}
    used: dict[str, set[str]] = {}
    for name, resource in template.resources.items():
        waiting = [*dependencies(resource.get("Properties")), f"Conditions.{resource.get('Condition')}"]
        found = used[name] = set()
        while waiting:
            if (one := waiting.pop()) not in found:
                found.add(one)
                waiting += conditions.get(one, ())
    return used


def _handlers(old: Template, new: Template) -> Iterator[Handler]:
    """Yield every function that is new or whose code changed."""
    before = old.properties_of(*FUNCTION_TYPES)
    for name, properties in new.properties_of(*FUNCTION_TYPES).items():
        if lines := list(_changed_lines(before.get(name, {}), properties)):
            yield Handler(name, "\n".join(lines))


def _changed_lines(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Yield a diff of the inline code, and a line for every other value that was removed or added."""
    codes = [_inline(old), _inline(new)]
    # If one side has references, both are written as in an Fn::Sub.
    write = _with_references if None in map(literal, codes) else literal
    was, now = (str(write(code)).splitlines() for code in codes)
    yield from difflib.unified_diff(was, now, "old", "new", lineterm="")
    for key in CODE_PROPERTIES:
        for change in changes(old.get(key), new.get(key), key, schema(FUNCTION_TYPES[0]).unordered):
            yield from (f"-{line}" for line in _lines(change.path, change.old))
            yield from (f"+{line}" for line in _lines(change.path, change.new))


def _lines(path: str, value: Json) -> Iterator[str]:
    """Yield a line for a value, or for each value below Code, except the inline code."""
    values = {path: value}
    if path == "Code" and isinstance(value, Mapping):
        values = {f"Code.{name}": inner for name, inner in value.items()}
    for place, inner in values.items():
        if inner is not None and place not in CODE:
            yield f"{place}: {text(inner)}"


def _inline(properties: Mapping[str, Json]) -> Json:
    code = properties.get("Code")
    inline = code.get("ZipFile") if isinstance(code, Mapping) else properties.get("InlineCode")
    return "" if inline is None else inline


def _with_references(code: Json) -> str:
    line = template_text(code)
    return json.dumps(code, indent=1, sort_keys=True) if line is None else line


def _alarms(old: Template, new: Template) -> Iterator[Alarm]:
    for name, resource in new.resources.items():
        before = old.resources.get(name)
        if before is None or ALARM not in (before.get("Type"), resource.get("Type")):
            continue
        was, now = before.get("Properties", {}), resource.get("Properties", {})
        for setting in ALARM_SETTINGS:
            if any(changes(was.get(setting), now.get(setting), setting, schema(ALARM).unordered)):
                yield Alarm(name, setting, was.get(setting), now.get(setting), _effect(setting, was, now))


def _effect(setting: str, was: Mapping[str, Json], now: Mapping[str, Json]) -> Effect:
    """Return the effect of this setting alone on the time at which the alarm fires.

    OTHER if the figures do not decide it. A longer period, for example, adds up more values but ends later.
    """
    old, new = _figure(was.get(setting)), _figure(now.get(setting))
    m_of_n = "DatapointsToAlarm" in was or "DatapointsToAlarm" in now
    decisive = ("Threshold", "DatapointsToAlarm" if m_of_n else "EvaluationPeriods")
    is_reversed = not same(was.get("ComparisonOperator"), now.get("ComparisonOperator"))
    if old is None or new is None or setting not in decisive or (setting == "Threshold" and is_reversed):
        return Effect.OTHER
    below = setting == "Threshold" and str(now.get("ComparisonOperator", "")).startswith("LessThan")
    return Effect.LATER if (new > old) != below else Effect.EARLIER


def _figure(value: Json) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None
