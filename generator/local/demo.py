"""A demonstration: send a short series of prices to the running system and compare the SMS with those expected."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus

from generator._format import duration, text_table
from generator.local.deployment import System

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
    """What was sent, and the SMS that arrived."""

    prices_sent: int
    refusals: Sequence[str]
    """Status and message of each answer that refused a price."""
    alerts: int
    expected: Set[str]
    """The phone numbers that should get one SMS each."""
    delivered: Mapping[str, Sequence[str]]
    """The texts of the SMS by phone number."""
    latencies_ms: Sequence[int]
    """From the shortest to the longest."""
    requests: Sequence[str] = ()
    """A request of each source with a path of its own, without its secret, and the answer."""

    @property
    def missing(self) -> int:
        """Return the number of phone numbers without an expected SMS."""
        return len(self.expected - self.delivered.keys())

    @property
    def unexpected(self) -> int:
        """Return the number of phone numbers with an SMS that was not expected, or with more than one."""
        return sum(number not in self.expected or len(texts) > 1 for number, texts in self.delivered.items())

    @property
    def passed(self) -> bool:
        """Return whether every price was stored, and exactly the expected SMS were delivered, each once."""
        return not (self.refusals or self.missing or self.unexpected)


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
    of_senders = [*map(_alert_of_source, range(len(system.senders)))]
    armed = [*alerts(), *of_senders]
    for alert in armed:
        system.put_alert(alert.alert_id, alert.symbol, alert.direction, str(alert.threshold), alert.phone_number)
    expected = {alert.phone_number for alert in of_senders}
    refusals: list[str] = []
    requests: list[str] = []
    prices = walk()
    for number in progress(range(PRICES)):
        symbol, price = next(prices)
        expected |= {alert.phone_number for alert in armed if alert.symbol == symbol and alert.fires_at(price)}
        body = {"symbol": symbol, "price": str(price), "timestamp": int(time.time() * 1000), "source": "demo"}
        refusals += _refusal(system, body, f"demo_{number}")
    for sender, alert in zip(system.senders, of_senders, strict=True):
        text = sender.alert(alert.symbol, "0.5120")
        status, message = system.send_from(sender, text)
        requests.append(f"{sender.shown(text)}\n{status} {message}\n")
        refusals += [] if status == HTTPStatus.ACCEPTED else [f"{status} {message}"]
    system.wait_for_sms(expected)
    time.sleep(UNEXPECTED_S)
    delivered = system.sms()
    latencies_ms = [line["LatencyMs"] for kind, line in system.new_events() if kind == "notification" and line["Sent"]]
    return DemoResult(
        prices_sent=PRICES + len(requests),
        refusals=refusals,
        alerts=len(armed),
        expected=expected,
        delivered=delivered,
        latencies_ms=sorted(latencies_ms),
        requests=requests,
    )


def as_table(result: DemoResult) -> str:
    """Return a table for the terminal: the requests of sources, the texts of the SMS, and the result."""
    latencies_ms = result.latencies_ms
    texts = [text for texts in result.delivered.values() for text in texts]
    counts = {
        "Prices sent": result.prices_sent,
        "Prices stored": result.prices_sent - len(result.refusals),
        "Alerts armed": result.alerts,
        "Alerts expected to fire": len(result.expected),
        "SMS delivered": len(texts),
        "SMS missing": result.missing,
        "SMS unexpected": result.unexpected,
    }
    rows = [
        *((name, f"{count:,}") for name, count in counts.items()),
        ("Price to SMS, median", duration(latencies_ms[len(latencies_ms) // 2] / 1000) if latencies_ms else "-"),
        ("Price to SMS, slowest", duration(latencies_ms[-1] / 1000) if latencies_ms else "-"),
    ]
    return "\n".join([*result.requests, *texts, "", *text_table((), rows, right=(1,))])


def _alert_of_source(number: int) -> DemoAlert:
    phone_number = f"+1555555{9000 + number}"
    return DemoAlert(f"demo-source-{number}", SOURCE_SYMBOLS[number], "above", Decimal("0.5"), phone_number)


def _refusal(system: System, body: dict[str, object], webhook_id: str) -> list[str]:
    """Send a price until it is stored, like a sender. Return the last answer if it was not stored."""
    for _ in range(RETRIES):
        time.sleep(PACE_S)
        status, message = system.send(body, webhook_id)
        if status in (200, 202):
            return []
        if status not in (429, 503):
            break
    return [f"{status} {message}"]
