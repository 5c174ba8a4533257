"""`generator template`: writes the template of each environment and its page, once the quota is proven."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from generator import _runtime, outputs, plans
from generator.cli import options
from generator.config import files
from generator.plans import JudgedPlan
from generator.template import writing

WORTH_A_PROCESS = 8
"""Environments, after the first, that take longer than starting a process and having their texts sent back."""


@click.command(epilog="Example: generator template prod --set traffic.webhooks_per_hour=20000")
@click.argument("names", metavar="[ENV]...", type=options.EnvironmentName(), nargs=-1)
@options.overrides
@click.option(
    "--output",
    default=str(plans.OUTPUT),
    metavar="DIR|-",
    show_default=True,
    help="The folder to write to; - prints one environment's JSON instead.",
)
def command(names: tuple[str, ...], overrides: tuple[str, ...], output: str) -> None:
    """Write the template and the reviewer's page of the named environments, or of all.

    Nothing is written unless every environment fits its account together with those that share it: exit code 1.
    """
    judged = plans.prepare(names, overrides)
    if output == "-" and len(judged) != 1:
        raise click.UsageError("--output - prints one template: name one ENV.")
    if refusals := plans.refusals(judged):
        click.echo("\n".join(refusals), err=True)
        click.echo("Nothing was written.", err=True)
        sys.exit(1)
    if output == "-":
        click.echo(plans.render(judged[0].plan), nl=False)
        return
    first, *others = judged
    made = [outputs.texts(first), *_runtime.spread(outputs.texts, others, WORTH_A_PROCESS)]
    for one, texts in zip(judged, made, strict=True):
        changed = [writing.write(Path(output) / name, text) for name, text in texts.items()]
        template, *_ = texts
        click.echo(_line(Path(output) / template, one, len(texts[template].encode()), any(changed)))
    if not names and Path(output) == plans.OUTPUT:
        for path in outputs.left_over(plans.OUTPUT, [one.name for one in judged]):
            click.echo(f"{path}: no environment generates it; remove it and its page", err=True)
    for line in _permanence(names or [one.name for one in judged], overrides):
        click.echo(line)


def _line(path: Path, one: JudgedPlan, size_bytes: int, changed: bool) -> str:
    sizing = one.plan.sizing
    reserved = [function.reserved_concurrency for function in sizing.functions]
    if None in reserved:
        sum_ = "nothing reserved"
    else:
        sum_ = (
            f"{' + '.join(map(str, reserved))} = {sizing.total_reserved} reserved of {one.verdict.account.reservable}"
        )
    state = "written" if changed else "unchanged"
    return f"{path}  {sizing.webhooks_per_hour:,} webhooks/h  {sum_}  {size_bytes:,} bytes  {state}"


def _permanence(names: Iterable[str], overrides: Iterable[str]) -> Iterable[str]:
    """Which line of which file makes each override permanent; until then `generator check` reports drift."""
    for name in names:
        path = files.FOLDER / f"{name}.toml"
        for override in overrides:
            key, value = files.parse_override(override)
            yield f"To make this permanent: {_place(path, key)} {key.rpartition('.')[2]} = {json.dumps(value)}"


def _place(path: Path, key: str) -> str:
    section, _, name = key.rpartition(".")
    current = ""
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            current = header[1].strip()
        elif current == section and re.match(rf"\s*{re.escape(name)}\s*=", line):
            return f"{path} line {number}:"
    return f"{path}, under [{section}]:" if section else f"{path}, at the top:"
