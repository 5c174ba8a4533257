"""Find the permissions that became wider and those that became narrower, and how certain that is.

Whether two grants differ can depend on the deployment: on the conditions under which they exist, and on parameters,
mappings and pseudo parameters in the names of actions, resources and principals.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from generator.diff.equality import DeploymentComparison
from generator.diff.iam.grants import EVERYTHING, HOLDER, PRINCIPALS, Clause, Grant, GrantScope, in_partition, merged
from generator.diff.iam.holders import GrantsByHolder, grants_by_holder
from generator.diff.model import Access, AccessChange
from generator.diff.patterns import matches, tokens
from generator.template.dependencies import VARIABLE
from generator.template.guards import Guard
from generator.template.intrinsics import Json, is_intrinsic
from generator.template.model import Template
from generator.template.schemas import Certainty, least, worst

T = TypeVar("T")

FUNCTION_AS_JSON = '{"'
"""The beginning of a function that is written as JSON."""

OPEN = re.compile(r"\$\{|\{\"|[*?]")
"""The end of the literal beginning of a name: a reference, a function or a wildcard."""

WILDCARD = re.compile(r"[*?]")

OPEN_PART = re.compile(r"\$\{[^!{}][^{}]*\}|[*?]")
"""A reference or a wildcard within a name."""

MAX_COMPARISONS = 2_000
"""Compared pairs of names that depend on the deployment. They take seconds. After that, a difference is possible."""

MAX_GRANT_STEPS = 250_000
"""Comparisons of two grants. They take seconds. After that, a grant is reported as possibly not covered."""


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
        if holder in new.resources or holder not in old.resources:  # The denials of a removed role deny nobody.
            condition = str(new.resources.get(holder, {}).get("Condition"))
            unread = [grant for grant in less if grant.is_unread]
            # A policy that stays under the holder's own condition still denies whenever the holder exists.
            for grant in coverage.uncovered(unread, [grant.without(condition) for grant in has]):
                if not _only_allows(grant, before):
                    less[replace(grant, effect="Deny")] = Certainty.POSSIBLE
        for change, (allow, deny) in ((AccessChange.WIDENED, (more, less)), (AccessChange.NARROWED, (less, more))):
            changed = [(grant, certainty) for grant, certainty in allow.items() if grant.effect == "Allow"]
            changed += [(grant, certainty) for grant, certainty in deny.items() if grant.effect == "Deny"]
            for certainty in (Certainty.CERTAIN, Certainty.POSSIBLE):
                together = merged([grant for grant, one in changed if one == certainty])
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
    if grant.principal != HOLDER:
        statement["NotPrincipal" if grant.principal.inverted else "Principal"] = _principals(grant.principal)
    for element, scope in (("Action", grant.action), ("Resource", grant.resource)):
        statement[f"Not{element}" if scope.inverted else element] = list(scope.patterns)
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


class Coverage:
    """Compares grants in everything that can be deployed from two templates."""

    def __init__(self, comparison: DeploymentComparison) -> None:
        self._comparison = comparison
        self._known: dict[tuple[str, str], Certainty] = {}
        self._steps_left = MAX_GRANT_STEPS

    def uncovered(self, grants: Iterable[Grant], others: Sequence[Grant]) -> dict[Grant, Certainty]:
        """Return the grants that the others do not cover in every deployment.

        Each is CERTAIN if the others cover it in no deployment, whichever conditions hold, and POSSIBLE otherwise.
        """
        index, known = _index(others), set(others)
        found = [one for one in dict.fromkeys(grants) if one not in known and not self._is_covered(one, index)]
        anywhere = _index([other.without() for other in others]) if found else {}
        return {
            grant: Certainty.CERTAIN if self._is_certain(grant, anywhere) else Certainty.POSSIBLE for grant in found
        }

    def _is_certain(self, grant: Grant, index: _Index) -> bool:
        others = self._candidates(grant, index)
        is_certain = grant.certainty == Certainty.CERTAIN and all(
            worst(self._differences(grant, other)) == Certainty.CERTAIN for other in others
        )
        return is_certain and self._steps_left >= 0  # Without steps, some candidates were left out.

    def _is_covered(self, grant: Grant, index: _Index) -> bool:
        covering: list[Guard] = []
        for other in self._candidates(grant, index):
            if worst(self._differences(grant, other)) == Certainty.NONE:
                if other.guard <= grant.guard:
                    return True
                covering.append(other.guard)
        return self._comparison.is_covered(grant.guard, covering)

    def _candidates(self, grant: Grant, index: _Index) -> Iterator[Grant]:
        """Yield the grants that may cover a grant, until no steps are left."""
        for by_resource in _selected(index, _name(grant.action.folded())):
            for others in _selected(by_resource, _name(grant.resource)):
                for other in others:
                    self._steps_left -= 1
                    if self._steps_left < 0:
                        return
                    yield other

    def _differences(self, grant: Grant, other: Grant) -> Iterator[Certainty]:
        """Yield how certain it is that elements of the other grant leave out something of this grant.

        The guards of both grants are ignored.
        """
        if grant.effect != other.effect or (grant.principal == HOLDER) != (other.principal == HOLDER):
            yield Certainty.CERTAIN
        for mine, theirs in ((grant.resource, other.resource), (grant.principal, other.principal)):
            yield Certainty.NONE if theirs.covers(mine) else self._scope_difference(mine, theirs)
        yield self._action_difference(grant.action, other.action)
        for clause in other.condition:
            if not clause.is_guard:
                yield least(self._clause_difference(mine, clause) for mine in grant.condition)

    def _action_difference(self, mine: GrantScope, other: GrantScope) -> Certainty:
        """Return the difference of actions. References in them may have values in any case.

        A pattern never covers an unreadable statement.
        """
        inner, outer = mine.folded(), other.folded()
        is_unread = any(" " in pattern for pattern in inner.patterns)
        if outer in (EVERYTHING, inner) or (not is_unread and outer.covers(inner)):
            return Certainty.NONE
        exact = self._scope_difference(mine, other)
        pairs = itertools.product(inner.patterns, outer.patterns)
        may_match = any((_is_open(one) or _is_open(two)) and _fit(one, two) for one, two in pairs)
        return Certainty.POSSIBLE if exact == Certainty.CERTAIN and may_match else exact

    def _scope_difference(self, mine: GrantScope, other: GrantScope) -> Certainty:
        """Return how certain it is that the other scope leaves out something of this one.

        A list of names never covers "everything except a name"; one with wildcards may. "Everything except a name"
        does not cover that name.
        """
        if mine.inverted == other.inverted:
            inner, outer = (other, mine) if mine.inverted else (mine, other)
            return self._patterns_difference(inner.patterns, outer.patterns)
        if mine.inverted:
            return Certainty.POSSIBLE if any(map(OPEN.search, (*mine.patterns, *other.patterns))) else Certainty.CERTAIN
        excepted = [GrantScope((pattern,)) for pattern in other.patterns]
        overlaps = any(one.covers(mine) or mine.covers(one) for one in excepted)
        return Certainty.CERTAIN if overlaps else Certainty.POSSIBLE

    def _clause_difference(self, mine: Clause, other: Clause) -> Certainty:
        """Return how certain it is that the other clause does not hold for all requests for which mine holds."""
        if mine.folded().key != other.folded().key:
            return Certainty.CERTAIN
        if mine.operator != other.operator:
            return Certainty.POSSIBLE
        inner, outer = (other, mine) if "Not" in other.operator else (mine, other)
        some, more = (set(map(in_partition, clause.values)) for clause in (inner, outer))
        if some == more or (some < more and other.operator != "Null"):
            return Certainty.NONE
        if any(WILDCARD.search(value) for value in (*mine.values, *other.values)):
            return Certainty.POSSIBLE  # Patterns may match the same requests.
        return self._patterns_difference(inner.values, outer.values)

    def _patterns_difference(self, inner: Sequence[str], outer: Sequence[str]) -> Certainty:
        """Return how certain it is that one of the inner patterns matches none of the outer ones."""
        named = dict.fromkeys(map(in_partition, outer))
        opened = [pattern for pattern in named if _is_open(pattern)]
        return worst(
            Certainty.NONE if text in named else self._closest(text, named if _is_open(text) else opened)
            for text in map(in_partition, inner)
        )

    def _closest(self, text: str, patterns: Iterable[str]) -> Certainty:
        """Return how certain it is that a text matches none of the patterns.

        The text, or each of the patterns, depends on the deployment.
        """
        closest = Certainty.CERTAIN
        for pattern in patterns:
            if not _fit(text, pattern):
                continue
            if (text, pattern) not in self._known:
                if len(self._known) >= MAX_COMPARISONS:
                    return Certainty.POSSIBLE
                differs = self._comparison.difference(_value(text), _value(pattern))
                may_match = differs == Certainty.CERTAIN and self._may_match(text, pattern)
                self._known[text, pattern] = Certainty.POSSIBLE if may_match else differs
            closest = least((closest, self._known[text, pattern]))
            if closest == Certainty.NONE:
                break
        return closest

    def _may_match(self, text: str, pattern: str) -> bool:
        """Return whether a pattern with wildcards matches the text if the references in both have the right values.

        Two texts with an open part each have a value in common if they can begin and end in the same way. The value of
        a function or a parameter may have any wildcards.
        """
        if FUNCTION_AS_JSON in pattern:
            return True
        if _is_open(text):
            first, second = ("" if FUNCTION_AS_JSON in one else OPEN_PART.split(one)[-1] for one in (text, pattern))
            return bool(WILDCARD.search(pattern)) and (first.endswith(second) or second.endswith(first))
        literals = VARIABLE.split(pattern)
        parts = (self._comparison.pattern_of(part) if i % 2 else (tokens(part),) for i, part in enumerate(literals))
        return matches(parts, text)


_Index = dict[str | None, dict[str | None, list[Grant]]]
"""Grants by the action and the resource that they name. The key None has patterns, which must be compared."""


def _index(grants: Iterable[Grant]) -> _Index:
    index: _Index = {}
    for grant in grants:
        names = (_name(grant.action.folded()), _name(grant.resource))
        action, resource = (None if name is None or WILDCARD.search(name) else name for name in names)
        index.setdefault(action, {}).setdefault(resource, []).append(grant)
    return index


def _selected(entries: Mapping[str | None, T], name: str | None) -> Iterable[T]:
    """Return the entries of a name and of patterns, because another name is another thing; all entries for None."""
    return entries.values() if name is None else [entries[key] for key in (name, None) if key in entries]


def _name(scope: GrantScope) -> str | None:
    """Return the only pattern of a scope; None if there are several, or if it depends on the deployment."""
    if scope.inverted or len(scope.patterns) > 1:
        return None
    whole = in_partition(scope.patterns[0])
    return None if _is_open(whole) else whole


def _is_open(text: str) -> bool:
    """Return whether the text depends on the deployment."""
    return FUNCTION_AS_JSON in text or VARIABLE.search(text) is not None


def _fit(text: str, pattern: str) -> bool:
    """Return whether the literal beginnings of two names can be the same."""
    first, second = (OPEN.split(one, maxsplit=1)[0] for one in (text, pattern))
    return first.startswith(second) or second.startswith(first)


def _value(written: str) -> Json:
    """Return the value of the template that `intrinsics.text` wrote as this line."""
    start = written.find(FUNCTION_AS_JSON)
    if start >= 0:
        try:
            function = json.loads(written[start:])
        except ValueError:
            function = None
        if is_intrinsic(function):
            return {"Fn::Join": ["", [{"Fn::Sub": written[:start]}, function]]} if start else function
    return {"Fn::Sub": written}
