"""Find updates that CloudFormation refuses or that have no effect, which no resource schema states."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from generator.diff.model import DEPLOYMENT, Change, Resource
from generator.diff.properties import same
from generator.template.dependencies import names
from generator.template.intrinsics import Json, mapping, text
from generator.template.model import Template
from generator.template.schemas import MADE_BY_SAM, Certainty

COGNITO = "Cognito cannot change {0} of an existing user pool: create a new pool under another logical id"
KMS = "KMS cannot change {0} of an existing key: create a new key under another logical id"
REFUSED = {
    "AWS::Cognito::UserPool": dict.fromkeys(
        ("UsernameAttributes", "AliasAttributes", "UsernameConfiguration"), COGNITO
    ),
    "AWS::KMS::Key": dict.fromkeys(("KeySpec", "KeyUsage", "Origin", "MultiRegion"), KMS),
    "AWS::Scheduler::Schedule": {
        "GroupName": "EventBridge Scheduler looks for the schedule in the group that {0} names and does not find it: "
        "create it under another logical id and name"
    },
}
"""By type and property: the reason why CloudFormation refuses a change.

Sources: Cognito API reference, UpdateUserPool, which takes none of these; KMS API reference, UpdateKeyDescription,
which is all that can be updated, and CloudFormation template reference, AWS::KMS::Key: "the update request fails";
https://github.com/aws/aws-cdk/issues/34216 for schedules.
"""

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

REST_API = "AWS::ApiGateway::RestApi"
DEPLOYED_WITH_API = ("Body", "Policy", "BinaryMediaTypes", "MinimumCompressionSize", "Parameters")
DEPLOYED = (
    *(REST_API, "AWS::ApiGateway::Resource", "AWS::ApiGateway::Method", "AWS::ApiGateway::Model"),
    *("AWS::ApiGateway::Authorizer", "AWS::ApiGateway::RequestValidator", "AWS::ApiGateway::GatewayResponse"),
)
"""Types that take effect on a stage only with a new deployment.

Source: API Gateway Developer Guide, "Deploy REST APIs in API Gateway".
"""


def with_rejection(resource: Resource, old: Template, new: Template) -> Resource:
    """Return the resource with the reason for which CloudFormation refuses the update, if it does."""
    before, after = (side.resources.get(resource.id, {}) for side in (old, new))
    reasons = [*_refused(resource, before, after), *_name_taken(resource, before, after, old, new)]
    return replace(resource, rejection="; ".join(reasons)) if reasons else resource


def _refused(resource: Resource, old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[str]:
    if resource.change != Change.CHANGED:
        return
    if any(change.path == "Type" for change in resource.properties):
        yield f"was {old.get('Type')}: CloudFormation rejects another type under the same logical id"
    for key, reason in REFUSED.get(resource.type, {}).items():
        if any(
            f"{change.path}.".startswith((f"Properties.{key}.", f"Properties.{key}[")) for change in resource.properties
        ):
            yield reason.format(key)


def _name_taken(
    resource: Resource, before: Mapping[str, Json], after: Mapping[str, Json], old: Template, new: Template
) -> Iterator[str]:
    """Yield the reason if a resource cannot be created because its name still belongs to the old resource.

    Source: CloudFormation template reference, "Name type": no update that replaces a custom-named resource is possible.
    """
    name, key = _name(after), _name_property(resource.type)
    if name is None:
        return
    if resource.replacement == Certainty.CERTAIN and same(name, _name(before)):
        yield f"CloudFormation cannot replace a resource while its {key} stays {text(name)}: change the name, too"
    if resource.change == Change.ADDED:
        for other, other_resource in old.resources.items():
            is_same_type = _name_property(str(other_resource.get("Type"))) == key and other not in new.resources
            if is_same_type and _type(other_resource) == _type(after) and same(name, _name(other_resource)):
                yield (
                    f"its {key} {text(name)} is still taken by {other}, which CloudFormation deletes last: "
                    f"keep the logical id {other}, or change the name"
                )


def _type(resource: Mapping[str, Json]) -> str:
    kind = str(resource.get("Type"))
    return MADE_BY_SAM.get(kind, (kind,))[0]


def _name_property(kind: str) -> str | None:
    generated, sam_names = MADE_BY_SAM.get(kind, (kind, {}))
    key = NAMES.get(generated)
    return None if key is None else sam_names.get(key, key)


def _name(resource: Mapping[str, Json]) -> Json:
    key = _name_property(str(resource.get("Type")))
    return None if key is None else mapping(resource.get("Properties")).get(key)


def stale_deployments(resources: Iterable[Resource], old: Template, new: Template) -> Iterator[Resource]:
    """Yield each deployment of a changed API that keeps its logical id, so that no new one is made."""
    changed = [resource for resource in resources if resource.type in DEPLOYED and _is_deployed(resource)]
    for name in set(new.of_type(DEPLOYMENT)) & set(old.of_type(DEPLOYMENT)) if changed else ():
        api = new.properties(name).get("RestApiId")
        if parts := [resource.id for resource in changed if _is_part_of(resource.id, api, old, new)]:
            note = f"keeps its logical id: the stage goes on serving the API without the changes of {', '.join(parts)}"
            yield Resource(name, DEPLOYMENT, Change.CHANGED, Certainty.NONE, (), (f"{note}; rename the deployment",))


def _is_deployed(resource: Resource) -> bool:
    paths = (change.path.removeprefix("Properties.") for change in resource.properties)
    return resource.type != REST_API or any(path.startswith(DEPLOYED_WITH_API) for path in paths)


def _is_part_of(part: str, api: Json, old: Template, new: Template) -> bool:
    resource = new.resources.get(part) or old.resources[part]
    own_api = mapping(resource.get("Properties")).get("RestApiId")
    return same(own_api, api) if own_api is not None else part in names(api)
