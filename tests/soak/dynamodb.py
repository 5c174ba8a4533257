"""DynamoDB in memory: the operations that the handlers call, an index that lags, and changes for the stream."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.soak import expressions
from tests.soak.expressions import Item, Values

Key = tuple[Any, ...]
Changed = Callable[[Key, Item | None, Item | None], None]


class ServiceError(Exception):
    """An answer of a service other than success: its code, its message and what else the answer contains."""

    def __init__(self, code: str, message: str = "", **more: Any) -> None:
        super().__init__(code, message)
        self.code, self.message, self.more = code, message, more


class Index:
    """A secondary index. An item appears in it some time after it was written."""

    def __init__(self, properties: dict[str, Any], types: dict[str, str], table_keys: tuple[str, ...]) -> None:
        self.keys = tuple(key["AttributeName"] for key in properties["KeySchema"])
        self.types = {name: types[name] for name in self.keys}
        projected = properties["Projection"].get("NonKeyAttributes", ())
        self.attributes = (*table_keys, *self.keys, *projected)
        self.items: dict[Key, Item] = {}
        self._pending: list[tuple[float, Key, Item | None]] = []
        self.shown_at: dict[Key, float] = {}

    def put(self, key: Key, item: Item | None, shown_at: float) -> None:
        """Let the item appear at that time, but not before an earlier version of it."""
        is_in = item is not None and all(name in item for name in self.keys)
        shown_at = self.shown_at[key] = max(shown_at, self.shown_at.get(key, 0.0))
        view = {name: item[name] for name in self.attributes if name in item} if is_in and item else None
        self._pending.append((shown_at, key, view))

    def current(self, now: float) -> dict[Key, Item]:
        """Return what the index shows now."""
        if self._pending:
            waiting = []
            for shown_at, key, view in self._pending:
                if shown_at > now:
                    waiting.append((shown_at, key, view))
                elif view is None:
                    self.items.pop(key, None)
                else:
                    self.items[key] = view
            self._pending = waiting
        return self.items


class Table:
    """One table, with keys and indexes as in the template."""

    def __init__(self, properties: dict[str, Any], lag_s: Callable[[Key], float]) -> None:
        self.types = {one["AttributeName"]: one["AttributeType"] for one in properties["AttributeDefinitions"]}
        self.keys = tuple(key["AttributeName"] for key in properties["KeySchema"])
        self.items: dict[Key, Item] = {}
        self.listeners: list[Changed] = []
        self.indexes = {
            one["IndexName"]: Index(one, self.types, self.keys) for one in properties.get("GlobalSecondaryIndexes", ())
        }
        self._lag_s = lag_s

    def key_of(self, item: Item) -> Key:
        try:
            return tuple(item[name][self.types[name]] for name in self.keys)
        except KeyError:
            raise ServiceError("ValidationException", "a key is missing or has another type") from None

    def write(self, key: Key, new: Item | None, now: float) -> None:
        """Replace or delete an item."""
        old = self.items.get(key)
        for index in self.indexes.values():
            for name, kind in index.types.items():
                if new and name in new and kind not in new[name]:
                    raise ServiceError("ValidationException", "type mismatch for an index key")
        if new is None:
            self.items.pop(key, None)
        else:
            self.items[key] = new
        for index in self.indexes.values():
            index.put(key, new, now + self._lag_s(key))
        for listener in self.listeners:
            listener(key, old, new)


class DynamoDB:
    """The tables of the stack behind the operations of the API."""

    def __init__(self, tables: dict[str, Table], page_size: Callable[[], int], unprocessed: Callable[[], int]) -> None:
        self.tables = tables
        self._page_size, self._unprocessed = page_size, unprocessed

    def put_item(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        table = self.tables[request["TableName"]]
        item = {name: expressions.normal(value) for name, value in request["Item"].items()}
        key = table.key_of(item)
        old = table.items.get(key)
        _check(request, old)
        table.write(key, item, now)
        return {"Attributes": old} if old and request.get("ReturnValues") == "ALL_OLD" else {}

    def update_item(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        table = self.tables[request["TableName"]]
        key = table.key_of(request["Key"])
        old = table.items.get(key)
        _check(request, old)
        change = expressions.update(request["UpdateExpression"], request.get("ExpressionAttributeNames"))
        before = old or {name: expressions.normal(value) for name, value in request["Key"].items()}
        try:
            new = change(before, request.get("ExpressionAttributeValues") or {})
        except ValueError as error:
            raise ServiceError("ValidationException", str(error)) from None
        table.write(key, new, now)
        return _returned(request.get("ReturnValues", "NONE"), old or {}, new)

    def delete_item(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        table = self.tables[request["TableName"]]
        key = table.key_of(request["Key"])
        old = table.items.get(key)
        _check(request, old)
        if old is not None:
            table.write(key, None, now)
        return {"Attributes": old} if old and request.get("ReturnValues") == "ALL_OLD" else {}

    def get_item(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        table = self.tables[request["TableName"]]
        item = table.items.get(table.key_of(request["Key"]))
        return {} if item is None else {"Item": _projected(request, item)}

    def batch_get_item(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        """Return all but the last few items, and the keys of those as unprocessed."""
        ((name, wanted),) = request["RequestItems"].items()
        keys, table = wanted["Keys"], self.tables[name]
        if not 0 < len(keys) <= 100:
            raise ServiceError("ValidationException", "1 to 100 keys are allowed")
        done = len(keys) - min(self._unprocessed(), len(keys))
        found = [
            _projected(wanted, table.items[key]) for one in keys[:done] if (key := table.key_of(one)) in table.items
        ]
        left = {name: {**wanted, "Keys": keys[done:]}} if keys[done:] else {}
        return {"Responses": {name: found}, "UnprocessedKeys": left}

    def batch_write_item(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        """Carry out all but the last few requests, and return those as unprocessed."""
        orders = [(name, order) for name, several in request["RequestItems"].items() for order in several]
        if not 0 < len(orders) <= 25:
            raise ServiceError("ValidationException", "1 to 25 requests are allowed")
        done = len(orders) - min(self._unprocessed(), len(orders))
        for name, order in orders[:done]:
            if "PutRequest" in order:
                self.put_item(now, {"TableName": name, **order["PutRequest"]})
            else:
                self.delete_item(now, {"TableName": name, **order["DeleteRequest"]})
        left: dict[str, list[Any]] = {}
        for name, order in orders[done:]:
            left.setdefault(name, []).append(order)
        return {"UnprocessedItems": left}

    def query(self, now: float, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page. DynamoDB limits it before it filters, so that a page can be empty and not the last."""
        table = self.tables[request["TableName"]]
        index = table.indexes[request["IndexName"]] if "IndexName" in request else None
        view, order = (index.current(now), index.keys) if index else (table.items, table.keys)
        names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues") or {}
        # A scan has no key condition.
        wanted = expressions.condition(request.get("KeyConditionExpression", EVERY_ITEM), names)
        sort = _sort_key(order[1], table.keys)
        found = sorted((item for item in view.values() if wanted(item, values)), key=sort)
        if not request.get("ScanIndexForward", True):
            found.reverse()
        if start := request.get("ExclusiveStartKey"):
            after = sort(start)
            found = [item for item in found if sort(item) > after]
        limit = min(request.get("Limit", 1_000_000), self._page_size() or 1_000_000)
        page, more = found[:limit], len(found) > limit
        kept = page
        if "FilterExpression" in request:
            keep = expressions.condition(request["FilterExpression"], names)
            kept = [item for item in page if keep(item, values)]
        answer: dict[str, Any] = {"Items": [_projected(request, item) for item in kept]}
        answer |= {"Count": len(kept), "ScannedCount": len(page)}
        if more:
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in {*table.keys, *order}}
        return answer


EVERY_ITEM = "attribute_not_exists(no_such_attribute)"


def _sort_key(name: str, table_keys: tuple[str, ...]) -> Callable[[Item], Any]:
    def key(item: Item) -> Any:
        value = item[name]
        first = Decimal(value["N"]) if "N" in value else next(iter(value.values()))
        return (first, *(next(iter(item[one].values())) for one in table_keys))

    return key


def _check(request: dict[str, Any], old: Item | None) -> None:
    text = request.get("ConditionExpression")
    if text is None:
        return
    holds = expressions.condition(text, request.get("ExpressionAttributeNames"))
    values: Values = request.get("ExpressionAttributeValues") or {}
    if not holds(old or {}, values):
        shown = request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and old
        more = {"Item": dict(old or {})} if shown else {}
        raise ServiceError("ConditionalCheckFailedException", "The conditional request failed", **more)


def _returned(wanted: str, old: Item, new: Item) -> dict[str, Any]:
    if wanted == "NONE":
        return {}
    item: Item = old if wanted.endswith("OLD") else new
    if wanted.startswith("UPDATED"):
        changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
        item = {name: value for name, value in item.items() if name in changed}
    return {"Attributes": dict(item)} if item else {}


def _projected(request: dict[str, Any], item: Item) -> Item:
    text: str | None = request.get("ProjectionExpression")
    if text is None:
        return dict(item)
    names: dict[str, str] = request.get("ExpressionAttributeNames") or {}
    paths = [names.get(path.strip(), path.strip()) for path in text.split(",")]
    return {path: item[path] for path in paths if path in item}
