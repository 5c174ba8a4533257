"""The two tables, the key that encrypts everything, and the signing secret."""

from __future__ import annotations

from typing import Any

from troposphere import AWSObject, GetAtt, Ref, Sub
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
from troposphere.kms import Key
from troposphere.secretsmanager import GenerateSecretString, Secret

ADMINISTRATION = """
    CancelKeyDeletion CreateGrant Decrypt DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation Encrypt
    GenerateDataKey GetKeyPolicy GetKeyRotationStatus ListGrants ListResourceTags PutKeyPolicy ReEncryptFrom ReEncryptTo
    RevokeGrant ScheduleKeyDeletion TagResource UntagResource UpdateKeyDescription
"""


def resources() -> list[AWSObject]:
    """What keeps data."""
    return [price_history(), price_alerts(), key(), secret()]


def price_history() -> Table:
    """One item a price."""
    return table(
        "PriceHistoryTable",
        AttributeDefinitions=strings("symbol", "observation"),
        KeySchema=keys("symbol", "observation"),
        StreamSpecification=StreamSpecification(StreamViewType="NEW_IMAGE"),
        TimeToLiveSpecification=TimeToLiveSpecification(AttributeName="ttl", Enabled=True),
    )


def price_alerts() -> Table:
    """One item an alert, and an index of the armed ones."""
    threshold = AttributeDefinition(AttributeName="threshold", AttributeType="N")
    armed = GlobalSecondaryIndex(
        IndexName="CryptocurrencyIndex",
        KeySchema=keys("watch", "threshold"),
        Projection=Projection(ProjectionType="INCLUDE", NonKeyAttributes=["armedAt", "generation"]),
    )
    return table(
        "PriceAlertsTable",
        AttributeDefinitions=[*strings("userId", "alertId", "watch"), threshold],
        KeySchema=keys("userId", "alertId"),
        GlobalSecondaryIndexes=[armed],
    )


def table(title: str, **properties: Any) -> Table:
    """An encrypted on-demand table that outlives the stack."""
    return Table(
        title,
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
        BillingMode="PAY_PER_REQUEST",
        DeletionProtectionEnabled=True,
        PointInTimeRecoverySpecification=PointInTimeRecoverySpecification(PointInTimeRecoveryEnabled=True),
        SSESpecification=SSESpecification(SSEEnabled=True, SSEType="KMS", KMSMasterKeyId=GetAtt("KmsKey", "Arn")),
        **properties,
    )


def strings(*names: str) -> list[AttributeDefinition]:
    """Attributes of type string."""
    return [AttributeDefinition(AttributeName=name, AttributeType="S") for name in names]


def keys(partition: str, sort: str) -> list[KeySchema]:
    """A partition key and a sort key."""
    return [KeySchema(AttributeName=partition, KeyType="HASH"), KeySchema(AttributeName=sort, KeyType="RANGE")]


def key() -> Key:
    """The key and who may use it."""
    log_groups = Sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")
    encrypt_logs = ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"]
    services = ["cloudwatch.amazonaws.com", "scheduler.amazonaws.com", "sns.amazonaws.com", "sqs.amazonaws.com"]
    statements = [
        allow({"AWS": Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}, ADMINISTRATION.split()),
        allow(
            {"Service": Sub("logs.${AWS::Region}.amazonaws.com")},
            encrypt_logs,
            Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        ),
        allow(
            {"Service": services},
            ["Decrypt", "GenerateDataKey"],
            Condition={"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
        ),
    ]
    return Key(
        "KmsKey",
        DeletionPolicy="Retain",
        UpdateReplacePolicy="Retain",
        Description="Price alerts",
        EnableKeyRotation=True,
        KeyPolicy={"Version": "2012-10-17", "Statement": statements},
    )


def allow(principal: dict[str, Any], actions: list[str], **condition: Any) -> dict[str, Any]:
    """A statement of the key's policy."""
    named = [f"kms:{action}" for action in actions]
    return {"Effect": "Allow", "Principal": principal, "Action": named, "Resource": ["*"], **condition}


def secret() -> Secret:
    """What senders sign with."""
    return Secret(
        "SigningSecret",
        Description="Standard Webhooks signing secret, without its whsec_ prefix",
        GenerateSecretString=GenerateSecretString(ExcludePunctuation=True, PasswordLength=44),
        KmsKeyId=Ref("KmsKey"),
    )
