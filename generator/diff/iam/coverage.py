"""Find the grants of one side that the other side does not cover, and how certain that is.

Whether two grants differ can depend on the deployment: on the conditions under which they exist, and on parameters,
mappings and pseudo parameters in the names of actions, resources and principals.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from generator.diff.equality import DeploymentComparison
from generator.diff.iam.grants import HOLDER, Clause, Grant, GrantScope, in_partition
from generator.diff.patterns import Alternatives, matches, tokens
from generator.template.dependencies import VARIABLE
from generator.template.guards import Guard
from generator.template.intrinsics import Json, is_intrinsic
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


class Coverage:
    """Compares grants in everything that can be deployed from two templates."""

    def __init__(self, comparison: DeploymentComparison) -> None:
        self._comparison = comparison
        self._known: dict[tuple[str, str], Certainty] = {}
        self._steps_left = MAX_GRANT_STEPS

    def uncovered(self, grants: Iterable[Grant], others: Sequence[Grant]) -> list[Grant]:
        """Return the grants that the others do not cover in every deployment."""
        return self._uncovered(grants, _GrantIndex(others))

    def certain(self, grants: Iterable[Grant], others: Sequence[Grant]) -> set[Grant]:
        """Return the grants that the others cover in no deployment, whichever conditions hold."""
        index = _GrantIndex([other.without() for other in others])
        return {
            grant
            for grant in self._uncovered(grants, index)
            if grant.certainty == Certainty.CERTAIN
            and all(self._difference(grant, other) == Certainty.CERTAIN for other in self._candidates(grant, index))
            and self._steps_left >= 0
        }

    def _uncovered(self, grants: Iterable[Grant], index: _GrantIndex) -> list[Grant]:
        return [one for one in dict.fromkeys(grants) if one not in index.grants and not self._is_covered(one, index)]

    def _is_covered(self, grant: Grant, index: _GrantIndex) -> bool:
        covering: list[Guard] = []
        for other in self._candidates(grant, index):
            if self._difference(grant, other) == Certainty.NONE:
                if other.guard <= grant.guard:
                    return True
                covering.append(other.guard)
        return self._comparison.is_covered(grant.guard, covering)

    def _candidates(self, grant: Grant, index: _GrantIndex) -> Iterator[Grant]:
        """Yield the grants that may cover a grant, until no steps are left."""
        for other in index.candidates(grant):
            self._steps_left -= 1
            if self._steps_left < 0:
                return
            yield other

    def _difference(self, grant: Grant, other: Grant) -> Certainty:
        """Return how certain it is that the other grant leaves out something of this grant.

        The guards of both grants are ignored.
        """
        if grant.effect != other.effect or (grant.principal == HOLDER) != (other.principal == HOLDER):
            return Certainty.CERTAIN
        return worst(self._element_differences(grant, other))

    def _element_differences(self, grant: Grant, other: Grant) -> Iterator[Certainty]:
        for mine, theirs in ((grant.resource, other.resource), (grant.principal, other.principal)):
            yield Certainty.NONE if theirs.covers(mine) else self._scope_difference(mine, theirs)
        yield Certainty.NONE if other.covers_action(grant) else self._action_difference(grant.action, other.action)
        for clause in other.condition:
            if not clause.is_guard:
                yield least(self._clause_difference(mine, clause) for mine in grant.condition)

    def _action_difference(self, mine: GrantScope, other: GrantScope) -> Certainty:
        """Return the difference of actions. References in them may have values in any case."""
        exact = self._scope_difference(mine, other)
        pairs = itertools.product(mine.folded().patterns, other.folded().patterns)
        may_match = any((_is_open(one) or _is_open(two)) and _fit(one, two) for one, two in pairs)
        return Certainty.POSSIBLE if exact == Certainty.CERTAIN and may_match else exact

    def _scope_difference(self, mine: GrantScope, other: GrantScope) -> Certainty:
        if mine.inverted != other.inverted:
            return _mixed_difference(mine, other)
        inner, outer = (other, mine) if mine.inverted else (mine, other)
        return self._patterns_difference(inner.patterns, outer.patterns)

    def _clause_difference(self, mine: Clause, other: Clause) -> Certainty:
        if other.covers(mine):
            return Certainty.NONE
        if mine.folded().key != other.folded().key:
            return Certainty.CERTAIN
        if mine.operator != other.operator or any(WILDCARD.search(value) for value in (*mine.values, *other.values)):
            return Certainty.POSSIBLE  # Different operators and patterns may match the same requests.
        inner, outer = (other, mine) if "Not" in other.operator else (mine, other)
        return self._patterns_difference(inner.values, outer.values)

    def _patterns_difference(self, inner: Sequence[str], outer: Sequence[str]) -> Certainty:
        """Return how certain it is that one of the inner patterns matches none of the outer ones."""
        named = dict.fromkeys(map(in_partition, outer))
        opened = [pattern for pattern in named if _is_open(pattern)]
        return worst(
            Certainty.NONE if text in named else self._texts_difference(text, named if _is_open(text) else opened)
            for text in map(in_partition, inner)
        )

    def _texts_difference(self, text: str, patterns: Iterable[str]) -> Certainty:
        """Return how certain it is that a text matches none of the patterns.

        The text, or each of the patterns, depends on the deployment.
        """
        closest = Certainty.CERTAIN
        for pattern in patterns:
            if _fit(text, pattern):
                closest = least((closest, self._text_difference(text, pattern)))
            if closest != Certainty.CERTAIN and (closest == Certainty.NONE or len(self._known) >= MAX_COMPARISONS):
                break
        return closest

    def _text_difference(self, text: str, pattern: str) -> Certainty:
        if (text, pattern) not in self._known:
            if len(self._known) >= MAX_COMPARISONS:
                return Certainty.POSSIBLE
            differs = self._comparison.difference(_value(text), _value(pattern))
            may_match = differs == Certainty.CERTAIN and self._may_match(text, pattern)
            self._known[text, pattern] = Certainty.POSSIBLE if may_match else differs
        return self._known[text, pattern]

    def _may_match(self, text: str, pattern: str) -> bool:
        """Return whether a pattern with wildcards matches the text if the references in both have the right values.

        Two texts with an open part each have a value in common if they can begin and end in the same way. The value of
        a function may have any wildcards.
        """
        if FUNCTION_AS_JSON in pattern:
            return True
        if _is_open(text):
            first, second = ("" if FUNCTION_AS_JSON in one else OPEN_PART.split(one)[-1] for one in (text, pattern))
            has_wildcard = any(sign in pattern for sign in "*?")
            return has_wildcard and (first.endswith(second) or second.endswith(first))
        parts = enumerate(VARIABLE.split(pattern))
        return matches((self._values(part) if number % 2 else (tokens(part),) for number, part in parts), text)

    def _values(self, name: str) -> Alternatives:
        """Return everything that a reference matches. The value of a parameter may have wildcards."""
        return tuple(
            tokens(str(one[0])) if len(one) == 1 and isinstance(one[0], str) else one
            for one in self._comparison.pattern_of(name)
        )


class _GrantIndex:
    """Finds grants by the action and the resource that they name. The key None has patterns, which must be compared."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self.grants = set(grants)
        self._by_action: dict[str | None, dict[str | None, list[Grant]]] = {}
        for grant in grants:
            action, resource = (
                None if name is not None and any(sign in name for sign in "*?") else name
                for name in (_name(grant.action.folded()), _name(grant.resource))
            )
            self._by_action.setdefault(action, {}).setdefault(resource, []).append(grant)

    def candidates(self, grant: Grant) -> Iterator[Grant]:
        """Yield the grants that may cover a grant if the right values are deployed."""
        for by_resource in _selected(self._by_action, _name(grant.action.folded())):
            for found in _selected(by_resource, _name(grant.resource)):
                yield from found


def _selected(entries: Mapping[str | None, T], name: str | None) -> Iterable[T]:
    """Return the entries of a name and of patterns, because another name is another thing; all entries for None."""
    return entries.values() if name is None else [entries[key] for key in (name, None) if key in entries]


def _name(scope: GrantScope) -> str | None:
    """Return the only pattern of a scope; None if there are several, or if it depends on the deployment."""
    if scope.inverted or len(scope.patterns) > 1:
        return None
    whole = in_partition(scope.patterns[0])
    return None if _is_open(whole) else whole


def _mixed_difference(mine: GrantScope, other: GrantScope) -> Certainty:
    """Return how certain it is that the other scope leaves out something of this one. One of them is inverted.

    Names leave out something of "everything except a name", but wildcards may not. "Everything except" leaves out what
    it excepts.
    """
    if mine.inverted:
        return Certainty.POSSIBLE if any(map(OPEN.search, (*mine.patterns, *other.patterns))) else Certainty.CERTAIN
    excepted = [GrantScope((pattern,)) for pattern in other.patterns]
    overlaps = any(one.covers(mine) or mine.covers(one) for one in excepted)
    return Certainty.CERTAIN if overlaps else Certainty.POSSIBLE


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
