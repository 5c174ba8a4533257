"""An outage of SendNotificationFunction, for the demonstration of a replay."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from generator.errors import EmulatorFailure, Fault
from generator.local.deployment import System

ARRIVAL_TIMEOUT_S = 20
_FUNCTION, _QUEUE, _TOPIC = "SendNotificationFunction", "AsyncFailureQueue", "NotificationTopic"


@contextmanager
def of_notifications(system: System) -> Iterator[None]:
    """Switch the function off inside the block. At its end, wait until the failure queue has a notification.

    The emulator neither retries what SNS cannot deliver nor moves it to the failure queue. Inside the block, the queue
    subscribes to the topic instead, so it gets the same message. Raises EmulatorFailure if none arrives.
    """
    sns, functions = system.emulator.client("sns"), system.emulator.client("lambda")
    queue = system.emulator.client("sqs").get_queue_attributes(QueueUrl=system.ids[_QUEUE], AttributeNames=["QueueArn"])
    arn = queue["Attributes"]["QueueArn"]
    functions.put_function_concurrency(FunctionName=system.ids[_FUNCTION], ReservedConcurrentExecutions=0)
    subscription = sns.subscribe(TopicArn=system.ids[_TOPIC], Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True)
    try:
        yield
        _wait_until_failed(system)
    finally:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        functions.delete_function_concurrency(FunctionName=system.ids[_FUNCTION])


def _wait_until_failed(system: System) -> None:
    sqs, until = system.emulator.client("sqs"), time.monotonic() + ARRIVAL_TIMEOUT_S
    name = "ApproximateNumberOfMessages"
    while time.monotonic() < until:
        queue = sqs.get_queue_attributes(QueueUrl=system.ids[_QUEUE], AttributeNames=[name])
        if int(queue["Attributes"][name]):
            return
        time.sleep(0.2)
    fault = Fault("the emulator", f"no notification failed within {ARRIVAL_TIMEOUT_S} s", "run the command again")
    raise EmulatorFailure([fault])
