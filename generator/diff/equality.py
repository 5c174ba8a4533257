"""Decide whether two values of a template are equal in every deployment, in some, or in none.

A deployment gives every parameter a value, and so decides every condition. The two values may use names that have
different meanings in the old and the new template; `redefinitions` has made these names distinct.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from generator.diff.iam.grants import guard_of
from generator.diff.model import Property
from generator.diff.patterns import ANYTHING, Alternatives, Wildcard, matches, tokens
from generator.diff.properties import same
from generator.template.conditions import DeploymentSpace
from generator.template.constraints import allowed_values
from generator.template.dependencies import walk
from generator.template.evaluation import Evaluator, Scope, Unknown
from generator.template.guards import Equality, Fact, Guard, merge, when
from generator.template.intrinsics import (
    NO_VALUE,
    Json,
    as_mapping,
    is_intrinsic,
    literal_text,
    parts_of,
    reference,
    template_text,
)
from generator.template.model import Template
from generator.template.schemas import Certainty, worst
from generator.template.search import possible

MAX_CASES, MAX_ALL_CASES, MAX_COMPARISON_STEPS = 100, 5_000, 500_000
"""Limits on the combinations of conditions and parameter values in one comparison and in all, and on solver steps.

After that, a difference is reported as possible. All together take a few seconds.
"""

NOT_A_KEY = "\0"
"""Stands for every parameter value that is not a key of a mapping."""

DYNAMIC = "{{resolve:"
"""The prefix of a dynamic reference, whose stored value may be any text."""

ARN: Alternatives = (("arn:", Wildcard.PLAIN), ("arn:", Wildcard.PLAIN, ":*"))
"""What the ARN of a resource may be. That of a log group ends with `:*`.

Source: CloudFormation template reference, AWS::Logs::LogGroup, Arn.
"""


def is_possible(space: DeploymentSpace, guard: Guard) -> bool:
    """Return whether the facts hold together in some deployment. True if the limits do not allow a search."""
    return space.steps > MAX_COMPARISON_STEPS or possible(space, guard)


class DeploymentComparison:
    """Compares values, conditions and guards in all deployments of a template that declares the names of both sides.

    Each answer is about everything that can be deployed from its parameters, conditions and mappings.
    """

    def __init__(self, template: Template) -> None:
        self._template, self._space = template, DeploymentSpace(template)
        self._cases_left = MAX_ALL_CASES
        self._reachable: dict[Guard, bool] = {}
        self._undecided_conditions = dict.fromkeys(template.conditions)

    def implies(self, condition: Json, other: Json) -> bool:
        """Return whether `other` holds in every deployment in which `condition` holds. None always holds."""
        return other is None or self.is_covered(guard_of(condition), [guard_of(other)])

    def are_possible(self, conditions: Iterable[Json]) -> bool:
        """Return whether some deployment has all of these conditions."""
        return self._is_reachable(merge(*map(guard_of, conditions)))

    def is_covered(self, guard: Guard, others: Sequence[Guard]) -> bool:
        """Return whether one of the others holds in every deployment in which `guard` holds."""
        outside: list[Guard] = [guard] if self._is_reachable(guard) else []
        for other in others:
            beyond = [merge(one, when(fact, not holds)) for one in outside for fact, holds in other]
            outside = [both for both in beyond if both is not None and self._is_reachable(both)]
            if len(outside) > MAX_CASES:
                return False
        return not outside

    def _is_reachable(self, guard: Guard | None) -> bool:
        """Return whether some deployment has all facts of the guard. A condition that is not declared may hold."""
        if guard is None:
            return False
        if guard not in self._reachable:
            decided = frozenset((fact, holds) for fact, holds in guard if self._space.can_read(when(fact)))
            self._reachable[guard] = is_possible(self._space, decided)
        return self._reachable[guard]

    def difference(self, old: Json, new: Json, conditions: Iterable[Json] = ()) -> Certainty:
        """Return how certain it is that two values differ: NONE if no deployment makes them differ, CERTAIN if all do.

        The values are not the `same` as they are written. None stands for no value. Only deployments count in which
        the conditions hold.
        """
        try:
            return self._difference(old, new, conditions)
        except (RecursionError, Unknown):  # The values are nested too deeply for the space left on Python's stack.
            return Certainty.POSSIBLE

    def _difference(self, old: Json, new: Json, conditions: Iterable[Json]) -> Certainty:
        old, new = (NO_VALUE if value is None else value for value in (old, new))
        guard = merge(*map(guard_of, conditions))
        if guard is None or not self._is_reachable(guard):
            return Certainty.NONE
        if not any(map(is_intrinsic, walk([old, new]))):
            is_stored = any(isinstance(value, str) and DYNAMIC in value for value in (old, new))
            return Certainty.POSSIBLE if is_stored else Certainty.CERTAIN
        if self._cases_left <= 0:
            return Certainty.POSSIBLE
        results: set[Certainty] = set()
        for number, certainty in enumerate(self._cases(old, new, guard)):
            self._cases_left -= 1
            results.add(certainty if number < MAX_CASES and self._cases_left > 0 else Certainty.POSSIBLE)
            if len(results) > 1 or Certainty.POSSIBLE in results:
                return Certainty.POSSIBLE
        return next(iter(results), Certainty.POSSIBLE)  # None if CloudFormation refuses every case.

    def pattern_of(self, name: str) -> Alternatives:
        """Return everything that a reference, such as Name or Name.Arn, matches. A value may have wildcards."""
        alternatives = _pattern(reference(name), self._template)
        return tuple(tokens(one[0]) if len(one) == 1 and isinstance(one[0], str) else one for one in alternatives)

    def differing(
        self, written: Iterable[Property], distinct: Iterable[Property], conditions: list[Json]
    ) -> dict[str, tuple[Property, Certainty]]:
        """Return by path the changes that make a difference in some deployment, each with how certain that is.

        `written` are the changes of a resource or an output with the names that both templates have, and `distinct`
        those with names of their own for whatever is redefined. Only deployments count in which it exists before and
        after, as its old and its new condition decide.
        """
        by_path = {change.path: change for change in distinct}
        differing: dict[str, tuple[Property, Certainty]] = {}
        for change in written:
            own = by_path.get(change.path, change)
            if own.path.rpartition(".")[2] == "Condition" and [own.old, own.new] == conditions:
                # The condition itself differs if one side exists where the other does not.
                exists = ("exists" if name is None else {"Fn::If": [name, "exists", NO_VALUE]} for name in conditions)
                certainty = self.difference(*exists)
            else:
                certainty = self.difference(own.old, own.new, conditions)
            if certainty != Certainty.NONE:
                differing[change.path] = change, certainty
        return differing

    def _cases(self, old: Json, new: Json, guard: Guard) -> Iterator[Certainty]:
        """Yield for each case within the guard how certain it is that the values differ.

        If the guard does not decide every Fn::If and Fn::FindInMap in the values, there is a case for each value of an
        undecided condition or parameter. Each of them may have cases in turn.
        """
        evaluator = self._evaluator(guard)
        left, right = evaluator.value(old), evaluator.value(new)
        if same(left, right):
            yield Certainty.NONE
            return
        undecided = list(_undecided_facts([left, right], self._template.mappings))
        if not undecided:
            if not self._is_refused(left) and not self._is_refused(right):
                yield self._resolved_difference(left, right)
            return
        for choice in _choices(undecided):
            narrower = merge(guard, choice)
            if narrower is not None and self._is_reachable(narrower):
                yield from self._cases(old, new, narrower)

    def _evaluator(self, guard: Guard) -> Evaluator:
        """Return an evaluator that knows the facts of the guard, and no other condition or parameter."""
        truths = dict(self._undecided_conditions)
        values: dict[str, str] = {}
        for fact, holds in guard:
            if isinstance(fact, Equality):
                values[fact.parameter] = fact.value if holds else NOT_A_KEY
            else:
                truths[fact] = holds
        return Evaluator(self._template, Scope.KNOWN, values, truths)

    def _is_refused(self, value: Json) -> bool:
        """Return whether CloudFormation refuses the value, because a mapping of the template has no such row."""
        for inner in walk(value):
            match inner:
                case {"Fn::FindInMap": [str(), str(), str(), *_]}:
                    return not self._template.macros and "Fn::Transform" not in self._template.mappings
        return False

    def _resolved_difference(self, old: Json, new: Json) -> Certainty:
        """Return how certain it is that two values differ, after conditions and mappings have been resolved."""
        if same(old, new):
            return Certainty.NONE
        if old is None or new is None:
            return Certainty.CERTAIN
        if _is_structure(old) and _is_structure(new):
            return worst(self._resolved_difference(old.get(key), new.get(key)) for key in {*old, *new})
        if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
            return worst(map(self._resolved_difference, old, new))
        if any(isinstance(value, list) or _is_structure(value) for value in (old, new)):
            return Certainty.POSSIBLE if is_intrinsic(old) or is_intrinsic(new) else Certainty.CERTAIN
        return _text_difference(old, new, self._template)


def _is_structure(value: Json) -> bool:
    return isinstance(value, Mapping) and not is_intrinsic(value)


def _text_difference(old: Json, new: Json, template: Template) -> Certainty:
    """Return how certain it is that texts, numbers or functions have different values. They are written differently."""
    texts = [template_text(value if is_intrinsic(value) else literal_text(value)) for value in (old, new)]
    if None in texts or any(DYNAMIC in str(text) for text in texts):
        return Certainty.POSSIBLE
    left, right = (_parts(str(text)) for text in texts)
    while left and right and left[0] == right[0]:
        left, right = left[1:], right[1:]
    while left and right and left[-1] == right[-1]:
        left, right = left[:-1], right[:-1]
    if [len(left), len(right)] == [1, 1] and not isinstance(left[0], str) and not isinstance(right[0], str):
        names = {_referred(left[0]), _referred(right[0])}
        are_resources = all(not name.startswith("AWS::") and name not in template.parameters for name in names)
        # Two resources never have the same name or ARN; two parameters may have the same value.
        return Certainty.CERTAIN if are_resources and len(names) == 2 else Certainty.POSSIBLE
    may_be_equal = (
        _may_be(left, right, template)
        and _may_be(right, left, template)
        and _fit(left[:1], right[:1], str.startswith)
        and _fit(left[-1:], right[-1:], str.endswith)
    )
    return Certainty.POSSIBLE if may_be_equal else Certainty.CERTAIN


def _parts(text: str) -> list[Json]:
    """Split the content of a Fn::Sub into text and references."""
    found: list[Json] = []
    for part in parts_of(text) or []:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return found


def _may_be(pattern: list[Json], text: list[Json], template: Template) -> bool:
    """Return whether a text with references may be equal to a text without any."""
    allowed = (_pattern(part, template) for part in pattern)
    return not all(isinstance(part, str) for part in text) or matches(allowed, "".join(text))


def _pattern(part: Json, template: Template) -> Alternatives:
    """Return everything that a text or a reference may be."""
    if isinstance(part, str):
        return ((part,),)
    values = allowed_values(as_mapping(template.parameters.get(_referred(part))))
    if values is not None:
        return tuple((value,) for value in values)
    return ARN if _is_arn(part, template) else ANYTHING


def _is_arn(part: Json, template: Template) -> bool:
    """Return whether a reference is certainly the ARN of a resource. A topic's is that of its Ref."""
    kind = str(template.resources.get(_referred(part), {}).get("Type"))
    match part:
        case {"Fn::GetAtt": [_, str(attribute)]}:
            is_of_aws = kind.startswith("AWS::") and not kind.startswith("AWS::CloudFormation::")
            return is_of_aws and "." not in attribute and attribute.lower().endswith("arn")
    return kind == "AWS::SNS::Topic"


def _referred(value: Json) -> str:
    content = next(iter(value.values()))
    return str(content[0] if isinstance(content, list) else content)


def _fit(left: list[Json], right: list[Json], fits: Callable[[str, str], bool]) -> bool:
    """Return whether two texts may have the same beginning, or end. A reference may be any text."""
    first, second = (part[0] if part else "" for part in (left, right))
    is_open = not isinstance(first, str) or not isinstance(second, str)
    return is_open or fits(first, second) or fits(second, first)


def _choices(undecided: Sequence[Fact]) -> list[Guard]:
    """Return all values of the first condition or parameter. A parameter has the keys of mappings, or none of them."""
    first = undecided[0]
    if isinstance(first, str):
        return [when(first), when(first, holds=False)]
    keys = dict.fromkeys(fact for fact in undecided if isinstance(fact, Equality) and fact.parameter == first.parameter)
    return [*map(when, keys), frozenset((key, False) for key in keys)]


def _undecided_facts(value: Json, mappings: Mapping[str, Json]) -> Iterator[Fact]:
    """Yield the conditions that a value depends on, and the equalities of parameters with the keys of mappings."""
    for inner in walk(value):
        match inner:
            case {"Fn::If": [str(name), *_]}:
                yield name
            case {"Fn::FindInMap": [str(name), *keys]}:
                rows = as_mapping(mappings.get(name))
                columns = dict.fromkeys(key for row in rows.values() for key in as_mapping(row))
                for key, level in zip(keys, (rows, columns), strict=False):
                    if isinstance(key, Mapping) and isinstance(parameter := key.get("Ref"), str):
                        yield from (Equality(parameter, str(one)) for one in level)
