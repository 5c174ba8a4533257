"""The alerts of a deployed stack: read, add, arm again and remove them, one item each."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from generator.account.connection import PAGES_S, Unavailable, document, partition, statement, use_of_keys
from generator.account.live_stack import LiveStack, find_stack
from generator.stack import alerts, names
from generator.stack.alerts import Alert, Item
from generator.template.intrinsics import Json

MAX_PRICE_PAGES = 20
"""Pages of prices, of 1 MB each, to search for the price that fired an alert."""

MAX_AHEAD_MS = 300_000
"""The most by which a price's time may be ahead of its acceptance, as in ProcessWebhook's handler."""

_TIME_MS = re.compile("[0-9]{1,13}")


class FiringPrice(NamedTuple):
    """The first price at or past the threshold of an alert since it was armed, and the time of that price."""

    price: str
    timestamp_ms: str


@dataclass(frozen=True, slots=True)
class AlertsTable:
    """The alerts table of a stack. Every method raises Unavailable if AWS refuses a call."""

    stack: LiveStack

    def add(self, user_id: str, alert_id: str, arming: Item, phone_number: str) -> bool:
        """Write a new alert. Return False, and write nothing, if it exists."""
        item = alerts.item(user_id, alert_id, arming, phone_number)
        return self._change("PutItem", Item=item, ConditionExpression="attribute_not_exists(userId)")

    def get(self, user_id: str, alert_id: str) -> Alert | None:
        """Return an alert, or None if there is none."""
        item = self._call("GetItem", Key=alerts.key(user_id, alert_id), ConsistentRead=True).get("Item")
        return alerts.read(item) if item else None

    def read(self, user_id: str | None = None) -> Iterator[Alert]:
        """Yield the alerts of one user, or all of them. Reads the table page by page, as far as needed."""
        operation, arguments = "Scan", dict[str, Any]()
        if user_id is not None:
            operation, arguments["KeyConditionExpression"] = "Query", "userId = :user"
            arguments["ExpressionAttributeValues"] = {":user": {"S": user_id}}
        for page in self._pages(operation, names.PRICE_ALERTS_TABLE, **arguments):
            yield from map(alerts.read, page)

    def rearm(self, user_id: str, alert_id: str, arming: Item, phone_number: str | None) -> bool:
        """Arm an existing alert again. Return False, and write nothing, if it does not exist.

        A pending notification of an earlier arming is dropped.
        """
        attributes = {**arming, **({"phoneNumber": {"S": phone_number}} if phone_number else {})}
        return self._change(
            "UpdateItem",
            Key=alerts.key(user_id, alert_id),
            UpdateExpression=f"SET {', '.join(f'{name} = :{name}' for name in attributes)}",
            ExpressionAttributeValues={f":{name}": value for name, value in attributes.items()},
            ConditionExpression="attribute_exists(userId)",
        )

    def remove(self, user_id: str, alert_id: str) -> bool:
        """Delete an alert. Return False if it does not exist."""
        key = alerts.key(user_id, alert_id)
        return self._change("DeleteItem", Key=key, ConditionExpression="attribute_exists(userId)")

    def firing_price(self, alert: Alert) -> FiringPrice | None:
        """Return the price that fired an alert, from the price table, because the alert's item does not record it.

        Return None if the alert is armed, or if the table's first pages have no such price.
        """
        armed_at_ms, threshold = alert.armed_at_ms or "", Decimal(alert.threshold or "NaN")
        is_known = _TIME_MS.fullmatch(armed_at_ms) and alert.symbol and not threshold.is_nan()
        if alert.state in (alerts.State.ARMED, alerts.State.MALFORMED) or not is_known:
            return None
        prices = self._prices(alert.symbol or "", int(armed_at_ms), alert.settled_at_ms or "")
        is_past = Decimal.__ge__ if alert.direction == "above" else Decimal.__le__
        return next((found for found in prices if is_past(Decimal(found.price), threshold)), None)

    def _prices(self, symbol: str, from_ms: int, settled_at_ms: str) -> Iterator[FiringPrice]:
        """Yield each price that could have fired an alert, the oldest first."""
        until_ms = int(settled_at_ms) + MAX_AHEAD_MS if _TIME_MS.fullmatch(settled_at_ms) else alerts.END_OF_TIME_MS - 1
        values = {":symbol": symbol, ":from": f"{from_ms:013d}", ":until": f"{until_ms:013d}~"}
        pages = self._pages(
            "Query",
            names.PRICE_HISTORY_TABLE,
            KeyConditionExpression="symbol = :symbol AND observation BETWEEN :from AND :until",
            FilterExpression="attribute_not_exists(stale)",
            ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
        )
        for row in itertools.chain.from_iterable(itertools.islice(pages, MAX_PRICE_PAGES)):
            price = row.get("price", {}).get("S", "")
            if alerts.is_number(price):
                yield FiringPrice(price, row["observation"]["S"][:13])

    def _pages(self, operation: str, table: str, **arguments: Any) -> Iterator[list[Any]]:
        until = time.monotonic() + PAGES_S
        while True:
            if time.monotonic() > until:
                what = f"the table {self.stack.physical_id(table)} cannot be read within {PAGES_S} s"
                raise Unavailable(what, "name a --user, or lower --limit")
            answer = self._call(operation, table, **arguments)
            yield answer.get("Items", [])
            if not answer.get("LastEvaluatedKey"):
                return
            arguments["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _change(self, operation: str, **arguments: Any) -> bool:
        try:
            self._call(operation, **arguments)
        except Unavailable as unavailable:
            if unavailable.code != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def _call(self, operation: str, table: str = names.PRICE_ALERTS_TABLE, **arguments: Any) -> dict[str, Any]:
        table_name = self.stack.physical_id(table)
        return self.stack.account.request("dynamodb", operation, TableName=table_name, **arguments)


def policy(region: str, stack_name: str) -> dict[str, Json]:
    """Return the least IAM policy for a stack's alerts, with resources by the names that CloudFormation gives them.

    Raises UnreachableAccount if AWS has no such Region.
    """
    tables = f"arn:{partition(region)}:dynamodb:{region}:*:table/{stack_name}"
    changes = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Scan", "dynamodb:UpdateItem"]
    return document(
        find_stack(region, stack_name),
        statement([*changes, "dynamodb:Query"], [f"{tables}-{names.PRICE_ALERTS_TABLE}-*"]),
        statement(["dynamodb:Query"], [f"{tables}-{names.PRICE_HISTORY_TABLE}-*"]),
        use_of_keys(region, ["dynamodb"], ["kms:Decrypt"]),
    )
