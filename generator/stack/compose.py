"""Joins the parts into one template, in the order in which a webhook meets them."""

from __future__ import annotations

from troposphere import Output, Parameter, Ref, Sub, Template

from generator.environment import Environment
from generator.sizing import Sizing
from generator.stack import (
    alarms,
    dashboard,
    functions,
    ingest,
    key,
    names,
    notification,
    queues,
    schedule,
    secret,
    stream,
    tables,
)


def compose(environment: Environment, sizing: Sizing) -> Template:
    """The whole stack as a troposphere Template, to be added to or rendered.

    Every figure comes from the environment or the sizing; nothing is decided here, and the account is not looked at.
    """
    template = Template(
        Description=f"Serverless cryptocurrency price alert system ({environment.name}): "
        f"{sizing.webhooks_per_hour:,} webhooks per hour, {sizing.total_reserved} reserved concurrent executions"
    )
    for parameter in _parameters(environment):
        template.add_parameter(parameter)
    template.add_condition(names.CREATE_API_LOGGING, ingest.create_api_logging())
    for resource in (
        *ingest.resources(environment, sizing),
        *functions.resources(environment, sizing),
        *tables.resources(environment),
        *stream.resources(environment, sizing),
        *notification.resources(environment),
        *schedule.resources(),
        *queues.resources(),
        *key.resources(),
        *secret.resources(),
        *alarms.resources(environment, sizing),
        *dashboard.resources(),
    ):
        template.add_resource(resource)
    for output in _outputs():
        template.add_output(output)
    return template


def _parameters(environment: Environment) -> list[Parameter]:
    return [
        Parameter(
            names.ENVIRONMENT_SUFFIX,
            Type="String",
            Default=environment.name,
            AllowedPattern="[a-z][a-z0-9-]*",
            Description="Tells this environment's API from others",
        ),
        Parameter(
            names.API_LOGGING,
            Type="String",
            Default=environment.operations.api_logging_role,
            AllowedValues=["existing", "create"],
            Description="API Gateway's logging role, one per account and Region",
        ),
    ]


def _outputs() -> list[Output]:
    url = f"https://${{{names.API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{ingest.STAGE_NAME}/webhooks"
    return [
        Output("WebhookUrl", Description="Where senders POST their signed webhooks", Value=Sub(url)),
        Output("WebhookApiKeyId", Description="Id of the API key that senders present", Value=Ref(names.API_KEY)),
        Output("SigningSecretArn", Description="Secret that senders sign with", Value=Ref(names.SIGNING_SECRET)),
        Output("PriceHistoryTableName", Description="Table of prices", Value=Ref(names.PRICE_HISTORY_TABLE)),
        Output("PriceAlertsTableName", Description="Table of alerts", Value=Ref(names.PRICE_ALERTS_TABLE)),
        Output("NotificationTopicArn", Description="Topic of fired alerts", Value=Ref(names.NOTIFICATION_TOPIC)),
        Output("OperationsTopicArn", Description="Topic of alarms: subscribe here", Value=Ref(names.OPERATIONS_TOPIC)),
    ]
