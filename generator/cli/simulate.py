"""`generator simulate`: tries a template under a workload before anyone deploys it."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator import plans
from generator.cli import options
from generator.cli.progress import is_shown
from generator.config import files
from generator.config.schema import WORKLOADS, Environment
from generator.template import reading

if TYPE_CHECKING:
    from generator.simulation.engine import Progress

PROGRESS_FROM = 4
"""Fewer replications are done before a progress bar would be read."""


@click.command(epilog="Example: generator simulate prod --workload spike --chart spike.svg")
@options.environment
@click.option("--template", "file", type=click.Path(path_type=Path), metavar="FILE", help="Another template to try.")
@options.overrides
@click.option("--workload", type=click.Choice(WORKLOADS), help="Instead of the environment's.")
@click.option(
    "--trace", type=click.Path(path_type=Path), metavar="CSV", help="A recording to play: times, or counts per minute."
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="Scale the recording to N webhooks per hour.",
)
@click.option("--hours", type=float, metavar="H", help="Simulated hours; 1 unless the workload says otherwise.")
@click.option("--replications", type=int, default=10, show_default=True, metavar="N")
@click.option("--seed", type=int, default=1, show_default=True, metavar="N")
@click.option("--unreserved", is_flag=True, help="As if nothing were reserved.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--chart", type=options.Picture(), metavar="FILE.svg", help="Draw the simulated time as well.")
def command(
    name: str, file: Path | None, overrides: tuple[str, ...], format_: str, chart: Path | None, **settings: Any
) -> None:
    """Simulate the environment's workload on its committed template, or on any template.

    Exit code 1 if a target is missed, with the first thing to change. A target that stays undecided is no miss.
    """
    from generator import simulation
    from generator.report import charts

    if chart:
        charts.require(chart)
    environment, neighbours = plans.with_neighbours(name, overrides)
    path = file or plans.OUTPUT / f"{name}.json"
    remedy = "correct the path" if file else f"run: generator template {name}"
    template = reading.parsed(str(path), reading.text_of(path, remedy))
    settings["trace_per_hour"] = settings.pop("rate")
    started = time.perf_counter()
    with _progress(settings["replications"]) as progress:
        result = simulation.simulate(
            template,
            environment,
            progress=progress,
            notes=[*_not_counted(neighbours), *_without_effect(name, file, overrides)],
            where=str(path),
            warn=partial(click.echo, err=True),
            **settings,
        )
    click.echo(f"simulated in {time.perf_counter() - started:.1f} s", err=True)
    if format_ == "json":
        click.echo(json.dumps(dict(result), indent=1))
        click.echo("".join(f"{note}\n" for note in result.notes), nl=False, err=True)
    else:
        click.echo(simulation.as_text(result))
    if chart:
        charts.simulation_chart(result, chart)
        click.echo(f"wrote {chart}", err=True)
    sys.exit(0 if result.passed else 1)


def _not_counted(neighbours: Sequence[Environment]) -> list[str]:
    """The template alone is held against the account, which `generator check` judges as a whole."""
    names = ", ".join(neighbour.name for neighbour in neighbours)
    return [f"{names}: what they reserve in the same account; generator check counts all"] if names else []


def _without_effect(name: str, file: Path | None, overrides: Sequence[str]) -> Iterator[str]:
    """Overrides of what is in the template already, or is not simulated at all."""
    from generator.simulation.coverage import HEEDED

    for override in overrides:
        key, value = files.parse_override(override)
        if ignored := [one for one in _keys(key, value) if one not in HEEDED]:
            note = f"--set {', '.join(ignored)}: no effect; a simulation takes that, if at all, from the template"
            generate = f"generator template {name} --set {shlex.quote(override)} --output DIR"
            yield note if file else f"{note}. To try another: {generate}, then --template DIR/{name}.json"


def _keys(key: str, value: object) -> list[str]:
    """The dotted keys that an override sets: all of a table's."""
    if isinstance(value, dict):
        return [inner for name, one in value.items() for inner in _keys(f"{key}.{name}", one)]
    return [key]


@contextmanager
def _progress(replications: int) -> Iterator[Progress | None]:
    """A bar on a terminal; nothing where the output is read by a program."""
    if replications < PROGRESS_FROM or not is_shown():
        yield None
        return
    with click.progressbar(length=replications, label="Simulating", file=sys.stderr) as bar:
        yield lambda done, of: bar.update(done - bar.pos)
