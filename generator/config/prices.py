"""Prices and usage assumptions: the sections `prices` and `usage` of an environment.

All prices have one source, the AWS Price List: one file per service and Region, which anybody can download. Each
price names its file and usage type. The values come from copies of these files that public repositories quoted
between 2025-10 and 2026-10, of the list of us-west-2 where none of us-east-1 was found. Each is the price of the first
units that are not free, without discounts.
"""

# Annotations stay values: a named tuple compiles each one that is a text, on every start.
from collections.abc import Mapping
from typing import Any, NamedTuple

from generator.aws import ITEM_OVERHEAD_BYTES, MAX_ITEM_BYTES, TRACED_SHARE
from generator.config.fields import declarations, number, whole_number

DATED = "2026-10"
"""The month of the newest copy of the price list that the prices were compared with."""

PRICED_REGION = "us-east-1"
OREGON = "us-west-2"


class PriceEntry(NamedTuple):
    """An entry of the AWS Price List: the code of the service, the usage type, and the Region whose list was read."""

    service: str
    usage_type: str
    region: str

    @property
    def url(self) -> str:
        """The file to download. Source: AWS Billing User Guide, "Getting price list files manually"."""
        return (
            f"https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{self.service}/current/{self.region}/index.json"
        )

    def __str__(self) -> str:
        """Return the entry as Markdown with a link to the file."""
        elsewhere = "" if self.region == PRICED_REGION else f" ({self.region})"
        return f"[{self.service}]({self.url}), `{self.usage_type}`{elsewhere}"


def _usd(default: float, service: str, usage_type: str, region: str = PRICED_REGION) -> Any:
    return {**number(default, 0, 1000), "source": PriceEntry(service, usage_type, region)}


class Prices(NamedTuple):
    """US dollars. For another Region, a discount or newer prices, override what differs."""

    api_request_usd_per_million: float = _usd(3.50, "AmazonApiGateway", "USE1-ApiGatewayRequest")
    lambda_request_usd_per_million: float = _usd(0.20, "AWSLambda", "Request")
    lambda_arm64_usd_per_gb_s: float = _usd(0.0000133334, "AWSLambda", "Lambda-GB-Second-ARM")
    lambda_x86_64_usd_per_gb_s: float = _usd(0.0000166667, "AWSLambda", "Lambda-GB-Second")
    dynamodb_write_usd_per_million: float = _usd(0.625, "AmazonDynamoDB", "WriteRequestUnits")
    dynamodb_read_usd_per_million: float = _usd(0.125, "AmazonDynamoDB", "ReadRequestUnits")
    dynamodb_storage_usd_per_gb_month: float = _usd(0.25, "AmazonDynamoDB", "USW2-TimedStorage-ByteHrs", OREGON)
    dynamodb_backup_usd_per_gb_month: float = _usd(0.20, "AmazonDynamoDB", "USW2-TimedPITRStorage-ByteHrs", OREGON)
    sns_publish_usd_per_million: float = _usd(0.50, "AmazonSNS", "USW2-Requests-Tier1", OREGON)
    schedule_usd_per_million: float = _usd(1.00, "AWSEvents", "USE1-ScheduledInvocation")
    kms_key_usd_per_month: float = _usd(1.00, "awskms", "us-east-1-KMS-Keys")
    kms_request_usd_per_10k: float = _usd(0.03, "awskms", "us-east-1-KMS-Requests")
    secret_usd_per_month: float = _usd(0.40, "AWSSecretsManager", "USE1-AWSSecretsManager-Secrets")
    secret_request_usd_per_10k: float = _usd(0.05, "AWSSecretsManager", "USE1-AWSSecretsManagerAPIRequest")
    log_ingest_usd_per_gb: float = _usd(0.50, "AmazonCloudWatch", "USE1-DataProcessing-Bytes")
    log_storage_usd_per_gb_month: float = _usd(0.03, "AmazonCloudWatch", "TimedStorage-ByteHrs")
    alarm_usd_per_month: float = _usd(0.10, "AmazonCloudWatch", "CW:AlarmMonitorUsage")
    dashboard_usd_per_month: float = _usd(3.00, "AmazonCloudWatch", "DashboardsUsageHour-Basic")
    custom_metric_usd_per_month: float = _usd(0.30, "AmazonCloudWatch", "CW:MetricMonitorUsage")
    trace_usd_per_million: float = _usd(5.00, "AWSXRay", "USW2-XRay-TracesStored", OREGON)


SOURCES: Mapping[str, PriceEntry] = {name: setting["source"] for name, setting in declarations(Prices).items()}
"""The source of each price, by field name."""


class Usage(NamedTuple):
    """Assumptions behind the bill. They err on the high side; override them with measured values."""

    # 365 days x 24 h / 12.
    hours_per_month: int = whole_number(730, 1, 744)
    # One stored price: names and values of its attributes.
    price_item_bytes: int = whole_number(300, 1, MAX_ITEM_BYTES)
    # One stored alert: a phone number, a threshold, the last notification.
    alert_item_bytes: int = whole_number(500, 1, MAX_ITEM_BYTES)
    # DynamoDB adds this to each item that it stores. Source: Amazon DynamoDB Developer Guide, "Item sizes and formats".
    item_overhead_bytes: int = whole_number(ITEM_OVERHEAD_BYTES, 0, 10_000)
    # All alerts in the table, armed or not.
    alerts_stored: int = whole_number(10_000, 0, 1_000_000_000)
    # Share of fired alerts that their owners arm again.
    rearmed_share: float = number(1.0, 0, 1)
    # Share of expired prices that the hourly cleanup deletes, because DynamoDB's time to live, whose deletes are free,
    # has not deleted them within two days.
    cleanup_share: float = number(0.0, 0, 1)
    # Share of invocations that start a new instance; the start is billed too.
    cold_start_share: float = number(0.01, 0, 1)
    # Reads of the signing secret per warm instance: both versions, every five minutes.
    secret_reads_per_environment_h: int = whole_number(24, 0, 100_000)
    # Requests to KMS of each encrypted resource: a data key is reused for five minutes.
    # Source: Amazon SQS Developer Guide, data key reuse period.
    kms_requests_per_resource_h: int = whole_number(12, 0, 1_000_000)
    # Lambda's START, END and REPORT lines, with the trace id.
    log_bytes_per_invocation: int = whole_number(600, 0, 1_000_000)
    # One JSON line per webhook, checked price, notification and cleanup.
    log_bytes_per_record: int = whole_number(400, 0, 1_000_000)
    # API Gateway's access log line per webhook.
    access_log_bytes: int = whole_number(250, 0, 1_000_000)
    # Metrics that the handlers publish: Stored and Fresh; AlertsFired, Stale and FailedRecords; LatencyMs and the eight
    # outcomes of a notification; Unfireable, Overdue and Deleted.
    custom_metrics: int = whole_number(17, 0, 10_000)
    # X-Ray records the first request of each second and this share of the others, at each entry point.
    # Source: AWS X-Ray Developer Guide, "Configuring sampling rules".
    traced_share: float = number(TRACED_SHARE, 0, 1)
