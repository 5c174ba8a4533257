"""`generator check`: report problems in the committed templates, or in any template."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from generator import plans
from generator._format import visible
from generator.capacity import sms
from generator.checks import checking, findings, linting, sarif
from generator.checks.checking import Report, Request
from generator.checks.quota.messages import DEFAULT_ACCOUNT
from generator.cli import options
from generator.config import files
from generator.errors import GeneratorError
from generator.plans import JudgedPlan
from generator.template import reading

SUFFIXES = (".json", ".yaml", ".yml", ".template")


def _default(key: str) -> str:
    return f"[default: {DEFAULT_ACCOUNT[key]}]"


@click.command(epilog="Example: generator check template.yaml --account-limit 300")
@click.argument("names", metavar="[ENV|FILE]...", type=options.EnvironmentOrFile(), nargs=-1)
@click.option("--together", is_flag=True, help="Also check the total of all stacks: they share one account.")
@click.option(
    "--account-limit",
    "concurrency_limit",
    type=click.IntRange(min=0),
    help=f"Concurrency limit of the account for the FILEs.  {_default('concurrency_limit')}",
)
@click.option(
    "--unreserved-floor",
    type=click.IntRange(min=0),
    help=f"Concurrency that AWS keeps unreserved.  {_default('unreserved_floor')}",
)
@click.option(
    "--reserved-elsewhere",
    type=click.IntRange(min=0),
    help=f"Concurrency that other stacks reserve.  {_default('reserved_elsewhere')}",
)
@click.option(
    "--trust-cfnlintrc", "is_trusted", is_flag=True, help="Allow settings of cfn-lint that load files or run code."
)
@click.option("--format", "format_", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
def command(names: tuple[str, ...], together: bool, is_trusted: bool, format_: str, **account: int | None) -> None:
    """Check the templates of the named environments, of all environments, or any CloudFormation template.

    A FILE is JSON or YAML, with or without SAM. A name is taken as a FILE if it exists or ends in .json, .yaml, .yml
    or .template; ./NAME names a file that is called like an environment. It is checked by cfn-lint and by the rules
    that `generator rules` lists. An ENV is also checked for its size, for drift from its environment file, and against
    the account and the planned SMS in that file.

    Exits with 1 on any error or warning, including a syntax error in a FILE; informational findings do not count.
    Exits with 2 and checks nothing if a FILE is missing, cannot be read or is not a template.
    """
    given = {key: value for key, value in account.items() if value is not None}
    files = [Path(name) for name in names if _is_file(name)]
    if given and not files and not together:
        message = "The account options need a FILE or --together; an environment's account is in its environment file."
        raise click.UsageError(message)
    judged = _judged([name for name in names if not _is_file(name)], files)
    report = checking.check(Request(judged, files, given, not names, together, is_trusted), plans.OUTPUT)
    click.echo(_as_text(report, judged) if format_ == "text" else _as_data(report, judged, format_))
    sys.exit(0 if report.passed else 1)


def _is_file(name: str) -> bool:
    if name.endswith(SUFFIXES) or os.sep in name:
        return True
    found = reading.status(Path(name))
    return found is not None and name not in files.known()


def _judged(names: Sequence[str], files: Sequence[Path]) -> list[JudgedPlan]:
    """Prepare the named environments, or all if there are neither names nor files; report every fault at once."""
    try:
        return plans.prepare(names) if names or not files else []
    except GeneratorError as error:
        raise type(error)([*linting.unreadable(files), *error.faults]) from None


def _as_data(report: Report, judged: Sequence[JudgedPlan], format_: str) -> str:
    if format_ == "sarif":
        return json.dumps(sarif.as_sarif(report.findings, report.rules), indent=1)
    names = [one.name for one in judged]
    data = {
        "environment": names[0] if len(names) == 1 else names or None,
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "passed": report.passed,
    }
    return json.dumps(data, indent=1)


def _as_text(report: Report, judged: Sequence[JudgedPlan]) -> str:
    lines = [findings.as_text(report.findings)] if report.findings else []
    if report.passed and judged:
        lines.append(f"{', '.join(one.name for one in judged)}: lint, size, drift and quota are good")
        lines.append(_room(judged))
        unpriced = [one.name for one in judged if sms.month_usd(one.plan.environment) is None]
        lines += [f"{', '.join(unpriced)}: SMS budget not checked; set sms.price_usd_per_message"] if unpriced else []
    if report.passed:
        decided = [path for path in report.files if path not in (*report.undecided, *report.unjudged)]
        lines += _verdict(decided, "lint, size and quota are good")
        lines += _verdict(report.undecided, "lint and size are good; the quota could be checked only in part")
        lines += _verdict(report.unjudged, "lint and size are good; the quota was not checked: E9801 is switched off")
        lines += [f"together: {visible(report.together)}"] if report.together else []
    return "\n".join(lines)


def _room(judged: Sequence[JudgedPlan]) -> str:
    """Return the bytes left in the template that has the fewest."""
    limits = {one.name: plans.byte_limit(one.plan.environment) for one in judged}
    left = {name: limit - plans.committed(name).stat().st_size for name, limit in limits.items()}
    name = min(left, key=left.__getitem__)
    others = "; the others have more" if len(left) > 1 else ""
    return f"{name}: {left[name]:,} bytes left of {limits[name]:,}{others}"


def _verdict(files: Sequence[Path], verdict: str) -> list[str]:
    return [f"{visible(', '.join(map(str, files)))}: {verdict}"] if files else []
