"""The key that encrypts tables, topics, queues, logs and variables, and the secret that senders sign with."""

from __future__ import annotations

from collections.abc import Sequence

from awacs import kms
from awacs.aws import ArnLike, Condition, Principal
from troposphere import AWSObject, Ref, Sub
from troposphere.kms import Key
from troposphere.secretsmanager import GenerateSecretString, Secret

from generator.config.senders import WebhookSource
from generator.stack import names, permissions

ADMINISTRATION = [
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
"""Actions that the account's own IAM policies may allow. PutKeyPolicy is enough to add others, so kms:* is not needed.

Source: AWS KMS Developer Guide, "Default key policy" and "KMS permissions reference".
"""


def resources(deletion_protection: bool, sources: Sequence[WebhookSource]) -> list[AWSObject]:
    """Return the key, the signing secret, and a secret for each source, so that each can be revoked alone."""
    signing = _secret(names.SIGNING_SECRET, Description="Standard Webhooks signing secret, without its whsec_ prefix")
    return [_key(deletion_protection), signing, *(_secret(names.source(source.name, "Secret")) for source in sources)]


def _key(deletion_protection: bool) -> Key:
    """Return the key, which is retained because the retained tables and their backups are unreadable without it.

    The account administers it. CloudWatch Logs encrypts this account's log groups (source: CloudWatch Logs User Guide,
    "Encrypt log data using AWS KMS"). Alarms publish to the operations topic, and the notification topic and the
    schedule send to their queue; that statement names services instead of topics and queues, because those already
    refer to the key.
    """
    account = Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
    for_logs = [kms.Decrypt, kms.DescribeKey, kms.Encrypt, kms.GenerateDataKey, kms.ReEncryptFrom, kms.ReEncryptTo]
    log_groups = Sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")
    of_logs = Condition(ArnLike({"kms:EncryptionContext:aws:logs:arn": log_groups}))
    logs = Principal("Service", Sub("logs.${AWS::Region}.amazonaws.com"))
    senders = [f"{service}.amazonaws.com" for service in ("cloudwatch", "scheduler", "sns", "sqs")]
    of_account = {"Principal": Principal("Service", senders), "Condition": permissions.from_this_account()}
    # In a key policy, the resource * means this key only.
    policy = permissions.document(
        permissions.allow(ADMINISTRATION, "*", Principal=Principal("AWS", account)),
        permissions.allow(for_logs, "*", Principal=logs, Condition=of_logs),
        permissions.allow([kms.Decrypt, kms.GenerateDataKey], "*", **of_account),
    )
    return Key(
        names.KEY,
        DeletionPolicy=names.retention(deletion_protection),
        UpdateReplacePolicy="Retain",
        Description="Price alerts",
        EnableKeyRotation=True,
        KeyPolicy=policy,
    )


def _secret(logical_id: str, **description: str) -> Secret:
    """Return a secret of 44 letters and digits: valid base64 of 33 bytes. Standard Webhooks 1.0 asks for 24 to 64."""
    return Secret(
        logical_id,
        GenerateSecretString=GenerateSecretString(ExcludePunctuation=True, PasswordLength=44),
        KmsKeyId=Ref(names.KEY),
        **description,
    )
