"""Finds the heaviest combination of options that some deployment can have, without trying all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from generator.checks.reservations.guards import ALWAYS, Guard, merge
from generator.checks.reservations.solver import Solver, variables
from generator.checks.reservations.source import Source
from generator.checks.reservations.values import Option

MAX_QUESTIONS = 500
"""How many guards one search asks the solver about beyond trying each option once: about two seconds."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One option of an item, with what it weighs; `option` is None where the item is left out."""

    weight: int
    guard: Guard
    option: Option | None


Item = Sequence[Candidate]
"""The options of which a deployment has one."""

LEFT_OUT = Candidate(0, ALWAYS, None)
"""The option to ignore an item, where that can only make the sum smaller than it is."""


@dataclass(frozen=True, slots=True)
class Combination:
    """One candidate for each item, and the guard of them all: the solver found it possible.

    It is the heaviest there is if `exact`; otherwise the search was cut short and a heavier one may exist.
    """

    weight: int
    picks: tuple[Candidate, ...]
    guard: Guard
    exact: bool


def heaviest(source: Source, items: Iterable[Item]) -> Combination | None:
    """The heaviest possible combination; None when none is possible, or none was found in time.

    Items that share no parameter are searched apart: twenty independent conditions are twenty small searches, not one
    among a million combinations. Within a group it is branch and bound, the heaviest options first.
    """
    found = [_search(source, group) for group in _groups(source, list(items))]
    combinations = [combination for combination in found if combination]
    if len(combinations) < len(found):
        return None
    return Combination(
        weight=sum(combination.weight for combination in combinations),
        picks=tuple(pick for combination in combinations for pick in combination.picks),
        guard=ALWAYS.union(*(combination.guard for combination in combinations)),
        exact=all(combination.exact for combination in combinations),
    )


def _groups(source: Source, items: list[Item]) -> list[list[Item]]:
    """Items that depend on each other, together. A template's rules can tie any parameters to each other."""
    groups: list[tuple[set[str], list[Item]]] = []
    for item in items:
        depends = set().union(*(variables(source, fact) for candidate in item for fact, _ in candidate.guard))
        depends |= {"Rules"} if source.rules and depends else set()
        joined = [group for group in groups if group[0] & depends]
        groups = [group for group in groups if not group[0] & depends]
        groups.append(
            (depends.union(*(group[0] for group in joined)), [item, *(old for group in joined for old in group[1])])
        )
    return [group for _, group in groups]


def _search(source: Source, items: list[Item]) -> Combination | None:
    """Branch and bound over one group: a partial choice is dropped when the rest cannot make it the heaviest."""
    items = sorted(items, key=_most, reverse=True)
    rest = [*accumulate((_most(item) for item in reversed(items)), initial=0)][::-1]
    solver = Solver(source, {fact for item in items for candidate in item for fact, _ in candidate.guard})
    allowed = MAX_QUESTIONS + sum(map(len, items))
    best: Combination | None = None
    open_choices = [Combination(0, (), ALWAYS, exact=True)]
    while open_choices:
        choice = open_choices.pop()
        depth = len(choice.picks)
        if best and choice.weight + rest[depth] <= best.weight:
            continue
        if solver.questions >= allowed:
            return best and Combination(best.weight, best.picks, best.guard, exact=False)
        if not solver.possible(choice.guard):
            continue
        if depth == len(items):
            best = choice
        else:
            open_choices += _extended(choice, items[depth])
    return best


def _extended(choice: Combination, item: Item) -> Iterable[Combination]:
    """A choice with each candidate of one more item, the heaviest last, for it is taken up first."""
    for candidate in sorted(item, key=lambda candidate: candidate.weight):
        guard = merge(choice.guard, candidate.guard)
        if guard is not None:
            yield Combination(choice.weight + candidate.weight, (*choice.picks, candidate), guard, exact=True)


def _most(item: Item) -> int:
    return max((candidate.weight for candidate in item), default=0)
