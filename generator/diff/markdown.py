"""Write a difference as Markdown for a pull request: six headlines first, then the evidence, each fact once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from generator._format import code, joined, markdown_table, prose
from generator.diff.iam.grants import ACTING, HOLDS, ONLY_IF, UNREAD, in_words, is_document
from generator.diff.model import (
    API_DEPLOYMENT_TYPES,
    CODE,
    AccessChange,
    Change,
    Difference,
    Effect,
    Rating,
    Resource,
)
from generator.diff.summary import consequences, headlines, rating
from generator.template.intrinsics import Json, as_list, is_intrinsic, template_text
from generator.template.schemas import Certainty

MAX_VALUE = 90
"""Characters of a value in a table; the JSON format has all of it."""

MAX_HEADLINE = 700
"""Characters of a headline, which may contain names of any length. An escaped character takes up to fourteen."""

MAX_REPORT = 65_000
"""Characters of a report; a comment on GitHub takes 65,536. Source: GitHub's answer "Body is too long"."""

RESERVATION = "Properties.ReservedConcurrentExecutions"

DOCUMENT = "policy document"

CONTEXT = 20
"""Characters kept before the first difference of a long value."""

REFERENCE = re.compile(r"((?<![^\s(])[^\s(]*\$\{[^}\s]*\}(?:[^\s,;)]*[^\s,;:.)])?)")
"""A word with a reference in it."""


def as_markdown(difference: Difference, old: str, new: str, most: int = MAX_REPORT) -> str:
    """Return the report, which starts with the six headlines.

    Sections beyond `most` characters are left out, the last ones first.
    """
    shown = tuple(SECTIONS)
    if difference.whole == Change.REMOVED:
        shown = ("Consequences",)
    elif difference.whole == Change.ADDED:  # An environment has a review page, and a file only new resources.
        shown = () if any(difference.rates) else ("IAM", "Reserved concurrency")
    contents = {title: "\n".join(SECTIONS[title](difference)) for title in shown}
    sections = {title: f"### {title}\n\n{content}" for title, content in contents.items() if content}
    head = [f"## {code(old)} → {code(new)}", "\n".join(_headlines(difference))]
    tail, left_out = list[str](), list[str]()
    while len(text := "\n\n".join([*head, *sections.values(), *tail])) > most and sections:
        left_out.insert(0, sections.popitem()[0])
        tail = [f"Left out to fit into a comment: {', '.join(left_out)}. The JSON format has everything."]
    return text


def _headlines(difference: Difference) -> Iterator[str]:
    is_bold = rating(difference) in (Rating.REVIEW, Rating.REJECTED)
    for title, whole in headlines(difference).items():
        line = whole if len(whole) <= MAX_HEADLINE else f"{whole[:MAX_HEADLINE]}…"
        yield f"- **{title}:** {f'**{_line(line)}**' if title == 'Verdict' and is_bold else _line(line)}"


def _consequences(difference: Difference) -> Iterator[str]:
    for line in consequences(difference):
        if difference.whole != Change.REMOVED or ": " in line.removeprefix("Removed: "):
            head, colon, rest = line.partition(":")
            yield f"- **{prose(head)}{colon}** {_line(rest.strip())}"


def _line(text: str) -> str:
    """Return a line with each reference, such as ${Name} in an ARN, as code, which a terminal shows as it is."""
    parts = REFERENCE.split(text)
    return "".join(code(part) if number % 2 else _prose(part) for number, part in enumerate(parts))


def _prose(text: str) -> str:
    """Return text as prose, with the spaces around it."""
    stripped = text.strip()
    return text.replace(stripped, prose(stripped)) if stripped else text


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """Return a table, or nothing if it has no rows."""
    rows = list(rows)
    return markdown_table(header, rows, right) if rows else []


def _iam(difference: Difference) -> Iterator[str]:
    rows = []
    for access in difference.iam:
        level = f"possibly {access.change}" if access.certainty == Certainty.POSSIBLE else access.change
        is_gone = (access.change == AccessChange.WIDENED) == (access.statement["Effect"] == "Deny")
        line = _statement_line(access.statement)
        rows.append([code(access.resource), f"**{level}**", f"no longer: {line}" if is_gone else line])
    yield from _table(["Resource", "Change", "Statement"], rows)
    if difference.iam_not_compared:
        yield "\nNot compared, check these yourself:\n" if rows else "Not compared, check these yourself:\n"
        for skipped in difference.iam_not_compared:
            yield f"- {code(skipped.id)} ({prose(skipped.type)}): {prose(skipped.reason)}"


def _statement_line(statement: Mapping[str, Json]) -> str:
    """Return a statement in one line."""
    if ACTING in statement.get("Condition", {}):
        return f"runs as {', '.join(map(code, _names(statement['Resource'])))}"
    parts = [str(statement["Effect"])]
    are_unread = all(name.startswith(UNREAD) for name in _names(statement.get("Action", "")))
    for element, word in (("Action", ""), ("Resource", "on"), ("Principal", "for")):
        for key, but in ((element, ""), (f"Not{element}", "everything but")):
            names = _names(statement.get(key))
            if names and not (names == ["*"] and word == "on" and are_unread):
                parts += [part for part in (word, but, ", ".join(map(_element, names))) if part]
    if condition := statement.get("Condition"):
        parts.append(f"if {' and '.join(_conditions(condition))}")
    return " ".join(parts)


def _element(name: str) -> str:
    """Return an action, resource or principal as code, or the policy that stands for its actions."""
    prefix = next((prefix for prefix in UNREAD if name.startswith(prefix)), "")
    return f"everything in the {prefix}{code(name.removeprefix(prefix))}" if prefix else code(name)


def _conditions(condition: Mapping[str, Json]) -> Iterator[str]:
    """Yield the conditions of the template in words, then those on the request as IAM writes them."""
    for key, values in condition.get(ONLY_IF, {}).items():
        yield prose(in_words(key)) if tuple(values) == HOLDS else f"{prose(key)} is {', '.join(map(code, values))}"
    if on_request := {operator: keys for operator, keys in condition.items() if operator != ONLY_IF}:
        yield code(json.dumps(on_request))


def _names(value: Json) -> list[str]:
    if isinstance(value, Mapping):
        return [name for names in value.values() for name in names]
    return as_list(value)


def _reservations(difference: Difference) -> list[str]:
    rows = [[code(entry.id), _figure(entry.old), _figure(entry.new)] for entry in difference.reservations.changed]
    return _table(["Function", "Old", "New"], rows, right=[1, 2])


def _figure(reserved: Json) -> str:
    if isinstance(reserved, list):
        return " or ".join(map(_figure, reserved))
    return "-" if reserved is None else code(_cut(_one_line(reserved), 0))


def _alarms(difference: Difference) -> list[str]:
    rows = []
    for alarm in difference.alarms:
        effect = "" if alarm.effect == Effect.OTHER else f"fires {alarm.effect}"
        rows.append([code(alarm.id), alarm.setting, *_pair(alarm.old, alarm.new), effect])
    return _table(["Alarm", "Setting", "Old", "New", "Effect"], rows)


def _resources(difference: Difference) -> Iterator[str]:
    """Yield the changed resources without what another section shows."""
    elsewhere = _shown_elsewhere(difference)
    rows = (row for resource in difference.resources for row in _resource_rows(resource, elsewhere))
    yield from _table(["Resource", "Change", "Property", "Old", "New"], rows)
    if repeated := dict.fromkeys(name for name, _ in _repeated_limits(difference)):
        yield f"\nThe throttling of {joined([code(name) for name in repeated])} changes to the same limits."


def _shown_elsewhere(difference: Difference) -> set[tuple[str, str]]:
    """Return the resources and properties that other sections, or the usage plan's rows, show."""
    return {
        *_repeated_limits(difference),
        *((function.id, RESERVATION) for function in difference.reservations.changed),
        *((handler.id, f"Properties.{path}") for handler in difference.handlers for path in CODE),
        *((alarm.id, f"Properties.{alarm.setting}") for alarm in difference.alarms),
        *((access.resource, DOCUMENT) for access in difference.iam),
    }


def _repeated_limits(difference: Difference) -> Iterator[tuple[str, str]]:
    """Yield the limits of a stage's methods that change as those of a usage plan do: a stage repeats its plan's."""
    plans = [resource for resource in difference.resources if resource.type == "AWS::ApiGateway::UsagePlan"]
    limits = [(prop.path.rpartition(".")[2], prop.old, prop.new) for plan in plans for prop in plan.properties]
    for resource in difference.resources:
        for prop in resource.properties if resource.type == "AWS::ApiGateway::Stage" else ():
            if (prop.path.rpartition(".Throttling")[2], prop.old, prop.new) in limits:
                yield resource.id, prop.path


def _resource_rows(resource: Resource, elsewhere: set[tuple[str, str]]) -> Iterator[list[str]]:
    """Yield one row for each property, or one for a new resource."""
    notes = prose("; ".join(resource.notes))
    first = [code(resource.id), resource.change]
    if resource.change == Change.ADDED:
        yield [*first, notes or prose(resource.type), "", ""]
    for prop in resource.properties:
        is_policy = is_document(prop.old) or is_document(prop.new)
        place = DOCUMENT if is_policy else re.sub(r"^(Properties\.\w+)\b.*", r"\1", prop.path)
        if (resource.id, place) not in elsewhere and (resource.id, prop.path) not in elsewhere:
            same = "see IAM" if any(place == DOCUMENT for _, place in elsewhere) else "same permissions"
            values = [same, same] if place == DOCUMENT else _pair(prop.old, prop.new)
            yield [*first, code(prop.path.removeprefix("Properties.")), *values]
            first = ["", ""]
    if resource.properties and resource.notes and resource.type in API_DEPLOYMENT_TYPES:
        yield [*first, notes, "", ""]


def _parts(difference: Difference) -> Iterator[str]:
    rows = (
        [code(part.path), *_pair(part.old, part.new), ", ".join(map(code, part.affects))]
        for part in difference.parts
        # An environment's description repeats its rate and its reservations.
        if part.path != "Description" or not any(difference.rates)
    )
    yield from _table(["What", "Old", "New", "Resources that depend on it"], rows)
    if any(part.path.startswith("Parameters.") and part.path.endswith(".Default") for part in difference.parts):
        yield "\nA default applies to new stacks; an existing stack keeps its value until it is given another."


def _handlers(difference: Difference) -> Iterator[str]:
    for handler in difference.handlers:
        longest = max((len(ticks) for ticks in re.findall("`+", handler.diff)), default=0)
        fence = "`" * max(3, longest + 1)
        yield f"{code(handler.id)}\n\n{fence}diff\n{handler.diff}\n{fence}\n"


def _pair(old: Json, new: Json) -> list[str]:
    """Return both values; long ones start shortly before the first difference."""
    lines = [_one_line(old), _one_line(new)]
    start = 0
    if None not in (old, new) and max(map(len, lines)) > MAX_VALUE:
        pairs = enumerate(zip(*lines, strict=False))
        start = max(0, next((i for i, (a, b) in pairs if a != b), min(map(len, lines))) - CONTEXT)
    return ["" if value is None else code(_cut(line, start)) for value, line in zip((old, new), lines, strict=True)]


def _cut(line: str, start: int) -> str:
    cut = line[start : start + MAX_VALUE]
    return ("…" if start else "") + cut + ("…" if start + MAX_VALUE < len(line) else "")


def _one_line(value: Json) -> str:
    if isinstance(value, str):
        return value
    written = template_text(value) if is_intrinsic(value) else None
    return json.dumps(value, ensure_ascii=False) if written is None else written


SECTIONS: Mapping[str, Callable[[Difference], Iterable[str]]] = {
    "Consequences": _consequences,
    "IAM": _iam,
    "Reserved concurrency": _reservations,
    "Alarms": _alarms,
    "Resources": _resources,
    "Parameters and the rest": _parts,
    "Code": _handlers,
}
"""The sections of a report, in this order."""
