"""Asks cfn-lint's condition solver whether a guard can be true in any deployment."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from types import SimpleNamespace
from typing import Any, TypeGuard

from cfnlint.conditions import Conditions

from generator.checks.reservations.branches import MAX_OPTIONS
from generator.checks.reservations.guards import Equality, Fact, Guard
from generator.checks.reservations.mappings import lookups
from generator.checks.reservations.source import Source, under

NEVER: dict[str, Any] = {"Fn::Equals": ["true", "false"]}
"""Heads each Fn::Or, which would have nothing to choose from otherwise."""


class Solver:
    """Knows the conditions behind some facts, and no others: what is not asked about costs nothing.

    An equality is put to cfn-lint as one more condition, so its own knowledge of parameters holds for it as well: one
    value at a time, and only allowed ones. Comparisons of mapped values are spelled out as comparisons of the parameter
    that selects them. What cfn-lint takes to be free, such as a comparison of two parameters, is free here too.
    """

    def __init__(self, source: Source, facts: Iterable[Fact]) -> None:
        self._source, self._facts = source, set(facts)
        self._answers: dict[Guard, bool] = {}

    @cached_property
    def _conditions(self) -> Any:
        """Built when first needed: most templates have no condition on any function."""
        source = self._source
        names = _closure(source, (fact for fact in self._facts if not isinstance(fact, Equality)))
        conditions = {name: _spelled_out(source, source.conditions[name]) for name in names}
        for fact in sorted(fact for fact in self._facts if isinstance(fact, Equality)):
            conditions[_name(fact)] = _equals(fact.parameter, fact.value)
        rules = _spelled_out(source, source.rules)
        sections = {"Parameters": source.parameters, "Conditions": conditions, "Rules": rules}
        return Conditions(SimpleNamespace(template=sections))

    @property
    def questions(self) -> int:
        """How many different guards were asked about: the measure of what the answers cost."""
        return len(self._answers)

    def possible(self, guard: Guard) -> bool:
        """Whether some deployment makes every fact of the guard so.

        A condition that is not there, or that cfn-lint cannot read, can be neither true nor false.
        """
        if guard and guard not in self._answers:
            wanted = {_name(fact): {holds} for fact, holds in guard}
            self._answers[guard] = next(self._conditions.build_scenarios(wanted), None) is not None
        return not guard or self._answers[guard]


def variables(source: Source, fact: Fact) -> set[str]:
    """What a fact depends on; facts without a variable in common can be decided apart."""
    if isinstance(fact, Equality):
        return {json.dumps({"Ref": fact.parameter})}
    conditions = (_spelled_out(source, source.conditions[name]) for name in _closure(source, [fact]))
    return {
        json.dumps(operand, sort_keys=True, default=str)
        for condition in conditions
        for operands in under(condition, "Fn::Equals")
        if isinstance(operands, list)
        for operand in operands
        if isinstance(operand, dict)
    }


def _name(fact: Fact) -> str:
    """An equality's name has spaces, so no condition of the template's can have it."""
    return f"{fact.parameter} = {fact.value}" if isinstance(fact, Equality) else fact


def _equals(parameter: str, value: str) -> dict[str, Any]:
    return {"Fn::Equals": [{"Ref": parameter}, value]}


def _closure(source: Source, names: Iterable[str]) -> list[str]:
    """Conditions and the conditions that they are made of, as far as the template has them."""
    found: dict[str, None] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in source.conditions and name not in found:
            found[name] = None
            waiting += [inner for inner in under(source.conditions[name], "Condition") if isinstance(inner, str)]
    return sorted(found)


def _spelled_out(source: Source, expression: Any) -> Any:
    """A condition with each comparison of a mapped value as comparisons of what selects it.

    Otherwise "the mapping says yes for this environment" and "the environment is dev" would look independent.
    """
    if isinstance(expression, list):
        return [_spelled_out(source, inner) for inner in expression]
    if not isinstance(expression, dict):
        return expression
    comparison = _mapped_comparison(source, expression.get("Fn::Equals")) or _membership(expression.get("Fn::Contains"))
    return comparison or {key: _spelled_out(source, inner) for key, inner in expression.items()}


def _membership(operands: Any) -> Any:
    """Fn::Contains of a stated list, which cfn-lint cannot read, as comparisons; None for one of anything else.

    Source: AWS CloudFormation User Guide, "Rule-specific intrinsic functions".
    """
    if not (isinstance(operands, list) and len(operands) == 2 and isinstance(operands[0], list)):
        return None
    return {"Fn::Or": [NEVER, *({"Fn::Equals": [operands[1], member]} for member in operands[0])]}


def _mapped_comparison(source: Source, operands: Any) -> Any:
    """None for a comparison of anything else, or by keys that the template does not tell."""
    if not (isinstance(operands, list) and len(operands) == 2):
        return None
    for mapped, literal in (operands, reversed(operands)):
        arguments = mapped.get("Fn::FindInMap") if isinstance(mapped, dict) else None
        if _is_plain_lookup(arguments) and isinstance(literal, str | int):
            found = list(lookups(source, *arguments))
            if 0 < len(found) <= MAX_OPTIONS:
                return _any_of(guard for value, guard in found if _text(value) == _text(literal))
    return None


def _is_plain_lookup(arguments: Any) -> TypeGuard[list[Any]]:
    return isinstance(arguments, list) and len(arguments) == 3 and isinstance(arguments[0], str)


def _text(value: object) -> str:
    """A literal as Fn::Equals compares it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _any_of(guards: Iterable[Guard]) -> dict[str, Any]:
    """Fn::Or over guards of equalities, of which there may be none."""
    return {"Fn::Or": [NEVER, *({"Fn::And": [_comparison(fact) for fact, _ in guard]} for guard in guards)]}


def _comparison(fact: Fact) -> dict[str, Any]:
    return _equals(fact.parameter, fact.value) if isinstance(fact, Equality) else {"Condition": fact}
