"""The topic between alerts and SMS, and the separate topic for operations: an alarm must never reach a customer."""

from __future__ import annotations

from troposphere import AWSObject, Ref
from troposphere.awslambda import Permission
from troposphere.sns import SubscriptionResource, Topic

from generator.aws import MAX_ASYNC_EVENT_AGE_S
from generator.capacity.sizing import SEND_NOTIFICATION
from generator.stack import names, queues


def resources(email: str) -> list[AWSObject]:
    """Topic, subscription, permission, failure handling, and the operations topic with its subscriber."""
    subscribers = [_operations_email(email)] if email else []
    return [
        _topic(names.NOTIFICATION_TOPIC),
        SubscriptionResource(
            "SendNotificationSubscription",
            Endpoint=names.arn(SEND_NOTIFICATION),
            Protocol="lambda",
            RedrivePolicy={"deadLetterTargetArn": names.arn(names.ASYNC_FAILURE_QUEUE)},
            TopicArn=Ref(names.NOTIFICATION_TOPIC),
        ),
        Permission(
            "SendNotificationPermission",
            Action="lambda:InvokeFunction",
            FunctionName=Ref(SEND_NOTIFICATION),
            Principal="sns.amazonaws.com",
            SourceArn=Ref(names.NOTIFICATION_TOPIC),
        ),
        queues.on_async_failure(SEND_NOTIFICATION, MAX_ASYNC_EVENT_AGE_S),
        _topic(names.OPERATIONS_TOPIC),
        *subscribers,
    ]


def _topic(logical_id: str) -> Topic:
    return Topic(logical_id, KmsMasterKeyId=Ref(names.KEY))


def _operations_email(address: str) -> SubscriptionResource:
    return SubscriptionResource(
        "OperationsSubscription", Endpoint=address, Protocol="email", TopicArn=Ref(names.OPERATIONS_TOPIC)
    )
