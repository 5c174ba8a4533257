"""`generator check`: what is wrong with the committed templates."""

from __future__ import annotations

import dataclasses
import json
import sys

import click

from generator import checks, findings, pipeline


@click.command(epilog="Example: generator check prod")
@click.argument("names", metavar="[ENV]...", nargs=-1)
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(names: tuple[str, ...], format_: str) -> None:
    """Check the committed templates of the named environments, or of all.

    Lint (cfn-lint), size, drift from what the environment generates, and quota. Exit code 1 on any finding.
    """
    judged = pipeline.judge(names)
    found = checks.check_environments(judged, pipeline.OUTPUT)
    if format_ == "json":
        report = {
            "environment": judged[0].name if len(judged) == 1 else [one.name for one in judged],
            "findings": [dataclasses.asdict(finding) for finding in found],
            "passed": not found,
        }
        click.echo(json.dumps(report, indent=1))
    elif found:
        click.echo(findings.as_text(found))
    else:
        click.echo(f"{', '.join(one.name for one in judged)}: lint, size, drift and quota are good")
    sys.exit(1 if found else 0)
