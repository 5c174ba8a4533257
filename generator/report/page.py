"""The reviewer's page of one environment as Markdown: architecture, sizing, permissions, cost and deployment."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from generator import plans
from generator._format import code
from generator.plans import JudgedPlan
from generator.report.approval_section import approval_lines
from generator.report.bill import Item, bill
from generator.report.capacity_section import quota_lines, reservation_lines, sizing_lines
from generator.report.cost_section import cost_lines
from generator.report.diagram import ABOUT_DIAGRAM, mermaid
from generator.report.operations_section import alarm_lines, retention_lines
from generator.report.permissions_section import permission_lines
from generator.template.evaluation import one_deployment
from generator.template.model import Template
from generator.template.reading import parse


def generated_files(judged: JudgedPlan) -> dict[str, str]:
    """Return the text of each file that an environment generates, by file name: the template, then its page."""
    from generator.stack import monitoring

    template = plans.render(judged.plan)
    reasons = monitoring.reasons(judged.environment, judged.plan.sizing)
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
        *approval_lines(template, judged, items),
        "",
        *reservation_lines(judged),
    ]


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
