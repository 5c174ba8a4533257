"""A second evaluator of templates, which tries every deployment. It shares no code with `generator.template`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

Json = Any


class NotStated(Exception):
    """The template does not state the value: it comes from a parameter's value that is no default, or from outside."""


class Outside(NotStated):
    """The value is known in the account only."""


class Fails(Exception):
    """CloudFormation refuses this: a key that no mapping has, an index beyond a list, a structure inside a text."""


class Oracle:
    """The values of a template in one deployment: each parameter has one value, and each condition is evaluated anew.

    With `given` None, parameters have their defaults and nothing else is known.
    """

    def __init__(self, template: dict[str, Json], given: dict[str, str] | None = None, lazy: bool = False) -> None:
        self.template, self.given, self.lazy = template, given, lazy
        self.truths: dict[str, bool | NotStated] = {}
        self.defaults = {
            name: scalar(one["Default"]) for name, one in template["Parameters"].items() if "Default" in one
        }

    def lenient(self) -> Oracle:
        """Return the same deployment, where unused items of lists and unused keys may fail or be unknown."""
        return Oracle(self.template, self.given, lazy=True)

    def value(self, value: Json, ranges: bool = False) -> Json:  # noqa: C901 - one case for each function
        """Return texts, lists of texts, or None for AWS::NoValue.

        `ranges` is for conditions and keys of mappings, where parameters may have any value; elsewhere a parameter
        states its default only.
        """
        if isinstance(value, list):
            found = [self.item(item, ranges) for item in value]
            return [item for item in found if item is not None]
        if not isinstance(value, dict):
            return scalar(value)
        [(function, argument)] = value.items()
        if function == "Ref":
            return self.reference(argument, ranges)
        if function == "Fn::If":
            name, yes, no = argument
            return self.value(yes if self.holds({"Condition": name}) else no, ranges)
        if function == "Fn::FindInMap":
            return self.lookup(argument, ranges)
        if function == "Fn::Sub":
            return self.substitution(argument, ranges)
        if function == "Fn::Join":
            delimiter, parts = argument
            return delimiter.join(text(part) for part in self.value(parts, ranges))
        if function == "Fn::Split":
            return text(self.value(argument[1], ranges)).split(argument[0])
        if function == "Fn::Length":
            return str(len(self.value(argument, ranges)))
        if function == "Fn::Select":
            index, items = int(argument[0]), self.value(argument[1], ranges)
            if index >= len(items):
                raise Fails(f"no item {index}")
            if isinstance(items[index], Exception):
                raise items[index]
            return items[index]
        raise Outside(function)

    def item(self, value: Json, ranges: bool) -> Json:
        try:
            return self.value(value, ranges)
        except Outside as reason:
            return reason
        except (NotStated, Fails) as reason:
            if not self.lazy:
                raise
            return reason

    def reference(self, name: str, ranges: bool) -> Json:
        if name == "AWS::NoValue":
            return None
        if self.given is None:
            found = self.defaults.get(name)
        else:
            found = self.given[name]
            if not ranges and found != self.defaults.get(name):
                found = None
        if found is None:
            raise NotStated(name)
        is_list = self.template["Parameters"].get(name, {}).get("Type") == "CommaDelimitedList"
        return [part.strip() for part in found.split(",")] if is_list else found

    def lookup(self, arguments: Json, ranges: bool) -> Json:
        name, first = (text(self.value(key, ranges=True)) for key in arguments[:2])
        rows = self.template["Mappings"].get(name, {})
        is_decided = self.lazy and first not in rows and len(arguments) == 4
        second = "" if is_decided else text(self.value(arguments[2], ranges=True))
        if first in rows and second in rows[first]:
            return self.value(rows[first][second])
        if len(arguments) == 4:
            return self.value(arguments[3]["DefaultValue"], ranges)
        raise Fails(f"{name} has no {first}, {second}")

    def substitution(self, argument: Json, ranges: bool) -> str:
        pattern, own = argument if isinstance(argument, list) else (argument, {})
        pieces = pattern.split("${")
        result, outside = pieces[0], None
        for piece in pieces[1:]:
            name, rest = piece.split("}", 1)
            try:
                result += text(self.value(own.get(name, {"Ref": name}), ranges)) + rest
            except Outside as reason:
                outside = reason  # Unless another variable is not stated at all.
        if outside is not None:
            raise outside
        return result

    def holds(self, condition: Json) -> bool:
        """Return whether a condition holds. Raises NotStated if the defaults do not decide it."""
        [(function, argument)] = condition.items()
        if function == "Condition":
            return self.named(argument)
        if function == "Fn::Equals":
            return self.equal(*argument)
        if function == "Fn::Not":
            return not self.holds(argument[0])
        found: set[bool | None] = set()
        for part in argument:
            try:
                found.add(self.holds(part))
            except NotStated:
                found.add(None)
        decisive = function == "Fn::Or"
        if decisive in found:
            return decisive
        if None in found:
            raise NotStated(function)
        return not decisive

    def named(self, name: str) -> bool:
        if name not in self.truths:
            try:
                self.truths[name] = self.holds(self.template["Conditions"][name])
            except NotStated as reason:
                self.truths[name] = reason
        found = self.truths[name]
        if isinstance(found, NotStated):
            raise found
        return found

    def equal(self, one: Json, other: Json) -> bool:
        if plain(one) == plain(other):
            return True
        try:
            return bool(self.value(one, ranges=True) == self.value(other, ranges=True))
        except Fails as failure:
            if self.given is None:
                raise NotStated(str(failure)) from None
            return False

    def exists(self, function: str) -> bool:
        condition = self.template["Resources"][function].get("Condition")
        return condition is None or self.holds({"Condition": condition})

    def figure(self, function: str) -> int | str | None:
        """Return what a function reserves; None where it is absent, a text where it is no number."""
        properties = self.template["Resources"][function]["Properties"]
        if "Fn::If" in properties:
            name, yes, no = properties["Fn::If"]
            properties = yes if self.holds({"Condition": name}) else no
        found = self.value(properties.get("ReservedConcurrentExecutions", {"Ref": "AWS::NoValue"}))
        if found is None:
            return None
        return int(found) if isinstance(found, str) and found.isdigit() and len(found) < 10 else str(found)

    def total(self) -> int:
        """Return the sum of all figures that the template states in this deployment."""
        total = 0
        for function in self.template["Resources"]:
            try:
                figure = self.figure(function) if self.exists(function) else 0
            except (NotStated, Fails):
                continue
            total += figure if isinstance(figure, int) else 0
        return total


def scalar(value: Json) -> str:
    """Return a scalar as CloudFormation compares it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def text(value: Json) -> str:
    if isinstance(value, Exception):
        raise value
    if not isinstance(value, str):
        raise Fails(f"{value} is no text")
    return value


def expanded(template: dict[str, Json]) -> dict[str, Json]:
    """Return the template without loops: Fn::ForEach over literal lists and defaults of parameters."""
    oracle = Oracle(template)
    sections: dict[str, Json] = {}
    for section in ("Conditions", "Resources"):
        sections[section] = {}
        for key, value in template[section].items():
            if not key.startswith("Fn::ForEach::"):
                sections[section][key] = value
                continue
            variable, collection, outputs = value
            for item in oracle.value(collection):
                sections[section] |= replaced(outputs, variable, item)
    return {**template, **sections}


def replaced(value: Json, variable: str, item: str) -> Json:
    if value == {"Ref": variable}:
        return item
    if isinstance(value, dict):
        return {replaced(key, variable, item): replaced(inner, variable, item) for key, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, variable, item) for inner in value]
    return value.replace(f"${{{variable}}}", item) if isinstance(value, str) else value


def deployments(template: dict[str, Json], free: dict[str, list[str]]) -> Iterator[Oracle]:
    """Yield every deployment. `free` has the values to try of parameters that may have any."""
    names = list(free)
    domains = []
    for name in names:
        allowed = template["Parameters"].get(name, {}).get("AllowedValues")
        if not mentions(template, name):
            allowed = free[name][:1]
        domains.append([scalar(one) for one in allowed] if allowed else free[name])
    for values in product(*domains):
        yield Oracle(template, dict(zip(names, values, strict=True)))


def mentions(value: Json, name: str) -> bool:
    if isinstance(value, dict):
        return value.get("Ref") == name or any(mentions(inner, name) for inner in value.values())
    if isinstance(value, list):
        return any(mentions(inner, name) for inner in value)
    return isinstance(value, str) and f"${{{name}}}" in value


def plain(value: Json) -> Json:
    """Return a Ref in place of an Fn::Sub of a single reference."""
    match value:
        case {"Fn::Sub": str(pattern)} if pattern.startswith("${") and pattern.find("}") == len(pattern) - 1:
            return {"Ref": pattern[2:-1]}
    return value
