"""The history of a run: the facts that the invariants check, and a readable account of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

AlertKey = tuple[str, str]
"""userId and alertId."""
ArmingKey = tuple[str, str, str]
"""userId, alertId and the id of the arming."""


@dataclass
class Arming:
    """One arming of an alert by its user."""

    key: ArmingKey
    symbol: str
    direction: str
    threshold: Decimal
    armed_at_ms: int
    is_sound: bool
    """Whether it can fire: other programs write alerts, and some write wrong types."""
    written_at: float
    shown_at: float = 0.0
    """When the index shows it."""
    ended_at: float | None = None
    """When its user deleted the alert or armed it again."""
    ended_armed: bool = False
    """Whether it was still armed then."""

    def crossed_by(self, price: Price) -> bool:
        """Return whether the price fires it, apart from the price's age."""
        if price.symbol != self.symbol or price.stamp_ms < self.armed_at_ms:
            return False
        return price.value >= self.threshold if self.direction == "above" else price.value <= self.threshold


@dataclass
class Price:
    """One price that a sender sends in one or more webhooks with the same id."""

    webhook_id: str
    symbol: str
    text: str
    stamp_ms: int
    answers: list[int] = field(default_factory=list)
    stored_at: float | None = None
    age_s: float = 0.0
    """How old it was when the webhook arrived that stored it."""

    @property
    def value(self) -> Decimal:
        return Decimal(self.text)


@dataclass
class Sms:
    """An SMS that SNS accepted."""

    arming: ArmingKey
    phone: str
    text: str
    called_at: float
    invocation: Invocation
    fate: str
    message_id: str


@dataclass
class Invocation:
    """One run of a handler."""

    name: str
    function: str
    request_id: str
    event: dict[str, Any]
    started_at: float
    deadline: float
    calls: int = 0
    fates: list[str] = field(default_factory=list)
    """The failures of its calls."""
    outcome: str = "running"
    answer: Any = None
    arming: ArmingKey | None = None
    was_ready: bool = False
    """Whether its warm instance had the keys when it started."""
    lines: list[dict[str, Any]] = field(default_factory=list)


class History:
    """All facts of one run."""

    def __init__(self) -> None:
        self.account: list[tuple[float, str]] = []
        self.log: list[str] = []
        self.prices: dict[str, Price] = {}
        self.armings: dict[ArmingKey, Arming] = {}
        self.phones: dict[AlertKey, list[tuple[float, str | None]]] = {}
        self.current: dict[AlertKey, list[tuple[float, str | None]]] = {}
        """The arming id on each alert's item, with the time from which it was there."""
        self.published: list[tuple[float, str, dict[str, Any]]] = []
        """Time, id and content of each message of the notification topic."""
        self.sms: list[Sms] = []
        self.invocations: list[Invocation] = []
        self.failed_messages: list[dict[str, Any]] = []
        """The messages in the failure queue of the asynchronous functions."""
        self.failed_records: set[str] = set()
        """The webhook ids of the prices whose records are in the stream's failure queue."""
        self.outcomes: dict[ArmingKey, set[str]] = {}
        """The outcomes that SendNotificationFunction logged or recorded for each arming."""
        self.recorded_ids: set[str] = set()
        """The ids of SMS that were stored with their alert."""
        self.rotations: list[float] = []
        self.deleted_prices: list[dict[str, Any]] = []
        self.resurrected: list[str] = []
        self.secrets: set[str] = set()

    def note(self, now: float, what: str) -> None:
        self.account.append((now, what))

    def __str__(self) -> str:
        return "\n".join(f"{now:10.3f}  {what}" for now, what in self.account)


def arming_of(message: dict[str, Any]) -> ArmingKey:
    """Return the arming that a notification is about."""
    return message["userId"], message["alertId"], str(next(iter(message["generation"].values())))
