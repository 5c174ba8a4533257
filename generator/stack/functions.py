"""The four functions, each with its code, role and log group."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from troposphere import AWSObject, Join, Ref, Sub
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
from generator.config.senders import DEFAULT_HEADER
from generator.stack import names, permissions

RUNTIME = "python3.13"
HANDLERS = Path(__file__).parent / "handlers"
DOCSTRING_QUOTES = '"""'


def resources(environment: Environment, sizing: Sizing) -> list[AWSObject]:
    """Return each function with its role and log group."""
    resources_: list[AWSObject] = []
    for name in SETTINGS:
        resources_ += [
            _function(name, environment, sizing[name].reserved_concurrency),
            Role(
                names.role(name),
                AssumeRolePolicyDocument=permissions.trust("lambda.amazonaws.com"),
                Policies=[permissions.policy(*permissions.statements_of(name, environment.paths))],
            ),
            log_group(names.log_group(name), environment.retention.log_days),
        ]
    return resources_


def log_group(logical_id: str, log_days: int) -> LogGroup:
    """Return an encrypted log group with limited retention. Lambda would create one that keeps everything."""
    return LogGroup(logical_id, KmsKeyId=names.arn(names.KEY), RetentionInDays=log_days)


@cache
def shipped_lines(handler: str) -> tuple[str, ...]:
    """Return the lines of a handler's source that the template contains.

    They leave out docstrings, comment lines and blank lines, and halve the indentation, so that the
    template stays below the size that CloudFormation accepts without an upload bucket. The code itself is unchanged,
    and a changed line of it changes one line of the template. Strings over several lines must be docstrings in double
    quotes.
    """
    source = (HANDLERS / f"{handler}.py").read_text(encoding="utf-8")
    return tuple(_shipped(source.splitlines()))


def code(name: str, environment: Environment) -> list[str]:
    """Return the lines of a function's code: its handler, and the parts for the schemes that the environment uses.

    The parts continue the handler's file, so they need neither its imports again nor imports of one another.
    """
    lines = list(shipped_lines(SETTINGS[name]))
    if name == PROCESS_WEBHOOK and environment.paths:
        for part in ("sources", *sorted({source.scheme for source in environment.paths})):
            part_lines = [line for line in shipped_lines(f"webhook_{part}") if not line.startswith("from generator.")]
            lines += [line for line in part_lines if line not in lines or not line.startswith(("import ", "from "))]
    return lines


def _function(name: str, environment: Environment, reserved: int | None) -> Function:
    settings = getattr(environment.functions, SETTINGS[name])
    reservation = {} if reserved is None else {"ReservedConcurrentExecutions": reserved}
    return Function(
        name,
        Architectures=["arm64"],
        Code=Code(ZipFile=Join("\n", code(name, environment))),
        Environment=Variables(Variables=_variables(name, environment)),
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


def _variables(name: str, environment: Environment) -> dict[str, object]:
    traffic, retention_s = environment.traffic, environment.retention.price_history_days * 86_400
    prices = {"TABLE": Ref(names.PRICE_HISTORY_TABLE), "RETENTION_S": str(retention_s)}
    alerts = {"TABLE": Ref(names.PRICE_ALERTS_TABLE)}
    by_function: dict[str, dict[str, object]] = {
        PROCESS_WEBHOOK: {
            **prices,
            "SECRET": Ref(names.SIGNING_SECRET),
            "MAX_PRICE_AGE_S": str(traffic.max_price_age_s),
        },
        CHECK_ALERTS: {**alerts, "TOPIC": Ref(names.NOTIFICATION_TOPIC)},
        SEND_NOTIFICATION: {**alerts, "MAX_AGE_S": str(traffic.max_notification_age_s)},
        CLEANUP_HISTORY: {**prices, "ALERTS": Ref(names.PRICE_ALERTS_TABLE)},
    }
    if environment.paths:
        sources = (
            (source.name, source.scheme, f"${{{names.source(source.name, 'Secret')}}}", source.header or DEFAULT_HEADER)
            for source in environment.paths
        )
        by_function[PROCESS_WEBHOOK]["SOURCES"] = Sub("\n".join(map(" ".join, sources)))
    return by_function[name]


def _shipped(lines: list[str]) -> Iterator[str]:
    """Yield the lines of code. Parsing them with `ast` instead would take longer than composing the whole stack."""
    inside = False
    for line in lines:
        text = line.strip()
        if inside or text.startswith(DOCSTRING_QUOTES):
            is_closed = text.endswith(DOCSTRING_QUOTES) and (inside or len(text) >= 2 * len(DOCSTRING_QUOTES))
            inside = not is_closed
        elif text and not text.startswith("#"):
            yield " " * ((len(line) - len(line.lstrip())) // 2) + text
