"""Join the parts of the stack into one template, in the order in which a webhook passes through them."""

from __future__ import annotations

from collections.abc import Sequence

from troposphere import Output, Parameter, Ref, Sub, Template

from generator.capacity.sizing import Sizing
from generator.config.schema import Environment
from generator.config.senders import WebhookSource
from generator.stack import api, encryption, events, functions, monitoring, names, tables


def compose(environment: Environment, sizing: Sizing) -> Template:
    """Return the whole stack as a troposphere Template.

    Every figure comes from the environment or the sizing; this function makes no decisions and does not query AWS.
    """
    return compose_with_reasons(environment, sizing)[0]


def compose_with_reasons(environment: Environment, sizing: Sizing) -> tuple[Template, dict[str, str]]:
    """Return the whole stack, and the reason for the threshold of each alarm by its logical id."""
    template = Template(
        Description=f"{names.DESCRIPTION} ({environment.name}): "
        f"{sizing.webhooks_per_hour:,} webhooks per hour, {sizing.total_reserved} reserved concurrent executions"
    )
    template.add_parameter(
        Parameter(
            names.ENVIRONMENT_SUFFIX,
            Type="String",
            Default=environment.name,
            AllowedPattern="[a-z][a-z0-9-]*",
            Description="Suffix of the name of the API",
        )
    )
    template.add_resource(api.resources(environment, sizing.usage_plan))
    template.add_resource(functions.resources(environment, sizing))
    template.add_resource(tables.resources(environment.operations.deletion_protection))
    template.add_resource(events.resources(environment, sizing))
    template.add_resource(encryption.resources(environment.operations.deletion_protection, environment.paths))
    alarms, reasons = monitoring.resources(environment, sizing)
    template.add_resource(alarms)
    template.add_output(_outputs(environment.paths))
    return template, reasons


def _outputs(sources: Sequence[WebhookSource]) -> list[Output]:
    url = f"https://${{{names.API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/{api.STAGE_NAME}/webhooks"
    references = (
        ("WebhookApiKeyId", "ID of the API key that senders use", names.API_KEY),
        ("SigningSecretArn", "Secret with which senders sign", names.SIGNING_SECRET),
        ("PriceHistoryTableName", "Table with the prices", names.PRICE_HISTORY_TABLE),
        ("PriceAlertsTableName", "Table with the alerts", names.PRICE_ALERTS_TABLE),
        ("NotificationTopicArn", "Topic for fired alerts", names.NOTIFICATION_TOPIC),
        ("OperationsTopicArn", "Topic for alarms: subscribe here", names.OPERATIONS_TOPIC),
        *(
            (names.source(name, "SecretArn"), f"Secret of POST /webhooks/{name}", names.source(name, "Secret"))
            for name in (source.name for source in sources)
        ),
    )
    return [
        Output("WebhookUrl", Description="URL to which senders POST signed webhooks", Value=Sub(url)),
        *(Output(title, Description=what, Value=Ref(resource)) for title, what, resource in references),
    ]
