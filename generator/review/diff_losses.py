"""What is gone when a resource is deleted, alone or because it is replaced, and whether a policy keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from generator.review.diff_model import Json, Property

LOSSES = {
    "AWS::DynamoDB::Table": "its items",
    "AWS::KMS::Key": "the key: what is encrypted under it can never be read again",
    "AWS::SQS::Queue": "the messages in it",
    "AWS::Logs::LogGroup": "its log events",
    "AWS::SecretsManager::Secret": "its value: senders need the new one",
    "AWS::SNS::Topic": "subscriptions that were made outside the template",
    "AWS::ApiGateway::RestApi": "its URL: senders need the new one",
    "AWS::ApiGateway::ApiKey": "its value: senders need the new one",
    "AWS::S3::Bucket": "its objects",
}
"""By type; what is not here is made again from the template and loses nothing of its own."""

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
    if old.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"):
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


def index_notes(old: Mapping[str, Json], properties: list[Property]) -> Iterator[str]:
    """An index with another key or projection is another index.

    Source: DynamoDB API reference, UpdateTable: an index's throughput can be updated, all else is create or delete.
    """
    marks = (".KeySchema", ".Projection")
    changed = {
        found.path.split("]")[0] + "]"
        for found in properties
        if found.path.startswith("Properties.GlobalSecondaryIndexes[") and any(mark in found.path for mark in marks)
    }
    for path in sorted(changed):
        yield f"{path.removeprefix('Properties.')} is deleted and created again; queries of it fail until it is filled"
    if old.get("Properties", {}).get("DeletionProtectionEnabled") and any(
        found.path == "Properties.DeletionProtectionEnabled" for found in properties
    ):
        yield "deletion protection is taken away"
