"""A demonstration: send a short series of prices to the running system and compare the SMS with those expected."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

from generator._format import duration, text_table
from generator.local.deployment import System
from generator.local.senders import Sender

SYMBOLS = {"BTC-USD": Decimal("64000"), "ETH-USD": Decimal("3100"), "SOL-USD": Decimal("142")}
PRICES = 60
PACE_S = 0.05
UNEXPECTED_S = 2
"""Time in which SMS that should not be sent would arrive."""

SOURCE_SYMBOLS = ("XRP-USD", "ADA-USD", "DOT-USD", "LTC-USD", "BCH-USD")
"""A symbol for each source with a path of its own. It sends one price, and one alert waits for it."""

RETRIES = 20
"""Attempts for each price: the sender retries after a 429 or 503. The smallest usage plan admits 28/s."""


@dataclass(frozen=True, slots=True)
class DemoAlert:
    """An alert of the demonstration. Each has its own phone number, so that every SMS can be matched to its alert."""

    alert_id: str
    symbol: str
    direction: str
    threshold: Decimal
    phone_number: str

    def fires_at(self, price: Decimal) -> bool:
        """Return whether the price is at or past the threshold."""
        return price >= self.threshold if self.direction == "above" else price <= self.threshold


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Counts of the demonstration, and the phone numbers whose SMS are missing or unexpected."""

    prices_sent: int
    prices_stored: int
    alerts: int
    alerts_expected: int
    sms_delivered: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    latencies_ms: tuple[int, ...]
    texts: tuple[str, ...]
    """Texts of the delivered SMS."""
    refusal: str | None
    """Status and message of the first answer that refused a price."""
    requests: tuple[str, ...] = ()
    """A request of each source with a path of its own, without its secret, and the answer."""

    @property
    def passed(self) -> bool:
        """Return whether every price was stored, and exactly the expected SMS were delivered, each once."""
        return self.prices_stored == self.prices_sent and not self.missing and not self.unexpected


def alerts() -> list[DemoAlert]:
    """Return four alerts for each symbol: two that the prices reach, and two that they do not."""
    alerts_: list[DemoAlert] = []
    for symbol, start in SYMBOLS.items():
        for direction, change in (("above", "1.01"), ("below", "0.99"), ("above", "1.50"), ("below", "0.50")):
            number = len(alerts_)
            threshold = (start * Decimal(change)).quantize(Decimal("0.01"))
            alerts_.append(DemoAlert(f"demo-{number}", symbol, direction, threshold, f"+1555555{number:04d}"))
    return alerts_


def walk() -> Iterator[tuple[str, Decimal]]:
    """Yield prices of each symbol in turn: a random walk in steps of up to 1 %."""
    generator, prices = random.Random(7), dict(SYMBOLS)  # noqa: S311 - a demonstration, not a secret
    for number in range(PRICES):
        symbol = list(SYMBOLS)[number % len(SYMBOLS)]
        step = Decimal(1) + Decimal(generator.randrange(-100, 101)) / 10_000
        prices[symbol] = (prices[symbol] * step).quantize(Decimal("0.01"))
        yield symbol, prices[symbol]


def run(system: System, progress: Callable[[Iterable[int]], Iterable[int]]) -> DemoResult:
    """Arm the alerts, send the prices, and wait for the expected SMS, and briefly for unexpected ones."""
    from_sources = dict(zip(system.senders, map(_alert_of_source, range(len(system.senders))), strict=True))
    armed = [*alerts(), *from_sources.values()]
    for alert in armed:
        system.put_alert(alert.alert_id, alert.symbol, alert.direction, str(alert.threshold), alert.phone_number)
    expected: set[str] = set()
    refusals: list[str] = []
    prices = walk()
    for number in progress(range(PRICES)):
        symbol, price = next(prices)
        expected |= {a.phone_number for a in armed if a.symbol == symbol and a.fires_at(price)}
        body = {"symbol": symbol, "price": str(price), "timestamp": int(time.time() * 1000), "source": "demo"}
        if refusal := _refusal(system, body, f"demo_{number}"):
            refusals.append(refusal)
    requests = []
    for sender, alert in from_sources.items():
        request, refusal = _request(system, sender, alert.symbol)
        requests.append(request)
        refusals += [refusal] if refusal else []
    expected |= {alert.phone_number for alert in from_sources.values()}
    system.wait_for_sms(expected)
    time.sleep(UNEXPECTED_S)
    delivered = system.sms()
    latencies_ms = [line["LatencyMs"] for kind, line in system.new_events() if kind == "notification" and line["Sent"]]
    return DemoResult(
        prices_sent=PRICES + len(requests),
        prices_stored=PRICES + len(requests) - len(refusals),
        alerts=len(armed),
        alerts_expected=len(expected),
        sms_delivered=sum(map(len, delivered.values())),
        missing=tuple(sorted(expected - delivered.keys())),
        unexpected=tuple(sorted(n for n, texts in delivered.items() if n not in expected or len(texts) > 1)),
        latencies_ms=tuple(sorted(latencies_ms)),
        texts=tuple(text for texts in delivered.values() for text in texts),
        refusal=next(iter(refusals), None),
        requests=tuple(requests),
    )


def as_table(result: DemoResult) -> str:
    """Return a table for the terminal: the requests of sources, the texts of the SMS, and the result."""
    latencies_ms = result.latencies_ms
    rows = [
        ("Prices sent", f"{result.prices_sent:,}"),
        ("Prices stored", f"{result.prices_stored:,}"),
        ("Alerts armed", f"{result.alerts:,}"),
        ("Alerts expected to fire", f"{result.alerts_expected:,}"),
        ("SMS delivered", f"{result.sms_delivered:,}"),
        ("SMS missing", f"{len(result.missing):,}"),
        ("SMS unexpected", f"{len(result.unexpected):,}"),
        ("Price to SMS, median", duration(latencies_ms[len(latencies_ms) // 2] / 1000) if latencies_ms else "-"),
        ("Price to SMS, slowest", duration(latencies_ms[-1] / 1000) if latencies_ms else "-"),
    ]
    return "\n".join([*result.requests, *result.texts, "", *text_table((), rows, right=(1,))])


def _alert_of_source(number: int) -> DemoAlert:
    return DemoAlert(
        f"demo-source-{number}", SOURCE_SYMBOLS[number], "above", Decimal("0.5"), f"+1555555{9000 + number}"
    )


def _request(system: System, sender: Sender, symbol: str) -> tuple[str, str | None]:
    """Send one price as a source. Return the request and its answer, and the answer again if it was not stored."""
    body = sender.alert(symbol, "0.5120")
    status, message = system.send_from(sender, body)
    answer = f"{status} {message}"
    return f"{sender.shown(body)}\n{answer}\n", None if status == HTTPStatus.ACCEPTED else answer


def _refusal(system: System, body: dict[str, object], webhook_id: str) -> str | None:
    """Send a price until it is stored, like a sender. Return the last answer if it was not stored."""
    for _ in range(RETRIES):
        time.sleep(PACE_S)
        status, message = system.send(body, webhook_id)
        if status in (200, 202):
            return None
        if status not in (429, 503):
            break
    return f"{status} {message}"
