"""The reviewer's page of one environment as Markdown: architecture, sizing, permissions, cost and deployment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from generator import plans
from generator._format import code, counted, markdown_table, number, rate
from generator.plans import JudgedPlan
from generator.report.capacity_section import quota_lines, sizing_lines
from generator.report.cost_section import cost_lines
from generator.report.diagram import NOT_DRAWN, mermaid
from generator.report.operations_section import alarm_lines, retention_lines
from generator.report.permissions_section import permission_lines
from generator.report.resources import of_type
from generator.template.evaluation import one_deployment
from generator.template.model import Template
from generator.template.reading import parse

COUNTED = {
    "AWS::Lambda::Function": "function",
    "AWS::DynamoDB::Table": "table",
    "AWS::SQS::Queue": "failure queue",
    "AWS::CloudWatch::Alarm": "alarm",
}
"""Resource types that the head of the page counts."""


def generated_files(judged: JudgedPlan) -> dict[str, str]:
    """Return the text of each file that an environment generates, by file name: the template, then its page."""
    from generator.stack import monitoring

    template = plans.render(judged.plan)
    reasons = monitoring.reasons(judged.plan.environment, judged.plan.sizing)
    return {f"{judged.name}.json": template, f"{judged.name}.md": page(parse(json.loads(template)), judged, reasons)}


def page(template: Template, judged: JudgedPlan, reasons: Mapping[str, str]) -> str:
    """Return the whole page, the same bytes for the same arguments. `reasons` are those of the alarms' thresholds."""
    environment = judged.plan.environment
    sections = (
        ("Architecture", _diagram(template)),
        ("Sizing", sizing_lines(template, judged)),
        ("Quota", quota_lines(judged)),
        ("Alarms", alarm_lines(template, reasons)),
        ("Permissions", permission_lines(template)),
        ("Retention", retention_lines(template, environment)),
        ("Monthly cost", cost_lines(one_deployment(template), environment)),
        ("Deploy", _deploy(template, judged)),
    )
    text = [*_head(template, judged)]
    for title, lines in sections:
        text += ["", f"## {title}", "", *lines]
    return "\n".join(text).replace("\n\n\n", "\n\n") + "\n"


def _head(template: Template, judged: JudgedPlan) -> Iterator[str]:
    environment = judged.plan.environment
    traffic, account = environment.traffic, environment.account
    counts = ", ".join(counted(len(of_type(template, kind)), noun) for kind, noun in COUNTED.items())
    mean_per_s = traffic.webhooks_per_hour / 3600
    yield f"# {environment.name}"
    yield ""
    yield f"{template.document['Description']}."
    yield ""
    yield (
        f"This page describes {code(f'{environment.name}.json')}. Both are generated from "
        f"{code(f'environments/{environment.name}.toml')}: do not edit them by hand."
    )
    yield ""
    yield from markdown_table(
        ("Environment", environment.name),
        [
            ("Rate", f"{traffic.webhooks_per_hour:,} webhooks per hour, {rate(mean_per_s)}"),
            ("Peak", f"{rate(environment.peak_rate_per_s)}, {number(traffic.peak_factor)} times the mean"),
            ("Region", environment.region),
            ("Account", f"{account.name}, {account.concurrency_limit:,} concurrent executions"),
            ("Resources", f"{len(template.resources)}, including {counts}"),
        ],
    )


def _diagram(template: Template) -> list[str]:
    note = f"Drawn from the references in the template. Dotted arrows carry failures only. Not drawn: {NOT_DRAWN}."
    return ["```mermaid", *mermaid(template).splitlines(), "```", "", note]


def _deploy(template: Template, judged: JudgedPlan) -> list[str]:
    name, region = judged.name, judged.plan.environment.region
    environment = judged.plan.environment
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
        "Parameters; change them with `--parameter-overrides`:",
        "",
        *markdown_table(("Parameter", "Default", "Description"), _parameters(template)),
    ]


def _parameters(template: Template) -> Iterator[tuple[str, str, str]]:
    for name, parameter in template.parameters.items():
        choices = f" ({', '.join(parameter['AllowedValues'])})" if "AllowedValues" in parameter else ""
        yield name, code(str(parameter.get("Default", ""))), parameter.get("Description", "") + choices
