"""The targets of `make bench`, and their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks import cases
from benchmarks.measuring import Measured, slope

MAX_TO_BARE = 2.0
MAX_FURTHER_MS = 25.0
"""Each stack is composed and laid out by itself. A third of the time is troposphere's: its objects, and their
conversion into a dict. The page takes a quarter, the layout of the template a fifth, and the sizing most of the rest.
"""
MAX_PEAK_MIB = 40.0
MAX_TO_LINT = 1.15
MAX_CHECK_S = 3.0
MAX_QUOTA_MS = 150.0
MAX_FOLDER_S = 5.0

Results = Mapping[str, Measured]
READINGS: dict[str, Callable[[Measured], float]] = {
    "median wall": lambda one: one.median_wall_s,
    "least wall": lambda one: one.least_wall_s,
}
"""The readings of a time. A target is met only if every reading meets it.

Processor time is not among them: it adds up both processors of a command that uses two, and grows when they share a
core.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A limit, and the figure found in each reading."""

    text: str
    limit: float
    unit: str
    found: dict[str, float]
    at_least: bool = False

    @property
    def verdict(self) -> str:
        """Return "met", "missed", or the only readings that meet the target."""
        good = [reading for reading, value in self.found.items() if self._meets(value)]
        if len(good) == len(self.found):
            return "met"
        return f"missed, met by {' and '.join(good)} only" if good else "missed"

    def _meets(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def targets(results: Results) -> list[Target]:
    """Return every target of `make bench`."""
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
        Target("check", MAX_CHECK_S, "s", {reading: read(results[cases.CHECK]) for reading, read in READINGS.items()}),
        Target(
            "quota of one template",
            MAX_QUOTA_MS,
            "ms",
            {reading: read(results[cases.QUOTA]) * 1000 for reading, read in READINGS.items()},
        ),
        Target(
            "quota of 1,000 templates",
            MAX_FOLDER_S,
            "s",
            {reading: read(results[cases.FOLDER]) for reading, read in READINGS.items()},
        ),
    ]


def further_ms(results: Results) -> dict[str, float]:
    """Return the cost of one more environment in each reading: the slope over all counts."""
    return {
        reading: slope({count: read(results[cases.template_of(count)]) for count in cases.COUNTS}) * 1000
        for reading, read in READINGS.items()
    }


def ratio(results: Results, one: str, other: str) -> dict[str, float]:
    """Return the time of one command as a multiple of another's, in each reading."""
    return {reading: read(results[one]) / read(results[other]) for reading, read in READINGS.items()}
