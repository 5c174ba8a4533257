"""What is gone when a resource is deleted, alone or because it is replaced, and whether a policy keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.diff.properties import changes, same
from generator.template.intrinsics import Json, canonical, is_intrinsic, listed, text
from generator.template.schemas import schema

TABLE, SECRET = "AWS::DynamoDB::Table", "AWS::SecretsManager::Secret"

LOSSES = {
    "AWS::DynamoDB::Table": "its items",
    "AWS::KMS::Key": "the key: what is encrypted under it can never be read again",
    "AWS::SQS::Queue": "the messages in it",
    "AWS::Logs::LogGroup": "its log events",
    "AWS::SecretsManager::Secret": "its value: senders need the new one",
    "AWS::SNS::Topic": "subscriptions that were made outside the template",
    "AWS::ApiGateway::RestApi": "its URL: senders need the new one",
    "AWS::ApiGateway::Stage": "its URL: senders need the new one",
    "AWS::ApiGateway::ApiKey": "its value: senders need the new one",
    "AWS::S3::Bucket": "its objects",
}
"""By type; what is not here is made again from the template and loses nothing of its own."""

PROTECTIONS = {
    TABLE: (
        (("DeletionProtectionEnabled",), "deletion protection is taken away"),
        (
            ("PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"),
            "point-in-time recovery is taken away, and with it what could be restored until now",
        ),
        (("SSESpecification", "SSEEnabled"), "no longer encrypted with a KMS key, but with one that DynamoDB owns"),
    ),
    "AWS::KMS::Key": ((("EnableKeyRotation",), "the key is no longer rotated"),),
}
"""By type: a setting that protects, and what to say when it is turned off."""

KEPT = ("Retain", "RetainExceptOnCreate")

STREAM = "and the position in its stream: what was not yet read from it is not delivered"


def loss(resource: Mapping[str, Json]) -> str | None:
    """What the resource holds that no template brings back."""
    lost = LOSSES.get(str(resource.get("Type")))
    streams = isinstance(properties := resource.get("Properties"), Mapping) and "StreamSpecification" in properties
    return f"{lost} {STREAM}" if lost and streams else lost


def removal_notes(old: Mapping[str, Json]) -> Iterator[str]:
    """What removing the resource from the stack loses."""
    if (lost := loss(old)) is None:
        return
    if old.get("DeletionPolicy") in KEPT:
        yield "DeletionPolicy Retain: it stays in the account, outside the stack"
    else:
        yield f"deleted, and with it {lost}"


def replacement_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """What replacing the resource loses. The old one is kept for sure where both templates say so."""
    if (lost := loss(old)) is None:
        return
    policies = [side.get("UpdateReplacePolicy") for side in (old, new)]
    if policies == ["Retain", "Retain"]:
        yield "the new one starts empty; UpdateReplacePolicy Retain keeps the old one, outside the stack and unused"
        yield f"left behind in the old one: {lost}"
    else:
        yield f"the new one starts empty and the old one is deleted, and with it {lost}"


def changed_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """What a change in place takes away, or makes anew."""
    yield from _kept_notes(old, new)
    before, after = (side.get("Properties", {}) for side in (old, new))
    kind = str(new.get("Type"))
    for path, note in PROTECTIONS.get(kind, ()):
        if _is_on(_at(before, path)) and _is_off(_at(after, path)):
            yield note
    generated = [side.get("GenerateSecretString") for side in (before, after)]
    if kind == SECRET and generated[1] is not None and not same(*generated):
        yield "a new value is generated: senders need it, and the old one is accepted for 24 hours more"
    if kind == TABLE:
        yield from _index_notes(before, after)


def _kept_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """What was kept for sure, and is not any longer."""
    if (lost := loss(old)) is None:
        return
    for policy, when in (("DeletionPolicy", "removed from the stack"), ("UpdateReplacePolicy", "replaced")):
        if old.get(policy) in KEPT and new.get(policy) not in KEPT:
            yield f"{policy} {old[policy]} is taken away: deleted when it is {when}, and with it {lost}"


def _index_notes(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    """What becomes of the indexes, by their names.

    Source: CloudFormation template reference, AWS::DynamoDB::Table, GlobalSecondaryIndexes: one of them can be added or
    deleted without interruption, an update that does both fails, and IndexName, KeySchema and Projection: "Updates are
    not supported".
    """
    before, after = _indexes(old), _indexes(new)
    for name in sorted(before.keys() & after.keys()):
        pairs = ((before[name].get(key), after[name].get(key)) for key in ("KeySchema", "Projection"))
        if any(found for pair in pairs for found in changes(*pair, "", schema(TABLE).unordered)):
            yield (
                f"CloudFormation does not support changing the index {name}: give it another name, and add and delete "
                "in two updates"
            )
    gone, come = sorted(before.keys() - after.keys()), sorted(after.keys() - before.keys())
    yield from (f"the index {name} is deleted: queries of it fail" for name in gone)
    yield from (f"the index {name} is new: queries of it fail until it is filled" for name in come)
    if len(gone) + len(come) > 1:
        yield "CloudFormation adds or deletes one index in an update, and fails otherwise: make it one update for each"


def _indexes(table: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    found = [one for one in listed(table.get("GlobalSecondaryIndexes")) if isinstance(one, Mapping)]
    return {text(one.get("IndexName")): one for one in found if not is_intrinsic(one)}


def _at(value: Json, path: tuple[str, ...]) -> Json:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) and not is_intrinsic(value) else value
    return value


def _is_on(value: Json) -> bool:
    return bool(canonical(value) == "true")


def _is_off(value: Json) -> bool:
    """Surely off: what a parameter or condition decides is not."""
    return value is None or canonical(value) == "false"
