"""The triggers of the functions behind the API, and their failure queues: stream, notification topic and schedule."""

from __future__ import annotations

import json

from awacs import awslambda, sqs
from awacs.aws import ArnEquals, Condition, Principal
from troposphere import AWSObject, GetAtt, Ref
from troposphere.awslambda import (
    DestinationConfig,
    EventInvokeConfig,
    EventSourceMapping,
    Filter,
    FilterCriteria,
    OnFailure,
    Permission,
)
from troposphere.iam import Role
from troposphere.scheduler import DeadLetterConfig, FlexibleTimeWindow, RetryPolicy, Schedule, Target
from troposphere.sns import SubscriptionResource, Topic
from troposphere.sqs import Queue, QueuePolicy

from generator.aws import MAX_ASYNC_EVENT_AGE_S, MAX_QUEUE_RETENTION_S, STREAM_RETENTION_S
from generator.capacity.sizing import CHECK_ALERTS, CLEANUP_HISTORY, SEND_NOTIFICATION, Sizing
from generator.config.schema import Environment
from generator.stack import names, permissions

MAX_RECORD_AGE_S = STREAM_RETENTION_S - 600
"""A price that was fresh when it was accepted fires for as long as the stream keeps it, also after a pause. Ten minutes
less than that, so that Lambda reports a record in the failure queue before the stream drops it silently."""

MAX_RUN_AGE_S = 3600
"""After an hour, the next scheduled run takes over."""

MAX_RUN_RETRIES = 10
"""Retries of starting a run, with growing waits; more would not fit into the hour. EventBridge Scheduler allows 185.

Source: EventBridge Scheduler User Guide, "Configuring a schedule's retry policy".
"""


def resources(environment: Environment, sizing: Sizing) -> list[AWSObject]:
    """Return the triggers of the functions behind the API, and the queues for events that fail."""
    return [
        *_stream(environment, sizing.parallelization_factor),
        *_topics(environment.operations.email),
        *_schedule(),
        *_async_failure_queue(),
    ]


def _stream(environment: Environment, parallelization_factor: int) -> list[AWSObject]:
    """Return the mapping from the price table's stream to CheckAlertsFunction, and the queue for failed records.

    Only inserts are delivered: time to live deletes items by the thousand, and a deletion fires no alert.
    Retries are limited by age instead of count, so that an outage does not use them up. A failed batch is halved, and a
    batch that failed in part resumes at the first failed record.
    """
    mapping = EventSourceMapping(
        "CheckAlertsEventSourceMapping",
        BatchSize=environment.stream.batch_size,
        BisectBatchOnFunctionError=True,
        DestinationConfig=DestinationConfig(OnFailure=OnFailure(Destination=names.arn(names.STREAM_FAILURE_QUEUE))),
        EventSourceArn=GetAtt(names.PRICE_HISTORY_TABLE, "StreamArn"),
        FilterCriteria=FilterCriteria(Filters=[Filter(Pattern=json.dumps({"eventName": ["INSERT"]}))]),
        FunctionName=Ref(CHECK_ALERTS),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumBatchingWindowInSeconds=environment.stream.batching_window_s,
        MaximumRecordAgeInSeconds=MAX_RECORD_AGE_S,
        ParallelizationFactor=parallelization_factor,
        StartingPosition="TRIM_HORIZON",
    )
    return [mapping, _queue(names.STREAM_FAILURE_QUEUE)]


def _topics(email: str) -> list[AWSObject]:
    """Return the topic between alerts and SMS, and the operations topic for alarms, which must not reach customers."""
    operations = Ref(names.OPERATIONS_TOPIC)
    subscriber = SubscriptionResource("OperationsSubscription", Endpoint=email, Protocol="email", TopicArn=operations)
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
        _on_async_failure(SEND_NOTIFICATION, MAX_ASYNC_EVENT_AGE_S),
        _topic(names.OPERATIONS_TOPIC),
        *([subscriber] if email else []),
    ]


def _schedule() -> list[AWSObject]:
    return [
        Schedule(
            "CleanupSchedule",
            FlexibleTimeWindow=FlexibleTimeWindow(Mode="OFF"),
            ScheduleExpression="rate(1 hour)",
            Target=Target(
                Arn=names.arn(CLEANUP_HISTORY),
                DeadLetterConfig=DeadLetterConfig(Arn=names.arn(names.ASYNC_FAILURE_QUEUE)),
                RetryPolicy=RetryPolicy(MaximumEventAgeInSeconds=MAX_RUN_AGE_S, MaximumRetryAttempts=MAX_RUN_RETRIES),
                RoleArn=names.arn(names.SCHEDULE_ROLE),
            ),
        ),
        Role(
            names.SCHEDULE_ROLE,
            AssumeRolePolicyDocument=permissions.trust("scheduler.amazonaws.com", permissions.from_this_account()),
            Policies=[
                permissions.policy(
                    permissions.allow([awslambda.InvokeFunction], names.arn(CLEANUP_HISTORY)),
                    permissions.send_to(names.ASYNC_FAILURE_QUEUE),
                    permissions.decrypt_and_generate_data_key(),
                )
            ],
        ),
        _on_async_failure(CLEANUP_HISTORY, MAX_RUN_AGE_S),
    ]


def _async_failure_queue() -> list[AWSObject]:
    """Return the failure queue that the asynchronous functions, the notification topic and the schedule share.

    The functions and the schedule send with their own roles, but the topic needs the permission of the queue's policy.
    """
    queue = _queue(names.ASYNC_FAILURE_QUEUE)
    redrive = permissions.allow(
        [sqs.SendMessage],
        names.arn(names.ASYNC_FAILURE_QUEUE),
        Principal=Principal("Service", "sns.amazonaws.com"),
        Condition=Condition(ArnEquals({"aws:SourceArn": Ref(names.NOTIFICATION_TOPIC)})),
    )
    policy = permissions.document(redrive)
    return [queue, QueuePolicy("AsyncFailureQueuePolicy", PolicyDocument=policy, Queues=[Ref(queue)])]


def _topic(logical_id: str) -> Topic:
    return Topic(logical_id, KmsMasterKeyId=Ref(names.KEY))


def _queue(logical_id: str) -> Queue:
    return Queue(logical_id, KmsMasterKeyId=Ref(names.KEY), MessageRetentionPeriod=MAX_QUEUE_RETENTION_S)


def _on_async_failure(function: str, max_event_age_s: int) -> EventInvokeConfig:
    """Return the retry settings of a function: two retries, the most that Lambda makes, and then the failure queue.

    The retries follow after one and two minutes.

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
