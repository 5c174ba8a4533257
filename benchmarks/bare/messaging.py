"""The topics, the queues for what failed, and who may send to them."""

from __future__ import annotations

from troposphere import AWSObject, GetAtt, Ref
from troposphere.awslambda import Permission
from troposphere.sns import SubscriptionResource, Topic
from troposphere.sqs import Queue, QueuePolicy

FOURTEEN_DAYS_S = 14 * 86_400


def resources() -> list[AWSObject]:
    """Topics, queues, subscription and permissions."""
    return [
        queue("StreamFailureQueue"),
        queue("AsyncFailureQueue"),
        queue_policy(),
        Topic("NotificationTopic", KmsMasterKeyId=Ref("KmsKey")),
        Topic("OperationsTopic", KmsMasterKeyId=Ref("KmsKey")),
        SubscriptionResource(
            "SendNotificationSubscription",
            TopicArn=Ref("NotificationTopic"),
            Protocol="lambda",
            Endpoint=GetAtt("SendNotificationFunction", "Arn"),
            RedrivePolicy={"deadLetterTargetArn": GetAtt("AsyncFailureQueue", "Arn")},
        ),
        Permission(
            "SendNotificationPermission",
            Action="lambda:InvokeFunction",
            FunctionName=Ref("SendNotificationFunction"),
            Principal="sns.amazonaws.com",
            SourceArn=Ref("NotificationTopic"),
        ),
    ]


def queue(title: str) -> Queue:
    """An encrypted queue that keeps messages for 14 days."""
    return Queue(title, KmsMasterKeyId=Ref("KmsKey"), MessageRetentionPeriod=FOURTEEN_DAYS_S)


def queue_policy() -> QueuePolicy:
    """Lets the topic send what it could not deliver."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": ["sqs:SendMessage"],
        "Resource": [GetAtt("AsyncFailureQueue", "Arn")],
        "Condition": {"ArnEquals": {"aws:SourceArn": Ref("NotificationTopic")}},
    }
    return QueuePolicy(
        "AsyncFailureQueuePolicy",
        Queues=[Ref("AsyncFailureQueue")],
        PolicyDocument={"Version": "2012-10-17", "Statement": [statement]},
    )
