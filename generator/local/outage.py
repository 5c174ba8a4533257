"""An outage of SendNotificationFunction, for the demonstration of a replay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from generator.errors import EmulatorFailure, Fault
from generator.local.deployment import System, wait_until

ARRIVAL_TIMEOUT_S = 20
_FUNCTION, _QUEUE, _TOPIC = "SendNotificationFunction", "AsyncFailureQueue", "NotificationTopic"


@contextmanager
def of_notifications(system: System) -> Iterator[None]:
    """Switch the function off inside the block. At its end, wait until the failure queue has a notification.

    The emulator neither retries what SNS cannot deliver nor moves it to the failure queue. Inside the block, the queue
    subscribes to the topic instead, so it gets the same message. Raises EmulatorFailure if none arrives.
    """
    sns, functions = system.emulator.client("sns"), system.emulator.client("lambda")
    functions.put_function_concurrency(FunctionName=system.ids[_FUNCTION], ReservedConcurrentExecutions=0)
    subscription = sns.subscribe(
        TopicArn=system.ids[_TOPIC], Protocol="sqs", Endpoint=_attribute(system, "QueueArn"), ReturnSubscriptionArn=True
    )
    try:
        yield
        if not wait_until(lambda: int(_attribute(system, "ApproximateNumberOfMessages")) > 0, ARRIVAL_TIMEOUT_S):
            what = f"no notification failed within {ARRIVAL_TIMEOUT_S} s"
            raise EmulatorFailure([Fault("the emulator", what, "run the command again")])
    finally:
        sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
        functions.delete_function_concurrency(FunctionName=system.ids[_FUNCTION])


def _attribute(system: System, name: str) -> str:
    queue = system.emulator.client("sqs").get_queue_attributes(QueueUrl=system.ids[_QUEUE], AttributeNames=[name])
    return str(queue["Attributes"][name])
