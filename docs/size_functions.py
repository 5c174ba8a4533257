"""Size the functions of a stack that has nothing to do with price alerts, and prove that they fit the account."""

import sys

from generator import (
    AccountQuota,
    GeneratorError,
    size_asynchronous,
    size_schedule,
    size_sqs,
    size_stream,
    size_synchronous,
)

ACCOUNT = AccountQuota("shop", "eu-west-1", concurrency_limit=400, unreserved_floor=100, reserved_elsewhere=120)


def main() -> None:
    """Print a reservation for each function, with the reason."""
    try:
        functions = [
            # Behind an API: a throttled request is lost.
            size_synchronous("TakeOrder", rate_per_s=10, duration_s=0.08, throttle_probability=1e-4),
            # Invoked by a topic, ten events at a time: an event that finds no free unit is tried again.
            size_asynchronous("MailReceipt", rate_per_s=10, duration_s=0.4, burst=10, wait_probability=0.01),
            # Reads a stream in batches, of which each takes a quarter of a second.
            size_stream(
                "UpdateStock", records_per_s=200, duration_s=0.25, shards=4, batch_size=100, batching_window_s=1
            ),
            # Reads a queue: the reservation is also the queue's MaximumConcurrency.
            size_sqs("PrintLabel", messages_per_s=6, duration_s=2.5),
            # Runs every five minutes.
            size_schedule("CloseCarts", interval_s=300, timeout_s=60),
        ]
    except GeneratorError as error:
        sys.exit(str(error))
    for one in functions:
        print(f"{one.logical_id}: {one.reserved_concurrency} ({one.model}: {one.reason})")
    total = sum(one.reserved_concurrency or 0 for one in functions)
    print(f"{total} of {ACCOUNT.reservable} reservable")
    if not ACCOUNT.holds(total):
        sys.exit(f"{total - ACCOUNT.reservable} too many")


if __name__ == "__main__":
    main()
