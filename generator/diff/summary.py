"""Summarize a difference: the lines a reviewer reads first, the kinds that can fail a build, and the JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from generator._format import counted, listed, rate
from generator.diff.model import API_DEPLOYMENT_TYPES, Access, AccessChange, Change, Difference, Rating, Resource
from generator.template.intrinsics import Json
from generator.template.schemas import Certainty

NOTHING = "no semantic difference"

KINDS: Mapping[str, Callable[[Difference], bool]] = {
    "replacement": lambda difference: any(
        resource.replacement != Certainty.NONE or resource.rejection for resource in difference.resources
    ),
    "removal": lambda difference: any(resource.removal != Certainty.NONE for resource in difference.resources),
    "iam-widening": lambda difference: _has_access(difference, AccessChange.WIDENED),
    "iam-narrowing": lambda difference: _has_access(difference, AccessChange.NARROWED),
    "reservation": lambda difference: difference.reservations.has_changed,
    "handler": lambda difference: bool(difference.handlers),
    "alarm": lambda difference: bool(difference.alarms),
}
"""The kinds of change that `--fail-on` accepts. A possible change counts, and so does access that is not compared."""


RISKS = ("replacement", "removal", "iam-widening")
"""The kinds that a reviewer has to decide on."""

NOT_DEPLOYED = "API changes without a new deployment"
LASTING = "lasting effects (see Consequences)"


def _has_access(difference: Difference, change: AccessChange) -> bool:
    """Return whether access changed this way. A new environment widens nobody's access before it is deployed."""
    if difference.whole == Change.ADDED:
        return False
    return bool(difference.iam_not_compared) or bool(difference.accesses(change))


def headlines(difference: Difference) -> dict[str, str]:
    """Return the six lines that a reviewer reads first, by their titles."""
    return {
        "Rate": _rate(difference),
        "Reservations": _reserved(difference),
        "Cost": _cost(difference),
        "IAM": _iam(difference),
        "Replacements": _replacements(difference),
        "Verdict": _verdict(difference),
    }


def rating(difference: Difference) -> Rating:
    """Return the attention that the difference needs."""
    if any(resource.rejected == Certainty.CERTAIN for resource in difference.resources):
        return Rating.REJECTED
    if not difference.is_different:
        return Rating.SAME
    if _is_too_much(difference) or _lasting(difference) or any(KINDS[kind](difference) for kind in RISKS):
        return Rating.REVIEW
    return Rating.ROUTINE


def consequences(difference: Difference) -> Iterator[str]:
    """Yield a line for each rejected update, replacement, removal and other lasting effect, worst first."""
    for resource in difference.resources:
        if resource.rejected != Certainty.NONE:
            word = "Rejected" if resource.rejected == Certainty.CERTAIN else "Possible rejection"
            yield f"{word}: {resource.id}: {resource.rejection}."
    for resource in difference.replaced(Certainty.CERTAIN):
        yield f"Replacement: {resource.id} would be recreated{_why(resource)}."
    for resource in difference.replaced(Certainty.POSSIBLE):
        yield f"Possible replacement: {resource.id}{_why(resource)}."
    words = {Certainty.CERTAIN: "Removed: ", Certainty.POSSIBLE: "Possible removal: ", Certainty.NONE: ""}
    for resource in difference.resources:
        if resource.removal != Certainty.NONE or _has_lasting_effect(resource):
            yield f"{words[resource.removal]}{resource.id}{_why(resource)}."


def _lasting(difference: Difference) -> list[str]:
    """Return the lasting effects that are of no kind, such as a protection that is removed."""
    are_deployments = {one.type in API_DEPLOYMENT_TYPES for one in difference.resources if _has_lasting_effect(one)}
    return [NOT_DEPLOYED] * (True in are_deployments) + [LASTING] * (False in are_deployments)


def _has_lasting_effect(resource: Resource) -> bool:
    """Return whether a resource that stays has a note, other than that of an API's new deployment."""
    stays = resource.change == Change.CHANGED and resource.replacement == resource.removal == Certainty.NONE
    return stays and bool(resource.notes) and not (resource.type in API_DEPLOYMENT_TYPES and resource.properties)


def _why(resource: Resource) -> str:
    return f": {'; '.join(resource.notes)}" if resource.notes else ""


def _arrow(old: str, new: str) -> str:
    return old if old == new else f"{old} → {new}"


def _rate(difference: Difference) -> str:
    rates = [side for side in difference.rates if side is not None]
    if not rates:
        return "not known; neither side is an environment"
    sides = (rates[0], rates[-1])
    per_hour = _arrow(*(f"{side.webhooks_per_hour:,}" for side in sides))
    return f"{per_hour} webhooks/h, {_arrow(*(rate(side.peak_per_s) for side in sides))} at the peak"


def _reserved(difference: Difference) -> str:
    """Return the sums of both sides, and the headroom that the new one leaves."""
    sums = difference.reservations
    old, new = ("at least " if is_open else "" for is_open in sums.is_open)
    text = _arrow(f"{old}{sums.total_old:,}", f"{new}{sums.total_new:,}")
    room, headroom = sums.room, sums.headroom
    if room is None or headroom is None:
        return text
    at_most = "at most " if new else ""
    state = f"headroom {at_most}{headroom:,}" if headroom >= 0 else f"{new}{-headroom:,} too many"
    neighbours = room.reserved_by_neighbours
    others = f", {neighbours:,} of it in other environments" if neighbours else ""
    return f"{text}, {state} of {room.reservable:,} reservable{others}"


def _is_too_much(difference: Difference) -> bool:
    sums = difference.reservations
    return sums.has_changed and sums.headroom is not None and sums.headroom < 0


def _cost(difference: Difference) -> str:
    cost = difference.cost
    if cost is None:
        return "not known; a bill needs an environment and the figures of all its functions"
    services = listed([f"{service} {change:+,.2f}" for service, change in cost.by_service if change], 3)
    why = f": {services}" if services and difference.whole == Change.CHANGED else ""
    change = f" ({cost.new - cost.old:+,.2f}{why})" if cost.old != cost.new else ""
    without = ", without SMS" if cost.without_sms else ""
    return f"{_arrow(f'{cost.old:,.2f}', f'{cost.new:,.2f}')} USD a month{change}{without}"


def _iam(difference: Difference) -> str:
    if difference.whole != Change.CHANGED:
        state = "new" if difference.whole == Change.ADDED else "removed"
        return f"{counted(len(difference.iam), 'statement')}, all {state}"
    counts = []
    for change in (AccessChange.WIDENED, AccessChange.NARROWED):
        certain, possible = (difference.accesses(change, one) for one in (Certainty.CERTAIN, Certainty.POSSIBLE))
        number = counted(len(certain), "statement") if change == AccessChange.WIDENED else f"{len(certain):,}"
        counts.append(f"{number} {change}{_holders(certain)}")
        counts += [f"{len(possible):,} possibly {change}{_holders(possible)}"] if possible else []
    skipped = listed([f"{resource.id} ({resource.type})" for resource in difference.iam_not_compared])
    text = ", ".join(counts) if difference.iam else f"no {'other ' if skipped else ''}permissions changed"
    return f"{text}; not compared: {skipped}" if skipped else text


def _holders(accesses: Sequence[Access]) -> str:
    """Return the resources with wider access; those with narrower access need no attention."""
    names = [access.resource for access in accesses if access.change == AccessChange.WIDENED]
    return f" ({listed(list(dict.fromkeys(names)))})" if names else ""


def _replacements(difference: Difference) -> str:
    if difference.whole != Change.CHANGED:
        return f"none; all {counted(len(difference.resources), 'resource')} {difference.whole}"
    resources = difference.resources
    groups = {
        "": difference.replaced(Certainty.CERTAIN),
        "possibly ": difference.replaced(Certainty.POSSIBLE),
        "removed: ": [resource for resource in resources if resource.removal == Certainty.CERTAIN],
        "possibly removed: ": [resource for resource in resources if resource.removal == Certainty.POSSIBLE],
    }
    parts = [f"{words}{listed([resource.id for resource in group])}" for words, group in groups.items() if group]
    return "; ".join(parts) or "none"


def _verdict(difference: Difference) -> str:
    kinds = [kind for kind, is_in in KINDS.items() if is_in(difference)]
    risks = ", ".join([*(kind for kind in kinds if kind in RISKS), *_lasting(difference)])
    match rating(difference):
        case Rating.SAME:
            return NOTHING
        case Rating.REJECTED:
            rejected = [one.id for one in difference.resources if one.rejected == Certainty.CERTAIN]
            return f"CloudFormation rejects this update: {listed(rejected)}"
        case Rating.REVIEW if _is_too_much(difference):
            return "the reservations do not fit the account" + (f"; {risks}" if risks else "")
        case Rating.REVIEW:
            return f"needs a decision: {risks}"
    if difference.whole == Change.ADDED:
        return "a new environment"
    return f"routine: {', '.join(kinds)}" if kinds else "routine"


def as_dict(difference: Difference, environment: str | None) -> dict[str, Json]:
    """Return the difference for JSON."""
    sums, cost = difference.reservations, difference.cost
    found = dataclasses.asdict(difference)
    return {
        "environment": environment,
        "resources": found["resources"],
        "template": found["parts"],
        "iam": found["iam"],
        "iam_not_compared": found["iam_not_compared"],
        "reservations": [dataclasses.asdict(item) for item in sums.changed],
        "handlers": found["handlers"],
        "alarms": found["alarms"],
        "cost": {"old": str(cost.old), "new": str(cost.new)} if cost else None,
        "rate": dict(zip(("old", "new"), (side and side.webhooks_per_hour for side in difference.rates), strict=True)),
        "summary": {
            "different": difference.is_different,
            "kinds": [kind for kind, is_in in KINDS.items() if is_in(difference)],
            "reserved": {"old": sums.total_old, "new": sums.total_new, "headroom": sums.headroom},
            "reserved_at_least": {"old": sums.is_open[0], "new": sums.is_open[1]},
            "change": difference.whole,
            "rating": rating(difference),
            "verdict": [f"{title}: {line}" for title, line in headlines(difference).items()],
        },
    }
