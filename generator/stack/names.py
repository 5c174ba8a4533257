"""Logical ids of resources that other modules refer to, and other names that two modules share."""

from __future__ import annotations

from troposphere import GetAtt

from generator.capacity.sizing import SETTINGS

KEY = "KmsKey"
SIGNING_SECRET = "SigningSecret"  # noqa: S105 - a logical id
PRICE_HISTORY_TABLE = "PriceHistoryTable"
PRICE_ALERTS_TABLE = "PriceAlertsTable"
ALERTS_INDEX = "CryptocurrencyIndex"
STREAM_FAILURE_QUEUE = "StreamFailureQueue"
ASYNC_FAILURE_QUEUE = "AsyncFailureQueue"
NOTIFICATION_TOPIC = "NotificationTopic"
OPERATIONS_TOPIC = "OperationsTopic"
API = "WebhookApi"
API_KEY = "WebhookApiKey"
API_LOGGING_ROLE = "ApiLoggingRole"
SCHEDULE_ROLE = "CleanupScheduleRole"

ENVIRONMENT_SUFFIX = "EnvironmentSuffix"
API_NAME = f"price-alerts-${{{ENVIRONMENT_SUFFIX}}}"
"""Text for Fn::Sub. Metrics identify the API by this name."""

DESCRIPTION = "Serverless cryptocurrency price alert system"
"""Beginning of every template's description, by which a deployed stack is recognized."""

FUNCTIONS = tuple(SETTINGS)


def source(name: str, kind: str) -> str:
    """Return the logical id of a source's resource: trading-view, Method -> TradingViewSourceMethod."""
    return "".join(part.capitalize() for part in name.split("-")) + f"Source{kind}"


def role(function: str) -> str:
    """Return a function's role: ProcessWebhookFunction -> ProcessWebhookRole."""
    return function.removesuffix("Function") + "Role"


def log_group(function: str) -> str:
    """Return a function's log group: ProcessWebhookFunction -> ProcessWebhookLogGroup."""
    return function.removesuffix("Function") + "LogGroup"


def retention(deletion_protection: bool) -> str:
    """Return the deletion policy of the tables and their key. It is the same, because one is useless without the other.

    Without deletion protection, a failed creation leaves nothing behind. CloudFormation cannot delete protected tables.
    Source: AWS CloudFormation User Guide, "DeletionPolicy attribute".
    """
    return "Retain" if deletion_protection else "RetainExceptOnCreate"


def arn(logical_id: str) -> GetAtt:
    """Return a reference to the ARN of a resource."""
    return GetAtt(logical_id, "Arn")
