"""Find the heaviest combination of conditions and parameter values that can hold together.

A template leaves open which figure each of its properties has. Each such `Decision` has several `Choice`s, each with a
guard and a weight. `heaviest` finds the deployment in which the choices weigh most.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from generator.template.alternatives import Figure
from generator.template.conditions import Assignment, DeploymentSpace, Formula, Truths, variables
from generator.template.guards import ALWAYS, Guard

MAX_SEARCH_STEPS = 1_500_000
"""Choices to examine and formulas to evaluate in all searches of one template, which takes about two seconds.

Unlike a time limit, a limit on steps gives the same answer on every machine.
"""

MIN_STEPS = 2_000
"""Steps that every search may take, even if the earlier ones have used up the limit."""

MIN_STEPS_PER_CHOICE = 20
"""Steps that every search may take in addition for each of its choices."""

MAX_DEPTH = 400
"""Variables that a search may assign on the way to one deployment."""


Facts = tuple[tuple[Formula, bool], ...]


class Choice(NamedTuple):
    """A figure that a deployment may have if the guard holds, with its weight; or no figure."""

    weight: int
    guard: Guard
    figure: Figure | None


Decision = Sequence[Choice]
"""Choices that exclude each other: a deployment makes exactly one of them."""


class Combination(NamedTuple):
    """One choice for each decision and each rule of the template. Some deployment makes all of them at once.

    No deployment weighs more than `at_most`, which exceeds `weight` only if the search stopped early.
    """

    weight: int
    choices: tuple[Choice, ...]
    guard: Guard
    at_most: int


def possible(space: DeploymentSpace, guard: Guard) -> bool:
    """Return whether the facts of the guard hold together in some deployment."""
    return not guard or heaviest(space, [[Choice(0, guard, None)]]) is not None


def heaviest(space: DeploymentSpace, decisions: Iterable[Decision]) -> Combination | None:
    """Return the heaviest combination of one choice for each decision; None if no deployment makes any.

    Decisions without a common parameter are searched separately: twenty independent conditions are twenty small
    searches, not one search of a million combinations.
    """
    compiled = [_compiled(space, decision) for decision in decisions]
    compiled += [[_OpenChoice(Choice(0, ALWAYS, None), ((rule, True),))] for rule in space.constraints]
    results = [_Search(space, group).heaviest() for group in _groups(compiled)]
    combinations = [combination for combination in results if combination is not None]
    if len(combinations) < len(results):
        return None
    return Combination(
        weight=sum(part.weight for part in combinations),
        choices=tuple(choice for part in combinations for choice in part.choices),
        guard=ALWAYS.union(*(part.guard for part in combinations)),
        at_most=sum(part.at_most for part in combinations),
    )


def _compiled(space: DeploymentSpace, decision: Decision) -> _OpenDecision:
    choices = []
    for choice in decision:
        facts = [(space.formula_of(fact), holds) for fact, holds in sorted(choice.guard, key=str)]
        if all(formula is not None for formula, _ in facts):
            choices.append(_OpenChoice(choice, tuple((formula, holds) for formula, holds in facts if formula)))
    return sorted(choices, key=lambda open_choice: -open_choice.choice.weight)


def _groups(decisions: list[_OpenDecision]) -> Iterable[list[_OpenDecision]]:
    """Return groups of decisions. Different groups have no variable in common."""
    formulas = ([formula for choice in decision for formula, _ in choice.facts] for decision in decisions)
    groups: dict[int, list[_OpenDecision]] = {}
    for decision, number in zip(decisions, _leaders([variables(*each) for each in formulas]), strict=True):
        groups.setdefault(number, []).append(decision)
    return groups.values()


class _OpenChoice(NamedTuple):
    """A choice under an assignment of some variables."""

    choice: Choice
    facts: Facts
    """The facts that the assignment does not decide yet."""


_OpenDecision = list[_OpenChoice]
"""The choices of a decision that are still possible, heaviest first."""


class _Search:
    """Branch and bound over the values of variables. A branch that cannot become the heaviest is dropped.

    The search may take `budget` steps, or twice as many until it finds its first deployment.
    """

    def __init__(self, space: DeploymentSpace, decisions: list[_OpenDecision]) -> None:
        self.space, self.decisions = space, decisions
        least = MIN_STEPS + MIN_STEPS_PER_CHOICE * sum(map(len, decisions))
        self.first_step, self.budget = space.steps, max(MAX_SEARCH_STEPS - space.steps, least)
        self.best: list[_OpenChoice] | None = None
        self.weight = 0
        self.stopped_early = False
        self.unsearched = 0
        """The highest bound of a branch that was not searched."""
        self.assignment: Assignment = {}

    def heaviest(self) -> Combination | None:
        """Return the heaviest combination of the decisions' choices; None if no deployment makes any."""
        remaining = self._remaining(self.decisions)
        if remaining is not None:
            self._descend(remaining, sum(decision[0].choice.weight for decision in remaining))
        if self.best is None:
            return Combination(0, (), ALWAYS, self.unsearched) if self.stopped_early else None
        choices = tuple(open_choice.choice for open_choice in self.best)
        guard = ALWAYS.union(*(choice.guard for choice in choices))
        return Combination(self.weight, choices, guard, max(self.weight, self.unsearched))

    def _descend(self, decisions: list[_OpenDecision], bound: int) -> None:
        if self.best is not None and bound <= self.weight:
            return
        budget = 2 * self.budget if self.best is None else self.budget
        if self.space.steps - self.first_step > budget or len(self.assignment) > MAX_DEPTH:
            self.stopped_early, self.unsearched = True, max(self.unsearched, bound)
            return
        variable = self._variable(decisions)
        if variable is None:
            self.best, self.weight = [decision[0] for decision in decisions], bound
            return
        children = []
        for value in self.space.domain(variable):
            self.assignment[variable] = value
            remaining = self._remaining(decisions)
            if remaining is not None:
                children.append((sum(decision[0].choice.weight for decision in remaining), value, remaining))
        for child_bound, value, remaining in sorted(children, key=lambda child: -child[0]):
            self.assignment[variable] = value
            self._descend(remaining, child_bound)
        self.assignment.pop(variable, None)

    def _remaining(self, decisions: list[_OpenDecision]) -> list[_OpenDecision] | None:
        """Return the choices that the assignment leaves possible; None if a decision has none."""
        known: Truths = {}
        remaining = []
        for decision in decisions:
            choices: _OpenDecision = []
            for open_choice in decision:
                self.space.steps += 1
                facts = []
                for formula, wanted in open_choice.facts:
                    holds = self.space.truth(formula, self.assignment, known)
                    if holds is None:
                        facts.append((formula, wanted))
                    elif holds is not wanted:
                        break
                else:
                    is_same = len(facts) == len(open_choice.facts)
                    choices.append(open_choice if is_same else _OpenChoice(open_choice.choice, tuple(facts)))
                    if not facts:
                        break  # This choice is possible, and the later ones weigh no more.
            if not choices:
                return None
            remaining.append(choices)
        return remaining

    def _variable(self, decisions: list[_OpenDecision]) -> str | None:
        """Return the variable to assign next: one that a heaviest choice depends on."""
        fact = next((decision[0].facts[0] for decision in decisions if decision[0].facts), None)
        return None if fact is None else self.space.undecided(fact[0], self.assignment, {})


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
            earlier, later = sorted((root(first.setdefault(name, index)), root(index)))
            leader[later] = earlier
    return [root(index) for index in range(len(depends))]
