"""What SAM adds before it makes a template: Globals in every resource, and the API that a function's event implies.

Source: AWS SAM specification, "Globals section": maps are merged, lists added, anything else is overridden by the
resource.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.diff.intrinsics import is_intrinsic, mapping
from generator.diff.model import Json, Template

SAM = "AWS::Serverless::"
FUNCTION = f"{SAM}Function"

IMPLIED = {"Api": ("ServerlessRestApi", "RestApiId"), "HttpApi": ("ServerlessHttpApi", "ApiId")}
"""By type of event: the logical id of the API that SAM makes, and the property that names another instead."""


def with_globals(template: Template) -> Template:
    """The template as SAM reads it; one without SAM's types stays as it is."""
    resources = template["Resources"]
    if not any(str(one.get("Type")).startswith(SAM) for one in resources.values()):
        return template
    shared = mapping(template.get("Globals"))
    implied = {name: {"Type": f"{SAM}{kind}", "Properties": {}} for kind, name in _implied(resources)}
    return {
        **template,
        "Resources": {name: _merged(one, shared) for name, one in {**implied, **resources}.items()},
    }


def api_of(event: Mapping[str, Json]) -> str | None:
    """The logical id of the API that an event of a function belongs to; None if the template does not say."""
    name, key = IMPLIED[event["Type"]]
    match mapping(event.get("Properties")).get(key):
        case None:
            return name
        case {"Ref": str(other)} | str(other):
            return other
    return None


def events_of(resource: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    """The events of a function that call it by way of an API, by name."""
    if resource.get("Type") != FUNCTION:
        return {}
    events = mapping(mapping(resource.get("Properties")).get("Events"))
    return {name: one for name, one in events.items() if isinstance(one, Mapping) and str(one.get("Type")) in IMPLIED}


def _implied(resources: Mapping[str, Mapping[str, Json]]) -> Iterator[tuple[str, str]]:
    for resource in resources.values():
        for event in events_of(resource).values():
            if api_of(event) == IMPLIED[event["Type"]][0]:
                yield event["Type"], IMPLIED[event["Type"]][0]


def _merged(resource: Mapping[str, Json], shared: Mapping[str, Json]) -> Mapping[str, Json]:
    kind = str(resource.get("Type"))
    given = shared.get(kind.removeprefix(SAM)) if kind.startswith(SAM) else None
    return {**resource, "Properties": _joined(given, resource.get("Properties") or {})} if given else resource


def _joined(shared: Json, own: Json) -> Json:
    if isinstance(shared, list) and isinstance(own, list):
        return shared + own
    if not isinstance(shared, Mapping) or not isinstance(own, Mapping) or is_intrinsic(shared) or is_intrinsic(own):
        return own
    both = {key: _joined(shared[key], own[key]) for key in shared if key in own}
    return {**shared, **own, **both}
