"""Summarize a difference: the lines a reviewer reads first, the kinds that can fail a build, and the JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from generator._format import counted, listed
from generator.diff.model import AccessChange, Change, Difference, Resource
from generator.template.intrinsics import Json
from generator.template.schemas import Certainty

DEPLOYMENT = "AWS::ApiGateway::Deployment"

NOTHING = "no semantic difference"

KINDS: Mapping[str, Callable[[Difference], bool]] = {
    "replacement": lambda found: any(one.replacement != Certainty.NONE or one.rejection for one in found.resources),
    "removal": lambda found: any(one.removal != Certainty.NONE for one in found.resources),
    "iam-widening": lambda found: _has_access(found, AccessChange.WIDENED),
    "iam-narrowing": lambda found: _has_access(found, AccessChange.NARROWED),
    "reservation": lambda found: found.reservations.has_changed,
    "handler": lambda found: bool(found.handlers),
    "alarm": lambda found: bool(found.alarms),
}
"""The kinds of change that `--fail-on` accepts. A possible change counts, and so does access that is not compared."""


def _has_access(found: Difference, change: AccessChange) -> bool:
    return bool(found.iam_not_compared) or any(one.change == change for one in found.iam)


def verdict(found: Difference) -> list[str]:
    """Return one line for each decisive fact, worst first."""
    return [*_verdict(found)] or [NOTHING]


def _verdict(found: Difference) -> Iterator[str]:
    if not found.found:
        return
    yield from _resources(found)
    if not found.replaced(Certainty.CERTAIN) and not found.replaced(Certainty.POSSIBLE):
        yield "Nothing is replaced."
    yield from _iam(found)
    if found.reservations.has_changed:
        yield f"Reserved concurrency: {reserved(found)}."


def _resources(found: Difference) -> Iterator[str]:
    for one in found.resources:
        if one.rejection:
            yield f"Rejected: {one.id}: {one.rejection}."
    for one in found.replaced(Certainty.CERTAIN):
        yield f"Replacement: {one.id} would be recreated{_why(one)}."
    if maybe := found.replaced(Certainty.POSSIBLE):
        yield f"Possible replacement: {', '.join(one.id for one in maybe)}."
    for one in found.resources:
        if one.change == Change.REMOVED:
            yield f"Removed: {one.id}{_why(one)}."
        elif one.removal == Certainty.POSSIBLE:
            yield f"Possible removal: {one.id}{_why(one)}."
        elif (
            one.replacement == Certainty.NONE
            and one.change == Change.CHANGED
            and (why := _why(one))
            and not (one.type == DEPLOYMENT and one.properties)
        ):
            yield f"{one.id}{why}."


def _why(one: Resource) -> str:
    return f": {'; '.join(one.notes)}" if one.notes else ""


def _iam(found: Difference) -> Iterator[str]:
    skipped = [f"{one.id} ({one.type})" for one in found.iam_not_compared]
    if found.iam:
        widened, narrowed = ([one for one in found.iam if one.change == change] for change in AccessChange)
        holders = ", ".join(dict.fromkeys(one.resource for one in widened))
        where = f" ({holders})" if holders else ""
        yield f"IAM: {counted(len(widened), 'statement')} widened{where}, {len(narrowed):,} narrowed."
    if skipped:
        yield f"IAM not compared: {listed(skipped)}."
    if not found.iam:
        yield "IAM: no other permissions changed." if skipped else "IAM: no permissions changed."


def reserved(found: Difference) -> str:
    """Return the sums of both sides, and the headroom that the new one leaves."""
    sums = found.reservations
    old, new = ("at least " if is_open else "" for is_open in sums.is_open)
    text = f"{old}{sums.total_old} → {new}{sums.total_new}"
    headroom = sums.headroom(sums.total_new)
    if headroom is None:
        return text
    at_most = "at most " if new else ""
    state = f"headroom {at_most}{headroom}" if headroom >= 0 else f"{new}{-headroom} too many"
    others = f", {sums.elsewhere} of it in other environments" if sums.elsewhere else ""
    return f"{text}, {state} of {sums.reservable} reservable{others}"


def as_dict(found: Difference, environment: str | None) -> dict[str, Json]:
    """Return the difference for JSON."""
    sums = found.reservations
    return {
        "environment": environment,
        "resources": [dataclasses.asdict(one) for one in found.resources],
        "template": [dataclasses.asdict(one) for one in found.parts],
        "iam": [dataclasses.asdict(one) for one in found.iam],
        "iam_not_compared": [dataclasses.asdict(one) for one in found.iam_not_compared],
        "reservations": [dataclasses.asdict(one) for one in sums.changed],
        "handlers": [dataclasses.asdict(one) for one in found.handlers],
        "alarms": [dataclasses.asdict(one) for one in found.alarms],
        "cost": {"old": str(found.cost.old), "new": str(found.cost.new)} if found.cost else None,
        "summary": {
            "different": found.found,
            "kinds": [kind for kind, is_in in KINDS.items() if is_in(found)],
            "reserved": {"old": sums.total_old, "new": sums.total_new, "headroom": sums.headroom(sums.total_new)},
            "reserved_at_least": dict(zip(("old", "new"), sums.is_open, strict=True)),
            "verdict": verdict(found),
        },
    }
