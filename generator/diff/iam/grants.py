"""Split policy documents into grants, the smallest parts of statements, and decide which scope covers which.

A statement with two actions on two resources is four grants, so neither order nor how statements are split matters.
NotAction, NotResource and NotPrincipal are not split: "all but A and B" is not "all but A" together with "all but B".
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from generator.diff.patterns import matches, tokens
from generator.template.guards import ALWAYS, Guard, when
from generator.template.intrinsics import NO_VALUE, Json, as_list, as_mapping, canonical, is_intrinsic, text
from generator.template.schemas import Certainty

ELEMENTS = ("Principal", "Action", "Resource")
EFFECTS = ("Allow", "Deny")
UNREAD = MANAGED_POLICY, OPAQUE_POLICY, STATEMENT = "managed policy ", "policy ", "statement "
"""Prefixes of the action in a grant that represents an unreadable policy or statement."""
ACTING = "is"
"""The operator of the clause that names the property by which a resource runs as a role."""
API_KEY = "ApiKeyRequired"
ONLY_IF = "only if"
"""The operator of a clause about the template, not about the request."""

HOLDS = ("holds",)
"""The values of a clause about a condition of the template."""

MAX_GRANTS = 4_000
"""The most grants into which a statement is split. A larger statement stays one grant."""

PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}
DEFAULT_VERSION = "2008-10-17"

NOT = "not "
"""The prefix of a template condition that must not hold."""

IN_PARTITION = {
    "${AWS::Partition}": "aws",
    '{"Ref": "AWS::Partition"}': '"aws"',
    "${AWS::URLSuffix}": "amazonaws.com",
    '{"Ref": "AWS::URLSuffix"}': '"amazonaws.com"',
}
"""The values of pseudo parameters in the partition `aws`, which most templates write as literals."""

ROOT = re.compile(r"arn:[^/]+:iam::(\d{12}|\$\{AWS::AccountId\}):root")
"""The long form of an account as a principal. Source: IAM User Guide, "AWS JSON policy elements: Principal"."""

REFERENCE = re.compile(r"\$\{|\{\"")
"""The beginning of a reference, or of a function that is written as JSON."""

REFERENCES = re.compile(r"(\$\{[^}]*\}|\{\".*)", re.DOTALL)

NOT_A_NAME = re.compile(r"[*? ]")
"""A wildcard, or the blank in a principal or in the action of an unreadable policy."""


@dataclass(frozen=True, slots=True, order=True)
class GrantScope:
    """One element of a grant: a single pattern or, if inverted, everything except the patterns."""

    patterns: tuple[str, ...]
    inverted: bool = False

    def covers(self, other: GrantScope) -> bool:
        """Return whether the other scope is certainly inside this one. Patterns never cover "everything except".

        "Everything except" covers a name that fits none of its patterns. A principal may include an excepted one.
        """
        if self.patterns == ("*",) and not self.inverted:
            return True
        mine, theirs = ([*map(in_partition, scope.patterns)] for scope in (self, other))
        if self.inverted and not other.inverted:
            are_known = not any(map(REFERENCE.search, (*mine, *theirs))) and not any(map(NOT_A_NAME.search, theirs))
            return other != HOLDER and are_known and not any(_fits(name, mine) for name in theirs)
        if self.inverted != other.inverted:
            return False
        outer, inner = (theirs, mine) if self.inverted else (mine, theirs)
        named = set(outer)
        wild = [pattern for pattern in named if "*" in pattern or "?" in pattern]
        return all(name in named or _fits(name, wild) for name in inner)

    def folded(self) -> GrantScope:
        """Return the scope in lower case, for actions. The names in references and functions keep their case."""
        split = (REFERENCES.split(in_partition(pattern)) for pattern in self.patterns)
        lower = ("".join(part if i % 2 else part.lower() for i, part in enumerate(parts)) for parts in split)
        return GrantScope(tuple(sorted(lower)), self.inverted)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(matches([(tokens(pattern),)], name) for pattern in patterns)


EVERYTHING = GrantScope(("*",))
HOLDER = GrantScope(())
"""The scope of a statement without a principal: it belongs to an identity's policy, and equals no principal."""


@dataclass(frozen=True, slots=True, order=True)
class Clause:
    """A condition on one key, which holds for any of the values."""

    operator: str
    key: str
    values: tuple[str, ...]

    @property
    def is_of_template(self) -> bool:
        """Whether the clause is about the template, not about the request."""
        return self.operator == ONLY_IF and self.key != API_KEY

    @property
    def is_guard(self) -> bool:
        """Whether the clause is a condition of the template, and not a function that may have any value."""
        return self.is_of_template and self.values == HOLDS

    def folded(self) -> Clause:
        """Return the clause with its key in lower case, unless the key is the name of a template's condition."""
        return self if self.operator == ONLY_IF else replace(self, key=self.key.lower())


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One permission or denial. Without a principal, it applies to the role that has the policy."""

    effect: str
    principal: GrantScope
    action: GrantScope
    resource: GrantScope = EVERYTHING
    condition: tuple[Clause, ...] = ()

    @property
    def certainty(self) -> Certainty:
        """POSSIBLE if it depends on a condition of the template, or on a policy or role outside the template.

        A statement that was not split is POSSIBLE, too, because several others together may cover it.
        """
        depends = any(clause.operator == ACTING or clause.is_of_template for clause in self.condition)
        scopes = (self.principal, self.action, self.resource)
        is_whole = any(len(scope.patterns) > 1 and not scope.inverted for scope in scopes)
        return Certainty.POSSIBLE if depends or is_whole or self.is_unread else Certainty.CERTAIN

    @property
    def is_unread(self) -> bool:
        """Whether the grant represents a policy whose content is not in the template."""
        return any(pattern.startswith(UNREAD) for pattern in self.action.patterns)

    @property
    def guard(self) -> Guard:
        """The conditions of the template under which the grant exists."""
        return ALWAYS.union(*(guard_of(clause.key) for clause in self.condition if clause.is_guard))

    def without(self, *conditions: str) -> Grant:
        """Return the grant without these conditions of the template, or without any if none is named."""
        kept = (one for one in self.condition if not one.is_of_template or (conditions and one.key not in conditions))
        return replace(self, condition=tuple(kept))

    def folded(self) -> Grant:
        """Return the grant with actions and condition keys in lower case. IAM ignores case there, but not in ARNs.

        Source: IAM User Guide, "IAM JSON policy elements: Action" and "Condition keys".
        """
        clauses = tuple(sorted(clause.folded() for clause in self.condition))
        return replace(self, action=self.action.folded(), condition=clauses)


def is_document(value: Json) -> bool:
    """Return whether a value is a policy document. Its statements may be functions such as Fn::If."""
    statements = [entry for entry in as_list(as_mapping(value).get("Statement")) if isinstance(entry, Mapping)]
    return any("Effect" in statement or is_intrinsic(statement) for statement in statements)


def canonical_document(document: Mapping[str, Json]) -> Json:
    """Return a form that is equal for documents with the same grants. Statement ids do not matter."""
    rest = {key: canonical(value) for key, value in document.items() if key not in ("Statement", "Version", "Id")}
    version = str(document.get("Version", DEFAULT_VERSION))
    return {**rest, "Version": version, "Statement": sorted({repr(grant.folded()) for grant in grants(document)})}


def grants(document: Mapping[str, Json]) -> Iterator[Grant]:
    """Return every grant of a document. A statement that is a function other than Fn::If is one grant."""
    for conditions, statement in entries(document.get("Statement")):
        yield from (under(conditions, grant) for grant in _granted(statement))


def under(conditions: Iterable[str], grant: Grant) -> Grant:
    """Return the grant with conditions of the template added."""
    more = {Clause(ONLY_IF, condition, HOLDS) for condition in conditions}
    return replace(grant, condition=tuple(sorted({*grant.condition, *more}))) if more else grant


def guard_of(condition: Json) -> Guard:
    """Return the guard of a condition of the template, or of its opposite. None always holds."""
    return ALWAYS if condition is None else when(str(condition).removeprefix(NOT), not str(condition).startswith(NOT))


def in_words(condition: str) -> str:
    """Return a condition of the template, or its opposite, as a clause. The name of a loop's condition is a clause."""
    name = condition.removeprefix(NOT)
    if " " in name.partition(" (")[0]:
        return condition
    return f"{name} holds" if name == condition else f"{name} does not hold"


def alternatives(value: Json) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Yield every possible value with the template conditions under which it applies; None for no value."""
    match value:
        case {"Fn::If": [str(name), yes, no]}:
            for condition, branch in ((name, yes), (f"{NOT}{name}", no)):
                yield from (((condition, *more), content) for more, content in alternatives(branch))
        case _:
            yield (), None if value == NO_VALUE else value


def entries(value: Json) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Return the entries of a list, or of a single value, each with the conditions under which it exists."""
    for conditions, content in alternatives(value):
        if isinstance(content, list):
            yield from (((*conditions, *more), entry) for item in content for more, entry in entries(item))
        elif content is not None:
            yield conditions, content


def _granted(statement: Json) -> Iterator[Grant]:
    if not isinstance(statement, Mapping) or "Effect" not in statement:
        yield from (Grant(effect, HOLDER, GrantScope((f"{STATEMENT}{text(statement)}",))) for effect in EFFECTS)
        return
    scopes = [_scopes(statement, element) for element in ELEMENTS]
    if math.prod(map(len, scopes)) > MAX_GRANTS:
        scopes = [_scopes(statement, element, as_one=True) for element in ELEMENTS]
    condition = _condition(statement.get("Condition"))
    stated = text(statement["Effect"])
    # An effect that the template does not determine, such as a parameter, may be either.
    effects = {stated: ()} if stated in EFFECTS else {effect: (f"{stated} is {effect}",) for effect in EFFECTS}
    for choice in itertools.product(*scopes):
        principal, action, resource = (scope for _, scope in choice)
        if any(scope.inverted and "*" in scope.patterns for _, scope in choice):
            continue  # "Everything except everything" is nothing.
        for effect, only_if in effects.items():
            conditions = [name for names, _ in choice for name in names]
            yield under((*conditions, *only_if), Grant(effect, principal, action, resource, condition))


def _scopes(
    statement: Mapping[str, Json], element: str, as_one: bool = False
) -> list[tuple[tuple[str, ...], GrantScope]]:
    """Return the scopes of an element, each with the template conditions under which the statement has it.

    As one scope, patterns under a condition are written as a function of the template.
    """
    inverse = statement.get(f"Not{element}")
    value = statement.get(element) if inverse is None else inverse
    patterns = list(_patterns(value, element))
    if inverse is None and not patterns:
        return [((), HOLDER if element == "Principal" else EVERYTHING)]
    if inverse is None and not as_one:
        return [(conditions, GrantScope((pattern,))) for conditions, pattern in patterns]
    if any(conditions for conditions, _ in patterns):
        patterns = [((), text(pattern)) for pattern in as_list(value)]
    return [((), GrantScope(tuple(sorted({pattern for _, pattern in patterns})), inverse is not None))]


def _patterns(value: Json, element: str) -> Iterator[tuple[tuple[str, ...], str]]:
    for conditions, content in entries(value):
        if element == "Principal" and isinstance(content, Mapping) and content.keys() <= PRINCIPALS:
            for kind, names in content.items():
                for more, name in entries(names):
                    account = ROOT.sub(r"\1", text(name))
                    yield (*conditions, *more), "*" if (kind, account) == ("AWS", "*") else f"{kind} {account}"
        else:
            yield conditions, text(content)


def _condition(value: Json) -> tuple[Clause, ...]:
    if not isinstance(value, Mapping) or not all(isinstance(keys, Mapping) for keys in value.values()):
        return (Clause("condition", text(value), ()),) if value else ()
    return tuple(
        sorted(
            Clause(operator, key, tuple(sorted(text(operand) for operand in as_list(values))))
            for operator, keys in value.items()
            for key, values in keys.items()
        )
    )


def in_partition(text: str) -> str:
    """Return the text with the values of the partition `aws`. An ARN of another partition matches no resource."""
    if "AWS::" in text:
        for reference, value in IN_PARTITION.items():
            text = text.replace(reference, value)
    return text


def merged(grants_: Sequence[Grant]) -> list[Grant]:
    """Return the grants with those merged that differ in one element only, for a shorter report."""
    for element in ("action", "principal", "resource"):
        together: dict[Grant, set[str]] = {}
        for grant in grants_:
            scope: GrantScope = getattr(grant, element)
            base = grant if scope.inverted or scope == HOLDER else _with(grant, element, ())
            together.setdefault(base, set()).update(scope.patterns)
        grants_ = [_with(base, element, sorted(patterns)) for base, patterns in together.items()]
    return list(grants_)


def _with(grant: Grant, element: str, patterns: Iterable[str]) -> Grant:
    scope: GrantScope = replace(getattr(grant, element), patterns=tuple(patterns))
    return replace(grant, **{element: scope})  # type: ignore[arg-type]
