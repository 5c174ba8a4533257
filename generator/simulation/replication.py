"""Replications: run one from its warm-up to its final checks, or all of them on all processors."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from generator._format import duration
from generator._runtime import few_collections, run_all
from generator.errors import Fault, InvalidSimulation
from generator.simulation import draws
from generator.simulation.gateway import STANDARD_WEBHOOKS_RETRIES_S
from generator.simulation.measures import Counters, Histogram
from generator.simulation.network import Network, OutOfTime, Task, build_network
from generator.simulation.workload import max_expected_webhooks

Progress = Callable[[float, int], None]
"""Called with the share of the work or of the time that is done, and the number of finished replications."""

FIRST_LOOK, LOOKS_APART = 10, 1.5
"""The first look at the results, and the ratio between the numbers of replications at two looks."""

MOST_REPLICATIONS = 5000
"""A limit on memory: each replication keeps about 20 kB."""

BUDGET_MARGIN = 2
"""The budget that an error names over the estimated time: at the peak, a webhook may take longer than before it."""

POINTS = 120
"""Points of a chart, whatever the simulated time: one a minute for two hours, one every 12 minutes for a day."""


@dataclass(frozen=True, slots=True)
class Series:
    """Measurements over time for charts: `POINTS` numbers each, one for each interval between two points."""

    offered: list[float]
    throttled: list[float]
    concurrency_peak: dict[str, list[int]]
    iterator_age_s: list[float]


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything measured in one replication after its warm-up."""

    functions: Mapping[str, Counters]
    gateway: Counters
    streams: Mapping[str, Counters]
    queues: Mapping[str, Counters]
    webhook_latency_s: Histogram
    alert_latency_s: Histogram
    iterator_age_s: Histogram
    series: Series


class Unfinished(NamedTuple):
    """A replication that reached its deadline: the share of its webhooks that it handled, and the time for all."""

    share: float = 0.0
    needed_s: float = math.inf


def replicate(task: Task, number: int, deadline_s: float = math.inf) -> Measurements:
    """Run the replication with this number. The same task and number always give the same measurements.

    Raises OutOfTime if the clock passes `deadline_s`, and SimulationBug if anything was created or lost on the way.
    """
    draw = partial(draws.random_stream, task.seed, number)
    network = build_network(task, draw, task.start_s)
    with few_collections():  # Events leave no reference cycles behind.
        network.run(0.0, deadline_s)
        before = network.snapshot()
        network.discard_warm_up()
        series = _measure(network, task.duration_s, deadline_s)
    network.verify()
    counts = {
        kind: {
            stage: {name: count - before[kind][stage][name] for name, count in counted.items()}
            for stage, counted in stages.items()
        }
        for kind, stages in network.snapshot().items()
    }
    return Measurements(
        functions=counts["functions"],
        gateway=counts["gateway"]["gateway"],
        streams=counts["streams"],
        queues=counts["queues"],
        webhook_latency_s=Histogram.merged([network.gateway.latency_s]),
        alert_latency_s=Histogram.merged(queue.latency_s for queue in network.queues.values()),
        iterator_age_s=Histogram.merged(stream.iterator_age_s for stream in network.streams.values()),
        series=series,
    )


def replicate_until(
    task: Task,
    is_enough: Callable[[list[Measurements]], bool],
    most: int,
    budget_s: float,
    workers: int,
    progress: Progress | None = None,
) -> list[Measurements]:
    """Run replications in this many processes until there are enough, or `most`, or the time ends.

    It looks after 10, 15, 23 ... replications, in the order of their numbers. So the result depends on the speed of the
    machine only if the time ends. Raises InvalidSimulation if it ends before two have finished.
    """
    started_s, look, complete = time.time(), FIRST_LOOK, 0
    found: dict[int, Measurements] = {}
    unfinished: list[Unfinished] = []
    with closing(run_all(partial(_replicate_before, task, started_s + budget_s), most, workers)) as runs:
        for number, run in runs:
            if isinstance(run, Unfinished):
                unfinished.append(run)
                if len(unfinished) == workers:
                    break
                continue
            found[number] = run
            while complete in found:
                complete += 1
            if progress:
                progress(max(len(found) / most, (time.time() - started_s) / budget_s), len(found))
            while look <= complete:
                if is_enough(first := [found[number] for number in range(look)]):
                    return first
                look = math.ceil(look * LOOKS_APART)
    if complete < 2:
        in_turn = 2 if workers == 1 and not complete else 1
        needed_s = budget_s + BUDGET_MARGIN * in_turn * max(unfinished).needed_s
        enough = f"about {duration(math.ceil(needed_s))}" if needed_s < math.inf else "several times as much"
        what = f"{duration(budget_s)} ended before two replications finished, the fewest for an interval"
        raise InvalidSimulation([Fault("budget", what, f"raise --budget to {enough}, or lower --hours")])
    return [found[number] for number in range(complete)]


def _replicate_before(task: Task, deadline_s: float, number: int) -> Measurements | Unfinished:
    started_s = time.time()
    try:
        return replicate(task, number, deadline_s)
    except OutOfTime as stop:
        ends_s = stop.reached_s, task.duration_s
        done, all_ = (max_expected_webhooks(task.rates, task.start_s, end_s) for end_s in ends_s)
        if not done or not stop.attempts:
            return Unfinished()
        # If as many attempts fail from now on, each webhook takes this many in the end.
        retries = len(STANDARD_WEBHOOKS_RETRIES_S) if task.environment.simulation.sender_retries else 0
        attempts = math.fsum((1 - stop.accepted / stop.attempts) ** attempt for attempt in range(retries + 1))
        s_per_webhook = (time.time() - started_s) / done * max(1.0, attempts * done / stop.attempts)
        return Unfinished(done / all_, s_per_webhook * all_)


def _measure(network: Network, duration_s: float, deadline_s: float) -> Series:
    gateway, series = network.gateway, Series([], [], {name: [] for name in network.functions}, [])
    for point in range(1, POINTS + 1):
        offered, throttled = gateway.offered, gateway.throttled
        network.run(duration_s * point / POINTS, deadline_s)
        series.offered.append(gateway.offered - offered)
        series.throttled.append(gateway.throttled - throttled)
        for name, function in network.functions.items():
            series.concurrency_peak[name].append(function.take_peak())
        series.iterator_age_s.append(max((stream.take_oldest_s() for stream in network.streams.values()), default=0.0))
    return series
