"""The two tables, the key that encrypts everything, and the signing secret."""

from __future__ import annotations

from typing import Any

from aws_cdk import Aws, Fn, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager

ADMINISTRATION = """
    CancelKeyDeletion CreateGrant Decrypt DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation Encrypt
    GenerateDataKey GetKeyPolicy GetKeyRotationStatus ListGrants ListResourceTags PutKeyPolicy ReEncryptFrom ReEncryptTo
    RevokeGrant ScheduleKeyDeletion TagResource UntagResource UpdateKeyDescription
"""


class Storage:
    """What keeps data."""

    def __init__(self, stack: Stack) -> None:
        self.key = key(stack)
        self.secret = secretsmanager.CfnSecret(
            stack,
            "SigningSecret",
            description="Standard Webhooks signing secret, without its whsec_ prefix",
            generate_secret_string=secretsmanager.CfnSecret.GenerateSecretStringProperty(
                exclude_punctuation=True, password_length=44
            ),
            kms_key_id=self.key.ref,
        )
        self.history = self._table(
            stack,
            "PriceHistoryTable",
            attribute_definitions=strings("symbol", "observation"),
            key_schema=keys("symbol", "observation"),
            stream_specification=dynamodb.CfnTable.StreamSpecificationProperty(stream_view_type="NEW_IMAGE"),
            time_to_live_specification=dynamodb.CfnTable.TimeToLiveSpecificationProperty(
                attribute_name="ttl", enabled=True
            ),
        )
        threshold = dynamodb.CfnTable.AttributeDefinitionProperty(attribute_name="threshold", attribute_type="N")
        armed = dynamodb.CfnTable.GlobalSecondaryIndexProperty(
            index_name="CryptocurrencyIndex",
            key_schema=keys("watch", "threshold"),
            projection=dynamodb.CfnTable.ProjectionProperty(
                projection_type="INCLUDE", non_key_attributes=["armedAt", "generation"]
            ),
        )
        self.alerts = self._table(
            stack,
            "PriceAlertsTable",
            attribute_definitions=[*strings("userId", "alertId", "watch"), threshold],
            key_schema=keys("userId", "alertId"),
            global_secondary_indexes=[armed],
        )

    def _table(self, stack: Stack, id: str, **properties: Any) -> dynamodb.CfnTable:
        table = dynamodb.CfnTable(
            stack,
            id,
            billing_mode="PAY_PER_REQUEST",
            deletion_protection_enabled=True,
            point_in_time_recovery_specification=dynamodb.CfnTable.PointInTimeRecoverySpecificationProperty(
                point_in_time_recovery_enabled=True
            ),
            sse_specification=dynamodb.CfnTable.SSESpecificationProperty(
                sse_enabled=True, sse_type="KMS", kms_master_key_id=self.key.attr_arn
            ),
            **properties,
        )
        table.apply_removal_policy(RemovalPolicy.RETAIN)
        return table


def strings(*names: str) -> list[dynamodb.CfnTable.AttributeDefinitionProperty]:
    """Attributes of type string."""
    return [dynamodb.CfnTable.AttributeDefinitionProperty(attribute_name=name, attribute_type="S") for name in names]


def keys(partition: str, sort: str) -> list[dynamodb.CfnTable.KeySchemaProperty]:
    """A partition key and a sort key."""
    return [
        dynamodb.CfnTable.KeySchemaProperty(attribute_name=partition, key_type="HASH"),
        dynamodb.CfnTable.KeySchemaProperty(attribute_name=sort, key_type="RANGE"),
    ]


def key(stack: Stack) -> kms.CfnKey:
    """The key and who may use it."""
    log_groups = Fn.sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")
    encrypt_logs = ["Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo"]
    services = ["cloudwatch.amazonaws.com", "scheduler.amazonaws.com", "sns.amazonaws.com", "sqs.amazonaws.com"]
    statements = [
        allow({"AWS": Fn.sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}, ADMINISTRATION.split()),
        allow(
            {"Service": Fn.sub("logs.${AWS::Region}.amazonaws.com")},
            encrypt_logs,
            Condition={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
        ),
        allow(
            {"Service": services},
            ["Decrypt", "GenerateDataKey"],
            Condition={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        ),
    ]
    made = kms.CfnKey(
        stack,
        "KmsKey",
        description="Price alerts",
        enable_key_rotation=True,
        key_policy={"Version": "2012-10-17", "Statement": statements},
    )
    made.apply_removal_policy(RemovalPolicy.RETAIN)
    return made


def allow(principal: dict[str, Any], actions: list[str], **condition: Any) -> dict[str, Any]:
    """A statement of the key's policy."""
    named = [f"kms:{action}" for action in actions]
    return {"Effect": "Allow", "Principal": principal, "Action": named, "Resource": ["*"], **condition}
