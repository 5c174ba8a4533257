"""The item of an alert: the attributes that arm it, its state, and the reasons why it can never fire.

The handlers hold the same rules, because they ship without this package; the tests compare both.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import TypeAlias

from generator.errors import Fault, InvalidAlert

Item: TypeAlias = Mapping[str, Mapping[str, object]]
"""An item of the alerts table in DynamoDB's JSON."""

SYMBOL = "[A-Z0-9]{1,15}-[A-Z0-9]{1,15}"
DIRECTIONS = ("above", "below")
PHONE_NUMBER = "[+][1-9][0-9]{6,14}"
NUMBER = "[0-9]{1,99}([.][0-9]{1,99})?([eE][+-]?[0-9]{1,3})?"

MAX_ID_BYTES = {"USER": 2048, "ALERT": 1024}
"""The longest partition key and the longest sort key. Source: Amazon DynamoDB Developer Guide, quotas."""

MAX_ARMING_ID_LENGTH = 128

END_OF_TIME_MS = 10**13
"""A price's time has 13 digits, so an alert armed from then on is never older than a price."""


class State(StrEnum):
    """The state of an alert. The last three are outcomes that SendNotificationFunction records."""

    ARMED = "armed"
    MALFORMED = "malformed"
    FIRED = "fired"
    SENT = "sent"
    LATE = "late"
    INVALID_NUMBER = "invalid number"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as its item describes it. Attributes that are missing or have a wrong type are None."""

    user_id: str
    alert_id: str
    state: State
    reasons: tuple[str, ...]
    """The reasons why it can never fire, or why its SMS cannot be sent."""
    symbol: str | None
    direction: str | None
    threshold: str | None
    arming_id: str | None
    armed_at_ms: str | None
    settled_at_ms: str | None
    """The time at which the SMS of this arming was sent, or was found to be late or impossible."""
    message_id: str | None
    """SNS's id of the SMS of this arming."""
    phone_number: str | None


def is_number(text: str) -> bool:
    """Return whether a text is a price or a threshold, by the rule of the webhook."""
    number = Decimal(text if re.fullmatch(NUMBER, text) else 0)
    return number > 0 and len(number.as_tuple().digits) <= 38 and -130 <= number.adjusted() <= 125


def _is_phone_number(text: str) -> bool:
    return re.fullmatch(PHONE_NUMBER, text) is not None


def _is_id(most_bytes: int, text: str) -> bool:
    return text.isprintable() and 1 <= len(text.encode(errors="surrogatepass")) <= most_bytes


PHONE = "--phone-number"
FORMS: Mapping[str, tuple[Callable[[str], object], str]] = {
    **{
        name: (partial(_is_id, most), f"use 1 to {most:,} bytes of visible characters")
        for name, most in MAX_ID_BYTES.items()
    },
    "SYMBOL": (re.compile(SYMBOL).fullmatch, "write it in capitals, like BTC-USD"),
    "DIRECTION": (DIRECTIONS.__contains__, f"write {' or '.join(DIRECTIONS)}"),
    "THRESHOLD": (is_number, "write a positive decimal number of at most 38 digits, like 64000 or 0.0125"),
    PHONE: (_is_phone_number, "write it in E.164 form, like +15555550100"),
}
"""The test of each argument that a user can enter, and the remedy for a wrong one."""


def check(given: Mapping[str, str | None]) -> None:
    """Raise InvalidAlert with every fault of a user's input. None stands for an argument that was not given.

    The faults do not repeat a phone number, because terminals and their logs keep it.
    """
    wrong = [(name, text) for name, text in given.items() if text is not None and not is_valid(name, text)]
    if wrong:
        raise InvalidAlert(
            Fault(name, "cannot be used" if name == PHONE else f"'{text}' cannot be used", FORMS[name][1])
            for name, text in wrong
        )


def is_valid(name: str, text: str) -> bool:
    """Return whether an argument has its form."""
    return bool(FORMS[name][0](text))


def arming(symbol: str, direction: str, threshold: str, now_ms: int) -> dict[str, dict[str, str]]:
    """Return the attributes that arm an alert from now on, with a new arming id.

    The functions remove `watch` and `threshold` when the alert fires. The copies stay, for `show` and `rearm`.
    """
    watch = f"{symbol}#{direction}"
    return {
        "watch": {"S": watch},
        "threshold": {"N": threshold},
        "generation": {"S": str(uuid.uuid4())},
        "armedAt": {"N": str(now_ms)},
        "armedWatch": {"S": watch},
        "armedThreshold": {"N": threshold},
    }


def key(user_id: str, alert_id: str) -> dict[str, dict[str, str]]:
    """Return the key of an alert's item."""
    return {"userId": {"S": user_id}, "alertId": {"S": alert_id}}


def item(user_id: str, alert_id: str, arming: Item, phone_number: str) -> Item:
    """Return the item of a new alert."""
    return {**key(user_id, alert_id), **arming, "phoneNumber": {"S": phone_number}}


def read(item: Item) -> Alert:
    """Return the alert that an item describes. Its attributes may have any type, because applications write them."""
    watch = _text(item, "watch", "S") or _text(item, "armedWatch", "S") or ""
    symbol, _, direction = watch.partition("#")
    phone_number, reasons = _text(item, "phoneNumber", "S"), [*_faults(item)]
    state, is_settled = _state(item, bool(reasons)), _is_settled(item)
    if not _is_phone_number(phone_number or ""):
        reasons.append("phoneNumber is not in E.164 form, so no SMS can be sent")
    return Alert(
        user_id=_text(item, "userId", "S") or "",
        alert_id=_text(item, "alertId", "S") or "",
        state=state,
        reasons=tuple(reasons),
        symbol=symbol or None,
        direction=direction or None,
        threshold=_text(item, "threshold", "N") or _text(item, "armedThreshold", "N"),
        arming_id=_text(item, "generation", "S") or _text(item, "generation", "N"),
        armed_at_ms=_text(item, "armedAt", "N"),
        phone_number=phone_number,
        message_id=_text(item, "messageId", "S") if is_settled else None,
        settled_at_ms=_text(item, "sentAt", "N") if is_settled else None,
    )


def masked(phone_number: str) -> str:
    """Return a phone number of which only the last two digits can be read."""
    return f"+{'*' * (len(phone_number) - 3)}{phone_number[-2:]}" if _is_phone_number(phone_number) else "(invalid)"


def _state(item: Item, is_malformed: bool) -> State:
    if "watch" in item or "threshold" in item or "generation" not in item:
        return State.MALFORMED if is_malformed else State.ARMED
    if not _is_settled(item):
        return State.FIRED
    outcome = _text(item, "outcome", "S")
    return State(outcome) if outcome in (State.LATE, State.INVALID_NUMBER) else State.SENT


def _is_settled(item: Item) -> bool:
    """Return whether the SMS of the present arming needs no more work. Items of earlier releases list `notified`."""
    generation, notified = item.get("generation"), item.get("notified", {}).get("NS", [])
    is_listed = isinstance(notified, list) and _text(item, "generation", "N") in notified
    return generation is not None and (item.get("sentId") == generation or is_listed)


def _faults(item: Item) -> Iterator[str]:
    """Yield the reasons why an alert that should be armed never fires, by the rules of CheckAlerts and CleanupHistory.

    An alert without `watch` or without `threshold` is not in the index that both functions read.
    """
    if "watch" not in item and "threshold" not in item:
        if "generation" not in item:  # It stays when an alert fires.
            yield "watch, threshold and generation are missing, so it was never armed"
        return
    for name, kind in (("watch", "S"), ("threshold", "N")):
        if _text(item, name, kind) is None:
            yield f"{name} is missing"
    watch = _text(item, "watch", "S")
    if watch is not None and not re.fullmatch(f"{SYMBOL}#(above|below)", watch):
        yield "watch is not a symbol in capitals with #above or #below, such as BTC-USD#above"
    text = _text(item, "generation", "S")
    if not (_text(item, "generation", "N") or (text and len(text) <= MAX_ARMING_ID_LENGTH)):
        yield f"generation is not a text of 1 to {MAX_ARMING_ID_LENGTH} characters, such as a UUID"
    armed_at_ms = _text(item, "armedAt", "N")
    if armed_at_ms is None or Decimal(armed_at_ms) >= END_OF_TIME_MS:
        yield "armedAt is not a number of milliseconds"


def _text(item: Item, name: str, kind: str) -> str | None:
    value = item.get(name, {}).get(kind)
    return value if isinstance(value, str) else None
