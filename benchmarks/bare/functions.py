"""The four functions with their roles and log groups, the stream's mapping and the hourly schedule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from troposphere import AWSObject, GetAtt, Ref, Sub
from troposphere.awslambda import (
    Code,
    DestinationConfig,
    Environment,
    EventInvokeConfig,
    EventSourceMapping,
    Filter,
    FilterCriteria,
    Function,
    LoggingConfig,
    OnFailure,
    TracingConfig,
)
from troposphere.iam import Policy, Role
from troposphere.logs import LogGroup
from troposphere.scheduler import DeadLetterConfig, FlexibleTimeWindow, RetryPolicy, Schedule, Target

HANDLERS = Path(__file__).parents[2] / "generator/handlers"
KEY_ARN = GetAtt("KmsKey", "Arn")
HISTORY_ARN = GetAtt("PriceHistoryTable", "Arn")
ALERTS_ARN = GetAtt("PriceAlertsTable", "Arn")
STREAM_ARN = GetAtt("PriceHistoryTable", "StreamArn")
ASYNC_QUEUE_ARN = GetAtt("AsyncFailureQueue", "Arn")
RETENTION_S = str(30 * 86_400)


def resources() -> list[AWSObject]:
    """Every function with what calls it, except the API."""
    return [*process_webhook(), *check_alerts(), *send_notification(), *cleanup_history(), *schedule()]


def process_webhook() -> list[AWSObject]:
    """Stores a price."""
    variables = {
        "TABLE": Ref("PriceHistoryTable"),
        "RETENTION_S": RETENTION_S,
        "SECRET": Ref("SigningSecret"),
    }
    statements = [
        allow(["kms:Decrypt"], KEY_ARN),
        allow(["dynamodb:PutItem"], HISTORY_ARN),
        allow(["secretsmanager:GetSecretValue"], Ref("SigningSecret")),
    ]
    return function("ProcessWebhook", "process_webhook", 1024, 30, 20, variables, statements)


def check_alerts() -> list[AWSObject]:
    """Finds the alerts that a price fires."""
    read_stream = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
    statements = [
        allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN),
        allow([*read_stream, "dynamodb:ListStreams"], STREAM_ARN),
        allow(["dynamodb:Query"], Sub("${PriceAlertsTable.Arn}/index/CryptocurrencyIndex")),
        allow(["dynamodb:UpdateItem"], ALERTS_ARN),
        allow(["sns:Publish"], Ref("NotificationTopic")),
        allow(["sqs:SendMessage"], GetAtt("StreamFailureQueue", "Arn")),
    ]
    variables = {"TABLE": Ref("PriceAlertsTable"), "TOPIC": Ref("NotificationTopic")}
    mapping = EventSourceMapping(
        "CheckAlertsEventSourceMapping",
        FunctionName=Ref("CheckAlertsFunction"),
        EventSourceArn=STREAM_ARN,
        StartingPosition="TRIM_HORIZON",
        BatchSize=10,
        BisectBatchOnFunctionError=True,
        DestinationConfig=DestinationConfig(OnFailure=OnFailure(Destination=GetAtt("StreamFailureQueue", "Arn"))),
        FilterCriteria=FilterCriteria(Filters=[Filter(Pattern=json.dumps({"eventName": ["INSERT"]}))]),
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MaximumBatchingWindowInSeconds=1,
        MaximumRecordAgeInSeconds=3600,
        ParallelizationFactor=2,
    )
    return [*function("CheckAlerts", "check_alerts", 512, 60, 10, variables, statements), mapping]


def send_notification() -> list[AWSObject]:
    """Sends the SMS."""
    statements = [
        allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN),
        allow(["dynamodb:UpdateItem"], ALERTS_ARN),
        {"Effect": "Allow", "Action": ["sns:Publish"], "NotResource": [Sub("arn:${AWS::Partition}:sns:*:*:*")]},
        allow(["sqs:SendMessage"], ASYNC_QUEUE_ARN),
    ]
    variables = {"TABLE": Ref("PriceAlertsTable")}
    return [
        *function("SendNotification", "send_notification", 256, 30, 5, variables, statements),
        on_failure("SendNotification", 6 * 3600),
    ]


def cleanup_history() -> list[AWSObject]:
    """Deletes old prices."""
    statements = [
        allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN),
        allow(["dynamodb:DeleteItem", "dynamodb:Query"], HISTORY_ARN),
        allow(["sqs:SendMessage"], ASYNC_QUEUE_ARN),
    ]
    variables = {"TABLE": Ref("PriceHistoryTable"), "RETENTION_S": RETENTION_S}
    return [
        *function("CleanupHistory", "cleanup_history", 256, 300, 2, variables, statements),
        on_failure("CleanupHistory", 3600),
    ]


def schedule() -> list[AWSObject]:
    """Runs the cleaning every hour."""
    statements = [
        allow(["lambda:InvokeFunction"], GetAtt("CleanupHistoryFunction", "Arn")),
        allow(["sqs:SendMessage"], ASYNC_QUEUE_ARN),
        allow(["kms:Decrypt", "kms:GenerateDataKey"], KEY_ARN),
    ]
    this_account = {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}}
    return [
        Schedule(
            "CleanupSchedule",
            FlexibleTimeWindow=FlexibleTimeWindow(Mode="OFF"),
            ScheduleExpression="rate(1 hour)",
            Target=Target(
                Arn=GetAtt("CleanupHistoryFunction", "Arn"),
                RoleArn=GetAtt("CleanupScheduleRole", "Arn"),
                DeadLetterConfig=DeadLetterConfig(Arn=ASYNC_QUEUE_ARN),
                RetryPolicy=RetryPolicy(MaximumEventAgeInSeconds=3600, MaximumRetryAttempts=10),
            ),
        ),
        role("CleanupScheduleRole", trust("scheduler.amazonaws.com", Condition=this_account), statements),
    ]


def function(
    name: str,
    handler: str,
    memory_mb: int,
    timeout_s: int,
    reserved: int,
    variables: dict[str, Any],
    statements: list[dict[str, Any]],
) -> list[AWSObject]:
    """A function, its role and its log group. The statements come on top of logging and tracing."""
    common = [
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], GetAtt(f"{name}LogGroup", "Arn")),
        allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
    ]
    return [
        Function(
            f"{name}Function",
            Code=Code(ZipFile=(HANDLERS / f"{handler}.py").read_text()),
            Handler="index.handler",
            Runtime="python3.13",
            Architectures=["arm64"],
            MemorySize=memory_mb,
            Timeout=timeout_s,
            ReservedConcurrentExecutions=reserved,
            Role=GetAtt(f"{name}Role", "Arn"),
            Environment=Environment(Variables=variables),
            KmsKeyArn=KEY_ARN,
            LoggingConfig=LoggingConfig(LogGroup=Ref(f"{name}LogGroup")),
            TracingConfig=TracingConfig(Mode="Active"),
        ),
        role(f"{name}Role", trust("lambda.amazonaws.com"), [*common, *statements]),
        log_group(f"{name}LogGroup"),
    ]


def log_group(title: str) -> LogGroup:
    """An encrypted log group of 30 days."""
    return LogGroup(title, KmsKeyId=KEY_ARN, RetentionInDays=30)


def role(title: str, trust_policy: dict[str, Any], statements: list[dict[str, Any]]) -> Role:
    """A role with one inline policy."""
    document = {"Version": "2012-10-17", "Statement": statements}
    return Role(
        title,
        AssumeRolePolicyDocument=trust_policy,
        Policies=[Policy(PolicyName="access", PolicyDocument=document)],
    )


def trust(service: str, **condition: Any) -> dict[str, Any]:
    """Lets a service take the role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole"], **condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def allow(actions: list[str], resource: object) -> dict[str, Any]:
    """A statement on one resource."""
    return {"Effect": "Allow", "Action": actions, "Resource": [resource]}


def on_failure(name: str, max_event_age_s: int) -> EventInvokeConfig:
    """Two retries, then the queue."""
    return EventInvokeConfig(
        f"{name}InvokeConfig",
        FunctionName=Ref(f"{name}Function"),
        Qualifier="$LATEST",
        MaximumEventAgeInSeconds=max_event_age_s,
        MaximumRetryAttempts=2,
        DestinationConfig=DestinationConfig(OnFailure=OnFailure(Destination=ASYNC_QUEUE_ARN)),
    )
