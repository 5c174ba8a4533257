"""The result of a simulation: all replications summarised as the JSON document, the verdicts and a chart's lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from generator.simulation.measures import Histogram
from generator.simulation.network import Task
from generator.simulation.replication import POINTS, Measurements
from generator.simulation.statistics import TargetVerdict, estimate_share
from generator.simulation.targets import Target, judge_targets
from generator.simulation.topology.model import Topology
from generator.simulation.workload import Recorded

Json = dict[str, Any]

IMPATIENT_S = 3
"""TradingView cancels a request after this time. Source: https://www.tradingview.com/support/solutions/43000529348."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Measurements over time, at `POINTS` moments: means over the replications, or their maximum for peaks."""

    times_s: Sequence[float]
    offered_per_s: Sequence[float]
    throttled_per_s: Sequence[float]
    concurrency_peak: Mapping[str, Sequence[int]]
    reserved: Mapping[str, int | None]
    iterator_age_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class SimulationResult(Mapping[str, Any]):
    """The result of a simulation. As a mapping it is the JSON document; the other attributes serve report and chart.

    `notes` list what was not simulated. `hours` is the simulated time of each replication. `topology` is that
    of the template, and `peak_per_s` is the highest rate of the workload. `recorded` is the workload if
    it replayed recorded times.
    """

    document: Json
    targets: Sequence[Target]
    chart: Chart
    notes: Sequence[str]
    hours: float
    replications: int
    seed: int
    topology: Topology
    peak_per_s: float
    recorded: Recorded | None = None

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


def summarise(task: Task, workload: str, runs: Sequence[Measurements], notes: Sequence[str]) -> SimulationResult:
    """Summarise all replications. Counts are totals over them; rates and means are means over them."""
    targets = judge_targets(task, runs)
    document = {
        "environment": task.environment.name,
        "workload": workload,
        "functions": {name: _function(task, name, runs) for name in task.topology.functions},
        "webhooks": _webhooks(runs),
        "alerts": _alerts(runs),
        "stream": _stream(runs, targets),
        "targets": [target.as_dict() for target in targets],
        "passed": all(target.verdict is not TargetVerdict.MISSED for target in targets),
        "not_simulated": [*notes],
    }
    pieces = takewhile(lambda piece: piece[0] < task.duration_s, task.rates.pieces(0.0))
    return SimulationResult(
        document=document,
        targets=targets,
        chart=_chart(task, runs),
        notes=notes,
        hours=task.duration_s / 3600,
        replications=len(runs),
        seed=task.seed,
        topology=task.topology,
        peak_per_s=max(bound_per_s for _, _, bound_per_s in pieces),
        recorded=task.rates if isinstance(task.rates, Recorded) and task.rates.is_played_as_recorded else None,
    )


def _function(task: Task, name: str, runs: Sequence[Measurements]) -> Json:
    counts = [run.functions[name] for run in runs]
    total = {key: math.fsum(count[key] for count in counts) for key in counts[0]}
    tried = [count["throttles"] + count["invocations"] for count in counts]
    share = estimate_share([count["throttles"] for count in counts], tried)
    invoked, time_s = total["invocations"], task.duration_s * len(runs)
    return {
        "invocations": int(invoked),
        "throttles": int(total["throttles"]),
        "throttle_probability": {"mean": share.mean, "ci95": share.interval},
        "concurrency": {
            "mean": total["busy_s"] / time_s,
            "peak": max(max(run.series.concurrency_peak[name]) for run in runs),
        },
        "cold_start_probability": total["cold_starts"] / invoked if invoked else None,
        "environments": {"mean": total["instances_s"] / time_s},
    }


def _webhooks(runs: Sequence[Measurements]) -> Json:
    keys = ("offered", "accepted", "failed", "throttled_at_gateway", "throttled_at_lambda")
    counts = {key: int(math.fsum(run.gateway[key] for run in runs)) for key in keys}
    latency_s = Histogram.merged(run.webhook_latency_s for run in runs)
    late, answered = latency_s.at_least(IMPATIENT_S) + counts["failed"], latency_s.total + counts["failed"]
    return {
        **counts,
        "latency_ms": _latency_ms(latency_s),
        "later_than_3_s": late / answered if answered else None,
    }


def _alerts(runs: Sequence[Measurements]) -> Json:
    queues = [queue for run in runs for queue in run.queues.values()]
    return {
        "notified": int(math.fsum(queue["completed"] for queue in queues)),
        "dropped": int(math.fsum(queue["dropped"] for queue in queues)),
        "latency_ms": _latency_ms(Histogram.merged(run.alert_latency_s for run in runs)),
    }


def _stream(runs: Sequence[Measurements], targets: Sequence[Target]) -> Json:
    ages_s = Histogram.merged(run.iterator_age_s for run in runs)
    oldest_s = max(age_s for run in runs for age_s in run.series.iterator_age_s)
    age_ms = {"p99": _ms(ages_s.quantile(0.99)), "max": _ms(oldest_s) if ages_s.total else None}
    utilisation = next((target.measured.mean for target in targets if target.name == "stream_utilisation"), None)
    dropped = math.fsum(stream["dropped"] for run in runs for stream in run.streams.values())
    return {"iterator_age_ms": age_ms, "utilisation": utilisation, "dropped": int(dropped)}


def _latency_ms(latency_s: Histogram) -> Json:
    return {f"p{percent}": _ms(latency_s.quantile(percent / 100)) for percent in (50, 95, 99)}


def _ms(time_s: float | None) -> float | None:
    return None if time_s is None else round(time_s * 1000, 1)


def _chart(task: Task, runs: Sequence[Measurements]) -> Chart:
    series = [run.series for run in runs]
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
        reserved={name: function.reserved_concurrency for name, function in task.topology.functions.items()},
        iterator_age_s=[max(values) for values in zip(*(one.iterator_age_s for one in series), strict=True)],
    )
