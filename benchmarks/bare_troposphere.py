"""The prod stack as a plain troposphere script: what somebody would write who needs this one template and no figures.

It imports nothing of the generator and reads only the sources of its handlers. Figures are numbers in the code,
policies are plain dicts, handlers go in as they are. The JSON has no line breaks, which keeps it
below CloudFormation's 51,200 bytes. Run: python benchmarks/bare_troposphere.py > prod.json
"""

from __future__ import annotations

from bare import api, functions, messaging, monitoring, storage
from troposphere import Equals, Output, Parameter, Ref, Sub, Template


def template() -> Template:
    """The stack, part by part."""
    stack = Template("Serverless cryptocurrency price alert system (prod)")
    stack.set_version("2010-09-09")
    stack.add_parameter(
        Parameter(
            "EnvironmentSuffix",
            Type="String",
            Default="prod",
            AllowedPattern="[a-z][a-z0-9-]*",
            Description="Tells this environment's API from others",
        )
    )
    stack.add_parameter(
        Parameter(
            "ApiLogging",
            Type="String",
            Default="existing",
            AllowedValues=["existing", "create"],
            Description="API Gateway's logging role, one per account and Region",
        )
    )
    stack.add_condition("CreateApiLogging", Equals(Ref("ApiLogging"), "create"))
    for part in (api, functions, storage, messaging, monitoring):
        stack.add_resource(part.resources())
    add_outputs(stack)
    return stack


def add_outputs(stack: Template) -> None:
    """What senders and operators need to know."""
    url = Sub("https://${WebhookApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v1/webhooks")
    stack.add_output(
        [
            Output("WebhookUrl", Description="Where senders POST their signed webhooks", Value=url),
            Output("WebhookApiKeyId", Description="Id of the API key that senders present", Value=Ref("WebhookApiKey")),
            Output("SigningSecretArn", Description="Secret that senders sign with", Value=Ref("SigningSecret")),
            Output("PriceHistoryTableName", Description="Table of prices", Value=Ref("PriceHistoryTable")),
            Output("PriceAlertsTableName", Description="Table of alerts", Value=Ref("PriceAlertsTable")),
            Output("NotificationTopicArn", Description="Topic of fired alerts", Value=Ref("NotificationTopic")),
            Output("OperationsTopicArn", Description="Topic of alarms: subscribe here", Value=Ref("OperationsTopic")),
        ]
    )


if __name__ == "__main__":
    print(template().to_json(indent=None))
