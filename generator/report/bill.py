"""The monthly bill, item by item, from the environment's prices and what the template uses. No float, no rounding
before the cent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from generator.aws import MIN_FUNCTION_MEMORY_MB, READ_UNIT_BYTES, WRITE_UNIT_BYTES
from generator.capacity.sizing import SETTINGS
from generator.config.prices import Usage
from generator.config.schema import Environment, Function
from generator.report.usage import Load, Template, encrypted, exact, has_recovery, monthly, of_type, properties

CENT = Decimal("0.01")
TABLE, PRICES, ALERTS = "AWS::DynamoDB::Table", "PriceHistoryTable", "PriceAlertsTable"
GB = Decimal(10**9)
PER = {"_per_million": 10**6, "_per_10k": 10**4}


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill; `price` is the name of the price, `unit_usd` what it is per `per` units."""

    service: str
    what: str
    quantity: Decimal
    unit: str
    price: str
    unit_usd: Decimal
    per: int

    @property
    def amount_usd(self) -> Decimal:
        """To the cent."""
        return (self.quantity * self.unit_usd / self.per).quantize(CENT, ROUND_HALF_UP)


Line = tuple[str, str, Decimal, str, str]
"""An item before its price is looked up: service, what, quantity, unit, name of the price."""


def bill(template: Template, environment: Environment, webhooks_per_hour: int | None = None) -> tuple[Item, ...]:
    """A month at a steady rate, the environment's own unless another is given.

    The SMS are an item only when there is a price for them: `prices.sms_usd_per_message` above 0.
    """
    rate = environment.traffic.webhooks_per_hour if webhooks_per_hour is None else webhooks_per_hour
    load = monthly(template, environment, rate)
    return tuple(
        _priced(environment, line)
        for lines in (
            _compute(template, environment, load),
            _data(template, environment, load, rate),
            _messages(environment, load),
            _secrets(template, environment, load),
            _watching(template, environment.usage, environment.retention.log_days, load),
        )
        for line in lines
    )


def total_usd(items: Iterable[Item]) -> Decimal:
    """The sum of the items as shown."""
    return sum((item.amount_usd for item in items), Decimal("0.00"))


def _priced(environment: Environment, line: Line) -> Item:
    price = line[-1]
    per = next((count for ending, count in PER.items() if price.endswith(ending)), 1)
    return Item(*line, unit_usd=exact(getattr(environment.prices, price)), per=per)


def _compute(template: Template, environment: Environment, load: Load) -> Iterator[Line]:
    yield "API Gateway", "webhooks", load.webhooks, "requests", "api_request_usd_per_million"
    requests = sum(load.runs.values(), Decimal(0))
    yield "Lambda", "invocations of all functions", requests, "requests", "lambda_request_usd_per_million"
    for name, runs in load.runs.items():
        resource = properties(template, name)
        memory_gb = Decimal(resource.get("MemorySize", MIN_FUNCTION_MEMORY_MB)) / 1024
        processor = resource.get("Architectures", ["x86_64"])[0]
        gb_s = runs * _billed_s(getattr(environment.functions, SETTINGS[name]), environment.usage) * memory_gb
        yield f"Lambda {processor}", name, gb_s, "GB-s", f"lambda_{processor}_usd_per_gb_s"


def _billed_s(function: Function, usage: Usage) -> Decimal:
    """Starting an execution environment is billed as well."""
    return (exact(function.mean_duration_ms) + exact(usage.cold_start_share) * exact(function.cold_start_ms)) / 1000


def _data(template: Template, environment: Environment, load: Load, rate: int) -> Iterator[Line]:
    usage, retention = environment.usage, environment.retention
    price_writes, alert_writes = (1 + _indexes(template, name) for name in (PRICES, ALERTS))
    price_units, alert_units = (_units(size) for size in (usage.price_item_bytes, usage.alert_item_bytes))
    stored = load.webhooks * price_units * price_writes
    yield "DynamoDB", "prices stored", stored, "writes", "dynamodb_write_usd_per_million"
    cleaned = stored * exact(usage.cleanup_share)
    yield "DynamoDB", "expired prices deleted by the hour", cleaned, "writes", "dynamodb_write_usd_per_million"
    # Claimed and recorded in the table; disarmed, and armed again, in the table and its index.
    per_alert = 2 + (1 + exact(usage.rearmed_share)) * alert_writes
    fired = load.alerts * per_alert * alert_units
    yield (
        "DynamoDB",
        f"alerts fired, {float(per_alert):g} writes each",
        fired,
        "writes",
        "dynamodb_write_usd_per_million",
    )
    # An eventually consistent query reads half a unit or more: two directions, the alerts found fit in it.
    yield "DynamoDB", "queries for alerts, two per price", load.webhooks, "reads", "dynamodb_read_usd_per_million"
    scanned = load.webhooks * usage.price_item_bytes / READ_UNIT_BYTES / 2
    yield "DynamoDB", "queries for expired prices", scanned, "reads", "dynamodb_read_usd_per_million"
    prices = Decimal(rate) * 24 * retention.price_history_days * (usage.price_item_bytes + usage.item_overhead_bytes)
    alerts = usage.alerts_stored * (usage.alert_item_bytes + usage.item_overhead_bytes)
    stored_gb = (prices * price_writes + alerts * alert_writes) / GB
    yield "DynamoDB", "tables and index", stored_gb, "GB-month", "dynamodb_storage_usd_per_gb_month"
    backed_up = [size for name, size in ((PRICES, prices), (ALERTS, alerts)) if _is_backed_up(template, name)]
    if backed_up:
        backed_up_gb = sum(backed_up, Decimal(0)) / GB
        yield "DynamoDB", "point-in-time recovery", backed_up_gb, "GB-month", "dynamodb_backup_usd_per_gb_month"


def _messages(environment: Environment, load: Load) -> Iterator[Line]:
    yield "SNS", "alerts published", load.alerts, "requests", "sns_publish_usd_per_million"
    if environment.prices.sms_usd_per_message:
        yield "SNS", "SMS, one part each", load.alerts, "messages", "sms_usd_per_message"
    yield "EventBridge", "hourly schedule", load.cleanups, "invocations", "schedule_usd_per_million"


def _secrets(template: Template, environment: Environment, load: Load) -> Iterator[Line]:
    usage = environment.usage
    keys, secrets = (Decimal(len(of_type(template, kind))) for kind in ("AWS::KMS::Key", "AWS::SecretsManager::Secret"))
    by_resource = load.hours * encrypted(template) * usage.kms_requests_per_resource_h
    starts = sum(load.runs.values(), Decimal(0)) * exact(usage.cold_start_share)
    yield "KMS", "keys", keys, "each", "kms_key_usd_per_month"
    yield (
        "KMS",
        "data keys and decryption",
        by_resource + starts + load.secret_reads,
        "requests",
        "kms_request_usd_per_10k",
    )
    yield "Secrets Manager", "secrets", secrets, "each", "secret_usd_per_month"
    yield "Secrets Manager", "reads of the secret", load.secret_reads, "requests", "secret_request_usd_per_10k"


def _watching(template: Template, usage: Usage, log_days: int, load: Load) -> Iterator[Line]:
    runs = sum(load.runs.values(), Decimal(0))
    # One record for each webhook and for each price checked, each notification and each cleanup.
    records = 2 * load.webhooks + load.alerts + load.cleanups
    written = runs * usage.log_bytes_per_invocation + records * usage.log_bytes_per_record
    logged_gb = (written + load.webhooks * usage.access_log_bytes) / GB
    kept_gb = logged_gb * log_days * 24 / load.hours
    alarms, dashboards = (len(of_type(template, f"AWS::CloudWatch::{kind}")) for kind in ("Alarm", "Dashboard"))
    yield "CloudWatch", "logs written", logged_gb, "GB", "log_ingest_usd_per_gb"
    yield "CloudWatch", f"logs kept {log_days} days", kept_gb, "GB-month", "log_storage_usd_per_gb_month"
    yield "CloudWatch", "alarms", Decimal(alarms), "each", "alarm_usd_per_month"
    yield "CloudWatch", "dashboard", Decimal(dashboards), "each", "dashboard_usd_per_month"
    yield "CloudWatch", "custom metrics", Decimal(usage.custom_metrics), "each", "custom_metric_usd_per_month"
    yield "X-Ray", "traces recorded", load.traces, "traces", "trace_usd_per_million"


def _indexes(template: Template, table: str) -> int:
    """How many copies of an item there are beside the table's own."""
    return len(of_type(template, TABLE).get(table, {}).get("GlobalSecondaryIndexes", []))


def _is_backed_up(template: Template, table: str) -> bool:
    return has_recovery(of_type(template, TABLE).get(table, {}))


def _units(size_bytes: int) -> int:
    """What one write of an item takes; a conditional write costs the same, refused or not."""
    return math.ceil(size_bytes / WRITE_UNIT_BYTES)
