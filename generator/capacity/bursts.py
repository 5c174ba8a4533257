"""The cluster model: loss or lateness when work arrives in bursts instead of one by one.

A burst is a batch of records that one invocation works through: each record may fire alerts while the batch runs, and
so may records of batches that run at the same time. A burst of webhooks is a batch of one record that always fires. An
arrival finds two kinds of work in progress:

siblings   executions that its own burst started before it and that still run
others     executions of all other bursts that still run, a compound Poisson number

The arrival is blocked if they occupy every unit together. Without siblings and with bursts of one this is Erlang B.

Source of the recursion for the others: H. H. Panjer, Recursive Evaluation of a Family of Compound Distributions, ASTIN
Bulletin 12 (1981). The rest is derived here and proven against a simulation in `tests/capacity/test_bursts.py`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count, islice, pairwise, repeat, zip_longest
from operator import mul
from typing import TYPE_CHECKING, NamedTuple

from generator.config.schema import FunctionSettings

if TYPE_CHECKING:
    from random import Random

NEGLIGIBLE = 1e-11
"""Probabilities below this are left out."""

NORMAL_P95 = 1.6448536269514722
"""The 95th percentile of the standard normal distribution."""

SMALLEST = 1e-20
"""Terms below this share of their sum do not change it."""

MAX_RECORDS = 40
"""A larger batch is represented by this many groups of records, with at most 2.5 % fewer siblings."""

MAX_AT_ONCE = 6
"""More records that are done at the same time are represented by this many."""

TOLERANCE = 1e-9
"""Relative error of a share that is the solution of an equation."""

ROUNDS = 100
"""Limit on the rounds towards a solution. Near saturation a few dozen are needed, elsewhere three."""

TAIL = (0.0, 0.1, 0.25, 0.45, 0.7, 1.0, 1.4, 2.0, 3.0, 6.0)
"""Times after a batch, in mean durations. Between two of them, the number still running is constant. Whatever runs
longer is counted as running alone."""


class Survival(NamedTuple):
    """The probability that one execution still runs after a time, for a mean other than the function's stated one.

    `sigma` is the standard deviation of the logarithm of a lognormal duration.
    """

    distribution: str
    mean_s: float
    sigma: float

    @classmethod
    def of(cls, function: FunctionSettings, mean_s: float) -> Survival:
        return cls(function.distribution, mean_s, lognormal_sigma(function.p95_duration_ms / function.mean_duration_ms))

    @property
    def log_median(self) -> float:
        """The mean of the logarithm of a lognormal duration."""
        return math.log(self.mean_s) - self.sigma**2 / 2

    def after(self, time_s: float) -> float:
        if self.distribution == "constant":
            return float(time_s < self.mean_s)
        if self.distribution == "exponential":
            return math.exp(-time_s / self.mean_s)
        if time_s <= 0 or not self.sigma:
            return float(time_s < self.mean_s)
        return 0.5 * math.erfc((math.log(time_s) - self.log_median) / (self.sigma * math.sqrt(2)))

    def remains(self, time_s: float) -> float:
        """Return the probability that an execution that has been running for a random time runs on for this time."""
        if self.distribution == "exponential":
            return self.after(time_s)
        if self.distribution == "constant" or not self.sigma:
            return max(0.0, 1 - time_s / self.mean_s)
        # Long executions are in progress more often: the logarithm of those has a mean that is higher by sigma^2.
        standard = math.log(time_s) - self.log_median - self.sigma**2
        longer = 0.5 * math.erfc(standard / (self.sigma * math.sqrt(2)))
        return max(0.0, longer - time_s / self.mean_s * self.after(time_s))

    def draw(self, random: Random) -> float:
        """Return a random duration in seconds."""
        if self.distribution == "constant":
            return self.mean_s
        if self.distribution == "exponential":
            return random.expovariate(1 / self.mean_s)
        return random.lognormvariate(self.log_median, self.sigma)


Spread = tuple[tuple[float, float], ...]
"""Shares of executions and their durations over the mean. They stand for the whole distribution."""


def spread(function: FunctionSettings) -> Spread:
    """Return three durations of a function, over their mean, that are exact for the first moments of its distribution.

    Short batches bring alerts close together, so the mean duration alone would find too few siblings. Source:
    Abramowitz and Stegun, Handbook of Mathematical Functions, 25.4.45 and 25.4.46 (Gauss-Laguerre and -Hermite).
    """
    if function.distribution == "constant":
        return ((1.0, 1.0),)
    if function.distribution == "exponential":
        return ((0.711093, 0.415775), (0.278518, 2.294280), (0.010389, 6.289945))
    sigma = lognormal_sigma(function.p95_duration_ms / function.mean_duration_ms)
    nodes = ((1 / 6, -math.sqrt(3)), (2 / 3, 0.0), (1 / 6, math.sqrt(3)))
    return tuple((share, math.exp(sigma * node - sigma**2 / 2)) for share, node in nodes)


def lognormal_sigma(p95_over_mean: float) -> float:
    """Return the standard deviation of the logarithm, from the ratio of the 95th percentile to the mean.

    Two lognormal distributions have that ratio; this is the one with the lighter tail.
    """
    return NORMAL_P95 - math.sqrt(max(0.0, NORMAL_P95**2 - 2 * math.log(p95_over_mean)))


class Batch(NamedTuple):
    """A batch runs for `duration_s` on average, and record i of n is done after i/n of its own duration.

    A record fires with `probability`, and then a geometric number with mean `size`. `others` is the mean number of
    records in the batches of other lanes that run at the same time; they fire in the same way.
    """

    records: int
    duration_s: float
    probability: float
    size: float
    spread: Spread = ((1.0, 1.0),)
    others: float = 0.0

    @property
    def fired(self) -> float:
        """The mean number fired, including those of the others."""
        return (self.records + self.others) * self.probability * self.size

    @property
    def at_once(self) -> float:
        """The mean number of records that are done at the same time."""
        return 1 + self.others / self.records


class Source(NamedTuple):
    """Equal sources, such as the lanes of a shard: their number, and each one's kinds of batches per second.

    A source has no other batch in the `quiet_s` before one of its batches.
    """

    number: int
    batches_per_s: Sequence[tuple[float, Batch]]
    quiet_s: float = 0.0

    @property
    def fired_per_s(self) -> float:
        """The mean number that one of them fires per second."""
        return math.fsum(rate_per_s * batch.fired for rate_per_s, batch in self.batches_per_s)


class View:
    """The executions in progress that arrivals of one source find.

    `share` is their share of all arrivals, `siblings[s]` the probability of s siblings, and `jumps[k]` the mean number
    of other batches that have k in progress. `_up_to[m]` is proportional to the probability of at most m others, and
    `_fewer[m]` to that of fewer than m siblings and others together.
    """

    def __init__(self, share: float, siblings: Sequence[float], jumps: Sequence[float]) -> None:
        self.share, self.siblings, self.jumps = share, siblings, jumps
        self._cumulated = _cumulated(jumps)
        self._up_to: list[float] = []
        self._fewer: dict[int, float] = {}

    def free(self, units: int, repeats: Sequence[float]) -> float:
        """Return P(siblings + others < units), given at most `units` others, with a number of repeats among them."""
        self._up_to.extend(islice(self._cumulated, max(0, units + 1 - len(self._up_to))))
        fewer = (self._fewer_than(number) for number in range(units, -1, -1))
        return math.fsum(map(mul, repeats, fewer)) / math.fsum(map(mul, repeats, self._up_to[units::-1]))

    def _fewer_than(self, number: int) -> float:
        if number not in self._fewer:
            others = self._up_to[number - 1 :: -1] if number else []
            self._fewer[number] = sum(map(mul, self.siblings, others))
        return self._fewer[number]


class Clusters:
    """The executions in progress that arrivals of several sources find. They are counted in groups of `step`."""

    def __init__(self, sources: Sequence[Source], survival: Survival, step: int = 1) -> None:
        firing = [source for source in sources if source.fired_per_s > 0]
        fired_per_s = math.fsum(source.number * source.fired_per_s for source in firing)
        each = [_source(source, survival, step) for source in firing]
        everything = _mixed([source.number for source in firing], [all_of_it for _, all_of_it, _ in each])
        self.load_erlangs, self.step = fired_per_s * survival.mean_s, step
        self.views = [
            View(
                source.number * source.fired_per_s / fired_per_s,
                siblings,
                _mixed([1, -1, 1], [everything, all_of_it, earlier]),
            )
            for source, (siblings, all_of_it, earlier) in zip(firing, each, strict=True)
        ]

    def units_for_lateness(self, target: float) -> int:
        """Return the fewest units at which at most that share of arrivals, retried until they run, finds none free.

        The units always exceed the load. The share P solves P = blocked(P), where P adds repeats, and blocked rises
        with P. So a solution is at most the target if blocked(target) is.

        Raises ValueError if the target is not between 0 and 1.
        """
        return self._fewest(target, target, int(self.load_erlangs) + 1)

    def units_for_loss(self, target: float) -> int:
        """Return the fewest units at which at most that share of arrivals finds none free and is lost.

        Raises ValueError if the target is not between 0 and 1.
        """
        return self._fewest(target, 0.0, 1)

    def lateness(self, units: int) -> float:
        """Return the share of arrivals that find no unit free. Each is retried until it runs.

        It is the smallest solution of P = blocked(P). If the units do not exceed the load, the backlog grows without
        end and the share is 1.
        """
        if units <= self.load_erlangs:
            return 1.0
        share = twice = 0.0
        for _ in range(ROUNDS):
            once = self._blocked(units, share)
            twice = self._blocked(units, once)
            slowing = 2 * once - share - twice
            if abs(twice - once) <= TOLERANCE * twice:
                break
            # Aitken's extrapolation. From below it does not pass the smallest solution while blocked is convex.
            closer = share + (once - share) ** 2 / slowing if slowing > 0 else twice
            share = closer if 0 < closer < 1 else twice
        return twice

    def loss(self, units: int) -> float:
        """Return the share of arrivals that find no unit free and are lost."""
        return self._blocked(units, 0.0)

    def _fewest(self, target: float, repeated: float, least: int) -> int:
        if not 0 < target < 1:
            raise ValueError(f"target must be between 0 and 1, got {target}")
        high, width = least, 1
        while self._blocked(high, repeated) > target:
            least, high, width = high + 1, high + width, 2 * width
        units = range(least, high)
        return least + bisect_left(units, True, key=lambda number: self._blocked(number, repeated) <= target)

    def _blocked(self, units: int, share: float) -> float:
        """Return P(siblings + others >= units), given that there are at most `units` others.

        With a share tried again, each arrival takes 1 / (1 - share) attempts. The repeats come one by one. An arrival
        is in the middle of its group on average, and siblings in the same group are not counted, so half a group less
        is available. Between whole groups the logarithm of the probability is interpolated.
        """
        if not self.views:
            return float(not units)
        groups, rest = divmod(max(0, units - self.step // 2), self.step)
        repeated = self.load_erlangs / self.step * share / max(1 - share, TOLERANCE)
        below = self._blocked_groups(groups, repeated)
        if not rest or not below:
            return below
        above = self._blocked_groups(groups + 1, repeated)
        return float(below * (above / below) ** (rest / self.step))

    def _blocked_groups(self, groups: int, repeated: float) -> float:
        repeats = _poisson(repeated, groups)
        return max(0.0, 1 - math.fsum(view.share * view.free(groups, repeats) for view in self.views))


def _cumulated(jumps: Sequence[float]) -> Iterator[float]:
    """Yield numbers proportional to the probability of at most 0, 1, 2 ... others."""
    weighted = [number * rate for number, rate in enumerate(jumps)][1:]
    # Newest first, so that it pairs with `weighted`.
    recent = deque([math.exp(-min(sum(jumps), 700))], maxlen=max(1, len(weighted)))
    mean, total, negligible = sum(weighted), 0.0, 0
    for others in count(1):
        total += recent[0]
        yield total
        negligible = negligible + 1 if recent[0] < SMALLEST * total else 0
        if negligible >= len(weighted) and others > mean:  # All further terms are smaller still.
            yield from repeat(total)
        recent.appendleft(sum(map(mul, weighted, recent)) / others)


def _poisson(mean: float, largest: int) -> list[float]:
    """Return numbers proportional to the Poisson probabilities of 0, 1, 2 ... that matter, at most to the largest."""
    if not mean:
        return [1.0]
    mode = min(int(mean), largest)
    found = [1.0]
    for number in range(mode, 0, -1):
        found.append(found[-1] * number / mean)
    found.reverse()
    for number in range(mode + 1, largest + 1):
        found.append(found[-1] * mean / number)
        if found[-1] < NEGLIGIBLE:
            break
    return found


def _grouped(batch: Batch, step: int) -> Batch:
    """Return the batch with at most MAX_RECORDS records, firing groups of `step`.

    The mean number that a record fires stays, and so does its variance, or it rises.
    """
    records = min(batch.records, MAX_RECORDS)
    size = max(1.0, ((2 * batch.size - 1) / step + 1) / 2)
    probability = batch.probability * batch.size / (step * size) * batch.records / records
    others = batch.others * records / batch.records
    size *= max(1.0, probability)
    return batch._replace(records=records, probability=min(1.0, probability), size=size, others=others)


def _source(source: Source, survival: Survival, step: int) -> tuple[list[float], list[float], list[float]]:
    """Return the siblings of an arrival, and the jumps of one source: all of them, and those before its quiet time."""
    rates_per_s, batches = zip(*source.batches_per_s, strict=True)
    parts = [_progress(_grouped(batch, step), survival) for batch in batches]
    jumps = _mixed(rates_per_s, [part.running for part in parts])
    earlier = _mixed(rates_per_s, [part.running_after(source.quiet_s) for part in parts])
    # The first jump makes the mean exact. Executions that run beyond the end of TAIL count as running alone.
    missing = source.fired_per_s * survival.mean_s / step - math.fsum(map(mul, count(), jumps))
    for found in (jumps, earlier):
        found += [0.0] * (2 - len(found))
        found[1] = max(0.0, found[1] + missing)
    weights = [rate_per_s * batch.fired / source.fired_per_s for rate_per_s, batch in source.batches_per_s]
    return _mixed(weights, [part.siblings for part in parts]), jumps, earlier


class Progress(NamedTuple):
    """A batch from its start to the end of its last execution.

    `siblings` are the probabilities of 0, 1, 2 ... siblings, averaged over the records, and `running` the mean times in
    seconds for which that many run. Each of the `periods` has its end in seconds since the start, its length, the share
    of batches that have it, and the distribution of the number running.
    """

    siblings: Sequence[float]
    running: Sequence[float]
    periods: Sequence[tuple[float, float, float, Sequence[float]]]

    def running_after(self, quiet_s: float) -> list[float]:
        """Return the mean times after `quiet_s` only."""
        later = [period for period in self.periods if period[0] > quiet_s]
        times_s = [min(length_s, end_s - quiet_s) * share for end_s, length_s, share, _ in later]
        return _mixed(times_s, [running for *_, running in later])


@lru_cache(maxsize=1000)
def _progress(batch: Batch, survival: Survival) -> Progress:
    shares, siblings, running = [], [], []
    periods: list[tuple[float, float, float, Sequence[float]]] = []
    for share, multiple in batch.spread:
        seen, ended = _one_progress(batch, batch.duration_s * multiple, survival)
        ends_s, numbers = zip(*ended, strict=True)
        lengths_s = [end_s - start_s for start_s, end_s in pairwise((0.0, *ends_s))]
        shares.append(share)
        siblings.append(seen)
        running.append(_mixed(lengths_s, numbers))
        periods += zip(ends_s, lengths_s, repeat(share), numbers)
    return Progress(_mixed(shares, siblings), _mixed(shares, running), periods)


def _one_progress(
    batch: Batch, duration_s: float, survival: Survival
) -> tuple[list[float], list[tuple[float, list[float]]]]:
    """Return the siblings in a batch of that duration, and the end of each period with the number running in it."""
    step_s = duration_s / batch.records
    crossing = _next_record([1.0], 1.0, batch.size)[1:]
    # Half of the other records that are done at the same time come before this one.
    met, seen = [1.0], _next_records(crossing, _at_once(batch, (batch.at_once - 1) / 2), 1.0)
    siblings, ended = [seen], [(step_s, met)]
    records = _at_once(batch, batch.at_once)
    for done in range(1, batch.records):
        seen = _next_records(seen, records, survival.after(done * step_s))
        siblings.append(seen)
        met = _next_records(met, records, survival.after((done - 0.5) * step_s))
        ended.append(((done + 1) * step_s, met))
    for start, end in pairwise(TAIL):
        left = [1.0]
        for later in range(batch.records):
            alive = survival.after((start + end) / 2 * survival.mean_s + later * step_s)
            left = _next_records(left, records, alive)
        ended.append((duration_s + end * survival.mean_s, left))
    return _mixed([1 / batch.records] * batch.records, siblings), ended


def _at_once(batch: Batch, records: float) -> list[tuple[float, float]]:
    """Return the probability that each of this many records fires, and the mean number that it then fires.

    More than MAX_AT_ONCE records are represented by that many, which fire as much together.
    """
    steps = min(MAX_AT_ONCE, math.ceil(records))
    probability = batch.probability * records / max(1, steps)
    return [(min(1.0, probability), batch.size * max(1.0, probability))] * steps


def _next_records(running: list[float], records: Iterable[tuple[float, float]], alive: float) -> list[float]:
    """Add to a distribution what records that are done at once have fired and still runs with probability `alive`."""
    for probability, size in records:
        running = _next_record(running, probability, size, alive)
    return running


def _next_record(running: list[float], probability: float, size: float, alive: float = 1.0) -> list[float]:
    """Add to a distribution what one record has fired and still runs.

    Of a geometric number with mean `size`, each running with probability `alive`, none runs with a probability of its
    own, and otherwise the number is geometric again, with the ratio below.
    """
    ends = 1 - 1 / size
    some = alive / (1 - ends + ends * alive)
    ratio, some = ends * some, probability * some
    if some < NEGLIGIBLE:
        return running
    if size == 1:
        none = 1 - some
        found = [none * more + some * less for more, less in zip([*running, 0.0], [0.0, *running], strict=True)]
        return found if found[-1] > NEGLIGIBLE else found[:-1]
    found, fired = [], 0.0
    for number in count():
        old = running[number] if number < len(running) else 0.0
        found.append((1 - some) * old + fired * some * (1 - ratio))
        fired = old + ratio * fired
        if number >= len(running) - 1 and fired < NEGLIGIBLE:
            break
    while found[-1] < NEGLIGIBLE:
        found.pop()
    return found


def _mixed(weights: Sequence[float], distributions: Sequence[Sequence[float]]) -> list[float]:
    """Return the weighted sum, as long as the longest of them."""
    return [sum(map(mul, weights, column)) for column in zip_longest(*distributions, fillvalue=0.0)]
