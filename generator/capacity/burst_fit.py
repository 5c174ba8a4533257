"""Derive the number of webhooks that arrive at once from a recording of their times."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat, takewhile
from random import Random

from generator.capacity.bursts import Survival
from generator.config.schema import FunctionSettings

WINDOW_S = 60.0
"""Length of the windows for the variance. A rate that changes more slowly does not count as a burst."""

STEPS = 2000
"""Steps of the integral over a duration's tail, up to `LONGEST` mean durations."""

LONGEST = 30.0
"""Durations that are longer than this many mean durations are negligible."""

WINDOW, END, START, LAST = range(4)
"""Kinds of events. At the same moment, a window ends first, and executions end before others start."""

NOISE = 1.05
"""Chance alone gives up to this many webhooks per burst for separate arrivals."""


@dataclass(frozen=True, slots=True)
class BurstFit:
    """The mean size of the bursts in a recording, and how many webhooks find each number in progress."""

    webhooks_per_burst: float
    finding: Mapping[int, int]

    @property
    def most_at_once(self) -> int:
        """The most executions in progress at once."""
        return max(self.finding) + 1

    def share_finding(self, count: int) -> float:
        """Return the share of the webhooks that find at least this many in progress."""
        return sum(webhooks for found, webhooks in self.finding.items() if found >= count) / sum(self.finding.values())

    def in_progress_for(self, share: float) -> int:
        """Return the smallest number in progress that at most this share of the webhooks finds or exceeds.

        As many units throttle no more than that: with refusals, fewer are in progress.
        """
        return bisect_left(range(self.most_at_once), True, key=lambda count: self.share_finding(count) <= share)

    def exceeds(self, units: int) -> bool:
        """Return whether far more run at once than these units, which the mean size needs, and more than by chance."""
        return self.most_at_once > 1.5 * units + 2


def fit(times_s: Sequence[float], function: FunctionSettings) -> BurstFit:
    """Return the mean size of geometric bursts that need as much concurrency as the recorded times; 1 for Poisson.

    If nothing were refused, bursts of mean size g would give the number in progress the variance-to-mean ratio
    z = 1 + 2 (g - 1) zeta. Here zeta is the integral of G(t)^2 over the mean duration, and G(t) the probability that an
    execution runs longer than t: the variance of a shot-noise process (Campbell's theorem). z is measured by running
    the recording once with durations drawn for `function`. Webhooks of a burst need not arrive at the same instant.
    """
    survival = Survival.of(function, function.mean_duration_ms / 1000)
    finding: Counter[int] = Counter()
    size = 1 + (_peakedness(times_s, survival, finding) - 1) / (2 * _overlap(survival))
    return BurstFit(size if size >= NOISE else 1.0, finding)


def _overlap(survival: Survival) -> float:
    step_s = LONGEST * survival.mean_s / STEPS
    return math.fsum(survival.after((step + 0.5) * step_s) ** 2 for step in range(STEPS)) * step_s / survival.mean_s


def _peakedness(times_s: Sequence[float], survival: Survival, finding: Counter[int]) -> float:
    """Return the variance of the number in progress over its mean, within windows. Count what webhooks find."""
    within = total = area = squares = 0.0
    running, now_s, begun_s = 0, times_s[0], times_s[0]
    for at_s, event in _events(times_s, survival):
        area += running * (at_s - now_s)
        squares += running**2 * (at_s - now_s)
        now_s = at_s
        if event == END:
            running -= 1
        elif event == START:
            finding[running] += 1
            running += 1
        else:
            within += squares - area * area / (now_s - begun_s) if area else 0.0
            total += area
            area, squares, begun_s = 0.0, 0.0, now_s
    return within / total if total else 1.0


def _events(times_s: Sequence[float], survival: Survival) -> Iterator[tuple[float, int]]:
    """Yield the time and the kind of all that happens until the last webhook, with drawn durations."""
    random, last_s = Random(1), times_s[-1]  # noqa: S311 - no secret
    ends_s = sorted(time_s + survival.draw(random) for time_s in times_s)
    windows_s = accumulate(repeat(WINDOW_S), initial=times_s[0] + WINDOW_S)
    return heapq.merge(
        zip(takewhile(last_s.__ge__, windows_s), repeat(WINDOW)),
        zip(takewhile(last_s.__ge__, ends_s), repeat(END)),
        zip(times_s, repeat(START)),
        [(last_s, LAST)],
    )
