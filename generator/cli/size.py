"""`generator size`: show how each reservation follows from the rate, and the reverse."""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator import plans
from generator._format import counted, duration, joined, number, significant, visible
from generator.capacity import planning
from generator.cli import options
from generator.config import files
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment, Traffic
from generator.errors import UnsizableLoad
from generator.report import planning_table, sizing_table

if TYPE_CHECKING:
    from generator.capacity.burst_fit import BurstFit


@click.command(epilog="Example: generator size prod --set traffic.peak_factor=8")
@options.environment
@options.overrides
@click.option("--max-rate", is_flag=True, help="Show the highest rate that the account can carry instead.")
@click.option(
    "--for-rate",
    type=click.IntRange(*WEBHOOKS_PER_HOUR),
    metavar="N",
    help="Show the concurrency limit that N webhooks per hour need instead.",
)
@click.option(
    "--fit-trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take rate and peak factor from a recording: CSV, access log, JSON lines or CloudWatch export, also gzipped. "
    "--set takes precedence.",
)
@click.option("--chart", type=options.Picture(), metavar="FILE.svg", help="Draw each reservation against the rate.")
@options.output_format("table", "json")
def command(
    name: str,
    overrides: tuple[str, ...],
    max_rate: bool,
    for_rate: int | None,
    fit_trace: Path | None,
    chart: Path | None,
    format_: str,
) -> None:
    """Show how each function's reserved concurrency follows from the expected rate.

    Exits with 1 if the total does not fit the account, or with --max-rate if not even the lowest rate fits.
    --max-rate and --for-rate require every target to be met, ignore on_shortfall and the reservations that the
    environment states, and include the account's other environments.
    """
    if max_rate and for_rate is not None:
        raise click.UsageError("--max-rate and --for-rate cannot be combined; give one of them.")
    if fit_trace:
        overrides = (*_fitted(name, fit_trace, overrides), *overrides)
    if chart:
        _draw(name, overrides, chart)
    if max_rate:
        _print_highest(name, overrides, format_)
    elif for_rate is not None:
        environment, neighbours = _derived(name, overrides)
        need = planning.need_at(environment, neighbours, for_rate)
        _print(name, need, format_, planning_table.needed_as_dict, planning_table.needed_as_text)
    else:
        _print_sizing(name, overrides, format_)


def _fitted(name: str, path: Path, chosen: tuple[str, ...]) -> list[str]:
    """Print a summary of the trace, and return its settings as overrides. Those that the user chose take precedence."""
    from generator.capacity import burst_fit
    from generator.simulation.trace import read_trace

    trace = read_trace(path)
    overrides, weak = _permitted(trace.as_overrides())
    weak += trace.weaknesses()
    if trace.times:
        (environment,) = files.load_named([name], (*overrides, *chosen))
        fitted = burst_fit.fit(trace.times, environment.functions.process_webhook)
        burst, outside = _permitted([f"traffic.webhooks_per_burst={fitted.webhooks_per_burst:.3g}"])
        overrides += burst
        weak += outside
        weak += _far_above_mean(fitted, files.load_named([name], (*overrides, *chosen))[0], path)
    windows = [f"{significant(value)} in {window_s:g} s" for window_s, value in sorted(trace.dispersion.items())]
    dispersion = f"; variance over mean of the counts (Poisson: 1): {', '.join(windows)}" if windows else ""
    seen = f"{counted(sum(trace.counts), 'webhook')} in {duration(trace.duration_s)}{dispersion}"
    (toml,) = files.toml_tables(overrides)
    for line in (f"{path}: {seen}", *toml, *(f"{path}: weak: {weakness}" for weakness in weak)):
        click.echo(visible(line), err=True)
    return overrides


def _permitted(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the overrides with the nearest values that their settings of the traffic permit, and what was changed."""
    settings = {f"traffic.{field.name}": field.metadata["schema"] for field in dataclasses.fields(Traffic)}
    permitted, changed = [], []
    for override in overrides:
        key, _, value = override.partition("=")
        low, high = settings[key]["minimum"], settings[key]["maximum"]
        if not low <= float(value) <= high:
            nearest = number(low if float(value) < low else high)
            found = f"{key} is {number(float(value))} in the recording"
            changed.append(f"{found}; the setting allows {number(low)} to {number(high)}, so {nearest} is used")
            value = nearest.replace(",", "")
        permitted.append(f"{key}={value}")
    return permitted, changed


def _far_above_mean(fitted: BurstFit, environment: Environment, path: Path) -> list[str]:
    """Return a warning if the largest bursts of a recording need far more units than bursts of their mean size."""
    from generator.capacity import sizing

    try:
        units = sizing.size(environment)[sizing.PROCESS_WEBHOOK].reserved_concurrency or 0
    except UnsizableLoad:  # The sizing reports it after the fit.
        return []
    if sizing.stated(environment, sizing.PROCESS_WEBHOOK) is not None or not fitted.exceeds(units):
        return []
    name = environment.name
    generate = shlex.join(["generator", "template", name])
    replay = shlex.join(["generator", "simulate", name, "--trace", str(path)])
    return [
        f"up to {fitted.most_at_once:,} webhooks are in progress at once, but bursts of this mean size need only "
        f"{units:,} units; to see what a replay loses, write the lines above to the environment file, then run: "
        f"{generate}, then {replay}"
    ]


def _draw(name: str, overrides: tuple[str, ...], path: Path) -> None:
    from generator.report.charts import sizing_chart

    (judged,) = plans.prepare([name], overrides)
    sizing_chart(judged, path)
    click.echo(visible(f"wrote {path}"), err=True)


def _print_sizing(name: str, overrides: tuple[str, ...], format_: str) -> None:
    (judged,) = plans.prepare([name], overrides)
    if format_ == "json":
        click.echo(json.dumps(sizing_table.as_dict(judged), indent=1))
    else:
        click.echo(sizing_table.as_table(judged))
    if refusals := plans.refusals([judged]):
        click.echo("\n" + "\n".join(refusals), err=True)
        sys.exit(1)


def _print_highest(name: str, overrides: tuple[str, ...], format_: str) -> None:
    answer = planning.highest_rate(*_derived(name, overrides))
    _print(name, answer, format_, planning_table.highest_as_dict, planning_table.highest_as_text)
    if answer.webhooks_per_hour is None:
        sys.exit(1)


def _derived(name: str, overrides: tuple[str, ...]) -> tuple[Environment, list[Environment]]:
    """Return the environment and its neighbours, and print the stated reservations that other rates do not keep."""
    from generator.capacity import sizing

    environment, neighbours = plans.with_neighbours(name, overrides)
    if ignored := sizing.stated_settings(environment):
        click.echo(f"{name}: another rate derives every reservation, without {joined(ignored)}", err=True)
    return environment, neighbours


def _print(
    name: str, answer: Any, format_: str, as_dict: Callable[[str, Any], Any], as_text: Callable[[str, Any], str]
) -> None:
    click.echo(json.dumps(as_dict(name, answer), indent=1) if format_ == "json" else as_text(name, answer))
