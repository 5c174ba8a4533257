"""A template in the form that AWS SAM has for it: functions with their events, and one API instead of its ten parts.

Roles stay as they are, because SAM would add managed policies of its own choice. So does everything that SAM has no
type for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

API_PARTS = tuple(
    f"AWS::ApiGateway::{name}"
    for name in (
        *("RestApi", "Resource", "Model", "RequestValidator", "Method", "GatewayResponse", "Deployment", "Stage"),
        *("ApiKey", "UsagePlan", "UsagePlanKey"),
    )
)
EVENT_PARTS = (
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::SNS::Subscription",
    "AWS::Scheduler::Schedule",
)


def sam_template(template: Mapping[str, Any]) -> str:
    """Return the YAML of a SAM template for the same stack, which has one API with one method."""
    return _Stack(template).yaml()


class _Stack:
    def __init__(self, template: Mapping[str, Any]) -> None:
        self.template = template
        self.resources: Mapping[str, Any] = template["Resources"]

    def yaml(self) -> str:
        (api,) = self._named("AWS::ApiGateway::RestApi")
        (api_key,) = self._named("AWS::ApiGateway::ApiKey")
        functions = self._named("AWS::Lambda::Function")
        replaced = {*API_PARTS, *EVENT_PARTS, "AWS::Lambda::Function"}
        resources = {
            api: {"Type": "AWS::Serverless::Api", "Properties": self._api()},
            **{
                name: {"Type": "AWS::Serverless::Function", "Properties": self._function(name, api)}
                for name in functions
            },
            **{name: one for name, one in self.resources.items() if one["Type"] not in replaced},
        }
        whole = {**self.template, "Transform": "AWS::Serverless-2016-10-31", "Resources": resources}
        # SAM makes the API's key, under a name of its own.
        text = json.dumps(whole).replace(json.dumps({"Ref": api_key}), json.dumps({"Ref": f"{api}ApiKey"}))
        return yaml.dump(json.loads(text), Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)

    def _named(self, resource_type: str) -> dict[str, Any]:
        """Return the properties of each resource of a type, by logical ID."""
        return {name: one["Properties"] for name, one in self.resources.items() if one["Type"] == resource_type}

    def _api(self) -> dict[str, Any]:
        (api,) = self._named("AWS::ApiGateway::RestApi").values()
        (stage,) = self._named("AWS::ApiGateway::Stage").values()
        (plan,) = self._named("AWS::ApiGateway::UsagePlan").values()
        models = self._named("AWS::ApiGateway::Model")
        kept = ("StageName", "AccessLogSetting", "MethodSettings", "TracingEnabled")
        return {
            "Name": api["Name"],
            "EndpointConfiguration": {"Type": api["EndpointConfiguration"]["Types"][0]},
            **{name: stage[name] for name in kept},
            "Auth": {
                "ApiKeyRequired": True,
                "UsagePlan": {"CreateUsagePlan": "PER_API", "Quota": plan["Quota"], "Throttle": plan["Throttle"]},
            },
            "Models": {name: json.loads(model["Schema"]) for name, model in models.items()},
            "GatewayResponses": {
                one["ResponseType"]: _gateway_response(one)
                for one in self._named("AWS::ApiGateway::GatewayResponse").values()
            },
        }

    def _function(self, name: str, api: str) -> dict[str, Any]:
        properties = dict(self.resources[name]["Properties"])
        separator, lines = properties.pop("Code")["ZipFile"]["Fn::Join"]
        properties |= {"InlineCode": separator.join(lines), "Tracing": properties.pop("TracingConfig")["Mode"]}
        for config in self._named("AWS::Lambda::EventInvokeConfig").values():
            if config["FunctionName"] == {"Ref": name}:
                properties["EventInvokeConfig"] = _without(_with_sqs(config), "FunctionName", "Qualifier")
        return {**properties, "Events": self._events(name, api)}

    def _events(self, name: str, api: str) -> dict[str, Any]:
        arn, events = {"Fn::GetAtt": [name, "Arn"]}, {}
        for mapping in self._named("AWS::Lambda::EventSourceMapping").values():
            if mapping["FunctionName"] == {"Ref": name}:
                stream = _without(_with_sqs(mapping), "FunctionName", "EventSourceArn")
                events["Stream"] = _event("DynamoDB", {"Stream": mapping["EventSourceArn"], **stream})
        for subscription in self._named("AWS::SNS::Subscription").values():
            if subscription["Endpoint"] == arn:
                topic = _without(subscription, "Endpoint", "Protocol", "TopicArn")
                events["Topic"] = _event("SNS", {"Topic": subscription["TopicArn"], **topic})
        for schedule in self._named("AWS::Scheduler::Schedule").values():
            if schedule["Target"]["Arn"] == arn:
                target = _without(schedule["Target"], "Arn")
                events["Schedule"] = _event("ScheduleV2", {**_without(schedule, "Target"), **target, "OmitName": True})
        for method in self._named("AWS::ApiGateway::Method").values():
            if f"${{{name}.Arn}}" in method["Integration"]["Uri"]["Fn::Sub"]:
                events["Method"] = _event("Api", {"RestApiId": {"Ref": api}, **self._method(method)})
        return events

    def _method(self, method: Mapping[str, Any]) -> dict[str, Any]:
        path = self.resources[method["ResourceId"]["Ref"]]["Properties"]["PathPart"]
        (model,) = method["RequestModels"].values()
        request = {"Model": model["Ref"], "Required": True, "ValidateBody": True}
        return {"Method": method["HttpMethod"].lower(), "Path": f"/{path}", "RequestModel": request}


def _event(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def _with_sqs(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of something with a failure queue, whose type SAM wants to have."""
    on_failure = {"Type": "SQS", **properties["DestinationConfig"]["OnFailure"]}
    return {**properties, "DestinationConfig": {"OnFailure": on_failure}}


def _gateway_response(response: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "gatewayresponse.header."
    headers = {name.removeprefix(prefix): value for name, value in response.get("ResponseParameters", {}).items()}
    return {
        "StatusCode": response["StatusCode"],
        **({"ResponseParameters": {"Headers": headers}} if headers else {}),
    }


def _without(properties: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name not in names}


class _Dumper(yaml.SafeDumper):
    """Write code as a block of lines, as a person would, and no anchors for values that occur twice."""

    def represent_str(self, text: str) -> yaml.Node:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_str)
