"""`generator adopt`: write the documents with which a new stack adopts retained or restored tables."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from generator import plans
from generator._format import visible
from generator.account.deployment import default_stack_name
from generator.cli import options
from generator.config import files
from generator.config.project import foreign
from generator.errors import UnwritableOutput
from generator.stack import adoption
from generator.template import reading, writing


@click.command(epilog="Example: generator adopt prod KmsKey=ID PriceHistoryTable=NAME PriceAlertsTable=NAME")
@options.environment
@click.argument("resources", metavar="RESOURCE=ID...", nargs=-1, required=True)
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path(), metavar="DIR", help="Folder to write to.  [default: .]"
)
@options.stack_name
def command(name: str, resources: tuple[str, ...], output: Path, stack_name: str | None) -> None:
    """Write the files with which CloudFormation adopts existing tables and their key.

    RESOURCE is the name of a table or key in templates_out/ENV.json, and ID the name of the table or the id of the key
    in the account. Writes ENV-import.json and ENV-resources.json, and prints the commands to run. Calls nothing in AWS.
    """
    pairs = [resource.partition("=") for resource in resources]
    if wrong := [name for name, separator, id_ in pairs if not (separator and id_)]:
        raise click.UsageError(f"'{visible(wrong[0])}' is not of the form RESOURCE=ID, such as KmsKey=ID.")
    (environment,) = files.load_named([name])
    path = plans.committed(name)
    text = reading.text_of(path, f"run: generator template {name}")
    template = reading.template(str(path), reading.parsed(str(path), text))
    texts = adoption.documents(str(path), template, {name: id_ for name, _, id_ in pairs})
    paths = [output / f"{name}-import.json", output / f"{name}-resources.json"]
    if faults := list(filter(None, map(foreign, paths))):
        raise UnwritableOutput(faults)
    for file, content in zip(paths, texts, strict=True):
        writing.write(file, content)
        click.echo(visible(f"wrote {file}"))
    click.echo(f"\n{_commands(environment.region, stack_name or default_stack_name(name), *paths)}")


def _commands(region: str, stack: str, template: Path, resources: Path) -> str:
    aws = f"aws --region {region} cloudformation"
    named = f"--stack-name {stack} --change-set-name adopt"
    files_ = f"--template-body {shlex.quote(f'file://{template}')} --resources-to-import {shlex.quote(f'file://{resources}')}"
    return f"""\
Create the change set, look at it, execute it, and deploy the whole template on top of it:

{aws} create-change-set {named} --change-set-type IMPORT {files_}
{aws} wait change-set-create-complete {named}
{aws} describe-change-set {named}
{aws} execute-change-set {named}
{aws} wait stack-import-complete --stack-name {stack}"""
