"""The bill for a reviewer: every item at two rates, every assumption, every price with its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from generator.config.prices import DATED, PRICED_REGION, SOURCES, Prices
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment
from generator.report.bill import CENT, Item, bill, total_usd
from generator.report.capacity_section import FREE_OF_CHARGE
from generator.report.markdown import table
from generator.report.usage import Template, exact, monthly, of_type

LOWEST_RATE, _ = WEBHOOKS_PER_HOUR
"""The bill at the least supported rate shows what the stack costs when nearly nothing happens."""


NOT_INCLUDED = (
    "free tiers and discounts; taxes; data transfer out of AWS; e-mails of alarms; queries over logs; older versions "
    "of a rotated key; the list of symbols; failures, repeated deliveries and messages in the failure queues"
)

CONVENTIONS = (
    "Every hour is alike; the peak is for the sizing, and a bill follows the mean.",
    "A GB is 10^9 bytes of data, and 1,024 MB of memory.",
    "Prices spread evenly over the stream's lanes, and a batch of any size takes the duration of a full one.",
    "The cleanup takes its stated duration, however many prices it deletes.",
    "A write takes one unit per KB begun, and a conditional write costs the same, refused or not.",
    "The queries for alerts find no more than 4 KB each; the table's own stream is read by Lambda free of charge.",
    "A fired alert is disarmed and re-armed in table and index, claimed and recorded in the table alone.",
    "Each alert is a publication of its own, at most 64 KB, and an SMS of one part; delivery to Lambda is free.",
    "The secret is read by as many execution environments as are reserved, but at most twice for a webhook.",
    "KMS is asked by each encrypted resource as often as above, and at each start and each read of the secret.",
    "X-Ray counts webhooks, batches, notifications and cleanups as points of entry, each sampled by itself.",
)
"""What the sum takes for granted, and no setting changes."""


def cost_lines(template: Template, environment: Environment) -> list[str]:
    """The section, from the items to what is not in them."""
    rate = environment.traffic.webhooks_per_hour
    bills = {rate: bill(template, environment, rate) for rate in (rate, LOWEST_RATE)}
    return [
        *_summary(environment, rate, total_usd(bills[rate])),
        "",
        *_items(bills),
        "",
        *_not_included(template, environment, rate),
        "",
        "Assumed, and to be overridden where each is set:",
        "",
        *table(("Setting", "Value"), _assumptions(environment), right=[1]),
        "",
        *(f"- {line}" for line in CONVENTIONS),
        "",
        "Prices, and where each was read; to be overridden under `[prices]`:",
        "",
        *table(("Setting", "USD", "Source"), _prices(environment.prices), right=[1]),
    ]


def _summary(environment: Environment, rate: int, total: Decimal) -> Iterable[str]:
    sms = "included" if environment.prices.sms_usd_per_message else "not included"
    yield f"**{total:,} USD a month** at a steady {rate:,} webhooks per hour, SMS {sms}. {FREE_OF_CHARGE}"
    yield ""
    own = "" if environment.region == PRICED_REGION else f" **{environment.region} has prices of its own.**"
    yield (
        f"List prices of {PRICED_REGION}, looked up {DATED}, most of them where others quote AWS's page: check them "
        f"before relying on the sum.{own}"
    )


def _items(bills: Mapping[int, Sequence[Item]]) -> list[str]:
    _, *others = bills
    header = ("Service", "What", "A month", "Unit", "Price", "USD", *(f"at {rate:,}/h" for rate in others))
    rows = [(*_row(items[0]), *map(_usd, items)) for items in zip(*bills.values(), strict=True)]
    reserved = ("Lambda", "reserved concurrency", "", "", "no charge", *("0.00" for _ in bills))
    totals = (f"**{total_usd(items):,}**" for items in bills.values())
    amounts = range(5, 5 + len(bills))
    return table(header, [*rows, reserved, ("**Total**", "", "", "", "", *totals)], right=(2, *amounts))


def _row(item: Item) -> tuple[str, str, str, str, str]:
    per = {10**6: "/million", 10**4: "/10,000", 1: ""}[item.per]
    price = f"{max(item.unit_usd, item.unit_usd.quantize(CENT), key=_digits):f}"
    quantity = f"{item.quantity:,.0f}" if item.quantity >= 100 else f"{float(item.quantity):.3g}"
    return item.service, item.what, quantity, item.unit, price + per


def _digits(value: Decimal) -> int:
    return len(f"{value:f}")


def _usd(item: Item) -> str:
    amount = item.amount_usd
    return "<0.01" if not amount and item.quantity * item.unit_usd else f"{amount:,}"


def _not_included(template: Template, environment: Environment, rate: int) -> Iterable[str]:
    yield f"Not included: {NOT_INCLUDED}."
    yield ""
    load = monthly(template, environment, rate)
    for name in of_type(template, "AWS::Lambda::Function"):
        if name not in load.runs:
            yield f"**{name}: not included.** How often it runs is not known here (`generator/report/usage.py`)."
            yield ""
    if not environment.prices.sms_usd_per_message:
        yield (
            f"**SMS: not included.** {load.alerts:,.0f} messages a month would be sent "
            "at this rate. Their price depends on country and carrier, and may well exceed everything above: look it "
            "up and set `prices.sms_usd_per_message`."
        )
        yield ""
    yield (
        "AWS stops sending SMS at the account's monthly spending limit, which the alarm takes to be "
        f"{environment.operations.sms_monthly_spend_usd:,g} USD (`operations.sms_monthly_spend_usd`)."
    )


def _assumptions(environment: Environment) -> Iterable[tuple[str, str]]:
    traffic, stream, functions = environment.traffic, environment.stream, environment.functions
    yield "traffic.alerts_per_webhook", _figure(traffic.alerts_per_webhook)
    yield "stream.shards", _figure(stream.shards)
    for field in dataclasses.fields(functions):
        function = getattr(functions, field.name)
        yield f"functions.{field.name}.mean_duration_ms", _figure(function.mean_duration_ms)
        yield f"functions.{field.name}.cold_start_ms", _figure(function.cold_start_ms)
    for field in dataclasses.fields(environment.usage):
        yield f"usage.{field.name}", _figure(getattr(environment.usage, field.name))


def _prices(prices: Prices) -> Iterable[tuple[str, str, str]]:
    for field in dataclasses.fields(prices):
        value = getattr(prices, field.name)
        own = value != field.metadata["default"]
        yield f"prices.{field.name}", _figure(value), "set by this environment" if own else SOURCES[field.name]


def _figure(value: float) -> str:
    """The figure as written, without an exponent."""
    return f"{exact(value).normalize():,f}"
