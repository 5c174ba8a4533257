"""The `generator` command: load the named command, run it, and turn wrong input into exit code 2.

docs/explanation/architecture.md describes the stages that the commands run through."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from generator import __version__
from generator._format import visible
from generator._runtime import exit_on_termination
from generator.cli.output import discard, only_printable
from generator.errors import NO_SPACE, Fault, GeneratorError

COMMANDS = {
    "init": "Create a new project.",
    "template": "Write the templates and their review pages.",
    "size": "Show how each reservation is derived.",
    "explore": "Play with the settings in the browser.",
    "check": "Check templates: lint, size, drift, quota.",
    "rules": "List the cfn-lint rules.",
    "schema": "Print the JSON Schema of environment files.",
    "diff": "Show what a template change means.",
    "preflight": "Check the AWS account before a deployment.",
    "simulate": "Simulate a template under load.",
    "calibrate": "Compare the deployed stack with the model.",
    "local": "Run the whole system on this machine.",
    "alerts": "Add, list, show, rearm and remove alerts.",
    "replay": "Publish failed notifications again.",
    "adopt": "Write the files that adopt retained tables.",
}
"""Each key names a module in `generator.cli` that defines `command`. --help imports none of them."""

MAX_FAULTS = 200
"""Faults to print; the others are only counted."""


class LazyGroup(click.Group):
    """A click group that imports a command's module only when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order in which a user meets them."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one line of help for each command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the named command, or None if there is no such command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"generator.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name. The error for an unknown name suggests a known one."""
        name = str(args[0])
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"The commands are {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command '{name}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command. Print one line for each fault of a GeneratorError; any other exception is a bug.

        Recursion, memory and a full disk end in one line, too, because input and machines cause them.
        """
        with only_printable():
            return self._main(*args, **kwargs)

    def _main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with exit_on_termination():
                return super().main(*args, **kwargs)
        except GeneratorError as error:
            faults = error.faults
        except RecursionError:
            what = "something refers to itself, or through hundreds of others"
            faults = (Fault("input", what, "shorten the chain of references or conditions"),)
        except MemoryError:
            faults = (Fault("input", "takes more memory than this process may use", "shorten it or raise the limit"),)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            faults = (Fault("output", f"cannot be written ({error.strerror})", "free some space or write elsewhere"),)
            discard(sys.stdout)
        for fault in faults[:MAX_FAULTS]:
            click.echo(visible(str(fault)), err=True)
        if len(faults) > MAX_FAULTS:
            click.echo(f"and {len(faults) - MAX_FAULTS:,} more", err=True)
        sys.exit(2)


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: generator size prod"
)
@click.version_option(__version__, prog_name="generator")
def main() -> None:
    """Generate the CloudFormation template of a serverless price-alert system.

    Reads environments/ENV.toml, derives each Lambda function's reserved concurrency from the expected webhook rate,
    proves that the total fits the AWS account, and writes templates_out/ENV.json to review and commit.
    """
