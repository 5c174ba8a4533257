"""`generator calibrate`: compare the deployed stack with the model, from its metrics."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from generator import plans
from generator._format import as_json, counted, joined, number, percent, text_table, visible
from generator.cli import deployed, options
from generator.config.files import toml_tables
from generator.errors import Fault, GeneratorError, UnreadableMetrics, each
from generator.plans import JudgedPlan

if TYPE_CHECKING:
    from generator.account.calibration import Calibration

RETENTION_DAYS = 15
"""Days for which CloudWatch keeps points of a minute. Source: Amazon CloudWatch User Guide, "Metrics retention"."""

FILE = click.Path(path_type=Path)


@click.command(epilog="Example: generator calibrate prod --metrics metrics.json --reports reports.json")
@options.environment
@click.option("--query", is_flag=True, help="Print the AWS CLI commands that export the metrics, and exit.")
@click.option("--metrics", "file", type=FILE, metavar="FILE", help="Read the export of `get-metric-data` from FILE.")
@click.option("--reports", type=FILE, metavar="FILE", help="Read REPORT lines from FILE: a Logs Insights JSON or CSV.")
@click.option("--policy", is_flag=True, help="Print the IAM policy that reading the metrics needs, and exit.")
@options.profile
@options.region
@options.stack_name
@click.option(
    "--days",
    type=click.IntRange(1, RETENTION_DAYS),
    default=7,
    show_default=True,
    metavar="N",
    help="Days to look at, up to 15.",
)
@options.output_format("text", "json")
def command(
    name: str,
    query: bool,
    file: Path | None,
    reports: Path | None,
    policy: bool,
    days: int,
    format_: str,
    **access: Any,
) -> None:
    """Compare the metrics of the deployed stack with the settings, and print the settings as measured.

    Reads CloudWatch with your credentials, or a file that the commands of --query have exported. Exits with 1 if the
    stack contradicts the model: more throttled webhooks, later notifications or older records than predicted.
    """
    from generator.account import calibration, metrics

    (judged,) = plans.prepare([name])
    environment = judged.environment
    wanted = metrics.metrics(environment.targets.notification_wait_probability)
    place = deployed.place(environment, access["region"], access["stack_name"])
    if query:
        click.echo(metrics.script(wanted, *place, days))
        click.echo(f"These commands need the permissions {joined(metrics.SCRIPT_ACTIONS)}.", err=True)
        return
    if policy:
        click.echo(as_json(metrics.policy(*place)))
        return
    series, report_lines = _read_given((partial(metrics.read_export, wanted), file), (metrics.read_reports, reports))
    if series is None:
        with deployed.stack(environment, f"generator calibrate {name} --policy", local=False, **access) as stack:
            series = metrics.live(wanted, stack, days)
    result = calibration.calibrate(environment, judged.plan.sizing, series, report_lines or {})
    measured = _usable(name, result)
    if format_ == "json":
        click.echo(as_json(_as_dict(judged, result, measured)))
    else:
        click.echo(visible("\n".join(_as_text(judged, result, measured)), kept="\n"))
    sys.exit(1 if result.contradictions else 0)


def _read_given(*files: tuple[Callable[[Path], Any], Path | None]) -> list[Any]:
    """Return what the readers return for their files; None for a file that is not given.

    Raises UnreadableMetrics with the faults of all files.
    """

    def read(given: tuple[Callable[[Path], Any], Path | None]) -> Any:
        reader, path = given
        return reader(path) if path else None

    return each(read, files, UnreadableMetrics)


class _Usable(NamedTuple):
    """The measured settings, without those that contradict others."""

    plan: JudgedPlan | None
    """The environment with these settings; None if there are none, or if they cannot be used together."""
    overrides: list[str]
    faults: list[Fault]
    """The reasons why the others are left out."""
    conflicts: Sequence[Fault] = ()
    """The reasons why these settings cannot be used together, although each of them is valid."""

    @property
    def toml(self) -> list[str]:
        return [line for lines in toml_tables(self.overrides) for line in lines]


def _usable(name: str, calibration: Calibration) -> _Usable:
    """Size the environment with the measured settings, without those that contradict others."""
    overrides, faults = calibration.overrides, list[Fault]()
    while overrides:
        try:
            return _Usable(plans.prepare([name], overrides)[0], overrides, faults)
        except GeneratorError as error:
            named = _named(overrides, error.faults)
            if not named:
                return _Usable(None, overrides, faults, error.faults)
            faults += (fault._replace(where=fault.where.removeprefix("--set ")) for fault in error.faults)
            overrides = [override for override in overrides if override not in named]
    return _Usable(None, [], faults)


def _named(overrides: Iterable[str], faults: Iterable[Fault]) -> set[str]:
    """Return the overrides that the faults name, or else those in the tables that they name."""
    settings = {override: override.partition("=")[0] for override in overrides}
    keys = {fault.where.removeprefix("--set ").rpartition(": ")[2] for fault in faults}
    tables = keys | {key.rpartition(".")[0] for key in keys}
    return {override for override, key in settings.items() if key in keys} or {
        override for override, key in settings.items() if key.rpartition(".")[0] in tables
    }


def _as_dict(judged: JudgedPlan, calibration: Calibration, measured: _Usable) -> dict[str, Any]:
    fields = dataclasses.asdict(calibration)
    return {
        "environment": judged.name,
        "from": fields.pop("start_s"),
        "to": fields.pop("end_s"),
        **fields,
        "toml": measured.toml,
        "reservations": judged.plan.sizing.reservations,
        "measured_reservations": measured.plan.plan.sizing.reservations if measured.plan else None,
        "faults": [str(fault) for fault in measured.faults],
        "conflicts": [str(fault) for fault in measured.conflicts],
    }


def _as_text(judged: JudgedPlan, calibration: Calibration, measured: _Usable) -> Iterator[str]:
    from generator.account.calibration import UNMEASURED
    from generator.account.metrics import utc

    yield f"{judged.name}: metrics from {utc(calibration.start_s)} to {utc(calibration.end_s)}\n"
    rows = [
        [
            item.setting,
            number(item.stated),
            number(item.measured),
            "-" if item.relative_error is None else f"± {percent(item.relative_error)}",
            f"{counted(item.points, 'point')} of {item.period_s} s"
            if item.period_s
            else counted(item.points, "cold start"),
            "; ".join(item.weaknesses),
        ]
        for item in calibration.measurements
    ]
    yield from text_table(["setting", "stated", "measured", "error", "from", "note"], rows, right=(1, 2, 3))
    for start, end in calibration.holes:
        yield f"hole: no webhooks from {utc(start)} to {utc(end)}, although the rate around it makes that unlikely"
    yield from (f"not measured: {what}" for what in calibration.missing)
    yield ""
    yield from (f"left out, because it contradicts other settings: {fault}" for fault in measured.faults)
    if measured.overrides:
        yield from (f"the measured settings cannot be used together: {fault}" for fault in measured.conflicts)
        yield f"The measured settings, for environments/{judged.name}.toml:\n"
        yield from measured.toml
    else:
        yield "No measured settings can be used together."
    if measured.plan:
        follows, stated = measured.plan.plan.sizing.sum_as_text, judged.plan.sizing.sum_as_text
        yield f"\nReservations that follow: {follows}; with the stated settings: {stated}"
    yield "\nNot measurable this way:"
    yield from (f"  {setting}: {where}" for setting, where in UNMEASURED)
    yield ""
    yield from (f"contradicts the model: {what}" for what in calibration.contradictions)
    yield from (f"not judged: {what}" for what in calibration.not_judged)
    if not calibration.contradictions and len(calibration.not_judged) < 3:
        judged_ = "that was judged" if calibration.not_judged else "in the metrics"
        yield f"Nothing {judged_} contradicts the model."
