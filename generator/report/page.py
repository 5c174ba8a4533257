"""The reviewer's page of one environment as Markdown.

A table lists what to approve. Sections follow on sizing, quota, cost, permissions, alarms, retention, architecture and
deployment.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence

from generator import plans
from generator._format import code, counted, joined, markdown_table, number, rate
from generator.plans import JudgedPlan
from generator.report.bill import Item, bill
from generator.report.capacity_section import quota_lines, reservation_lines, sizing_lines
from generator.report.cost_section import cost_line, cost_lines
from generator.report.diagram import ABOUT_DIAGRAM, mermaid
from generator.report.operations_section import alarm_lines, alarms_line, retained, retention_lines
from generator.report.permissions_section import permission_lines, permissions_line
from generator.template.evaluation import one_deployment
from generator.template.intrinsics import Json
from generator.template.model import Template
from generator.template.reading import parse

COUNTED = {
    "AWS::Lambda::Function": "function",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "failure queue",
    "AWS::CloudWatch::Alarm": "alarm",
}
"""Resource types that the table of what to approve counts, each with its noun."""


def generated_files(judged: JudgedPlan) -> dict[str, str]:
    """Return the text of each file that an environment generates, by file name: the template, then its page."""
    from generator.stack.compose import compose_with_reasons
    from generator.template import writing

    stack, reasons = compose_with_reasons(judged.environment, judged.plan.sizing)
    template = writing.render(stack, plans.byte_limit(judged.environment))
    return {f"{judged.name}.json": template, f"{judged.name}.md": page(parse(json.loads(template)), judged, reasons)}


def page(template: Template, judged: JudgedPlan, reasons: Mapping[str, str]) -> str:
    """Return the whole page, the same bytes for the same arguments. `reasons` are those of the alarms' thresholds.

    Parameters have their defaults, as in a deployment that states no others.
    """
    template, environment = one_deployment(template), judged.environment
    items = bill(template, environment)
    sections = (
        ("Sizing", sizing_lines(template, judged)),
        ("Quota", quota_lines(judged)),
        ("Monthly cost", cost_lines(template, environment, items)),
        ("Permissions", permission_lines(template)),
        ("Alarms", alarm_lines(template, reasons)),
        ("Retention", retention_lines(template, environment)),
        ("Architecture", ["```mermaid", mermaid(template), "```", "", ABOUT_DIAGRAM]),
        ("Deploy", _deploy(judged)),
    )
    text = _head(template, judged, items)
    for title, lines in sections:
        text += ["", f"## {title}", "", *lines]
    return "\n".join(text).replace("\n\n\n", "\n\n") + "\n"


def _head(template: Template, judged: JudgedPlan, items: Sequence[Item]) -> list[str]:
    name = judged.name
    return [
        f"# {name}",
        "",
        f"{template.document['Description']}. This page describes {code(f'{name}.json')}. Both are generated from "
        f"{code(f'environments/{name}.toml')}: do not edit them by hand.",
        "",
        *markdown_table(("To approve", name), _to_approve(template, judged, items)),
        "",
        *reservation_lines(judged),
    ]


def _to_approve(template: Template, judged: JudgedPlan, items: Sequence[Item]) -> Iterator[tuple[str, str]]:
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


# _reservations, _quota and _data are rows of the table of what to approve.


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


def _deploy(judged: JudgedPlan) -> list[str]:
    name, region = judged.name, judged.environment.region
    environment = judged.environment
    bucket = environment.deployment.upload_bucket
    tags = " ".join(shlex.quote(f"{key}={value}") for key, value in environment.tags)
    options = [*([f"--s3-bucket {bucket}"] if bucket else []), *([f"--tags {tags}"] if tags else [])]
    return [
        "```",
        f"aws cloudformation deploy --region {region} --stack-name price-alerts-{name} \\",
        f"  --template-file templates_out/{name}.json --capabilities CAPABILITY_IAM" + (" \\" if options else ""),
        *([f"  {' '.join(options)}"] if options else []),
        f"aws cloudformation describe-stacks --region {region} --stack-name price-alerts-{name} \\",
        "  --query 'Stacks[0].Outputs' --output table",
        "```",
        "",
        "Change a parameter with `--parameter-overrides NAME=VALUE`.",
    ]
