"""Single edits to the committed template, each with the changes that the report must show."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.stack.model import TEMPLATES, generated

Template = dict[str, Any]


def _conditional() -> Template:
    """Return prod with API Gateway's logging role, which exists only if a parameter has the value "create"."""
    template: Template = copy.deepcopy(TEMPLATES["prod"])
    own = generated("prod", "operations.api_logging_role=create")["Resources"]
    template["Parameters"]["ApiLogging"] = {"Type": "String", "Default": "existing"}
    template["Conditions"] = {"CreateApiLogging": {"Fn::Equals": [{"Ref": "ApiLogging"}, "create"]}}
    for name in ("ApiLoggingRole", "ApiLoggingAccount"):
        template["Resources"][name] = {**copy.deepcopy(own[name]), "Condition": "CreateApiLogging"}
    description = {"Fn::If": ["CreateApiLogging", {"Ref": "ApiLoggingAccount"}, "existing role"]}
    template["Resources"]["WebhookStage"]["Properties"]["Description"] = description
    return template


CONDITIONAL = _conditional()


@dataclass(frozen=True)
class Edit:
    """`changed` are ids with their replacement; the rest is empty where nothing of the kind may be reported."""

    name: str
    apply: Callable[[Template], object]
    changed: dict[str, str]
    kinds: frozenset[str] = frozenset()
    path: str = ""
    note: str = ""
    parts: tuple[str, ...] = ()

    def templates(self) -> tuple[Template, Template]:
        """The template to edit and the edited one."""
        new = copy.deepcopy(CONDITIONAL)
        self.apply(new)
        return CONDITIONAL, new


def put(path: str, value: Any) -> Callable[[Template], None]:
    """Sets Resource.Properties... to a value; a number is an index, + appends, None removes."""

    def apply(template: Template) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        target: Any = template["Resources"]
        for step in steps:
            target = target[step]
        if last == "+":
            target.append(value)
        elif value is None:
            del target[last]
        else:
            target[last] = value

    return apply


def drop(name: str) -> Callable[[Template], None]:
    return lambda template: template["Resources"].pop(name)


def top(section: str, name: str, value: Any) -> Callable[[Template], None]:
    return lambda template: template.setdefault(section, {}).__setitem__(name, value)


def rename(old: str, new: str) -> Callable[[Template], None]:
    """Gives a resource another logical id, in its own entry and in all references."""

    def apply(template: Template) -> None:
        def named(value: Any) -> Any:
            if isinstance(value, dict):
                return {new if key == old else key: named(inner) for key, inner in value.items()}
            if isinstance(value, list):
                return [named(item) for item in value]
            return new if value == old else value

        template["Resources"] = named(template["Resources"])

    return apply


def edit(name: str, apply: Callable[[Template], object], changed: Any, *kinds: str, **more: Any) -> Edit:
    changed = {changed: "none"} if isinstance(changed, str) else changed
    return Edit(name, apply, changed, frozenset(kinds), **more)


P, C, S, H = "ProcessWebhook", "CheckAlerts", "SendNotification", "CleanupHistory"
PRICES, ALERTS = "PriceHistoryTable", "PriceAlertsTable"
ROLE = f"{P}Role/Properties/Policies/0/PolicyDocument/Statement"
POLICY, VERSIONED = ROLE.removesuffix("/Statement"), "Policies[0].PolicyDocument"
NOT_TOPICS = "Properties/Policies/0/PolicyDocument/Statement/4/NotResource"
AS_TEXT = '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "logs:*", "Resource": "*"}]}'
INDEX = "CryptocurrencyIndex"
MAPPING = "CheckAlertsEventSourceMapping"
DEPLOYMENT = next(name for name in TEMPLATES["prod"]["Resources"] if name.startswith("WebhookDeployment"))
METHOD = {"WebhookMethod": "none", DEPLOYMENT: "none"}
POSSIBLE_MAPPING = {MAPPING: "possible"}
WIDER, NARROWER = "iam-widening", "iam-narrowing"
LINES = "Properties/Code/ZipFile/Fn::Join/1"
NEW_ALLOW = {"Effect": "Allow", "Action": ["sns:Publish"], "Resource": [{"Ref": "NotificationTopic"}]}
NEW_DENY = {"Effect": "Deny", "Action": ["dynamodb:*"], "Resource": ["*"]}
MANAGED = ["arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"]

EDITS = [
    edit("a function's timeout", put(f"{P}Function/Properties/Timeout", 29), f"{P}Function", path="Timeout"),
    edit("memory", put(f"{C}Function/Properties/MemorySize", 1024), f"{C}Function", path="MemorySize"),
    edit("runtime", put(f"{S}Function/Properties/Runtime", "python3.14"), f"{S}Function", path="Runtime"),
    edit(
        "an environment variable",
        put(f"{P}Function/Properties/Environment/Variables/RETENTION_S", "60"),
        f"{P}Function",
        path="Environment.Variables.RETENTION_S",
    ),
    edit(
        "an environment variable added",
        put(f"{P}Function/Properties/Environment/Variables/DEBUG", "1"),
        f"{P}Function",
        path="Environment.Variables.DEBUG",
    ),
    edit("tracing removed", put(f"{P}Function/Properties/TracingConfig", None), f"{P}Function", path="TracingConfig"),
    edit(
        "a function's name",
        put(f"{H}Function/Properties/FunctionName", "cleanup"),
        # A resource that names the function in a create-only property is replaced with it.
        {f"{H}Function": "certain", "CleanupHistoryInvokeConfig": "possible"},
        "replacement",
        path="FunctionName",
    ),
    edit(
        "another role",
        put(f"{P}Function/Properties/Role", {"Fn::GetAtt": [f"{H}Role", "Arn"]}),
        f"{P}Function",
        WIDER,
        NARROWER,
        path="Role",
    ),
    edit(
        "a reservation raised",
        put(f"{P}Function/Properties/ReservedConcurrentExecutions", 100),
        f"{P}Function",
        "reservation",
        path="ReservedConcurrentExecutions",
    ),
    edit(
        "a reservation removed",
        put(f"{S}Function/Properties/ReservedConcurrentExecutions", None),
        f"{S}Function",
        "reservation",
        path="ReservedConcurrentExecutions",
    ),
    edit("a line of code changed", put(f"{P}Function/{LINES}/12", "WINDOW_S = 1"), f"{P}Function", "handler"),
    edit("a line of code added", put(f"{H}Function/{LINES}/+", "print()"), f"{H}Function", "handler"),
    edit("a line of code removed", put(f"{C}Function/{LINES}/0", None), f"{C}Function", "handler", path="Code.ZipFile"),
    edit(
        "a table's partition key",
        put(f"{PRICES}/Properties/KeySchema/0/AttributeName", "pair"),
        {PRICES: "certain"} | POSSIBLE_MAPPING,
        "replacement",
        path="KeySchema[0].AttributeName",
        note="position in its stream",
    ),
    edit(
        "a table's sort key dropped",
        put(f"{ALERTS}/Properties/KeySchema/1", None),
        {ALERTS: "certain"},
        "replacement",
        path="KeySchema[1]",
        note="UpdateReplacePolicy Retain keeps the old one",
    ),
    edit(
        "a key attribute's type",
        put(f"{ALERTS}/Properties/AttributeDefinitions/0/AttributeType", "N"),
        {ALERTS: "certain"},
        "replacement",
        path="AttributeDefinitions[0].AttributeType",
    ),
    edit(
        "a table's name",
        put(f"{PRICES}/Properties/TableName", "prices"),
        {PRICES: "certain"} | POSSIBLE_MAPPING,
        "replacement",
        path="TableName",
    ),
    edit(
        "an index's key",
        put(f"{ALERTS}/Properties/GlobalSecondaryIndexes/0/KeySchema/1/AttributeName", "armedAt"),
        ALERTS,
        path="GlobalSecondaryIndexes[0].KeySchema[1].AttributeName",
        note=f"cannot change the index {INDEX}: rename it, and add and delete in two updates",
    ),
    edit(
        "an index's projection",
        put(f"{ALERTS}/Properties/GlobalSecondaryIndexes/0/Projection", {"ProjectionType": "ALL"}),
        ALERTS,
        note=f"cannot change the index {INDEX}: rename it, and add and delete in two updates",
    ),
    edit(
        "an index removed",
        put(f"{ALERTS}/Properties/GlobalSecondaryIndexes", None),
        ALERTS,
        note=f"the index {INDEX} is deleted: queries of it fail",
    ),
    edit(
        "an index renamed",
        put(f"{ALERTS}/Properties/GlobalSecondaryIndexes/0/IndexName", "Other"),
        ALERTS,
        note="adds or deletes one index per update",
    ),
    edit(
        "deletion protection taken away",
        put(f"{PRICES}/Properties/DeletionProtectionEnabled", False),
        PRICES,
        note="deletion protection is removed",
    ),
    edit(
        "point-in-time recovery removed",
        put(f"{PRICES}/Properties/PointInTimeRecoverySpecification", None),
        PRICES,
        note="point-in-time recovery is turned off",
    ),
    edit(
        "point-in-time recovery turned off",
        put(f"{PRICES}/Properties/PointInTimeRecoverySpecification/PointInTimeRecoveryEnabled", "false"),
        PRICES,
        note="point-in-time recovery is turned off",
    ),
    edit(
        "encryption of a table",
        put(f"{PRICES}/Properties/SSESpecification", None),
        PRICES,
        note="no longer encrypted with a KMS key",
    ),
    edit(
        "DeletionPolicy",
        put(f"{PRICES}/DeletionPolicy", "Delete"),
        PRICES,
        path="DeletionPolicy",
        note="DeletionPolicy Retain is removed: the resource is deleted when it is removed from the stack",
    ),
    edit(
        "UpdateReplacePolicy",
        put(f"{PRICES}/UpdateReplacePolicy", None),
        PRICES,
        note="UpdateReplacePolicy Retain is removed: the resource is deleted when it is replaced",
    ),
    edit(
        "how a secret is generated",
        put("SigningSecret/Properties/GenerateSecretString/PasswordLength", 64),
        "SigningSecret",
        note="a new value is generated: senders need it within 24 hours, while the old one is still accepted",
    ),
    edit(
        "a stage's name",
        put("WebhookStage/Properties/StageName", "v2"),
        {"WebhookStage": "certain"},
        "replacement",
        note="its URL: senders need the new one",
    ),
    edit("retention of a log", put(f"{P}LogGroup/Properties/RetentionInDays", 7), f"{P}LogGroup"),
    edit("log name", put(f"{P}LogGroup/Properties/LogGroupName", "/x"), {f"{P}LogGroup": "certain"}, "replacement"),
    edit("retention of a queue", put("AsyncFailureQueue/Properties/MessageRetentionPeriod", 60), "AsyncFailureQueue"),
    edit(
        "a queue becomes FIFO",
        put("StreamFailureQueue/Properties/FifoQueue", True),
        {"StreamFailureQueue": "certain"},
        "replacement",
        note="the old one is deleted, and with it the messages in it",
    ),
    edit("batch size", put(f"{MAPPING}/Properties/BatchSize", 100), MAPPING, path="BatchSize"),
    edit(
        "starting position",
        put(f"{MAPPING}/Properties/StartingPosition", "LATEST"),
        {MAPPING: "certain"},
        "replacement",
    ),
    edit(
        "the path of the API",
        put("WebhookResource/Properties/PathPart", "hooks"),
        {"WebhookResource": "certain", "WebhookMethod": "possible", DEPLOYMENT: "none"},
        "replacement",
        path="PathPart",
    ),
    edit("the API key dropped", put("WebhookMethod/Properties/ApiKeyRequired", False), METHOD, WIDER, note="stage"),
    edit("a new deployment", rename(DEPLOYMENT, "WebhookDeployment0"), "WebhookDeployment0", note="expected"),
    edit("usage plan", put("WebhookUsagePlan/Properties/Throttle/RateLimit", 1), "WebhookUsagePlan"),
    edit("an action added", put(f"{ROLE}/3/Action/+", "dynamodb:DeleteItem"), f"{P}Role", WIDER),
    edit("an action removed", put(f"{ROLE}/0/Action/0", None), f"{P}Role", NARROWER),
    edit("a wildcard for actions", put(f"{ROLE}/3/Action", "dynamodb:*"), f"{P}Role", WIDER),
    edit("a wildcard for a resource", put(f"{ROLE}/3/Resource", ["*"]), f"{P}Role", WIDER),
    edit(
        "another resource",
        put(f"{ROLE}/3/Resource/0", {"Fn::GetAtt": [ALERTS, "Arn"]}),
        f"{P}Role",
        WIDER,
        NARROWER,
    ),
    edit("a statement added", put(f"{ROLE}/+", NEW_ALLOW), f"{P}Role", WIDER),
    edit("a statement removed", put(f"{ROLE}/4", None), f"{P}Role", NARROWER),
    edit("a denial added", put(f"{ROLE}/+", NEW_DENY), f"{P}Role", NARROWER),
    edit("a condition added", put(f"{ROLE}/3/Condition", {"Bool": {"aws:x": "true"}}), f"{P}Role", NARROWER),
    edit(
        "NotAction for Action",
        lambda t: t["Resources"][f"{P}Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][3].update(
            NotAction=["iam:*"], Action=[]
        ),
        f"{P}Role",
        WIDER,
    ),
    edit("a managed policy added", put(f"{P}Role/Properties/ManagedPolicyArns", MANAGED), f"{P}Role", WIDER),
    edit("a boundary added", put(f"{P}Role/Properties/PermissionsBoundary", "arn:b"), f"{P}Role", NARROWER),
    edit(
        "a condition of a trust policy dropped",
        put("CleanupScheduleRole/Properties/AssumeRolePolicyDocument/Statement/0/Condition", None),
        "CleanupScheduleRole",
        WIDER,
    ),
    edit(
        "another who may take a role",
        put(
            f"{P}Role/Properties/AssumeRolePolicyDocument/Statement/0/Principal/Service", ["lambda.amazonaws.com", "x"]
        ),
        f"{P}Role",
        WIDER,
    ),
    edit(
        "a condition of the key's policy dropped",
        put("KmsKey/Properties/KeyPolicy/Statement/2/Condition", None),
        "KmsKey",
        WIDER,
    ),
    edit(
        "the queue opened to everyone",
        put("AsyncFailureQueuePolicy/Properties/PolicyDocument/Statement/0/Principal", "*"),
        "AsyncFailureQueuePolicy",
        WIDER,
    ),
    edit(
        "the source of a permission dropped",
        put("SendNotificationPermission/Properties/SourceArn", None),
        {"SendNotificationPermission": "certain"},
        WIDER,
        "replacement",
    ),
    edit(
        "a threshold raised",
        put("SmsSpendAlarm/Properties/Threshold", 400_000),
        "SmsSpendAlarm",
        "alarm",
        path="Threshold",
    ),
    edit("an alarm without actions", put("SmsSpendAlarm/Properties/AlarmActions", []), "SmsSpendAlarm", "alarm"),
    edit("an alarm removed", drop("SmsSpendAlarm"), "SmsSpendAlarm", "removal"),
    edit("a table removed", drop(PRICES), PRICES, "removal", note="DeletionPolicy Retain keeps it"),
    edit("a queue removed", drop("StreamFailureQueue"), "StreamFailureQueue", "removal", note="with it the messages"),
    edit("a role removed", drop(f"{H}Role"), f"{H}Role", "removal", NARROWER),
    edit("a topic added", top("Resources", "Extra", {"Type": "AWS::SNS::Topic"}), "Extra"),
    edit(
        "a role added",
        top(
            "Resources",
            "Extra",
            {"Type": "AWS::IAM::Policy", "Properties": {"PolicyDocument": {"Statement": NEW_ALLOW}, "Roles": ["r"]}},
        ),
        "Extra",
        WIDER,
    ),
    edit("another type", put("OperationsTopic/Type", "AWS::SQS::Queue"), {"OperationsTopic": "certain"}, "replacement"),
    edit("encryption of a topic", put("OperationsTopic/Properties/KmsMasterKeyId", None), "OperationsTopic"),
    edit(
        "key rotation",
        put("KmsKey/Properties/EnableKeyRotation", False),
        "KmsKey",
        path="EnableKeyRotation",
        note="the key is no longer rotated",
    ),
    edit("a policy's version", put(f"{POLICY}/Version", "2008-10-17"), f"{P}Role", path=f"{VERSIONED}.Version"),
    edit("a role's condition removed", put("ApiLoggingRole/Condition", None), "ApiLoggingRole", WIDER),
    edit("a literal for a reference", put(f"{ROLE}/4/Resource", ["${SigningSecret}"]), f"{P}Role", WIDER, NARROWER),
    edit(
        "a literal that leaves out nothing",
        put(f"{S}Role/{NOT_TOPICS}", ["arn:${AWS::Partition}:sns:*:*:*"]),
        f"{S}Role",
        WIDER,
        NARROWER,
    ),
    edit(
        "an effect that is a parameter's",
        put(f"{ROLE}/+", {**NEW_ALLOW, "Effect": {"Ref": "EnvironmentSuffix"}}),
        f"{P}Role",
        WIDER,
        NARROWER,
    ),
    edit(
        "a policy for another queue",
        put("AsyncFailureQueuePolicy/Properties/Queues/+", {"Ref": "StreamFailureQueue"}),
        "AsyncFailureQueuePolicy",
        WIDER,
    ),
    edit(
        "a policy written as text",
        put("Logs", {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyDocument": AS_TEXT}}),
        "Logs",
        WIDER,
    ),
    edit(
        "a policy that is a parameter's",
        put("Logs", {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyDocument": {"Ref": "P"}}}),
        "Logs",
        WIDER,
    ),
    edit(
        "a role for an integration",
        put("WebhookMethod/Properties/Integration/Credentials", {"Fn::GetAtt": [f"{H}Role", "Arn"]}),
        METHOD,
        WIDER,
    ),
    edit(
        "an alarm on another function",
        put(f"{P}ErrorsAlarm/Properties/Dimensions/0/Value", {"Ref": f"{H}Function"}),
        f"{P}ErrorsAlarm",
        "alarm",
    ),
    edit("an alarm's unit", put(f"{P}ErrorsAlarm/Properties/Unit", "Count"), f"{P}ErrorsAlarm", "alarm"),
    edit("the schedule", put("CleanupSchedule/Properties/ScheduleExpression", "rate(1 day)"), "CleanupSchedule"),
    edit("DependsOn", put(f"{DEPLOYMENT}/DependsOn/0", None), DEPLOYMENT, path="DependsOn[0]"),
    edit(
        "a resource's condition",
        put("Dashboard/Condition", "CreateApiLogging"),
        "Dashboard",
        "removal",
        path="Condition",
        note="exists only if CreateApiLogging holds, and is removed otherwise",
    ),
    edit(
        "the suffix",
        lambda t: t["Parameters"]["EnvironmentSuffix"].update(Default="blue"),
        {},
        "alarm",
        parts=("Parameters.EnvironmentSuffix.Default",),
    ),
    edit(
        "a condition that switches resources",
        lambda t: t["Conditions"].update(CreateApiLogging={"Fn::Equals": ["a", "a"]}),
        dict.fromkeys(("WebhookStage", "ApiLoggingRole", "ApiLoggingAccount"), "none"),
        WIDER,
        parts=("Conditions.CreateApiLogging",),
    ),
    edit("an output removed", lambda t: t["Outputs"].pop("WebhookUrl"), {}, parts=("Outputs.WebhookUrl",)),
    edit("the description", lambda t: t.update(Description="x"), {}, parts=("Description",)),
]
