"""Size the functions of your own template, and prove that their reservations fit the account."""

import sys
from pathlib import Path

from troposphere import GetAtt, Template, awslambda, iam

from generator import GeneratorError, account_of, load, render, size

# Your traffic, the durations of your functions, and your account. Everything else has a default.
ORDERS = {
    "name": "orders",
    "region": "eu-west-1",
    "traffic": {"webhooks_per_hour": 12_000, "peak_factor": 3, "alerts_per_webhook": 1},
    "functions": {
        "process_webhook": {"mean_duration_ms": 80, "p95_duration_ms": 200},
        "send_notification": {"mean_duration_ms": 400, "p95_duration_ms": 900},
    },
    "account": {"concurrency_limit": 400, "reserved_elsewhere": 120},
}

# Each of your functions, with the one of ours that is invoked in the same way: synchronously (Erlang B) or
# asynchronously (alert bursts).
INVOKED_LIKE = {"TakeOrder": "ProcessWebhookFunction", "MailReceipt": "SendNotificationFunction"}


def reservations() -> dict[str, int]:
    """Return the reserved concurrency of each function. Raises GeneratorError if the input is wrong."""
    environment = load(ORDERS)
    sizing = size(environment)
    reserved = {mine: sizing[ours].reserved_concurrency or 0 for mine, ours in INVOKED_LIKE.items()}
    account = account_of(environment)
    if not account.holds(sum(reserved.values())):
        sys.exit(f"{reserved} do not fit: {account.reservable} can be reserved in {account.region}")
    for mine, ours in INVOKED_LIKE.items():
        print(f"{mine}: {reserved[mine]} ({sizing[ours].model}: {sizing[ours].reason})")
    return reserved


def template(reserved: dict[str, int]) -> Template:
    """Return your own template with the reservations in it."""
    made = Template(Description="Orders")
    assumed_by_lambda = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    made.add_resource(iam.Role("OrdersRole", AssumeRolePolicyDocument=assumed_by_lambda))
    for name, units in reserved.items():
        made.add_resource(
            awslambda.Function(
                name,
                Runtime="python3.13",
                Handler="index.handler",
                Role=GetAtt("OrdersRole", "Arn"),
                Code=awslambda.Code(ZipFile="def handler(event, context):\n    return event\n"),
                ReservedConcurrentExecutions=units,
            )
        )
    return made


if __name__ == "__main__":
    try:
        text = render(template(reservations()))
    except GeneratorError as error:
        sys.exit(str(error))
    Path("orders.json").write_text(text, encoding="utf-8")
