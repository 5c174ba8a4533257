"""Expand Fn::ForEach loops and SAM's Globals, as CloudFormation and SAM do before they create anything.

Sources: AWS CloudFormation Template Reference, "Fn::ForEach"; AWS SAM specification, "Globals section" (maps are
merged, lists are added, the resource overrides anything else) and "Resource attributes: IgnoreGlobals".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from generator.template.intrinsics import SAM, Json, is_intrinsic, literal_text, mapping

LOOP = "Fn::ForEach::"

MAX_OUTPUTS = 5_000
"""Entries that the loops of one section may produce, ten times the resources of a template. With more, loops stay."""

FUNCTION = f"{SAM}Function"

IMPLIED_APIS = {"Api": ("ServerlessRestApi", "RestApiId"), "HttpApi": ("ServerlessHttpApi", "ApiId")}
"""By type of event: the logical id of the API that SAM creates, and the property that names another one instead."""

_VARIABLE = re.compile(r"([$&])\{([^{}!]*)\}")

Resolve = Callable[[Json], Json]
"""A function that resolves the collection of a loop as far as the template states it."""


def expanded(section: Mapping[str, Json], resolve: Resolve) -> dict[str, Json]:
    """Return a section with every loop expanded if its collection is known. Other loops stay as they are written."""
    return _Expansion(resolve).entries(section, {}) if _has_loop(section) else dict(section)


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


class _Expansion:
    def __init__(self, resolve: Resolve) -> None:
        self._resolve, self._left = resolve, MAX_OUTPUTS

    def entries(self, entries: Mapping[str, Json], names: Mapping[str, str]) -> dict[str, Json]:
        expanded_: dict[str, Json] = {}
        for key, value in entries.items():
            if not is_loop(str(key), value):
                expanded_[substituted(str(key), names)] = self.value(value, names)
                continue
            produced = self._loop(value, names)
            expanded_ |= {substituted(str(key), names): self.value(value, names)} if produced is None else produced
        return expanded_

    def value(self, value: Json, names: Mapping[str, str]) -> Json:
        match value:
            case {"Ref": str(name), **rest} if not rest and name in names:
                return names[name]
            case Mapping():
                return self.entries(value, names)
            case list():
                return [self.value(item, names) for item in value]
            case str() if names:
                return substituted(value, names)
        return value

    def _loop(self, loop: Json, names: Mapping[str, str]) -> dict[str, Json] | None:
        """Return the entries that a loop produces, or None if its collection is not known or too long."""
        variable, collection, outputs = loop
        items = self._resolve(self.value(collection, names))
        texts = [literal_text(item) for item in items] if isinstance(items, list) else [None]
        self._left -= len(texts) * len(outputs)
        if None in texts or self._left < 0:
            return None
        produced: dict[str, Json] = {}
        for item in texts:
            produced |= self.entries(outputs, {**names, str(variable): str(item)})
        return produced


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
    if not any(str(mapping(resource).get("Type")).startswith(SAM) for resource in resources.values()):
        return dict(resources)
    implied = {name: {"Type": f"{SAM}{kind}", "Properties": {}} for kind, name in _implied(resources)}
    return {name: _with_globals(entry, mapping(shared)) for name, entry in {**implied, **resources}.items()}


def api_of(event: Mapping[str, Json]) -> str | None:
    """Return the logical id of the API of a function's event, or None if the template does not state it."""
    name, key = IMPLIED_APIS[event["Type"]]
    match mapping(event.get("Properties")).get(key):
        case None:
            return name
        case {"Ref": str(other)} | str(other):
            return other
    return None


def api_events_of(resource: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    """Return the events by which an API invokes a SAM function, by name."""
    if resource.get("Type") != FUNCTION:
        return {}
    events = mapping(mapping(resource.get("Properties")).get("Events"))
    return {
        name: event
        for name, event in events.items()
        if isinstance(event, Mapping) and str(event.get("Type")) in IMPLIED_APIS
    }


def _implied(resources: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    for resource in resources.values():
        for event in api_events_of(mapping(resource)).values():
            if api_of(event) == IMPLIED_APIS[event["Type"]][0]:
                yield event["Type"], IMPLIED_APIS[event["Type"]][0]


def _with_globals(resource: Json, shared: Mapping[str, Json]) -> Json:
    kind = str(mapping(resource).get("Type"))
    given = shared.get(kind.removeprefix(SAM)) if kind.startswith(SAM) else None
    ignored = mapping(resource).get("IgnoreGlobals")
    properties = mapping(resource).get("Properties") or {}
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
