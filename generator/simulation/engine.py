"""Simulate a template: check the request, read the template, run the replications, summarise them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from generator import _runtime
from generator.aws import API_GATEWAY_ACCOUNT_RATE_PER_S
from generator.config.schema import Environment
from generator.errors import Fault, InvalidSimulation
from generator.simulation import coverage
from generator.simulation.network import Task
from generator.simulation.replication import MOST_REPLICATIONS, Progress, replicate_until
from generator.simulation.result import SimulationResult, summarise
from generator.simulation.targets import are_settled
from generator.simulation.topology.reading import read_topology
from generator.simulation.trace import read_trace
from generator.simulation.workload import Profile, Recorded, Spike, max_expected_webhooks, profile
from generator.template.intrinsics import Json

MAX_HOURS = 24 * 31.0
"""A month of 31 days."""

SLOW_FROM_WEBHOOKS = 15_000_000
"""Webhooks that take two processors about a minute, or several minutes if many are refused and retried."""

SLOW = (
    "about {:,.0f} webhooks in each of {} replications take a minute or more; lower --hours or --replications to "
    "finish sooner"
)

MAX_PER_HOUR = API_GATEWAY_ACCOUNT_RATE_PER_S * 3600
"""The highest rate at which a trace is played. API Gateway would refuse anything above it."""


def simulate(
    template: Json,
    environment: Environment,
    *,
    workload: str | None = None,
    trace: Path | str | None = None,
    trace_per_hour: float | None = None,
    hours: float | None = None,
    replications: int = 10,
    budget_s: float | None = None,
    seed: int = 1,
    unreserved: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    notes: Sequence[str] = (),
    where: str = "template",
    warn: Callable[[str], None] | None = None,
) -> SimulationResult:
    """Simulate a parsed template under a workload.

    workload: by default the environment's, or "trace" if a trace file is given.
    trace: a CSV file to play, at its own rate or scaled to `trace_per_hour` in its busiest hour.
    hours: simulated hours. The default is a day for "day", the whole trace for "trace", else one hour or, for a
        "spike" with a slow onset, more.
    budget_s: if given, run until every target is decided or that much time has passed, instead of `replications`.
    unreserved: ignore the template's reservations.
    workers: the number of processes, by default one for each usable processor. The result does not depend on it.
    notes: further notes for the list of what is not simulated.
    where: the name of the template in faults.
    warn: called before a simulation that takes a minute or more.

    Raises UnreadableTemplate, UnreadableTrace or InvalidSimulation.
    """
    name = workload or ("trace" if trace else environment.simulation.workload)
    rates = profile(environment, name, read_trace(trace) if trace and name == "trace" else None, trace_per_hour)
    hours = rates.default_duration_s / 3600 if hours is None else hours
    replications = replications if budget_s is None else 2
    if faults := [*_faults(rates, hours, replications, workers), *_trace_faults(name, rates, trace, trace_per_hour)]:
        raise InvalidSimulation(faults)
    topology = read_topology(template, where)
    topology = topology.without_reservations() if unreserved else topology
    task = Task(topology, environment, rates, hours * 3600, seed)
    webhooks = max_expected_webhooks(rates, 0.0, task.duration_s)
    if warn and not budget_s and webhooks * replications > SLOW_FROM_WEBHOOKS:
        warn(SLOW.format(webhooks, replications))
    is_enough = partial(are_settled, task) if budget_s else lambda _: False
    most, workers = MOST_REPLICATIONS if budget_s else replications, workers or _runtime.usable_processors()
    runs = replicate_until(task, is_enough, most, budget_s or math.inf, workers, progress)
    return summarise(task, name, runs, [*coverage.notes(topology, rates, hours), *notes])


def _faults(rates: Profile, hours: float, replications: int, workers: int | None) -> Iterator[Fault]:
    default_h = rates.default_duration_s / 3600
    if not 0 < hours <= MAX_HOURS:
        yield Fault("hours", f"{hours:g} is out of range", f"write more than 0 and at most {MAX_HOURS:g}")
    elif isinstance(rates, Recorded) and hours > default_h * (1 + 1e-9):
        yield Fault("hours", f"the trace has only {default_h:g} h, not {hours:g}", "lower it or leave it out")
    elif isinstance(rates, Spike) and hours * 3600 < rates.summit_s:
        what = f"the spike peaks after {rates.summit_s:g} s, but the simulation ends after {hours * 3600:g} s"
        yield Fault("hours", what, f"write more than {math.ceil(rates.summit_s / 3.6) / 1000:g} or leave it out")
    if replications < 2:
        what = f"{replications} is too few: an interval needs the spread of at least 2"
        yield Fault("replications", what, "write at least 2; 10 are usual")
    if workers is not None and workers < 1:
        yield Fault("workers", f"{workers} is too few", "write at least 1")


def _trace_faults(name: str, rates: Profile, trace: Path | str | None, per_hour: float | None) -> Iterator[Fault]:
    if isinstance(rates, Recorded):
        played = rates.trace.webhooks_per_hour if per_hour is None else per_hour
        if not 0 < played <= MAX_PER_HOUR:
            remedy = f"write more than 0 and at most {MAX_PER_HOUR:,}, the limit of API Gateway for an account"
            yield Fault("rate", f"{played:g} webhooks per hour is out of range", remedy)
    elif trace:
        yield Fault("trace", f"the workload {name} does not use it", "leave one of them out")
    if per_hour is not None and not isinstance(rates, Recorded):
        remedy = "name a trace with --trace, or write --set traffic.webhooks_per_hour=N"
        yield Fault("rate", f"it scales a trace, but the workload {name} plays none", remedy)
