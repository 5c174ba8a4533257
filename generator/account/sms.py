"""Checks of SMS delivery: Region, enrolment, sandbox, origination identity, spend limit, cost and delivery log.

SNS sends SMS through AWS End User Messaging SMS. If one of these is missing, SNS accepts a message and drops it later:
the stack records the alert as sent, and nobody receives it.
"""

from __future__ import annotations

import itertools
import json
import math
import shlex
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import NamedTuple

from generator._format import joined, usd
from generator.account.connection import SMS_VOICE, USE_AWS, Unavailable, document, partition
from generator.account.deployment import CheckResult, Deployment, failed, passed, skipped, warned
from generator.account.services import console, role_exists
from generator.aws import REGIONS_WITHOUT_SMS
from generator.capacity import sms as volume
from generator.template.intrinsics import Json, as_list

NOT_ENROLLED = "needs a subscription for the service"
"""Part of AWS's error for an account that is not enrolled. Its code is UserError or SubscriptionRequiredException.

Source: public issue reports, such as "The AWS Access Key Id needs a subscription for the service (Service:
PinpointSmsVoiceV2)".
"""

_ENROLMENT_CALLS = (
    (SMS_VOICE, "DescribeAccountAttributes"),
    ("sns", "GetSMSSandboxAccountStatus"),
    ("sns", "GetSMSAttributes"),
)
"""Calls that AWS refuses to an account that is not enrolled."""

_POLICIES_SINCE = datetime(2024, 9, 24, tzinfo=UTC)
"""Origination identities created before that day admit SNS without a policy.

Source: AWS Messaging Blog, "A Guide to the New Resource Policies for SMS Origination Identities".
"""

_SNS, _SEND = "sns.amazonaws.com", "sms-voice:SendTextMessage"


def can_send(deployment: Deployment) -> bool:
    """Return whether SNS sends SMS from the Region.

    No AWS API returns these Regions, so botocore's list of those of AWS End User Messaging SMS is used. Source: Amazon
    SNS Developer Guide, "Supported Regions and countries".
    """
    region_, session = deployment.account.region, deployment.account.session
    with_service = session.get_available_regions(SMS_VOICE, partition_name=partition(region_))
    return region_ in with_service and region_ not in REGIONS_WITHOUT_SMS


def region(deployment: Deployment) -> CheckResult:
    """Check that SNS sends SMS from the Region."""
    region_ = deployment.account.region
    if can_send(deployment):
        return passed(f"SNS sends SMS from {region_}")
    return failed(
        f"SNS sends no SMS from {region_}: it answers InvalidParameter for every number, so every alert is lost",
        "deploy to a Region with SMS, such as us-east-1; if AWS supports SMS there by now, run: pip install -U boto3",
    )


def enrolment(deployment: Deployment) -> CheckResult:
    """Check that the account is enrolled in AWS End User Messaging SMS, through which SNS sends."""
    refusals = []
    for service, operation in _ENROLMENT_CALLS:
        try:
            deployment.account.call(service, operation)
        except Unavailable as unavailable:
            refusals.append(unavailable)
    if refused := next((refusal for refusal in refusals if NOT_ENROLLED in refusal.reason), None):
        region_ = deployment.account.region
        page = f"{console(region_)}/sms-voice/home?region={region_}"
        return failed(
            f"the account is not enrolled in AWS End User Messaging SMS, so SNS drops every SMS ({refused.reason})",
            f"set the service up at {page}; if that fails, open a support case",
        )
    if len(refusals) == len(_ENROLMENT_CALLS):
        raise refusals[0]
    return passed("the account is enrolled in AWS End User Messaging SMS")


def sandbox(deployment: Deployment) -> CheckResult:
    """Check that the account sends SMS to numbers that are not verified.

    Source: Amazon SNS Developer Guide, "Using the Amazon SNS SMS sandbox".
    """
    answer = deployment.account.call("sns", "GetSMSSandboxAccountStatus")
    if "IsInSandbox" not in answer:
        raise Unavailable("sns GetSMSSandboxAccountStatus returned no IsInSandbox", USE_AWS)
    if not answer["IsInSandbox"]:
        return passed("the account is out of the SMS sandbox")
    number, region_ = "--phone-number +15555550100", deployment.account.region
    create = deployment.aws(f"sns create-sms-sandbox-phone-number {number}")
    verify = deployment.aws(f"sns verify-sms-sandbox-phone-number {number} --one-time-password CODE")
    return failed(
        "the account is in the SMS sandbox: only verified numbers (at most 10) receive SMS",
        f"verify your test numbers: {create}, then with the code that arrives: {verify}; to reach everyone, ask to "
        f"leave the sandbox at {console(region_)}/sns/v3/home?region={region_}#/mobile/text-messaging",
    )


def origination(deployment: Deployment) -> CheckResult:
    """Check that SNS may send from a number, a sender ID or a pool of the account, for each of their countries.

    Identities that other accounts share with this one do not count. Source: Amazon SNS Developer Guide, "Supported
    Regions and countries" (the United States) and "SMS access management".
    """
    numbers = _identities(deployment, "the phone number", "PhoneNumber", "PhoneNumber")
    sender_ids = _identities(deployment, "the sender ID", "SenderId", "SenderId")
    identities = [*numbers, *sender_ids] or [*_identities(deployment, "the pool", "Pool", "PoolId")]
    if not identities:
        options = "--iso-country-code US --message-type TRANSACTIONAL --number-capabilities SMS --number-type TOLL_FREE"
        request = deployment.aws(f"{SMS_VOICE} request-phone-number {options}")
        return failed(
            f"the account has no active phone number, sender ID or pool in {deployment.account.region}: SNS drops "
            "every SMS to countries that require one, such as the United States",
            f"request one for each country of your recipients, for example: {request}",
        )
    admitting, blocked = list[_Identity](), list[_Identity]()
    by_country = attrgetter("country")
    for _, same_country in itertools.groupby(sorted(identities, key=by_country), by_country):
        group = [*same_country]
        found = next((identity for identity in group if _admits_sns(deployment, identity)), None)
        (admitting if found else blocked).append(found or group[0])
    if not blocked:
        return passed(f"SNS may send from {joined([identity.name for identity in admitting])}")
    senders = joined([identity.name for identity in blocked])
    commands = [_admit_command(deployment, identity) for identity in blocked]
    remedy = f"replace the resource policy: {'; '.join(commands)}"
    if any(identity.created for identity in blocked):
        return failed(f"SNS drops every SMS from {senders}: no resource policy admits SNS", remedy)
    since = f"{_POLICIES_SINCE:%Y-%m-%d}"
    return warned(
        f"no resource policy of {senders} admits SNS; SNS drops SMS from identities created since {since}", remedy
    )


def spend(deployment: Deployment) -> CheckResult:
    """Check that the account's monthly SMS limit is at least the budget in the environment file.

    SNS and AWS End User Messaging SMS both state a limit; the lower one counts. Source: Amazon SNS API reference,
    SetSMSAttributes; AWS End User Messaging SMS API reference, SpendLimit.
    """
    wanted = deployment.environment.sms.monthly_budget_usd
    limit, quota = _spend_limits(deployment)
    figures = f"the monthly SMS limit is {usd(limit)}"
    if limit >= wanted:
        return passed(f"{figures} ({usd(wanted)} in the environment file)")
    remedy = f"run: {_raise_limit(deployment, wanted)}"
    if quota < wanted:
        remedy = f"the quota is {usd(quota)}: open a quota increase case for SNS text messaging, then {remedy}"
    return failed(
        f"{figures}, not the {usd(wanted)} in the environment file; AWS stops sending SMS when it is spent", remedy
    )


def cost(deployment: Deployment) -> CheckResult:
    """Check that the account's monthly SMS limit covers the planned messages, whatever the budget."""
    environment = deployment.environment
    planned_usd = volume.month_usd(environment)
    if planned_usd is None:
        return skipped(
            "the cost of the planned SMS is unknown: their price is not set",
            "write price_usd_per_message = ... under [sms], with the price for the country of your recipients",
        )
    limit, _ = _spend_limits(deployment)
    if planned_usd <= limit:
        return passed(f"the planned SMS cost {usd(planned_usd)} of the monthly limit of {usd(limit)}")
    return failed(
        f"the monthly SMS limit is too low: {volume.lasting(environment, limit)}",
        f"raise it to {usd(planned_usd)}: {_raise_limit(deployment, planned_usd)}; if AWS refuses, open a quota "
        "increase case for SNS text messaging; or lower traffic.alerts_per_webhook",
    )


def delivery_log(deployment: Deployment) -> CheckResult:
    """Check that SNS logs the reasons of undelivered SMS. SECURITY.md explains why some projects do not want that.

    Source: Amazon SNS API reference, SetSMSAttributes, DeliveryStatusIAMRole.
    """
    role = deployment.account.call("sns", "GetSMSAttributes").get("attributes", {}).get("DeliveryStatusIAMRole") or ""
    enable = "sns set-sms-attributes --attributes DeliveryStatusIAMRole=ROLE_ARN,DeliveryStatusSuccessSamplingRate=0"
    remedy = (
        f"create a role with which SNS may write logs, then log failures only: {deployment.aws(enable)}; "
        "the log contains phone numbers, so restrict who reads it"
    )
    if not role:
        return warned("SNS does not log failed SMS, so nobody learns the reason", remedy)
    if not role_exists(deployment, role):
        return failed(f"SNS cannot log failed SMS: the role {role} no longer exists", remedy)
    return passed(f"SNS logs failed SMS with the role {role}")


class _Identity(NamedTuple):
    """A phone number, sender ID or pool from which messages can be sent."""

    name: str
    """With its kind and country."""
    arn: str
    country: str
    created: datetime | None


def _raise_limit(deployment: Deployment, to_usd: float) -> str:
    return deployment.aws(f"sns set-sms-attributes --attributes MonthlySpendLimit={math.ceil(to_usd)}")


def _identities(deployment: Deployment, noun: str, kind: str, key: str) -> Iterator[_Identity]:
    """Yield what is active and sends SMS to people; numbers of type SIMULATOR send to test numbers only."""
    for row in deployment.account.call(SMS_VOICE, f"Describe{kind}s").get(f"{kind}s", []):
        is_real = row.get("NumberType") != "SIMULATOR" and "SMS" in row.get("NumberCapabilities", ["SMS"])
        if is_real and row.get("Status", "ACTIVE") == "ACTIVE":
            country = row.get("IsoCountryCode", "")
            name = f"{noun} {row[key]}" + (f" ({country})" if country else "")
            yield _Identity(name, row[f"{kind}Arn"], country, row.get("CreatedTimestamp"))


def _admits_sns(deployment: Deployment, identity: _Identity) -> bool:
    if identity.created is not None and identity.created < _POLICIES_SINCE:
        return True
    absent = "ResourceNotFoundException"
    answer = deployment.account.call_or_none(absent, SMS_VOICE, "GetResourcePolicy", ResourceArn=identity.arn) or {}
    return policy_admits_sns(answer.get("Policy") or "{}", deployment.account.id)


def policy_admits_sns(policy: str, account_id: str) -> bool:
    """Return whether a resource policy lets SNS send messages on behalf of the account.

    Of the conditions, only aws:SourceAccount is evaluated. Others are assumed to hold in an Allow and not in a Deny.
    Raises Unavailable if the policy is not JSON.
    """
    try:
        statements = json.loads(policy).get("Statement", [])
    except (ValueError, AttributeError) as error:
        raise Unavailable(f"the resource policy is not JSON ({error})", "write a valid resource policy") from error
    effects = {statement.get("Effect") for statement in as_list(statements) if _concerns_sns(statement, account_id)}
    return effects == {"Allow"}


def _concerns_sns(statement: dict[str, Json], account_id: str) -> bool:
    """Return whether a statement applies to SNS. An Allow must name SNS; a Deny of everybody includes SNS."""
    principal = statement.get("Principal", {})
    services = as_list(principal.get("Service", []) if isinstance(principal, dict) else principal)
    is_denied = statement.get("Effect") == "Deny" and "*" in services
    conditions = [
        (key.lower() == "aws:sourceaccount" and operator.startswith(("StringEquals", "StringLike")), as_list(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    accounts = [values for is_evaluated, values in conditions if is_evaluated]
    if statement.get("Effect") == "Deny" and len(accounts) < len(conditions):
        return False
    sends = _matches(_SEND.lower(), [action.lower() for action in as_list(statement.get("Action", []))])
    return (_SNS in services or is_denied) and sends and all(_matches(account_id, pattern) for pattern in accounts)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _admit_command(deployment: Deployment, identity: _Identity) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": _SNS},
        "Action": _SEND,
        "Resource": identity.arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": deployment.account.id}},
    }
    policy = shlex.quote(json.dumps(document(statement)))
    return deployment.aws(f"{SMS_VOICE} put-resource-policy --resource-arn {identity.arn} --policy {policy}")


def _spend_limits(deployment: Deployment) -> tuple[float, float]:
    """Return the enforced limit of text messages and the account's quota, in USD a month."""
    rows = deployment.account.call(SMS_VOICE, "DescribeSpendLimits").get("SpendLimits", [])
    text = next((limit for limit in rows if limit["Name"] == "TEXT_MESSAGE_MONTHLY_SPEND_LIMIT"), None)
    if text is None:
        raise Unavailable(f"{SMS_VOICE} DescribeSpendLimits returned no limit of text messages", USE_AWS)
    sns_limit = deployment.account.call("sns", "GetSMSAttributes").get("attributes", {}).get("MonthlySpendLimit") or ""
    enforced = float(text["EnforcedLimit"])
    is_number = sns_limit.replace(".", "", 1).isdecimal()
    return min(enforced, float(sns_limit)) if is_number else enforced, float(text["MaxLimit"])
