"""The two tables. Both are retained when the stack is deleted. The price table's stream drives the alerts."""

from __future__ import annotations

from troposphere import dynamodb

from generator.stack import names


def resources(deletion_protection: bool) -> list[dynamodb.Table]:
    """Return PriceHistoryTable and PriceAlertsTable.

    The first has one item per price. Its sort key is time#source#webhook-id, which no two webhooks share. The second
    has one item per alert, indexed while armed: only then does it have `watch` and `threshold`.
    """
    armed = dynamodb.GlobalSecondaryIndex(
        IndexName=names.ALERTS_INDEX,
        KeySchema=_keys("watch", "threshold"),
        Projection=dynamodb.Projection(ProjectionType="INCLUDE", NonKeyAttributes=["armedAt", "generation"]),
    )
    return [
        dynamodb.Table(
            names.PRICE_HISTORY_TABLE,
            AttributeDefinitions=_strings("symbol", "observation"),
            KeySchema=_keys("symbol", "observation"),
            StreamSpecification=dynamodb.StreamSpecification(StreamViewType="NEW_IMAGE"),
            TimeToLiveSpecification=dynamodb.TimeToLiveSpecification(AttributeName="ttl", Enabled=True),
            **_common(deletion_protection),
        ),
        dynamodb.Table(
            names.PRICE_ALERTS_TABLE,
            AttributeDefinitions=[
                *_strings("userId", "alertId", "watch"),
                dynamodb.AttributeDefinition(AttributeName="threshold", AttributeType="N"),
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
        "PointInTimeRecoverySpecification": dynamodb.PointInTimeRecoverySpecification(PointInTimeRecoveryEnabled=True),
        "SSESpecification": dynamodb.SSESpecification(
            KMSMasterKeyId=names.arn(names.KEY), SSEEnabled=True, SSEType="KMS"
        ),
    }


def _strings(*attributes: str) -> list[dynamodb.AttributeDefinition]:
    return [dynamodb.AttributeDefinition(AttributeName=name, AttributeType="S") for name in attributes]


def _keys(partition: str, sort: str) -> list[dynamodb.KeySchema]:
    return [
        dynamodb.KeySchema(AttributeName=partition, KeyType="HASH"),
        dynamodb.KeySchema(AttributeName=sort, KeyType="RANGE"),
    ]
