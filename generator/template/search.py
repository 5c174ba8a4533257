"""Find the heaviest combination of conditions and parameter values that can hold together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from generator.template.alternatives import Option
from generator.template.conditions import Assignment, DeploymentSpace, Formula, Truths, variables
from generator.template.guards import ALWAYS, Guard

MAX_STEPS = 1_500_000
"""Options to examine and formulas to evaluate in all searches of one template, which takes about two seconds.

Unlike a time limit, a limit on steps gives the same answer on every machine.
"""

MIN_STEPS, MIN_DIVES = 2_000, 20
"""Steps that every search gets, whatever the earlier ones used: a fixed number, and a number for each of its options.

Until it has found its first deployment, it gets twice as many.
"""

MAX_DEPTH = 400
"""Variables that a search may assign on the way to one deployment."""


Facts = tuple[tuple[Formula, bool], ...]


class Candidate(NamedTuple):
    """One option of an item, with its weight. `option` is None if it stands for leaving the item out."""

    weight: int
    guard: Guard
    option: Option | None


Item = Sequence[Candidate]
"""Options that exclude each other: a deployment has exactly one of them."""


class Combination(NamedTuple):
    """One candidate for each item. Some deployment has all of them at once.

    No deployment weighs more than `at_most`, which exceeds `weight` only if the search stopped early.
    """

    weight: int
    picks: tuple[Candidate, ...]
    guard: Guard
    at_most: int


def possible(space: DeploymentSpace, guard: Guard) -> bool:
    """Return whether the facts of the guard hold together in some deployment."""
    item: Item = [Candidate(0, guard, None)]
    return not guard or heaviest(space, [item]) is not None


def heaviest(space: DeploymentSpace, items: Iterable[Item]) -> Combination | None:
    """Return the heaviest combination of one candidate of each item; None if no deployment has any.

    Items without a common parameter are searched separately: twenty independent conditions are twenty small
    searches, not one search of a million combinations.
    """
    compiled = [_compiled(space, item) for item in items]
    results = [_search(space, options, constraints) for options, constraints in _groups(space, compiled)]
    combinations = [combination for combination in results if combination is not None]
    if len(combinations) < len(results):
        return None
    return Combination(
        weight=sum(part.weight for part in combinations),
        picks=tuple(pick for part in combinations for pick in part.picks),
        guard=ALWAYS.union(*(part.guard for part in combinations)),
        at_most=sum(part.at_most for part in combinations),
    )


def _search(space: DeploymentSpace, items: list[_CompiledItem], constraints: tuple[Formula, ...]) -> Combination | None:
    last_step = max(MAX_STEPS, space.steps + MIN_STEPS + MIN_DIVES * sum(map(len, items)))
    search = _Search(space, constraints, last_step)
    search.run(items)
    if search.best is None:
        return None if not search.stopped_early else Combination(0, (), ALWAYS, search.unsearched)
    picks = tuple(option.candidate for option in search.best)
    weight = sum(pick.weight for pick in picks)
    guard = ALWAYS.union(*(pick.guard for pick in picks))
    return Combination(weight, picks, guard, max(weight, search.unsearched))


def _compiled(space: DeploymentSpace, item: Item) -> _CompiledItem:
    options = []
    for candidate in item:
        facts = [(space.formula_of(fact), holds) for fact, holds in sorted(candidate.guard, key=str)]
        if all(formula is not None for formula, _ in facts):
            options.append(_Compiled(candidate, tuple((formula, holds) for formula, holds in facts if formula)))
    return sorted(options, key=lambda option: -option.candidate.weight)


def _groups(
    space: DeploymentSpace, items: list[_CompiledItem]
) -> Iterator[tuple[list[_CompiledItem], tuple[Formula, ...]]]:
    """Yield groups of items and constraints. Different groups have no variable in common."""
    depends = [variables(*(formula for option in item for formula, _ in option.facts)) for item in items]
    depends += [variables(formula) for formula in space.constraints]
    leader = _leaders(depends)
    groups: dict[int, tuple[list[_CompiledItem], list[Formula]]] = {}
    for index, number in enumerate(leader):
        group = groups.setdefault(number, ([], []))
        if index < len(items):
            group[0].append(items[index])
        else:
            group[1].append(space.constraints[index - len(items)])
    return ((group_items, tuple(constraints)) for group_items, constraints in groups.values())


class _Compiled(NamedTuple):
    candidate: Candidate
    facts: Facts
    """The facts that the assignment does not decide yet."""


_CompiledItem = list[_Compiled]


class _Search:
    """Branch and bound over the values of variables. A branch that cannot become the heaviest is dropped."""

    def __init__(self, space: DeploymentSpace, constraints: tuple[Formula, ...], last_step: int) -> None:
        self.space, self.constraints = space, constraints
        self.first_step, self.last_step = space.steps, last_step
        self.best: list[_Compiled] | None = None
        self.weight = 0
        self.stopped_early = False
        self.unsearched = 0
        """The highest bound of a branch that was not searched."""
        self.assignment: Assignment = {}

    def run(self, items: list[_CompiledItem]) -> None:
        """Search all combinations of the items' options."""
        remaining = self._remaining(items)
        if remaining is not None:
            self._descend(remaining, sum(item[0].candidate.weight for item in remaining))

    def _descend(self, items: list[_CompiledItem], bound: int) -> None:
        if self.best is not None and bound <= self.weight:
            return
        extra_steps = self.last_step - self.first_step if self.best is None else 0
        last_step = self.last_step + extra_steps
        if self.space.steps > last_step or len(self.assignment) > MAX_DEPTH:
            self.stopped_early, self.unsearched = True, max(self.unsearched, bound)
            return
        variable = self._variable(items)
        if variable is None:
            self.best, self.weight = [item[0] for item in items], bound
            return
        children = []
        for value in self.space.domain(variable):
            self.assignment[variable] = value
            remaining = self._remaining(items)
            if remaining is not None:
                children.append((sum(item[0].candidate.weight for item in remaining), value, remaining))
        for child_bound, value, remaining in sorted(children, key=lambda child: -child[0]):
            self.assignment[variable] = value
            self._descend(remaining, child_bound)
        self.assignment.pop(variable, None)

    def _remaining(self, items: list[_CompiledItem]) -> list[_CompiledItem] | None:
        """Return the options that the assignment leaves possible; None if an item has none or a constraint fails."""
        known: Truths = {}
        if any(self.space.truth(constraint, self.assignment, known) is False for constraint in self.constraints):
            return None
        remaining = []
        for item in items:
            options: _CompiledItem = []
            for option in item:
                self.space.steps += 1
                facts = []
                for formula, wanted in option.facts:
                    holds = self.space.truth(formula, self.assignment, known)
                    if holds is None:
                        facts.append((formula, wanted))
                    elif holds is not wanted:
                        break
                else:
                    is_same = len(facts) == len(option.facts)
                    options.append(option if is_same else _Compiled(option.candidate, tuple(facts)))
                    if not facts:
                        break  # This option holds, and the later ones weigh no more.
            if not options:
                return None
            remaining.append(options)
        return remaining

    def _variable(self, items: list[_CompiledItem]) -> str | None:
        """Return the variable to assign next: one that a heaviest option depends on, else one of a constraint."""
        known: Truths = {}
        for item in items:
            if item[0].facts:
                return self.space.undecided(item[0].facts[0][0], self.assignment, known)
        for formula in self.constraints:
            if self.space.truth(formula, self.assignment, known) is None:
                return self.space.undecided(formula, self.assignment, known)
        return None


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
