"""`generator init`: a new project, for those who install the generator rather than clone it."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from generator import scaffold


@click.command(epilog="Example: generator init price-alerts")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Write a new project: environments, Makefile, a workflow for pull requests, README.

    DIR is made if it is not there; "." is the current folder. Nothing is written, with exit code 2, where any of the
    files is there already.
    """
    for path in scaffold.write(folder):
        click.echo(f"wrote {path}")
    click.echo("\nWrite your Region and rates in environments/*.toml. Next:\n")
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  generator template     (or: make template, which sets up .venv by itself)")
    click.echo("  generator size prod")
