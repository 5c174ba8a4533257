"""The page's section on cost: the total by service, every item at two rates, every assumption, and every price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from generator._format import code, markdown_details, markdown_table, number, significant, usd
from generator.capacity import sms
from generator.config.fields import declarations
from generator.config.prices import DATED, PRICED_REGION, SOURCES, Prices
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment
from generator.report.bill import CENT, SMS_PRICE, Item, bill, total_usd
from generator.report.monthly_usage import monthly_usage
from generator.template.model import Template

LOWEST_RATE, _ = WEBHOOKS_PER_HOUR
"""The bill at the lowest supported rate shows what an almost idle stack costs."""

NOT_INCLUDED = (
    "free tiers and discounts; taxes; data transfer out of AWS; alarm e-mails; log queries; older versions of a "
    "rotated key; updates of the symbol list; failures, repeated deliveries and messages in the failure queues"
)

CONVENTIONS = (
    "All hours are alike: the sizing follows the peak rate, the bill follows the mean rate.",
    "A GB of data is 10^9 bytes; a GB of memory is 1,024 MB.",
    "Prices spread evenly over the stream's lanes, and every batch takes as long as a full one.",
    "Every cleanup takes its configured duration, however many prices it deletes.",
    "A write costs one unit per started KB. A conditional write costs the same whether or not its condition holds.",
    "A query for alerts returns at most 4 KB. Lambda reads the table's stream free of charge.",
    "Disarming and re-arming an alert writes to the table and its index; claiming and recording it writes to the table "
    "only.",
    "Each alert is published by itself, in at most 64 KB, and sent as an SMS of one part. Delivery to Lambda is free.",
    "Each reserved execution of ProcessWebhook is a warm instance that reads the secret, at most twice per webhook.",
    "KMS requests: those per encrypted resource listed above, one per cold start, and one per read of the secret.",
    "X-Ray samples webhooks, batches, notifications and cleanups independently.",
)
"""Assumptions that no setting changes."""


def cost_lines(template: Template, environment: Environment, items: Sequence[Item]) -> list[str]:
    """Return the section: the total by service, items not included, SMS, and folded tables of all items and prices.

    `items` are the bill at the environment's own rate.
    """
    rate = environment.traffic.webhooks_per_hour
    bills = {rate: items, LOWEST_RATE: bill(template, environment, LOWEST_RATE)}
    assumptions = [
        *markdown_table(("Setting", "Value"), _assumptions(environment), right=[1]),
        "",
        *(f"- {line}" for line in CONVENTIONS),
    ]
    prices = [
        f"AWS Price List of {PRICED_REGION} as of {DATED}, read from public copies. Compare the prices with the linked "
        "files before you rely on the total. Entries of another Region name it.",
        "",
        *markdown_table(("Setting", "USD", "Entry in the AWS Price List"), _prices(environment.prices), right=[1]),
    ]
    elsewhere = "" if environment.region == PRICED_REGION else f" **Prices in {environment.region} differ.**"
    sums = ", ".join(f"{service} {amount:,}" for service, amount in by_service(bills[rate]))
    return [
        f"**{usd(total_usd(bills[rate]))}** a month at a steady {rate:,} webhooks per hour: {sums}.{elsewhere}",
        "",
        f"**Not included:** {'; '.join([*_not_included(template, environment), NOT_INCLUDED])}.",
        "",
        *_sms(environment),
        "",
        *markdown_details(f"Every item, also at {LOWEST_RATE:,} webhooks per hour", _items(bills)),
        "",
        *markdown_details("Assumptions; override any of them in the environment file", assumptions),
        "",
        *markdown_details("Prices and their sources; override any of them under [prices]", prices),
    ]


def cost_line(environment: Environment, items: Sequence[Item]) -> str:
    """Return the total of a month, and whether it includes SMS."""
    total = usd(total_usd(items))
    prices = "" if environment.region == PRICED_REGION else f", at prices of {PRICED_REGION}"
    if environment.sms.price_usd_per_message is not None:
        return f"**{total} with SMS{prices}**"
    per_month = sms.per_hour(environment) * environment.usage.hours_per_month
    return f"**{total} without SMS{prices}**; set {code(f'sms.{SMS_PRICE}')} for {per_month:,.0f} SMS a month"


def by_service(items: Sequence[Item]) -> list[tuple[str, Decimal]]:
    """Return the sum of each service, the largest first; SMS are a service of their own."""
    sums: dict[str, Decimal] = {}
    for item in items:
        service = "SMS" if item.price == SMS_PRICE else item.service.removesuffix(" arm64").removesuffix(" x86_64")
        sums[service] = sums.get(service, Decimal(0)) + item.amount_usd
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))


def _items(bills: Mapping[int, Sequence[Item]]) -> list[str]:
    _, *others = bills
    header = ("Service", "Item", "Per month", "Unit", "Price", "USD", *(f"at {rate:,}/h" for rate in others))
    rows = [(*_row(items[0]), *map(_amount, items)) for items in zip(*bills.values(), strict=True)]
    reserved = ("Lambda", "reserved concurrency", "", "", "no charge", *("0.00" for _ in bills))
    totals = (f"**{total_usd(items):,}**" for items in bills.values())
    amounts = range(5, 5 + len(bills))
    return markdown_table(header, [*rows, reserved, ("**Total**", "", "", "", "", *totals)], right=(2, *amounts))


def _row(item: Item) -> tuple[str, str, str, str, str]:
    per = {10**6: "/million", 10**4: "/10,000", 1: ""}[item.per]
    quantity = f"{item.quantity:,.0f}" if item.quantity >= 100 else significant(float(item.quantity))
    at_least_cents = max(f"{item.unit_usd:f}", f"{item.unit_usd.quantize(CENT):f}", key=len)
    return item.service, item.label, quantity, item.unit, at_least_cents + per


def _amount(item: Item) -> str:
    amount = item.amount_usd
    return "<0.01" if not amount and item.quantity * item.unit_usd else f"{amount:,}"


def _not_included(template: Template, environment: Environment) -> Iterator[str]:
    if environment.sms.price_usd_per_message is None:
        yield "SMS, whose price depends on country and carrier and can exceed everything else"
    billed = monthly_usage(template, environment, LOWEST_RATE).invocations
    for name in template.properties_of("AWS::Lambda::Function"):
        if name not in billed:
            yield f"**{name}** (add its invocations per month to `generator/report/monthly_usage.py`)"


def _sms(environment: Environment) -> Iterator[str]:
    yield (
        "AWS stops sending SMS at the account's monthly spending limit; the alarm assumes a limit of "
        f"{usd(environment.sms.monthly_budget_usd)} (`sms.monthly_budget_usd`). SMS {sms.volume(environment)}:"
    )
    yield ""
    yield from (f"- {comparison}" for comparison in sms.compare(environment))


def _assumptions(environment: Environment) -> Iterator[tuple[str, str]]:
    traffic, stream, functions = environment.traffic, environment.stream, environment.functions
    yield "traffic.alerts_per_webhook", number(traffic.alerts_per_webhook)
    yield "stream.shards", number(stream.shards)
    for name, function in functions._asdict().items():
        yield f"functions.{name}.mean_duration_ms", number(function.mean_duration_ms)
        yield f"functions.{name}.cold_start_ms", number(function.cold_start_ms)
    for name, value in environment.usage._asdict().items():
        yield f"usage.{name}", number(value)


def _prices(prices: Prices) -> Iterator[tuple[str, str, str]]:
    settings = declarations(Prices)
    for name, value in prices._asdict().items():
        is_default = value == settings[name]["default"]
        yield f"prices.{name}", number(value), str(SOURCES[name]) if is_default else "set by this environment"
