"""The two tables. Both are retained when the stack is deleted. The price table's stream drives the alerts."""

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
    """Return PriceHistoryTable and PriceAlertsTable.

    The first has one item per price. Its sort key is time#source#webhook-id, which no two webhooks share. The second
    has one item per alert, indexed while armed: only then does it have `watch` and `threshold`.
    """
    armed = GlobalSecondaryIndex(
        IndexName=names.ALERTS_INDEX,
        KeySchema=_keys("watch", "threshold"),
        Projection=Projection(ProjectionType="INCLUDE", NonKeyAttributes=["armedAt", "generation"]),
    )
    return [
        Table(
            names.PRICE_HISTORY_TABLE,
            AttributeDefinitions=_strings("symbol", "observation"),
            KeySchema=_keys("symbol", "observation"),
            StreamSpecification=StreamSpecification(StreamViewType="NEW_IMAGE"),
            TimeToLiveSpecification=TimeToLiveSpecification(AttributeName="ttl", Enabled=True),
            **_common(deletion_protection),
        ),
        Table(
            names.PRICE_ALERTS_TABLE,
            AttributeDefinitions=[
                *_strings("userId", "alertId", "watch"),
                AttributeDefinition(AttributeName="threshold", AttributeType="N"),
            ],
            KeySchema=_keys("userId", "alertId"),
            GlobalSecondaryIndexes=[armed],
            **_common(deletion_protection),
        ),
    ]


def _common(deletion_protection: bool) -> dict[str, object]:
    return {
        "BillingMode": "PAY_PER_REQUEST",
        "DeletionPolicy": names.retention(deletion_protection),
        "UpdateReplacePolicy": "Retain",
        "DeletionProtectionEnabled": deletion_protection,
        "PointInTimeRecoverySpecification": PointInTimeRecoverySpecification(PointInTimeRecoveryEnabled=True),
        "SSESpecification": SSESpecification(KMSMasterKeyId=names.arn(names.KEY), SSEEnabled=True, SSEType="KMS"),
    }


def _strings(*attributes: str) -> list[AttributeDefinition]:
    return [AttributeDefinition(AttributeName=name, AttributeType="S") for name in attributes]


def _keys(partition: str, sort: str) -> list[KeySchema]:
    return [KeySchema(AttributeName=partition, KeyType="HASH"), KeySchema(AttributeName=sort, KeyType="RANGE")]
