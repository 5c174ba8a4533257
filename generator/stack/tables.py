"""The two tables. Both outlive the stack, and the price table's stream drives the alerts."""

from __future__ import annotations

from troposphere.dynamodb import (
    AttributeDefinition,
    GlobalSecondaryIndex,
    KeySchema,
    PointInTimeRecoverySpecification,
    Projection,
    SSESpecification,
    StreamSpecification,
    Table,
    TimeToLiveSpecification,
)

from generator.stack import names


def resources(deletion_protection: bool) -> list[Table]:
    """PriceHistoryTable and PriceAlertsTable."""
    return [_price_history(deletion_protection), _price_alerts(deletion_protection)]


def _price_history(deletion_protection: bool) -> Table:
    """One item a price. The sort key is time#source#webhook-id, so that no two webhooks collapse into one."""
    return Table(
        names.PRICE_HISTORY_TABLE,
        AttributeDefinitions=_strings("symbol", "observation"),
        KeySchema=_keys("symbol", "observation"),
        StreamSpecification=StreamSpecification(StreamViewType="NEW_IMAGE"),
        TimeToLiveSpecification=TimeToLiveSpecification(AttributeName="ttl", Enabled=True),
        **_common(deletion_protection),
    )


def _price_alerts(deletion_protection: bool) -> Table:
    """One item an alert. The index is sparse: an alert has `watch` and `threshold` only while it is armed."""
    return Table(
        names.PRICE_ALERTS_TABLE,
        AttributeDefinitions=[
            *_strings("userId", "alertId", "watch"),
            AttributeDefinition(AttributeName="threshold", AttributeType="N"),
        ],
        KeySchema=_keys("userId", "alertId"),
        GlobalSecondaryIndexes=[
            GlobalSecondaryIndex(
                IndexName=names.ALERTS_INDEX,
                KeySchema=_keys("watch", "threshold"),
                Projection=Projection(ProjectionType="INCLUDE", NonKeyAttributes=["armedAt", "generation"]),
            )
        ],
        **_common(deletion_protection),
    )


def _common(deletion_protection: bool) -> dict[str, object]:
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "DeletionProtectionEnabled": deletion_protection,
        "PointInTimeRecoverySpecification": PointInTimeRecoverySpecification(PointInTimeRecoveryEnabled=True),
        "SSESpecification": SSESpecification(KMSMasterKeyId=names.arn(names.KEY), SSEEnabled=True, SSEType="KMS"),
    }


def _strings(*attributes: str) -> list[AttributeDefinition]:
    return [AttributeDefinition(AttributeName=name, AttributeType="S") for name in attributes]


def _keys(partition: str, sort: str) -> list[KeySchema]:
    return [KeySchema(AttributeName=partition, KeyType="HASH"), KeySchema(AttributeName=sort, KeyType="RANGE")]
