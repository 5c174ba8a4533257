"""Which usage plans limit the webhooks: those of their API and of the senders' key, where the method asks for one."""

from __future__ import annotations

from collections.abc import Sequence

from generator.simulation.resources import METHOD, Throttle
from generator.simulation.values import Json, Template, Unknown

KEY = "AWS::ApiGateway::UsagePlanKey"


def applying(template: Template, plans: Sequence[Throttle], entry: str) -> tuple[list[Throttle], list[str]]:
    """The plans that API Gateway applies to the method of the entry function, and a note for each of the others.

    Source: Amazon API Gateway Developer Guide, "Usage plans and API keys for REST APIs": a plan limits the requests
    that come with its keys, and a key belongs to one plan of a stage.
    """
    methods = (name for name in template.ids(METHOD) if _invokes(template, name, entry))
    method = next(methods, None)
    if method is None or not _asks_for_key(template, method):
        return [], [f"{plan.logical_id}: {method} asks for no API key, so it limits nothing" for plan in plans]
    api = template.references(template.properties(method).get("RestApiId"))
    own = [plan for plan in plans if _is_about(template, plan, api)]
    notes = [f"{plan.logical_id}: it is about another API" for plan in plans if plan not in own]
    if len(own) < 2:
        return own, notes
    keyed = {name for key in template.ids(KEY) for name in template.references(template.properties(key))}
    named = [plan for plan in own if plan.logical_id in keyed]
    if len(named) == 1:
        return named, [*notes, *(f"{plan.logical_id}: it has no key" for plan in own if plan not in named)]
    return [], [*notes, *(f"{plan.logical_id}: which plan has the senders' key is not in the template" for plan in own)]


def _invokes(template: Template, method: str, entry: str) -> bool:
    integration: Json = template.properties(method).get("Integration")
    return entry in template.references(integration.get("Uri")) if isinstance(integration, dict) else False


def _asks_for_key(template: Template, method: str) -> bool:
    """A parameter that the account decides is taken to say yes."""
    try:
        return str(template.value(template.properties(method).get("ApiKeyRequired"))).lower() == "true"
    except Unknown:
        return True


def _is_about(template: Template, plan: Throttle, api: set[str]) -> bool:
    apis = template.references(template.properties(plan.logical_id).get("ApiStages"))
    return not apis or not api or bool(apis & api)
