"""What the figures should be, and whether they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import cases
from benchmarks.measuring import Measured, slope

MAX_TO_BARE = 2.0
MAX_FURTHER_MS = 10.0
MAX_PEAK_MIB = 40.0
MAX_TO_LINT = 1.15
MAX_CHECK_S = 3.0

Results = Mapping[str, Measured]
READINGS: dict[str, Callable[[Measured], float]] = {
    "median wall": lambda one: one.median_wall_s,
    "least wall": lambda one: one.least_wall_s,
}
"""The ways to read a time. A target is met if it is met in all of them.

Not processor time: where a command works on two processors it counts both, and more of each where they share a core.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A limit, and what was found in each way of reading the figures."""

    text: str
    limit: float
    unit: str
    found: dict[str, float]
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Met, missed, or where it is only met."""
        good = [
            how for how, value in self.found.items() if (value >= self.limit if self.at_least else value <= self.limit)
        ]
        if len(good) == len(self.found):
            return "met"
        return f"missed, met by {' and '.join(good)} only" if good else "missed"


def targets(results: Results) -> list[Target]:
    """Every target of `make bench`."""
    three = cases.template_of(3)
    return [
        Target(
            "template of 3 environments, to the bare script",
            MAX_TO_BARE,
            "x",
            ratio(results, three, cases.BARE_SCRIPT),
        ),
        Target("each further environment", MAX_FURTHER_MS, "ms", further_ms(results)),
        Target(
            "peak memory of template, 3 environments",
            MAX_PEAK_MIB,
            "MiB",
            {"peak": results[three].median_peak_kib / 1024},
        ),
        Target("check, to plain cfn-lint", MAX_TO_LINT, "x", ratio(results, cases.CHECK, cases.LINT)),
        Target("check", MAX_CHECK_S, "s", {how: read(results[cases.CHECK]) for how, read in READINGS.items()}),
    ]


def further_ms(results: Results) -> dict[str, float]:
    """What each further environment costs: the slope over all counts."""
    return {
        how: slope({count: read(results[cases.template_of(count)]) for count in cases.COUNTS}) * 1000
        for how, read in READINGS.items()
    }


def ratio(results: Results, one: str, other: str) -> dict[str, float]:
    """How many times the one takes what the other takes."""
    return {how: read(results[one]) / read(results[other]) for how, read in READINGS.items()}
