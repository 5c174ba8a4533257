"""Describe the data that is lost if a resource is deleted or replaced, and whether a policy keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import product
from operator import eq

from generator.diff.iam.grants import alternatives, in_words
from generator.diff.model import TABLE
from generator.diff.properties import changes, same
from generator.template.intrinsics import Json, as_list, as_mapping, canonical, is_intrinsic, text
from generator.template.schemas import schema

LOSSES = {
    "AWS::DynamoDB::Table": "its items",
    "AWS::KMS::Key": "the key: nothing encrypted with it can be read again",
    "AWS::SQS::Queue": "the messages in it",
    "AWS::Logs::LogGroup": "its log events",
    "AWS::SecretsManager::Secret": "its value: senders need the new one",
    "AWS::SNS::Topic": "subscriptions created outside the template",
    "AWS::ApiGateway::RestApi": "its URL: senders need the new one",
    "AWS::ApiGateway::Stage": "its URL: senders need the new one",
    "AWS::ApiGateway::ApiKey": "its value: senders need the new one",
    "AWS::S3::Bucket": "its objects",
}
"""The loss with a resource, by type. Resources of other types can be created again without a loss."""

PROTECTIONS = (
    ("", "DeletionProtectionEnabled", "deletion protection is removed"),
    ("", "DeletionProtection", "deletion protection is removed"),
    (
        TABLE,
        "PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled",
        "point-in-time recovery is turned off, and its restore points are lost",
    ),
    (TABLE, "SSESpecification.SSEEnabled", "no longer encrypted with a KMS key, but with a key that DynamoDB owns"),
    ("AWS::KMS::Key", "EnableKeyRotation", "the key is no longer rotated"),
)
"""Protective settings, each with its type, or "" for any, and the note to print if it is turned off."""

KEPT = ("Retain", "RetainExceptOnCreate")

STREAM = "and the position in its stream: unread records are not delivered"


def _loss(resource: Mapping[str, Json]) -> str | None:
    """Return the content of a resource that no template can restore, or None."""
    lost = LOSSES.get(str(resource.get("Type")))
    streams = "StreamSpecification" in as_mapping(resource.get("Properties"))
    return f"{lost} {STREAM}" if lost and streams else lost


def removal_notes(old: Mapping[str, Json]) -> Iterator[str]:
    """Yield the losses if the resource is removed from the stack."""
    if (lost := _loss(old)) is None:
        return
    if old.get("DeletionPolicy") in KEPT:
        yield "DeletionPolicy Retain keeps it in the account, outside the stack"
    else:
        yield f"deleted, and with it {lost}"


def replacement_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Yield the losses if the resource is replaced. It is certainly kept only if both templates keep it."""
    if (lost := _loss(old)) is None:
        return
    policies = [side.get("UpdateReplacePolicy") for side in (old, new)]
    if policies == ["Retain", "Retain"]:
        yield "the new one starts empty; UpdateReplacePolicy Retain keeps the old one, outside the stack and unused"
        yield f"left behind in the old one: {lost}"
    else:
        yield f"the new one starts empty and the old one is deleted, and with it {lost}"


def changed_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Yield the losses and new values of a change without replacement, other than those of protections."""
    before, after = (side.get("Properties", {}) for side in (old, new))
    kind = str(new.get("Type"))
    generated = [side.get("GenerateSecretString") for side in (before, after)]
    if kind == "AWS::SecretsManager::Secret" and generated[1] is not None and not same(*generated):
        yield "a new value is generated: senders need it within 24 hours, while the old one is still accepted"
    if kind == TABLE:
        yield from _index_notes(before, after)


def protection_notes(
    old: Mapping[str, Json], new: Mapping[str, Json], are_possible: Callable[[Iterable[str]], bool]
) -> Iterator[str]:
    """Yield a note on each protective setting and retention policy that a change removes, in all cases or in some.

    `are_possible` returns whether some deployment has all of these conditions.
    """
    lost = f", and with it {found}" if (found := _loss(old)) else ""
    for policy, at in (("DeletionPolicy", "removed from the stack"), ("UpdateReplacePolicy", "replaced")):
        for kept in KEPT:
            note = f"{policy} {kept} is removed: the resource is deleted when it is {at}{lost}"
            cases = _cases((old, new), (policy,), partial(eq, kept), lambda value: value not in KEPT)
            yield from (note + when for conditions, when in cases if are_possible(conditions))
    for kind, path, note in PROTECTIONS:
        if kind in ("", new.get("Type")):
            cases = _cases((old, new), ("Properties", *path.split(".")), _is_on, _is_off)
            yield from (note + when for conditions, when in cases if are_possible(conditions))


def _cases(
    sides: tuple[Json, Json],
    path: tuple[str, ...],
    is_on: Callable[[Json], bool],
    is_off: Callable[[Json], bool],
) -> Iterator[tuple[Iterable[str], str]]:
    """Yield the conditions of the template under which a setting was on and is off, and the case as text."""
    before, after = ([*_settings(side, path)] for side in sides)
    for (had, old), (has, new) in product(before, after) if before != after else ():
        if is_on(old) and is_off(new) and not same(old, new):
            conditions = dict.fromkeys((*had, *has))
            needed = [*map(in_words, conditions)]
            needed += [f"{text(old)} was on"] * is_intrinsic(old) + [f"{text(new)} is off"] * is_intrinsic(new)
            yield conditions, f" if {' and '.join(needed)}" if needed else ""


def _settings(value: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Yield each value that a setting may have, with the conditions of the template for it."""
    for conditions, content in alternatives(value):
        if not path or is_intrinsic(content):
            yield conditions, content
        else:
            inner = _settings(as_mapping(content).get(path[0]), path[1:])
            yield from (((*conditions, *more), setting) for more, setting in inner)


def _index_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """Yield a note on each index that changes.

    Source: CloudFormation template reference, AWS::DynamoDB::Table, GlobalSecondaryIndexes: one of them can be added or
    deleted without interruption, an update that does both fails, and IndexName, KeySchema and Projection: "Updates are
    not supported".
    """
    before, after = _indexes(old), _indexes(new)
    for name in sorted(before.keys() & after.keys()):
        pairs = ((before[name].get(key), after[name].get(key)) for key in ("KeySchema", "Projection"))
        if any(any(changes(*pair, "", schema(TABLE).unordered)) for pair in pairs):
            yield f"CloudFormation cannot change the index {name}: rename it, and add and delete in two updates"
    gone, come = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    yield from (f"the index {name} is deleted: queries of it fail" for name in gone)
    yield from (f"the index {name} is new: queries of it fail until it is filled" for name in come)
    if len(gone) + len(come) > 1:
        yield "CloudFormation adds or deletes one index per update: make one update for each"


def _indexes(table: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    indexes = [index for index in as_list(table.get("GlobalSecondaryIndexes")) if isinstance(index, Mapping)]
    return {text(index.get("IndexName")): index for index in indexes if not is_intrinsic(index)}


def _is_on(value: Json) -> bool:
    """Return whether a setting is on, or may be, because a parameter decides it. "True" is on, too."""
    return is_intrinsic(value) or str(canonical(value)).lower() in ("true", "active")


def _is_off(value: Json) -> bool:
    """Return whether a setting is off, or may be, because a parameter decides it."""
    return value is None or is_intrinsic(value) or str(canonical(value)).lower() in ("false", "inactive")
