"""Decide which conditions and parameter values can hold together, and find the heaviest combination that does.

A guard is a set of facts: a condition is true or false, a parameter has a value or does not have it. `Deployments`
compiles the conditions behind these facts into formulas over the template's parameters. Each parameter has a finite
domain: its allowed values, or the values that the template compares it with and one that represents all others. A
comparison that cannot be evaluated, such as one with a text composed of a parameter of any value, may be true or false.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from generator.template.intrinsics import (
    Json,
    canonical,
    concatenation,
    is_intrinsic,
    literal_text,
    mapping,
    parts_of,
    reduce,
    split_commas,
)
from generator.template.model import Template, is_list, is_stored

MAX_STEPS = 1_500_000
"""Options to examine and formulas to evaluate in all searches of one template, which takes about two seconds.

Unlike a time limit, a limit on steps gives the same answer on every machine.
"""

MIN_STEPS, MIN_DIVES = 2_000, 20
"""Steps that every search gets, whatever the earlier ones used: a fixed number, and a number for each of its options.

Until it has found its first deployment, it gets twice as many.
"""

MAX_SOLUTIONS = 16
"""Ways in which the parameters of a composed text may form another text. With more ways, it is open whether they do."""

MAX_DEPTH = 400
"""Variables that a search may assign on the way to one deployment."""


class Equality(NamedTuple):
    """The fact that a parameter, or a pseudo parameter such as AWS::Region, has a value."""

    parameter: str
    value: str


Fact = str | Equality
"""A condition's name, or an equality."""

Guard = frozenset[tuple[Fact, bool]]
"""Facts, each with whether it is true. All of them apply at once."""

ALWAYS: Guard = frozenset()


def merge(*guards: Guard) -> Guard | None:
    """Return the union of the guards, or None if two of their facts contradict each other literally.

    A merged guard may still be impossible, because of the meaning of its conditions: ask `Deployments.possible`.
    """
    merged = ALWAYS.union(*guards)
    values: dict[str, str] = {}
    for fact, holds in merged:
        if (fact, not holds) in merged:
            return None
        if isinstance(fact, Equality) and holds and values.setdefault(fact.parameter, fact.value) != fact.value:
            return None
    return merged


def when(fact: Fact, holds: bool = True) -> Guard:
    """Return a guard of one fact."""
    return frozenset([(fact, holds)])


class Other(NamedTuple):
    """A parameter value that the template mentions nowhere."""

    number: int


NOTHING = Other(-1)
"""The result of Fn::FindInMap for keys that a mapping does not have. It is equal to no other value."""

Value = str | bool | Other
Assignment = dict[str, Value]
"""The values of variables. A variable is a parameter, by its name, or a comparison that may be true or false."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Fn::Equals of two expressions over some parameters.

    If `is_open`, sides with a parameter that is Other may be equal or not. `either` is the variable for that.
    """

    left: Json
    right: Json
    names: tuple[str | None, str | None]
    """For each side, the name of the parameter that it is, or None if it is anything else."""
    variables: tuple[str, ...]
    either: str
    is_open: bool


@dataclass(frozen=True, slots=True, eq=False)
class Formula:
    """A condition: "and", "or" and "not" of formulas, a comparison, or a constant."""

    kind: str
    parts: tuple[Formula, ...] = ()
    comparison: Comparison | None = None
    constant: bool = False


TRUE, FALSE = Formula("constant", constant=True), Formula("constant", constant=False)

Facts = tuple[tuple[Formula, bool], ...]

Truths = dict[Formula, bool | None]
"""Formulas evaluated under one assignment."""

Picked = TypeVar("Picked")


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Picked]):
    """One option of an item, with its weight. `option` is None if it stands for leaving the item out."""

    weight: int
    guard: Guard
    option: Picked | None


Item = Sequence[Candidate[Picked]]
"""Options that exclude each other: a deployment has exactly one of them."""


@dataclass(frozen=True, slots=True)
class Combination(Generic[Picked]):
    """One candidate for each item. Some deployment has all of them at once.

    No deployment weighs more than `at_most`, which exceeds `weight` only if the search stopped early.
    """

    weight: int
    picks: tuple[Candidate[Picked], ...]
    guard: Guard
    at_most: int


class Deployments:
    """Everything that can be deployed from a template: assignments of its parameters that its Rules allow.

    `pins` restrict pseudo parameters such as AWS::Region to the given values.
    """

    def __init__(self, template: Template, pins: Mapping[str, Iterable[str]] | None = None) -> None:
        self._template, self.steps = template, 0
        self.pins = {name: tuple(values) for name, values in (pins or {}).items()}
        self._named: dict[str, Formula | None] = {}
        self._equalities: dict[Equality, Formula] = {}
        self._compared: dict[str, Comparison] = {}
        self._literals: dict[str, dict[str, None]] = {}
        self._partners: dict[str, set[str]] = {}
        self._constraints = tuple(
            formula for rule in template.rules.values() if (formula := self._constraint(mapping(rule))) is not TRUE
        )

    def possible(self, guard: Guard) -> bool:
        """Return whether the facts of the guard hold together in some deployment."""
        item: Item[None] = [Candidate(0, guard, None)]
        return not guard or self.heaviest([item]) is not None

    def can_read(self, guard: Guard) -> bool:
        """Return whether every condition of the guard is declared in a form that can be evaluated.

        If one is not, a loop, an include or a macro may declare it.
        """
        return all(self._fact(fact) is not None for fact, _ in guard)

    def mentioned(self, parameter: str) -> frozenset[str]:
        """Return the values of a parameter on which conditions, rules or mappings of the template depend."""
        for name in self._template.conditions:
            self._condition(name)
        for arguments in lookups_in(self._template.resources) if self._template.mappings else ():
            self._note_keys(arguments)
        partners = self._partners.get(parameter, {parameter})
        return frozenset(literal for name in partners for literal in self._literals_of(name))

    def heaviest(self, items: Iterable[Item[Picked]]) -> Combination[Picked] | None:
        """Return the heaviest combination of one candidate of each item; None if no deployment has any.

        Items without a common parameter are searched separately: twenty independent conditions are twenty small
        searches, not one search of a million combinations.
        """
        compiled = [self._compiled(item) for item in items]
        found = [self._search(options, constraints) for options, constraints in self._groups(compiled)]
        combinations = [combination for combination in found if combination is not None]
        if len(combinations) < len(found):
            return None
        return Combination(
            weight=sum(part.weight for part in combinations),
            picks=tuple(pick for part in combinations for pick in part.picks),
            guard=ALWAYS.union(*(part.guard for part in combinations)),
            at_most=sum(part.at_most for part in combinations),
        )

    def _search(self, items: list[_Options[Picked]], constraints: tuple[Formula, ...]) -> Combination[Picked] | None:
        last_step = max(MAX_STEPS, self.steps + MIN_STEPS + MIN_DIVES * sum(map(len, items)))
        search = _Search[Picked](self, constraints, self.steps, last_step)
        search.run(items)
        if search.best is None:
            return None if not search.is_cut else Combination(0, (), ALWAYS, search.open)
        picks = tuple(option.candidate for option in search.best)
        weight = sum(pick.weight for pick in picks)
        guard = ALWAYS.union(*(pick.guard for pick in picks))
        return Combination(weight, picks, guard, max(weight, search.open))

    def _compiled(self, item: Item[Picked]) -> _Options[Picked]:
        options = []
        for candidate in item:
            facts = [(self._fact(fact), holds) for fact, holds in sorted(candidate.guard, key=str)]
            if all(formula is not None for formula, _ in facts):
                options.append(_Option(candidate, tuple((formula, holds) for formula, holds in facts if formula)))
        return sorted(options, key=lambda option: -option.candidate.weight)

    def _groups(self, items: list[_Options[Picked]]) -> Iterator[tuple[list[_Options[Picked]], tuple[Formula, ...]]]:
        """Yield groups of items and constraints. Different groups have no variable in common."""
        depends = [variables(*(formula for option in item for formula, _ in option.facts)) for item in items]
        depends += [variables(formula) for formula in self._constraints]
        leader = _leaders(depends)
        groups: dict[int, tuple[list[_Options[Picked]], list[Formula]]] = {}
        for index, number in enumerate(leader):
            group = groups.setdefault(number, ([], []))
            if index < len(items):
                group[0].append(items[index])
            else:
                group[1].append(self._constraints[index - len(items)])
        return ((group_items, tuple(constraints)) for group_items, constraints in groups.values())

    def domain(self, variable: str) -> tuple[Value, ...]:
        """Return the values of a variable to try: those that the template mentions, and stand-ins for all others."""
        if variable in self._compared:
            return (True, False)
        if variable in self.pins:
            return self.pins[variable]
        if (allowed := self._allowed(variable)) is not None:
            return allowed
        partners = self._partners.get(variable, {variable})
        literals = dict.fromkeys(literal for name in sorted(partners) for literal in self._literals_of(name))
        return (*literals, *(Other(number) for number in range(max(1, len(partners)))))

    def _allowed(self, name: str) -> tuple[str, ...] | None:
        """Return the only values that a parameter may have, or None. Those of a list are values of its items."""
        declared = mapping(self._template.parameters.get(name))
        allowed = declared.get("AllowedValues")
        if not isinstance(allowed, list) or is_stored(declared) or is_list(declared):
            return None
        return tuple(dict.fromkeys(text for value in allowed if (text := literal_text(value)) is not None))

    def _literals_of(self, name: str) -> Iterable[str]:
        return [*self._literals.get(name, ()), *self.pins.get(name, ()), *(self._allowed(name) or ())]

    def truth(self, formula: Formula, assignment: Assignment, known: Truths) -> bool | None:
        """Return whether a formula holds; None if that depends on variables without a value.

        `known` caches the results under this assignment, because conditions share their parts.
        """
        if formula not in known:
            known[formula] = self._evaluated(formula, assignment, known)
        return known[formula]

    def _evaluated(self, formula: Formula, assignment: Assignment, known: Truths) -> bool | None:
        self.steps += 1
        if formula.comparison is not None:
            return self._compares(formula.comparison, assignment)
        if formula.kind == "constant":
            return formula.constant
        if formula.kind == "not":
            holds = self.truth(formula.parts[0], assignment, known)
            return None if holds is None else not holds
        wanted = formula.kind == "and"
        found: bool | None = wanted
        for part in formula.parts:
            holds = self.truth(part, assignment, known)
            if holds is (not wanted):
                return not wanted
            if holds is None:
                found = None
        return found

    def undecided(self, formula: Formula, assignment: Assignment, known: Truths) -> str | None:
        """Return a variable without a value that the formula depends on; None if there is none."""
        if formula.comparison is not None:
            free = (name for name in formula.comparison.variables if name not in assignment)
            return next(free, formula.comparison.either)
        for part in formula.parts:
            if self.truth(part, assignment, known) is None:
                return self.undecided(part, assignment, known)
        return None

    def _compares(self, comparison: Comparison, assignment: Assignment) -> bool | None:
        for name in comparison.variables:
            if name not in assignment:
                return None
        left_name, right_name = comparison.names
        left = self._assigned(comparison.left, assignment) if left_name is None else assignment[left_name]
        right = self._assigned(comparison.right, assignment) if right_name is None else assignment[right_name]
        if isinstance(left, str) and isinstance(right, str):
            return bool(left == right)
        if left == NOTHING or right == NOTHING:
            return False
        if isinstance(left, Other) and isinstance(right, Other):
            return bool(left == right)
        if not comparison.is_open:
            return False
        either = assignment.get(comparison.either)
        return either if isinstance(either, bool) else None

    def _assigned(self, value: Json, assignment: Assignment) -> Json:
        """Return an expression's value under an assignment: a text, Other, or anything else if it is not known."""
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and len(value) == 1 and is_intrinsic(value):
            function, content = next(iter(value.items()))
            if function == "Ref":
                found = assignment.get(content, value) if isinstance(content, str) else value
                if isinstance(found, str) and is_list(mapping(self._template.parameters.get(content))):
                    return split_commas(found)
                return found
            if function == "Fn::Sub" and (parts := parts_of(content)) is not None:
                found_parts = [self._assigned(part, assignment) for part in parts]
                return NOTHING if NOTHING in found_parts else concatenation(found_parts)
            if isinstance(content, list):
                arguments = [self._assigned(argument, assignment) for argument in content]
                if NOTHING in arguments[:3] or any(isinstance(found, list) and NOTHING in found for found in arguments):
                    return NOTHING
                found = reduce(function, arguments, self._template.mappings)
                if function == "Fn::FindInMap" and is_intrinsic(found) and all(map(_is_key, arguments[:3])):
                    found = mapping(arguments[-1]).get("DefaultValue", NOTHING)
                return literal_text(found) if literal_text(found) is not None else found
        if isinstance(value, list):
            return [self._assigned(one, assignment) for one in value]
        literal = literal_text(value)
        return value if literal is None else literal

    def _fact(self, fact: Fact) -> Formula | None:
        if isinstance(fact, Equality):
            if fact not in self._equalities:
                self._equalities[fact] = self._comparison({"Ref": fact.parameter}, fact.value)
            return self._equalities[fact]
        return self._condition(fact)

    def _condition(self, name: str) -> Formula | None:
        """Return a declared condition's formula; None if it is missing, malformed or depends on itself."""
        if name not in self._named:
            self._named[name] = None
            if name in self._template.conditions:
                self._named[name] = self._formula(self._template.conditions[name])
        return self._named[name]

    def _formula(self, condition: Json) -> Formula | None:
        match condition:
            case {"Condition": str(name)} if len(condition) == 1:
                return self._condition(name)
            case {"Fn::Equals": [left, right]}:
                return self._comparison(left, right)
            case {"Fn::Contains": [list(members), value]}:
                return self._joined("or", [{"Fn::Equals": [value, member]} for member in members])
            case {"Fn::Not": [negated]}:
                inner = self._formula(negated)
                return None if inner is None else Formula("not", (inner,))
            case {"Fn::And": list(parts)}:
                return self._joined("and", parts)
            case {"Fn::Or": list(parts)}:
                return self._joined("or", parts)
        return None

    def _joined(self, kind: str, conditions: list[Json]) -> Formula | None:
        formulas = [self._formula(condition) for condition in conditions]
        known = tuple(formula for formula in formulas if formula is not None)
        return Formula(kind, known) if len(known) == len(formulas) else None

    def _constraint(self, rule: Mapping[str, Json]) -> Formula:
        """Return a rule as a formula: its condition, if any, implies its assertions. TRUE if it cannot be read."""
        assertions = rule.get("Assertions")
        if not isinstance(assertions, list):
            return TRUE
        demands = [self._formula(mapping(assertion).get("Assert")) for assertion in assertions]
        known = tuple(demand for demand in demands if demand is not None)
        if "RuleCondition" not in rule:
            return Formula("and", known) if known else TRUE
        premise = self._formula(rule["RuleCondition"])
        if premise is None or not known:
            return TRUE
        return Formula("or", (Formula("not", (premise,)), Formula("and", known)))

    def _comparison(self, left: Json, right: Json) -> Formula:
        left, right = sorted((self._folded(canonical(left)), self._folded(canonical(right))), key=_key)
        key = _key([left, right])
        if key not in self._compared:
            ranging = tuple(name for name in dict.fromkeys(parameters_in(left, right)) if self._ranges(name))
            is_open = not any([self._note_literals(left, right), self._note_literals(right, left)])
            names = self._plain(left), self._plain(right)
            self._compared[key] = Comparison(left, right, names, ranging, key, is_open)
        return Formula("comparison", comparison=self._compared[key])

    def _folded(self, value: Json) -> Json:
        """Return the text of an expression that depends on no parameter, or the expression."""
        text = None if any(map(self._ranges, parameters_in(value))) else self._assigned(value, {})
        return text if isinstance(text, str) else value

    def _ranges(self, name: str) -> bool:
        return name.startswith("AWS::") or isinstance(self._template.parameters.get(name), Mapping)

    def _note_literals(self, side: Json, other: Json) -> bool:
        """Note the values of one side's parameters that matter to a comparison.

        Return whether no other value can make the two sides equal.
        """
        name, partner, texts = self._plain(side), self._plain(other), self._texts(other)
        for arguments in lookups_in(side):
            self._note_keys(arguments)
        if name is not None and partner is not None:
            both = self._partners.get(name, {name}) | self._partners.get(partner, {partner})
            for member in both:
                self._partners[member] = both
            return True
        if name is not None:
            self._literals.setdefault(name, {}).update(dict.fromkeys(texts or ()))
            return texts is not None
        for inner in parameters_in(side):
            declared = mapping(self._template.parameters.get(inner))
            default = literal_text(declared.get("Default"))
            if default is not None and not is_stored(declared):
                self._literals.setdefault(inner, {})[default] = None
        if texts is None or self._texts(side) is not None:
            return texts is not None
        solved = [self._solve(side, text) for text in texts]
        return all(solved)

    def _plain(self, value: Json) -> str | None:
        """Return the name of the parameter if the expression is a parameter alone, else None."""
        name = plain_reference(value)
        return name if name is not None and self._ranges(name) else None

    def _texts(self, value: Json) -> list[str] | None:
        """Return every value of an expression that is a literal or a look-up in a mapping; None for any other."""
        if (literal := literal_text(value)) is not None:
            return [literal]
        match value:
            case {"Fn::FindInMap": [str(name), first, second, *default]} if len(value) == 1:
                rows = _narrowed(mapping(self._template.mappings.get(name)), first)
                values = [cell for row in rows for cell in _narrowed(mapping(row), second)]
                values += [mapping(options).get("DefaultValue") for options in default]
                texts = [text for value in values if (text := literal_text(value)) is not None]
                is_simple = all(self._plain(key) or self._texts(key) is not None for key in (first, second))
                return texts if is_simple and len(texts) == len(values) else None
        return None

    def _solve(self, composed: Json, text: str) -> bool:
        """Note the parameter values that make a composed text equal to `text`. Return whether there are no others."""
        parts = parts_of(mapping(composed).get("Fn::Sub"))
        if parts is None or not all(isinstance(part, str) or self._is_text(self._plain(part)) for part in parts):
            return False
        found = list(islice(self._solutions(parts, text), MAX_SOLUTIONS + 1))
        for solution in found[:MAX_SOLUTIONS]:
            for name, value in solution.items():
                self._literals.setdefault(name, {})[value] = None
        return len(found) <= MAX_SOLUTIONS

    def _is_text(self, name: str | None) -> bool:
        return name is not None and not is_list(mapping(self._template.parameters.get(name)))

    def _solutions(self, parts: list[Json], text: str) -> Iterator[dict[str, str]]:
        if not parts:
            if not text:
                yield {}
            return
        first, *rest = parts
        if isinstance(first, str):
            if text.startswith(first):
                yield from self._solutions(rest, text.removeprefix(first))
            return
        name = str(self._plain(first))
        allowed = self._allowed(name)
        for end in range(len(text) + 1):
            if allowed is None or text[:end] in allowed:
                for others in self._solutions(rest, text[end:]):
                    if others.get(name, text[:end]) == text[:end]:
                        yield {**others, name: text[:end]}

    def _note_keys(self, arguments: Sequence[Json]) -> None:
        table = mapping(self._template.mappings.get(literal_text(arguments[0]) or ""))
        levels = (table, {key: None for row in table.values() for key in mapping(row)})
        for key, level in zip(arguments[1:3], levels, strict=False):
            name = plain_reference(key)
            if name is not None:
                self._literals.setdefault(name, {}).update(dict.fromkeys(map(str, level)))


@dataclass(frozen=True, slots=True)
class _Option(Generic[Picked]):
    candidate: Candidate[Picked]
    facts: Facts
    """The facts that the assignment does not decide yet."""


_Options = list[_Option[Picked]]


@dataclass(slots=True)
class _Search(Generic[Picked]):
    """Branch and bound over the values of variables. A branch that cannot become the heaviest is dropped."""

    deployments: Deployments
    constraints: tuple[Formula, ...]
    first_step: int
    last_step: int
    best: list[_Option[Picked]] | None = None
    weight: int = 0
    is_cut: bool = False
    open: int = 0
    """The highest bound of a branch that was not searched."""
    assignment: Assignment = field(default_factory=dict)

    def run(self, items: list[_Options[Picked]]) -> None:
        """Search all combinations of the items' options."""
        left = self._remaining(items)
        if left is not None:
            self._descend(left, sum(item[0].candidate.weight for item in left))

    def _descend(self, items: list[_Options[Picked]], bound: int) -> None:
        if self.best is not None and bound <= self.weight:
            return
        more = self.last_step - self.first_step if self.best is None else 0
        last_step = self.last_step + more
        if self.deployments.steps > last_step or len(self.assignment) > MAX_DEPTH:
            self.is_cut, self.open = True, max(self.open, bound)
            return
        variable = self._variable(items)
        if variable is None:
            self.best, self.weight = [item[0] for item in items], bound
            return
        children = []
        for value in self.deployments.domain(variable):
            self.assignment[variable] = value
            left = self._remaining(items)
            if left is not None:
                children.append((sum(item[0].candidate.weight for item in left), value, left))
        for child_bound, value, left in sorted(children, key=lambda child: -child[0]):
            self.assignment[variable] = value
            self._descend(left, child_bound)
        self.assignment.pop(variable, None)

    def _remaining(self, items: list[_Options[Picked]]) -> list[_Options[Picked]] | None:
        """Return the options that the assignment leaves possible; None if an item has none or a constraint fails."""
        known: Truths = {}
        if any(self.deployments.truth(constraint, self.assignment, known) is False for constraint in self.constraints):
            return None
        left = []
        for item in items:
            options: _Options[Picked] = []
            for option in item:
                self.deployments.steps += 1
                facts = []
                for formula, wanted in option.facts:
                    holds = self.deployments.truth(formula, self.assignment, known)
                    if holds is None:
                        facts.append((formula, wanted))
                    elif holds is not wanted:
                        break
                else:
                    is_same = len(facts) == len(option.facts)
                    options.append(option if is_same else _Option(option.candidate, tuple(facts)))
                    if not facts:
                        break  # This option holds, and the later ones weigh no more.
            if not options:
                return None
            left.append(options)
        return left

    def _variable(self, items: list[_Options[Picked]]) -> str | None:
        """Return the variable to assign next: one that a heaviest option depends on, else one of a constraint."""
        known: Truths = {}
        for item in items:
            if item[0].facts:
                return self.deployments.undecided(item[0].facts[0][0], self.assignment, known)
        for formula in self.constraints:
            if self.deployments.truth(formula, self.assignment, known) is None:
                return self.deployments.undecided(formula, self.assignment, known)
        return None


def _key(value: Json) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _is_key(value: Json) -> bool:
    return isinstance(value, str | Other)


def _narrowed(table: Mapping[str, Json], key: Json) -> list[Json]:
    """Return the entries that a key may select: all of them unless it is a literal."""
    literal = literal_text(key)
    return list(table.values()) if literal is None else [table[literal]] if literal in table else []


def _leaders(depends: Sequence[set[str]]) -> list[int]:
    """Return for each set the index of the first set that it is connected with through common elements."""
    leader = list(range(len(depends)))
    first: dict[str, int] = {}

    def root(index: int) -> int:
        while leader[index] != index:
            leader[index] = index = leader[leader[index]]
        return index

    for index, names in enumerate(depends):
        for name in names:
            one, other = sorted((root(first.setdefault(name, index)), root(index)))
            leader[other] = one
    return [root(index) for index in range(len(depends))]


def variables(*formulas: Formula) -> set[str]:
    """Return the variables that formulas depend on. Shared parts are visited once."""
    found: set[str] = set()
    seen, left = set(formulas), list(formulas)
    while left:
        formula = left.pop()
        if formula.comparison is not None:
            found.update(formula.comparison.variables or (formula.comparison.either,))
        left += [part for part in formula.parts if part not in seen]
        seen.update(formula.parts)
    return found


def plain_reference(value: Json) -> str | None:
    """Return the name in a Ref, or in an Fn::Sub of a single variable; None for anything else."""
    match value:
        case {"Ref": str(name)} if len(value) == 1:
            return name
        case {"Fn::Sub": content} if len(value) == 1:
            parts = parts_of(content)
            return plain_reference(parts[0]) if parts is not None and len(parts) == 1 else None
    return None


def parameters_in(*values: Json) -> Iterator[str]:
    """Yield the names of all parameters that expressions refer to, pseudo parameters included."""
    for value in values:
        match value:
            case {"Ref": str(name)} if len(value) == 1:
                yield name
            case {"Fn::Sub": content} if len(value) == 1 and (parts := parts_of(content)) is not None:
                yield from parameters_in(*parts)
            case Mapping():
                yield from parameters_in(*value.values())
            case list():
                yield from parameters_in(*value)


def lookups_in(value: Json) -> Iterator[Sequence[Json]]:
    """Yield the arguments of every Fn::FindInMap within an expression."""
    match value:
        case {"Fn::FindInMap": [_, _, _, *_] as arguments} if len(value) == 1:
            yield arguments
            yield from lookups_in(arguments)
        case Mapping():
            for inner in value.values():
                yield from lookups_in(inner)
        case list():
            for inner in value:
                yield from lookups_in(inner)
