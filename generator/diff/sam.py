"""Derive the resources that SAM creates for a function's events, alias and URL, and the types that SAM types become.

Source: AWS SAM Developer Guide, "Generated CloudFormation resources".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from generator.template.intrinsics import SAM, Json, mapping
from generator.template.model import Template
from generator.template.schemas import MADE_BY_SAM
from generator.template.transforms import FUNCTION

CREATED_BY = "CreatedBy"
"""The attribute in which a created resource has the property that SAM creates it for."""

SOURCE_MAPPING, RULE = "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule"
EVENTS = {
    **dict.fromkeys(("SQS", "Kinesis", "DynamoDB", "MSK", "MQ", "SelfManagedKafka", "DocumentDB"), SOURCE_MAPPING),
    **dict.fromkeys(("Schedule", "CloudWatchEvent", "EventBridgeRule"), RULE),
    "ScheduleV2": "AWS::Scheduler::Schedule",
    "SNS": "AWS::SNS::Subscription",
    "CloudWatchLogs": "AWS::Logs::SubscriptionFilter",
    "IoTRule": "AWS::IoT::TopicRule",
}
"""By type of event: the resource that SAM creates for it, named by the function and the event."""

SAME_NAMES = {
    "Queue": "EventSourceArn",
    "Stream": "EventSourceArn",
    "Broker": "EventSourceArn",
    "StartingPosition": "StartingPosition",
    "Topic": "TopicArn",
    "LogGroupName": "LogGroupName",
    "EventBusName": "EventBusName",
}
"""Properties of events whose change may replace the resource, with the names that they have there."""

BECOMES = {
    **{kind: made for kind, (made, _) in MADE_BY_SAM.items()},
    f"{SAM}Api": "AWS::ApiGateway::RestApi",
    f"{SAM}HttpApi": "AWS::ApiGatewayV2::Api",
    f"{SAM}Application": "AWS::CloudFormation::Stack",
}
"""The type that a resource of SAM has under its own logical id."""


def with_created(template: Template, functions: Collection[str]) -> Template:
    """Return the template with the resources that SAM creates for these functions, as far as they are stated."""
    created = {
        name: resource
        for function in template.of_type(FUNCTION)
        if function in functions
        for name, resource in _created(function, template)
    }
    return replace(template, resources={**created, **template.resources}) if created else template


def _created(function: str, template: Template) -> Iterator[tuple[str, Mapping[str, Json]]]:
    properties = template.properties(function)
    alias: Json = properties.get("AutoPublishAlias")
    if isinstance(alias, str):
        yield _resource(template, function, f"{function}Alias{alias}", "AWS::Lambda::Alias", "AutoPublishAlias", {})
    url = properties.get("FunctionUrlConfig")
    if isinstance(url, Mapping):
        by, qualified = "FunctionUrlConfig", {"Qualifier": alias}
        name, resource = _resource(template, function, f"{function}Url", "AWS::Lambda::Url", by, qualified)
        yield name, {**resource, **_existence(url)}
    if "Role" not in properties:
        yield _resource(template, function, f"{function}Role", "AWS::IAM::Role", "Policies", {})
    for event, content in mapping(properties.get("Events")).items():
        if (kind := EVENTS.get(str(mapping(content).get("Type")))) is not None:
            event_properties = mapping(content.get("Properties"))
            decisive = {other: event_properties[key] for key, other in SAME_NAMES.items() if key in event_properties}
            yield _resource(template, function, f"{function}{event}", kind, f"Events.{event}", decisive)


def _resource(
    template: Template, function: str, name: str, kind: str, by: str, properties: Mapping[str, Json]
) -> tuple[str, Mapping[str, Json]]:
    condition = {key: value for key, value in template.resources[function].items() if key == "Condition"}
    present = {key: value for key, value in properties.items() if value is not None}
    return name, {"Type": kind, "Properties": present, CREATED_BY: f"{by} of {function}", **condition}


def _existence(value: Json) -> Mapping[str, Json]:
    """Return the condition under which a property exists, as the attribute of the resource that SAM creates for it."""
    match value:
        case {"Fn::If": [str(condition), _, {"Ref": "AWS::NoValue"}]}:
            return {"Condition": condition}
    return {}


def as_made(resource: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a resource of SAM as the type that it becomes, with the names that its properties have there."""
    kind = str(resource.get("Type"))
    generated = BECOMES.get(kind)
    if generated is None:
        return resource
    properties = dict(mapping(resource.get("Properties")))
    for name, sam_name in MADE_BY_SAM.get(kind, ("", {}))[1].items():
        if sam_name in properties:
            properties[name] = properties.pop(sam_name)
    if kind == FUNCTION and "InlineCode" in properties:
        properties["Code"] = {"ZipFile": properties.pop("InlineCode")}
    if kind == f"{SAM}SimpleTable":
        key = mapping(properties.get("KeySchema")) or {"Name": "id", "Type": "String"}
        kind_of_key = str(key.get("Type", "String"))[:1]
        properties["KeySchema"] = [{"AttributeName": key.get("Name"), "KeyType": "HASH"}]
        properties["AttributeDefinitions"] = [{"AttributeName": key.get("Name"), "AttributeType": kind_of_key}]
    return {**resource, "Type": generated, "Properties": properties}
