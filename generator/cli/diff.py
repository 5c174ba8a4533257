"""`generator diff`: show a reviewer what a template change means."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

import click

from generator import plans
from generator._format import code, visible
from generator.cli import options
from generator.config import files, project
from generator.config.schema import Environment
from generator.diff import git
from generator.diff.compare import difference
from generator.diff.markdown import MAX_REPORT, as_markdown
from generator.diff.model import Change, Cost, Difference, Rate, Room
from generator.diff.sides import Side, changed_since, read_both, read_since, settings
from generator.diff.summary import KINDS, as_dict
from generator.errors import Fault, GeneratorError, UnreadableTemplate
from generator.report.bill import bill, has_bill
from generator.report.cost_section import by_service
from generator.template.evaluation import one_deployment

Value = TypeVar("Value")


def _kinds(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",")) if value is not None else ()
    if unknown := [name for name in names if name not in KINDS]:
        raise click.BadParameter(f"{', '.join(map(repr, unknown))} is not one of {', '.join(KINDS)}.")
    return names


@click.command(epilog="Example: generator diff prod --fail-on replacement,iam-widening")
@click.argument("names", metavar="[[OLD] NEW]", type=options.EnvironmentOrFile(), nargs=-1)
@click.option(
    "--base",
    metavar="BRANCH",
    help="Compare with the commit where the current branch left BRANCH.  [default: the default branch]",
)
@options.output_format("markdown", "json")
@click.option(
    "--fail-on",
    metavar="KIND,...",
    callback=_kinds,
    help=f"Exit with 1 only for changes of these kinds: {', '.join(KINDS)}.",
)
def command(names: tuple[str, ...], base: str | None, format_: str, fail_on: tuple[str, ...]) -> None:
    """Show how two templates differ in meaning, and ignore differences in layout.

    OLD and NEW are each an environment (its committed template), a JSON or YAML file, or either of these at a git
    revision, such as main:prod. With NEW alone, OLD is the same environment or file at the commit where the current
    branch left the default branch. With neither, every environment that changed since that commit is compared; if one
    cannot be read, the others are still shown. The templates of nested stacks are not read: a resource that moves into
    one is shown as removed. Exits with 1 if there is a difference.
    """
    if len(names) > 2 or (base is not None and len(names) == 2):
        raise click.UsageError("Name an OLD and a NEW side, or at most one side with --base.")
    pairs, faults = ([read_both(*names)], []) if len(names) == 2 else _since(git.base(base), names)
    if faults and not pairs:
        raise UnreadableTemplate(faults)
    differences = [(_difference(*sides), *sides) for sides in pairs]
    if format_ == "json":
        reports = [as_dict(difference_, new.environment or old.environment) for difference_, old, new in differences]
        click.echo(json.dumps(reports[0] if names else {"environments": reports}, indent=1, ensure_ascii=False))
    else:
        click.echo(_as_text(differences))
    if faults:
        raise UnreadableTemplate(faults)
    sys.exit(1 if any(_fails(difference_, fail_on) for difference_, *_ in differences) else 0)


def _fails(difference: Difference, fail_on: Sequence[str]) -> bool:
    return any(KINDS[kind](difference) for kind in fail_on) if fail_on else difference.is_different


def _since(base: git.Base, names: Sequence[str]) -> tuple[list[tuple[Side, Side]], list[Fault]]:
    """Return the named sides or every environment that changed, and the faults of those that cannot be read."""
    pairs: list[tuple[Side, Side]] = []
    faults: list[Fault] = []
    for name in names or changed_since(base):
        try:
            pairs.append(read_since(base, name))
        except GeneratorError as error:
            faults += error.faults
    return pairs, list(dict.fromkeys(faults))


def _difference(before: Side, after: Side) -> Difference:
    environment = after.environment or before.environment
    room = _if_readable("headroom", lambda: _room(environment))
    environments = _if_readable("rate or cost", lambda: (settings(before), settings(after))) or (None, None)
    difference_ = difference(before.template, after.template, room, _cost(before, after, environments))
    whole = Change.ADDED if not before.exists else Change.REMOVED if not after.exists else Change.CHANGED
    old_rate, new_rate = (
        Rate(side.traffic.webhooks_per_hour, side.peak_rate_per_s) if side else None for side in environments
    )
    return replace(difference_, rates=(old_rate, new_rate), whole=whole)


def _as_text(differences: Sequence[tuple[Difference, Side, Side]]) -> str:
    """Return all reports, which together fit into one comment."""
    reports: list[str] = []
    room = MAX_REPORT
    for number, (difference_, old, new) in enumerate(differences):
        report = as_markdown(difference_, old.name, new.name, room // (len(differences) - number))
        if difference_.whole != Change.REMOVED and difference_.is_different and new.environment:
            page = code(f"{project.templates()}/{new.environment}.md")
            report += f"\n\nThe review page {page} explains every figure."
        reports.append(report)
        room -= len(report)
    return "\n\n".join(reports) or "No environment has changed."


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
    return Room(judged.verdict.account.reservable, judged.reserved_by_neighbours)


def _cost(before: Side, after: Side, environments: tuple[Environment | None, Environment | None]) -> Cost | None:
    """Return both monthly costs, each at the rate of its own environment, or None if a side cannot be priced.

    A file has no environment and is priced at the rate of the other side. A side that does not exist costs nothing.
    """
    known = [environment for environment in environments if environment is not None]
    if not known:
        return None
    bills: list[dict[str, Decimal]] = []
    for side, environment in ((before, known[0]), (after, known[-1])):
        template = one_deployment(side.template)
        if side.exists and not has_bill(template):
            return None
        bills.append(dict(by_service(bill(template, environment))) if side.exists else {})
    old, new = bills
    changes = {service: new.get(service, Decimal(0)) - old.get(service, Decimal(0)) for service in {**new, **old}}
    return Cost(
        sum(old.values(), Decimal(0)),
        sum(new.values(), Decimal(0)),
        any(environment.sms.price_usd_per_message is None for environment in known),
        tuple(sorted(changes.items(), key=lambda change: -abs(change[1]))),
    )
