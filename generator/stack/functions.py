"""The four functions, each with its own role and log group."""

from __future__ import annotations

from troposphere import AWSObject, Join, Ref
from troposphere.awslambda import Code, Function, LoggingConfig, TracingConfig
from troposphere.awslambda import Environment as Variables
from troposphere.iam import Role
from troposphere.logs import LogGroup

from generator import environment as schema
from generator.environment import Environment
from generator.sizing import Sizing
from generator.stack import names, permissions
from generator.stack.code import shipped_lines

RUNTIME = "python3.13"


def resources(environment: Environment, sizing: Sizing) -> list[AWSObject]:
    """Function, role and log group, four times."""
    settings = environment.functions
    retention_s = environment.retention.price_history_days * 86_400
    prices = {"TABLE": Ref(names.PRICE_HISTORY_TABLE), "RETENTION_S": str(retention_s)}
    alerts = {"TABLE": Ref(names.PRICE_ALERTS_TABLE)}
    process, check, send, cleanup = names.FUNCTIONS
    parts = (
        (
            process,
            "process_webhook",
            settings.process_webhook,
            {**prices, "SECRET": Ref(names.SIGNING_SECRET)},
        ),
        (check, "check_alerts", settings.check_alerts, {**alerts, "TOPIC": Ref(names.NOTIFICATION_TOPIC)}),
        (send, "send_notification", settings.send_notification, alerts),
        (cleanup, "cleanup_history", settings.cleanup_history, prices),
    )
    return [
        resource
        for name, handler, setting, variables in parts
        for resource in (
            _function(name, handler, setting, variables, sizing[name].reserved_concurrency),
            _role(name),
            log_group(names.log_group(name), environment),
        )
    ]


def log_group(logical_id: str, environment: Environment) -> LogGroup:
    """An encrypted log group that forgets. Without one of our own, Lambda would make one that keeps everything."""
    return LogGroup(logical_id, KmsKeyId=names.arn(names.KEY), RetentionInDays=environment.retention.log_days)


def _function(
    name: str, handler: str, setting: schema.Function, variables: dict[str, object], reserved: int | None
) -> Function:
    reservation = {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
    return Function(
        name,
        Architectures=["arm64"],
        Code=Code(ZipFile=Join("\n", list(shipped_lines(handler)))),
        Environment=Variables(Variables=variables),
        Handler="index.handler",
        KmsKeyArn=names.arn(names.KEY),
        LoggingConfig=LoggingConfig(LogGroup=Ref(names.log_group(name))),
        MemorySize=setting.memory_mb,
        Role=names.arn(names.role(name)),
        Runtime=RUNTIME,
        Timeout=setting.timeout_s,
        TracingConfig=TracingConfig(Mode="Active"),
        **reservation,
    )


def _role(name: str) -> Role:
    return Role(
        names.role(name),
        AssumeRolePolicyDocument=permissions.trust("lambda.amazonaws.com"),
        Policies=[permissions.policy(*permissions.statements_of(name))],
    )
