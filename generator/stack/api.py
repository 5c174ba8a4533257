"""The REST API in front of ProcessWebhookFunction: key, usage plan, error responses, logging."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from awacs import execute_api
from awacs.aws import Allow, Condition, Deny, NotIpAddress, Principal, Statement
from troposphere import AWSObject, GetAtt, Ref, Sub, apigateway, encode_to_dict
from troposphere.awslambda import Permission
from troposphere.iam import Role

from generator.capacity.sizing import PROCESS_WEBHOOK
from generator.capacity.usage_plan import UsagePlan
from generator.config.schema import Environment
from generator.config.senders import WebhookSource
from generator.stack import names, permissions
from generator.stack.functions import log_group

STAGE_NAME = "v1"
RESOURCE = "WebhookResource"
ACCESS_LOG_GROUP = "WebhookAccessLogGroup"
API_LOGGING_ACCOUNT = "ApiLoggingAccount"

GATEWAY_RESPONSES = (
    # By default a Lambda throttle reaches the sender as a plain 500. AWS does not document its type. DEFAULT_5XX covers
    # every type that is not listed, so it answers 503 with Retry-After. The next two are listed to be left out.
    ("DEFAULT_5XX", 503, 5),
    ("INTEGRATION_TIMEOUT", 504, None),
    ("API_CONFIGURATION_ERROR", 500, None),
    ("THROTTLED", 429, 1),
)
"""Type, status and Retry-After in seconds. Source: API Gateway Developer Guide, "Gateway response types"."""


def resources(environment: Environment, plan: UsagePlan) -> list[AWSObject]:
    """Return everything in front of the function, in the order in which a request passes through it."""
    own_role = _logging_role() if environment.operations.api_logging_role == "create" else []
    restricted = [source for source in environment.paths if source.allowed_addresses]
    policy = {"Policy": _addresses(restricted)} if restricted else {}
    interface = [*_method(), *_source_methods(environment.paths), *_gateway_responses()]
    deployment = _deployment(interface, policy)
    stage = _stage(plan, deployment, own_role)
    regional = apigateway.EndpointConfiguration(Types=["REGIONAL"])
    return [
        apigateway.RestApi(names.API, EndpointConfiguration=regional, Name=Sub(names.API_NAME), **policy),
        *interface,
        deployment,
        stage,
        log_group(ACCESS_LOG_GROUP, environment.retention.log_days),
        *_admission(plan, stage),
        _permission(environment.paths),
        *own_role,
    ]


def _method() -> list[AWSObject]:
    """Return POST /webhooks. Its model only requires a JSON object; the handler checks signature and content."""
    api = {"RestApiId": Ref(names.API)}
    model = apigateway.Model("WebhookModel", ContentType="application/json", Schema={"type": "object"}, **api)
    validator = apigateway.RequestValidator("WebhookValidator", ValidateRequestBody=True, **api)
    return [
        apigateway.Resource(RESOURCE, ParentId=GetAtt(names.API, "RootResourceId"), PathPart="webhooks", **api),
        model,
        validator,
        _post(
            "WebhookMethod",
            RESOURCE,
            ApiKeyRequired=True,
            RequestModels={"application/json": Ref(model)},
            RequestValidatorId=Ref(validator),
        ),
    ]


def _source_methods(sources: Sequence[WebhookSource]) -> Iterable[AWSObject]:
    """Yield POST /webhooks/NAME for each source. It takes any content type, because TradingView also sends text/plain.

    It needs no API key, because a sender that controls only URL and body cannot send one.
    """
    for source in sources:
        resource = names.source(source.name, "Resource")
        yield apigateway.Resource(resource, ParentId=Ref(RESOURCE), PathPart=source.name, RestApiId=Ref(names.API))
        yield _post(names.source(source.name, "Method"), resource)


def _post(logical_id: str, resource: str, **optional: object) -> apigateway.Method:
    invocations = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        "${ProcessWebhookFunction.Arn}/invocations"
    )
    return apigateway.Method(
        logical_id,
        AuthorizationType="NONE",
        HttpMethod="POST",
        Integration=apigateway.Integration(IntegrationHttpMethod="POST", Type="AWS_PROXY", Uri=Sub(invocations)),
        ResourceId=Ref(resource),
        RestApiId=Ref(names.API),
        **optional,
    )


def _addresses(sources: Sequence[WebhookSource]) -> object:
    """Return the policy of an API whose paths for these sources accept no other addresses than they state.

    Once an API has a policy, a request needs a statement that allows it. Source: Amazon API Gateway Developer Guide,
    "API Gateway resource policy examples", which also explains the abbreviated resources. AWS does not document which
    resource a path with a trailing slash is, so the denial covers every method of the path and everything below it.
    """

    def statement(effect: str, *paths: str, **optional: Condition) -> Statement:
        return Statement(
            Effect=effect, Principal=Principal("*"), Action=[execute_api.Invoke], Resource=[*paths], **optional
        )

    refused = [
        statement(
            Deny,
            *(f"execute-api:/*/*/webhooks/{source.name}{below}" for below in ("", "/*")),
            Condition=Condition(NotIpAddress({"aws:SourceIp": list(source.allowed_addresses)})),
        )
        for source in sources
    ]
    allowed = statement(Allow, "execute-api:/*")
    return encode_to_dict(permissions.document(allowed, *refused))


def _gateway_responses() -> Iterable[apigateway.GatewayResponse]:
    for kind, status, retry_after_s in GATEWAY_RESPONSES:
        header = {"gatewayresponse.header.Retry-After": f"'{retry_after_s}'"}
        optional = {"ResponseParameters": header} if retry_after_s else {}
        title = "".join(word.capitalize() for word in kind.split("_")) + "Response"
        yield apigateway.GatewayResponse(
            title, ResponseType=kind, RestApiId=Ref(names.API), StatusCode=str(status), **optional
        )


def _deployment(interface: list[AWSObject], policy: Mapping[str, object]) -> apigateway.Deployment:
    """Return a deployment whose logical id has a hash, because a changed interface or policy needs a new deployment.

    Source: Amazon API Gateway Developer Guide, "Control access to a REST API with API Gateway resource policies".
    """
    content = json.dumps(
        [*(resource.to_dict() for resource in interface), *policy.values()],
        sort_keys=True,
        default=lambda part: part.to_dict(),
    )
    digest = hashlib.sha256(content.encode()).hexdigest()[:10]
    return apigateway.Deployment(
        f"WebhookDeployment{digest}",
        DependsOn=[
            resource.title
            for resource in interface
            if isinstance(resource, apigateway.Method | apigateway.GatewayResponse)
        ],
        RestApiId=Ref(names.API),
    )


def _stage(plan: UsagePlan, deployment: apigateway.Deployment, own_role: list[AWSObject]) -> apigateway.Stage:
    """Return the stage, with an access log without addresses or payload, and throttled like the usage plan.

    It waits for the logging role if the stack creates it.
    """
    fields = {
        "requestId": "$context.requestId",
        "apiKeyId": "$context.identity.apiKeyId",
        "time": "$context.requestTimeEpoch",
        "status": "$context.status",
        "error": "$context.error.responseType",
        "latencyMs": "$context.responseLatency",
        **({"path": "$context.resourcePath"} if plan.source_rates_per_s else {}),
    }
    # A slash in the path of a method is ~1. Source: AWS CloudFormation reference, AWS::ApiGateway::Stage MethodSetting.
    sources = ((f"/~1webhooks~1{name}", "POST", rate_per_s) for name, rate_per_s in plan.source_rates_per_s.items())
    limits = [("/*", "*", plan.rate_per_s), *sources]
    return apigateway.Stage(
        "WebhookStage",
        AccessLogSetting=apigateway.AccessLogSetting(
            DestinationArn=names.arn(ACCESS_LOG_GROUP), Format=json.dumps(fields, separators=(",", ":"))
        ),
        DeploymentId=Ref(deployment),
        MethodSettings=[
            apigateway.MethodSetting(
                HttpMethod=verb, ResourcePath=path, ThrottlingBurstLimit=plan.burst, ThrottlingRateLimit=rate_per_s
            )
            for path, verb, rate_per_s in limits
        ],
        RestApiId=Ref(names.API),
        StageName=STAGE_NAME,
        TracingEnabled=True,
        **({"DependsOn": [API_LOGGING_ACCOUNT]} if own_role else {}),
    )


def _admission(plan: UsagePlan, stage: apigateway.Stage) -> list[AWSObject]:
    """Return the API key and its usage plan. The key identifies a sender; the signature authenticates it."""
    usage_plan = apigateway.UsagePlan(
        "WebhookUsagePlan",
        ApiStages=[apigateway.ApiStage(ApiId=Ref(names.API), Stage=Ref(stage))],
        Quota=apigateway.QuotaSettings(Limit=plan.quota_per_day, Period="DAY"),
        Throttle=apigateway.ThrottleSettings(BurstLimit=plan.burst, RateLimit=plan.rate_per_s),
    )
    return [
        apigateway.ApiKey(names.API_KEY, Enabled=True),
        usage_plan,
        apigateway.UsagePlanKey(
            "WebhookUsagePlanKey", KeyId=Ref(names.API_KEY), KeyType="API_KEY", UsagePlanId=Ref(usage_plan)
        ),
    ]


def _permission(sources: Sequence[WebhookSource]) -> Permission:
    paths = "webhooks*" if sources else "webhooks"
    return Permission(
        "ProcessWebhookPermission",
        Action="lambda:InvokeFunction",
        FunctionName=Ref(PROCESS_WEBHOOK),
        Principal="apigateway.amazonaws.com",
        SourceArn=Sub(
            f"arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{WebhookApi}}/*/POST/{paths}"
        ),
    )


def _logging_role() -> list[AWSObject]:
    """Return API Gateway's role for logs, which is one setting for the whole account and Region.

    The stack creates it only on request, and retains it, because a deletion would stop the logs of every other API.
    Source: API Gateway Developer Guide, "Permissions for CloudWatch logging", which names the managed policy.
    """
    managed = Sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    retained = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    return [
        Role(
            names.API_LOGGING_ROLE,
            AssumeRolePolicyDocument=permissions.trust("apigateway.amazonaws.com"),
            ManagedPolicyArns=[managed],
            **retained,
        ),
        apigateway.Account(API_LOGGING_ACCOUNT, CloudWatchRoleArn=names.arn(names.API_LOGGING_ROLE), **retained),
    ]
