"""The prod stack in the AWS CDK for Python, with L1 constructs: one Cfn* construct for each resource of the template.

L2 constructs would add policies, permissions and log retention of their own choice, so the stack would not be the same.
Run: python app.py OUTDIR [unvalidated|lean]. Unvalidated is without the built-in validation of templates and
constructs; lean has everything off that can be turned off: analytics, tree metadata, stack traces, and the rule that
looks for a bootstrapped account as well.
"""

from __future__ import annotations

import sys

import api
import functions
import messaging
import monitoring
import storage
from aws_cdk import App, CfnCondition, CfnOutput, CfnParameter, DefaultStackSynthesizer, Fn, Stack
from constructs import Construct


class PriceAlerts(Stack):
    """Everything, part by part."""

    def __init__(self, scope: Construct, id: str, **options: object) -> None:
        super().__init__(scope, id, description="Serverless cryptocurrency price alert system (prod)", **options)
        CfnParameter(
            self,
            "EnvironmentSuffix",
            type="String",
            default="prod",
            allowed_pattern="[a-z][a-z0-9-]*",
            description="Tells this environment's API from others",
        )
        logging = CfnParameter(
            self,
            "ApiLogging",
            type="String",
            default="existing",
            allowed_values=["existing", "create"],
            description="API Gateway's logging role, one per account and Region",
        )
        create = CfnCondition(
            self, "CreateApiLogging", expression=Fn.condition_equals(logging.value_as_string, "create")
        )
        stored = storage.Storage(self)
        channels = messaging.Channels(self, stored.key)
        lambdas = functions.Functions(self, stored, channels)
        channels.subscribe(self, lambdas.send)
        gateway = api.Gateway(self, stored.key, lambdas.process, create)
        monitoring.alarms(self, stored, channels, lambdas)
        monitoring.dashboard(self)
        self._outputs(stored, channels, gateway)

    def _outputs(self, stored: storage.Storage, channels: messaging.Channels, gateway: api.Gateway) -> None:
        url = Fn.sub("https://${WebhookApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v1/webhooks")
        for name, description, value in (
            ("WebhookUrl", "Where senders POST their signed webhooks", url),
            ("WebhookApiKeyId", "Id of the API key that senders present", gateway.key.ref),
            ("SigningSecretArn", "Secret that senders sign with", stored.secret.ref),
            ("PriceHistoryTableName", "Table of prices", stored.history.ref),
            ("PriceAlertsTableName", "Table of alerts", stored.alerts.ref),
            ("NotificationTopicArn", "Topic of fired alerts", channels.notifications.ref),
            ("OperationsTopicArn", "Topic of alarms: subscribe here", channels.operations.ref),
        ):
            CfnOutput(self, name, description=description, value=value)


def main() -> None:
    """Writes PriceAlerts.template.json to the folder."""
    outdir, *mode = sys.argv[1:]
    if mode == ["lean"]:
        app = App(
            outdir=outdir,
            analytics_reporting=False,
            builtin_cloud_formation_validation=False,
            performance_reporting=False,
            stack_traces=False,
            tree_metadata=False,
        )
        synthesizer = DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
        PriceAlerts(app, "PriceAlerts", synthesizer=synthesizer, analytics_reporting=False)
        app.synth(skip_validation=True)
    elif mode == ["unvalidated"]:
        app = App(outdir=outdir, builtin_cloud_formation_validation=False)
        PriceAlerts(app, "PriceAlerts")
        app.synth(skip_validation=True)
    else:
        app = App(outdir=outdir)
        PriceAlerts(app, "PriceAlerts")
        app.synth()


if __name__ == "__main__":
    main()
