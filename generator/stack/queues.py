"""The queues for what could not be delivered, and the asynchronous invocation settings that feed one of them."""

from __future__ import annotations

from awacs import sqs
from awacs.aws import Allow, ArnEquals, Condition, PolicyDocument, Principal, Statement
from troposphere import AWSObject, Ref
from troposphere.awslambda import DestinationConfig, EventInvokeConfig, OnFailure
from troposphere.sqs import Queue, QueuePolicy

from generator.aws import MAX_QUEUE_RETENTION_S
from generator.stack import names


def queue(logical_id: str) -> Queue:
    """An encrypted queue that keeps messages as long as SQS allows."""
    return Queue(logical_id, KmsMasterKeyId=Ref(names.KEY), MessageRetentionPeriod=MAX_QUEUE_RETENTION_S)


def resources() -> list[AWSObject]:
    """The queue that the asynchronous functions, the topic and the schedule share.

    The functions and the schedule send with their own roles; the topic needs the queue's permission.
    """
    redrive = Statement(
        Effect=Allow,
        Principal=Principal("Service", "sns.amazonaws.com"),
        Action=[sqs.SendMessage],
        Resource=[names.arn(names.ASYNC_FAILURE_QUEUE)],
        Condition=Condition(ArnEquals({"aws:SourceArn": Ref(names.NOTIFICATION_TOPIC)})),
    )
    return [
        queue(names.ASYNC_FAILURE_QUEUE),
        QueuePolicy(
            "AsyncFailureQueuePolicy",
            PolicyDocument=PolicyDocument(Version="2012-10-17", Statement=[redrive]),
            Queues=[Ref(names.ASYNC_FAILURE_QUEUE)],
        ),
    ]


def on_async_failure(function: str, max_event_age_s: int) -> EventInvokeConfig:
    """Two retries, the most that Lambda makes, after one and two minutes; then the queue.

    Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
    """
    return EventInvokeConfig(
        function.removesuffix("Function") + "InvokeConfig",
        DestinationConfig=DestinationConfig(OnFailure=OnFailure(Destination=names.arn(names.ASYNC_FAILURE_QUEUE))),
        FunctionName=Ref(function),
        MaximumEventAgeInSeconds=max_event_age_s,
        MaximumRetryAttempts=2,
        Qualifier="$LATEST",
    )
