"""Public endpoints and the authorization each requires: function URLs and the methods of APIs.

An endpoint is a grant to everyone. Each requirement on the caller is a condition of the grant.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from generator.diff.iam.grants import API_KEY, EVERYTHING, ONLY_IF, Clause, Grant, GrantScope, alternatives, under
from generator.template.intrinsics import Json, as_list, as_mapping, canonical, is_intrinsic, text
from generator.template.transforms import IMPLIED_APIS, api_events_of, api_of

REQUIRES = "requires"
"""The operator of a clause about the caller's identity. Unknown requirements, and API keys, have `only if`."""

INVOKE, INVOKE_URL = "execute-api:Invoke", "lambda:InvokeFunctionUrl"
NO_ONE = "NONE"

Resources = Mapping[str, Mapping[str, Json]]


class Endpoint(NamedTuple):
    """The properties by which a type authorizes callers.

    If the property `key` is absent or NONE, anyone may call. Source: CloudFormation and SAM references of each type.
    """

    action: str
    key: str
    more_keys: tuple[str, ...] = ()
    within: str = ""


METHOD = Endpoint(INVOKE, "AuthorizationType", ("AuthorizerId", "AuthorizationScopes"))
ENDPOINTS = {
    "AWS::ApiGateway::Method": METHOD,
    "AWS::ApiGatewayV2::Route": METHOD,
    "AWS::Lambda::Url": Endpoint(INVOKE_URL, "AuthType"),
    "AWS::Serverless::Function": Endpoint(INVOKE_URL, "AuthType", within="FunctionUrlConfig"),
    "AWS::Serverless::Api": Endpoint(INVOKE, "DefaultAuthorizer", within="Auth"),
    "AWS::Serverless::HttpApi": Endpoint(INVOKE, "DefaultAuthorizer", within="Auth"),
}
EVENT = Endpoint(INVOKE, "Authorizer", ("AuthorizationScopes",))
OPERATION = Endpoint(INVOKE, "security")
OPERATIONS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "x-amazon-apigateway-any-method")
BODIES = ("Body", "DefinitionBody")


def endpoint_grants(name: str, resource: Mapping[str, Json], resources: Resources) -> Iterator[Grant]:
    """Yield a grant for each endpoint of a resource, with a name of its own."""
    properties = as_mapping(resource.get("Properties"))
    if (endpoint := ENDPOINTS.get(str(resource.get("Type")))) is not None:
        choices = [((), properties)] if not endpoint.within else alternatives(properties.get(endpoint.within))
        for conditions, authorization in choices:
            if authorization is not None or endpoint.action == INVOKE:  # A function has a URL only if it is configured.
                yield from _grants_of(name, endpoint, authorization, conditions)
    for event, content in api_events_of(resource).items():
        yield from _grants_of(f"{name}.{event}", EVENT, _authorization_of(content, resources), ())
    for body in BODIES:
        for operation, conditions, required in _operations(as_mapping(properties.get(body))):
            default = as_mapping(properties.get("Auth")).get("DefaultAuthorizer") if required is None else required
            yield from _grants_of(f"{name} {operation}", OPERATION, {OPERATION.key: default}, conditions)


def needs_authorization(grant: Grant) -> bool:
    """Return whether an endpoint authorizes its callers, so that a new endpoint gives no one access."""
    return any(clause.operator == REQUIRES for clause in grant.condition)


def _grants_of(name: str, endpoint: Endpoint, authorization: Json, conditions: tuple[str, ...]) -> Iterator[Grant]:
    """Yield the endpoint once for each combination of template conditions that decide its authorization."""
    if not isinstance(authorization, Mapping) or is_intrinsic(authorization):
        authorization = {endpoint.key: authorization}
    keys = (endpoint.key, *endpoint.more_keys, API_KEY)
    for combination in itertools.product(*(list(alternatives(authorization.get(key))) for key in keys)):
        values = dict(zip(keys, (value for _, value in combination), strict=True))
        api_key, required = values.pop(API_KEY), values[endpoint.key]
        clauses = []
        if api_key is not None and canonical(api_key) != "false":
            clauses.append(Clause(ONLY_IF, API_KEY, (text(api_key),)))
        if required is not None and canonical(required) != NO_ONE:
            operator = ONLY_IF if isinstance(required, Mapping) else REQUIRES
            stated = {key: sorted(map(text, as_list(value))) for key, value in values.items() if value}
            clauses += [Clause(operator, key, tuple(texts)) for key, texts in stated.items()]
        grant = Grant("Allow", EVERYTHING, GrantScope((endpoint.action,)), GrantScope((name,)), tuple(sorted(clauses)))
        yield under((*conditions, *(one for more, _ in combination for one in more)), grant)


def _authorization_of(event: Mapping[str, Json], resources: Resources) -> Mapping[str, Json]:
    """Return the authorization of an event, or else that of its API. An API outside the template may require any."""
    properties = as_mapping(event.get("Properties"))
    api = resources.get(api_of(event) or "")
    required = properties.get(IMPLIED_APIS[event["Type"]][1]) if api is None else None
    auth = as_mapping(as_mapping(api).get("Properties")).get("Auth")
    if isinstance(auth, Mapping) and is_intrinsic(auth):
        required = auth
    default = {EVENT.key: as_mapping(auth).get("DefaultAuthorizer", required), API_KEY: as_mapping(auth).get(API_KEY)}
    return {**default, **as_mapping(properties.get("Auth"))}


def _operations(body: Mapping[str, Json]) -> Iterator[tuple[str, tuple[str, ...], Json]]:
    """Yield the operations of an OpenAPI description, each with its authorization, or None if it states none.

    Source: OpenAPI Specification, "Security Requirement Object"; API Gateway, x-amazon-apigateway-auth.
    """
    for path, item in as_mapping(body.get("paths")).items():
        for conditions, methods in alternatives(item):
            for method in [name for name in as_mapping(methods) if name in OPERATIONS]:
                for more, operation in alternatives(methods[method]):
                    yield f"{method} {path}", (*conditions, *more), _security(as_mapping(operation), body)


def _security(operation: Mapping[str, Json], body: Mapping[str, Json]) -> Json:
    by_type = as_mapping(operation.get("x-amazon-apigateway-auth")).get("type")
    if by_type is not None:
        return by_type
    required = operation.get("security", body.get("security"))
    if not isinstance(required, list):
        return required
    choices = [" and ".join(sorted(as_mapping(requirement))) for requirement in required]
    return choices if choices and "" not in choices else NO_ONE
