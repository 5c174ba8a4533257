"""Write a difference as Markdown for a pull request: the verdict first, then the evidence."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from generator._format import code, prose
from generator.diff.iam.grants import ACTING, is_document
from generator.diff.model import Access, AccessChange, Difference, Effect, Resource
from generator.diff.summary import verdict
from generator.template.intrinsics import Json, is_intrinsic, listed, text
from generator.template.schemas import Certainty

MAX_VALUE = 90
"""Characters of a value in a table; the JSON format has all of it."""

MAX_REPORT = 65_000
"""Characters of a report; a comment on GitHub takes 65,536. Source: GitHub's answer "Body is too long"."""

CONTEXT = 20
"""Characters kept before the first difference of a long value."""

DECISIVE = ("Rejected:", "Replacement:", "Possible replacement:", "Removed:", "Possible removal:", "IAM not compared:")
"""How the lines of the verdict begin that stand out."""

SECTIONS = "Replaced", "IAM", "Reserved concurrency", "Cost", "Alarms", "Resources", "Parameters and the rest", "Code"


def as_markdown(found: Difference, old: str, new: str) -> str:
    """Return the report. Sections that do not fit into a comment are left out, the last ones first."""
    head = [f"## {code(old)} → {code(new)}", "\n".join(map(_verdict_line, verdict(found)))]
    makers = (_replaced, _iam, _reservations, _cost, _alarms, _resources, _parts, _handlers)
    contents = ((title, "\n".join(make(found))) for title, make in zip(SECTIONS, makers, strict=True))
    sections = [(title, f"### {title}\n\n{content}") for title, content in contents if content]
    text, left_out = _joined(head, sections, []), list[str]()
    while sections and len(text) > MAX_REPORT:
        left_out.insert(0, sections.pop()[0])
        text = _joined(
            head, sections, [f"Left out to fit into a comment: {', '.join(left_out)}. The JSON format has everything."]
        )
    return text


def _joined(head: list[str], sections: list[tuple[str, str]], tail: list[str]) -> str:
    return "\n\n".join([*head, *(content for _, content in sections), *tail])


def _verdict_line(line: str) -> str:
    """Return a list item, with decisive words in bold."""
    if line.startswith(DECISIVE) or " widened (" in line:
        head, colon, rest = line.partition(":")
        return f"- **{prose(head)}{colon}** {prose(rest)}"
    return f"- {prose(line)}"


def _replaced(found: Difference) -> Iterator[str]:
    replaced = [one for one in found.resources if one.replacement != Certainty.NONE]
    if not replaced:
        return
    rows = ([code(one.id), one.replacement, _because(one), _notes(one)] for one in replaced)
    yield from _table(["Resource", "Replacement", "Changed", "What that means"], rows)


def _because(one: Resource) -> str:
    return (
        ", ".join(
            code(path.removeprefix("Properties.")) for path in dict.fromkeys(prop.path for prop in one.properties)
        )
        or "nothing itself"
    )


def _iam(found: Difference) -> Iterator[str]:
    if found.iam:
        rows = ([code(one.resource), f"**{_level(one)}**", _gone(one) + _said(one.statement)] for one in found.iam)
        yield from _table(["Resource", "Change", "Statement"], rows)
    if found.iam and found.iam_not_compared:
        yield ""
    if found.iam_not_compared:
        yield "Not compared, check these yourself:\n"
        skipped = found.iam_not_compared
        yield from (f"- {code(one.id)} ({prose(one.type)}): {prose(one.reason)}" for one in skipped)


def _level(one: Access) -> str:
    return f"possibly {one.change}" if one.certainty == Certainty.POSSIBLE else one.change


def _gone(one: Access) -> str:
    """Return the words for a denial or grant that was removed."""
    return "no longer: " if (one.change == AccessChange.WIDENED) == (one.statement["Effect"] == "Deny") else ""


def _said(statement: Mapping[str, Json]) -> str:
    """Return a statement in one line."""
    if ACTING in statement.get("Condition", {}):
        return f"runs as {', '.join(map(code, _names(statement['Resource'])))}"
    parts = [str(statement["Effect"])]
    for element, word in (("Action", ""), ("Resource", "on"), ("Principal", "for")):
        for key, but in ((element, ""), (f"Not{element}", "everything but")):
            if key in statement:
                parts += [part for part in (word, but, ", ".join(map(code, _names(statement[key])))) if part]
    if condition := statement.get("Condition"):
        parts.append(f"if {code(json.dumps(condition))}")
    return " ".join(parts)


def _names(value: Json) -> list[str]:
    if isinstance(value, Mapping):
        return [name for names in value.values() for name in names]
    return listed(value)


def _reservations(found: Difference) -> Iterator[str]:
    sums = found.reservations
    if not sums.has_changed:
        return
    rows = [[code(one.id), _figure(one.old), _figure(one.new)] for one in sums.functions]
    totals = [*zip((sums.total_old, sums.total_new), sums.is_open, strict=True)]
    rows.append(["**Sum**", *(f"**{'at least ' if is_open else ''}{total}**" for total, is_open in totals)])
    if sums.reservable is not None:
        left = (f"{'at most ' if is_open else ''}{sums.headroom(total)}" for total, is_open in totals)
        rows.append([f"Headroom of {sums.reservable} reservable", *left])
    yield from _table(["Function", "Old", "New"], rows, numbers=2)


def _figure(reserved: Json) -> str:
    if isinstance(reserved, list):
        return " or ".join(map(_value, reserved))
    return "-" if reserved is None else _value(reserved)


def _cost(found: Difference) -> Iterator[str]:
    if found.cost and found.cost.old != found.cost.new:
        rows = [[f"{found.cost.old:,.2f}", f"{found.cost.new:,.2f}", f"{found.cost.new - found.cost.old:+,.2f}"]]
        yield from _table(["USD a month, old", "New", "Change"], rows)
        yield ""
        yield "Each side is priced at its own environment's rate, and a file without environment at the other side's."


def _alarms(found: Difference) -> Iterator[str]:
    if found.alarms:
        effects = {Effect.EARLIER: "fires earlier", Effect.LATER: "fires later", Effect.OTHER: ""}
        rows = ([code(a.id), a.setting, *_pair(a.old, a.new), effects[a.effect]] for a in found.alarms)
        yield from _table(["Alarm", "Setting", "Old", "New", "Effect"], rows)


def _resources(found: Difference) -> Iterator[str]:
    if found.resources:
        # A resource that is only replaced in turn has nothing to show here.
        shown = [one for one in found.resources if one.properties or one.replacement == Certainty.NONE]
        rows = (row for one in shown for row in _resource_rows(one))
        yield from _table(["Resource", "Change", "Property", "Old", "New"], rows)


def _resource_rows(one: Resource) -> Iterator[list[str]]:
    """Yield one row for each property, or the note of a resource without any."""
    if not one.properties:
        yield [code(one.id), one.change, _notes(one) or prose(one.type), "", ""]
    for number, prop in enumerate(one.properties):
        head = [code(one.id), one.change] if number == 0 else ["", ""]
        yield [*head, code(prop.path.removeprefix("Properties.")), *_pair(prop.old, prop.new)]
    if one.properties and one.notes and one.replacement == Certainty.NONE:
        yield ["", "", _notes(one), "", ""]


def _parts(found: Difference) -> Iterator[str]:
    if found.parts:
        rows = ([code(p.path), *_pair(p.old, p.new), ", ".join(map(code, p.affects))] for p in found.parts)
        yield from _table(["What", "Old", "New", "Resources that depend on it"], rows)
    if any(part.path.startswith("Parameters.") and part.path.endswith(".Default") for part in found.parts):
        yield "\nA default applies to new stacks; an existing stack keeps its value until it is given another."


def _handlers(found: Difference) -> Iterator[str]:
    for one in found.handlers:
        longest = max((len(ticks) for ticks in re.findall("`+", one.diff)), default=0)
        fence = "`" * max(3, longest + 1)
        yield f"{code(one.id)}\n\n{fence}diff\n{one.diff}\n{fence}\n"


def _notes(one: Resource) -> str:
    return prose("; ".join(one.notes))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    marks = ["---"] * (len(head) - numbers) + ["--:"] * numbers
    yield f"|{'|'.join(marks)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _pair(old: Json, new: Json) -> tuple[str, str]:
    """Return both values; long ones start shortly before the first difference."""
    if any(isinstance(value, Mapping) and is_document(value) for value in (old, new)):
        return "see IAM", "see IAM"
    before, after = _one_line(old), _one_line(new)
    start = 0
    if max(len(before), len(after)) > MAX_VALUE and None not in (old, new):
        start = max(0, _common(before, after) - CONTEXT)
    return _shown(old, _cut(before, start)), _shown(new, _cut(after, start))


def _common(one: str, other: str) -> int:
    """Return the length of the common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


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
    return text(value) if is_intrinsic(value) else json.dumps(value, ensure_ascii=False)
