"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from generator.config import files


class EnvironmentName(click.types.StringParamType):
    """The name of an environment. Shells complete it, and where it is missing, the error names those that there are."""

    name = "environment"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """What there is to choose from."""
        known = files.known()
        return f"The environments are {', '.join(known)}." if known else f"There are none here: {files.START}."

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The environments of the project in the current folder."""
        return [CompletionItem(name) for name in files.known() if name.startswith(incomplete)]


class EnvironmentOrFile(EnvironmentName):
    """The name of an environment or of a file, which the shell completes by itself."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """What there is to choose from."""
        known = ", ".join(files.known())
        return f"Name a file or an environment: {known}." if known else "Name a file or an environment."

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The shell's own completion of files, at which bash forgets what came before, and the environments."""
        return [CompletionItem(incomplete, type="file"), *super().shell_complete(ctx, param, incomplete)]


environment = click.argument("name", metavar="ENV", type=EnvironmentName())


class Picture(click.Path):
    """A file to draw into, whose name says so: a mistaken one would overwrite a file of another kind."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; a usage error, before anything is done, where it does not end in .svg."""
        if not str(value).endswith(".svg"):
            self.fail(f"'{value}' does not end in .svg.", param, ctx)
        return super().convert(value, param, ctx)


overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a setting of the environment file, such as traffic.webhooks_per_hour=20000. May be repeated.",
)
