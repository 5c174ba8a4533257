"""`generator size`: show how each reservation follows from the rate, and the reverse."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from generator import plans
from generator._format import as_json, joined, visible
from generator.capacity import planning
from generator.cli import options
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment
from generator.report import planning_table, sizing_table


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
        overrides = (*_print_fit(name, fit_trace, overrides), *overrides)
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


def _print_fit(name: str, path: Path, chosen: tuple[str, ...]) -> list[str]:
    from generator.report import trace_fit

    overrides, lines = trace_fit.fit(name, path, chosen)
    for line in lines:
        click.echo(visible(line), err=True)
    return overrides


def _draw(name: str, overrides: tuple[str, ...], path: Path) -> None:
    from generator.report.charts import sizing_chart

    (judged,) = plans.prepare([name], overrides)
    sizing_chart(judged, path)
    click.echo(visible(f"wrote {path}"), err=True)


def _print_sizing(name: str, overrides: tuple[str, ...], format_: str) -> None:
    (judged,) = plans.prepare([name], overrides)
    click.echo(as_json(sizing_table.as_dict(judged)) if format_ == "json" else sizing_table.as_table(judged))
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
        click.echo(
            f"{name}: ignores {joined(ignored)}, because every reservation is derived for another rate", err=True
        )
    return environment, neighbours


def _print(
    name: str, answer: Any, format_: str, as_dict: Callable[[str, Any], Any], as_text: Callable[[str, Any], str]
) -> None:
    click.echo(as_json(as_dict(name, answer)) if format_ == "json" else as_text(name, answer))
