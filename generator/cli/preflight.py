"""`generator preflight`: check the AWS account before a deployment, without changing it."""

from __future__ import annotations

import dataclasses
import datetime
import sys
from collections import Counter
from collections.abc import Iterable, Mapping

import click

from generator import plans
from generator._format import as_json, counted, visible
from generator.account.deployment import CheckResult, Deployment, Status, default_stack_name
from generator.cli import deployed, options


@click.command(epilog="Example: generator preflight prod --profile production")
@click.argument("name", metavar="ENV", type=options.EnvironmentName(), required=False)
@click.option("--policy", is_flag=True, help="Print the IAM policy that a preflight needs, and exit.")
@options.profile
@options.region
@click.option("--endpoint-url", metavar="URL", help="Send the requests to an emulator instead of AWS.")
@options.stack_name
@options.output_format("text", "json")
def command(
    name: str | None,
    policy: bool,
    profile: str | None,
    region: str | None,
    endpoint_url: str | None,
    stack_name: str | None,
    format_: str,
) -> None:
    """Check the AWS account before you deploy an environment. Changes nothing.

    Each check passes, fails, warns or is skipped (no permission, or the endpoint does not support it). A failed check
    prints the command that fixes it. Exits with 1 if a check fails or AWS answers none of them, and with 2 without
    credentials or if the endpoint does not answer.

    --policy needs no environment and no credentials. Name the Region if it is in GovCloud or China.
    """
    from generator.account import connection, preflight

    if policy:
        region = region or (plans.prepare([name])[0].environment.region if name else "us-east-1")
        click.echo(as_json(connection.policy(region)))
        return
    if name is None:
        raise click.MissingParameter(param=click.get_current_context().command.params[0])
    (judged,) = plans.prepare([name])
    environment = judged.environment
    region, stack = deployed.place(environment, region, stack_name)
    live = connection.connect(region, profile, endpoint_url)
    neighbours = tuple(map(default_stack_name, judged.neighbours))
    deployment = Deployment(live, judged.plan, stack, neighbours, datetime.date.today())
    results = preflight.run(deployment)
    has_passed = preflight.passes(results)
    if format_ == "json":
        report = {
            "environment": name,
            "account_id": live.id,
            "region": live.region,
            "stack_name": stack,
            "checks": [{"id": id_, **dataclasses.asdict(result)} for id_, result in results.items()],
            "passed": has_passed,
        }
        click.echo(as_json(report))
    else:
        click.echo(f"{name}: stack {stack} in account {live.id}, {live.region}\n")
        click.echo("\n".join(_lines(results)))
        if not has_passed and all(result.status is not Status.FAIL for result in results.values()):
            click.echo("AWS answered no check, so nothing is known about the account")
    sys.exit(0 if has_passed else 1)


def _lines(results: Mapping[str, CheckResult]) -> Iterable[str]:
    width = max(map(len, results))
    for id_, result in results.items():
        yield f"{result.status}  {id_:<{width}}  {visible(result.message)}"
        if result.remedy:
            yield f"      {'':<{width}}  -> {visible(result.remedy)}"
    counts = Counter(result.status.value for result in results.values())
    warnings = counted(counts["warn"], "warning")
    yield f"\n{counts['pass']} passed, {counts['fail']} failed, {warnings}, {counts['skip']} skipped"
