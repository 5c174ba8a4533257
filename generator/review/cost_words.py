"""The bill for a reviewer: every item at two rates, every assumption, every price with its source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from generator.environment import Environment
from generator.prices import DATED, PRICED_REGION, SOURCES, Prices
from generator.review.capacity_words import FREE_OF_CHARGE
from generator.review.cost import Item, bill, total_usd
from generator.review.load import Template, exact, monthly
from generator.review.markdown import table

LOWEST_RATE = 100
"""The bill at the least supported rate shows what the stack costs when nearly nothing happens."""


def cost_lines(template: Template, environment: Environment) -> list[str]:
    """The section, from the items to what is not in them."""
    rate = environment.traffic.webhooks_per_hour
    return [
        *_summary(template, environment, rate),
        "",
        *_items(template, environment, list(dict.fromkeys((rate, LOWEST_RATE)))),
        "",
        *_not_included(template, environment, rate),
        "",
        "Assumed, and to be overridden under `[usage]` or in the section named:",
        "",
        *table(("Setting", "Value"), _assumptions(environment), right=[1]),
        "",
        *(f"- {line}" for line in _conventions(environment)),
        "",
        "Prices, and where each was read; to be overridden under `[prices]`:",
        "",
        *table(("Setting", "USD", "Source"), _prices(environment.prices), right=[1]),
    ]


def _summary(template: Template, environment: Environment, rate: int) -> Iterable[str]:
    total = total_usd(bill(template, environment))
    yield f"**{total:,} USD a month** at a steady {rate:,} webhooks per hour, SMS {_sms(environment)}. {FREE_OF_CHARGE}"
    yield ""
    yield f"List prices of {PRICED_REGION} as published, looked up {DATED}, mostly where others quote them: check them "
    yield "before relying on the sum."
    if environment.region != PRICED_REGION:
        yield f"**{environment.region} has prices of its own**: set them under `[prices]`."


def _sms(environment: Environment) -> str:
    return "included" if environment.prices.sms_usd_per_message else "not included"


def _items(template: Template, environment: Environment, rates: Sequence[int]) -> list[str]:
    bills = [bill(template, environment, rate) for rate in rates]
    header = ("Service", "What", f"A month at {rates[0]:,}/h", "Price", *(f"USD at {rate:,}/h" for rate in rates))
    rows = [(*_row(items[0]), *(_usd(item) for item in items)) for items in zip(*bills, strict=True)]
    totals = (f"**{total_usd(items):,}**" for items in bills)
    reserved: tuple[str, ...] = ("Lambda", "reserved concurrency", "", "no charge", *("0.00" for _ in rates))
    amounts = range(4, 4 + len(rates))
    return table(header, [*rows, reserved, ("**Total**", "", "", "", *totals)], right=(2, *amounts))


def _row(item: Item) -> tuple[str, str, str, str]:
    per = {10**6: " a million", 10**4: " per 10,000", 1: ""}[item.per]
    price = f"{item.unit_usd:f}" if -item.unit_usd.normalize().as_tuple().exponent > 2 else f"{item.unit_usd:.2f}"
    quantity = f"{item.quantity:,.0f}" if item.quantity >= 100 else f"{float(item.quantity):.3g}"
    return item.service, item.what, f"{quantity} {item.unit}", price + per


def _usd(item: Item) -> str:
    amount = item.amount_usd
    return "< 0.01" if not amount and item.quantity * item.unit_usd else f"{amount:,}"


def _not_included(template: Template, environment: Environment, rate: int) -> Iterable[str]:
    yield "Not included: free tiers and discounts; taxes; data transfer out of AWS; e-mails of alarms; queries over logs;"
    yield "older versions of a rotated key; failures, repeated deliveries and messages in the failure queues."
    if not environment.prices.sms_usd_per_message:
        messages = monthly(template, environment, rate).alerts
        yield f"**SMS: not included.** {messages:,.0f} messages a month would be sent at this rate; their price depends on"
        yield "country and carrier and is likely to exceed everything above. Set `prices.sms_usd_per_message`."
    yield "AWS stops sending SMS at the account's monthly spending limit; the alarm assumes "
    yield f"{environment.operations.sms_monthly_spend_usd:,g} USD."


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


def _conventions(environment: Environment) -> Iterable[str]:
    yield "Every hour is alike; the peak is for the sizing, and a bill follows the mean."
    yield "A GB is 10^9 bytes of data, and 1,024 MB of memory."
    yield "Prices spread evenly over the stream's lanes, and a batch of any size takes the duration of a full one."
    yield "A write takes one unit per KB begun, and a conditional write costs the same, refused or not."
    yield "The queries for alerts find no more than 4 KB each; the table's own stream is read by Lambda free of charge."
    yield "A fired alert is disarmed and re-armed in table and index, claimed and recorded in the table alone."
    yield "Each alert is a publication of its own, at most 64 KB, and an SMS of one part; delivery to Lambda is free."
    yield "The secret is read by as many execution environments as are reserved, but at most twice for a webhook."
    yield "KMS is asked by each encrypted resource at the interval above, for each start and for each read of the secret."
    yield "X-Ray counts webhooks, batches, notifications and cleanups as points of entry, each sampled by itself."


def _prices(prices: Prices) -> Iterable[tuple[str, str, str]]:
    for field in dataclasses.fields(prices):
        value = getattr(prices, field.name)
        own = value != field.metadata["default"]
        yield f"prices.{field.name}", _figure(value), "set by this environment" if own else SOURCES[field.name]


def _figure(value: float) -> str:
    """The figure as written, without an exponent."""
    return f"{exact(value).normalize():,f}"
