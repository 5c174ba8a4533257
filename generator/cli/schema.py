"""`generator schema`: print the JSON Schema of an environment file, for editors."""

from __future__ import annotations

import click

from generator.config.json_schema import schema_text


@click.command(epilog="Example: generator schema > environments/schema.json")
def command() -> None:
    """Print the JSON Schema of environment files, so that an editor completes and checks settings as you type.

    Write it to environments/schema.json, and begin each environment file with the line that follows. The extension
    Even Better TOML and every other editor with taplo read it. `generator init` writes both.

    #:schema ./schema.json
    """
    click.echo(schema_text(), nl=False)
