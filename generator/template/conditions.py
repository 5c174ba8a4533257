"""Evaluate conditions under parameter values. `search` finds out which of them can hold together.

A `DeploymentSpace` compiles conditions into formulas over the template's parameters. Each parameter has a finite
domain: its allowed values, or the values that the template compares it with and one that represents all others. A
comparison that cannot be evaluated, such as one with a text composed of a parameter of any value, may be true or false.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from generator.template.constraints import accepts, allowed_values
from generator.template.dependencies import walk
from generator.template.guards import Equality, Fact, Guard
from generator.template.intrinsics import (
    Json,
    as_list,
    as_mapping,
    canonical,
    concatenation,
    is_intrinsic,
    literal_text,
    lookups_in,
    parameters_in,
    parts_of,
    plain_reference,
    reduce,
    split_commas,
)
from generator.template.model import Template, is_list, is_stored

MAX_COMPARISONS = 64
"""Comparisons that one Fn::Equals may become because of the Fn::Ifs in its sides."""

MAX_SOLUTIONS = 16
"""Values of a parameter with which a composed text forms another text. With more, the comparison of the two may be true
or false.
"""

MAX_PLACES = 2_000_000
"""Places in texts at which the parts of composed texts are tried, in all comparisons of a template. Beyond that, a
comparison may be true or false.
"""


class Other(NamedTuple):
    """A parameter value that the template mentions nowhere."""

    number: int


NOTHING = Other(-1)
"""The result of Fn::FindInMap for keys that a mapping does not have. It equals nothing, not even itself."""

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
    """A condition: "and", "or" and "not" of formulas, or a comparison."""

    kind: str
    parts: tuple[Formula, ...] = ()
    comparison: Comparison | None = None


class Part(NamedTuple):
    """A part of a composed text: a literal, or the parameter `name`. It is one of `texts`, or any text if that is None.

    The places in a text are those between its characters, from 0 to its length.
    """

    name: str | None
    texts: Collection[str] | None

    def ends(self, text: str, starts: Collection[int]) -> Collection[int]:
        """Return the places in a text where the part can end if it begins at one of `starts`."""
        if self.texts is None:
            return range(min(starts, default=len(text) + 1), len(text) + 1)
        return {start + len(each) for start in starts for each in self.texts if text.startswith(each, start)}

    def starts(self, text: str, ends: Collection[int]) -> Collection[int]:
        """Return the places in a text where the part can begin if it ends at one of `ends`."""
        if self.texts is None:
            return range(max(ends, default=-1) + 1)
        return {end - len(each) for end in ends for each in self.texts if text.endswith(each, 0, end)}


Truths = dict[Formula, bool | None]
"""Formulas evaluated under one assignment."""


class DeploymentSpace:
    """Everything that can be deployed from a template: assignments of its parameters that its Rules allow.

    `pins` restrict pseudo parameters such as AWS::Region to the given values, if there are any.
    """

    def __init__(self, template: Template, pins: Mapping[str, Collection[str]] | None = None) -> None:
        self._template = template
        self.steps = 0
        """Choices examined and formulas evaluated in all searches so far; `search` limits them."""
        self.pins = {name: tuple(values) for name, values in (pins or {}).items() if values}
        self._named: dict[str, Formula | None] = {}
        self._equalities: dict[Equality, Formula] = {}
        self._compared: dict[str, Formula] = {}
        self._literals: dict[str, set[str]] = defaultdict(set)
        self._places_left = MAX_PLACES
        self._partners: dict[str, set[str]] = {}
        self.constraints = tuple(
            formula for rule in template.rules.values() if (formula := self._constraint(as_mapping(rule))) is not None
        )

    def formula_of(self, fact: Fact) -> Formula | None:
        """Return a fact as a formula; None if its condition is missing, malformed or depends on itself."""
        if isinstance(fact, Equality):
            if fact not in self._equalities:
                self._equalities[fact] = self._comparison({"Ref": fact.parameter}, fact.value)
            return self._equalities[fact]
        return self._condition(fact)

    def can_read(self, guard: Guard) -> bool:
        """Return whether every condition of the guard is declared in a form that can be evaluated.

        If one is not, a loop, an include or a macro may declare it.
        """
        return all(self.formula_of(fact) is not None for fact, _ in guard)

    def mentioned(self, parameter: str) -> frozenset[str]:
        """Return the values of a parameter on which conditions, rules or mappings of the template depend."""
        for name in self._template.conditions:
            self._condition(name)
        for arguments in lookups_in(self._template.resources) if self._template.mappings else ():
            self._note_keys(arguments)
        return frozenset(self._mentioned(parameter))

    def domain(self, variable: str) -> tuple[Value, ...]:
        """Return the values of a variable to try: those that the template mentions, and stand-ins for all others."""
        if variable in self._compared:
            return (True, False)
        if variable in self.pins:
            return self.pins[variable]
        if (allowed := self._allowed(variable)) is not None:
            return allowed
        declared = as_mapping(self._template.parameters.get(variable))
        literals = [literal for literal in sorted(self._mentioned(variable)) if accepts(declared, literal)]
        return (*literals, *map(Other, range(len(self._partners.get(variable, {variable})))))

    def _allowed(self, name: str) -> tuple[str, ...] | None:
        return allowed_values(as_mapping(self._template.parameters.get(name)))

    def _mentioned(self, parameter: str) -> set[str]:
        mentioned: set[str] = set()
        for name in self._partners.get(parameter, {parameter}):
            mentioned.update(self._literals[name], self.pins.get(name, ()), self._allowed(name) or ())
        return mentioned

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
        if formula.kind == "not":
            holds = self.truth(formula.parts[0], assignment, known)
            return None if holds is None else not holds
        wanted = formula.kind == "and"
        outcome: bool | None = wanted
        for part in formula.parts:
            holds = self.truth(part, assignment, known)
            if holds is (not wanted):
                return holds
            if holds is None:
                outcome = None
        return outcome

    def undecided(self, formula: Formula, assignment: Assignment, known: Truths) -> str:
        """Return a variable without a value of a formula that is not decided yet."""
        while formula.comparison is None:
            formula = next(part for part in formula.parts if self.truth(part, assignment, known) is None)
        free = (name for name in formula.comparison.variables if name not in assignment)
        return next(free, formula.comparison.either)

    def _compares(self, comparison: Comparison, assignment: Assignment) -> bool | None:
        for name in comparison.variables:
            if name not in assignment:
                return None
        left_name, right_name = comparison.names
        left = self._value_under(comparison.left, assignment) if left_name is None else assignment[left_name]
        right = self._value_under(comparison.right, assignment) if right_name is None else assignment[right_name]
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

    def _value_under(self, value: Json, assignment: Assignment) -> Json:
        """Return an expression's value under an assignment: a text, Other, or anything else if it is not known."""
        if isinstance(value, str):
            return value
        if isinstance(value, Mapping) and len(value) == 1 and is_intrinsic(value):
            function, content = next(iter(value.items()))
            if function == "Ref":
                parameter = assignment.get(content, value) if isinstance(content, str) else value
                if isinstance(parameter, str) and is_list(as_mapping(self._template.parameters.get(content))):
                    return split_commas(parameter)
                return parameter
            if function == "Fn::Sub" and (parts := parts_of(content)) is not None:
                values = [self._value_under(part, assignment) for part in parts]
                return NOTHING if NOTHING in values else concatenation(values)
            if isinstance(content, list):
                arguments = [self._value_under(argument, assignment) for argument in content]
                if NOTHING in arguments[:3] or any(isinstance(each, list) and NOTHING in each for each in arguments):
                    return NOTHING
                reduced = reduce(function, arguments, self._template.mappings)
                are_keys = all(isinstance(key, str | Other) for key in arguments[:3])
                if function == "Fn::FindInMap" and is_intrinsic(reduced) and are_keys:
                    reduced = as_mapping(arguments[-1]).get("DefaultValue", NOTHING)
                return literal_text(reduced) if literal_text(reduced) is not None else reduced
        if isinstance(value, list):
            return [self._value_under(item, assignment) for item in value]
        literal = literal_text(value)
        return value if literal is None else literal

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
                return self._equality([left, right], MAX_COMPARISONS)
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

    def _equality(self, sides: list[Json], most: int) -> Formula:
        """Return Fn::Equals of two sides as a formula, with a comparison for each result of an Fn::If in them.

        CloudFormation has no Fn::If there, but a nested stack compares what its parent gives to a parameter. `most`
        limits the comparisons; beyond it, a comparison may be true or false.
        """
        name = next(_conditions_of_ifs(sides), None) if most > 1 else None
        condition = None if name is None else self._condition(name)
        if name is None or condition is None:
            return self._comparison(*sides)
        yes, no = (self._equality(_with_result(sides, name, holds), most // 2) for holds in (True, False))
        return Formula("or", (Formula("and", (condition, yes)), Formula("and", (Formula("not", (condition,)), no))))

    def _joined(self, kind: str, conditions: list[Json]) -> Formula | None:
        formulas = [self._formula(condition) for condition in conditions]
        known = tuple(formula for formula in formulas if formula is not None)
        return Formula(kind, known) if len(known) == len(formulas) else None

    def _constraint(self, rule: Mapping[str, Json]) -> Formula | None:
        """Return a rule as a formula: its condition, if any, implies its assertions. None if it cannot be read."""
        demands = [self._formula(as_mapping(each).get("Assert")) for each in as_list(rule.get("Assertions"))]
        demanded = Formula("and", tuple(demand for demand in demands if demand is not None))
        if not demanded.parts or "RuleCondition" not in rule:
            return demanded if demanded.parts else None
        premise = self._formula(rule["RuleCondition"])
        return None if premise is None else Formula("or", (Formula("not", (premise,)), demanded))

    def _comparison(self, left: Json, right: Json) -> Formula:
        left, right = sorted((self._folded(canonical(left)), self._folded(canonical(right))), key=_key)
        key = _key([left, right])
        if key not in self._compared:
            variables_ = tuple(name for name in dict.fromkeys(parameters_in(left, right)) if self._is_variable(name))
            left_is_closed, right_is_closed = self._note_literals(left, right), self._note_literals(right, left)
            names = self._plain(left), self._plain(right)
            is_open = not (left_is_closed or right_is_closed)
            comparison = Comparison(left, right, names, variables_, key, is_open)
            self._compared[key] = Formula("comparison", comparison=comparison)
        return self._compared[key]

    def _folded(self, value: Json) -> Json:
        """Return the text of an expression that depends on no parameter, or the expression."""
        text = None if any(map(self._is_variable, parameters_in(value))) else self._value_under(value, {})
        return text if isinstance(text, str) else value

    def _is_variable(self, name: str) -> bool:
        """Return whether a name is that of a parameter or a pseudo parameter."""
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
            self._literals[name].update(texts or ())
            return texts is not None
        for inner in parameters_in(side):
            declared = as_mapping(self._template.parameters.get(inner))
            default = literal_text(declared.get("Default"))
            if default is not None and not is_stored(declared):
                self._literals[inner].add(default)
        if texts is None or self._texts(side) is not None:
            return texts is not None
        parts = self._parts(side)
        solved = [parts is not None and self._solve(parts, text) for text in texts]  # Each notes its values.
        return all(solved)

    def _plain(self, value: Json) -> str | None:
        """Return the name of the parameter if the expression is a parameter alone, else None."""
        name = plain_reference(value)
        return name if name is not None and self._is_variable(name) else None

    def _texts(self, value: Json) -> list[str] | None:
        """Return every value of an expression that is a literal or a look-up in a mapping; None for any other."""
        if (literal := literal_text(value)) is not None:
            return [literal]
        match value:
            case {"Fn::FindInMap": [str(name), first, second, *default]} if len(value) == 1:
                rows = _narrowed(as_mapping(self._template.mappings.get(name)), first)
                values = [cell for row in rows for cell in _narrowed(as_mapping(row), second)]
                values += [as_mapping(options).get("DefaultValue") for options in default]
                texts = [text for value in values if (text := literal_text(value)) is not None]
                is_simple = all(self._plain(key) or self._texts(key) is not None for key in (first, second))
                return texts if is_simple and len(texts) == len(values) else None
        return None

    def _parts(self, composed: Json) -> list[Part] | None:
        """Return the parts of an Fn::Sub; None if it is no Fn::Sub of literals and of parameters that are texts."""
        parts = parts_of(as_mapping(composed).get("Fn::Sub"))
        found = [self._part(part) for part in parts or ()]
        known = [part for part in found if part is not None]
        return known if parts is not None and len(known) == len(found) else None

    def _part(self, part: Json) -> Part | None:
        if isinstance(part, str):
            return Part(None, (part,))
        name = self._plain(part)
        if name is None or is_list(as_mapping(self._template.parameters.get(name))):
            return None
        return Part(name, self._allowed(name))

    def _solve(self, parts: Sequence[Part], text: str) -> bool:
        """Note the parameter values that make the parts form `text`. Return whether there are no others.

        The first pass finds the places where each part can begin, given the parts before it. The second pass, from the
        last part, keeps those from which the parts after it can complete the text.
        """
        places = (len(text) + 1) * sum(1 if part.texts is None else len(part.texts) for part in parts)
        if places > self._places_left:
            return False
        self._places_left -= places
        begins: list[Collection[int]] = [[0]]
        for part in parts:
            begins.append(part.ends(text, begins[-1]))
        ends, are_all = [len(text)], True
        for part, begin in zip(parts[::-1], begins[-2::-1], strict=True):
            completing = part.starts(text, ends)
            starts = sorted(start for start in begin if start in completing)
            if part.name is not None and part.texts is None:
                spans = (text[start:end] for start in starts for end in ends if start <= end)
                values = _distinct(spans, MAX_SOLUTIONS + 1)
                self._literals[part.name].update(values[:MAX_SOLUTIONS])
                are_all = are_all and len(values) <= MAX_SOLUTIONS
            ends = starts
        return are_all

    def _note_keys(self, arguments: Sequence[Json]) -> None:
        table = as_mapping(self._template.mappings.get(literal_text(arguments[0]) or ""))
        levels = (table, {key: None for row in table.values() for key in as_mapping(row)})
        for key, level in zip(arguments[1:3], levels, strict=False):
            name = plain_reference(key)
            if name is not None:
                self._literals[name].update(map(str, level))


def _conditions_of_ifs(value: Json) -> Iterator[str]:
    """Yield the condition of each Fn::If within an expression."""
    for inner in walk(value):
        match inner:
            case {"Fn::If": [str(name), _, _]} if len(inner) == 1:
                yield name


def _with_result(value: Json, name: str, holds: bool) -> Json:
    """Return an expression with the result of every Fn::If of a condition in place of the function."""
    match value:
        case {"Fn::If": [str(condition), yes, no]} if len(value) == 1 and condition == name:
            return _with_result(yes if holds else no, name, holds)
        case Mapping():
            return {key: _with_result(inner, name, holds) for key, inner in value.items()}
        case list():
            return [_with_result(inner, name, holds) for inner in value]
    return value


def _distinct(texts: Iterable[str], most: int) -> list[str]:
    """Return the first distinct texts, at most `most`, without looking at those after them."""
    found: dict[str, None] = {}
    for text in texts:
        found[text] = None
        if len(found) == most:
            break
    return list(found)


def _key(value: Json) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _narrowed(table: Mapping[str, Json], key: Json) -> list[Json]:
    """Return the entries that a key may select: all of them unless it is a literal."""
    literal = literal_text(key)
    return list(table.values()) if literal is None else [table[literal]] if literal in table else []


def variables(*formulas: Formula) -> set[str]:
    """Return the variables that formulas depend on. Shared parts are visited once."""
    names: set[str] = set()
    seen, waiting = set(formulas), list(formulas)
    while waiting:
        formula = waiting.pop()
        if formula.comparison is not None:
            names.update(formula.comparison.variables or (formula.comparison.either,))
        waiting += [part for part in formula.parts if part not in seen]
        seen.update(formula.parts)
    return names
