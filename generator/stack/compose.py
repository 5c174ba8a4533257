"""Join the parts of the stack into one template, in the order in which a webhook passes through them."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import Output, Parameter, Ref, Sub, Template

from generator.capacity.sizing import Sizing
from generator.config.schema import Environment
from generator.config.sources import WebhookSource
from generator.stack import api, encryption, events, functions, monitoring, names, tables


def compose(environment: Environment, sizing: Sizing) -> Template:
    """Return the whole stack as a troposphere Template.

    Every figure comes from the environment or the sizing; this function makes no decisions and does not query AWS.
    """
    template = Template(
        Description=f"{names.DESCRIPTION} ({environment.name}): "
        f"{sizing.webhooks_per_hour:,} webhooks per hour, {sizing.total_reserved} reserved concurrent executions"
    )
    template.add_parameter(_parameters(environment))
    template.add_resource(api.resources(environment, sizing.usage_plan))
    template.add_resource(functions.resources(environment, sizing))
    template.add_resource(tables.resources(environment.operations.deletion_protection))
    template.add_resource(events.resources(environment, sizing))
    template.add_resource(encryption.resources(environment.operations.deletion_protection, environment.paths))
    template.add_resource(monitoring.resources(environment, sizing))
    template.add_output([*_outputs(), *_source_outputs(environment.paths)])
    return template


def _parameters(environment: Environment) -> list[Parameter]:
    return [
        Parameter(
            names.ENVIRONMENT_SUFFIX,
            Type="String",
            Default=environment.name,
            AllowedPattern="[a-z][a-z0-9-]*",
            Description="Suffix of the name of the API",
        ),
    ]


def _outputs() -> list[Output]:
    url = f"https://${{{names.API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{api.STAGE_NAME}/webhooks"
    return [
        Output("WebhookUrl", Description="URL to which senders POST signed webhooks", Value=Sub(url)),
        Output("WebhookApiKeyId", Description="ID of the API key that senders use", Value=Ref(names.API_KEY)),
        Output("SigningSecretArn", Description="Secret with which senders sign", Value=Ref(names.SIGNING_SECRET)),
        Output("PriceHistoryTableName", Description="Table with the prices", Value=Ref(names.PRICE_HISTORY_TABLE)),
        Output("PriceAlertsTableName", Description="Table with the alerts", Value=Ref(names.PRICE_ALERTS_TABLE)),
        Output(
            "NotificationTopicArn",
            Description="Topic for fired alerts",
            Value=Ref(names.NOTIFICATION_TOPIC),
        ),
        Output(
            "OperationsTopicArn",
            Description="Topic for alarms: subscribe here",
            Value=Ref(names.OPERATIONS_TOPIC),
        ),
    ]


def _source_outputs(sources: Sequence[WebhookSource]) -> list[Output]:
    return [
        Output(
            names.source(source.name, "SecretArn"),
            Description=f"Secret of POST /webhooks/{source.name}",
            Value=Ref(names.source_secret(source.name)),
        )
        for source in sources
    ]
