"""Puts the outcomes of all replications together: the JSON document, the verdict and the lines of a chart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generator.simulation import intervals, verdict
from generator.simulation.intervals import Estimate
from generator.simulation.measures import Histogram
from generator.simulation.replication import POINTS, Outcome, Task
from generator.simulation.verdict import MISSED, Target

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Chart:
    """What happened over the simulated time, at `POINTS` moments: means over the replications, or maxima for peaks."""

    times_s: Sequence[float]
    offered_per_s: Sequence[float]
    throttled_per_s: Sequence[float]
    concurrency_peak: Mapping[str, Sequence[int]]
    reserved: Mapping[str, int | None]
    iterator_age_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class Result(Mapping[str, Any]):
    """What a simulation found. As a mapping it is the JSON document; the rest is for people and pictures.

    `notes` say what was left out and what the reader should know; `hours` and `replications` are what was run.
    """

    document: Json
    targets: Sequence[Target]
    chart: Chart
    notes: Sequence[str]
    hours: float
    replications: int
    seed: int

    @property
    def passed(self) -> bool:
        """Whether no target was missed."""
        return bool(self.document["passed"])

    def __getitem__(self, key: str) -> Any:
        return self.document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.document)

    def __len__(self) -> int:
        return len(self.document)


def summarise(task: Task, workload: str, outcomes: Sequence[Outcome], notes: Sequence[str]) -> Result:
    """One result of all replications. Counts are totals over them, rates and means are means over them."""
    targets = verdict.targets(task, outcomes)
    document = {
        "environment": task.environment.name,
        "workload": workload,
        "functions": {name: _function(task, name, outcomes) for name in task.topology.functions},
        "webhooks": _webhooks(outcomes),
        "alerts": _alerts(outcomes),
        "stream": _stream(task, outcomes),
        "targets": [target.as_dict() for target in targets],
        "passed": all(target.verdict != MISSED for target in targets),
        "not_simulated": [*notes],
    }
    chart = _chart(task, outcomes)
    return Result(document, targets, chart, notes, task.duration_s / 3600, len(outcomes), task.seed)


def _function(task: Task, name: str, outcomes: Sequence[Outcome]) -> Json:
    counts = [outcome.functions[name] for outcome in outcomes]
    throttles, invocations = [count["throttles"] for count in counts], [count["invocations"] for count in counts]
    asked = [throttled + run for throttled, run in zip(throttles, invocations, strict=True)]
    runs = math.fsum(invocations)
    return {
        "invocations": int(runs),
        "throttles": int(math.fsum(throttles)),
        "throttle_probability": _estimate(intervals.of_events(throttles, asked)),
        "concurrency": {
            "mean": math.fsum(count["busy_s"] for count in counts) / (task.duration_s * len(counts)),
            "peak": max(outcome.peaks[name] for outcome in outcomes),
        },
        "cold_start_probability": math.fsum(count["cold_starts"] for count in counts) / runs if runs else None,
        "environments": {
            "mean": math.fsum(count["environments_s"] for count in counts) / (task.duration_s * len(counts))
        },
    }


def _webhooks(outcomes: Sequence[Outcome]) -> Json:
    keys = {"offered": "offered", "accepted": "accepted"}
    keys |= {
        "failed": "failed",
        "throttled_at_gateway": "throttled at gateway",
        "throttled_at_lambda": "throttled at lambda",
    }
    counts = {key: int(math.fsum(outcome.gateway[name] for outcome in outcomes)) for key, name in keys.items()}
    return {**counts, "latency_ms": _latency_ms([outcome.webhook_latency_s for outcome in outcomes])}


def _alerts(outcomes: Sequence[Outcome]) -> Json:
    notified = math.fsum(queue["completed"] for outcome in outcomes for queue in outcome.queues.values())
    dropped = math.fsum(queue["dropped"] for outcome in outcomes for queue in outcome.queues.values())
    return {
        "notified": int(notified),
        "dropped": int(dropped),
        "latency_ms": _latency_ms([outcome.alert_latency_s for outcome in outcomes]),
    }


def _stream(task: Task, outcomes: Sequence[Outcome]) -> Json:
    ages_s = Histogram.merged(outcome.iterator_age_s for outcome in outcomes)
    oldest_s = max(age_s for outcome in outcomes for age_s in outcome.series.iterator_age_s)
    age_ms = {"p99": _ms(ages_s.quantile(0.99)), "max": _ms(oldest_s) if ages_s.total else None}
    utilisation = verdict.busiest_shard(task, outcomes)[1].mean if outcomes[0].streams else None
    dropped = math.fsum(stream["dropped"] for outcome in outcomes for stream in outcome.streams.values())
    return {"iterator_age_ms": age_ms, "utilisation": utilisation, "dropped": int(dropped)}


def _latency_ms(histograms: Sequence[Histogram]) -> Json:
    merged = Histogram.merged(histograms)
    return {f"p{percent}": _ms(merged.quantile(percent / 100)) for percent in (50, 95, 99)}


def _ms(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s * 1000, 1)


def _estimate(estimate: Estimate) -> Json:
    return {"mean": estimate.mean, "ci95": None if estimate.low is None else [estimate.low, estimate.high]}


def _chart(task: Task, outcomes: Sequence[Outcome]) -> Chart:
    series = [outcome.series for outcome in outcomes]
    step_s = task.duration_s / POINTS
    per_s = 1 / (step_s * len(series))
    return Chart(
        times_s=[step_s * (point + 0.5) for point in range(POINTS)],
        offered_per_s=[math.fsum(values) * per_s for values in zip(*(one.offered for one in series), strict=True)],
        throttled_per_s=[math.fsum(values) * per_s for values in zip(*(one.throttled for one in series), strict=True)],
        concurrency_peak={
            name: [max(values) for values in zip(*(one.concurrency_peak[name] for one in series), strict=True)]
            for name in task.topology.functions
        },
        reserved={
            name: None if task.unreserved else function.reserved_concurrency
            for name, function in task.topology.functions.items()
        },
        iterator_age_s=[max(values) for values in zip(*(one.iterator_age_s for one in series), strict=True)],
    )
