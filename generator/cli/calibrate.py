"""`generator calibrate`: compare the deployed stack with the model, from its metrics."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from generator import plans
from generator._format import counted, number, percent, text_table, visible
from generator.account.deployment import default_stack_name
from generator.cli import deployed, options
from generator.config.files import toml_tables
from generator.errors import Fault, GeneratorError
from generator.plans import JudgedPlan

if TYPE_CHECKING:
    from generator.account.calibration import Calibration

RETENTION_DAYS = 15
"""How long CloudWatch keeps points of a minute. Source: Amazon CloudWatch User Guide, "Metrics retention"."""

FILE = click.Path(path_type=Path)


@click.command(epilog="Example: generator calibrate prod --metrics metrics.json --reports reports.json")
@options.environment
@click.option("--query", is_flag=True, help="Print the AWS CLI commands that export the metrics, and do nothing else.")
@click.option("--metrics", "file", type=FILE, metavar="FILE", help="Read the export of `get-metric-data` from FILE.")
@click.option("--reports", type=FILE, metavar="FILE", help="Read REPORT lines from FILE: a Logs Insights JSON or CSV.")
@click.option(
    "--policy", is_flag=True, help="Print the IAM policy that reading the metrics needs, and do nothing else."
)
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
    environment = judged.plan.environment
    wanted = metrics.metrics(environment.targets.notification_wait_probability)
    place = (access["region"] or environment.region, access["stack_name"] or default_stack_name(name))
    if query or policy:
        click.echo(metrics.script(wanted, *place, days) if query else json.dumps(metrics.policy(*place), indent=1))
        return
    if file:
        series = metrics.read_export(wanted, file)
    else:
        with deployed.stack(environment, f"generator calibrate {name} --policy", local=False, **access) as stack:
            series = metrics.live(wanted, stack, days)
    found = calibration.calibrate(
        environment, judged.plan.sizing, series, metrics.read_reports(reports) if reports else {}
    )
    measured = _usable(name, found)
    if format_ == "json":
        click.echo(json.dumps(_as_dict(judged, found, measured), indent=1))
    else:
        click.echo(visible("\n".join(_as_text(judged, found, measured)), kept="\n"))
    sys.exit(1 if found.contradictions else 0)


class _Usable(NamedTuple):
    """The measured settings that can be used together."""

    plan: JudgedPlan | None
    """The environment with these settings; None if there are none."""
    overrides: list[str]
    faults: list[Fault]
    """Why the others are left out."""

    @property
    def toml(self) -> list[str]:
        return [line for lines in toml_tables(self.overrides) for line in lines]


def _usable(name: str, found: Calibration) -> _Usable:
    """Size the environment with the measured settings, without those that contradict others."""
    overrides, faults = found.overrides, list[Fault]()
    while overrides:
        try:
            return _Usable(plans.prepare([name], overrides)[0], overrides, faults)
        except GeneratorError as error:
            faults += error.faults
            places = " ".join(fault.where for fault in error.faults)
            settings = [one.partition("=")[0] for one in overrides]
            named = {one for one in settings if one in places} or {
                one for one in settings if one.rpartition(".")[0] in places
            }
            kept = [one for one in overrides if one.partition("=")[0] not in named]
            overrides = kept if named else []
    return _Usable(None, [], faults)


def _as_dict(judged: JudgedPlan, found: Calibration, measured: _Usable) -> dict[str, Any]:
    return {
        "environment": judged.name,
        "from": found.start_s,
        "to": found.end_s,
        "measurements": [dataclasses.asdict(one) for one in found.measurements],
        "holes": found.holes,
        "missing": found.missing,
        "contradictions": found.contradictions,
        "toml": measured.toml,
        "reservations": judged.plan.sizing.reservations,
        "measured_reservations": measured.plan.plan.sizing.reservations if measured.plan else None,
        "faults": [str(fault) for fault in measured.faults],
    }


def _as_text(judged: JudgedPlan, found: Calibration, measured: _Usable) -> Iterator[str]:
    from generator.account.calibration import UNMEASURED, utc

    yield f"{judged.name}: metrics from {utc(found.start_s)} to {utc(found.end_s)}\n"
    rows = [
        [
            one.setting,
            number(one.stated),
            number(one.measured),
            "-" if one.relative_error is None else f"± {percent(one.relative_error)}",
            f"{counted(one.points, 'point')} of {one.period_s} s"
            if one.period_s
            else counted(one.points, "cold start"),
            "; ".join(one.weaknesses),
        ]
        for one in found.measurements
    ]
    yield from text_table(["setting", "stated", "measured", "error", "from", "note"], rows, right=(1, 2, 3))
    for start, end in found.holes:
        yield f"hole: no webhooks from {utc(start)} to {utc(end)}, although the rate around it makes that unlikely"
    for one in found.missing:
        yield f"not measured: {one}"
    yield ""
    yield from (f"left out, because it contradicts other settings: {fault}" for fault in measured.faults)
    if measured.plan:
        yield f"The measured settings, for environments/{judged.name}.toml:\n"
        yield from measured.toml
        follows, stated = measured.plan.plan.sizing.sum_as_text, judged.plan.sizing.sum_as_text
        yield f"\nReservations that follow: {follows}; with the stated settings: {stated}"
    else:
        yield "No measured settings can be used together."
    yield "\nNot measurable this way:"
    yield from (f"  {setting}: {where}" for setting, where in UNMEASURED)
    yield ""
    if found.contradictions:
        yield from (f"contradicts the model: {one}" for one in found.contradictions)
    else:
        yield "Nothing in the metrics contradicts the model."
