"""What is let through: the usage plan that ProcessWebhookFunction's units sustain, and how much may be refused."""

from __future__ import annotations

import math
from dataclasses import dataclass

from generator._format import without_rounding_error
from generator.aws import REQUESTS_PER_S_PER_UNIT
from generator.capacity import queueing
from generator.config.schema import Environment

QUOTA_DEVIATIONS = 6
"""Standard deviations of a Poisson count between a day's mean and what no day exceeds: once in a billion days."""

TOLERANCE_WINDOW_S = 300
"""The period of the alarms that count what senders lost."""


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """What API Gateway admits: as much as the reservation sustains, so that an overload is told 429, not 500."""

    rate_per_s: float
    burst: int
    quota_per_day: int


def usage_plan(environment: Environment, units: int) -> UsagePlan:
    """Admits what the units sustain, not the peak rate itself: a limit at the mean rejects part of a Poisson stream.

    The quota is a day at the peak rate, all of it; where that is hardly above the mean, what a day at the mean brings
    by chance.
    """
    webhooks_a_day = 24 * environment.traffic.webhooks_per_hour
    by_chance = webhooks_a_day + QUOTA_DEVIATIONS * math.sqrt(webhooks_a_day)
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    sustained_per_s = min(REQUESTS_PER_S_PER_UNIT * units, without_rounding_error(units / duration_s))
    return UsagePlan(
        rate_per_s=math.floor(sustained_per_s) if sustained_per_s >= 1 else round(sustained_per_s, 3),
        burst=units,
        quota_per_day=math.ceil(max(without_rounding_error(24 * 3600 * environment.peak_rate_per_s), by_chance)),
    )


def units_for_rate(rate_per_s: float) -> int:
    """The fewest units with which Lambda admits that many requests per second, however short they are."""
    return math.ceil(without_rounding_error(rate_per_s / REQUESTS_PER_S_PER_UNIT))


def units_for_plan(environment: Environment, least: int) -> int:
    """The fewest units, from `least` on, whose usage plan refuses no more than the target share at the peak."""
    target = environment.targets.webhook_throttle_probability
    units = least
    while plan_refusal(environment, usage_plan(environment, units)) > target:
        units += 1
    return units


def plan_refusal(environment: Environment, plan: UsagePlan) -> float:
    """The probability that the usage plan refuses a webhook at the peak, although Lambda could have run it."""
    return queueing.token_bucket_refusal(environment.peak_rate_per_s, plan.rate_per_s, plan.burst)


def tolerated_throttles(arrival_rate_per_s: float, share: float) -> int:
    """How many of that share are throttled within five minutes by chance: the mean and three standard deviations."""
    mean = TOLERANCE_WINDOW_S * arrival_rate_per_s * share
    return math.ceil(mean + 3 * math.sqrt(mean))
