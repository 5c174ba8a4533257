"""`generator diff`: show a reviewer what a template change means."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TypeVar

import click

from generator import plans
from generator._format import visible
from generator.cli import options
from generator.config import files
from generator.diff.compare import difference
from generator.diff.markdown import as_markdown
from generator.diff.model import Cost
from generator.diff.reservations import Room
from generator.diff.sides import Side, read_both, settings
from generator.diff.summary import KINDS, as_dict
from generator.errors import GeneratorError
from generator.report.bill import bill, has_bill, total_usd
from generator.template.evaluation import one_deployment

Value = TypeVar("Value")


def _kinds(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",")) if value is not None else ()
    if unknown := [name for name in names if name not in KINDS]:
        raise click.BadParameter(f"{', '.join(map(repr, unknown))} is not one of {', '.join(KINDS)}.")
    return names


@click.command(epilog="Example: generator diff main:prod prod --fail-on replacement,iam-widening")
@click.argument("old", metavar="OLD", type=options.EnvironmentOrFile())
@click.argument("new", metavar="NEW", type=options.EnvironmentOrFile())
@click.option("--format", "format_", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@click.option(
    "--fail-on",
    metavar="KIND,...",
    callback=_kinds,
    help=f"Exit with 1 only for changes of these kinds: {', '.join(KINDS)}.",
)
def command(old: str, new: str, format_: str, fail_on: tuple[str, ...]) -> None:
    """Show how two templates differ in meaning, and ignore differences in layout.

    OLD and NEW are each an environment (its committed template), a JSON or YAML file, or either of these at a git
    revision, such as main:prod. Exits with 1 if there is a difference.
    """
    before, after = read_both(old, new)
    environment = after.environment or before.environment
    room = _if_readable("headroom", lambda: _room(environment))
    cost = _if_readable("cost", lambda: _cost(before, after))
    found = difference(before.template, after.template, room, cost)
    if format_ == "json":
        click.echo(json.dumps(as_dict(found, environment), indent=1, ensure_ascii=False))
    else:
        click.echo(as_markdown(found, before.name, after.name))
    bad = any(KINDS[kind](found) for kind in fail_on) if fail_on else found.found
    sys.exit(1 if bad else 0)


def _if_readable(what: str, read: Callable[[], Value | None]) -> Value | None:
    """Return the value, or print a note and return None if the environment files are wrong: the diff goes on."""
    try:
        return read()
    except GeneratorError as error:
        for fault in error.faults:
            click.echo(visible(f"note: no {what}: {fault}"), err=True)
        return None


def _room(environment: str | None) -> Room | None:
    """Return the room in the account of the environment; a template alone does not name its account."""
    if environment is None or environment not in files.known():
        return None
    (judged,) = plans.prepare([environment])
    others = judged.verdict.total - judged.plan.sizing.total_reserved
    return Room(judged.verdict.account.reservable, others)


def _cost(*sides: Side) -> Cost | None:
    """Return both monthly costs, each at the rate of its own environment, or None if a side cannot be priced.

    A file has no environment and is priced at the rate of the other side.
    """
    templates = [one_deployment(side.template) for side in sides]
    if not all(map(has_bill, templates)):
        return None
    stated = [one for one in map(settings, sides) if one is not None]
    if not stated:
        return None
    old, new = (total_usd(bill(*one)) for one in zip(templates, (stated[0], stated[-1]), strict=True))
    return Cost(old, new)
