"""Who may do what to which resource, in plain words, from the statements of a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from generator.report.diagram import listed
from generator.report.markdown import code, table
from generator.report.usage import Template, of_type
from generator.template.references import references

HEADER = ("May", "On", "Actions")

MOST_IN_WORDS = 8
"""A statement of more actions is read where they are listed."""

WORDS = {
    "logs:CreateLogStream": "begin log streams",
    "logs:PutLogEvents": "write log lines",
    "xray:PutTelemetryRecords": "report on tracing",
    "xray:PutTraceSegments": "send traces",
    "kms:Decrypt": "decrypt",
    "kms:GenerateDataKey": "encrypt with new data keys",
    "kms:ReEncryptFrom": "re-encrypt from",
    "kms:ReEncryptTo": "re-encrypt to",
    "dynamodb:PutItem": "write whole items",
    "dynamodb:UpdateItem": "change items",
    "dynamodb:DeleteItem": "delete items",
    "dynamodb:Query": "query by key",
    "dynamodb:DescribeStream": "look at the stream",
    "dynamodb:GetRecords": "read its records",
    "dynamodb:GetShardIterator": "find a place in it",
    "dynamodb:ListStreams": "list streams",
    "secretsmanager:GetSecretValue": "read the secret",
    "sns:Publish": "publish",
    "sqs:SendMessage": "send messages",
    "lambda:InvokeFunction": "invoke",
    "sts:AssumeRole": "act as",
}


RELATIONS = {
    "NotEquals": "is not",
    "NotLike": "is not like",
    "NotIpAddress": "is not in",
    "LessThanEquals": "is at most",
    "GreaterThanEquals": "is at least",
    "Equals": "is",
    "Bool": "is",
    "Like": "is like",
    "IpAddress": "is in",
    "LessThan": "is below",
    "GreaterThan": "is above",
}
"""Parts of condition operators in words, the longer before what they contain."""


def lines(template: Template) -> list[str]:
    """The section: functions first, then the other roles, then what resources let others do."""
    roles = of_type(template, "AWS::IAM::Role")
    functions = of_type(template, "AWS::Lambda::Function")
    held = {next(references(function["Role"])).partition(".")[0]: name for name, function in functions.items()}
    text: list[str] = []
    for role in sorted(roles, key=lambda name: name not in held):
        text += [
            "",
            f"**{held.get(role, role)}**{f' as {code(role)}' if role in held else ''}{_taken_by(template, role)}",
            "",
            *_role(roles[role]),
        ]
    return [*text, "", "**What resources let others do**", "", *_resource_policies(template)]


def phrase(action: str) -> str:
    """An action in words; one that is not known is its own name, taken apart."""
    name = action.partition(":")[2] or action
    return WORDS.get(action, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


def on(statement: Mapping[str, Any]) -> str:
    """What a statement applies to."""
    actions = listed(statement["Action"])
    if "NotResource" in statement:
        excluded = ", ".join(code(_flat(resource)) for resource in listed(statement["NotResource"]))
        sms = ": no topic, so phone numbers only" if actions == ["sns:Publish"] else ""
        return f"**everything except** {excluded}{sms}"
    return ", ".join(_resource(resource, actions) for resource in listed(statement.get("Resource", [])))


def only_if(statement: Mapping[str, Any]) -> str:
    """The conditions of a statement, in words; empty if there is none."""
    found = [
        f"{code(key)} {_relation(operator, value)}"
        for operator, pairs in statement.get("Condition", {}).items()
        for key, value in pairs.items()
    ]
    return ", only if " + " and ".join(found) if found else ""


def _relation(operator: str, value: Any) -> str:
    """What a condition's operator says of its key and value. Source: IAM User Guide, "Condition operators"."""
    name = operator.rpartition(":")[2]
    sent = name.removesuffix("IfExists")
    if sent == "Null":
        words = "is not there" if _flat(value).lower() == "true" else "is there"
    else:
        known = (word for part, word in RELATIONS.items() if part in sent)
        words = f"{next(known, f'is by {sent}')} {code(_flat(value))}"
    return words if sent == name else f"{words} where it is there"


def _taken_by(template: Template, role: str) -> str:
    body = template["Resources"][role]
    trusted = listed(body["Properties"]["AssumeRolePolicyDocument"]["Statement"])
    who = " and ".join(_principal(statement) + only_if(statement) for statement in trusted)
    condition = f"; made only under the condition {code(body['Condition'])}" if "Condition" in body else ""
    return f", assumed by {who}{condition}"


def _role(role: Mapping[str, Any]) -> list[str]:
    policies = [statement for policy in role.get("Policies", []) for statement in _statements(policy)]
    managed = [("what AWS's policy allows", code(_flat(arn)), "") for arn in role.get("ManagedPolicyArns", [])]
    return table(HEADER, [*(_row(statement) for statement in policies), *managed])


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return listed(policy["PolicyDocument"]["Statement"])


def _row(statement: Mapping[str, Any]) -> tuple[str, str, str]:
    actions = listed(statement["Action"])
    denied = "**not** " if statement["Effect"] == "Deny" else ""
    may = denied + (", ".join(map(phrase, actions)) if len(actions) <= MOST_IN_WORDS else f"{len(actions)} actions")
    return may, on(statement) + only_if(statement), ", ".join(map(code, actions))


def _resource_policies(template: Template) -> list[str]:
    """As a list: conditions with whole ARNs are too wide for a table."""
    text: list[str] = []
    for name, key in of_type(template, "AWS::KMS::Key").items():
        own = [{**statement, "Resource": [{"Ref": name}]} for statement in listed(key["KeyPolicy"]["Statement"])]
        text += [_sentence(_principal(statement), *_row(statement)) for statement in own]
    for kind in ("AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for policy in of_type(template, kind).values():
            text += [_sentence(_principal(statement), *_row(statement)) for statement in _statements(policy)]
    return text + [_permission(permission) for permission in of_type(template, "AWS::Lambda::Permission").values()]


def _sentence(who: str, may: str, where: str, actions: str) -> str:
    return f"- {who}: {may}, on {where} ({actions})"


def _permission(permission: Mapping[str, Any]) -> str:
    source = f", only if called by {code(_flat(permission['SourceArn']))}" if "SourceArn" in permission else ""
    function, action = code(_flat(permission["FunctionName"])), permission["Action"]
    return _sentence(code(permission["Principal"]), phrase(action), function + source, code(action))


def _principal(statement: Mapping[str, Any]) -> str:
    principal = statement["Principal"]
    if not isinstance(principal, dict):
        return f"**{principal}**"
    who = [_flat(one) for value in principal.values() for one in listed(value)]
    return ", ".join("this account's own IAM policies" if one.endswith(":root") else code(one) for one in who)


def _resource(resource: Any, actions: list[str]) -> str:
    if resource == "*":
        tracing = all(action.startswith("xray:") for action in actions)
        return "anything: X-Ray has no resource to name" if tracing else "**everything**"
    index = re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(.+)", _flat(resource))
    if index:
        return f"{code(index[2])}, an index of {code(index[1])}"
    name, _, attribute = next(references(resource), _flat(resource)).partition(".")
    if isinstance(resource, dict) and "Fn::Sub" in resource:
        return code(_flat(resource))
    return f"the stream of {code(name)}" if attribute == "StreamArn" else code(name)


def _flat(value: Any) -> str:
    """A value as one text: a reference is the name of what it refers to."""
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]}:
            return str(name)
        case {"Fn::Sub": text}:
            return str(text)
        case list():
            return ", ".join(map(_flat, value))
    return str(value)
