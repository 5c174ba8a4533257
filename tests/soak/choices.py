"""The decisions of a run: drawn from one seed, recorded, and replayed with fewer of them unusual."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping
from typing import Any

Key = Hashable
Taken = dict[Key, Any]


class Choices:
    """Answers the question at each decision of a run.

    Every decision has a usual answer, in which nothing goes wrong. Only the unusual answers are recorded, each by the
    name of its decision, so that a run can be replayed and shrunk: leaving out an answer makes that decision the usual
    one and moves no other.
    """

    def __init__(self, seed: int, replayed: Mapping[Key, Any] | None = None) -> None:
        self.random = random.Random(seed)
        self.taken: Taken = {}
        self._replayed = replayed
        # A run with every fault at once hides what a single kind does, so each seed has its own rates.
        self._rates: dict[str, float] = {}

    def rate(self, kind: str, highest: float) -> float:
        """Return how often this kind of unusual answer occurs in this run: never, seldom or up to `highest`."""
        if kind not in self._rates:
            self._rates[kind] = self.random.choice((0.0, 0.2, 1.0)) * highest
        return self._rates[kind]

    def draw(self, key: Key, usual: Any, probability: float, unusual: Callable[[random.Random], Any]) -> Any:
        """Return the answer to the decision `key`."""
        if self._replayed is not None:
            answer = self._replayed.get(key, usual)
            if answer is not usual:
                self.taken[key] = answer
            return answer
        if self.random.random() >= probability:
            return usual
        answer = self.taken[key] = unusual(self.random)
        return answer
