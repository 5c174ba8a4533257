"""API Gateway: POST /webhooks with key, usage plan, error answers and access log."""

from __future__ import annotations

import json

from bare.functions import log_group, trust
from troposphere import AWSObject, GetAtt, If, Ref, Sub
from troposphere.apigateway import (
    AccessLogSetting,
    Account,
    ApiKey,
    ApiStage,
    Deployment,
    EndpointConfiguration,
    GatewayResponse,
    Integration,
    Method,
    MethodSetting,
    Model,
    QuotaSettings,
    RequestValidator,
    Resource,
    RestApi,
    Stage,
    ThrottleSettings,
    UsagePlan,
    UsagePlanKey,
)
from troposphere.awslambda import Permission
from troposphere.iam import Role

API = Ref("WebhookApi")
RATE_PER_S, BURST, QUOTA_PER_DAY = 190, 20, 6_000_000


def resources() -> list[AWSObject]:
    """Everything in front of the function."""
    responses = gateway_responses()
    return [*rest_api(), *responses, *stage(responses), *usage_plan(), permission(), *logging_role()]


def rest_api() -> list[AWSObject]:
    """The API and its one method."""
    function = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
    return [
        RestApi(
            "WebhookApi",
            Name=Sub("price-alerts-${EnvironmentSuffix}"),
            EndpointConfiguration=EndpointConfiguration(Types=["REGIONAL"]),
        ),
        Resource(
            "WebhookResource", RestApiId=API, ParentId=GetAtt("WebhookApi", "RootResourceId"), PathPart="webhooks"
        ),
        Model("WebhookModel", RestApiId=API, ContentType="application/json", Schema={"type": "object"}),
        RequestValidator("WebhookValidator", RestApiId=API, ValidateRequestBody=True),
        Method(
            "WebhookMethod",
            RestApiId=API,
            ResourceId=Ref("WebhookResource"),
            HttpMethod="POST",
            AuthorizationType="NONE",
            ApiKeyRequired=True,
            RequestModels={"application/json": Ref("WebhookModel")},
            RequestValidatorId=Ref("WebhookValidator"),
            Integration=Integration(
                Type="AWS_PROXY",
                IntegrationHttpMethod="POST",
                Uri=Sub(function + "${ProcessWebhookFunction.Arn}/invocations"),
            ),
        ),
    ]


def gateway_responses() -> list[GatewayResponse]:
    """Error answers that tell senders when to come back."""

    def response(title: str, kind: str, status: str, retry_after_s: int | None = None) -> GatewayResponse:
        answer = GatewayResponse(title, RestApiId=API, ResponseType=kind, StatusCode=status)
        if retry_after_s:
            answer.ResponseParameters = {"gatewayresponse.header.Retry-After": f"'{retry_after_s}'"}
        return answer

    return [
        response("IntegrationFailureResponse", "INTEGRATION_FAILURE", "503", retry_after_s=5),
        response("Default5xxResponse", "DEFAULT_5XX", "503", retry_after_s=5),
        response("IntegrationTimeoutResponse", "INTEGRATION_TIMEOUT", "504"),
        response("ApiConfigurationErrorResponse", "API_CONFIGURATION_ERROR", "500"),
        response("ThrottledResponse", "THROTTLED", "429", retry_after_s=1),
    ]


def stage(responses: list[GatewayResponse]) -> list[AWSObject]:
    """The deployment, its stage and the stage's access log."""
    log_format = {
        "requestId": "$context.requestId",
        "time": "$context.requestTimeEpoch",
        "status": "$context.status",
        "error": "$context.error.responseType",
        "latencyMs": "$context.responseLatency",
    }
    throttle = MethodSetting(
        HttpMethod="*", ResourcePath="/*", ThrottlingBurstLimit=BURST, ThrottlingRateLimit=RATE_PER_S
    )
    return [
        Deployment("WebhookDeployment", RestApiId=API, DependsOn=["WebhookMethod", *(r.title for r in responses)]),
        Stage(
            "WebhookStage",
            RestApiId=API,
            DeploymentId=Ref("WebhookDeployment"),
            StageName="v1",
            Description=If("CreateApiLogging", Ref("ApiLoggingAccount"), "existing role"),
            AccessLogSetting=AccessLogSetting(
                DestinationArn=GetAtt("WebhookAccessLogGroup", "Arn"),
                Format=json.dumps(log_format, separators=(",", ":")),
            ),
            MethodSettings=[throttle],
            TracingEnabled=True,
        ),
        log_group("WebhookAccessLogGroup"),
    ]


def usage_plan() -> list[AWSObject]:
    """The key that senders present, and what it allows."""
    return [
        ApiKey("WebhookApiKey", Enabled=True),
        UsagePlan(
            "WebhookUsagePlan",
            ApiStages=[ApiStage(ApiId=API, Stage=Ref("WebhookStage"))],
            Quota=QuotaSettings(Limit=QUOTA_PER_DAY, Period="DAY"),
            Throttle=ThrottleSettings(BurstLimit=BURST, RateLimit=RATE_PER_S),
        ),
        UsagePlanKey(
            "WebhookUsagePlanKey",
            KeyId=Ref("WebhookApiKey"),
            KeyType="API_KEY",
            UsagePlanId=Ref("WebhookUsagePlan"),
        ),
    ]


def permission() -> Permission:
    """Lets this method call the function."""
    method = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebhookApi}/*/POST/webhooks"
    return Permission(
        "ProcessWebhookPermission",
        Action="lambda:InvokeFunction",
        FunctionName=Ref("ProcessWebhookFunction"),
        Principal="apigateway.amazonaws.com",
        SourceArn=Sub(method),
    )


def logging_role() -> list[AWSObject]:
    """API Gateway's logging role for the whole account, on request only."""
    managed = Sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
    return [
        Role(
            "ApiLoggingRole",
            Condition="CreateApiLogging",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            AssumeRolePolicyDocument=trust("apigateway.amazonaws.com"),
            ManagedPolicyArns=[managed],
        ),
        Account(
            "ApiLoggingAccount",
            Condition="CreateApiLogging",
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            CloudWatchRoleArn=GetAtt("ApiLoggingRole", "Arn"),
        ),
    ]
