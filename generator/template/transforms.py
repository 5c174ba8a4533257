"""Expand Fn::ForEach loops and SAM's Globals, as CloudFormation and SAM do before they create anything.

Sources: AWS CloudFormation Template Reference, "Fn::ForEach"; AWS SAM specification, "Globals section" (maps are
merged, lists are added, the resource overrides anything else) and "Resource attributes: IgnoreGlobals".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from generator.template.guards import Equality, Fact, Guard, described
from generator.template.intrinsics import NO_VALUE, SAM, Json, as_mapping, is_intrinsic, literal_text
from generator.template.model import Section

LOOP = "Fn::ForEach::"

MAX_OUTPUTS = 5_000
"""Entries that the loops of one section may produce, ten times the resources of a template. With more, loops stay."""

MAX_GUARDS = 10_000
"""Guards that the conditions of all items of a template's loops may have. With more, loops stay: the search for the
worst case takes two seconds with as many.
"""

SAM_FUNCTION = f"{SAM}Function"

IMPLIED_APIS = {"Api": ("ServerlessRestApi", "RestApiId"), "HttpApi": ("ServerlessHttpApi", "ApiId")}
"""By type of event: the logical id of the API that SAM creates, and the property that names another one instead."""

_VARIABLE = re.compile(r"([$&])\{([^{}!]*)\}")

Lists = Callable[[Json], Sequence[tuple[Json, Guard]]]
"""Returns every value that a loop's collection may have, each with its guard. If one is no list, it is not known."""


class Loops:
    """Expands the loops of a template whose collections are known. Other loops stay as they are written.

    Collections may depend on the deployment. A loop then creates what any of them creates, under a condition.
    """

    def __init__(self, lists: Lists) -> None:
        self._lists, self._left, self._guards_left = lists, 0, MAX_GUARDS
        self.conditions: dict[str, Json] = {}
        """The conditions that the expansion adds to those of the template."""

    def expanded(self, section: Section, *, is_of_conditions: bool = False) -> dict[str, Json]:
        """Return a section with its loops expanded."""
        self._left = MAX_OUTPUTS

        def add_condition(entry: Json, name: str) -> Json:
            is_conditional = isinstance(entry, Mapping) and not is_of_conditions
            return with_condition(entry, name, self.conditions) if is_conditional else entry

        return self._entries(section, {}, add_condition) if _has_loop(section) else dict(section)

    def _entries(self, entries: Section, names: Mapping[str, str], add_condition: _AddCondition) -> dict[str, Json]:
        expanded: dict[str, Json] = {}
        for key, value in entries.items():
            if not is_loop(str(key), value):
                expanded[substituted(str(key), names)] = self._value(value, names)
                continue
            produced = self._loop(value, names, add_condition)
            if produced is None or any(name in entries or name in expanded for name in produced):
                produced = {substituted(str(key), names): self._value(value, names)}
            expanded |= produced
        return expanded

    def _value(self, value: Json, names: Mapping[str, str]) -> Json:
        match value:
            case {"Ref": str(name), **rest} if not rest and name in names:
                return names[name]
            case Mapping():
                return self._entries(value, names, lambda entry, name: {"Fn::If": [name, entry, NO_VALUE]})
            case list():
                return [self._value(item, names) for item in value]
            case str() if names:
                return substituted(value, names)
        return value

    def _loop(self, loop: Json, names: Mapping[str, str], add_condition: _AddCondition) -> dict[str, Json] | None:
        """Return the entries that a loop produces; None if its collection is not known or too long, or names repeat."""
        variable, collection, outputs = loop
        lists = self._lists(self._value(collection, names))
        guards: dict[str, list[Guard]] = {}
        for items, guard in lists:
            texts = [literal_text(item) for item in items] if isinstance(items, list) else [None]
            for text in dict.fromkeys(texts):
                if text is None:
                    return None
                guards.setdefault(text, []).append(guard)
        self._left -= max(len(guards) * len(outputs), len(lists))
        self._guards_left -= sum(len(of_item) for of_item in guards.values() if len(of_item) < len(lists))
        if min(self._left, self._guards_left) < 0 or not lists:
            return None
        produced: dict[str, Json] = {}
        for text, of_item in guards.items():
            entries = self._entries(outputs, {**names, str(variable): text}, add_condition)
            if len(of_item) < len(lists):
                name = self._condition(of_item)
                entries = {key: add_condition(entry, name) for key, entry in entries.items()}
                if not produced.keys().isdisjoint(entries):
                    return None
            produced |= entries
        return produced

    def _condition(self, guards: Iterable[Guard]) -> str:
        """Return the name of a condition that holds if one of the guards does. The name describes it."""
        facts = [sorted(guard, key=str) for guard in guards]
        match facts:
            case [[(str(condition), True)]]:
                return condition
        name = " or ".join(" and ".join(described(*fact) for fact in guard) for guard in facts)
        self.conditions[name] = {"Fn::Or": [{"Fn::And": [_as_condition(*fact) for fact in guard]} for guard in facts]}
        return name


_AddCondition = Callable[[Json, str], Json]
"""Returns the entry with the named condition added."""


def with_condition(resource: Section, name: str, conditions: dict[str, Json]) -> Section:
    """Return the resource under a condition in addition to its own. Adds their conjunction to `conditions`."""
    own = resource.get("Condition", name)
    if own == name or not isinstance(own, str):
        return {**resource, "Condition": own}
    both = f"{described(name)} and {described(own)}"
    conditions[both] = {"Fn::And": [{"Condition": name}, {"Condition": own}]}
    return {**resource, "Condition": both}


def _as_condition(fact: Fact, holds: bool) -> Json:
    if isinstance(fact, Equality):
        condition: Json = {"Fn::Equals": [{"Ref": fact.parameter}, fact.value]}
    else:
        condition = {"Condition": fact}
    return condition if holds else {"Fn::Not": [condition]}


def _has_loop(value: Json) -> bool:
    """Return whether a value has a loop inside. Few templates have one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(inner, str) and (str(key).startswith(LOOP) or _has_loop(inner)):
                return True
        return False
    if isinstance(value, list):
        return any(not isinstance(inner, str) and _has_loop(inner) for inner in value)
    return isinstance(value, Mapping)


def is_loop(key: str, value: Json) -> bool:
    """Return whether an entry is a well-formed Fn::ForEach."""
    return key.startswith(LOOP) and isinstance(value, list) and len(value) == 3 and isinstance(value[2], Mapping)


def substituted(text: str, names: Mapping[str, str]) -> str:
    """Replace a loop's variables in a text. &{Name} stands for the letters and digits of the value."""

    def replacement(match: re.Match[str]) -> str:
        sign, name = match.groups()
        if name not in names:
            return match[0]
        return names[name] if sign == "$" else re.sub(r"[^A-Za-z0-9]", "", names[name])

    return _VARIABLE.sub(replacement, text) if names else text


def with_sam_defaults(resources: Mapping[str, Json], shared: Json) -> dict[str, Json]:
    """Return the resources with SAM's Globals merged in, and the APIs that events of functions imply."""
    if not any(str(as_mapping(resource).get("Type")).startswith(SAM) for resource in resources.values()):
        return dict(resources)
    events = [event for resource in resources.values() for event in api_events_of(as_mapping(resource)).values()]
    implied = {
        IMPLIED_APIS[event["Type"]][0]: {"Type": f"{SAM}{event['Type']}", "Properties": {}}
        for event in events
        if api_of(event) == IMPLIED_APIS[event["Type"]][0]
    }
    return {name: _with_globals(entry, as_mapping(shared)) for name, entry in {**implied, **resources}.items()}


def api_of(event: Mapping[str, Json]) -> str | None:
    """Return the logical id of the API of a function's event, or None if the template does not state it."""
    name, key = IMPLIED_APIS[event["Type"]]
    match as_mapping(event.get("Properties")).get(key):
        case None:
            return name
        case {"Ref": str(other)} | str(other):
            return other
    return None


def api_events_of(resource: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    """Return the events by which an API invokes a SAM function, by name."""
    if resource.get("Type") != SAM_FUNCTION:
        return {}
    events = as_mapping(as_mapping(resource.get("Properties")).get("Events"))
    return {
        name: event
        for name, event in events.items()
        if isinstance(event, Mapping) and str(event.get("Type")) in IMPLIED_APIS
    }


def _with_globals(resource: Json, shared: Mapping[str, Json]) -> Json:
    kind = str(as_mapping(resource).get("Type"))
    given = shared.get(kind.removeprefix(SAM)) if kind.startswith(SAM) else None
    ignored = as_mapping(resource).get("IgnoreGlobals")
    properties = as_mapping(resource).get("Properties") or {}
    if not isinstance(given, Mapping) or ignored == "*" or not isinstance(properties, Mapping):
        return resource
    merged = {key: value for key, value in given.items() if not (isinstance(ignored, list) and key in ignored)}
    return {**resource, "Properties": _merged(merged, properties)}


def _merged(shared: Any, own: Any) -> Any:
    if isinstance(shared, list) and isinstance(own, list):
        return shared + own
    if not isinstance(shared, Mapping) or not isinstance(own, Mapping) or is_intrinsic(shared) or is_intrinsic(own):
        return own
    both = {key: _merged(shared[key], own[key]) for key in shared if key in own}
    return {**shared, **own, **both}
