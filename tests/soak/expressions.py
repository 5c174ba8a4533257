"""DynamoDB's expressions, as far as the handlers use them. Anything else raises `NotSimulated`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

Value = dict[str, Any]
"""A value as the API takes it, such as {"S": "text"}."""
Item = dict[str, Value]
Values = dict[str, Value]
Operand = Callable[[Item, Values], Value | None]
Condition = Callable[[Item, Values], bool]
Update = Callable[[Item, Values], Item]

TOKEN = re.compile(r"\s*(<=|>=|<>|[=<>(),+-]|[:#]?[A-Za-z_][A-Za-z0-9_]*)")
SETS = {"SS", "NS", "BS"}


class NotSimulated(Exception):
    """An expression or operation that no handler used when this was written. Add it here, with moto as the judge."""


def comparable(value: Value) -> tuple[str, Any]:
    """Return the type and a value that compares as in DynamoDB."""
    ((kind, content),) = value.items()
    if kind == "N":
        return kind, Decimal(content)
    if kind in SETS:
        return kind, frozenset(map(Decimal, content) if kind == "NS" else content)
    return kind, content


def same(one: Value | None, other: Value | None) -> bool:
    """Return whether two values are equal. A missing value equals nothing."""
    return one is not None and other is not None and comparable(one) == comparable(other)


def normal(value: Value) -> Value:
    """Return the value as DynamoDB stores it: numbers without leading and trailing zeros."""
    if "N" in value:
        return {"N": _number(value["N"])}
    if "NS" in value:
        return {"NS": [_number(one) for one in value["NS"]]}
    return value


@lru_cache(4096)
def _number(text: str) -> str:
    return text if text.isdigit() and text[0] != "0" else f"{Decimal(text).normalize():f}"


class _Parser:
    """A recursive descent over the tokens of one expression."""

    def __init__(self, text: str, names: dict[str, str]) -> None:
        self.tokens, self.names, position = [], names, 0
        for found in TOKEN.finditer(text):
            if found.start() != position:
                break
            self.tokens.append(found[1])
            position = found.end()
        if text[position:].strip():
            raise NotSimulated(text)
        self.text = text

    def peek(self) -> str:
        return self.tokens[0].upper() if self.tokens else ""

    def take(self, *wanted: str) -> str:
        token = self.tokens.pop(0) if self.tokens else ""
        if wanted and token.upper() not in wanted:
            raise NotSimulated(self.text)
        return token

    def path(self) -> str:
        token = self.take()
        if token.startswith("#"):
            return self.names[token]
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", token):
            raise NotSimulated(self.text)
        return token

    def operand(self) -> Operand:
        if self.peek().startswith(":"):
            name = self.take()
            return lambda item, values: values[name]
        if self.peek() == "IF_NOT_EXISTS":
            self.take(), self.take("(")
            path = self.path()
            self.take(",")
            other = self.operand()
            self.take(")")
            return lambda item, values: item.get(path) or other(item, values)
        path = self.path()
        return lambda item, values: item.get(path)

    def either(self) -> Condition:
        parts = [self.both()]
        while self.peek() == "OR":
            self.take()
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda item, values: any(part(item, values) for part in parts)

    def both(self) -> Condition:
        parts = [self.single()]
        while self.peek() == "AND":
            self.take()
            parts.append(self.single())
        return parts[0] if len(parts) == 1 else lambda item, values: all(part(item, values) for part in parts)

    def single(self) -> Condition:
        if self.peek() == "NOT":
            self.take()
            inner = self.single()
            return lambda item, values: not inner(item, values)
        if self.peek() == "(":
            self.take()
            within = self.either()
            self.take(")")
            return within
        if len(self.tokens) > 1 and self.tokens[1] == "(":
            return self.function()
        return self.comparison()

    def function(self) -> Condition:
        name = self.take().lower()
        self.take("(")
        path = self.path()
        others = []
        while self.peek() == ",":
            self.take()
            others.append(self.operand())
        self.take(")")
        if name in ONE_ARGUMENT and not others:
            known = ONE_ARGUMENT[name]
            return lambda item, values: known(item.get(path))
        if name in TWO_ARGUMENTS and len(others) == 1:
            of_two, (other,) = TWO_ARGUMENTS[name], others
            return lambda item, values: path in item and of_two(item[path], other(item, values) or {"NULL": True})
        raise NotSimulated(self.text)

    def comparison(self) -> Condition:
        left, sign = self.operand(), self.take().upper()
        if sign == "BETWEEN":
            low = self.operand()
            self.take("AND")
            high = self.operand()
            return lambda item, values: (
                _compare(operator.ge, left(item, values), low(item, values))
                and _compare(operator.le, left(item, values), high(item, values))
            )
        if sign == "IN":
            self.take("(")
            options = [self.operand()]
            while self.peek() == ",":
                self.take()
                options.append(self.operand())
            self.take(")")
            return lambda item, values: any(same(left(item, values), option(item, values)) for option in options)
        if sign not in COMPARATORS:
            raise NotSimulated(self.text)
        compare, right = COMPARATORS[sign], self.operand()
        return lambda item, values: compare(left(item, values), right(item, values))

    def assigned(self) -> Operand:
        left = self.operand()
        if self.peek() not in {"+", "-"}:
            return left
        sign, right = (1 if self.take() == "+" else -1), self.operand()

        def total(item: Item, values: Values) -> Value:
            one, other = left(item, values), right(item, values)
            if one is None or other is None:
                raise ValueError("an operand of an update is missing")
            return {"N": str(Decimal(one["N"]) + sign * Decimal(other["N"]))}

        return total


def _compare(compare: Callable[[Any, Any], bool], one: Value | None, other: Value | None) -> bool:
    if one is None or other is None or one.keys() != other.keys():
        return False
    return compare(comparable(one)[1], comparable(other)[1])


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Value | None, Value | None], bool]:
    return lambda one, other: _compare(compare, one, other)


def _contains(value: Value, part: Value) -> bool:
    ((kind, content),) = value.items()
    if kind in SETS:
        return same({kind: sorted({*map(str, content)})}, _with(kind, content, part))
    if kind == "S":
        return "S" in part and part["S"] in content
    return kind == "L" and any(same(one, part) for one in content)


def _with(kind: str, content: list[str], part: Value) -> Value | None:
    """Return the set with the part added, or None if the part is of another type."""
    return {kind: sorted({*map(str, content), part[kind[0]]})} if kind[0] in part else None


ONE_ARGUMENT: dict[str, Callable[[Value | None], bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
}
TWO_ARGUMENTS: dict[str, Callable[[Value, Value], bool]] = {
    "attribute_type": lambda value, kind: kind.get("S") in value,
    "begins_with": lambda value, start: "S" in value and "S" in start and value["S"].startswith(start["S"]),
    "contains": _contains,
}
COMPARATORS: dict[str, Callable[[Value | None, Value | None], bool]] = {
    "=": same,
    "<>": lambda one, other: not same(one, other),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
}


def condition(text: str, names: dict[str, str] | None = None) -> Condition:
    """Return a condition, filter or key condition as a function of an item and the values."""
    return _condition(text, tuple((names or {}).items()))


@lru_cache(1024)
def _condition(text: str, names: tuple[tuple[str, str], ...]) -> Condition:
    parser = _Parser(text, dict(names))
    found = parser.either()
    if parser.tokens:
        raise NotSimulated(text)
    return found


def update(text: str, names: dict[str, str] | None = None) -> Update:
    """Return an update expression as a function from an item and the values to the new item."""
    return _update(text, tuple((names or {}).items()))


@lru_cache(1024)
def _update(text: str, names: tuple[tuple[str, str], ...]) -> Update:
    parser = _Parser(text, dict(names))
    steps: list[Callable[[Item, Item, Values], None]] = []
    while parser.tokens:
        steps += _clause(parser, parser.take("SET", "REMOVE", "ADD", "DELETE").upper())

    def changed(item: Item, values: Values) -> Item:
        new = dict(item)
        for step in steps:
            step(item, new, values)
        return new

    return changed


def _clause(parser: _Parser, kind: str) -> Iterator[Callable[[Item, Item, Values], None]]:
    while True:
        path = parser.path()
        if kind == "SET":
            parser.take("=")
            yield _set(path, parser.assigned())
        elif kind == "REMOVE":
            yield _remove(path)
        else:
            yield (_add if kind == "ADD" else _delete)(path, parser.operand())
        if parser.peek() != ",":
            return
        parser.take()


def _set(path: str, operand: Operand) -> Callable[[Item, Item, Values], None]:
    def step(old: Item, new: Item, values: Values) -> None:
        value = operand(old, values)
        if value is None:
            raise ValueError("an operand of an update is missing")
        new[path] = normal(value)

    return step


def _remove(path: str) -> Callable[[Item, Item, Values], None]:
    return lambda old, new, values: (new.pop(path, None), None)[1]


def _add(path: str, operand: Operand) -> Callable[[Item, Item, Values], None]:
    def step(old: Item, new: Item, values: Values) -> None:
        added, present = operand(old, values) or {}, old.get(path)
        ((kind, content),) = added.items()
        if present is not None and present.keys() != added.keys():
            raise ValueError("type of an update's operand")
        if kind == "N":
            new[path] = normal({"N": str(Decimal(content) + Decimal(present["N"] if present else 0))})
        elif kind in SETS:
            new[path] = normal({kind: sorted({*content, *(present[kind] if present else ())})})
        else:
            raise ValueError("type of an update's operand")

    return step


def _delete(path: str, operand: Operand) -> Callable[[Item, Item, Values], None]:
    def step(old: Item, new: Item, values: Values) -> None:
        taken, present = operand(old, values) or {}, old.get(path)
        ((kind, content),) = taken.items()
        if kind not in SETS or (present is not None and kind not in present):
            raise ValueError("type of an update's operand")
        if present is not None:
            left = [one for one in present[kind] if one not in content]
            new[path] = {kind: left}
            if not left:
                del new[path]

    return step
