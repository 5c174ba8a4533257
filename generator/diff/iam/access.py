"""Find the permissions that became wider and those that became narrower, by resource."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from generator.diff.iam.grants import HOLDER, PRINCIPALS, Grant, GrantScope, in_partition, merged
from generator.diff.iam.holders import GrantsByHolder, grants_by_holder
from generator.diff.model import Access, AccessChange
from generator.template.intrinsics import Json
from generator.template.model import Template
from generator.template.schemas import Certainty


def accesses(old: Template, new: Template) -> list[Access]:
    """Return the grants that became wider and those that became narrower, by resource.

    A grant that another grant covers is neither. A removed policy that cannot be read is both: it may deny, as
    AWSDenyAll does. Source: AWS Managed Policy Reference Guide, "AWSDenyAll".
    """
    before, after = grants_by_holder(old, new), grants_by_holder(new, old)
    reported: list[Access] = []
    for holder, kind in dict.fromkeys([*after, *before]):
        had, has = before.get((holder, kind), []), after.get((holder, kind), [])
        more, less = _uncovered(has, had), _uncovered(had, has)
        certain = {*_uncovered(more, _in_every_deployment(had)), *_uncovered(less, _in_every_deployment(has))}
        if holder in new.resources or holder not in old.resources:
            condition = str(new.resources.get(holder, {}).get("Condition"))
            unread = _uncovered(
                [grant for grant in less if grant.is_unread], [grant.without(condition) for grant in has]
            )
            less += [replace(grant, effect="Deny") for grant in unread if not _only_allows(grant, before)]
        widened = _with_effect(more, "Allow") + _with_effect(less, "Deny")
        narrowed = _with_effect(less, "Allow") + _with_effect(more, "Deny")
        reported += _reported(holder, AccessChange.WIDENED, widened, certain)
        reported += _reported(holder, AccessChange.NARROWED, narrowed, certain)
    return reported


def _in_every_deployment(grants: list[Grant]) -> list[Grant]:
    """Return the grants under the assumption that all conditions of the template hold."""
    return [grant.without() for grant in grants]


def _only_allows(unread: Grant, known: GrantsByHolder) -> bool:
    """Return whether the policy is in the template and has only statements that allow."""
    name = re.fullmatch(r"\w+ policy \$\{(\w+)\}", unread.action.patterns[0])
    statements = known.get((name[1], "policy"), []) if name else []
    return bool(statements) and not any(grant.effect == "Deny" or grant.is_unread for grant in statements)


def _uncovered(grants: list[Grant], others: list[Grant]) -> list[Grant]:
    """Return the grants that no grant of the others covers.

    Compares only grants with the same names or wildcards, because comparing thousands with each other takes minutes.
    """
    known, alike = set(others), _Alike(others)
    return [
        grant
        for grant in dict.fromkeys(grants)
        if grant not in known and not any(other.covers(grant) for other in alike.candidates(grant))
    ]


class _Alike:
    """Grants by the action and the resource that they name. None stands for patterns, which must be compared."""

    def __init__(self, grants: list[Grant]) -> None:
        self.by_names: dict[tuple[str | None, str | None], list[Grant]] = {}
        for grant in grants:
            self.by_names.setdefault((_name(grant.action.folded()), _name(grant.resource)), []).append(grant)

    def candidates(self, grant: Grant) -> Iterator[Grant]:
        for action in (_whole(grant.action.folded()), None):
            for resource in (_whole(grant.resource), None):
                yield from self.by_names.get((action, resource), ())


def _name(scope: GrantScope) -> str | None:
    return None if scope.inverted or any(sign in scope.patterns[0] for sign in "*?") else _whole(scope)


def _whole(scope: GrantScope) -> str | None:
    return None if scope.inverted else in_partition(scope.patterns[0])


def _with_effect(grants: list[Grant], effect: str) -> list[Grant]:
    return [grant for grant in grants if grant.effect == effect]


def _reported(holder: str, change: AccessChange, changed: list[Grant], certain: set[Grant]) -> Iterator[Access]:
    by_certainty: dict[Certainty, list[Grant]] = {Certainty.CERTAIN: [], Certainty.POSSIBLE: []}
    for grant in changed:
        by_certainty[grant.certainty if grant in certain else Certainty.POSSIBLE].append(grant)
    for certainty, grants in by_certainty.items():
        yield from (Access(holder, change, _statement(grant), certainty) for grant in merged(grants))


def _statement(grant: Grant) -> dict[str, Json]:
    """Return the grant as a statement, with references as in an Fn::Sub."""
    statement: dict[str, Json] = {"Effect": grant.effect}
    elements = (("Principal", grant.principal), ("Action", grant.action), ("Resource", grant.resource))
    for element, scope in elements:
        if element != "Principal" or scope != HOLDER:
            written = _principals(scope) if element == "Principal" else list(scope.patterns)
            statement[f"Not{element}" if scope.inverted else element] = written
    if grant.condition:
        conditions: dict[str, dict[str, list[str]]] = {}
        for clause in grant.condition:
            conditions.setdefault(clause.operator, {})[clause.key] = list(clause.values)
        statement["Condition"] = conditions
    return statement


def _principals(scope: GrantScope) -> Json:
    """Return principals as IAM writes them: by kind, or the name alone, such as `*` for everyone."""
    by_kind: dict[str, list[str]] = {}
    for pattern in scope.patterns:
        kind, _, name = pattern.partition(" ")
        if kind not in PRINCIPALS:
            return pattern if len(scope.patterns) == 1 else list(scope.patterns)
        by_kind.setdefault(kind, []).append(name)
    return by_kind
