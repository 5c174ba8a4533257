"""`generator check`: report problems in the committed templates, or in any template, folder or CDK assembly."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from generator._format import as_json, visible
from generator.checks.findings import CheckVerdict
from generator.checks.quota.messages import DEFAULT_ACCOUNT, SUM_RULE
from generator.checks.request import Request
from generator.cli import options
from generator.cli.options import Decorated
from generator.errors import Fault, GeneratorError, InvalidEnvironment
from generator.template import reading

if TYPE_CHECKING:
    from generator.checks.quota_check import Report
    from generator.plans import JudgedPlan

STDIN = "-"


def _figure(name: str, key: str, what: str) -> Callable[[Decorated], Decorated]:
    """Return an option that states a figure of the account of the FILEs and FOLDERs."""
    help_ = f"{what}  [default: {DEFAULT_ACCOUNT[key]}]"
    return click.option(name, key, type=click.IntRange(min=0), metavar="N", help=help_)


@click.command(epilog="Example: generator check cdk.out --account-limit 300")
@click.argument("names", metavar="[ENV|FILE|FOLDER]...", type=options.EnvironmentOrFile(), nargs=-1)
@click.option(
    "--only", type=click.Choice(["quota"]), help="Check only that the reservations fit the account, without cfn-lint."
)
@click.option("--ignore", "ignored", metavar="RULE", multiple=True, help="Leave out a rule, such as W3005. Repeatable.")
@click.option("--together", is_flag=True, help="Also check the total of all stacks: they share one account.")
@_figure("--account-limit", "concurrency_limit", "Concurrency limit of the account for the FILEs and FOLDERs.")
@_figure("--unreserved-floor", "unreserved_floor", "Concurrency that AWS keeps unreserved.")
@_figure("--reserved-elsewhere", "reserved_elsewhere", "Concurrency that other stacks reserve.")
@click.option("--live", is_flag=True, help="Read limit and present reservations from the AWS account.")
@click.option("--profile", metavar="P", help="With --live: the AWS CLI profile.  [default: the CLI's own default]")
@click.option("--region", metavar="R", help="With --live: the Region.  [default: the stack's, then the profile's]")
@click.option(
    "--stack",
    "stacks",
    metavar="NAME",
    multiple=True,
    help="With --live: a deployed stack that the templates replace. Repeatable.",
)
@click.option("--allow-unproven", is_flag=True, help="Exit with 0 although something could not be read.")
@click.option(
    "--trust-cfnlintrc", "is_trusted", is_flag=True, help="Allow settings of cfn-lint that load files or run code."
)
@options.output_format("text", "json", "sarif")
def command(names: tuple[str, ...], only: str | None, allow_unproven: bool, format_: str, **chosen: Any) -> None:
    """Check the templates of the named environments, of all environments, or any CloudFormation template.

    A FILE is JSON or YAML, with or without SAM, or a Terraform plan (terraform show -json); - is the standard input. A
    FOLDER is a CDK assembly, such as cdk.out, or has templates in it, such as .aws-sam/build; its stacks count together
    wherever they may share an account and Region. A name is taken as a FILE or FOLDER if it exists or has a dot in
    it; write ./NAME for one with the name of an environment. All but plans are checked by cfn-lint and by the rules
    that `generator rules` lists. An ENV is also checked for its size, for drift from its environment file, and against
    the account and the planned SMS in that file.

    Exits with 1 on any error or warning, including a syntax error in a FILE, and if something that may reserve
    concurrency could not be read; informational findings do not count. Exits with 2 and checks nothing if a FILE is
    missing, cannot be read or is not a template.
    """
    request = _request(names, **chosen)
    if only and any(request.ignores(rule) for rule in (SUM_RULE, "quota")):
        raise click.UsageError(f"--only quota checks {SUM_RULE} in any case; leave out --ignore for it.")
    environments = [name for name in names if not _is_file(name)]
    if environments or not (request.files or request.folders):
        request = _with_environments(request, environments)
    report = _checked(request, is_quota_only=only is not None)
    report = report.accepting_gaps() if allow_unproven else report
    click.echo(_as_text(report, request, only is not None) if format_ == "text" else _as_data(report, request, format_))
    sys.exit(0 if report.passed else 1)


def _request(
    names: Sequence[str],
    together: bool,
    is_trusted: bool,
    ignored: tuple[str, ...],
    live: bool,
    profile: str | None,
    region: str | None,
    stacks: tuple[str, ...],
    **account: int | None,
) -> Request:
    """Return the request for a check, without the environments."""
    given = {key: value for key, value in account.items() if value is not None}
    paths = [Path(name) for name in names if _is_file(name)]
    if (given or live) and not paths and not together:
        message = (
            "The account options need a FILE, a FOLDER or --together; an environment states its account in its file."
        )
        raise click.UsageError(message)
    if not live and (profile or region or stacks):
        raise click.UsageError("--profile, --region and --stack need --live.")
    figures = None
    if live:
        from generator.checks.live import LiveFigures

        figures = LiveFigures(profile, region, stacks)
    folders = [path for path in paths if path.is_dir()]
    return Request(
        files=[path for path in paths if path not in folders],
        folders=folders,
        account=given,
        complete=not names,
        together=together,
        is_trusted=is_trusted,
        ignored=ignored,
        live=figures,
    )


def _is_file(name: str) -> bool:
    if name == STDIN or name.endswith(reading.SUFFIXES) or os.sep in name or "." in name.removesuffix(".toml"):
        return True
    is_toml = name.endswith(".toml")
    if not is_toml and reading.status(Path(name)) is None:
        return False
    from generator.config import files

    return name.removesuffix(".toml") not in files.known()


def _with_environments(request: Request, names: Sequence[str]) -> Request:
    """Add the named environments, or all if nothing is named; report every fault of them and of the files at once."""
    from generator import plans
    from generator.checks import stacks
    from generator.config import project
    from generator.config.files import PROJECT_REMEDY, known

    if request.together and request.folders and names:
        raise click.UsageError(
            "--together takes either ENVs or FOLDERs, because their accounts are stated differently."
        )
    try:
        if not (names or known()):
            remedy = f"name a file, such as: generator check template.yaml; or {PROJECT_REMEDY}"
            raise InvalidEnvironment([Fault(f"{project.environments()}/", "no environment file here", remedy)])
        return request._replace(judged=plans.prepare(names))
    except GeneratorError as error:
        unreadable = stacks.unreadable(path for path in request.files if path != Path(STDIN))
        raise type(error)([*unreadable, *error.faults]) from None


def _checked(request: Request, is_quota_only: bool) -> Report:
    """Return the report of a check, which imports as little as possible."""
    from generator.checks.inputs import with_copies
    from generator.config import project

    if is_quota_only:
        from generator.checks.quota_check import check
    else:
        from generator.checks.full_check import check
    return with_copies(request, lambda copied: check(copied, project.templates()))


def _as_data(report: Report, request: Request, format_: str) -> str:
    if format_ == "sarif":
        from generator.checks import sarif

        return as_json(sarif.as_sarif(report.findings, report.rules))
    names = [plan.name for plan in request.judged]
    accounts = [
        {
            "account": pool.account.name or None,
            "region": pool.account.region or None,
            "reserved": pool.total,
            "reservable": pool.account.reservable,
            "stacks": [
                {"name": member.stack.name, "file": str(member.stack.path), "reserved": member.case.total}
                for member in pool.members
            ],
        }
        for pool in report.pools
    ]
    data = {
        "environment": names[0] if len(names) == 1 else names or None,
        "findings": [finding._asdict() for finding in report.findings],
        "passed": report.passed,
        "verdict": report.verdict,
        "notes": request.live.notes if request.live else [],
        "accounts": accounts,
    }
    return as_json(data)


def _as_text(report: Report, request: Request, is_quota_only: bool) -> str:
    from generator.checks.findings import as_text

    lines = [as_text(report.findings)] if report.findings else []
    if report.passed and request.judged:
        lines += _of_environments(request, is_quota_only)
    if report.verdict is not CheckVerdict.BAD:
        lines += _of_subjects(report)
    lines += [visible(str(pool)) for pool in report.pools if not pool.is_exceeded]
    lines += [visible(note) for note in request.live.notes] if request.live else []
    return "\n".join(lines)


def _of_subjects(report: Report) -> Iterator[str]:
    """Yield the verdict on the files and folders that have no bad finding."""
    unproven, unjudged = report.unproven, report.unjudged
    for reason, paths in (
        ("", [path for path in report.subjects if path not in (*unproven, *unjudged)]),
        ("the quota is not proven, because not everything is counted", unproven),
        (f"the quota was not checked: {SUM_RULE} is switched off", unjudged),
    ):
        for is_linted in (True, False):
            names = [str(path) for path in paths if report.subjects[path] is is_linted]
            good = "lint and size are good; " if is_linted else ""
            all_good = "lint, size and quota are good" if is_linted else "quota is good"
            if names:
                yield f"{visible(', '.join(names))}: {good + reason if reason else all_good}"


def _of_environments(request: Request, is_quota_only: bool) -> Iterator[str]:
    judged = request.judged
    names = ", ".join(plan.name for plan in judged)
    if is_quota_only:
        yield f"{names}: quota is good"
        return
    from generator.capacity import sms

    without = f", without {visible(', '.join(request.ignored))}" if request.ignored else ""
    yield f"{names}: lint, size, drift and quota are good{without}"
    yield _bytes_left(judged)
    from generator import plans

    yield from plans.separate_quotas(judged)
    unpriced = [plan.name for plan in judged if sms.month_usd(plan.environment) is None]
    if unpriced:
        yield f"{', '.join(unpriced)}: SMS budget not checked; set sms.price_usd_per_message"


def _bytes_left(judged: Sequence[JudgedPlan]) -> str:
    """Return the bytes left in the template that has the fewest."""
    from generator import plans

    limits = {plan.name: plans.byte_limit(plan.environment) for plan in judged}
    bytes_left = {name: limit - plans.committed(name).stat().st_size for name, limit in limits.items()}
    name = min(bytes_left, key=bytes_left.__getitem__)
    others = "; the others have more" if len(bytes_left) > 1 else ""
    return f"{name}: {bytes_left[name]:,} bytes left of {limits[name]:,}{others}"
