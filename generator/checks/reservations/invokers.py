"""Finds what may invoke a function: its event source mappings, and anything else that names it."""

from __future__ import annotations

from generator.checks.reservations.functions import mentions
from generator.checks.reservations.source import Source

MAPPING = "AWS::Lambda::EventSourceMapping"

QUALIFIERS = ("AWS::Lambda::Alias", "AWS::Lambda::Version")

NEVER_INVOKES = (
    MAPPING,
    *QUALIFIERS,
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
)
"""Types that may name a function without invoking it, or whose invocations are counted here."""


def qualifiers(source: Source, function: str) -> list[str]:
    """The versions and aliases of a function."""
    return [
        qualifier
        for qualifier in source.of_type(*QUALIFIERS)
        if mentions(source, source.resources[qualifier], function)
    ]


def mappings(source: Source, own: list[str]) -> list[str]:
    """The event source mappings that name a function, or one of its versions or aliases."""
    return [
        mapping
        for mapping in source.of_type(MAPPING)
        if any(mentions(source, source.resources[mapping], target) for target in own)
    ]


def has_other_invoker(source: Source, function: str, own: list[str]) -> bool:
    """Whether anything but a mapping names the function, its versions or its aliases.

    An output may give it to an invoker out of sight: a stack that imports it, or the parent of a nested one.
    """
    others = [
        resource
        for logical_id, resource in source.resources.items()
        if logical_id not in own and resource.get("Type") not in NEVER_INVOKES
    ]
    properties = source.resources[function].get("Properties")
    has_url = isinstance(properties, dict) and "FunctionUrlConfig" in properties
    suspects = [*source.outputs.values(), *others, *source.guessed]
    return has_url or any(mentions(source, value, target) for value in suspects for target in own)


def sam_events(source: Source, function: str) -> list[str]:
    """The names of the events that SAM gives to a function."""
    properties = source.resources[function].get("Properties")
    events = properties.get("Events") if isinstance(properties, dict) else None
    return [str(name) for name in events] if isinstance(events, dict) else []
