"""Joins the parts into one template, in the order in which a webhook meets them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from typing import Any

from troposphere import AWSObject, Output, Parameter, Ref, Sub, Template, encode_to_dict

from generator.capacity.sizing import Sizing
from generator.config.schema import Environment
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
from generator.stack.part import Part


def compose(environment: Environment, sizing: Sizing) -> Template:
    """The whole stack as a troposphere Template, to be added to or rendered.

    Every figure comes from the environment or the sizing; nothing is decided here, and the account is not looked at.
    """
    template = _frame(environment, sizing)
    for make, arguments in _parts(environment, sizing):
        for resource in make(*arguments):
            template.add_resource(resource)
    return template


def body(environment: Environment, sizing: Sizing) -> dict[str, Any]:
    """What `compose(...).to_dict()` is, to be read only: environments share the resources that are equal in them."""
    template: dict[str, Any] = _frame(environment, sizing).to_dict()
    resources = (_as_dicts(*part) for part in _parts(environment, sizing))
    return {**template, "Resources": {title: one for some in resources for title, one in some.items()}}


@lru_cache(maxsize=1024)
def _as_dicts(make: Callable[..., Iterable[AWSObject]], arguments: tuple[Hashable, ...]) -> dict[str, Any]:
    """With room for some hundred environments; a part of one is a few kilobytes."""
    return {resource.title: encode_to_dict(resource) for resource in make(*arguments)}


def _parts(environment: Environment, sizing: Sizing) -> list[Part]:
    return [
        *ingest.parts(environment, sizing),
        *functions.parts(environment, sizing),
        *tables.parts(environment, sizing),
        *stream.parts(environment, sizing),
        *notification.parts(environment, sizing),
        (schedule.resources, ()),
        (queues.resources, ()),
        (key.resources, ()),
        (secret.resources, ()),
        *alarms.parts(environment, sizing),
        (dashboard.resources, ()),
    ]


def _frame(environment: Environment, sizing: Sizing) -> Template:
    """Everything but the resources."""
    template = Template(
        Description=f"{names.DESCRIPTION} ({environment.name}): "
        f"{sizing.webhooks_per_hour:,} webhooks per hour, {sizing.total_reserved} reserved concurrent executions"
    )
    for parameter in _parameters(environment):
        template.add_parameter(parameter)
    template.add_condition(names.CREATE_API_LOGGING, ingest.create_api_logging())
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
