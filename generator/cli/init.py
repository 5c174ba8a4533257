"""`generator init`: create a project that uses the installed generator."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from generator import scaffold


@click.command(epilog="Example: generator init price-alerts")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Create a project: environments, Makefile, pull-request workflow, README.

    Creates DIR if it does not exist; use "." for the current folder. Overwrites nothing: if any of the files already
    exists, writes none of them and exits with 2.
    """
    for path in scaffold.write(folder):
        click.echo(f"wrote {path}")
    requirement = scaffold.requirement()
    if " @ file:" in requirement:  # A path, which no other machine has.
        click.echo(
            f"\nrequirements.txt installs the generator from a path: {requirement.partition(' @ ')[2]}\nBefore another "
            "machine or the workflow uses it, write the version there if your package index has it, or else the URL of "
            "a wheel or of a commit."
        )
    click.echo("\nEdit the Region and the rates in environments/*.toml. Then run:\n")
    if folder.resolve() != Path.cwd():
        click.echo(f"  cd {shlex.quote(str(folder))}")
    click.echo("  generator template     (or: make template, which sets up .venv first)")
    click.echo("  generator size prod")
