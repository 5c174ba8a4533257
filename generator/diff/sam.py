"""Derive the resources that SAM creates for a function's events, alias and URL, and the types that SAM types become.

Source: AWS SAM Developer Guide, "Generated CloudFormation resources".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from generator.diff.redefinitions import Pair
from generator.template.evaluation import Evaluator, Unknown
from generator.template.intrinsics import SAM, Json, as_mapping, text
from generator.template.model import Template
from generator.template.schemas import MADE_BY_SAM
from generator.template.transforms import SAM_FUNCTION

ALIAS = "AutoPublishAlias"
CREATED = "Created"
"""The attribute in which a created resource has the reason why SAM creates it."""

WRITTEN = "Written"
"""The attribute in which a created alias has its name as the template states it."""

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

OTHER_NAMES = {kind: {"Body": "DefinitionBody"} for kind in (f"{SAM}Api", f"{SAM}HttpApi")}
"""By type of SAM: the properties of the type that it becomes which SAM names differently."""

NESTED = {"InlineCode": ("Code", "ZipFile"), "ImageUri": ("Code", "ImageUri"), "Tracing": ("TracingConfig", "Mode")}
"""Properties of a SAM function, with the property and the key that AWS::Lambda::Function has for each."""

IN_CODE = (SAM_FUNCTION, f"{SAM}LayerVersion")
IN_S3 = {
    SAM_FUNCTION: {"Code": "CodeUri"},
    f"{SAM}LayerVersion": {"Content": "Content"},
    f"{SAM}StateMachine": {"DefinitionS3Location": "DefinitionUri"},
    **{kind: {"BodyS3Location": "DefinitionUri"} for kind in (f"{SAM}Api", f"{SAM}HttpApi")},
}
"""By type of SAM: properties with a place in S3, by the name that they have in the type that it becomes."""


def with_created(sides: Pair, stated: Pair) -> Pair:
    """Return both templates with the resources that SAM creates for functions on both sides, as far as they are stated.

    `stated` are the same templates with the names that their authors gave. They decide the name of an alias.
    """
    shared = stated[0].resources.keys() & stated[1].resources.keys()
    old, new = (_with_created(side, Evaluator(own), shared) for side, own in zip(sides, stated, strict=True))
    return old, new


def _with_created(template: Template, aliases: Evaluator, shared: Collection[str]) -> Template:
    created: dict[str, Mapping[str, Json]] = {}
    for function in template.of_type(SAM_FUNCTION):
        if function in shared:
            created |= _created(function, template, _alias(aliases, function))
    return replace(template, resources={**created, **template.resources}) if created else template


def _alias(evaluator: Evaluator, function: str) -> Mapping[str, Json]:
    """Return a function's alias by its name, and how it is written; empty without one.

    SAM resolves the name before it creates anything, with the values of parameters.
    """
    written = evaluator.properties(function).get(ALIAS)
    try:
        name = evaluator.value(as_mapping(written)["Fn::If"][1] if _existence(written) else written)
    except Unknown:
        name = text(written)
    return {"Name": name, WRITTEN: written} if isinstance(name, str) else {}


def may_stay(alias: Mapping[str, Json], template: Template) -> bool:
    """Return whether a function still has an alias that is written in the same way: only a default changed."""
    return any(
        WRITTEN in one
        and one[WRITTEN] == alias.get(WRITTEN)
        and one["Properties"]["FunctionName"] == alias["Properties"]["FunctionName"]
        for one in template.resources.values()
    )


def _created(function: str, template: Template, alias: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    resource = template.resources[function]
    condition = {key: value for key, value in resource.items() if key == "Condition"}
    properties = template.properties(function)

    def made(kind: str, content: Mapping[str, Json], reason: str, **attributes: Json) -> Mapping[str, Json]:
        present = {key: value for key, value in content.items() if value is not None}
        return {"Type": kind, "Properties": present, CREATED: f"SAM creates it {reason}", **condition, **attributes}

    if alias:
        version = {"Fn::GetAtt": [f"{function}Version", "Version"]}
        content = {"FunctionName": {"Ref": function}, "Name": alias["Name"], "FunctionVersion": version}
        attributes = {WRITTEN: alias[WRITTEN], **_existence(properties.get(ALIAS))}
        made_alias = made("AWS::Lambda::Alias", content, f"for {ALIAS} of {function}", **attributes)
        yield f"{function}Alias{alias['Name']}", made_alias
    url = properties.get("FunctionUrlConfig")
    if isinstance(url, Mapping):
        content = {"TargetFunctionArn": {"Ref": function}, "Qualifier": alias.get("Name")}
        reason = f"for FunctionUrlConfig of {function}"
        yield f"{function}Url", made("AWS::Lambda::Url", content, reason, **_existence(url))
    if "Role" not in properties:
        yield f"{function}Role", made("AWS::IAM::Role", {}, f"because {function} has no Role")
    for event, content in as_mapping(properties.get("Events")).items():
        if (kind := EVENTS.get(str(as_mapping(content).get("Type")))) is not None:
            stated = as_mapping(content.get("Properties"))
            decisive = {other: stated[key] for key, other in SAME_NAMES.items() if key in stated}
            yield f"{function}{event}", made(kind, decisive, f"for Events.{event} of {function}")


def _existence(value: Json) -> Mapping[str, Json]:
    """Return the condition under which a property exists, as the attribute of the resource that SAM creates for it."""
    match value:
        case {"Fn::If": [str(condition), _, {"Ref": "AWS::NoValue"}]}:
            return {"Condition": condition}
    return {}


def with_same_types(old: Template, new: Template, *kept_types: str) -> tuple[Template, Template]:
    """Return both templates with each resource of SAM, on one side only, as the type that it becomes.

    Resources of the `kept_types` stay as they are.
    """
    sides = dict(old.resources), dict(new.resources)
    for name in sides[0].keys() & sides[1].keys():
        kinds = {str(side[name].get("Type")) for side in sides}
        if len(kinds) > 1 and kinds.isdisjoint(kept_types):
            for side in sides:
                side[name] = as_made(side[name])
    return replace(old, resources=sides[0]), replace(new, resources=sides[1])


def as_made(resource: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return a resource of SAM as the type that it becomes, with the names that its properties have there."""
    kind = str(resource.get("Type"))
    if kind not in BECOMES:
        return resource
    properties = dict(as_mapping(resource.get("Properties")))
    for name, sam_name in {**MADE_BY_SAM.get(kind, ("", {}))[1], **OTHER_NAMES.get(kind, {})}.items():
        if sam_name in properties:
            properties[name] = properties.pop(sam_name)
    for name, sam_name in IN_S3.get(kind, {}).items():
        if (location := _location(properties.get(sam_name), kind)) is not None:
            properties[name] = location
            del properties[sam_name]
    for sam_name, (name, key) in NESTED.items() if kind == SAM_FUNCTION else ():
        if sam_name in properties:
            properties[name] = {key: properties.pop(sam_name)}
    if kind == SAM_FUNCTION and isinstance(queue := properties.get("DeadLetterQueue"), Mapping):
        del properties["DeadLetterQueue"]
        properties["DeadLetterConfig"] = {key: value for key, value in queue.items() if key != "Type"}
    if kind == f"{SAM}SimpleTable":
        key_schema = as_mapping(properties.get("KeySchema")) or {"Name": "id", "Type": "String"}
        attribute = {"AttributeName": key_schema.get("Name")}
        properties["KeySchema"] = [{**attribute, "KeyType": "HASH"}]
        key_type = str(key_schema.get("Type", "String"))[:1]
        properties["AttributeDefinitions"] = [{**attribute, "AttributeType": key_type}]
    return {**resource, "Type": BECOMES[kind], "Properties": properties}


def _location(value: Json, kind: str) -> Json:
    """Return a place in S3 as the generated type writes it; None for any other value."""
    if isinstance(value, str) and (match := re.fullmatch(r"s3://([^/]+)/(.+)", value)):
        value = {"Bucket": match[1], "Key": match[2]}
    if not isinstance(value, Mapping) or "Bucket" not in value:
        return None
    names = {"Bucket": "S3Bucket", "Key": "S3Key", "Version": "S3ObjectVersion"} if kind in IN_CODE else {}
    return {names.get(key, key): inner for key, inner in value.items()}
