"""The four functions, each with its own role and log group."""

from __future__ import annotations

from troposphere import AWSObject, Join, Ref
from troposphere.awslambda import Code, Function, LoggingConfig, TracingConfig
from troposphere.awslambda import Environment as Variables
from troposphere.iam import Role
from troposphere.logs import LogGroup

from generator.capacity.sizing import (
    CHECK_ALERTS,
    CLEANUP_HISTORY,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    SETTINGS,
    Sizing,
)
from generator.config.schema import Environment
from generator.stack import names, permissions
from generator.stack.code import shipped_lines

RUNTIME = "python3.13"


def resources(environment: Environment, sizing: Sizing) -> list[AWSObject]:
    """Function, role and log group, four times."""
    found: list[AWSObject] = []
    for name in SETTINGS:
        found += [
            _function(name, environment, sizing[name].reserved_concurrency),
            _role(name),
            log_group(names.log_group(name), environment.retention.log_days),
        ]
    return found


def log_group(logical_id: str, log_days: int) -> LogGroup:
    """An encrypted log group that forgets. Without one of our own, Lambda would make one that keeps everything."""
    return LogGroup(logical_id, KmsKeyId=names.arn(names.KEY), RetentionInDays=log_days)


def _function(name: str, environment: Environment, reserved: int | None) -> Function:
    settings = getattr(environment.functions, SETTINGS[name])
    reservation = {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
    return Function(
        name,
        Architectures=["arm64"],
        Code=Code(ZipFile=Join("\n", list(shipped_lines(SETTINGS[name])))),
        Environment=Variables(Variables=_variables(name, environment.retention.price_history_days)),
        Handler="index.handler",
        KmsKeyArn=names.arn(names.KEY),
        LoggingConfig=LoggingConfig(LogGroup=Ref(names.log_group(name))),
        MemorySize=settings.memory_mb,
        Role=names.arn(names.role(name)),
        Runtime=RUNTIME,
        Timeout=settings.timeout_s,
        TracingConfig=TracingConfig(Mode="Active"),
        **reservation,
    )


def _variables(name: str, price_history_days: int) -> dict[str, object]:
    """What the handler reads from its environment."""
    prices = {"TABLE": Ref(names.PRICE_HISTORY_TABLE), "RETENTION_S": str(price_history_days * 86_400)}
    alerts = {"TABLE": Ref(names.PRICE_ALERTS_TABLE)}
    of_each: dict[str, dict[str, object]] = {
        PROCESS_WEBHOOK: {**prices, "SECRET": Ref(names.SIGNING_SECRET)},
        CHECK_ALERTS: {**alerts, "TOPIC": Ref(names.NOTIFICATION_TOPIC)},
        SEND_NOTIFICATION: {**alerts},
        CLEANUP_HISTORY: {**prices},
    }
    return of_each[name]


def _role(name: str) -> Role:
    return Role(
        names.role(name),
        AssumeRolePolicyDocument=permissions.trust("lambda.amazonaws.com"),
        Policies=[permissions.policy(*permissions.statements_of(name))],
    )
