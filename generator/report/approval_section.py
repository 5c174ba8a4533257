"""The top of the page: a table of everything that a reviewer approves, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from generator._format import code, counted, joined, markdown_table, number, rate
from generator.plans import JudgedPlan
from generator.report.bill import Item
from generator.report.cost_section import cost_line
from generator.report.operations_section import alarms_line, retained
from generator.report.permissions_section import permissions_line
from generator.template.intrinsics import Json
from generator.template.model import Template

COUNTED = {
    "AWS::Lambda::Function": "function",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "failure queue",
    "AWS::CloudWatch::Alarm": "alarm",
}
"""Resource types that the table counts."""


def approval_lines(template: Template, judged: JudgedPlan, items: Sequence[Item]) -> list[str]:
    """Return a table of everything that a reviewer approves. `items` are the bill."""
    return markdown_table(("To approve", judged.name), _rows(template, judged, items))


def _rows(template: Template, judged: JudgedPlan, items: Sequence[Item]) -> Iterator[tuple[str, str]]:
    environment = judged.environment
    webhooks_per_hour = environment.traffic.webhooks_per_hour
    yield (
        "Rate",
        f"**{webhooks_per_hour:,} webhooks per hour** ({rate(webhooks_per_hour / 3600)}), sized for a peak of "
        f"{rate(environment.peak_rate_per_s)}, {number(environment.traffic.peak_factor)} times the mean",
    )
    yield "Reservations", _reservations(judged)
    yield "Quota", _quota(judged)
    yield "Monthly cost", cost_line(environment, items)
    yield "Permissions", permissions_line(template)
    yield "Alarms", alarms_line(template)
    yield "Data", _data(template)
    yield "Parameters", "; ".join(_parameter(*item) for item in template.parameters.items())
    counts = ", ".join(counted(len(template.of_type(kind)), noun) for kind, noun in COUNTED.items())
    yield "Resources", f"{len(template.resources)}, including {counts}"


def _reservations(judged: JudgedPlan) -> str:
    sizing = judged.plan.sizing
    if all(function.reserved_concurrency is None for function in sizing.functions):
        return "**none**: the functions share the unreserved concurrency of the account, so no target is guaranteed"
    missed = [function.logical_id for function in sizing.functions if function.misses_target]
    targets = f"**the targets of {joined(missed)} are missed**" if missed else "every target is met"
    return f"**{sizing.total_reserved:,} concurrent executions**; {targets}"


def _quota(judged: JudgedPlan) -> str:
    verdict, account = judged.verdict, judged.verdict.account
    others = judged.neighbours
    shared = f" together with {joined(others)}" if others else ""
    short = f"; **{verdict.wanted:,} were wanted**" if verdict.total != verdict.wanted else ""
    return (
        f"**fits**: {verdict.total:,} of {account.reservable:,} reservable executions are reserved{shared}, "
        f"{verdict.headroom:,} are left in account {code(account.name)}, {account.region}{short}"
    )


def _data(template: Template) -> str:
    tables = template.properties_of("AWS::DynamoDB::Table")
    protected = [name for name, body in tables.items() if body.get("DeletionProtectionEnabled")]
    protection = f"deletion protection on {joined(protected)}" if protected else "**no deletion protection**"
    return f"{joined([*retained(template)])} outlive the stack; {protection}"


def _parameter(name: str, parameter: Mapping[str, Json]) -> str:
    default = parameter.get("Default")
    value = "**no default**" if default is None else f"= {code(str(default))}"
    return f"{code(name)} {value} ({parameter.get('Description', 'no description')})"
