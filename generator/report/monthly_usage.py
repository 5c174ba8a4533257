"""Monthly usage of every service, from the template's settings and the environment's figures."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import NamedTuple

from generator.capacity.sizing import CHECK_ALERTS, CLEANUP_HISTORY, PROCESS_WEBHOOK, SEND_NOTIFICATION
from generator.config.schema import Environment
from generator.template.model import Template

SECONDS_PER_H = 3600


class MonthlyUsage(NamedTuple):
    """Counts for one month at a steady rate."""

    hours: Decimal
    webhooks: Decimal
    batches: Decimal
    alerts: Decimal
    cleanups: Decimal
    secret_reads: Decimal
    traces: Decimal

    @property
    def invocations(self) -> dict[str, Decimal]:
        """Invocations by function."""
        return {
            PROCESS_WEBHOOK: self.webhooks,
            CHECK_ALERTS: self.batches,
            SEND_NOTIFICATION: self.alerts,
            CLEANUP_HISTORY: self.cleanups,
        }

    @property
    def all_invocations(self) -> Decimal:
        """Invocations of all functions together."""
        return sum(self.invocations.values(), Decimal(0))


def exact(value: float) -> Decimal:
    """Return the exact decimal value of a figure as written: 0.1 is exactly a tenth."""
    return Decimal(str(value))


def monthly_usage(template: Template, environment: Environment, webhooks_per_hour: int) -> MonthlyUsage:
    """Return the usage of a month in which every hour has this rate."""
    usage = environment.usage
    hours = exact(usage.hours_per_month)
    hourly = exact(webhooks_per_hour)
    batches = hourly / _prices_per_batch(template, environment, hourly)
    alerts = hourly * exact(environment.traffic.alerts_per_webhook)
    traced = [_traced(rate, exact(usage.traced_share)) for rate in (hourly, batches, alerts, Decimal(1))]
    cached_reads = Decimal(_warm_instances(template, environment) * usage.secret_reads_per_environment_h)
    per_hour = (hourly, batches, alerts, Decimal(1), min(2 * hourly, cached_reads), sum(traced, Decimal(0)))
    return MonthlyUsage(hours, *(hours * quantity for quantity in per_hour))


def count_encrypted(template: Template) -> int:
    """Return the number of resources that refer to a KMS key for encryption."""
    bodies = (body.get("Properties", {}) for body in template.resources.values())
    settings = ({*body, *body.get("SSESpecification", {})} for body in bodies)
    return sum(any(name.lower().startswith("kms") for name in names) for names in settings)


def _prices_per_batch(template: Template, environment: Environment, hourly: Decimal) -> Decimal:
    """Return the mean batch size: the first price and those that its lane receives within the window, up to the limit.

    Assumes that prices spread evenly over the lanes, which gives the smallest and therefore the most batches.
    """
    (mapping,) = template.properties_of("AWS::Lambda::EventSourceMapping").values()
    lanes = environment.stream.shards * max(1, int(mapping.get("ParallelizationFactor", 1)))
    window_s = Decimal(mapping.get("MaximumBatchingWindowInSeconds", 0))
    batch_size = max(Decimal(1), Decimal(mapping.get("BatchSize", 100)))
    return min(batch_size, 1 + hourly * window_s / SECONDS_PER_H / Decimal(lanes))


def _warm_instances(template: Template, environment: Environment) -> int:
    """Return the number of warm ProcessWebhook instances: its reservation, or else the load at the peak."""
    mean_s = environment.functions.process_webhook.mean_duration_ms / 1000
    reserved = template.properties(PROCESS_WEBHOOK).get("ReservedConcurrentExecutions")
    return int(reserved or max(1, math.ceil(environment.peak_rate_per_s * mean_s)))


def _traced(per_hour: Decimal, share: Decimal) -> Decimal:
    """X-Ray records the first request of each second and a share of the others."""
    first = min(per_hour, Decimal(SECONDS_PER_H))
    return first + share * (per_hour - first)
