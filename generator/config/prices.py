"""Prices and usage assumptions: the sections `prices` and `usage` of an environment.

AWS renders its price pages in the browser, so most figures come from pages that quote them; SOURCES lists them. They
are list prices of us-east-1 without free tiers or discounts: verify them before relying on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from generator.aws import ITEM_OVERHEAD_BYTES, MAX_ITEM_BYTES, TRACED_SHARE
from generator.config.fields import number, whole_number

DATED = "2026-11"
"""The month in which the prices were last verified."""

PRICED_REGION = "us-east-1"


def _usd(default: float) -> float:
    price: float = number(default, 0, 1000)
    return price


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars. For another Region, a discount or newer prices, override what differs."""

    api_request_usd_per_million: float = _usd(3.50)
    lambda_request_usd_per_million: float = _usd(0.20)
    lambda_arm64_usd_per_gb_s: float = _usd(0.0000133334)
    lambda_x86_64_usd_per_gb_s: float = _usd(0.0000166667)
    dynamodb_write_usd_per_million: float = _usd(0.625)
    dynamodb_read_usd_per_million: float = _usd(0.125)
    dynamodb_storage_usd_per_gb_month: float = _usd(0.25)
    dynamodb_backup_usd_per_gb_month: float = _usd(0.20)
    sns_publish_usd_per_million: float = _usd(0.50)
    schedule_usd_per_million: float = _usd(1.00)
    kms_key_usd_per_month: float = _usd(1.00)
    kms_request_usd_per_10k: float = _usd(0.03)
    secret_usd_per_month: float = _usd(0.40)
    secret_request_usd_per_10k: float = _usd(0.05)
    log_ingest_usd_per_gb: float = _usd(0.50)
    log_storage_usd_per_gb_month: float = _usd(0.03)
    alarm_usd_per_month: float = _usd(0.10)
    dashboard_usd_per_month: float = _usd(3.00)
    custom_metric_usd_per_month: float = _usd(0.30)
    trace_usd_per_million: float = _usd(5.00)


SOURCES: Mapping[str, str] = {
    "api_request_usd_per_million": "Amazon API Gateway pricing, REST, first 333 million; an AWS whitepaper",
    "lambda_request_usd_per_million": "AWS Lambda pricing; quoted by cloudchipr, 2024",
    "lambda_arm64_usd_per_gb_s": "AWS Lambda pricing, first tier; quoted by cloudchipr, 2024, and others, 2026-05",
    "lambda_x86_64_usd_per_gb_s": "AWS Lambda pricing, first tier; quoted by cloudchipr, 2024, and others, 2026-05",
    "dynamodb_write_usd_per_million": "Amazon DynamoDB on-demand pricing after 2024-11; quoted by airbyte, 2025",
    "dynamodb_read_usd_per_million": "Amazon DynamoDB on-demand pricing after 2024-11; quoted by airbyte, 2025",
    "dynamodb_storage_usd_per_gb_month": "Amazon DynamoDB pricing; an old copy of the page",
    "dynamodb_backup_usd_per_gb_month": "Amazon DynamoDB pricing, point-in-time recovery; quoted in 2020",
    "sns_publish_usd_per_million": "Amazon SNS pricing; quoted by factualminds, 2026-06-13",
    "schedule_usd_per_million": "Amazon EventBridge pricing; remembered, not looked up",
    "kms_key_usd_per_month": "AWS KMS pricing; quoted by cloudburn, 2026-03-14, and factualminds, 2026-06-13",
    "kms_request_usd_per_10k": "AWS KMS pricing; quoted by cloudburn, 2026-03-14, and factualminds, 2026-06-13",
    "secret_usd_per_month": "AWS Secrets Manager pricing; quoted from the page as of 2026-09-20",
    "secret_request_usd_per_10k": "AWS Secrets Manager pricing; quoted from the page as of 2026-09-20",
    "log_ingest_usd_per_gb": "Amazon CloudWatch pricing; quoted by factualminds, 2026-06, and c3x.dev, 2026-06",
    "log_storage_usd_per_gb_month": "Amazon CloudWatch pricing; quoted by c3x.dev, 2026-06",
    "alarm_usd_per_month": "Amazon CloudWatch pricing, standard resolution; remembered, not looked up",
    "dashboard_usd_per_month": "Amazon CloudWatch pricing; quoted by factualminds, 2026-06, and signoz, 2026-02",
    "custom_metric_usd_per_month": "Amazon CloudWatch pricing; quoted by factualminds, 2026-06",
    "trace_usd_per_million": "AWS X-Ray pricing, traces recorded; the page itself, undated copy",
}
"""The source of each price, by field name: the AWS page, and the page that quotes it."""


@dataclass(frozen=True, slots=True)
class Usage:
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
    # Share of expired prices that the hourly cleanup deletes: those that DynamoDB's time to live, whose deletes are
    # free, has left for two days.
    cleanup_share: float = number(0.0, 0, 1)
    # Share of invocations that start a new instance; the start is billed too.
    cold_start_share: float = number(0.01, 0, 1)
    # The handler reads both versions of the secret every five minutes in each warm instance.
    secret_reads_per_environment_h: int = whole_number(24, 0, 100_000)
    # A data key is reused for five minutes. Source: Amazon SQS Developer Guide, data key reuse period.
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
