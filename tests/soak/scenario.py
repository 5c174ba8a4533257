"""Who uses the stack in a run: senders of prices, users with alerts, and operators.

Every step is one decision, so that shrinking a run leaves out whole steps.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.soak.choices import Key
from tests.soak.expressions import Item
from tests.soak.history import Arming, Invocation, Price
from tests.soak.sdk import EPOCH_S
from tests.soak.sns import messages_of
from tests.soak.world import SOURCE, STANDARD, World

STEPS = 14
SYMBOLS = ("BTC-USD", "ETH-USD")
SENDER_WAITS_S = (5, 30, 60)
ADOPTION_S = 30
"""Senders sign with a new secret that long after its rotation."""
BROKEN: tuple[dict[str, Any], ...] = (
    {"generation": None},
    {"generation": {"BOOL": True}},
    {"generation": {"S": "x" * 200}},
    {"armedAt": None},
    {"armedAt": {"S": "yesterday"}},
    {"armedAt": {"N": "1767225600000000"}},
)
"""What other programs write into an armed alert that can never fire."""
INVALID_PHONES = ("", "5555550100", "+1999{:07d}")
Step = tuple[float, str, tuple[Any, ...]]


def moment(generator: random.Random) -> float:
    """Return a time. Most steps happen close together, because that is where they meet."""
    start = generator.choice((2.0, 2.0, 2.0, 4.0, 8.0, 50.0, 70.0, 130.0, 400.0))
    return start + generator.choice((0.0, generator.uniform(0, 0.2), generator.uniform(0, 4)))


def _arm(generator: random.Random) -> tuple[Any, ...]:
    alert, symbol = generator.randrange(3), generator.choice(SYMBOLS[: generator.choice((1, 2))])
    direction, threshold = generator.choice(("above", "above", "below")), 61_000 + generator.randrange(5)
    return alert, symbol, direction, f"{threshold}.5"


def _price(generator: random.Random) -> tuple[Any, ...]:
    age_s = generator.choice((0.0, 0.0, 0.0, 0.0, generator.uniform(-60, 60), generator.uniform(0, 1000), 86_400.0))
    return (
        generator.choice(SYMBOLS[: generator.choice((1, 2))]),
        f"{61_000 + generator.randrange(6)}{generator.choice(('.25', '.5'))}",
        age_s,
    )


STEP_KINDS: dict[str, tuple[float, Callable[[random.Random], tuple[Any, ...]]]] = {
    # Weight and parameters of each kind.
    "price": (8, _price),
    "arm": (3, _arm),
    "rearm": (2, lambda r: (r.randrange(3), f"{61_000 + r.randrange(5)}.5")),
    "broken": (1, lambda r: (r.randrange(3), r.choice(SYMBOLS), r.randrange(len(BROKEN)))),
    "delete": (1, lambda r: (r.randrange(3),)),
    "phone": (1.5, lambda r: (r.randrange(3), r.random() < 0.2)),
    "rotate": (0.5, lambda r: ()),
    "outage": (
        0.5,
        lambda r: (_outage_service(r), r.choice(("throttled", "error before", "unreachable")), _duration(r)),
    ),
    "pause": (0.5, lambda r: (r.choice((10.0, 400.0, 5_000.0, 20_000.0)),)),
    "replay": (0.5, lambda r: (r.choice((300.0, 1_000.0)),)),
    "cleanup": (0.3, lambda r: ()),
}


def _outage_service(generator: random.Random) -> str:
    return generator.choice(("dynamodb", "sns", "secretsmanager", "secretsmanager"))


def _duration(generator: random.Random) -> float:
    return generator.choice((1.0, 30.0, 200.0, 4_000.0))


def _unusual_step(generator: random.Random) -> Step:
    (kind,) = generator.choices(list(STEP_KINDS), [weight for weight, _ in STEP_KINDS.values()])
    return moment(generator), kind, STEP_KINDS[kind][1](generator)


class Scenario:
    """The steps of one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._generation = 100
        self._phones = 0
        choices = world.choices
        rate = 0.2 + 0.8 * choices.random.random()
        for number in range(STEPS):
            if number < 2:
                step = choices.draw(("step", number), None, 1.0, lambda r: (r.uniform(0, 1), "arm", _arm(r)))
            elif number < 4:
                step = choices.draw(("step", number), None, 1.0, lambda r: (moment(r), "price", _price(r)))
            else:
                step = choices.draw(("step", number), None, rate, _unusual_step)
            if step:
                self._plan(number, *step)

    def _plan(self, number: int, at: float, kind: str, parameters: tuple[Any, ...]) -> None:
        action = getattr(self, f"_{kind}")
        self._world.scheduler.later(at, lambda: action(number, *parameters))

    def _now_ms(self) -> int:
        return int((EPOCH_S + self._world.scheduler.now) * 1000)

    def _new_phone(self, is_invalid: bool = False) -> str:
        self._phones += 1
        if is_invalid:
            return INVALID_PHONES[self._phones % len(INVALID_PHONES)].format(self._phones)
        return f"+1555{7_310_000 + self._phones}"

    def _phone_of(self, item: Item | None) -> str:
        return item["phoneNumber"]["S"] if item and "phoneNumber" in item else self._new_phone()

    @staticmethod
    def _key(alert: int) -> tuple[str, str]:
        return f"user-77{alert}", f"alert-{alert}"

    def _arm(self, number: int, alert: int, symbol: str, direction: str, threshold: str) -> None:
        """Create an alert, or arm one that exists for something else."""
        key = self._key(alert)
        present = self._world.alerts.items.get(key)
        self._write_arming(key, symbol, direction, threshold, self._phone_of(present))

    def _rearm(self, number: int, alert: int, threshold: str) -> None:
        key = self._key(alert)
        present = self._world.alerts.items.get(key)
        last = [one for one in self._world.history.armings.values() if one.key[:2] == key]
        if present and last:
            self._write_arming(key, last[-1].symbol, last[-1].direction, threshold, self._phone_of(present))

    def _write_arming(self, key: tuple[str, str], symbol: str, direction: str, threshold: str, phone: str) -> None:
        world, now = self._world, self._world.scheduler.now
        self._end(key)
        self._generation += 1
        # Ids were numbers in earlier versions, and any text is one.
        generation = {"N": str(self._generation)} if self._generation % 2 else {"S": f"arming-{self._generation}"}
        armed_at_ms = self._now_ms()
        item = {
            **world.alerts.items.get(key, {}),
            "userId": {"S": key[0]},
            "alertId": {"S": key[1]},
            "phoneNumber": {"S": phone},
            "watch": {"S": f"{symbol}#{direction}"},
            "threshold": {"N": threshold},
            "generation": generation,
            "armedAt": {"N": str(armed_at_ms)},
        }
        arming_key = (*key, next(iter(generation.values())))
        if "N" in generation and key not in world.alerts.items:
            item["notified"] = {"NS": ["7", "8"]}
        arming = Arming(arming_key, symbol, direction, Decimal(threshold), armed_at_ms, True, now)
        world.history.armings[arming_key] = arming
        world.note(f"{key[1]} is armed as {arming_key[2]}: {symbol} {direction} {threshold}, {phone}")
        world.alerts.write(key, item, now)
        arming.shown_at = world.index.shown_at[key]

    def _broken(self, number: int, alert: int, symbol: str, kind: int) -> None:
        key, now = self._key(alert), self._world.scheduler.now
        self._end(key)
        item = {
            "userId": {"S": key[0]},
            "alertId": {"S": key[1]},
            "phoneNumber": {"S": self._phone_of(self._world.alerts.items.get(key))},
            "watch": {"S": f"{symbol}#above"},
            "threshold": {"N": "61000"},
            "generation": {"S": f"broken-{number}"},
            "armedAt": {"N": str(self._now_ms())},
            **BROKEN[kind],
        }
        self._world.note(f"{key[1]} is written so that it can never fire: {BROKEN[kind]}")
        self._world.alerts.write(key, {name: value for name, value in item.items() if value}, now)

    def _end(self, key: tuple[str, str]) -> None:
        """The present arming of the alert, if any, ends here."""
        present = self._world.alerts.items.get(key)
        generation = str(next(iter((present or {}).get("generation", {"S": ""}).values())))
        if present and (arming := self._world.history.armings.get((*key, generation))):
            arming.ended_at = self._world.scheduler.now
            arming.ended_armed = "watch" in present

    def _delete(self, number: int, alert: int) -> None:
        key = self._key(alert)
        if key in self._world.alerts.items:
            self._end(key)
            self._world.note(f"{key[1]} is deleted")
            self._world.alerts.write(key, None, self._world.scheduler.now)

    def _phone(self, number: int, alert: int, is_invalid: bool) -> None:
        key = self._key(alert)
        if present := self._world.alerts.items.get(key):
            phone = self._new_phone(is_invalid)
            self._world.note(f"{key[1]} gets the phone {phone or 'nothing'}")
            self._world.alerts.write(key, {**present, "phoneNumber": {"S": phone}}, self._world.scheduler.now)

    def _rotate(self, number: int) -> None:
        secret = base64.b64encode(hashlib.sha256(str(number).encode()).digest()).decode()
        now = self._world.scheduler.now
        if self._world.history.rotations:
            return  # A second rotation on the same day ends the first secret, as docs/how-to/rotate-secret.md states.
        self._world.note("the secret is rotated")
        self._world.secrets.rotate(secret, now)
        self._world.history.secrets.add(secret)
        self._world.history.rotations.append(now)

    def _outage(self, number: int, service: str, kind: str, duration_s: float) -> None:
        now = self._world.scheduler.now
        self._world.note(f"{service} has an outage for {duration_s} s: {kind}")
        self._world.outages.append((now, now + duration_s, service, kind))

    def _pause(self, number: int, duration_s: float) -> None:
        now = self._world.scheduler.now
        self._world.note(f"the mapping is paused for {duration_s} s")
        self._world.mapping.paused.append((now, now + duration_s))

    def _replay(self, number: int, later_s: float) -> None:
        """The operator publishes the events in the failure queue again."""

        def publish() -> None:
            failed, self._world.history.failed_messages = self._world.history.failed_messages, []
            for event in failed:
                for message in messages_of(event):
                    self._world.note("the operator publishes a failed message again")
                    self._world.sns.send(json.dumps(message))

        self._world.scheduler.later(later_s, publish)

    def _cleanup(self, number: int) -> None:
        world, now = self._world, self._world.scheduler.now
        for days in (40, 33, 31):
            stamp = self._now_ms() - days * 86_400_000
            row = {"symbol": {"S": SYMBOLS[0]}, "observation": {"S": f"{stamp:013d}#kraken#old-{days}"}}
            ttl = {"N": str(stamp // 1000 + 30 * 86_400)}
            world.prices.items[world.prices.key_of(row)] = {**row, "price": {"S": "61001.25"}, "ttl": ttl}
        world.prices.write(
            ("#symbols", SYMBOLS[0]), {"symbol": {"S": "#symbols"}, "observation": {"S": SYMBOLS[0]}}, now
        )
        world.functions.invoke_later("CleanupHistoryFunction", {}, f"cleanup {number}")

    def _price(self, number: int, symbol: str, text: str, age_s: float) -> None:
        stamp_ms = self._now_ms() - int(age_s * 1000)
        price = Price(f"msg-{number}", symbol, text, stamp_ms)
        sender = Sender(self._world, price)
        self._world.history.prices[price.webhook_id] = price
        sender.send(0)


class Sender:
    """Sends a webhook until it gets an answer that ends it. Source: Standard Webhooks specification 1.0."""

    def __init__(self, world: World, price: Price) -> None:
        self._world, self._price, self._tries = world, price, 0
        self.key: Key = price.webhook_id
        self._body = json.dumps(self._fields())
        if world.scheme != STANDARD:
            price.webhook_id = hashlib.sha256(self._body.encode()).hexdigest()

    def _fields(self) -> dict[str, Any]:
        """Return the fields of the body, the same in every attempt. Without an id, a number identifies the price."""
        price = self._price
        fields = {"symbol": price.symbol, "price": price.text, "timestamp": price.stamp_ms, "source": "kraken"}
        if self._world.scheme == STANDARD:
            return fields
        token = {"token": self._secret()} if self._world.scheme == "token" else {}
        return {**fields, **token, "number": price.webhook_id}

    def send(self, attempt: int) -> None:
        world, price = self._world, self._price
        label = f"webhook {price.webhook_id} try {attempt}"
        world.note(f"{label}: {price.symbol} at {price.text}, {price.stamp_ms - EPOCH_S * 1000} ms")
        event = self._signed(self._body) if world.scheme == STANDARD else self._from_source()

        def ended(invocation: Invocation) -> None:
            self._ended(invocation, attempt)

        world.functions.invoke("ProcessWebhookFunction", event, label, label, ended)

    def _secret(self) -> str:
        world = self._world
        current, since = world.secrets.versions[0]
        is_new = len(world.secrets.versions) == 1 or world.scheduler.now - since > ADOPTION_S
        return current if is_new else world.secrets.versions[1][0]

    def _from_source(self) -> dict[str, Any]:
        """Return the request of a source with a path of its own. Sources share the stack's one simulated secret."""
        stamp = int(EPOCH_S + self._world.scheduler.now)
        signature = hmac.digest(self._secret().encode(), f"{stamp}.{self._body}".encode(), "sha256").hex()
        headers = {"X-Signature": f"t={stamp},v1={signature}"} if self._world.scheme == "hmac" else {}
        return {"resource": f"/webhooks/{SOURCE}", "headers": headers, "body": self._body}

    def _signed(self, body: str) -> dict[str, Any]:
        stamp, secret = str(int(EPOCH_S + self._world.scheduler.now)), self._secret()
        content = f"{self._price.webhook_id}.{stamp}.{body}".encode()
        signature = base64.b64encode(hmac.digest(base64.b64decode(secret), content, "sha256")).decode()
        names = {"id": self._price.webhook_id, "timestamp": stamp, "signature": f"v1,{signature}"}
        headers = {f"webhook-{name}": value for name, value in names.items()}
        return {"headers": headers, "body": body, "isBase64Encoded": False}

    def _ended(self, invocation: Invocation, attempt: int) -> None:
        world, choices = self._world, self._world.choices
        status = invocation.answer["statusCode"] if invocation.outcome == "ok" else 502
        self._price.answers.append(status)
        world.note(f"{invocation.name}: answer {status}")
        key, rate = ("answer lost", invocation.name), choices.rate("answer lost", 0.2)
        is_lost = choices.draw(key, False, rate, lambda _: True)
        if attempt < len(SENDER_WAITS_S) and (status >= 500 or is_lost):
            world.scheduler.later(SENDER_WAITS_S[attempt], lambda: self.send(attempt + 1))
