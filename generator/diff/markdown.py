"""Write a difference as Markdown for a pull request: six headlines first, then the evidence, each fact once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from generator._format import code, joined, markdown_table, prose
from generator.diff.iam.grants import ACTING, HOLDS, ONLY_IF, UNREAD, in_words, is_document
from generator.diff.model import (
    API_DEPLOYMENT_TYPES,
    Access,
    AccessChange,
    Change,
    Difference,
    Effect,
    Rating,
    Resource,
)
from generator.diff.resources import CODE
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

SECTIONS = "Consequences", "IAM", "Reserved concurrency", "Alarms", "Resources", "Parameters and the rest", "Code"


def as_markdown(difference: Difference, old: str, new: str, most: int = MAX_REPORT) -> str:
    """Return the report, which starts with the six headlines.

    Sections beyond `most` characters are left out, the last ones first.
    """
    head = [f"## {code(old)} → {code(new)}", "\n".join(_headlines(difference))]
    writers = (_consequences, _iam, _reservations, _alarms, _resources, _parts, _handlers)
    contents = ((title, "\n".join(write(difference))) for title, write in zip(SECTIONS, writers, strict=True))
    wanted = _sections(difference)
    sections = [(title, f"### {title}\n\n{content}") for title, content in contents if content and title in wanted]
    text, left_out = _joined(head, sections, []), list[str]()
    while sections and len(text) > most:
        left_out.insert(0, sections.pop()[0])
        text = _joined(
            head, sections, [f"Left out to fit into a comment: {', '.join(left_out)}. The JSON format has everything."]
        )
    return text


def _sections(difference: Difference) -> Sequence[str]:
    """Return the sections to show. A new environment has a review page, and a new file has only new resources."""
    if difference.whole == Change.CHANGED:
        return SECTIONS
    if difference.whole == Change.REMOVED:
        return ("Consequences",)
    return () if any(difference.rates) else ("IAM", "Reserved concurrency")


def _joined(head: list[str], sections: list[tuple[str, str]], tail: list[str]) -> str:
    return "\n\n".join([*head, *(content for _, content in sections), *tail])


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


def _iam(difference: Difference) -> Iterator[str]:
    if difference.iam:
        rows = (
            [code(access.resource), f"**{_level(access)}**", _no_longer(access) + _statement_line(access.statement)]
            for access in difference.iam
        )
        yield from markdown_table(["Resource", "Change", "Statement"], rows)
    if difference.iam and difference.iam_not_compared:
        yield ""
    if difference.iam_not_compared:
        yield "Not compared, check these yourself:\n"
        for skipped in difference.iam_not_compared:
            yield f"- {code(skipped.id)} ({prose(skipped.type)}): {prose(skipped.reason)}"


def _level(access: Access) -> str:
    return f"possibly {access.change}" if access.certainty == Certainty.POSSIBLE else access.change


def _no_longer(access: Access) -> str:
    """Return the beginning of the line for a denial or grant that was removed, else nothing."""
    return "no longer: " if (access.change == AccessChange.WIDENED) == (access.statement["Effect"] == "Deny") else ""


def _statement_line(statement: Mapping[str, Json]) -> str:
    """Return a statement in one line."""
    if ACTING in statement.get("Condition", {}):
        return f"runs as {', '.join(map(code, _names(statement['Resource'])))}"
    parts = [str(statement["Effect"])]
    for element, word in (("Action", ""), ("Resource", "on"), ("Principal", "for")):
        for key, but in ((element, ""), (f"Not{element}", "everything but")):
            names = _names(statement.get(key))
            if names and not (names == ["*"] and word == "on" and _are_unread(statement)):
                parts += [part for part in (word, but, ", ".join(map(_element, names))) if part]
    if condition := statement.get("Condition"):
        parts.append(f"if {' and '.join(_conditions(condition))}")
    return " ".join(parts)


def _are_unread(statement: Mapping[str, Json]) -> bool:
    return all(name.startswith(UNREAD) for name in _names(statement.get("Action", "")))


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


def _reservations(difference: Difference) -> Iterator[str]:
    rows = [[code(entry.id), _figure(entry.old), _figure(entry.new)] for entry in difference.reservations.changed]
    if rows:
        yield from markdown_table(["Function", "Old", "New"], rows, right=[1, 2])


def _figure(reserved: Json) -> str:
    if isinstance(reserved, list):
        return " or ".join(map(_value, reserved))
    return "-" if reserved is None else _value(reserved)


def _alarms(difference: Difference) -> Iterator[str]:
    if alarms := difference.alarms:
        effects = {Effect.EARLIER: "fires earlier", Effect.LATER: "fires later", Effect.OTHER: ""}
        rows = (
            [code(alarm.id), alarm.setting, *_pair(alarm.old, alarm.new), effects[alarm.effect]] for alarm in alarms
        )
        yield from markdown_table(["Alarm", "Setting", "Old", "New", "Effect"], rows)


def _resources(difference: Difference) -> Iterator[str]:
    """Yield the changed resources without what another section shows."""
    elsewhere = _shown_elsewhere(difference)
    if rows := [row for resource in difference.resources for row in _resource_rows(resource, elsewhere)]:
        yield from markdown_table(["Resource", "Change", "Property", "Old", "New"], rows)
    if repeated := dict.fromkeys(name for name, _ in _repeated_limits(difference)):
        yield f"\nThe throttling of {joined([code(name) for name in repeated])} changes to the same limits."


def _shown_elsewhere(difference: Difference) -> set[tuple[str, str]]:
    """Return the resources and properties that other sections, or the usage plan's rows, show."""
    return {
        *_repeated_limits(difference),
        *((function.id, RESERVATION) for function in difference.reservations.changed),
        *((handler.id, path) for handler in difference.handlers for path in CODE),
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
    if resource.change == Change.ADDED:
        yield [code(resource.id), resource.change, _notes(resource) or prose(resource.type), "", ""]
    first = [code(resource.id), resource.change]
    for prop in resource.properties:
        is_policy = is_document(prop.old) or is_document(prop.new)
        place = DOCUMENT if is_policy else re.sub(r"^(Properties\.\w+)\b.*", r"\1", prop.path)
        if (resource.id, place) not in elsewhere and (resource.id, prop.path) not in elsewhere:
            same = "see IAM" if any(place == DOCUMENT for _, place in elsewhere) else "same permissions"
            values = (same, same) if place == DOCUMENT else _pair(prop.old, prop.new)
            yield [*first, code(prop.path.removeprefix("Properties.")), *values]
            first = ["", ""]
    if resource.properties and resource.notes and resource.type in API_DEPLOYMENT_TYPES:
        yield [*first, _notes(resource), "", ""]


def _parts(difference: Difference) -> Iterator[str]:
    # An environment's description repeats its rate and its reservations.
    parts = [part for part in difference.parts if part.path != "Description" or not any(difference.rates)]
    if parts:
        rows = ([code(part.path), *_pair(part.old, part.new), ", ".join(map(code, part.affects))] for part in parts)
        yield from markdown_table(["What", "Old", "New", "Resources that depend on it"], rows)
    if any(part.path.startswith("Parameters.") and part.path.endswith(".Default") for part in difference.parts):
        yield "\nA default applies to new stacks; an existing stack keeps its value until it is given another."


def _handlers(difference: Difference) -> Iterator[str]:
    for handler in difference.handlers:
        longest = max((len(ticks) for ticks in re.findall("`+", handler.diff)), default=0)
        fence = "`" * max(3, longest + 1)
        yield f"{code(handler.id)}\n\n{fence}diff\n{handler.diff}\n{fence}\n"


def _notes(resource: Resource) -> str:
    return prose("; ".join(resource.notes))


def _pair(old: Json, new: Json) -> tuple[str, str]:
    """Return both values; long ones start shortly before the first difference."""
    before, after = _one_line(old), _one_line(new)
    start = 0
    if max(len(before), len(after)) > MAX_VALUE and None not in (old, new):
        start = max(0, _common(before, after) - CONTEXT)
    return _shown(old, _cut(before, start)), _shown(new, _cut(after, start))


def _common(first: str, second: str) -> int:
    """Return the length of the common beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(first), len(second)))


def _shown(value: Json, line: str) -> str:
    return "" if value is None else code(line)


def _cut(line: str, start: int) -> str:
    cut = line[start : start + MAX_VALUE]
    return ("…" if start else "") + cut + ("…" if start + MAX_VALUE < len(line) else "")


def _value(value: Json) -> str:
    return code(_cut(_one_line(value), 0))


def _one_line(value: Json) -> str:
    if isinstance(value, str):
        return value
    written = template_text(value) if is_intrinsic(value) else None
    return json.dumps(value, ensure_ascii=False) if written is None else written
