"""Compare the planned SMS with the account's budget and throughput, as far as the environment file states them.

SNS accepts messages beyond either and drops them later, so a deployment shows nothing.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

from generator._format import duration, number, rate, significant, usd
from generator.config.schema import Environment


class SmsVerdict(StrEnum):
    """Whether the account holds the planned SMS, as JSON prints it."""

    GOOD = "good"
    SHORT = "short"
    NOT_CHECKED = "not checked"


class SmsComparison(NamedTuple):
    """One limit of the account against the planned SMS, and the remedy if it is too low."""

    name: str
    verdict: SmsVerdict
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.what}" + (f"; {self.remedy}" if self.remedy else "")


def per_hour(environment: Environment) -> float:
    """Return the planned SMS in an hour at the mean rate."""
    return environment.traffic.webhooks_per_hour * environment.traffic.alerts_per_webhook


def peak_per_s(environment: Environment) -> float:
    """Return the planned SMS per second at the peak."""
    return environment.peak_rate_per_s * environment.traffic.alerts_per_webhook


def month_usd(environment: Environment) -> float | None:
    """Return the price of a month in which every hour is alike, or None if SMS have no price."""
    price = environment.sms.price_usd_per_message
    return None if price is None else price * _per_month(environment)


def volume(environment: Environment) -> str:
    """Return the planned SMS per hour and at the peak: 2,500/h, 3.47/s at the peak."""
    return f"{significant(per_hour(environment))}/h, {rate(peak_per_s(environment))} at the peak"


def lasting(environment: Environment, limit_usd: float) -> str:
    """Return how long a limit below the month's cost lasts, as text: 50.00 USD last about 3.08 h at 2,500 SMS/h."""
    hours = limit_usd / (month_usd(environment) or math.inf) * environment.usage.hours_per_month
    return f"{usd(limit_usd)} last about {duration(hours * 3600)} at {significant(per_hour(environment))} SMS/h"


def compare(environment: Environment) -> tuple[SmsComparison, SmsComparison]:
    """Return the comparisons of the budget and of the throughput."""
    return _budget(environment), _throughput(environment)


def _per_month(environment: Environment) -> float:
    return per_hour(environment) * environment.usage.hours_per_month


def _budget(environment: Environment) -> SmsComparison:
    budget_usd, cost_usd = environment.sms.monthly_budget_usd, month_usd(environment)
    if cost_usd is None:
        return SmsComparison("SMS budget", SmsVerdict.NOT_CHECKED, "not checked", "set sms.price_usd_per_message")
    if cost_usd <= budget_usd:
        planned = f"{_per_month(environment):,.0f} SMS a month cost {usd(cost_usd)} of {usd(budget_usd)}"
        return SmsComparison("SMS budget", SmsVerdict.GOOD, planned)
    return SmsComparison(
        "SMS budget",
        SmsVerdict.SHORT,
        f"{lasting(environment, budget_usd)}, then SNS drops every SMS until the month ends",
        f"raise sms.monthly_budget_usd to {math.ceil(cost_usd):,} and the account's limit with it, or lower "
        "traffic.alerts_per_webhook",
    )


def _throughput(environment: Environment) -> SmsComparison:
    peak, possible = peak_per_s(environment), environment.sms.messages_per_s
    figures = f"{rate(peak)} at the peak, {number(possible)}/s possible"
    if peak <= possible:
        return SmsComparison("SMS throughput", SmsVerdict.GOOD, figures)
    return SmsComparison(
        "SMS throughput",
        SmsVerdict.SHORT,
        f"{figures}; SMS above that are late or dropped",
        "send from a faster number (a toll-free number of the United States sends 3/s) and raise sms.messages_per_s, "
        "or lower traffic.alerts_per_webhook",
    )
