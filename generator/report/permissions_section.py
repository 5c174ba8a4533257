"""The page's section on permissions, from the template's policy statements: principals, actions and resources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from generator._format import code, counted, joined, markdown_details, markdown_table
from generator.report.resources import referenced, statements
from generator.template.dependencies import references
from generator.template.intrinsics import Json, as_list
from generator.template.model import Template

MOST_IN_WORDS = 8
"""The first column of a statement with more actions shows only their number."""

WORDS = {
    "logs:CreateLogStream": "create log streams",
    "logs:PutLogEvents": "write log events",
    "xray:PutTelemetryRecords": "send tracing telemetry",
    "xray:PutTraceSegments": "send traces",
    "execute-api:Invoke": "send requests",
    "kms:GenerateDataKey": "generate data keys",
    "kms:ReEncryptFrom": "re-encrypt from",
    "kms:ReEncryptTo": "re-encrypt to",
    "dynamodb:PutItem": "put items",
    "dynamodb:UpdateItem": "update items",
    "dynamodb:DeleteItem": "delete items",
    "dynamodb:BatchGetItem": "read items",
    "dynamodb:BatchWriteItem": "put or delete items",
    "dynamodb:DescribeStream": "describe",
    "dynamodb:GetRecords": "read records",
    "dynamodb:GetShardIterator": "get shard iterators",
    "secretsmanager:GetSecretValue": "read the secret",
    "sms-voice:SendTextMessage": "send text messages",
    "sqs:SendMessage": "send messages",
    "lambda:InvokeFunction": "invoke",
}


RELATIONS = {
    "NotEquals": "is not",
    "NotLike": "does not match",
    "NotIpAddress": "is not in",
    "LessThanEquals": "is at most",
    "GreaterThanEquals": "is at least",
    "Equals": "is",
    "Bool": "is",
    "Like": "matches",
    "IpAddress": "is in",
    "LessThan": "is below",
    "GreaterThan": "is above",
}
"""Parts of condition operators in words; a part comes before any other part that it contains."""


def permission_lines(template: Template) -> list[str]:
    """Return the section, folded: roles of functions, other roles, and resource policies."""
    roles = template.properties_of("AWS::IAM::Role")
    functions = template.properties_of("AWS::Lambda::Function")
    users = {referenced(function["Role"]): name for name, function in functions.items()}
    text: list[str] = []
    for role in sorted(roles, key=lambda name: name not in users):
        holder = f"**{users[role]}** as {code(role)}" if role in users else f"**{role}**"
        trusted = as_list(roles[role]["AssumeRolePolicyDocument"]["Statement"])
        principals = joined([_principal(statement) + condition(statement) for statement in trusted])
        rows = [*map(_row, statements(roles[role]))]
        for arn in roles[role].get("ManagedPolicyArns", []):
            rows.append(("everything in the AWS managed policy", code(_as_text(arn)), ""))
        text += ["", f"{holder}, assumed by {principals}", "", *markdown_table(("May", "On", "Actions"), rows)]
    text = [*text[1:], "", "**Resource policies**", "", *_resource_policies(template)]
    return markdown_details("Every statement of every role, and the resource policies", text)


def permissions_line(template: Template) -> str:
    """Return the number of roles, and their permissions on resources outside the stack."""
    roles = template.properties_of("AWS::IAM::Role")
    beyond: dict[str, None] = {}
    for role in roles.values():
        beyond |= dict.fromkeys(filter(None, map(_outside_stack, statements(role))))
        for arn in role.get("ManagedPolicyArns", []):
            beyond[f"do what {code(_as_text(arn).rpartition('/')[2])} allows"] = None
    return f"{counted(len(roles), 'role')}; beyond this stack's own resources they may {'; '.join(beyond)}"


def _outside_stack(statement: Mapping[str, Json]) -> str:
    """Return the permissions of a statement on resources outside the template, empty if there are none."""
    actions = as_list(statement["Action"])
    resources = as_list(statement.get("Resource", []))
    if statement["Effect"] == "Deny" or (resources and all(next(references(resource), "") for resource in resources)):
        return ""
    may = ", ".join(map(_in_words, actions))
    return f"**{may}**{condition(statement)}" + (" to phone numbers" if "NotResource" in statement else "")


def condition(statement: Mapping[str, Json]) -> str:
    """Return the conditions of a statement in words, empty if there are none."""
    clauses = [
        f"{code(key)} {_relation(operator, value)}"
        for operator, pairs in statement.get("Condition", {}).items()
        for key, value in pairs.items()
    ]
    return ", only if " + " and ".join(clauses) if clauses else ""


def _relation(operator: str, value: Json) -> str:
    """Return an operator and its value in words. Source: IAM User Guide, "Condition operators"."""
    name = operator.rpartition(":")[2]
    relation = name.removesuffix("IfExists")
    if relation == "Null":
        words = "is absent" if _as_text(value).lower() == "true" else "is present"
    else:
        known = (word for part, word in RELATIONS.items() if part in relation)
        words = f"{next(known, relation)} {code(_as_text(value))}"
    return words if relation == name else f"{words} or is absent"


def _row(statement: Mapping[str, Json]) -> tuple[str, str, str]:
    actions = as_list(statement["Action"])
    denied = "**not** " if statement["Effect"] == "Deny" else ""
    may = ", ".join(map(_in_words, actions)) if len(actions) <= MOST_IN_WORDS else f"{len(actions)} actions"
    return denied + may, _resources(statement, actions) + condition(statement), ", ".join(map(code, actions))


def _in_words(action: str) -> str:
    """Return an action in words. An action that is not in WORDS is split at its capitals."""
    name = action.partition(":")[2] or action
    return WORDS.get(action) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _resource_policies(template: Template) -> list[str]:
    """Return a list instead of a table, because conditions with whole ARNs are too wide for a column."""
    text: list[str] = []
    for name, key in template.properties_of("AWS::KMS::Key").items():
        for statement in as_list(key["KeyPolicy"]["Statement"]):
            text.append(_list_item(_principal(statement), *_row({**statement, "Resource": [{"Ref": name}]})))
    policies = [
        *(api["Policy"] for api in template.properties_of("AWS::ApiGateway::RestApi").values() if "Policy" in api),
        *(queue["PolicyDocument"] for queue in template.properties_of("AWS::SQS::QueuePolicy").values()),
        *(topic["PolicyDocument"] for topic in template.properties_of("AWS::SNS::TopicPolicy").values()),
    ]
    for policy in policies:
        text += [_list_item(_principal(statement), *_row(statement)) for statement in as_list(policy["Statement"])]
    return text + [_permission(permission) for permission in template.properties_of("AWS::Lambda::Permission").values()]


def _list_item(who: str, may: str, where: str, actions: str) -> str:
    return f"- {who}: {may}, on {where} ({actions})"


def _permission(permission: Mapping[str, Json]) -> str:
    source = f", only if called by {code(_as_text(permission['SourceArn']))}" if "SourceArn" in permission else ""
    function, action = code(_as_text(permission["FunctionName"])), permission["Action"]
    return _list_item(code(permission["Principal"]), _in_words(action), function + source, code(action))


def _principal(statement: Mapping[str, Json]) -> str:
    principal = statement["Principal"]
    if not isinstance(principal, dict):
        return "**everyone**" if principal == "*" else f"**{principal}**"
    who = [_as_text(name) for value in principal.values() for name in as_list(value)]
    return ", ".join("this account, through its IAM policies" if name.endswith(":root") else code(name) for name in who)


def _resources(statement: Mapping[str, Json], actions: Sequence[str]) -> str:
    if "NotResource" in statement:
        excluded = ", ".join(code(_as_text(resource)) for resource in as_list(statement["NotResource"]))
        sms = " (no topics, so phone numbers only)" if actions == ["sns:Publish"] else ""
        return f"**everything except** {excluded}{sms}"
    return ", ".join(_resource(resource, actions) for resource in as_list(statement.get("Resource", [])))


def _resource(resource: Json, actions: Sequence[str]) -> str:
    if resource == "*":
        is_tracing = all(action.startswith("xray:") for action in actions)
        return "everything, because tracing has no resource types" if is_tracing else "**everything**"
    index = re.fullmatch(r"\$\{(\w+)\.Arn\}/index/(.+)", _as_text(resource))
    if index:
        return f"{code(index[2])}, an index of {code(index[1])}"
    name, _, attribute = next(references(resource), _as_text(resource)).partition(".")
    if isinstance(resource, dict) and "Fn::Sub" in resource:
        return code(_as_text(resource))
    return f"the stream of {code(name)}" if attribute == "StreamArn" else code(name)


def _as_text(value: Json) -> str:
    """Return a value as one text; a reference becomes the name that it refers to."""
    match value:
        case {"Ref": name} | {"Fn::GetAtt": [name, *_]}:
            return str(name)
        case {"Fn::Sub": text}:
            return str(text)
        case list():
            return ", ".join(map(_as_text, value))
    return str(value)
