"""Find the resources of a template that other resources refer to, and the types that are read."""

from __future__ import annotations

from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import Json

MALFORMED = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
"""What reading raises if a value does not have the shape that CloudFormation requires."""

FUNCTION = "AWS::Lambda::Function"
ALIAS, VERSION = "AWS::Lambda::Alias", "AWS::Lambda::Version"
TABLE = "AWS::DynamoDB::Table"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"

SERVICES = ("AWS::Lambda::", "AWS::Serverless::", "AWS::Scheduler::", "AWS::Events::", "AWS::ApiGatewayV2::")
"""Services whose resources are either simulated or listed as not simulated."""

NOT_LISTED = ("AWS::Lambda::Permission", INVOKE_CONFIG, "AWS::Lambda::LayerVersion")
"""Resources of `SERVICES` that are read together with another resource, or that do not change a simulation."""


def functions_in(template: Evaluator, value: Json) -> set[str]:
    """Return the functions that a value refers to, also by their aliases and versions."""
    found = template.references(value)
    for qualifier in found & {*template.ids(ALIAS, VERSION)}:
        found |= template.references(template.properties(qualifier).get("FunctionName"))
    return found & {*template.ids(FUNCTION)}


def single(found: set[str], what: str) -> str:
    """Return the only element. Raises Unknown if there is none, or more than one."""
    if len(found) != 1:
        raise Unknown(f"{what} should be one resource of this template, not {len(found)}")
    return next(iter(found))
