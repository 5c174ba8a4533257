"""Find the permissions that became wider and those that became narrower, by resource."""

from __future__ import annotations

import re
from dataclasses import replace

from generator.diff.iam.coverage import Coverage
from generator.diff.iam.grants import HOLDER, PRINCIPALS, Grant, GrantScope, merged
from generator.diff.iam.holders import GrantsByHolder, grants_by_holder
from generator.diff.model import Access, AccessChange
from generator.template.intrinsics import Json
from generator.template.model import Template
from generator.template.schemas import Certainty


def accesses(old: Template, new: Template, coverage: Coverage) -> list[Access]:
    """Return the grants that became wider and those that became narrower, by resource.

    A grant that others cover in every deployment is neither. A removed policy that cannot be read is both: it may
    deny, as AWSDenyAll does. Source: AWS Managed Policy Reference Guide, "AWSDenyAll".
    """
    before, after = grants_by_holder(old, new), grants_by_holder(new, old)
    reported: list[Access] = []
    for holder, kind in dict.fromkeys([*after, *before]):
        had, has = before.get((holder, kind), []), after.get((holder, kind), [])
        more, less = coverage.uncovered(has, had), coverage.uncovered(had, has)
        certain = coverage.certain(more, had) | coverage.certain(less, has)
        if holder in new.resources or holder not in old.resources:
            condition = str(new.resources.get(holder, {}).get("Condition"))
            unread = coverage.uncovered(
                [grant for grant in less if grant.is_unread], [grant.without(condition) for grant in has]
            )
            less += [replace(grant, effect="Deny") for grant in unread if not _only_allows(grant, before)]
        for change, (allow, deny) in ((AccessChange.WIDENED, (more, less)), (AccessChange.NARROWED, (less, more))):
            changed = [grant for grant in allow if grant.effect == "Allow"]
            changed += [grant for grant in deny if grant.effect == "Deny"]
            for certainty in (Certainty.CERTAIN, Certainty.POSSIBLE):
                together = merged([one for one in changed if (one in certain) == (certainty == Certainty.CERTAIN)])
                reported += [Access(holder, change, _statement(grant), certainty) for grant in together]
    return reported


def _only_allows(unread: Grant, known: GrantsByHolder) -> bool:
    """Return whether the policy is in the template and has only statements that allow."""
    name = re.fullmatch(r"\w+ policy \$\{(\w+)\}", unread.action.patterns[0])
    statements = known.get((name[1], "policy"), []) if name else []
    return bool(statements) and not any(grant.effect == "Deny" or grant.is_unread for grant in statements)


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
