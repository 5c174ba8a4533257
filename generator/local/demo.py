"""A short price walk through the running system: which SMS must come, and whether they came."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from generator.local.deployment import System

SYMBOLS = {"BTC-USD": Decimal("64000"), "ETH-USD": Decimal("3100"), "SOL-USD": Decimal("142")}
PRICES = 60
ARRIVAL_TIMEOUT_S = 15
PACE_S = 0.05
RETRIES = 20
"""A sender that is told to come back (429, 503) does so, after a pause; the smallest usage plan admits 28/s."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert of the demonstration; each has a number of its own, so that an SMS tells which alert it is."""

    alert_id: str
    symbol: str
    direction: str
    threshold: Decimal
    phone_number: str

    def fires_at(self, price: Decimal) -> bool:
        """At or past the threshold."""
        return price >= self.threshold if self.direction == "above" else price <= self.threshold


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the demonstration saw."""

    prices_sent: int
    prices_stored: int
    alerts: int
    alerts_expected: int
    sms_delivered: int
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    latencies_ms: tuple[int, ...]
    refusal: str | None
    """The first answer to a price that was not stored: status and message."""

    @property
    def passed(self) -> bool:
        """Every price stored, every expected SMS there once, and no other."""
        return self.prices_stored == self.prices_sent and not self.missing and not self.unexpected


def alerts() -> list[Alert]:
    """Four for each symbol: two that a walk of a few per cent reaches, two that it does not."""
    found: list[Alert] = []
    for symbol, start in SYMBOLS.items():
        for direction, change in (("above", "1.01"), ("below", "0.99"), ("above", "1.50"), ("below", "0.50")):
            number = len(found)
            threshold = (start * Decimal(change)).quantize(Decimal("0.01"))
            found.append(Alert(f"demo-{number}", symbol, direction, threshold, f"+1555555{number:04d}"))
    return found


def walk(seed: int) -> Iterator[tuple[str, Decimal]]:
    """A random walk of each symbol in turn, in steps of up to one per cent."""
    generator, prices = random.Random(seed), dict(SYMBOLS)  # noqa: S311 - a demonstration, not a secret
    for number in range(PRICES):
        symbol = list(SYMBOLS)[number % len(SYMBOLS)]
        step = Decimal(1) + Decimal(generator.randrange(-100, 101)) / 10_000
        prices[symbol] = (prices[symbol] * step).quantize(Decimal("0.01"))
        yield symbol, prices[symbol]


def run(system: System, progress: Callable[[Iterable[int]], Iterable[int]], seed: int = 7) -> Outcome:
    """Arms the alerts, sends the walk, and waits for the SMS that must come and a little for those that must not."""
    armed = alerts()
    for alert in armed:
        system.put_alert(alert.alert_id, alert.symbol, alert.direction, str(alert.threshold), alert.phone_number)
    expected: set[str] = set()
    refusals: list[str] = []
    prices = walk(seed)
    for number in progress(range(PRICES)):
        symbol, price = next(prices)
        expected |= {a.phone_number for a in armed if a.symbol == symbol and a.fires_at(price)}
        body = {"symbol": symbol, "price": str(price), "timestamp": int(time.time() * 1000), "source": "demo"}
        if refusal := _refusal(system, body, f"demo_{number}"):
            refusals.append(refusal)
    delivered = _wait(system, expected)
    latencies = [line["LatencyMs"] for kind, line in system.news() if kind == "notification" and line["Sent"]]
    return Outcome(
        prices_sent=PRICES,
        prices_stored=PRICES - len(refusals),
        alerts=len(armed),
        alerts_expected=len(expected),
        sms_delivered=sum(map(len, delivered.values())),
        missing=tuple(sorted(expected - delivered.keys())),
        unexpected=tuple(sorted(n for n, texts in delivered.items() if n not in expected or len(texts) > 1)),
        latencies_ms=tuple(sorted(latencies)),
        refusal=next(iter(refusals), None),
    )


def as_table(outcome: Outcome) -> str:
    """The outcome for people."""
    latencies = outcome.latencies_ms
    middle = latencies[len(latencies) // 2] if latencies else None
    rows = [
        ("Prices sent", f"{outcome.prices_sent}"),
        ("Prices stored", f"{outcome.prices_stored}"),
        ("Alerts armed", f"{outcome.alerts}"),
        ("Alerts that must fire", f"{outcome.alerts_expected}"),
        ("SMS delivered", f"{outcome.sms_delivered}"),
        ("SMS missing", f"{len(outcome.missing)}"),
        ("SMS unexpected", f"{len(outcome.unexpected)}"),
        ("Price to SMS, median", f"{middle} ms" if middle is not None else "-"),
        ("Price to SMS, slowest", f"{latencies[-1]} ms" if latencies else "-"),
    ]
    width = max(len(value) for _, value in rows)
    return "\n".join(f"{name:<22}  {value:>{width}}" for name, value in rows)


def _refusal(system: System, body: dict[str, object], webhook_id: str) -> str | None:
    """Sends until it is stored, as a sender would; the last answer if it was not."""
    for _ in range(RETRIES):
        time.sleep(PACE_S)
        status, message = system.send(body, webhook_id)
        if status in (200, 202):
            return None
        if status not in (429, 503):
            break
    return f"{status} {message}"


def _wait(system: System, expected: set[str]) -> dict[str, list[str]]:
    until = time.monotonic() + ARRIVAL_TIMEOUT_S
    while not system.sms().keys() >= expected and time.monotonic() < until:
        time.sleep(0.2)
    time.sleep(2)
    return system.sms()
