"""Find the deployed stack of an environment, on AWS or in the emulator of `generator local`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from generator.account.deployment import default_stack_name
from generator.config.schema import Environment

if TYPE_CHECKING:
    from generator.account.live_stack import LiveStack


def place(environment: Environment, region: str | None, stack_name: str | None) -> tuple[str, str]:
    """Return the Region and the name of the stack: as given, or else those of the environment."""
    return region or environment.region, stack_name or default_stack_name(environment.name)


@contextmanager
def stack(
    environment: Environment,
    policy_command: str,
    *,
    profile: str | None,
    region: str | None,
    stack_name: str | None,
    local: bool,
) -> Iterator[LiveStack]:
    """Yield the stack. Raises GeneratorError, also for a call inside the block that AWS refuses."""
    from generator.account import connection, live_stack
    from generator.local import deployment, runs

    if local and (profile or region or stack_name):
        raise click.UsageError("--local cannot be combined with --profile, --region or --stack-name.")
    if local:
        run, name = runs.find(environment.name), deployment.STACK
        account = connection.emulated(run.region, run.url)
    else:
        region, name = place(environment, region, stack_name)
        account = connection.connect(region, profile)
    account.policy_command = policy_command
    try:
        yield live_stack.opened(account, name)
    except connection.Unavailable as unavailable:
        where = f"stack {name} in {'the emulator' if local else account.region}"
        raise unavailable.at(where) from unavailable
