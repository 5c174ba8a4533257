"""SMS: a new account sends to verified numbers only, and for one dollar a month."""

from __future__ import annotations

from generator.account.connection import Unanswered
from generator.account.subject import Check, Opinion, Subject, bad, good, unknown

_CONSOLES = {"us-gov-": "console.amazonaws-us-gov.com", "cn-": "console.amazonaws.cn"}
"""By how a Region begins. Source: AWS GovCloud (US) User Guide and Amazon Web Services in China, "Getting started"."""


def sandbox(subject: Subject) -> Opinion:
    """Whether anybody but verified numbers would get an SMS.

    Source: Amazon SNS Developer Guide, "Using the Amazon SNS SMS sandbox".
    """
    answer = subject.account.ask("sns", "GetSMSSandboxAccountStatus")
    if "IsInSandbox" not in answer:
        raise Unanswered("sns GetSMSSandboxAccountStatus was answered without IsInSandbox", "ask the real account")
    if not answer["IsInSandbox"]:
        return good("the account is out of the SMS sandbox")
    number = "--phone-number +15555550100"
    verify = (
        subject.aws(f"sns create-sms-sandbox-phone-number {number}")
        + ", then with the code that it gets: "
        + subject.aws(f"sns verify-sms-sandbox-phone-number {number} --one-time-password CODE")
    )
    return bad(
        "the account is in the SMS sandbox: only verified numbers, at most ten, get an SMS",
        f"verify the numbers to test with: {verify}; and to reach everybody, ask to leave the sandbox at "
        f"{_console(subject.account.region)}/sns/v3/home?region={subject.account.region}#/mobile/text-messaging",
    )


def _console(region: str) -> str:
    """The address of AWS's console, which each partition has of its own."""
    for beginning, host in _CONSOLES.items():
        if region.startswith(beginning):
            return f"https://{host}"
    return f"https://{region}.console.aws.amazon.com"


def spend(subject: Subject) -> Opinion:
    """Whether the month's SMS budget is what the environment counts on.

    Source: Amazon SNS API reference, SetSMSAttributes: a limit that is not set is the account's quota, which no call
    tells; it is 1 USD for new accounts ("Requesting increases to your monthly Amazon SNS SMS spending quota").
    """
    wanted = subject.environment.operations.sms_monthly_spend_usd
    attributes = subject.account.ask("sns", "GetSMSAttributes", attributes=("MonthlySpendLimit",)).get("attributes", {})
    set_it = (
        subject.aws(f"sns set-sms-attributes --attributes MonthlySpendLimit={wanted:g}")
        + " (if that is refused, the account's quota is lower: open a quota increase case for SNS text messaging)"
    )
    stated = attributes.get("MonthlySpendLimit") or ""
    if not stated.replace(".", "", 1).isdecimal():
        return unknown("no monthly SMS limit is set: the account's quota holds, 1 USD in a new account", set_it)
    if float(stated) >= wanted:
        return good(f"the monthly SMS limit is {stated} USD, and {wanted:g} are wanted")
    return bad(f"the monthly SMS limit is {stated} USD, and {wanted:g} are wanted: SMS stop when it is spent", set_it)


CHECKS = (Check("sms-sandbox", sandbox), Check("sms-spend", spend))
