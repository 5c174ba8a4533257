"""`generator template`: write each environment's template and review page once they fit the account."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from generator import _runtime, plans
from generator._format import visible
from generator.cli import options
from generator.config import files, project
from generator.errors import UnwritableOutput
from generator.plans import JudgedPlan
from generator.report.page import generated_files
from generator.template import writing

MIN_PER_PROCESS = 8
"""Fewest environments for which another process saves time."""


@click.command(epilog="Example: generator template prod --set traffic.webhooks_per_hour=20000")
@click.argument("names", metavar="[ENV]...", type=options.EnvironmentName(), nargs=-1)
@options.overrides
@click.option(
    "--output",
    metavar="DIR|-",
    help="Folder to write to; - prints the JSON of one environment instead.  [default: templates_out]",
)
def command(names: tuple[str, ...], overrides: tuple[str, ...], output: str | None) -> None:
    """Write the template and the review page of the named environments, or of all environments.

    Writes nothing and exits with 1 unless every environment fits its account, together with the other environments
    in that account, and every template is small enough for CloudFormation.
    """
    judged = plans.prepare(names, overrides)
    if output == "-" and len(judged) != 1:
        raise click.UsageError("--output - prints one template; name exactly one ENV.")
    _refuse(plans.refusals(judged))
    if output == "-":
        text = plans.render(judged[0].plan)
        _refuse(_too_large(judged, [text]))
        click.echo(text, nl=False)
        return
    folder = Path(output) if output else project.templates()
    first, *others = judged
    generated = [generated_files(first), *_runtime.parallel_map(generated_files, others, MIN_PER_PROCESS)]
    _refuse(_too_large(judged, [next(iter(texts.values())) for texts in generated]))
    paths = [folder / name for texts in generated for name in texts]
    if faults := list(filter(None, map(project.foreign, paths))):
        raise UnwritableOutput(faults)
    for plan, texts in zip(judged, generated, strict=True):
        changed = [writing.write(folder / name, text) for name, text in texts.items()]
        template, *_ = texts
        click.echo(_line(folder / template, plan, len(texts[template].encode()), any(changed)))
    if not names and folder == project.templates():
        for path in plans.orphans(folder, [plan.name for plan in judged]):
            click.echo(visible(f"{path}: no environment generates this template; delete it and its page"), err=True)
    for line in plans.separate_quotas(judged):
        click.echo(visible(line))
    for line in _permanence(names or [plan.name for plan in judged], overrides):
        click.echo(line)


def _refuse(refusals: Sequence[str]) -> None:
    """Exit with 1 if there are refusals: a template that is written can be deployed."""
    if refusals:
        click.echo("\n".join(refusals), err=True)
        click.echo("Nothing was written.", err=True)
        sys.exit(1)


def _too_large(judged: Sequence[JudgedPlan], templates: Sequence[str]) -> list[str]:
    pairs = zip(judged, templates, strict=True)
    excesses = {plan.name: plans.excess(plan.environment, len(text.encode())) for plan, text in pairs}
    return [f"{name}.json: {excess}" for name, excess in excesses.items() if excess]


def _line(path: Path, judged: JudgedPlan, size_bytes: int, changed: bool) -> str:
    sizing = judged.plan.sizing
    sum_ = f"{sizing.sum_as_text} reserved of {judged.verdict.account.reservable:,}"
    if None in sizing.reservations.values():
        sum_ = "nothing reserved"
    state = "written" if changed else "unchanged"
    limit = plans.byte_limit(judged.environment)
    size = f"{size_bytes:,} bytes, {limit - size_bytes:,} left of {limit:,}"
    return f"{path}  {sizing.webhooks_per_hour:,} webhooks/h  {sum_}  {size}  {state}"


def _permanence(names: Iterable[str], overrides: Iterable[str]) -> Iterable[str]:
    """Yield the line to write for each override; until then `generator check` reports drift."""
    for name in names:
        path = project.environments() / f"{name}.toml"
        for override in overrides:
            key, value = files.parse_override(override)
            yield f"To make this permanent: {files.place_of(path, key)}: {key.rpartition('.')[2]} = {json.dumps(value)}"
