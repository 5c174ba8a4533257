"""The four functions with their roles and log groups, the stream's mapping and the hourly schedule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from aws_cdk import Aws, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_scheduler as scheduler
from messaging import Channels
from storage import Storage

HANDLERS = Path(__file__).parents[3] / "generator/handlers"
RETENTION_S = str(30 * 86_400)


class Functions:
    """Every function with what calls it, except the API."""

    def __init__(self, stack: Stack, stored: Storage, channels: Channels) -> None:
        self.stack, self.stored, self.channels = stack, stored, channels
        self.process = self._process_webhook()
        self.check = self._check_alerts()
        self.send = self._send_notification()
        self.cleanup = self._cleanup_history()
        self._schedule()

    def _process_webhook(self) -> lambda_.CfnFunction:
        stored = self.stored
        variables = {"TABLE": stored.history.ref, "RETENTION_S": RETENTION_S, "SECRET": stored.secret.ref}
        statements = [
            allow(["kms:Decrypt"], stored.key.attr_arn),
            allow(["dynamodb:PutItem"], stored.history.attr_arn),
            allow(["secretsmanager:GetSecretValue"], stored.secret.ref),
        ]
        return self._function("ProcessWebhook", "process_webhook", 1024, 30, 20, variables, statements)

    def _check_alerts(self) -> lambda_.CfnFunction:
        stored, channels = self.stored, self.channels
        read_stream = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
        statements = [
            allow(["kms:Decrypt", "kms:GenerateDataKey"], stored.key.attr_arn),
            allow([*read_stream, "dynamodb:ListStreams"], stored.history.attr_stream_arn),
            allow(["dynamodb:Query"], Fn.sub("${PriceAlertsTable.Arn}/index/CryptocurrencyIndex")),
            allow(["dynamodb:UpdateItem"], stored.alerts.attr_arn),
            allow(["sns:Publish"], channels.notifications.ref),
            allow(["sqs:SendMessage"], channels.stream_failures.attr_arn),
        ]
        variables = {"TABLE": stored.alerts.ref, "TOPIC": channels.notifications.ref}
        function = self._function("CheckAlerts", "check_alerts", 512, 60, 10, variables, statements)
        mapping = lambda_.CfnEventSourceMapping
        mapping(
            self.stack,
            "CheckAlertsEventSourceMapping",
            function_name=function.ref,
            event_source_arn=stored.history.attr_stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=10,
            bisect_batch_on_function_error=True,
            destination_config=mapping.DestinationConfigProperty(
                on_failure=mapping.OnFailureProperty(destination=channels.stream_failures.attr_arn)
            ),
            filter_criteria=mapping.FilterCriteriaProperty(
                filters=[mapping.FilterProperty(pattern=json.dumps({"eventName": ["INSERT"]}))]
            ),
            function_response_types=["ReportBatchItemFailures"],
            maximum_batching_window_in_seconds=1,
            maximum_record_age_in_seconds=3600,
            parallelization_factor=2,
        )
        return function

    def _send_notification(self) -> lambda_.CfnFunction:
        send_sms = {"Effect": "Allow", "Action": ["sns:Publish"]}
        statements = [
            allow(["kms:Decrypt", "kms:GenerateDataKey"], self.stored.key.attr_arn),
            allow(["dynamodb:UpdateItem"], self.stored.alerts.attr_arn),
            {**send_sms, "NotResource": [Fn.sub("arn:${AWS::Partition}:sns:*:*:*")]},
            allow(["sqs:SendMessage"], self.channels.async_failures.attr_arn),
        ]
        variables = {"TABLE": self.stored.alerts.ref}
        function = self._function("SendNotification", "send_notification", 256, 30, 5, variables, statements)
        self._on_failure("SendNotification", function, 6 * 3600)
        return function

    def _cleanup_history(self) -> lambda_.CfnFunction:
        statements = [
            allow(["kms:Decrypt", "kms:GenerateDataKey"], self.stored.key.attr_arn),
            allow(["dynamodb:DeleteItem", "dynamodb:Query"], self.stored.history.attr_arn),
            allow(["sqs:SendMessage"], self.channels.async_failures.attr_arn),
        ]
        variables = {"TABLE": self.stored.history.ref, "RETENTION_S": RETENTION_S}
        function = self._function("CleanupHistory", "cleanup_history", 256, 300, 2, variables, statements)
        self._on_failure("CleanupHistory", function, 3600)
        return function

    def _schedule(self) -> None:
        failures = self.channels.async_failures.attr_arn
        statements = [
            allow(["lambda:InvokeFunction"], self.cleanup.attr_arn),
            allow(["sqs:SendMessage"], failures),
            allow(["kms:Decrypt", "kms:GenerateDataKey"], self.stored.key.attr_arn),
        ]
        this_account = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        allowed = role(
            self.stack, "CleanupScheduleRole", trust("scheduler.amazonaws.com", Condition=this_account), statements
        )
        schedule = scheduler.CfnSchedule
        schedule(
            self.stack,
            "CleanupSchedule",
            flexible_time_window=schedule.FlexibleTimeWindowProperty(mode="OFF"),
            schedule_expression="rate(1 hour)",
            target=schedule.TargetProperty(
                arn=self.cleanup.attr_arn,
                role_arn=allowed.attr_arn,
                dead_letter_config=schedule.DeadLetterConfigProperty(arn=failures),
                retry_policy=schedule.RetryPolicyProperty(maximum_event_age_in_seconds=3600, maximum_retry_attempts=10),
            ),
        )

    def _function(
        self,
        name: str,
        handler: str,
        memory_mb: int,
        timeout_s: int,
        reserved: int,
        variables: dict[str, str],
        statements: list[dict[str, Any]],
    ) -> lambda_.CfnFunction:
        """A function, its role and its log group. The statements come on top of logging and tracing."""
        group = log_group(self.stack, f"{name}LogGroup", self.stored.key)
        common = [
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], group.attr_arn),
            allow(["xray:PutTelemetryRecords", "xray:PutTraceSegments"], "*"),
        ]
        allowed = role(self.stack, f"{name}Role", trust("lambda.amazonaws.com"), [*common, *statements])
        return lambda_.CfnFunction(
            self.stack,
            f"{name}Function",
            code=lambda_.CfnFunction.CodeProperty(zip_file=(HANDLERS / f"{handler}.py").read_text()),
            handler="index.handler",
            runtime="python3.13",
            architectures=["arm64"],
            memory_size=memory_mb,
            timeout=timeout_s,
            reserved_concurrent_executions=reserved,
            role=allowed.attr_arn,
            environment=lambda_.CfnFunction.EnvironmentProperty(variables=variables),
            kms_key_arn=self.stored.key.attr_arn,
            logging_config=lambda_.CfnFunction.LoggingConfigProperty(log_group=group.ref),
            tracing_config=lambda_.CfnFunction.TracingConfigProperty(mode="Active"),
        )

    def _on_failure(self, name: str, function: lambda_.CfnFunction, max_event_age_s: int) -> None:
        """Two retries, then the queue."""
        config = lambda_.CfnEventInvokeConfig
        config(
            self.stack,
            f"{name}InvokeConfig",
            function_name=function.ref,
            qualifier="$LATEST",
            maximum_event_age_in_seconds=max_event_age_s,
            maximum_retry_attempts=2,
            destination_config=config.DestinationConfigProperty(
                on_failure=config.OnFailureProperty(destination=self.channels.async_failures.attr_arn)
            ),
        )


def log_group(stack: Stack, id: str, key: kms.CfnKey) -> logs.CfnLogGroup:
    """An encrypted log group of 30 days."""
    return logs.CfnLogGroup(stack, id, kms_key_id=key.attr_arn, retention_in_days=30)


def role(stack: Stack, id: str, trust_policy: dict[str, Any], statements: list[dict[str, Any]]) -> iam.CfnRole:
    """A role with one inline policy."""
    document = {"Version": "2012-10-17", "Statement": statements}
    policy = iam.CfnRole.PolicyProperty(policy_name="access", policy_document=document)
    return iam.CfnRole(stack, id, assume_role_policy_document=trust_policy, policies=[policy])


def trust(service: str, **condition: Any) -> dict[str, Any]:
    """Lets a service take the role."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole"], **condition}
    return {"Version": "2012-10-17", "Statement": [statement]}


def allow(actions: list[str], resource: str) -> dict[str, Any]:
    """A statement on one resource."""
    return {"Effect": "Allow", "Action": actions, "Resource": [resource]}
