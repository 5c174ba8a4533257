"""The command line. Each command is a walk along one pipeline, and only here is all of it seen.

environment   A TOML file and --set overrides become a frozen Environment. Rule: no AWS resource names; every fault
              of every file is collected and raised once.
sizing        The Environment becomes a Sizing: each function's reserved concurrency with its model, inputs and
              reason. Rule: no input or output, no account.
quota         Sizings and the account that they share become a verdict. Rule: nothing is written before it.
stack         Environment and Sizing become troposphere objects. Rule: no arithmetic that a reviewer would ask about.
writer        The objects become the bytes that are committed. Rule: no decisions; a file is replaced whole.
reservations  Anyone's template becomes what its functions reserve at the worst. Rule: silent where it cannot be known.
simulation    A template and a workload become an hour of discrete events. Rule: no formula of the sizing's.
preflight     A plan and the live account become checks. Rule: nothing is changed; what cannot be asked is skipped.
checks        Files become findings: cfn-lint with our rules, size, drift, quota. Rule: nothing is modified.
project       A folder becomes a new project. Rule: all of it or nothing; no file is overwritten.
local         The committed template becomes a running system. Rule: on 127.0.0.1 only, and gone at the end.
review        A file becomes the page that explains it, two files what differs between them in meaning. Rule: the
              artefact is what is read, not the code that made it.

Exit codes: 0 good; 1 the verdict is bad; 2 the input is wrong, with one line for each fault and nothing written.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from generator import __version__
from generator._memory import few_collections, no_last_collection
from generator.errors import Fault, GeneratorError

COMMANDS = {
    "init": "Start a project in a new folder.",
    "template": "Write templates and reviewer's pages.",
    "size": "Show how every figure is derived.",
    "check": "Lint, size, drift and quota of templates.",
    "rules": "List the cfn-lint rules, or their folder.",
    "diff": "Show what a change of a template means.",
    "preflight": "Ask the account before a deployment.",
    "simulate": "Try a template under a workload.",
    "local": "Run the whole system on this machine.",
}
"""Each is the command of that name in the module of that name in `generator.cli`; --help imports none of them."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a write answers where a disk, a quota or a file is full. Source: write(2)."""


class Pipeline(click.Group):
    """A group that imports a command when it is named and turns wrong input into exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the pipeline."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What each command does, in a line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, from its own module."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"generator.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name; the error for one that there is not names the closest, or all."""
        name = str(args[0])
        if name not in COMMANDS and not name.startswith("-"):
            import difflib

            close = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"The commands are {', '.join(COMMANDS)}."
            raise click.UsageError(f"No such command '{name}'. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the command; a GeneratorError becomes one line for each fault, anything else is a bug and shows."""
        no_last_collection()
        try:
            with few_collections():
                return super().main(*args, **kwargs)
        except GeneratorError as error:
            faults = error.faults
        except OSError as error:
            if error.errno not in FULL:
                raise
            faults = (Fault("output", f"cannot be written ({error.strerror})", "make room, or write elsewhere"),)
            # What is left to be written is not to be tried again at the end: https://docs.python.org/3/library/signal.html
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        for fault in faults:
            click.echo(fault, err=True)
        sys.exit(2)


@click.group(
    cls=Pipeline, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: generator size prod"
)
@click.version_option(__version__, prog_name="generator")
def main() -> None:
    """Generate a CloudFormation template for a serverless price-alert system that fits its AWS account.

    Reads environments/ENV.toml, derives each Lambda function's reserved concurrency from the expected webhook rate,
    proves that the sum fits the account, and writes templates_out/ENV.json for review and commit.
    """
