"""Checks beyond concurrency and SMS: Lambda's runtime, API Gateway, DynamoDB, KMS and the operations topic."""

from __future__ import annotations

import importlib.util
import json
import math
import shlex
from datetime import date
from pathlib import Path

from generator._format import counted, joined
from generator.account import live_stack
from generator.account.connection import USE_AWS, Unavailable
from generator.account.deployment import CheckResult, Deployment, failed, passed, warned
from generator.stack import names
from generator.stack.functions import RUNTIME

_RUNTIME_DATES = Path("data", "AdditionalSpecs", "LmbdRuntimeLifecycle.json")

_KEY_REPAIR_COMMANDS = {"PendingDeletion": "cancel-key-deletion", "Disabled": "enable-key"}

_CONSOLES = {"us-gov-": "console.amazonaws-us-gov.com", "cn-": "console.amazonaws.cn"}
"""Hosts of the AWS console by prefix of the Region.

Source: AWS GovCloud (US) User Guide and Amazon Web Services in China, "Getting started".
"""


def runtime(deployment: Deployment) -> CheckResult:
    """Check that AWS still accepts functions with the template's runtime."""
    dates = runtime_dates().get(RUNTIME)
    if dates is None:
        raise Unavailable(f"cfn-lint has no dates for {RUNTIME}", "run: pip install -U cfn-lint")
    try:
        is_update = live_stack.find(deployment.account, deployment.stack_name) is not None
    except Unavailable:
        is_update = False  # AWS blocks creation earlier than updates.
    until = dates["update-block" if is_update else "create-block"]
    what = "updated" if is_update else "created"
    if until is not None and deployment.today >= date.fromisoformat(until):
        return failed(
            f"{RUNTIME} functions can no longer be {what}, since {until}",
            f"install a newer release of this tool (see its README), then run: {deployment.generate}",
        )
    return passed(f"{RUNTIME} functions can be {what}" + (f" until {until}" if until else ""))


def runtime_dates() -> dict[str, dict[str, str | None]]:
    """Return AWS's end-of-life dates by runtime, as cfn-lint ships them, because no AWS API returns them.

    Source: AWS Lambda Developer Guide, "Lambda runtimes". Raises Unavailable if cfn-lint keeps them elsewhere.
    """
    spec = importlib.util.find_spec("cfnlint")
    folders = spec.submodule_search_locations if spec else None
    try:
        text = Path((folders or [""])[0], _RUNTIME_DATES).read_text(encoding="utf-8")
        dates: dict[str, dict[str, str | None]] = json.loads(text)
    except (OSError, ValueError) as error:
        reason = f"cfn-lint's runtime dates cannot be read ({error})"
        raise Unavailable(reason, "run: pip install -U cfn-lint") from error
    return dates


def api_logging_role(deployment: Deployment) -> CheckResult:
    """Check that `api_logging_role` is the right choice for this account.

    Source: API Gateway Developer Guide, "Permissions for CloudWatch logging": one role per account and Region.
    """
    role = str(deployment.account.call("apigateway", "GetAccount").get("cloudwatchRoleArn") or "")
    is_created = deployment.environment.operations.api_logging_role == "create"
    choose = f'write api_logging_role = "{{}}" under [operations], then run: {deployment.generate}'
    if not role and is_created:
        return passed("the stack will create the Region's logging role")
    if not role:
        what = "the Region has no API Gateway logging role, and the stage cannot be created without one"
        return failed(what, choose.format("create"))
    own_role = _physical_id(deployment, "AWS::IAM::Role", names.API_LOGGING_ROLE)
    is_own = own_role is not None and role.endswith(f"/{own_role}")
    if is_own and not is_created:
        what = f'this stack created the Region\'s logging role ({role}); "existing" would leave it unmanaged'
        return failed(what, choose.format("create"))
    is_replaced = is_created and not is_own
    if role_exists(deployment, role):
        if not is_replaced:
            return passed(f"the logging role is {role}")
        what = f"the Region already has a logging role ({role}), which this stack would replace with its own"
        return failed(what, choose.format("existing"))
    if is_replaced:
        return passed(f"the stack will replace the Region's logging role {role}, which no longer exists")
    set_role = "apigateway update-account --patch-operations op=replace,path=/cloudwatchRoleArn,value=ROLE_ARN"
    return failed(
        f"the Region's logging role {role} no longer exists, so API Gateway cannot write its logs",
        f"create a role that API Gateway may assume, then set it: {deployment.aws(set_role)}",
    )


def api_name(deployment: Deployment) -> CheckResult:
    """Check that no other API has this one's name, because metrics and alarms identify an API by its name alone.

    Source: API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics".
    """
    stack = live_stack.find(deployment.account, deployment.stack_name) or {}
    given = {row["ParameterKey"]: row.get("ParameterValue") for row in stack.get("Parameters", [])}
    suffix = given.get(names.ENVIRONMENT_SUFFIX) or deployment.environment.name
    name = names.API_NAME.replace(f"${{{names.ENVIRONMENT_SUFFIX}}}", suffix)
    own_id = _physical_id(deployment, "AWS::ApiGateway::RestApi", names.API)
    apis = deployment.account.call("apigateway", "GetRestApis").get("items", [])
    others = [api["id"] for api in apis if api.get("name") == name and api["id"] != own_id]
    if not others:
        return passed(f"no other API has the name {name}")
    rename = f"apigateway update-rest-api --rest-api-id {others[0]} --patch-operations op=replace,path=/name,value=NEW"
    return failed(
        f"another API ({', '.join(others)}) also has the name {name}: its errors would trigger this stack's alarms",
        f"rename the other API: {deployment.aws(rename)}; or deploy with another EnvironmentSuffix",
    )


def table_throughput(deployment: Deployment) -> CheckResult:
    """Check that one table accepts the peak: every webhook is one write of at most 1 KB.

    Source: Amazon DynamoDB Developer Guide, "Service, account, and table quotas": the quota also applies to on-demand
    tables.
    """
    answer = deployment.account.call("dynamodb", "DescribeLimits")
    if "TableMaxWriteCapacityUnits" not in answer:
        raise Unavailable("dynamodb DescribeLimits returned no TableMaxWriteCapacityUnits", USE_AWS)
    quota, peak = int(answer["TableMaxWriteCapacityUnits"]), math.ceil(deployment.environment.peak_rate_per_s)
    if quota >= peak:
        return passed(f"the quota of a table is {quota:,} writes/s, and the peak is {peak:,}/s")
    code = deployment.aws("service-quotas list-service-quotas --service-code dynamodb")
    return failed(
        f"the quota of a table is {quota:,} writes/s, below the peak of {peak:,}/s",
        f"request a higher quota for a table's write throughput; find its code with: {code}",
    )


def key(deployment: Deployment) -> CheckResult:
    """Check that KMS answers and that the key of a live stack is enabled: without it, its tables are unreadable."""
    key_id = _physical_id(deployment, "AWS::KMS::Key", names.KEY)
    if key_id is None:
        deployment.account.call("kms", "ListKeys", Limit=1)
        return passed("KMS answers; the stack will create its key")
    metadata = deployment.account.call("kms", "DescribeKey", KeyId=key_id).get("KeyMetadata", {})
    state = metadata.get("KeyState", "unknown")
    if state == "Enabled":
        return passed(f"the stack's key {key_id} is enabled")
    command = deployment.aws(f"kms {_KEY_REPAIR_COMMANDS.get(state, 'describe-key')} --key-id {key_id}")
    then = f", then {deployment.aws(f'kms enable-key --key-id {key_id}')}" if state == "PendingDeletion" else ""
    return failed(
        f"the stack's key {key_id} is in state {state}, so encrypted data cannot be read", f"run: {command}{then}"
    )


def operations_topic(deployment: Deployment) -> CheckResult:
    """Check that somebody receives the alarms.

    Source: Amazon SNS API reference, Subscribe: a subscription receives nothing until its owner confirms it.
    """
    email = deployment.environment.operations.email
    set_email = f"write email = ... under [operations], then run: {deployment.generate}"
    topic = _physical_id(deployment, "AWS::SNS::Topic", names.OPERATIONS_TOPIC)
    if topic is None and email:
        return passed(f"the stack will subscribe {email} to its alarms; confirm the message that AWS sends there")
    if topic is None:
        return warned("nobody is going to receive the alarms: operations.email is empty", set_email)
    rows = deployment.account.call("sns", "ListSubscriptionsByTopic", TopicArn=topic).get("Subscriptions", [])
    pending = [row.get("Endpoint", "") for row in rows if not row.get("SubscriptionArn", "").startswith("arn:")]
    if len(pending) < len(rows):
        return passed(f"the alarms have {counted(len(rows) - len(pending), 'confirmed subscription')}")
    if pending:
        again = f"sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {shlex.quote(pending[0])}"
        return failed(
            f"nobody receives the alarms: {joined(pending)} did not confirm the subscription",
            f"open the link in the message that AWS sent there; to get a new one, run: {deployment.aws(again)}",
        )
    if email:
        return passed(f"the update will subscribe {email} to the alarms; confirm the message that AWS sends there")
    return failed(f"nobody receives the alarms: the topic {topic} has no subscription", set_email)


def role_exists(deployment: Deployment, role_arn: str) -> bool:
    """Return whether the IAM role still exists. A role of another account counts as existing. Raises Unavailable."""
    account_id, _, name = role_arn.split(":", 4)[-1].partition(":")
    if account_id != deployment.account.id:
        return True
    role = name.rpartition("/")[2]
    return deployment.account.call_or_none("NoSuchEntity", "iam", "GetRole", RoleName=role) is not None


def console(region: str) -> str:
    """Return the address of the AWS console for a Region."""
    host = next((host for beginning, host in _CONSOLES.items() if region.startswith(beginning)), None)
    return f"https://{host or f'{region}.console.aws.amazon.com'}"


def _physical_id(deployment: Deployment, type_: str, logical_id: str) -> str | None:
    """Return the physical id of a resource of the live stack, if there is one."""
    return live_stack.physical_ids(deployment.account, deployment.stack_name, type_).get(logical_id)
