"""Simulates a template: topology, workload, replications on all processors, one result."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from generator.aws import API_GATEWAY_ACCOUNT_RATE_PER_S
from generator.config.schema import Environment
from generator.errors import Fault, InvalidSimulation
from generator.simulation.assumptions import Assumptions
from generator.simulation.coverage import left_out
from generator.simulation.replication import Outcome, Task, replicate
from generator.simulation.result import Result, summarise
from generator.simulation.topology import Topology, read_topology
from generator.simulation.trace import read_trace
from generator.simulation.workload import Profile, Recorded, Spike, most_webhooks, profile, unseen

Progress = Callable[[int, int], None]
"""Called with how many replications are done, and how many there are."""

MAX_HOURS = 24 * 31.0

MANY = 15_000_000
"""Webhooks that take two processors about a minute, and several where many are refused and tried again."""

MAX_PER_HOUR = API_GATEWAY_ACCOUNT_RATE_PER_S * 3600
"""Webhooks of a recording: whatever is more would be refused."""


def simulate(
    template: Any,
    environment: Environment,
    *,
    workload: str | None = None,
    trace: Path | str | None = None,
    trace_per_hour: float | None = None,
    hours: float | None = None,
    replications: int = 10,
    seed: int = 1,
    unreserved: bool = False,
    workers: int | None = None,
    progress: Progress | None = None,
    assumptions: Assumptions | None = None,
    notes: Sequence[str] = (),
    where: str = "template",
    warn: Callable[[str], None] | None = None,
) -> Result:
    """Tries a parsed template under a workload.

    The workload is the environment's unless one is named, and `trace` where a file is given, which is played as it
    was recorded or scaled to a mean of `trace_per_hour`. `hours` are simulated hours: by default a day for "day",
    the whole trace for "trace", else one (more for a "spike" with a slow onset). `unreserved` tries the template as if
    it reserved nothing. The result does not depend on `workers`, the number of processes (default: one for each
    processor). `notes` are told with those of what is not simulated; faults of the template call it
    `where`. `warn` is called before a simulation that takes a minute or more.

    Raises UnreadableTemplate, UnreadableTrace or InvalidSimulation.
    """
    assumptions = assumptions or Assumptions()
    name = workload or ("trace" if trace else environment.simulation.workload)
    recorded = read_trace(trace) if trace and name == "trace" else None
    rates = profile(environment, name, recorded, trace_per_hour)
    hours = rates.natural_s / 3600 if hours is None else hours
    wrong = _hours_faults(hours, rates), _trace_faults(name, trace, trace_per_hour, rates)
    _require_sense(replications, workers, *wrong)
    topology = read_topology(template, where)
    task = Task(topology, environment, assumptions, rates, hours * 3600, seed, unreserved)
    if warn and (webhooks := most_webhooks(rates, task.duration_s)) * replications > MANY:
        warn(
            f"about {webhooks:,.0f} webhooks in each of {replications} replications: this takes a minute or "
            "more; a smaller --hours or --replications is quicker"
        )
    outcomes = _replications(task, replications, workers or os.cpu_count() or 1, progress or _silent)
    return summarise(task, name, outcomes, [*_notes(topology), *unseen(rates, hours), *notes])


def _require_sense(replications: int, workers: int | None, *more: Iterator[Fault]) -> None:
    faults = list(chain(*more))
    if replications < 2:
        what = f"{replications} replications show no spread, so nothing could be decided"
        faults.append(Fault("replications", what, "write at least 2; 10 are usual"))
    if workers is not None and workers < 1:
        faults.append(Fault("workers", f"{workers} cannot do anything", "write at least 1"))
    if faults:
        raise InvalidSimulation(faults)


def _hours_faults(hours: float, rates: Profile) -> Iterator[Fault]:
    natural_h = rates.natural_s / 3600
    if not 0 < hours <= MAX_HOURS:
        yield Fault("hours", f"{hours:g} is out of range", f"write more than 0 and at most {MAX_HOURS:g}")
    elif isinstance(rates, Recorded) and hours > natural_h * (1 + 1e-9):
        yield Fault("hours", f"the trace has {natural_h:g} h, not {hours:g}", "lower it or leave it out")
    elif isinstance(rates, Spike) and hours * 3600 < rates.summit_s:
        what = f"the spike is at its height after {rates.summit_s:g} s, not within {hours * 3600:g}"
        yield Fault("hours", what, f"write more than {math.ceil(rates.summit_s / 3.6) / 1000:g} or leave it out")


def _trace_faults(name: str, trace: Path | str | None, per_hour: float | None, rates: Profile) -> Iterator[Fault]:
    if isinstance(rates, Recorded):
        played = rates.trace.webhooks_per_hour if per_hour is None else per_hour
        if not 0 < played <= MAX_PER_HOUR:
            remedy = f"write more than 0 and at most {MAX_PER_HOUR:,}, what API Gateway takes of an account"
            yield Fault("rate", f"{played:g} webhooks per hour are out of range", remedy)
        return
    if trace:
        yield Fault("trace", f"the workload {name} does not use it", "leave one of them out")
    if per_hour is not None:
        remedy = "name a recording with --trace, or write --set traffic.webhooks_per_hour=N"
        yield Fault("rate", f"it scales a recording, and the workload {name} plays none", remedy)


def _notes(topology: Topology) -> list[str]:
    notes = [*topology.not_understood, *left_out(topology)]
    reserved = [name for name, function in topology.functions.items() if function.reserved_concurrency == 0]
    return [*notes, *(f"{name}: a reservation of 0 stops it" for name in reserved)]


def _replications(task: Task, replications: int, workers: int, progress: Progress) -> list[Outcome]:
    """The outcomes in the order of their numbers, whichever is done first."""
    found: dict[int, Outcome] = {}
    with closing(_run(task, replications, min(workers, replications))) as outcomes:
        for number, outcome in outcomes:
            found[number] = outcome
            progress(len(found), replications)
    return [found[number] for number in range(replications)]


def _run(task: Task, replications: int, workers: int) -> Generator[tuple[int, Outcome], None, None]:
    run = partial(replicate, task)
    if workers == 1:
        yield from ((number, run(number)) for number in range(replications))
        return
    # Fresh interpreters: forking a process that has threads is unsafe, and warned about from Python 3.12 on.
    fresh = multiprocessing.get_context("spawn")
    theirs, ours = fresh.Pipe(duplex=False)
    executor = ProcessPoolExecutor(workers, mp_context=fresh, initializer=_end_with, initargs=(theirs,))
    try:
        with _no_ctrl_c_inherited():
            numbers = {executor.submit(run, number): number for number in range(replications)}
        for done in as_completed(numbers):
            yield numbers[done], done.result()
    except BaseException:
        ours.close()
        raise
    finally:
        executor.shutdown(cancel_futures=True)
        theirs.close()
        ours.close()


def _end_with(pipe: Connection) -> None:
    """In a worker: ends it, whatever it is at, when the other end of the pipe is closed or its process is gone."""

    def wait() -> None:
        pipe.poll(None)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _no_ctrl_c_inherited() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C, which a terminal sends to all; this one sees it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _silent(done: int, replications: int) -> None:
    """No progress to show."""
