"""API Gateway: POST /webhooks with key, usage plan, error answers and access log."""

from __future__ import annotations

import json

from aws_cdk import CfnCondition, CfnResource, Fn, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from functions import log_group, trust

RATE_PER_S, BURST, QUOTA_PER_DAY = 190, 20, 6_000_000


class Gateway:
    """Everything in front of the function."""

    def __init__(self, stack: Stack, key: kms.CfnKey, process: lambda_.CfnFunction, create: CfnCondition) -> None:
        self.stack = stack
        self.api = apigateway.CfnRestApi(
            stack,
            "WebhookApi",
            name=Fn.sub("price-alerts-${EnvironmentSuffix}"),
            endpoint_configuration=apigateway.CfnRestApi.EndpointConfigurationProperty(types=["REGIONAL"]),
        )
        account = self._logging_role(create)
        method = self._method()
        deployment = apigateway.CfnDeployment(stack, "WebhookDeployment", rest_api_id=self.api.ref)
        for resource in (method, *self._responses()):
            deployment.add_resource_dependency(resource)
        stage = self._stage(deployment, account, key)
        self.key = self._usage_plan(stage)
        called = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${WebhookApi}/*/POST/webhooks"
        lambda_.CfnPermission(
            stack,
            "ProcessWebhookPermission",
            action="lambda:InvokeFunction",
            function_name=process.ref,
            principal="apigateway.amazonaws.com",
            source_arn=Fn.sub(called),
        )

    def _method(self) -> apigateway.CfnMethod:
        api = self.api.ref
        function = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        resource = apigateway.CfnResource(
            self.stack,
            "WebhookResource",
            rest_api_id=api,
            parent_id=self.api.attr_root_resource_id,
            path_part="webhooks",
        )
        model = apigateway.CfnModel(
            self.stack, "WebhookModel", rest_api_id=api, content_type="application/json", schema={"type": "object"}
        )
        validator = apigateway.CfnRequestValidator(
            self.stack, "WebhookValidator", rest_api_id=api, validate_request_body=True
        )
        return apigateway.CfnMethod(
            self.stack,
            "WebhookMethod",
            rest_api_id=api,
            resource_id=resource.ref,
            http_method="POST",
            authorization_type="NONE",
            api_key_required=True,
            request_models={"application/json": model.ref},
            request_validator_id=validator.ref,
            integration=apigateway.CfnMethod.IntegrationProperty(
                type="AWS_PROXY",
                integration_http_method="POST",
                uri=Fn.sub(function + "${ProcessWebhookFunction.Arn}/invocations"),
            ),
        )

    def _responses(self) -> list[apigateway.CfnGatewayResponse]:
        def response(id: str, kind: str, status: str, retry_after_s: int | None = None) -> CfnResource:
            header = {"gatewayresponse.header.Retry-After": f"'{retry_after_s}'"}
            return apigateway.CfnGatewayResponse(
                self.stack,
                id,
                rest_api_id=self.api.ref,
                response_type=kind,
                status_code=status,
                response_parameters=header if retry_after_s else None,
            )

        return [
            response("IntegrationFailureResponse", "INTEGRATION_FAILURE", "503", retry_after_s=5),
            response("Default5xxResponse", "DEFAULT_5XX", "503", retry_after_s=5),
            response("IntegrationTimeoutResponse", "INTEGRATION_TIMEOUT", "504"),
            response("ApiConfigurationErrorResponse", "API_CONFIGURATION_ERROR", "500"),
            response("ThrottledResponse", "THROTTLED", "429", retry_after_s=1),
        ]

    def _stage(
        self, deployment: apigateway.CfnDeployment, account: apigateway.CfnAccount, key: kms.CfnKey
    ) -> apigateway.CfnStage:
        log_format = {
            "requestId": "$context.requestId",
            "time": "$context.requestTimeEpoch",
            "status": "$context.status",
            "error": "$context.error.responseType",
            "latencyMs": "$context.responseLatency",
        }
        throttle = apigateway.CfnStage.MethodSettingProperty(
            http_method="*", resource_path="/*", throttling_burst_limit=BURST, throttling_rate_limit=RATE_PER_S
        )
        return apigateway.CfnStage(
            self.stack,
            "WebhookStage",
            rest_api_id=self.api.ref,
            deployment_id=deployment.ref,
            stage_name="v1",
            description=Fn.condition_if("CreateApiLogging", account.ref, "existing role").to_string(),
            access_log_setting=apigateway.CfnStage.AccessLogSettingProperty(
                destination_arn=log_group(self.stack, "WebhookAccessLogGroup", key).attr_arn,
                format=json.dumps(log_format, separators=(",", ":")),
            ),
            method_settings=[throttle],
            tracing_enabled=True,
        )

    def _usage_plan(self, stage: apigateway.CfnStage) -> apigateway.CfnApiKey:
        key = apigateway.CfnApiKey(self.stack, "WebhookApiKey", enabled=True)
        plan = apigateway.CfnUsagePlan
        made = plan(
            self.stack,
            "WebhookUsagePlan",
            api_stages=[plan.ApiStageProperty(api_id=self.api.ref, stage=stage.ref)],
            quota=plan.QuotaSettingsProperty(limit=QUOTA_PER_DAY, period="DAY"),
            throttle=plan.ThrottleSettingsProperty(burst_limit=BURST, rate_limit=RATE_PER_S),
        )
        apigateway.CfnUsagePlanKey(
            self.stack, "WebhookUsagePlanKey", key_id=key.ref, key_type="API_KEY", usage_plan_id=made.ref
        )
        return key

    def _logging_role(self, create: CfnCondition) -> apigateway.CfnAccount:
        managed = Fn.sub("arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs")
        role = iam.CfnRole(
            self.stack,
            "ApiLoggingRole",
            assume_role_policy_document=trust("apigateway.amazonaws.com"),
            managed_policy_arns=[managed],
        )
        account = apigateway.CfnAccount(self.stack, "ApiLoggingAccount", cloud_watch_role_arn=role.attr_arn)
        for resource in (role, account):
            resource.cfn_options.condition = create
            resource.apply_removal_policy(RemovalPolicy.RETAIN)
        return account
