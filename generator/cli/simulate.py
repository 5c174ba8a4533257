"""`generator simulate`: run a template under a workload before you deploy it."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator import plans
from generator._format import as_json, counted, visible
from generator.cli import options
from generator.cli.output import is_interactive
from generator.config import fields, files
from generator.config.schema import WORKLOADS, Environment
from generator.errors import InvalidEnvironment
from generator.template import reading

if TYPE_CHECKING:
    from generator.simulation import SimulationResult
    from generator.simulation.replication import Progress

BAR_STEPS = 1000


@click.command(epilog="Example: generator simulate prod --workload spike --chart spike.svg")
@options.environment
@click.option(
    "--template",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Simulate this template instead of the committed one.",
)
@options.overrides
@click.option("--workload", type=click.Choice(WORKLOADS), help="Workload to simulate.  [default: the environment's]")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Replay a recording of webhooks, by its times or its counts.",
)
@click.option(
    "--rate",
    "trace_per_hour",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Scale the trace to N webhooks in its busiest hour.",
)
@click.option(
    "--hours", type=float, metavar="H", help="Hours to simulate.  [default: 1, or the length of the workload]"
)
@click.option(
    "--budget",
    "budget_s",
    type=options.Seconds(),
    default="30s",
    show_default=True,
    metavar="TIME",
    help="Stop after this time, for example 90s or 5m. Targets that are still undecided then are inconclusive; less "
    "than two replications are an error.",
)
@click.option(
    "--replications",
    type=int,
    metavar="N",
    help="Simulate the workload exactly N times, each with other random numbers, whatever time that takes.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="Seed of the random numbers. Equal seeds give equal results.",
)
@click.option("--unreserved", is_flag=True, help="Ignore the reservations in the template.")
@options.output_format("text", "json")
@click.option("--chart", type=options.Picture(), metavar="FILE.svg", help="Also draw the simulation.")
def command(
    name: str, file: Path | None, overrides: tuple[str, ...], format_: str, chart: Path | None, **settings: Any
) -> None:
    """Simulate an environment's workload on its committed template, or on any template.

    Runs until every target is decided or the time budget ends. Exits with 1 if a target is missed, and prints the
    setting to change. A target within 5 % of its limit at the end is "at the target", which passes. An inconclusive
    target is not a miss.
    """
    from generator import simulation
    from generator.report import charts

    if chart:
        charts.require(chart)
    environment, neighbours = plans.with_neighbours(name, overrides)
    path = file or plans.committed(name)
    remedy = "correct the path" if file else f"run: generator template {name}"
    template = reading.parsed(str(path), reading.text_of(path, remedy))
    names = ", ".join(neighbour.name for neighbour in neighbours)
    others = f"{names}: reservations in the same account are not simulated; generator check includes them"
    started = time.perf_counter()
    if settings["replications"] is None:
        del settings["replications"]
    else:
        settings["budget_s"] = None
    with _progress() as progress:
        result = simulation.simulate(
            template,
            environment,
            progress=progress,
            notes=[*([others] if names else []), *_without_effect(name, file, overrides)],
            where=str(path),
            warn=partial(click.echo, err=True),
            **settings,
        )
    click.echo(f"simulated in {time.perf_counter() - started:.1f} s", err=True)
    found = _remedies(environment, result, file, overrides)
    if format_ == "json":
        click.echo(as_json({**result, "remedies": found}))
        click.echo("".join(f"{visible(note)}\n" for note in result.notes), nl=False, err=True)
    else:
        click.echo(simulation.as_text(result))
        click.echo("".join(f"remedy: {visible(remedy)}\n" for remedy in found), nl=False)
    if chart:
        charts.simulation_chart(result, chart)
        click.echo(visible(f"wrote {chart}"), err=True)
    sys.exit(0 if result.passed else 1)


def _remedies(
    environment: Environment, result: SimulationResult, file: Path | None, overrides: Sequence[str]
) -> list[str]:
    """Return the remedies for the environment's file together with the overrides that it needs."""
    from generator.report.simulation_remedies import remedies
    from generator.simulation.coverage import SIZED_SETTINGS

    settings = _to_write(environment, overrides, SIZED_SETTINGS)
    try:
        (environment,) = files.load_named([environment.name], [f"{key}={value}" for key, value in settings.items()])
    except InvalidEnvironment:  # A mean duration may need a longer timeout, which is not simulated.
        timeouts = {key for key in fields.keys(Environment) if key.endswith(".timeout_s")}
        settings = _to_write(environment, overrides, SIZED_SETTINGS | timeouts)
    return list(remedies(environment, result, template=str(file or ""), overrides=settings))


def _to_write(environment: Environment, overrides: Sequence[str], settings: Collection[str]) -> dict[str, str]:
    """Return those of the settings that overrides state, or replace with another value, with their values as TOML."""
    stated = [files.parse_override(override) for override in overrides]
    leaves = {leaf for key, value in stated for leaf in _keys(key, value)}
    overridden = tuple(f"{key}." for key, _ in stated)
    try:
        (own,) = files.load_named([environment.name])
    except InvalidEnvironment:  # The overrides correct the file.
        own = None
    values = {key: attrgetter(key)(environment) for key in sorted(settings) if f"{key}.".startswith(overridden)}
    return {
        key: json.dumps(value)
        for key, value in values.items()
        if value is not None and (key in leaves or own is None or attrgetter(key)(own) != value)
    }


def _without_effect(name: str, file: Path | None, overrides: Sequence[str]) -> Iterator[str]:
    """Yield a note for each override that the simulation does not read."""
    from generator.simulation.coverage import SIMULATED_SETTINGS

    for override in overrides:
        key, value = files.parse_override(override)
        if ignored := [name_ for name_ in _keys(key, value) if name_ not in SIMULATED_SETTINGS]:
            note = f"--set {', '.join(ignored)}: no effect; the simulation reads the template, not this setting"
            generate = f"generator template {name} --set {shlex.quote(override)} --output DIR"
            yield note if file else f"{note}. To try it, run: {generate}, then add --template DIR/{name}.json"


def _keys(key: str, value: object) -> list[str]:
    """Return the dotted keys that an override sets; a table sets several."""
    if isinstance(value, dict):
        return [inner for name, inner_value in value.items() for inner in _keys(f"{key}.{name}", inner_value)]
    return [key]


@contextmanager
def _progress() -> Iterator[Progress | None]:
    if not is_interactive():
        yield None
        return
    with click.progressbar(length=BAR_STEPS, label="Simulating", file=sys.__stderr__) as bar:

        def advance(share: float, finished: int) -> None:
            bar.label = f"Simulating, {counted(finished, 'replication')}"
            bar.update(min(BAR_STEPS, round(share * BAR_STEPS)) - bar.pos)

        yield advance
