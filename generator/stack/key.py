"""The one key that encrypts tables, topics, queues, logs, variables and the secret."""

from __future__ import annotations

from awacs import kms
from awacs.aws import Allow, ArnLike, Condition, PolicyDocument, Principal, Statement
from troposphere import AWSObject, Sub
from troposphere.kms import Key

from generator.stack import names, permissions

# Administration by the account's own IAM policies, action by action. There is no kms:* in it: PutKeyPolicy is enough
# to add what is missing. Source: AWS KMS Developer Guide, "Default key policy" and "KMS permissions reference".
_ADMINISTRATION = [
    kms.CancelKeyDeletion,
    kms.CreateGrant,
    kms.Decrypt,
    kms.DescribeKey,
    kms.DisableKey,
    kms.DisableKeyRotation,
    kms.EnableKey,
    kms.EnableKeyRotation,
    kms.Encrypt,
    kms.GenerateDataKey,
    kms.GetKeyPolicy,
    kms.GetKeyRotationStatus,
    kms.ListGrants,
    kms.ListResourceTags,
    kms.PutKeyPolicy,
    kms.ReEncryptFrom,
    kms.ReEncryptTo,
    kms.RevokeGrant,
    kms.ScheduleKeyDeletion,
    kms.TagResource,
    kms.UntagResource,
    kms.UpdateKeyDescription,
]


def resources() -> list[AWSObject]:
    """The key. Retained, because the tables and logs that it encrypts are retained and unreadable without it."""
    return [
        Key(
            names.KEY,
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            Description="Price alerts",
            EnableKeyRotation=True,
            KeyPolicy=PolicyDocument(Version="2012-10-17", Statement=[_account(), _logs(), _services()]),
        )
    ]


def _account() -> Statement:
    """In a key policy, the resource * is this key and no other."""
    return Statement(
        Effect=Allow,
        Principal=Principal("AWS", Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")),
        Action=_ADMINISTRATION,
        Resource=["*"],
    )


def _logs() -> Statement:
    """This account's log groups. Source: CloudWatch Logs User Guide, "Encrypt log data using AWS KMS"."""
    log_groups = Sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")
    return Statement(
        Effect=Allow,
        Principal=Principal("Service", Sub("logs.${AWS::Region}.amazonaws.com")),
        Action=[kms.Decrypt, kms.DescribeKey, kms.Encrypt, kms.GenerateDataKey, kms.ReEncryptFrom, kms.ReEncryptTo],
        Resource=["*"],
        Condition=Condition(ArnLike({"kms:EncryptionContext:aws:logs:arn": log_groups})),
    )


def _services() -> Statement:
    """Alarms to the operations topic, the notification topic to its dead letters, the schedule to its own.

    Named by service and account, never by a reference to the topic or queue: those refer to the key already.
    """
    services = [f"{service}.amazonaws.com" for service in ("cloudwatch", "scheduler", "sns", "sqs")]
    return Statement(
        Effect=Allow,
        Principal=Principal("Service", services),
        Action=[kms.Decrypt, kms.GenerateDataKey],
        Resource=["*"],
        Condition=permissions.from_this_account(),
    )
