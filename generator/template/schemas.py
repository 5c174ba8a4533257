"""Read from cfn-lint's resource schemas which changes replace a resource, and which lists have no order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from generator.template.intrinsics import SAM

REGION = "us-east-1"
"""The Region with all resource types. Which change replaces a resource is the same in every Region."""

ALWAYS_CERTAIN = {
    "AWS::DynamoDB::Table": ("/properties/KeySchema", "/properties/LocalSecondaryIndexes"),
    "AWS::Route53::RecordSet": ("/properties/Name",),
}
"""By type: properties whose change replaces the resource, which the schema does not state.

Sources: DynamoDB API reference, UpdateTable, which takes neither KeySchema nor LocalSecondaryIndexes; CloudFormation
resource specification, AWS::Route53::RecordSet, Name: "UpdateType": "Immutable".
"""

WITHOUT_ORDER = (
    *("DependsOn", "AttributeDefinitions", "GlobalSecondaryIndexes", "NonKeyAttributes"),
    *("SecurityGroupIds", "SecurityGroups", "VpcSecurityGroupIds", "SubnetIds", "Subnets"),
    *("AlarmActions", "OKActions", "InsufficientDataActions"),
    *("Roles", "Users", "Groups", "ManagedPolicyArns"),
)
"""Lists without an order, which no schema states."""

MADE_BY_SAM = {
    "AWS::Serverless::Function": ("AWS::Lambda::Function", {}),
    "AWS::Serverless::SimpleTable": ("AWS::DynamoDB::Table", {"KeySchema": "PrimaryKey"}),
    "AWS::Serverless::Api": ("AWS::ApiGateway::Stage", {}),
    "AWS::Serverless::HttpApi": ("AWS::ApiGatewayV2::Stage", {}),
    "AWS::Serverless::LayerVersion": ("AWS::Lambda::LayerVersion", {"Content": "ContentUri"}),
    "AWS::Serverless::StateMachine": (
        "AWS::StepFunctions::StateMachine",
        {
            "StateMachineName": "Name",
            "StateMachineType": "Type",
            "RoleArn": "Role",
            "LoggingConfiguration": "Logging",
            "TracingConfiguration": "Tracing",
        },
    ),
}
"""By type of SAM: the type that SAM generates, and those of its properties that SAM names differently.

No schema states which changes replace a resource of SAM. An API itself is never replaced, but its stage is. Source: AWS
SAM, "Generated resources".
"""

STEP = re.compile(r"""\["((?:[^"\\]|\\.)*)"\]|\[\d+\]|([^.\[]+)""")
"""The steps of a path such as Properties.Tags["team/name"] or Properties.KeySchema[0]."""

TYPED = {
    **dict.fromkeys(("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api"), "Body"),
    **dict.fromkeys(("AWS::Serverless::Api", "AWS::Serverless::HttpApi"), "DefinitionBody"),
    **dict.fromkeys(("AWS::StepFunctions::StateMachine", "AWS::Serverless::StateMachine"), "Definition"),
    **dict.fromkeys(("AWS::Events::Rule", "AWS::Events::Archive"), "EventPattern"),
    **dict.fromkeys(("AWS::ApiGateway::Model", "AWS::ApiGatewayV2::Model"), "Schema"),
    "AWS::SNS::Subscription": "FilterPolicy",
    "AWS::SSM::Document": "Content",
}
"""By type: a property whose JSON has a language of its own, in which 1 and "1" differ."""

UNKNOWN = ("Custom::", "AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Stack", SAM)
"""Prefixes of types whose schema does not state what replaces them, because a function, a template or SAM decides."""


class Certainty(StrEnum):
    """The certainty that something happens to a resource."""

    NONE = "none"
    POSSIBLE = "possible"
    CERTAIN = "certain"

    @property
    def rank(self) -> int:
        """The position in this order."""
        return [*Certainty].index(self)


def worst(certainties: Iterable[Certainty]) -> Certainty:
    """Return the highest certainty; NONE without any. Stops at one that is CERTAIN."""
    return _first_extreme(certainties, Certainty.CERTAIN, Certainty.NONE)


def least(certainties: Iterable[Certainty]) -> Certainty:
    """Return the lowest certainty; CERTAIN without any. Stops at one that is NONE."""
    return _first_extreme(certainties, Certainty.NONE, Certainty.CERTAIN)


def _first_extreme(certainties: Iterable[Certainty], extreme: Certainty, otherwise: Certainty) -> Certainty:
    for certainty in certainties:
        if certainty == extreme:
            return certainty
        if certainty == Certainty.POSSIBLE:
            otherwise = certainty
    return otherwise


@dataclass(frozen=True, slots=True)
class Schema:
    """The effects of changes to a resource type. A pointer is like /properties/KeySchema, with `*` for any list item.

    `certain` and `possible` are the properties whose change replaces, or may replace, the resource. Any property of an
    unknown type is among the possible ones.
    """

    certain: tuple[str, ...]
    possible: tuple[str, ...]
    unordered: frozenset[str]
    known: bool = True

    def replacement(self, path: str) -> Certainty:
        """Return how certain it is that a change at this path replaces the resource.

        A path is like Properties.KeySchema[0].AttributeName.
        """
        if any(_touches(path, pointer) for pointer in self.certain):
            return Certainty.CERTAIN
        return Certainty.POSSIBLE if any(_touches(path, pointer) for pointer in self.possible) else Certainty.NONE


@cache
def schema(kind: str) -> Schema:
    """Return the schema of a resource type."""
    generated, names = MADE_BY_SAM.get(kind, (kind, {}))
    content, declared = _content(generated), _content(kind)
    is_known = bool(content) and not generated.startswith(UNKNOWN)
    pointers = [*content.get("createOnlyProperties", ()), *ALWAYS_CERTAIN.get(generated, ())]
    return Schema(
        certain=tuple(_renamed(pointer, names) for pointer in pointers),
        possible=tuple(content.get("conditionalCreateOnlyProperties", ())) if is_known else ("/properties",),
        unordered=frozenset((*_unordered(content), *_unordered(declared))).union(WITHOUT_ORDER),
        known=is_known,
    )


def _content(kind: str) -> Mapping[str, Any]:
    from cfnlint.schema import ResourceNotFoundError
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    try:
        content: Mapping[str, Any] = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    except ResourceNotFoundError:
        return {}
    return content


def _renamed(pointer: str, names: Mapping[str, str]) -> str:
    _, properties, name, *rest = pointer.split("/")
    return "/".join(("", properties, names.get(name, name), *rest))


def _touches(path: str, pointer: str) -> bool:
    """Return whether a path is at the pointer, inside it or around it."""
    mine = [_step(*step) for step in STEP.findall(path)]
    theirs = pointer.removeprefix("/").split("/")
    if mine[:1] != ["Properties"] or theirs[0] != "properties":
        return False
    return all(a == b or "*" in (a, b) for a, b in zip(mine[1:], theirs[1:], strict=False))


def _step(quoted: str, key: str) -> str:
    """Return one step of a path: a key, or `*` for the number of a list item."""
    return key or (json.loads(f'"{quoted}"') if quoted else "*")


def _unordered(content: Any) -> Iterator[str]:
    for key, inner in content.items() if isinstance(content, Mapping) else ():
        if isinstance(inner, Mapping) and inner.get("insertionOrder") is False:
            yield key
        yield from _unordered(inner)
