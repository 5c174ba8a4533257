"""Run one seed, judge it, and shrink a run that violates an invariant to the shortest that still does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.soak.choices import Key, Taken
from tests.soak.invariants import INVARIANTS
from tests.soak.scenario import Scenario
from tests.soak.world import STANDARD, Changes, World


@dataclass(frozen=True)
class Violation:
    """An invariant that a run violates."""

    invariant: str
    what: str


def play(seed: int, replayed: Mapping[Key, Any] | None = None, changes: Changes = (), scheme: str = STANDARD) -> World:
    """Run a seed, or the decisions that are given instead of it, to the end."""
    world = World(seed, replayed, changes, scheme)
    Scenario(world)
    world.scheduler.run()
    return world


def violations(world: World) -> list[Violation]:
    """Return the invariants that a run violates."""
    return [Violation(judge.__name__, what) for judge in INVARIANTS for what in judge(world)]


def shrink(seed: int, invariant: str, changes: Changes = ()) -> World:
    """Return the shortest run that still violates the invariant: no decision can be made the usual one."""

    def violates(taken: Taken) -> World | None:
        world = play(seed, taken, changes)
        return world if any(one.invariant == invariant for one in violations(world)) else None

    best = play(seed, None, changes)
    taken, size = dict(best.choices.taken), max(1, len(best.choices.taken) // 2)
    while True:
        keys, is_smaller = list(taken), False
        for start in range(0, len(keys), size):
            left = {key: taken[key] for key in keys if key in taken and key not in keys[start : start + size]}
            if len(left) < len(taken) and (found := violates(left)):
                # Decisions that no longer occur go too.
                best, taken, is_smaller = found, dict(found.choices.taken), True
        if size == 1 and not is_smaller:
            return best
        size = size if is_smaller and size == 1 else max(1, size // 2)


def report(seed: int, changes: Changes = ()) -> str:
    """Return what a seed violates, with the shortest history that shows it. An empty text is good."""
    found = violations(play(seed, None, changes))
    if not found:
        return ""
    world = shrink(seed, found[0].invariant, changes)
    first = next(one for one in violations(world) if one.invariant == found[0].invariant)
    steps = "\n".join(f"  {key}: {answer}" for key, answer in world.choices.taken.items())
    return f"seed {seed} violates {first.invariant}: {first.what}\n{world.history}\ndecisions:\n{steps}"
