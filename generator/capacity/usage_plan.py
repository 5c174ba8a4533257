"""Derive the usage plan of API Gateway from the reservation that it protects, and the units that a plan needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from generator.aws import REQUESTS_PER_S_PER_UNIT
from generator.capacity import queueing
from generator.config.schema import Environment

QUOTA_DEVIATIONS = 6
"""Standard deviations of a Poisson count that the daily quota allows above a mean day: exceeded once in a billion days.
"""

LEAST_PER_S = 0.001
"""The lowest rate in a usage plan. Rates below 1 have three digits after the point."""


class UsagePlan(NamedTuple):
    """The request limits of API Gateway: what the reservation sustains. It refuses most of an overload with a 429.

    `source_rates_per_s` has the limit of each source with a path of its own; `rate_per_s` is what they leave. The burst
    is the same on all paths.
    """

    rate_per_s: float
    burst: int
    quota_per_day: int
    source_rates_per_s: Mapping[str, float] = MappingProxyType({})


def usage_plan(environment: Environment, units: int) -> UsagePlan:
    """Return the usage plan that this many units of ProcessWebhook sustain.

    Its rate is not the peak rate: a limit at the mean of a Poisson stream rejects part of it. Sources with paths of
    their own get the rates that they state, or less if the units sustain no more than those and the peak. The daily
    quota is a whole day at the peak rate, or a mean day and its random variation if that is more.
    """
    webhooks_per_day = 24 * environment.traffic.webhooks_per_hour
    with_variation = webhooks_per_day + QUOTA_DEVIATIONS * math.sqrt(webhooks_per_day)
    duration_s = environment.functions.process_webhook.mean_duration_ms / 1000
    sustained_per_s = min(REQUESTS_PER_S_PER_UNIT * units, without_rounding_error(units / duration_s))
    stated = {source.name: source.rate_per_s or 0 for source in environment.paths}
    share = min(1.0, sustained_per_s / (sum(stated.values()) + environment.peak_rate_per_s))
    cut = {name: max(LEAST_PER_S, math.floor(rate_per_s * share * 1000) / 1000) for name, rate_per_s in stated.items()}
    sources = stated if share == 1 else cut
    left_per_s = without_rounding_error(sustained_per_s - sum(sources.values()))
    return UsagePlan(
        rate_per_s=math.floor(left_per_s) if left_per_s >= 1 else max(LEAST_PER_S, round(left_per_s, 3)),
        burst=units,
        quota_per_day=math.ceil(max(without_rounding_error(24 * 3600 * environment.peak_rate_per_s), with_variation)),
        source_rates_per_s=sources,
    )


def units_for_rate(rate_per_s: float) -> int:
    """Return the fewest units with which Lambda admits that many synchronous requests per second."""
    return math.ceil(without_rounding_error(rate_per_s / REQUESTS_PER_S_PER_UNIT))


def units_for_plan(environment: Environment, minimum: int) -> int:
    """Return the fewest units, at least `minimum`, whose usage plan meets the throttle target at the peak."""
    target = environment.targets.webhook_throttle_probability
    units = minimum
    while plan_rejection(environment, usage_plan(environment, units)) > target:
        units += 1
    return units


def plan_rejection(environment: Environment, plan: UsagePlan) -> float:
    """Return the probability that the usage plan rejects a webhook at the peak.

    Geometric bursts of mean g count as single webhooks of 2g - 1, the mean burst that a webhook is part of.
    """
    size = 2 * environment.traffic.webhooks_per_burst - 1
    room = int(plan.burst / size)
    if not room:
        return 1.0
    return queueing.token_bucket_rejection(environment.peak_rate_per_s / size, plan.rate_per_s / size, room)


def without_rounding_error(value: float) -> float:
    """Round to 12 significant digits, so that 2.0000000000000004, which should be 2, is not rounded up to 3."""
    return float(f"{value:.12g}")
