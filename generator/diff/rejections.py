"""Find updates that CloudFormation refuses or that have no effect, which no resource schema states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

from generator.diff.equality import DeploymentComparison
from generator.diff.model import Change, Resource
from generator.diff.properties import same
from generator.diff.redefinitions import Pair
from generator.template.dependencies import names
from generator.template.evaluation import one_deployment
from generator.template.intrinsics import NO_VALUE, Json, as_mapping, canonical, text
from generator.template.model import Section, Template
from generator.template.schemas import MADE_BY_SAM, Certainty, least, schema, worst

COGNITO = "Cognito cannot change {0} of an existing user pool: create a new pool under another logical id"
KMS = "KMS cannot change {0} of an existing key: create a new key under another logical id"
SCHEDULER = (
    "EventBridge Scheduler looks for the schedule in the group that {0} names and does not find it: create it under "
    "another logical id and name"
)
REFUSED: Mapping[str, Mapping[str, tuple[str, Json]]] = {
    "AWS::Cognito::UserPool": {
        "UsernameAttributes": (COGNITO, []),
        "AliasAttributes": (COGNITO, []),
        "UsernameConfiguration": (COGNITO, None),
    },
    "AWS::KMS::Key": {
        "KeySpec": (KMS, "SYMMETRIC_DEFAULT"),
        "KeyUsage": (KMS, "ENCRYPT_DECRYPT"),
        "Origin": (KMS, "AWS_KMS"),
        "MultiRegion": (KMS, False),
    },
    "AWS::Scheduler::Schedule": {"GroupName": (SCHEDULER, "default")},
}
"""By type and property: the reason why CloudFormation refuses a change, and the value of an absent property.

Sources: Cognito API reference, UpdateUserPool, which takes none of these; KMS API reference, UpdateKeyDescription,
which is all that can be updated, and CloudFormation template reference, AWS::KMS::Key: "the update request fails";
https://github.com/aws/aws-cdk/issues/34216 for schedules. Defaults: KMS API reference, CreateKey; EventBridge Scheduler
API reference, CreateSchedule: "If you omit this, the default schedule group is used".
"""

Reason = tuple[Certainty, str]
"""The reason why CloudFormation refuses an update, and how certain it is that it does."""

NAMES = {
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::DynamoDB::Table": "TableName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Name",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::KMS::Alias": "AliasName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::RDS::DBInstance": "DBInstanceIdentifier",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SecretsManager::Secret": "Name",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}
"""By type: the property with a resource's name, which must be unique in an account and Region.

Source: CloudFormation template reference, "Name type".
"""


class Family(NamedTuple):
    """The types of API Gateway that take effect on a stage only with a new deployment."""

    api: str
    api_key: str
    """The property with the API, of its parts and its deployment."""
    of_api: tuple[str, ...]
    """The properties of the API itself that take effect with a deployment."""
    parts: tuple[str, ...]


FAMILIES = {
    "AWS::ApiGateway": Family(
        "RestApi",
        "RestApiId",
        ("Body", "Policy", "BinaryMediaTypes", "MinimumCompressionSize", "Parameters"),
        ("Resource", "Method", "Model", "Authorizer", "RequestValidator", "GatewayResponse"),
    ),
    "AWS::ApiGatewayV2": Family(
        "Api",
        "ApiId",
        ("Body", "RouteSelectionExpression"),
        ("Route", "RouteResponse", "Integration", "IntegrationResponse", "Authorizer", "Model"),
    ),
}
"""By the beginning of their types: what a deployment deploys.

Sources: API Gateway Developer Guide, "Deploy REST APIs in API Gateway", "Stages for HTTP APIs in API Gateway" ("If you
enable automatic deployments, changes to an API are automatically released for you") and "Deploy WebSocket
APIs in API Gateway".
"""


class Rejections:
    """Finds the updates that CloudFormation refuses.

    `sides` are both templates, and `distinct` the same templates with distinct names for whatever is redefined.
    """

    def __init__(self, sides: Pair, distinct: Pair, comparison: DeploymentComparison) -> None:
        self._old, self._new = sides
        self._before, self._after = (side.resources for side in distinct)
        self._comparison = comparison
        self._holders: dict[str, list[str]] = {}
        for name, resource in self._before.items():
            if _name(resource) is not None:
                self._holders.setdefault(_type(resource), []).append(name)

    @cached_property
    def _by_default(self) -> tuple[Mapping[str, Section], Mapping[str, Section]]:
        return one_deployment(self._old).resources, one_deployment(self._new).resources

    def added_to(self, resource: Resource) -> Resource:
        """Return the resource with the reasons for which CloudFormation refuses the update, if it does."""
        found = [*self._refused(resource), *self._name_in_use(resource)]
        rejected = worst(certainty for certainty, _ in found)
        reasons = dict.fromkeys(reason for certainty, reason in found if certainty == rejected != Certainty.NONE)
        return replace(resource, rejected=rejected, rejection="; ".join(reasons)) if reasons else resource

    def _refused(self, resource: Resource) -> Iterator[Reason]:
        if resource.change != Change.CHANGED:
            return
        if any(change.path == "Type" for change in resource.properties):
            was = self._old.resources[resource.id].get("Type")
            yield Certainty.CERTAIN, f"was {was}: CloudFormation rejects another type under the same logical id"
        before, after = self._before.get(resource.id, {}), self._after.get(resource.id, {})
        for key, (reason, default) in REFUSED.get(resource.type, {}).items():
            old, new = (_set(as_mapping(side.get("Properties")).get(key), default) for side in (before, after))
            if not same(old, new):
                conditions = [before.get("Condition"), after.get("Condition")]
                yield self._comparison.difference(old, new, conditions), reason.format(key)

    def _name_in_use(self, resource: Resource) -> Iterator[Reason]:
        """Yield the reason if a resource is replaced but keeps its name, or if another one of the old template has it.

        Source: CloudFormation template reference, "Name type": no update that replaces a custom-named resource is
        possible.
        """
        after = self._after.get(resource.id, {})
        key, name = _name_property(resource.type), _name(after)
        if name is None:
            return
        written = text(_name(self._new.resources[resource.id]))
        if _is_replaced_otherwise(resource, f"Properties.{key}"):
            certainty = least([resource.replacement, self._name_clash(resource.id, resource.id)])
            reason = f"CloudFormation cannot replace a resource while its {key} stays {written}: change the name, too"
            yield certainty, reason
        if same(_name(self._before.get(resource.id, {})), name):
            return
        for other in self._holders.get(_type(after), ()):
            if other != resource.id:
                remedy = "" if other in self._new.resources else f"keep the logical id {other}, or "
                yield (
                    self._name_clash(other, resource.id),
                    f"its {key} {written} is still taken by {other}, because CloudFormation creates before it deletes: "
                    f"{remedy}change the name",
                )

    def _name_clash(self, other: str, name: str) -> Certainty:
        """Return how certain it is that a resource gets the name that another one, of the old template, has."""
        pair = self._before[other], self._after[name]
        old, new = map(_name, pair)
        if isinstance(old, str) and isinstance(new, str) and old != new:
            return Certainty.NONE  # Most pairs are two literals.
        conditions = [resource["Condition"] for resource in pair if "Condition" in resource]
        if not self._comparison.are_possible(conditions):
            return Certainty.NONE
        differs = Certainty.NONE if same(old, new) else self._comparison.difference(old, new, conditions)
        if differs == Certainty.NONE:
            return Certainty.POSSIBLE if conditions else Certainty.CERTAIN
        by_default = [_name(side.get(one, {})) for side, one in zip(self._by_default, (other, name), strict=True)]
        is_alike = differs == Certainty.POSSIBLE and None not in by_default and same(*by_default)
        return Certainty.POSSIBLE if is_alike else Certainty.NONE


def _is_replaced_otherwise(resource: Resource, name: str) -> bool:
    """Return whether something else than the change of its name replaces a resource."""
    paths = {change.path for change in resource.properties}
    others = (path for path in paths - {name} if schema(resource.type).replacement(path) != Certainty.NONE)
    return resource.replacement != Certainty.NONE and (name not in paths or any(others))


def _set(value: Json, default: Json) -> Json:
    """Return a value of REFUSED, or the default where it is absent. None of its lists has an order."""
    match value:
        case {"Fn::If": [condition, yes, no]}:
            return {"Fn::If": [condition, _set(yes, default), _set(no, default)]}
        case list() if all(isinstance(item, str) for item in value):
            return sorted(value)
    return default if value is None or value == NO_VALUE else value


def _type(resource: Mapping[str, Json]) -> str:
    kind = str(resource.get("Type"))
    return MADE_BY_SAM.get(kind, (kind,))[0]


def _name_property(kind: str) -> str | None:
    generated, sam_names = MADE_BY_SAM.get(kind, (kind, {}))
    key = NAMES.get(generated)
    return None if key is None else sam_names.get(key, key)


def _name(resource: Mapping[str, Json]) -> Json:
    key = _name_property(str(resource.get("Type")))
    return None if key is None else as_mapping(resource.get("Properties")).get(key)


def stale_deployments(resources: Sequence[Resource], old: Template, new: Template) -> Iterator[Resource]:
    """Yield each deployment of a changed API that keeps its logical id, so CloudFormation creates no new one."""
    for service, family in FAMILIES.items():
        kind = f"{service}::Deployment"
        changed = [resource.id for resource in resources if _needs_deployment(resource, service, family)]
        for name in sorted({*new.of_type(kind)} & {*old.of_type(kind)}) if changed else ():
            api = new.properties(name).get(family.api_key)
            parts = ", ".join(part for part in changed if _is_part_of(part, api, family.api_key, old, new))
            if parts and not _deploys_itself(api, new):
                note = f"keeps its logical id: the stage goes on serving the API without the changes of {parts}"
                yield Resource(name, kind, Change.CHANGED, notes=(f"{note}; rename the deployment",))


def _needs_deployment(resource: Resource, service: str, family: Family) -> bool:
    if resource.type != f"{service}::{family.api}":
        return resource.type in [f"{service}::{part}" for part in family.parts]
    return any(change.path.removeprefix("Properties.").startswith(family.of_api) for change in resource.properties)


def _is_part_of(part: str, api: Json, key: str, old: Template, new: Template) -> bool:
    own_api = (new if part in new.resources else old).properties(part).get(key)
    return same(own_api, api) if own_api is not None else part in names(api)


def _deploys_itself(api: Json, template: Template) -> bool:
    """Return whether a stage of the API deploys every change. Source: API Gateway Developer Guide, "Stages"."""
    stages = template.properties_of("AWS::ApiGatewayV2::Stage").values()
    return any(same(stage.get("ApiId"), api) and canonical(stage.get("AutoDeploy")) == "true" for stage in stages)
