"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from generator._format import visible
from generator.aws import STACK_NAME

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class EnvironmentName(click.types.StringParamType):
    """The name of an environment: completed by the shell, and listed by the error if it is missing."""

    name = "environment"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return the environments to choose from."""
        from generator.config import files

        known = files.known()
        if known:
            return f"The environments are {visible(', '.join(known))}."
        return f"There are no environments here: {files.PROJECT_REMEDY}."

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the environments of the project.

        Shells run a command inside a completion, so a file with such a name is left out.
        """
        from click.shell_completion import CompletionItem

        from generator.config import files
        from generator.config.schema import ENVIRONMENT_NAME

        names = (name for name in files.known() if re.fullmatch(ENVIRONMENT_NAME, name))
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class EnvironmentOrFile(EnvironmentName):
    """The name of an environment or of a file."""

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Return the choices: a file, or one of the environments."""
        from generator.config import files

        known = visible(", ".join(files.known()))
        return f"Name a file or an environment: {known}." if known else "Name a file or an environment."

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return a request for file names, which bash needs first, and the environments."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file"), *super().shell_complete(ctx, param, incomplete)]


environment = click.argument("name", metavar="ENV", type=EnvironmentName())


class Picture(click.Path):
    """An SVG file to write. Requiring the suffix keeps a mistyped name from overwriting another kind of file."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or raise a usage error if it does not end in .svg."""
        if not str(value).endswith(".svg"):
            self.fail(f"'{value}' does not end in .svg.", param, ctx)
        return super().convert(value, param, ctx)


def _complete_setting(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    from generator.config import fields
    from generator.config.schema import Environment

    return [CompletionItem(f"{key}=") for key in fields.keys(Environment) if key.startswith(incomplete)]


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A time above 0 with an optional unit, such as 30s, 5m or 1h, as seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds, or raise a usage error."""
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)(s|m|h|)", str(value))
        if not match or not float(match[1]):
            self.fail(f"'{value}' is not a time above 0 in s, m or h. Write for example 90s, 5m or 1h.", param, ctx)
        return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


overrides = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=_complete_setting,
    help="Override a setting of the environment file, such as traffic.webhooks_per_hour=20000. Repeatable.",
)


def _stack_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Return the value if it is a valid stack name."""
    if value is not None and not re.fullmatch(STACK_NAME, value):
        raise click.BadParameter(
            f"'{value}' is not a stack name; use up to 128 letters, digits and hyphens, starting with a letter."
        )
    return value


profile = click.option("--profile", metavar="P", help="AWS CLI profile to use.  [default: the CLI's own default]")
region = click.option("--region", metavar="R", help="Region of the stack.  [default: the environment's]")
stack_name = click.option(
    "--stack-name",
    metavar="S",
    callback=_stack_name,
    help="Name of the stack.  [default: price-alerts-ENV]",
)
local = click.option("--local", is_flag=True, help="Use the running `generator local` of this project instead of AWS.")


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def output_format(*choices: str) -> Callable[[Decorated], Decorated]:
    """Return the option --format with these choices. The first is the default."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Format of the output.",
    )


def limit(help_: str) -> Callable[[Decorated], Decorated]:
    """Return the option --limit."""
    number = click.IntRange(min=1)
    return click.option("--limit", type=number, metavar="N", default=1000, show_default=True, help=help_)


def of_stack(command: Any) -> Any:
    """Add the options that name a deployed stack."""
    for option in (local, stack_name, region, profile):
        command = option(command)
    return command


def as_given(access: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of the given options of `of_stack`, for a command that works on the same stack."""
    for name, value in access.items():
        if value:
            yield "--" + name.replace("_", "-")
            if isinstance(value, str):
                yield value
