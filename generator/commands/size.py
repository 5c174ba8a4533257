"""`generator size`: the derivation of every figure, function by function."""

from __future__ import annotations

import json
import sys

import click

from generator import pipeline, sizing_report
from generator.commands import options


@click.command(epilog="Example: generator size prod --set traffic.peak_factor=8")
@click.argument("name", metavar="ENV")
@options.overrides
@click.option("--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(name: str, overrides: tuple[str, ...], format_: str) -> None:
    """Show how each function's reserved concurrency follows from the expected rate.

    Exit code 1 if the account cannot hold the sum.
    """
    (judged,) = pipeline.judge([name], overrides)
    if format_ == "json":
        click.echo(json.dumps(sizing_report.as_dict(judged), indent=1))
    else:
        click.echo(sizing_report.as_table(judged))
    if refusals := pipeline.refusals([judged]):
        click.echo("\n" + "\n".join(refusals), err=True)
        sys.exit(1)
