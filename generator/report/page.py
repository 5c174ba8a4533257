"""The reviewer's page of one environment, as Markdown: what the template is, why, who may what, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable

from generator.plans import JudgedPlan
from generator.report import permissions_section
from generator.report.capacity_section import headroom_lines, sizing_lines
from generator.report.cost_section import cost_lines
from generator.report.diagram import LEFT_OUT, mermaid
from generator.report.markdown import code, table
from generator.report.operations_section import alarm_lines, retention_lines
from generator.report.usage import Template, of_type


def page(template: Template, judged: JudgedPlan) -> str:
    """The whole page; the same bytes for the same template and environment."""
    environment = judged.plan.environment
    sections = (
        ("Architecture", _diagram(template)),
        ("Sizing", sizing_lines(template, judged)),
        ("Quota", headroom_lines(judged)),
        ("Alarms", alarm_lines(template)),
        ("Permissions", permissions_section.lines(template)),
        ("Retention", retention_lines(template, environment)),
        ("Monthly cost", cost_lines(template, environment)),
        ("Deploy", _deploy(template, judged)),
    )
    text = [*_head(template, judged)]
    for title, lines in sections:
        text += ["", f"## {title}", "", *lines]
    return "\n".join(text).replace("\n\n\n", "\n\n") + "\n"


def _head(template: Template, judged: JudgedPlan) -> Iterable[str]:
    environment = judged.plan.environment
    traffic, account = environment.traffic, environment.account
    counts = (f"{len(of_type(template, kind))} {words}" for kind, words in _COUNTED)
    yield f"# {environment.name}"
    yield ""
    yield f"{template['Description']}."
    yield ""
    yield (
        f"Generated from {code(f'environments/{environment.name}.toml')} together with "
        f"{code(f'{environment.name}.json')}, and true of that file alone: not to be edited by hand."
    )
    yield ""
    yield from table(
        ("Environment", environment.name),
        [
            ("Rate", f"{traffic.webhooks_per_hour:,} webhooks per hour, {traffic.webhooks_per_hour / 3600:.3g}/s"),
            ("Peak", f"{environment.peak_rate_per_s:.3g}/s, {traffic.peak_factor:g} times the mean"),
            ("Region", environment.region),
            ("Account", f"{account.name}, {account.concurrency_limit:,} concurrent executions"),
            ("Resources", f"{len(template['Resources'])}, with {', '.join(counts)}"),
        ],
    )


_COUNTED = (
    ("AWS::Lambda::Function", "functions"),
    ("AWS::DynamoDB::Table", "tables"),
    ("AWS::SQS::Queue", "failure queues"),
    ("AWS::CloudWatch::Alarm", "alarms"),
)


def _diagram(template: Template) -> list[str]:
    note = f"Drawn from the template's references. Dotted: failures only. Left out: {LEFT_OUT}."
    return ["```mermaid", *mermaid(template).splitlines(), "```", "", note]


def _deploy(template: Template, judged: JudgedPlan) -> list[str]:
    name, region = judged.name, judged.plan.environment.region
    return [
        "```",
        f"aws cloudformation deploy --region {region} --stack-name price-alerts-{name} \\",
        f"  --template-file templates_out/{name}.json --capabilities CAPABILITY_IAM",
        f"aws cloudformation describe-stacks --region {region} --stack-name price-alerts-{name} \\",
        "  --query 'Stacks[0].Outputs' --output table",
        "```",
        "",
        "Parameters, which `--parameter-overrides` changes:",
        "",
        *table(("Parameter", "Default", "What it is"), _parameters(template)),
    ]


def _parameters(template: Template) -> Iterable[tuple[str, str, str]]:
    for name, parameter in template.get("Parameters", {}).items():
        choices = f" ({', '.join(parameter['AllowedValues'])})" if "AllowedValues" in parameter else ""
        yield name, code(str(parameter.get("Default", ""))), parameter.get("Description", "") + choices
