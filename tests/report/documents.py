"""The report's functions for templates that tests hold as plain documents."""

from __future__ import annotations

from typing import Any

from generator.config.schema import Environment
from generator.plans import JudgedPlan
from generator.report import bill as bills
from generator.report import diagram
from generator.report import monthly_usage as usage
from generator.report import page as pages
from generator.template.reading import parse


def page(document: Any, judged: JudgedPlan, reasons: dict[str, str] | None = None) -> str:
    """Return the page, with the real reasons for the thresholds of alarms unless others are given."""
    if reasons is None:
        from generator.stack.compose import compose_with_reasons  # imports troposphere, which a page does without

        _, reasons = compose_with_reasons(judged.environment, judged.plan.sizing)
    return pages.page(parse(document), judged, reasons)


def bill(document: Any, environment: Environment, webhooks_per_hour: int | None = None) -> tuple[bills.Item, ...]:
    return bills.bill(parse(document), environment, webhooks_per_hour)


def monthly_usage(document: Any, environment: Environment, webhooks_per_hour: int) -> usage.MonthlyUsage:
    return usage.monthly_usage(parse(document), environment, webhooks_per_hour)


def count_encrypted(document: Any) -> int:
    return usage.count_encrypted(parse(document))


def graph(document: Any) -> diagram.Edges:
    return diagram.graph(parse(document))


def mermaid(document: Any) -> str:
    return diagram.mermaid(parse(document))
