"""One run: the services of the stack around the handlers, as the template connects them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from tests.conftest import FIXTURES
from tests.soak import sdk, streams
from tests.soak.choices import Choices, Key
from tests.soak.dynamodb import DynamoDB, Table
from tests.soak.expressions import Item
from tests.soak.history import History, Invocation
from tests.soak.lambda_ import Function, Lambda
from tests.soak.scheduler import Scheduler
from tests.soak.secrets import Secrets
from tests.soak.sns import Sns
from tests.stack.model import generated

FIRST_SECRET = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2"
Changes = tuple[tuple[str, str, str], ...]
"""Changes of the shipped handlers: function, text, new text."""


STANDARD, SOURCE = "standard", "own"


@cache
def template(scheme: str = STANDARD) -> dict[str, Any]:
    """Return the resources of the prod template, which has several lanes and instances: as committed, or with a source
    of another scheme.
    """
    if scheme != STANDARD:
        resources: dict[str, Any] = generated(
            "prod", f'sources=[{{name="{SOURCE}", scheme="{scheme}", rate_per_s=20}}]'
        )["Resources"]
        return resources
    committed: dict[str, Any] = json.loads((FIXTURES / "templates_out/prod.json").read_text())["Resources"]
    return committed


def _of_type(kind: str, scheme: str = STANDARD) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in template(scheme).items() if one["Type"] == kind}


@cache
def functions(changes: Changes = (), scheme: str = STANDARD) -> dict[str, Function]:
    """Return the functions with the text that the template ships, and with these changes to it."""
    configs = {one["FunctionName"]["Ref"]: one for one in _of_type("AWS::Lambda::EventInvokeConfig").values()}
    found = {}
    for name, properties in _of_type("AWS::Lambda::Function", scheme).items():
        separator, lines = properties["Code"]["ZipFile"]["Fn::Join"]
        text = separator.join(lines)
        for function, old, new in changes:
            if function == name:
                if text.count(old) != 1:
                    raise ValueError(f"{name} does not have this text exactly once: {old}")
                text = text.replace(old, new)
        found[name] = Function(name, properties, text, configs.get(name))
    return found


class World:
    """The services and the handlers of one run, on one clock."""

    def __init__(
        self, seed: int, replayed: Mapping[Key, Any] | None = None, changes: Changes = (), scheme: str = STANDARD
    ) -> None:
        self.scheme = scheme
        self.scheduler, self.history = Scheduler(), History()
        self.choices = Choices(seed, replayed)
        self.functions = Lambda(self, functions(changes, scheme))
        tables = {name: Table(one, self._lag_s) for name, one in _of_type("AWS::DynamoDB::Table").items()}
        self.prices, self.alerts = tables["PriceHistoryTable"], tables["PriceAlertsTable"]
        self.index = next(iter(self.alerts.indexes.values()))
        (mapping,) = _of_type("AWS::Lambda::EventSourceMapping").values()
        self.mapping = streams.Mapping(self, mapping)
        self.prices.listeners += [self.mapping.changed, self._price_written]
        self.alerts.listeners.append(self._alert_written)
        self.secrets, self.sns = Secrets(FIRST_SECRET), Sns(self)
        self.history.secrets.add(FIRST_SECRET)
        self.outages: list[tuple[float, float, str, str]] = []
        """Outages: start, end, service and the fate of its calls."""
        self._draws = 0
        self._dynamodb = DynamoDB(tables, self._page_size, self._unprocessed)
        self.operations = self._operations()
        self._rates = {name: self.choices.rate(name, highest) for name, highest in sdk.FATES.items()}
        self._total = sum(self._rates.values())

    def _operations(self) -> dict[tuple[str, str], Callable[..., Any]]:
        found: dict[tuple[str, str], Callable[..., Any]] = {
            ("dynamodb", name): self._of_dynamodb(getattr(self._dynamodb, name))
            for name in ("put_item", "update_item", "delete_item", "get_item", "batch_get_item", "batch_write_item")
        }
        for name in ("query", "scan"):
            found["dynamodb", name] = self._of_dynamodb(self._dynamodb.query)
        found["sns", "publish"], found["sns", "publish_batch"] = self.sns.publish, self.sns.publish_batch
        found["secretsmanager", "get_secret_value"] = self.secrets.get_secret_value
        return found

    def _of_dynamodb(self, operation: Callable[[float, dict[str, Any]], Any]) -> Callable[..., Any]:
        def carry_out(request: dict[str, Any], invocation: Invocation, fate: str, called_at: float) -> Any:
            self.writer = invocation
            try:
                return operation(self.scheduler.now, request)
            finally:
                self.writer = None

        return carry_out

    writer: Invocation | None = None
    """The invocation that is writing; None while a user writes."""

    def note(self, what: str) -> None:
        self.history.account.append((self.scheduler.now, what))

    def fate(self, service: str, invocation: Invocation, read_timeout_s: float) -> tuple[str, float]:
        """Return the fault of a call, if any, and its duration in seconds."""
        now = self.scheduler.now
        for start, end, name, kind in self.outages:
            if name == service and start <= now < end:
                return kind, 0.0
        drawn: tuple[str, float] = self.choices.draw(
            ("fate", invocation.name, invocation.calls), ("", 0.0), self._total, lambda random: self._unusual(random)
        )
        fate, share = drawn
        return fate, share * read_timeout_s * 0.95

    def _unusual(self, random: Any) -> tuple[str, float]:
        (name,) = random.choices(list(self._rates), list(self._rates.values()))
        return name, random.random()

    def _number(self, kind: str, usual: Any, highest: float, unusual: Callable[[Any], Any]) -> Any:
        self._draws += 1
        return self.choices.draw((kind, self._draws), usual, self.choices.rate(kind, highest), unusual)

    def _lag_s(self, key: object) -> float:
        lag_s: float = self._number("index lag", 0.02, 0.3, lambda random: random.uniform(0, 10))
        return lag_s

    def _page_size(self) -> int:
        size: int = self._number("page size", 0, 0.3, lambda random: random.randint(1, 2))
        return size

    def _unprocessed(self) -> int:
        count: int = self._number("unprocessed", 0, 0.3, lambda random: random.randint(1, 3))
        return count

    def _price_written(self, key: tuple[Any, ...], old: Item | None, new: Item | None) -> None:
        """Keep when each price was stored, and what was deleted."""
        if new is None and old is not None:
            self.history.deleted_prices.append(old)
        elif (price := self.history.prices.get(key[1].split("#")[-1])) and price.stored_at is None:
            price.stored_at = self.scheduler.now
            received_at = self.writer.started_at if self.writer else price.stored_at
            price.age_s = sdk.EPOCH_S + received_at - price.stamp_ms / 1000

    def judge_line(self, invocation: Invocation, line: dict[str, Any]) -> None:
        """Keep what SendNotificationFunction logs about an arming."""
        if invocation.arming:
            self.history.outcomes.setdefault(invocation.arming, set()).add(line["outcome"])

    def _alert_written(self, key: tuple[Any, ...], old: Item | None, new: Item | None) -> None:
        """Keep who had which phone and arming when."""
        now, history = self.scheduler.now, self.history
        item = new or {}
        history.phones.setdefault(key, []).append((now, item.get("phoneNumber", {}).get("S")))
        generation = item.get("generation", {"S": None})
        history.current.setdefault(key, []).append((now, next(iter(generation.values()))))
        writer = self.writer
        if writer and old is None:
            history.resurrected.append(f"{key[1]} by {writer.name}")
        if writer and writer.arming and new and new.get("sentId") != (old or {}).get("sentId"):
            history.outcomes.setdefault(writer.arming, set()).add("recorded " + new["outcome"]["S"])
        if writer and new and "S" in new.get("messageId", {}):
            history.recorded_ids.add(new["messageId"]["S"])
