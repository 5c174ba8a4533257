"""Read API Gateway: the methods that invoke functions, and the limits and gateway responses on the way to them."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from generator.simulation.topology.model import QUOTA_PERIODS_S, Refusal, Throttle
from generator.simulation.topology.resources import MALFORMED, Resources, functions_in, single
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json, as_list

RESOURCE = "AWS::ApiGateway::Resource"
METHOD, STAGE = "AWS::ApiGateway::Method", "AWS::ApiGateway::Stage"
GATEWAY_RESPONSE = "AWS::ApiGateway::GatewayResponse"
USAGE_PLAN, USAGE_PLAN_KEY = "AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey"


def methods_by_function(resources: Resources, functions: Container[str]) -> Mapping[str, str]:
    """Return each of the functions that API methods invoke, with the first of its methods."""
    methods: dict[str, str] = {}
    for function, method in resources.each(_integration, METHOD):
        if function in functions:
            methods.setdefault(function, method)
    return methods


def usage_plans(resources: Resources, method: str) -> Sequence[Throttle]:
    """Return the usage plans that limit a method, and note why the others do not. All of them without a method.

    Source: Amazon API Gateway Developer Guide, "Usage plans and API keys for REST APIs": a plan limits the requests
    that come with its keys, and a key belongs to one plan of a stage.
    """
    template, plans = resources.template, [*resources.each(_usage_plan, USAGE_PLAN)]
    if not method:
        return plans
    if not _requires_key(template, method):
        resources.leave_out(plans, f"no effect, because {method} requires no API key")
        return []
    api = template.references(template.properties(method).get("RestApiId"))
    covering = [plan for plan in plans if _covers(template, plan, api)]
    resources.leave_out(
        [plan for plan in plans if plan not in covering], "no effect, because it belongs to another API"
    )
    own = [_on_method(resources, plan, method, api) for plan in covering]
    if len(own) < 2:
        return own
    plans_with_key = template.references([template.properties(key) for key in template.ids(USAGE_PLAN_KEY)])
    applied = [plan for plan in own if plan.logical_id in plans_with_key]
    if len(applied) == 1:
        resources.leave_out([plan for plan in own if plan not in applied], "no effect, because it has no key")
        return applied
    resources.leave_out(own, "the template does not determine which usage plan has the senders' key")
    return []


def _on_method(resources: Resources, plan: Throttle, method: str, api: set[str]) -> Throttle:
    """Return the plan with its limits on a method, or as it is with a note if they are not known."""
    try:
        return _limited(resources.template, plan, method, api)
    except Unknown as unknown:
        resources.leave_out([plan], f"its throttle of single methods is not simulated: {unknown}")
    except MALFORMED as error:
        resources.leave_out([plan], f"its throttle of single methods has an unknown shape ({error!r})")
    return plan


def stages(resources: Resources, method: str) -> Iterator[Throttle]:
    """Yield the limits of the stages on a method, and note their limits on others, which get no webhooks."""
    return resources.each(partial(_stage, method=method, notes=resources.notes), STAGE)


def retry_after_s(resources: Resources, method: str) -> Mapping[Refusal, float]:
    """Return the Retry-After header in seconds of each refusal by the method's API that has one."""
    template = resources.template
    api = template.references(template.properties(method).get("RestApiId")) if method else set()
    found = resources.each(_gateway_response, GATEWAY_RESPONSE)
    stated = {kind: wait_s for owner, kind, wait_s in found if owner == api and isinstance(kind, str)}
    waits_s = {refusal: stated.get(refusal, stated.get(refusal.default)) for refusal in Refusal}
    return {refusal: wait_s for refusal, wait_s in waits_s.items() if wait_s is not None}


# Functions that read one resource each. All of them raise Unknown if the template does not determine a value.


def _integration(template: Evaluator, logical_id: str, properties: Json) -> tuple[str, str] | None:
    """Return the function that a method of a REST API invokes, and the method; None without a Lambda integration."""
    target = properties.get("Integration") or {}
    invoked = functions_in(template, target.get("Uri"))
    return (single(invoked, "its integration"), logical_id) if invoked else None


def _gateway_response(template: Evaluator, logical_id: str, properties: Json) -> tuple[set[str], str, float | None]:
    """Return the API of a gateway response, its type, and its Retry-After in seconds, if that is a number.

    Source: Amazon API Gateway Developer Guide, "Gateway response customization": quotes mark a static value.
    """
    parameters = template.value(properties.get("ResponseParameters") or {})
    headers = {name.lower(): str(value) for name, value in parameters.items()}
    seconds = re.fullmatch(r"'(\d+)'", headers.get("gatewayresponse.header.retry-after", ""), re.ASCII)
    api = template.references(properties.get("RestApiId"))
    return api, template.value(properties["ResponseType"]), float(seconds[1]) if seconds else None


def _usage_plan(template: Evaluator, logical_id: str, properties: Json) -> Throttle:
    """Read the limits of a usage plan. They apply to each key; all simulated webhooks have the same key."""
    throttle, quota = properties.get("Throttle") or {}, properties.get("Quota") or {}
    period = template.value(quota.get("Period", "DAY"))
    if period not in QUOTA_PERIODS_S:
        raise Unknown(f"{period!r} is not a quota period")
    rate_per_s, burst = _rate_and_burst(template, throttle)
    most = template.whole(quota["Limit"]) if "Limit" in quota else None
    return Throttle(logical_id, rate_per_s, burst, most, QUOTA_PERIODS_S[period])


def _stage(template: Evaluator, logical_id: str, properties: Json, method: str, notes: list[str]) -> Throttle | None:
    """Return the limits that a stage sets for a method, and note the other methods on which it sets limits.

    Source: CloudFormation reference, AWS::ApiGateway::Stage MethodSetting: /* and * stand for every method, and ~1 for
    a slash within a path.
    """
    limits = {}
    for setting in template.value(properties.get("MethodSettings") or []):
        if "ThrottlingRateLimit" in setting or "ThrottlingBurstLimit" in setting:
            path = str(setting.get("ResourcePath")).replace("~1", "/").replace("//", "/", 1)
            limits[f"{setting.get('HttpMethod')} {path}"] = setting
    own = limits.pop("* /*", None)
    if limits:
        verb, path = _route(template, method)
        for key in (f"* {path}", f"{verb} {path}"):  # The more specific setting applies.
            own = limits.pop(key, own)
    stage = None if own is None else Throttle(logical_id, *_rate_and_burst(template, own, "Throttling"))
    if limits:
        reason = f"all simulated webhooks come through {method}"
        notes.append(f"{method}: the limits on {', '.join(limits)} are not simulated; {reason}")
    return stage


# Which methods a usage plan limits.


def _requires_key(template: Evaluator, method: str) -> bool:
    """Return whether the method requires an API key; assume so if the value is decided in the account."""
    try:
        return str(template.value(template.properties(method).get("ApiKeyRequired"))).lower() == "true"
    except Unknown:
        return True


def _covers(template: Evaluator, plan: Throttle, api: set[str]) -> bool:
    """Return whether the plan names this API, or no API of the template at all."""
    apis = template.references(template.properties(plan.logical_id).get("ApiStages"))
    return not apis or not api or bool(apis & api)


def _limited(template: Evaluator, plan: Throttle, method: str, api: set[str]) -> Throttle:
    """Return the plan with the limits that it has for this method.

    Source: CloudFormation reference, AWS::ApiGateway::UsagePlan ApiStage: the keys of `Throttle` are the path and the
    HTTP method, such as /prices/POST, or //POST at the root.
    """
    api_stages = as_list(template.value(template.properties(plan.logical_id).get("ApiStages")))
    own = [stage for stage in api_stages if not api or template.references(stage.get("ApiId")) in (set(), api)]
    throttles = [stage.get("Throttle") or {} for stage in own]
    if not any(throttles):
        return plan
    if any(throttle != throttles[0] for throttle in throttles):
        raise Unknown("the template does not determine which stage gets the webhooks")
    verb, path = _route(template, method)
    keys = [f"{path}/{verb}", *([f"{path}/POST"] if verb == "ANY" else [])]
    limits = next((throttles[0][key] for key in keys if key in throttles[0]), None)
    if limits is None:
        raise Unknown(f"{', '.join(throttles[0])} is not {method}, which is {keys[0]}")
    rate_per_s, burst = _rate_and_burst(template, limits)
    return replace(plan, rate_per_s=rate_per_s, burst=burst)


def _route(template: Evaluator, method: str) -> tuple[str, str]:
    """Return a method's HTTP method and its path, which is / at the root."""
    properties, parts = template.properties(method), list[str]()
    verb, resource = template.value(properties["HttpMethod"]), properties["ResourceId"]
    while (found := single(template.references(resource), "the method's resource")) in template.ids(RESOURCE):
        if len(parts) == len(template.ids(RESOURCE)):
            raise Unknown(f"{found} is its own parent")
        properties = template.properties(found)
        parts.insert(0, str(template.value(properties["PathPart"])))
        resource = properties["ParentId"]
    return verb, f"/{'/'.join(parts)}"


def _rate_and_burst(template: Evaluator, limits: Json, prefix: str = "") -> tuple[float | None, float | None]:
    stated = (limits.get(f"{prefix}{kind}Limit") for kind in ("Rate", "Burst"))
    rate_per_s, burst = (None if limit is None else template.number(limit) for limit in stated)
    return rate_per_s, burst
