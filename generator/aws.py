"""AWS limits, defaults and constants that the generator relies on, each stated once with its source.

Durations, prices and other figures that an environment can override are in `generator.config`. Choices of this project
(alarm thresholds, retry counts) are next to the code that uses them.
"""

from __future__ import annotations

# --- AWS Lambda: concurrency ---

CONCURRENCY_QUOTA_CODE = "L-B99A9384"
"""Service Quotas code of the Lambda quota "Concurrent executions".
Source: AWS Lambda Developer Guide, "Lambda quotas"."""

DEFAULT_CONCURRENCY_LIMIT = 1000
"""Default quota for concurrent executions per account and Region. New accounts may have as little as 10.
Source: AWS Lambda Developer Guide, "Lambda quotas"."""

DEFAULT_UNRESERVED_FLOOR = 100
"""Concurrent executions that AWS keeps unreserved. Accounts with a low quota have reported 10, 40 and 50.
Source: AWS Lambda API reference, PutFunctionConcurrency."""

REQUESTS_PER_S_PER_UNIT = 10
"""Synchronous requests per second that Lambda admits for each unit of concurrency, however short the runs are.
Source: AWS Lambda Developer Guide, "Lambda quotas" (invocation requests) and "Understanding function scaling"."""

SCALING_RATE_PER_S, SCALING_BURST = 100.0, 1000
"""Instances that one function can add: 1,000 every ten seconds, refilled continuously.
Source: AWS Lambda Developer Guide, "Lambda scaling behavior" (concurrency scaling rate)."""


def floor_error(unreserved_floor: int) -> str:
    """Return the AWS error for a reservation that would take from the unreserved floor.

    Source: messages in public issues, such as https://github.com/awslabs/fhir-works-on-aws-deployment/issues/691.
    """
    return (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        f"its minimum value of [{unreserved_floor}]"
    )


PROVISIONED_DIMENSION = "lambda:function:ProvisionedConcurrency"
"""The dimension in which Application Auto Scaling scales a function.
Source: Application Auto Scaling User Guide, "AWS Lambda and Application Auto Scaling"."""

# --- AWS Lambda: functions ---

MIN_FUNCTION_MEMORY_MB, MAX_FUNCTION_MEMORY_MB = 128, 10_240
"""Memory of a function; the lower bound is also the default. Source: AWS Lambda Developer Guide, "Lambda quotas"."""

MAX_FUNCTION_TIMEOUT_S = 900
"""Source: AWS Lambda Developer Guide, "Lambda quotas"."""

DEFAULT_FUNCTION_TIMEOUT_S = 3
"""Source: AWS Lambda API reference, CreateFunction."""

# --- AWS Lambda: streams (event source mappings) ---

MAX_PARALLELIZATION_FACTOR = 10
"""Concurrent batches per shard; the default is 1. Source: AWS Lambda API reference, CreateEventSourceMapping."""

DEFAULT_STREAM_BATCH_SIZE = 100
"""Records per batch. Source: AWS Lambda API reference, CreateEventSourceMapping."""

MAX_BATCHING_WINDOW_S = 300
"""Source: AWS Lambda API reference, CreateEventSourceMapping."""

STREAM_POLL_INTERVAL_S = 0.25
"""Lambda polls each shard of a DynamoDB stream four times a second.
Source: AWS Lambda Developer Guide, "Using AWS Lambda with Amazon DynamoDB" (polling and batching streams)."""

# --- AWS Lambda: asynchronous invocation ---

MAX_ASYNC_EVENT_AGE_S = 6 * 3600
"""Longest time that Lambda keeps an asynchronous event; also the default.
Source: AWS Lambda API reference, PutFunctionEventInvokeConfig."""

DEFAULT_ASYNC_RETRIES = 2
"""Retries after a function error. Source: AWS Lambda API reference, PutFunctionEventInvokeConfig."""

ASYNC_ERROR_WAITS_S = (60.0, 120.0)
"""Waits before the first and the second retry after a function error.
Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation"."""

ASYNC_THROTTLE_BACKOFF_S = (1.0, 300.0)
"""First and longest wait after a throttle; the wait doubles from one to the other.
Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation"."""

# --- Amazon API Gateway ---

API_GATEWAY_TIMEOUT_MS = 29_000
"""API Gateway answers 504 when an integration takes longer; the function keeps running.
Source: Amazon API Gateway Developer Guide, quotas for REST APIs (integration timeout)."""

API_GATEWAY_ACCOUNT_RATE_PER_S, API_GATEWAY_ACCOUNT_BURST = 10_000, 5_000
"""Requests per second and burst of an account in most Regions.
Source: Amazon API Gateway Developer Guide, "Amazon API Gateway quotas"."""

# --- Amazon DynamoDB ---

MAX_ITEM_BYTES = 409_600
"""Source: Amazon DynamoDB Developer Guide, "Service, account, and table quotas" (item size)."""

ITEM_OVERHEAD_BYTES = 100
"""Storage that DynamoDB adds to each item. Source: Amazon DynamoDB Developer Guide, "Item sizes and formats"."""

STREAM_RETENTION_S = 24 * 3600
"""Time for which a stream keeps a record.
Source: Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams"."""

WRITE_UNIT_BYTES, READ_UNIT_BYTES = 1024, 4096
"""Bytes that one request unit covers. Source: Amazon DynamoDB Developer Guide, "DynamoDB on-demand capacity mode"."""

# --- Amazon SQS ---

DEFAULT_QUEUE_RETENTION_S, MAX_QUEUE_RETENTION_S = 4 * 86_400, 14 * 86_400
"""Time for which a queue keeps a message. Source: Amazon SQS API reference, CreateQueue, MessageRetentionPeriod."""

MIN_MAXIMUM_CONCURRENCY, MAX_MAXIMUM_CONCURRENCY = 2, 1000
"""Range of the maximum concurrency of an SQS event source mapping. Source: AWS Lambda API reference, ScalingConfig."""

STARTING_POLLERS = 5
"""Batches of a standard queue that Lambda processes at once when it starts to poll.
Source: AWS Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings"."""

MIN_RECEIVES = 5
"""Smallest maxReceiveCount with which throttles send no messages to the dead-letter queue.
Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping"."""


def mapping_error(maximum: int, reserved: int) -> str:
    """Return the AWS error for an SQS event source mapping that may run more than its function reserves.

    Source: the message in public CDK code; https://github.com/gchq/sleeper/issues/6874 reports the refusal.
    """
    return f"MaximumConcurrency: {maximum} is greater than Function Reserved Concurrency: {reserved}"


# --- Amazon SNS ---

REGIONS_WITHOUT_SMS = ("cn-north-1", "cn-northwest-1", "us-gov-east-1")
"""Regions that have SNS without SMS. Other Regions change over time, so only a live check can decide for them.
Source: AWS in China, "Amazon SNS"; AWS GovCloud (US) User Guide, "Amazon SNS"."""

# --- AWS X-Ray ---

TRACED_SHARE = 0.05
"""Share of requests that X-Ray records after the first request of each second.
Source: AWS X-Ray Developer Guide, "Configuring sampling rules"."""

# --- Amazon CloudWatch Logs ---

LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""Retention periods that a log group accepts.
Source: Amazon CloudWatch Logs API reference, PutRetentionPolicy, retentionInDays."""

# --- AWS CloudFormation ---

STACK_NAME = "[A-Za-z][A-Za-z0-9-]{0,127}"
"""Source: AWS CloudFormation API reference, CreateStack, StackName."""

MAX_STACK_TAGS = 50
"""Source: AWS CloudFormation API reference, CreateStack, Tags."""

MAX_TEMPLATE_BODY_BYTES = 51_200
"""Largest template that CloudFormation accepts without an upload bucket.
Source: AWS CloudFormation API reference, CreateStack, TemplateBody."""

MAX_UPLOADED_TEMPLATE_BYTES = 1_000_000
"""Largest template that CloudFormation accepts from an upload bucket.
Source: AWS CloudFormation User Guide, "Understand CloudFormation quotas" (1 MB); cfn-lint's E1002."""
