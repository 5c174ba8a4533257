"""The monthly bill, item by item, from the environment's prices and the template's usage.

All arithmetic is decimal, and only the amounts are rounded, to the cent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from generator._format import number
from generator.aws import MIN_FUNCTION_MEMORY_MB, READ_UNIT_BYTES, WRITE_UNIT_BYTES
from generator.capacity.sizing import SETTINGS
from generator.config.schema import Environment
from generator.report.monthly_usage import MonthlyUsage, count_encrypted, exact, monthly_usage
from generator.report.resources import has_recovery
from generator.template.model import Template

CENT = Decimal("0.01")
PRICES, ALERTS = "PriceHistoryTable", "PriceAlertsTable"
GB = Decimal(10**9)
SMS_PRICE = "price_usd_per_message"
UNITS_PER_PRICE = {"_per_million": 10**6, "_per_10k": 10**4}
"""Suffixes of price names, and the number of units that such a price buys."""

NUMERIC_PROPERTIES = (
    "MemorySize",
    "ReservedConcurrentExecutions",
    "BatchSize",
    "ParallelizationFactor",
    "MaximumBatchingWindowInSeconds",
)
"""Properties that enter the calculation, so they must be numbers and not references."""


class Item(NamedTuple):
    """One line of the bill. `price` names the price, and `unit_usd` is the price of `per` units."""

    service: str
    label: str
    quantity: Decimal
    unit: str
    price: str
    unit_usd: Decimal
    per: int

    @property
    def amount_usd(self) -> Decimal:
        """The amount, rounded to the cent."""
        return (self.quantity * self.unit_usd / self.per).quantize(CENT, ROUND_HALF_UP)


Unpriced = tuple[str, str, Decimal, str, str]
"""An item before its price is looked up: service, label, quantity, unit, name of the price."""


def has_bill(template: Template) -> bool:
    """Return whether `bill` can price a template: the four functions, one stream, and numbers instead of references."""
    if not SETTINGS.keys() <= template.resources.keys():
        return False
    functions = [template.properties(name) for name in SETTINGS]
    mappings = list(template.properties_of("AWS::Lambda::EventSourceMapping").values())
    figures = [properties.get(name, 1) for properties in (*functions, *mappings) for name in NUMERIC_PROPERTIES]
    return (
        len(mappings) == 1
        and all(str(figure).isdecimal() for figure in figures)
        and all(properties.get("Architectures", ["x86_64"]) in (["arm64"], ["x86_64"]) for properties in functions)
    )


def bill(template: Template, environment: Environment, webhooks_per_hour: int | None = None) -> tuple[Item, ...]:
    """Return the bill of a month at a steady rate, by default the environment's own.

    SMS are an item only if they have a price: `sms.price_usd_per_message`.
    """
    rate = environment.traffic.webhooks_per_hour if webhooks_per_hour is None else webhooks_per_hour
    month = monthly_usage(template, environment, rate)
    parts = (_compute, _data, _messages, _secrets, _monitoring)
    return tuple(_priced(environment, item) for part in parts for item in part(template, environment, month))


def total_usd(items: Iterable[Item]) -> Decimal:
    """Return the sum of the rounded amounts, so that the bill adds up as printed."""
    return sum((item.amount_usd for item in items), Decimal("0.00"))


def _priced(environment: Environment, item: Unpriced) -> Item:
    price = item[-1]
    per = next((count for ending, count in UNITS_PER_PRICE.items() if price.endswith(ending)), 1)
    section = environment.sms if price == SMS_PRICE else environment.prices
    return Item(*item, unit_usd=exact(getattr(section, price)), per=per)


def _compute(template: Template, environment: Environment, month: MonthlyUsage) -> Iterator[Unpriced]:
    yield "API Gateway", "webhooks", month.webhooks, "requests", "api_request_usd_per_million"
    yield (
        "Lambda",
        "invocations of all functions",
        month.all_invocations,
        "requests",
        "lambda_request_usd_per_million",
    )
    for name, invocations in month.invocations.items():
        resource = template.properties(name)
        memory_gb = Decimal(resource.get("MemorySize", MIN_FUNCTION_MEMORY_MB)) / 1024
        processor = resource.get("Architectures", ["x86_64"])[0]
        function = getattr(environment.functions, SETTINGS[name])
        cold_starts = exact(environment.usage.cold_start_share)  # They are billed as well.
        billed_s = (exact(function.mean_duration_ms) + cold_starts * exact(function.cold_start_ms)) / 1000
        gb_s = invocations * billed_s * memory_gb
        yield f"Lambda {processor}", name, gb_s, "GB-s", f"lambda_{processor}_usd_per_gb_s"


def _data(template: Template, environment: Environment, month: MonthlyUsage) -> Iterator[Unpriced]:
    usage, retention = environment.usage, environment.retention
    tables = [template.properties(name) for name in (PRICES, ALERTS)]
    # Each index stores a copy of every item. A conditional write that fails costs the same.
    price_writes, alert_writes = (1 + len(table.get("GlobalSecondaryIndexes", [])) for table in tables)
    sizes_bytes = usage.price_item_bytes, usage.alert_item_bytes
    price_units, alert_units = (math.ceil(size_bytes / WRITE_UNIT_BYTES) for size_bytes in sizes_bytes)
    stored = month.webhooks * price_units * price_writes
    yield "DynamoDB", "prices stored", stored, "writes", "dynamodb_write_usd_per_million"
    deleted = stored * exact(usage.cleanup_share)
    yield "DynamoDB", "overdue prices deleted hourly", deleted, "writes", "dynamodb_write_usd_per_million"
    # Claiming and recording write to the table, disarming and re-arming to the table and its index.
    per_alert = 2 + (1 + exact(usage.rearmed_share)) * alert_writes
    label = f"alerts fired, {number(per_alert)} writes each"
    yield "DynamoDB", label, month.alerts * per_alert * alert_units, "writes", "dynamodb_write_usd_per_million"
    # Each of the two queries per price, one per direction, is eventually consistent and reads half a unit.
    yield "DynamoDB", "queries for alerts, two per price", month.webhooks, "reads", "dynamodb_read_usd_per_million"
    reread = month.alerts * math.ceil(usage.alert_item_bytes / READ_UNIT_BYTES)
    yield "DynamoDB", "alerts read again before they fire", reread, "reads", "dynamodb_read_usd_per_million"
    counted = month.cleanups * usage.alerts_stored * usage.alert_item_bytes / READ_UNIT_BYTES / 2
    yield "DynamoDB", "scans for alerts that cannot fire", counted, "reads", "dynamodb_read_usd_per_million"
    scanned = month.webhooks * exact(usage.cleanup_share) * usage.price_item_bytes / READ_UNIT_BYTES / 2
    yield "DynamoDB", "queries for overdue prices", scanned, "reads", "dynamodb_read_usd_per_million"
    kept = month.webhooks / month.hours * 24 * retention.price_history_days
    prices = kept * (usage.price_item_bytes + usage.item_overhead_bytes)
    alerts = usage.alerts_stored * (usage.alert_item_bytes + usage.item_overhead_bytes)
    stored_gb = (prices * price_writes + alerts * alert_writes) / GB
    yield "DynamoDB", "tables and index", stored_gb, "GB-month", "dynamodb_storage_usd_per_gb_month"
    sizes = ((tables[0], prices), (tables[1], alerts))
    backed_up = [size for table, size in sizes if has_recovery(table)]
    if backed_up:
        backed_up_gb = sum(backed_up, Decimal(0)) / GB
        yield "DynamoDB", "point-in-time recovery", backed_up_gb, "GB-month", "dynamodb_backup_usd_per_gb_month"


def _messages(_template: Template, environment: Environment, month: MonthlyUsage) -> Iterator[Unpriced]:
    yield "SNS", "alerts published", month.alerts, "requests", "sns_publish_usd_per_million"
    if environment.sms.price_usd_per_message:
        yield "SNS", "SMS, one part each", month.alerts, "messages", SMS_PRICE
    yield "EventBridge", "hourly schedule", month.cleanups, "invocations", "schedule_usd_per_million"


def _secrets(template: Template, environment: Environment, month: MonthlyUsage) -> Iterator[Unpriced]:
    usage = environment.usage
    keys, secrets = (Decimal(len(template.of_type(kind))) for kind in ("AWS::KMS::Key", "AWS::SecretsManager::Secret"))
    by_resources = month.hours * count_encrypted(template) * usage.kms_requests_per_resource_h
    cold_starts = month.all_invocations * exact(usage.cold_start_share)
    requests = by_resources + cold_starts + month.secret_reads
    yield "KMS", "keys", keys, "each", "kms_key_usd_per_month"
    yield "KMS", "data keys and decryption", requests, "requests", "kms_request_usd_per_10k"
    yield "Secrets Manager", "secrets", secrets, "each", "secret_usd_per_month"
    yield "Secrets Manager", "secret reads", month.secret_reads, "requests", "secret_request_usd_per_10k"


def _monitoring(template: Template, environment: Environment, month: MonthlyUsage) -> Iterator[Unpriced]:
    usage, log_days = environment.usage, environment.retention.log_days
    # Two records per webhook, when it is stored and when it is checked, and one per notification and cleanup.
    records = 2 * month.webhooks + month.alerts + month.cleanups
    written = month.all_invocations * usage.log_bytes_per_invocation + records * usage.log_bytes_per_record
    logged_gb = (written + month.webhooks * usage.access_log_bytes) / GB
    kept_gb = logged_gb * log_days * 24 / month.hours
    alarms, dashboards = (len(template.of_type(f"AWS::CloudWatch::{kind}")) for kind in ("Alarm", "Dashboard"))
    yield "CloudWatch", "logs written", logged_gb, "GB", "log_ingest_usd_per_gb"
    yield "CloudWatch", f"logs kept {log_days} days", kept_gb, "GB-month", "log_storage_usd_per_gb_month"
    yield "CloudWatch", "alarms", Decimal(alarms), "each", "alarm_usd_per_month"
    yield "CloudWatch", "dashboard", Decimal(dashboards), "each", "dashboard_usd_per_month"
    yield "CloudWatch", "custom metrics", Decimal(usage.custom_metrics), "each", "custom_metric_usd_per_month"
    yield "X-Ray", "traces recorded", month.traces, "traces", "trace_usd_per_million"
