"""The bill matches a calculation by hand to the cent, and the page shows every assumption and price."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from generator.config.prices import SOURCES, Prices, Usage
from generator.report.bill import total_usd
from tests.conftest import ENVIRONMENTS
from tests.report.conftest import judged
from tests.report.documents import bill, count_encrypted, monthly_usage, page
from tests.stack.model import TEMPLATES

# 14,400 an hour are 4 a second: one on each of four lanes, so in a window of a second a batch of two.
MADE_FOR_MENTAL_ARITHMETIC = (
    *("traffic.webhooks_per_hour=14400", "traffic.alerts_per_webhook=0.05", "stream.shards=4"),
    *("functions.process_webhook.mean_duration_ms=94", "functions.check_alerts.mean_duration_ms=194"),
    *("functions.send_notification.mean_duration_ms=294", "functions.cleanup_history.mean_duration_ms=1994"),
    *("usage.hours_per_month=500", "usage.price_item_bytes=300", "usage.alert_item_bytes=1500"),
    *("sms.price_usd_per_message=0.01", "retention.price_history_days=10", "retention.log_days=30"),
)


def test_the_bill_matches_a_calculation_by_hand(template: dict[str, Any]) -> None:
    """Quantities and amounts were calculated on paper: 500 hours of 14,400 webhooks are 7.2 million."""
    environment = judged("dev", *MADE_FOR_MENTAL_ARITHMETIC).environment
    lines = [(item.label, item.quantity, item.amount_usd) for item in bill(template, environment)]
    expected = [
        # 7.2 million x 3.50
        ("webhooks", "7200000", "25.20"),
        # 7.2 million webhooks + 3.6 million batches + 0.36 million alerts + 500 cleanups, x 0.20
        ("invocations of all functions", "11160500", "2.23"),
        # 94 ms + 1 % of a start of 600 ms = 0.1 s; x 7.2 million x 1 GB x 0.0000133334 = 9.600048
        ("ProcessWebhookFunction", "720000", "9.60"),
        # 3.6 million x 0.2 s x 0.5 GB = 360,000; 4.800024
        ("CheckAlertsFunction", "360000", "4.80"),
        # 360,000 x 0.3 s x 0.25 GB = 27,000; 0.3600018
        ("SendNotificationFunction", "27000", "0.36"),
        # 500 x 2 s x 0.25 GB = 250; 0.0033
        ("CleanupHistoryFunction", "250", "0.00"),
        # 7.2 million x 0.625
        ("prices stored", "7200000", "4.50"),
        # Time to live deletes them free of charge.
        ("overdue prices deleted hourly", "0", "0.00"),
        # 360,000 alerts x 6 writes (disarm 2, arm 2, claim, record) x 2 units of 1 KB = 4.32 million x 0.625
        ("alerts fired, 6 writes each", "4320000", "2.70"),
        # 7.2 million x 2 queries x half a unit x 0.125
        ("queries for alerts, two per price", "7200000", "0.90"),
        # 360,000 alerts x one unit of 4 KB x 0.125
        ("alerts read again before they fire", "360000", "0.05"),
        # 500 x 10,000 alerts x 1,500 bytes / 4096 / 2 = 915,527.34375; x 0.125 / million = 0.1144
        ("scans for alerts that cannot fire", "915527.34375", "0.11"),
        ("queries for overdue prices", "0", "0.00"),
        # 14,400 x 240 h x 400 bytes = 1.3824 GB, + 10,000 x 1,600 bytes x 2 = 0.032 GB; x 0.25 = 0.3536
        ("tables and index", "1.4144", "0.35"),
        # 1.3824 + 0.016 = 1.3984; x 0.20 = 0.27968
        ("point-in-time recovery", "1.3984", "0.28"),
        # 360,000 x 0.50 / million
        ("alerts published", "360000", "0.18"),
        ("SMS, one part each", "360000", "3600.00"),
        ("hourly schedule", "500", "0.00"),
        ("keys", "1", "1.00"),
        # 1 resource x 12 x 500 = 6,000; 1 % of 11,160,500 starts = 111,605; 60,000 reads; x 0.03 / 10,000 = 0.5328
        ("data keys and decryption", "177605", "0.53"),
        ("secrets", "1", "0.40"),
        # 5 environments x 24 x 500 h; x 0.05 / 10,000
        ("secret reads", "60000", "0.30"),
        # 11,160,500 x 600 + (14.4 million + 360,000 + 500) x 400 + 7.2 million x 250 bytes
        ("logs written", "14.4005", "7.20"),
        # 14.4005 GB x 720 h / 500 h = 20.73672; x 0.03 = 0.6221
        ("logs kept 30 days", "20.73672", "0.62"),
        ("alarms", "2", "0.20"),
        ("dashboard", "1", "3.00"),
        ("custom metrics", "17", "5.10"),
        # An hour: webhooks 3,600 + 5 % of 10,800; batches 3,600 + 5 % of 3,600; alerts 720; 1. x 500 x 5.00 / million
        ("traces recorded", "4320500", "21.60"),
    ]
    assert lines == [(what, Decimal(quantity), Decimal(amount)) for what, quantity, amount in expected]
    assert total_usd(bill(template, environment)) == Decimal("3691.21")


def test_without_a_price_sms_are_not_billed_and_the_page_warns(template: dict[str, Any]) -> None:
    one = judged("prod")
    assert not [item for item in bill(template, one.environment) if "SMS" in item.label]
    text = page(TEMPLATES["prod"], one)
    assert (
        "| Monthly cost | **358.44 USD without SMS**; set `sms.price_usd_per_message` for 1,825,000 SMS a month |"
        in text
    )
    assert "**Not included:** SMS, whose price depends on country and carrier" in text
    priced = page(TEMPLATES["prod"], judged("prod", "sms.price_usd_per_message=0.01"))
    assert "| Monthly cost | **18,608.44 USD with SMS** |" in priced
    assert "**Not included:** free tiers" in priced
    assert "| SNS | SMS, one part each | 1,825,000 | messages | 0.01 | 18,250.00 | 36.50 |" in priced


def test_the_own_rate_and_the_lowest_rate_have_the_same_items() -> None:
    environment = judged("prod").environment
    low, own = (bill(TEMPLATES["prod"], environment, rate) for rate in (100, None))
    assert [item.label for item in low] == [item.label for item in own]
    assert all(less.amount_usd <= more.amount_usd for less, more in zip(low, own, strict=True))
    assert monthly_usage(TEMPLATES["prod"], environment, 100).webhooks == 73_000


def test_a_mean_batch_has_from_one_price_to_the_batch_size(template: dict[str, Any]) -> None:
    environment = judged("dev").environment
    for rate, batches in ((100, 73_000 / (1 + 100 / 3600 / 4)), (50_000, 50_000 * 730 / (1 + 50_000 / 3600 / 4))):
        assert float(monthly_usage(template, environment, rate).batches) == pytest.approx(batches)
    template["Resources"]["Mapping"]["Properties"]["MaximumBatchingWindowInSeconds"] = 300
    assert monthly_usage(template, environment, 50_000).batches == 50_000 * 73


def test_without_a_reservation_the_peak_concurrency_reads_the_secret(template: dict[str, Any]) -> None:
    del template["Resources"]["ProcessWebhookFunction"]["Properties"]["ReservedConcurrentExecutions"]
    environment = judged("prod").environment
    assert monthly_usage(template, environment, 50_000).secret_reads == 8 * 24 * 730


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_price_and_assumption_is_on_the_page(name: str) -> None:
    text = page(TEMPLATES[name], judged(name))
    for kind, section in ((Prices, "prices"), (Usage, "usage")):
        for name_ in kind._fields:
            assert f"| {section}.{name_} | " in text
    for source in SOURCES.values():
        assert str(source) in text
        assert source.url.startswith("https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/")


def test_every_price_has_a_source_and_is_used() -> None:
    assert SOURCES.keys() == set(Prices._fields)
    one = judged("dev", "sms.price_usd_per_message=0.01").environment
    used = {item.price for item in bill(TEMPLATES["dev"], one)}
    assert SOURCES.keys() ^ used == {"lambda_x86_64_usd_per_gb_s", "price_usd_per_message"}


def test_an_overridden_price_is_marked_and_used() -> None:
    text = page(TEMPLATES["prod"], judged("prod", "prices.trace_usd_per_million=0"))
    assert "| prices.trace_usd_per_million | 0 | set by this environment |" in text
    assert "| X-Ray | traces recorded | 9,310,935 | traces | 0.00/million | 0.00 | 0.00 |" in text


@pytest.mark.parametrize("field", Usage._fields)
def test_every_assumption_changes_the_total(field: str) -> None:
    plain, changed = judged("prod"), None
    value = getattr(plain.environment.usage, field)
    other = 0.5 if isinstance(value, float) else value * 100 if field != "hours_per_month" else 700
    if field == "item_overhead_bytes":
        other = 10_000
    changed = judged("prod", f"usage.{field}={other}")
    totals = [total_usd(bill(TEMPLATES["prod"], one.environment)) for one in (plain, changed)]
    assert totals[0] != totals[1]


def test_cleanup_leaves_deletions_to_time_to_live_and_saves_22_usd_a_month_at_prod() -> None:
    plain, eager = judged("prod"), judged("prod", "usage.cleanup_share=1.0")
    totals = [total_usd(bill(TEMPLATES["prod"], one.environment)) for one in (plain, eager)]
    assert Decimal(22) < totals[1] - totals[0] < Decimal(24)


def test_few_webhooks_read_the_secret_at_most_twice_each(template: dict[str, Any]) -> None:
    environment = judged("dev").environment
    assert [monthly_usage(template, environment, rate).secret_reads / 730 for rate in (50, 60, 100)] == [100, 120, 120]


def test_the_processor_of_the_template_is_priced(template: dict[str, Any]) -> None:
    template["Resources"]["CheckAlertsFunction"]["Properties"]["Architectures"] = ["x86_64"]
    prices = {item.label: item.price for item in bill(template, judged("dev").environment)}
    assert prices["CheckAlertsFunction"] == "lambda_x86_64_usd_per_gb_s"
    assert prices["SendNotificationFunction"] == "lambda_arm64_usd_per_gb_s"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_everything_with_data_in_it_is_counted_as_encrypted(name: str) -> None:
    """Four functions with their logs, the access log, two tables, two topics, two queues and the secret."""
    assert count_encrypted(TEMPLATES[name]) == 4 + 4 + 1 + 2 + 2 + 2 + 1


def test_the_page_warns_that_prices_in_another_region_differ() -> None:
    elsewhere = page(TEMPLATES["dev"], judged("dev", "region=eu-central-1"))
    assert "Prices in eu-central-1 differ." in elsewhere
    assert "USD without SMS, at prices of us-east-1**; set" in elsewhere


@pytest.mark.parametrize(
    ("change", "differ"),
    [
        (
            {"GlobalSecondaryIndexes": [{}]},
            {
                "prices stored": 2,
                "overdue prices deleted hourly": 2,
                "tables and index": (2 * 1.3824 + 0.032) / 1.4144,
            },
        ),
        (
            {"PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False}},
            {"point-in-time recovery": 0.016 / 1.3984},
        ),
        ({"PointInTimeRecoverySpecification": None}, {"point-in-time recovery": 0.016 / 1.3984}),
    ],
)
def test_each_table_is_charged_for_what_it_has(
    template: dict[str, Any], change: dict[str, Any], differ: dict[str, float]
) -> None:
    """An index or a backup of the price table changes no item of the alerts table."""
    environment = judged("dev", *MADE_FOR_MENTAL_ARITHMETIC, "usage.cleanup_share=1.0").environment
    old = {item.label: item.quantity for item in bill(template, environment)}
    table = {**template["Resources"]["PriceHistoryTable"]["Properties"], **change}
    table = {key: value for key, value in table.items() if value is not None}
    template["Resources"]["PriceHistoryTable"]["Properties"] = table
    new = {item.label: item.quantity for item in bill(template, environment)}
    assert {what: float(new[what] / old[what]) for what in old if new[what] != old[what]} == pytest.approx(differ)


def test_recovery_that_is_off_is_neither_billed_nor_on_the_page() -> None:
    template = copy.deepcopy(TEMPLATES["prod"])
    for name in ("PriceHistoryTable", "PriceAlertsTable"):
        recovery = template["Resources"][name]["Properties"]["PointInTimeRecoverySpecification"]
        recovery["PointInTimeRecoveryEnabled"] = "false"
    one = judged("prod")
    assert "point-in-time recovery" in {item.label for item in bill(TEMPLATES["prod"], one.environment)}
    assert "point-in-time recovery" not in {item.label for item in bill(template, one.environment)}
    kept = [line for line in page(template, one).splitlines() if line.startswith("| Price") and "| kept |" in line]
    assert len(kept) == 2
    assert not [line for line in kept if "point-in-time recovery" in line]
