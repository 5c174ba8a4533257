"""Checks beyond concurrency: Lambda's runtime, API Gateway, DynamoDB, KMS and SNS."""

from __future__ import annotations

import importlib.util
import json
import math
from datetime import date
from pathlib import Path
from typing import Any

from generator._format import usd
from generator.account import live_stack
from generator.account.connection import USE_AWS, Unavailable
from generator.account.deployment import CheckResult, Deployment, failed, passed, skipped
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
        is_update = live_stack.find(deployment, deployment.stack_name) is not None
    except Unavailable:
        is_update = False  # AWS blocks creation earlier than updates.
    until = dates["update-block" if is_update else "create-block"]
    what = "updated" if is_update else "created"
    if until is not None and deployment.today >= date.fromisoformat(until):
        return failed(
            f"{RUNTIME} functions can no longer be {what}, since {until}",
            "install a newer release of this tool (see its README), then run: "
            f"generator template {deployment.environment.name}",
        )
    return passed(f"{RUNTIME} functions can be {what}" + (f" until {until}" if until else ""))


def runtime_dates() -> dict[str, dict[str, str | None]]:
    """Return AWS's end-of-life dates by runtime, as cfn-lint ships them, because no AWS API returns them.

    Source: AWS Lambda Developer Guide, "Lambda runtimes". Raises Unavailable if cfn-lint keeps them elsewhere.
    """
    spec = importlib.util.find_spec("cfnlint")
    folders = spec.submodule_search_locations if spec else None
    try:
        found: Any = json.loads(Path((folders or [""])[0], _RUNTIME_DATES).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = f"cfn-lint's runtime dates cannot be read ({error})"
        raise Unavailable(reason, "run: pip install -U cfn-lint") from error
    return dict(found)


def api_logging_role(deployment: Deployment) -> CheckResult:
    """Check that `api_logging_role` is the right choice for this account.

    Source: API Gateway Developer Guide, "Permissions for CloudWatch logging": one role per account and Region.
    """
    role = deployment.account.call("apigateway", "GetAccount").get("cloudwatchRoleArn")
    choice = deployment.environment.operations.api_logging_role
    is_own = bool(role) and _is_own_role(deployment, str(role))
    if choice == "existing" and not role:
        return failed(
            "the Region has no API Gateway logging role, and the stage cannot be created without one",
            _choose_logging_role(deployment, "create"),
        )
    if choice == "create" and role and not is_own:
        return failed(
            f"the Region already has a logging role ({role}), which this stack would replace with its own",
            _choose_logging_role(deployment, "existing"),
        )
    if choice == "existing" and is_own:
        return failed(
            f'this stack created the Region\'s logging role ({role}); "existing" would leave it unmanaged',
            _choose_logging_role(deployment, "create"),
        )
    return passed(f"the logging role is {role}" if role else "the stack will create the Region's logging role")


def api_name(deployment: Deployment) -> CheckResult:
    """Check that no other API has this one's name, because metrics and alarms identify an API by its name alone.

    Source: API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics".
    """
    name = names.API_NAME.replace(f"${{{names.ENVIRONMENT_SUFFIX}}}", _suffix(deployment))
    own = live_stack.physical_ids(deployment, deployment.stack_name, "AWS::ApiGateway::RestApi").get(names.API)
    found = deployment.account.call("apigateway", "GetRestApis").get("items", [])
    others = [api["id"] for api in found if api.get("name") == name and api["id"] != own]
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
    own = live_stack.physical_ids(deployment, deployment.stack_name, "AWS::KMS::Key").get(names.KEY)
    if own is None:
        deployment.account.call("kms", "ListKeys", Limit=1)
        return passed("KMS answers; the stack will create its key")
    state = deployment.account.call("kms", "DescribeKey", KeyId=own).get("KeyMetadata", {}).get("KeyState", "unknown")
    if state == "Enabled":
        return passed(f"the stack's key {own} is enabled")
    command = deployment.aws(f"kms {_KEY_REPAIR_COMMANDS.get(state, 'describe-key')} --key-id {own}")
    then = f", then {deployment.aws(f'kms enable-key --key-id {own}')}" if state == "PendingDeletion" else ""
    return failed(
        f"the stack's key {own} is in state {state}, so encrypted data cannot be read", f"run: {command}{then}"
    )


def sms_sandbox(deployment: Deployment) -> CheckResult:
    """Check that the account sends SMS to numbers that are not verified.

    Source: Amazon SNS Developer Guide, "Using the Amazon SNS SMS sandbox".
    """
    answer = deployment.account.call("sns", "GetSMSSandboxAccountStatus")
    if "IsInSandbox" not in answer:
        raise Unavailable("sns GetSMSSandboxAccountStatus returned no IsInSandbox", USE_AWS)
    if not answer["IsInSandbox"]:
        return passed("the account is out of the SMS sandbox")
    number, region = "--phone-number +15555550100", deployment.account.region
    create = deployment.aws(f"sns create-sms-sandbox-phone-number {number}")
    verify = deployment.aws(f"sns verify-sms-sandbox-phone-number {number} --one-time-password CODE")
    return failed(
        "the account is in the SMS sandbox: only verified numbers (at most 10) receive SMS",
        f"verify your test numbers: {create}, then with the code that arrives: {verify}; to reach everyone, ask to "
        f"leave the sandbox at {_console(region)}/sns/v3/home?region={region}#/mobile/text-messaging",
    )


def sms_spend(deployment: Deployment) -> CheckResult:
    """Check that the account's monthly SMS limit is at least the budget in the environment file.

    Source: Amazon SNS API reference, SetSMSAttributes. If no limit is set, the account's quota applies, which no API
    returns; it is 1 USD in new accounts ("Requesting increases to your monthly Amazon SNS SMS spending quota").
    """
    wanted = deployment.environment.operations.sms_monthly_spend_usd
    answer = deployment.account.call("sns", "GetSMSAttributes", attributes=("MonthlySpendLimit",))
    remedy = (
        f"run: {deployment.aws(f'sns set-sms-attributes --attributes MonthlySpendLimit={wanted:g}')} "
        "(if AWS refuses, the account's quota is lower: open a quota increase case for SNS text messaging)"
    )
    stated = answer.get("attributes", {}).get("MonthlySpendLimit") or ""
    if not stated.replace(".", "", 1).isdecimal():
        return skipped("no monthly SMS limit is set: the account's quota applies, 1 USD in a new account", remedy)
    limit = float(stated)
    if limit >= wanted:
        return passed(f"the monthly SMS limit is {usd(limit)} ({usd(wanted)} in the environment file)")
    return failed(
        f"the monthly SMS limit is {usd(limit)}, not the {usd(wanted)} in the environment file; "
        "AWS stops sending SMS when it is spent",
        remedy,
    )


def _is_own_role(deployment: Deployment, role_arn: str) -> bool:
    own = live_stack.physical_ids(deployment, deployment.stack_name, "AWS::IAM::Role").get(names.API_LOGGING_ROLE)
    return bool(own) and role_arn.endswith(f"/{own}")


def _choose_logging_role(deployment: Deployment, choice: str) -> str:
    name = deployment.environment.name
    return f'write api_logging_role = "{choice}" under [operations], then run: generator template {name}'


def _suffix(deployment: Deployment) -> str:
    """Return the EnvironmentSuffix that the live stack was deployed with; otherwise the template's default."""
    found = live_stack.find(deployment, deployment.stack_name) or {}
    given = {row["ParameterKey"]: row.get("ParameterValue") for row in found.get("Parameters", [])}
    return given.get(names.ENVIRONMENT_SUFFIX) or deployment.environment.name


def _console(region: str) -> str:
    for beginning, host in _CONSOLES.items():
        if region.startswith(beginning):
            return f"https://{host}"
    return f"https://{region}.console.aws.amazon.com"
