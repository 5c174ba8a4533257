"""Read API Gateway: the methods that invoke functions, and the limits and gateway responses on the way to them."""

from __future__ import annotations

import re
from dataclasses import replace

from generator.simulation.topology.model import QUOTA_PERIODS_S, Throttle
from generator.simulation.topology.resources import functions_in, single
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json, listed

RESOURCE = "AWS::ApiGateway::Resource"

METHOD, STAGE = "AWS::ApiGateway::Method", "AWS::ApiGateway::Stage"

GATEWAY_RESPONSE = "AWS::ApiGateway::GatewayResponse"

USAGE_PLAN, USAGE_PLAN_KEY = "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey"


def integration(template: Evaluator, logical_id: str, properties: Json) -> tuple[str, str] | None:
    """Return the function that a method of a REST API invokes, and the method; None without a Lambda integration."""
    target = properties.get("Integration") or {}
    invoked = functions_in(template, target.get("Uri"))
    return (single(invoked, "its integration"), logical_id) if invoked else None


def gateway_response(template: Evaluator, logical_id: str, properties: Json) -> tuple[set[str], str, float | None]:
    """Return the API of a gateway response, its type, and its Retry-After in seconds, if that is a number.

    Source: Amazon API Gateway Developer Guide, "Gateway response customization": quotes mark a static value.
    """
    parameters = template.value(properties.get("ResponseParameters") or {})
    headers = {name.lower(): str(value) for name, value in parameters.items()}
    seconds = re.fullmatch(r"'(\d+)'", headers.get("gatewayresponse.header.retry-after", ""), re.ASCII)
    api = template.references(properties.get("RestApiId"))
    return api, template.value(properties["ResponseType"]), float(seconds[1]) if seconds else None


def usage_plan(template: Evaluator, logical_id: str, properties: Json) -> Throttle:
    """Read the limits of a usage plan. They apply to each key; all simulated webhooks have the same key."""
    throttle, quota = properties.get("Throttle") or {}, properties.get("Quota") or {}
    period = template.value(quota.get("Period", "DAY"))
    if period not in QUOTA_PERIODS_S:
        raise Unknown(f"{period!r} is not a quota period")
    return Throttle(
        logical_id=logical_id,
        rate_per_s=_number_or_none(template, throttle.get("RateLimit")),
        burst=_number_or_none(template, throttle.get("BurstLimit")),
        quota=template.whole(quota["Limit"]) if "Limit" in quota else None,
        quota_period_s=QUOTA_PERIODS_S[period],
    )


def stage(template: Evaluator, logical_id: str, properties: Json, method: str) -> tuple[Throttle | None, list[str]]:
    """Return the limits that a stage sets for a method, and the other methods on which it sets limits.

    Source: CloudFormation reference, AWS::ApiGateway::Stage MethodSetting: /* and * stand for every method, and ~1 for
    a slash within the path of one.
    """
    limits = {
        f"{setting.get('HttpMethod')} {_decoded(setting.get('ResourcePath'))}": setting
        for setting in template.value(properties.get("MethodSettings") or [])
        if "ThrottlingRateLimit" in setting or "ThrottlingBurstLimit" in setting
    }
    own = limits.pop("* /*", None)
    for key in _keys(template, method) if limits else ():
        own = limits.pop(key, own)
    if own is None:
        return None, [*limits]
    rate_per_s, burst = (_number_or_none(template, own.get(f"Throttling{key}Limit")) for key in ("Rate", "Burst"))
    return Throttle(logical_id, rate_per_s, burst), [*limits]


def _decoded(path: Json) -> str:
    return str(path).replace("~1", "/").replace("//", "/", 1)


def _keys(template: Evaluator, method: str) -> tuple[str, str]:
    """Return the settings that apply to a method, the more specific one last."""
    properties = template.properties(method)
    verb, path = template.value(properties["HttpMethod"]), _path(template, properties["ResourceId"])
    return f"* {path}", f"{verb} {path}"


def _number_or_none(template: Evaluator, value: Json) -> float | None:
    return None if value is None else template.number(value)


def requires_key(template: Evaluator, method: str) -> bool:
    """Return whether the method requires an API key; assume so if the value is decided in the account."""
    try:
        return str(template.value(template.properties(method).get("ApiKeyRequired"))).lower() == "true"
    except Unknown:
        return True


def covers(template: Evaluator, plan: Throttle, api: set[str]) -> bool:
    """Return whether the plan names this API, or no API of the template at all."""
    apis = template.references(template.properties(plan.logical_id).get("ApiStages"))
    return not apis or not api or bool(apis & api)


def limited(template: Evaluator, plan: Throttle, method: str, api: set[str]) -> Throttle:
    """Return the plan with the limits that it has for this method.

    Source: CloudFormation reference, AWS::ApiGateway::UsagePlan ApiStage: the keys of `Throttle` are the path and the
    HTTP method, such as /prices/POST, or //POST at the root.
    """
    stages = listed(template.value(template.properties(plan.logical_id).get("ApiStages")))
    own = [stage for stage in stages if not api or template.references(stage.get("ApiId")) in (set(), api)]
    throttles = [stage.get("Throttle") or {} for stage in own]
    if not any(throttles):
        return plan
    if any(one != throttles[0] for one in throttles):
        raise Unknown("the template does not determine which stage gets the webhooks")
    properties = template.properties(method)
    verb, path = template.value(properties["HttpMethod"]), _path(template, properties["ResourceId"])
    keys = [f"{path}/{verb}", *([f"{path}/POST"] if verb == "ANY" else [])]
    limits = next((throttles[0][key] for key in keys if key in throttles[0]), None)
    if limits is None:
        raise Unknown(f"{', '.join(throttles[0])} is not {method}, which is {keys[0]}")
    rate_per_s, burst = (_number_or_none(template, limits.get(key)) for key in ("RateLimit", "BurstLimit"))
    return replace(plan, rate_per_s=rate_per_s, burst=burst)


def _path(template: Evaluator, resource: Json) -> str:
    """Return the path of a resource of an API: / is the root."""
    parts: list[str] = []
    while (found := single(template.references(resource), "the method's resource")) in template.ids(RESOURCE):
        if len(parts) == len(template.ids(RESOURCE)):
            raise Unknown(f"{found} is its own parent")
        properties = template.properties(found)
        parts.insert(0, str(template.value(properties["PathPart"])))
        resource = properties["ParentId"]
    return f"/{'/'.join(parts)}"
