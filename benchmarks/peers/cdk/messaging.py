"""The topics, the queues for what failed, and who may send to them."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

FOURTEEN_DAYS_S = 14 * 86_400


class Channels:
    """Topics and queues."""

    def __init__(self, stack: Stack, key: kms.CfnKey) -> None:
        kept = {"kms_master_key_id": key.ref, "message_retention_period": FOURTEEN_DAYS_S}
        self.stream_failures = sqs.CfnQueue(stack, "StreamFailureQueue", **kept)
        self.async_failures = sqs.CfnQueue(stack, "AsyncFailureQueue", **kept)
        self.notifications = sns.CfnTopic(stack, "NotificationTopic", kms_master_key_id=key.ref)
        self.operations = sns.CfnTopic(stack, "OperationsTopic", kms_master_key_id=key.ref)
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": ["sqs:SendMessage"],
            "Resource": [self.async_failures.attr_arn],
            "Condition": {"ArnEquals": {"aws:SourceArn": self.notifications.ref}},
        }
        sqs.CfnQueuePolicy(
            stack,
            "AsyncFailureQueuePolicy",
            queues=[self.async_failures.ref],
            policy_document={"Version": "2012-10-17", "Statement": [statement]},
        )

    def subscribe(self, stack: Stack, send: lambda_.CfnFunction) -> None:
        """Notifications go to the function."""
        sns.CfnSubscription(
            stack,
            "SendNotificationSubscription",
            topic_arn=self.notifications.ref,
            protocol="lambda",
            endpoint=send.attr_arn,
            redrive_policy={"deadLetterTargetArn": self.async_failures.attr_arn},
        )
        lambda_.CfnPermission(
            stack,
            "SendNotificationPermission",
            action="lambda:InvokeFunction",
            function_name=send.ref,
            principal="sns.amazonaws.com",
            source_arn=self.notifications.ref,
        )
