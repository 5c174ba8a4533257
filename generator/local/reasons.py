"""Reasons in the live view: why a webhook was refused, and why a price fired no alert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from generator._format import visible
from generator.stack.alerts import END_OF_TIME_MS, Alert, Item, State

REFUSALS = {
    "200": "a repetition: it was stored before",
    "400": "the body is not JSON",
    "401": "the signature, its time or the token is wrong",
    "409": "the webhook-id was used with another body before",
    "422": "a field of the price is wrong",
}
"""Reasons by status; the body of the answer names the fault. Source: docs/reference/webhook.md."""

MOST_ALERTS = 5
"""Alerts to explain for one price; the rest are only counted."""


def refusal(outcome: str) -> str:
    """Return the reason why a webhook was not stored, from the outcome in the log; empty if it was stored."""
    if outcome == "202":
        return ""
    return REFUSALS.get(outcome, f"the function answered 503, because a call of it failed: {outcome}")


def silence(price: Item, alerts: Iterable[Alert]) -> Iterator[str]:
    """Yield the reason why a stored price fired no alert: a line for its market, or one for each alert on it."""
    symbol, value = str(price["symbol"]["S"]), str(price["price"]["S"])
    if "stale" in price:
        yield f"{symbol} {value} fires no alert: it was too old when it was accepted (traffic.max_price_age_s)"
        return
    watching = [alert for alert in alerts if alert.symbol == symbol]
    if not watching:
        yield f"{symbol} {value} fires no alert: none watches {symbol}"
    for alert in watching[:MOST_ALERTS]:
        if reason := _reason(alert, Decimal(value), int(str(price["observation"]["S"])[:13])):
            yield f"{symbol} {value} does not fire {visible(f'{alert.user_id} {alert.alert_id}')}: {reason}"
    if len(watching) > MOST_ALERTS:
        yield f"{symbol}: {len(watching) - MOST_ALERTS:,} more alerts watch it"


def _reason(alert: Alert, price: Decimal, time_ms: int) -> str:
    if alert.state == State.MALFORMED:
        return visible("; ".join(alert.reasons))
    if alert.state != State.ARMED:
        return f"it is {alert.state}, and fires again once it is rearmed"
    threshold, armed_at_ms = Decimal(alert.threshold or 0), Decimal(alert.armed_at_ms or END_OF_TIME_MS)
    if armed_at_ms > time_ms:
        return "it was armed after the time of the price"
    if (price < threshold) if alert.direction == "above" else (price > threshold):
        return f"it waits for {alert.threshold} or {'more' if alert.direction == 'above' else 'less'}"
    return ""
