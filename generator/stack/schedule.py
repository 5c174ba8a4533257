"""The hourly run of CleanupHistoryFunction."""

from __future__ import annotations

from troposphere import AWSObject
from troposphere.iam import Role
from troposphere.scheduler import DeadLetterConfig, FlexibleTimeWindow, RetryPolicy, Schedule, Target

from generator.capacity.sizing import CLEANUP_HISTORY
from generator.stack import names, permissions, queues

MAX_EVENT_AGE_S = 3600
"""After an hour the next run takes over."""

MAX_RETRIES = 10
"""Of handing the run over, with growing waits; of 185 that EventBridge Scheduler allows, more than fit into the hour.

Source: EventBridge Scheduler User Guide, "Configuring a schedule's retry policy".
"""


def resources() -> list[AWSObject]:
    """The schedule, its role, and the function's failure handling."""
    return [
        Schedule(
            "CleanupSchedule",
            FlexibleTimeWindow=FlexibleTimeWindow(Mode="OFF"),
            ScheduleExpression="rate(1 hour)",
            Target=Target(
                Arn=names.arn(CLEANUP_HISTORY),
                DeadLetterConfig=DeadLetterConfig(Arn=names.arn(names.ASYNC_FAILURE_QUEUE)),
                RetryPolicy=RetryPolicy(MaximumEventAgeInSeconds=MAX_EVENT_AGE_S, MaximumRetryAttempts=MAX_RETRIES),
                RoleArn=names.arn(names.SCHEDULE_ROLE),
            ),
        ),
        Role(
            names.SCHEDULE_ROLE,
            AssumeRolePolicyDocument=permissions.trust("scheduler.amazonaws.com", permissions.from_this_account()),
            Policies=[
                permissions.policy(
                    permissions.invoke(CLEANUP_HISTORY),
                    permissions.send_to(names.ASYNC_FAILURE_QUEUE),
                    permissions.decrypt_and_generate_data_key(),
                )
            ],
        ),
        queues.on_async_failure(CLEANUP_HISTORY, MAX_EVENT_AGE_S),
    ]
