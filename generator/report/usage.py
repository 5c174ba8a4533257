"""How much of everything a month brings, from the template's settings and the environment's figures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from generator.capacity.sizing import CHECK_ALERTS, CLEANUP_HISTORY, PROCESS_WEBHOOK, SEND_NOTIFICATION
from generator.config.schema import Environment

Template = Mapping[str, Any]
SECONDS_PER_H = 3600


@dataclass(frozen=True, slots=True)
class Load:
    """What happens in one month at a steady rate."""

    hours: Decimal
    webhooks: Decimal
    batches: Decimal
    alerts: Decimal
    cleanups: Decimal
    secret_reads: Decimal
    traces: Decimal

    @property
    def runs(self) -> dict[str, Decimal]:
        """Invocations by function."""
        counts = (self.webhooks, self.batches, self.alerts, self.cleanups)
        return dict(zip((PROCESS_WEBHOOK, CHECK_ALERTS, SEND_NOTIFICATION, CLEANUP_HISTORY), counts, strict=True))


def exact(value: float) -> Decimal:
    """The figure as it was written: 0.1 is a tenth."""
    return Decimal(str(value))


def of_type(template: Template, kind: str) -> dict[str, Mapping[str, Any]]:
    """The properties of every resource of a type, by logical id."""
    found = template["Resources"].items()
    return {name: resource.get("Properties", {}) for name, resource in found if resource["Type"] == kind}


def properties(template: Template, logical_id: str) -> Mapping[str, Any]:
    """The properties of one resource."""
    found: Mapping[str, Any] = template["Resources"][logical_id].get("Properties", {})
    return found


def monthly(template: Template, environment: Environment, webhooks_per_hour: int) -> Load:
    """A month of that rate, all hours alike."""
    usage = environment.usage
    hours = exact(usage.hours_per_month)
    hourly = exact(webhooks_per_hour)
    batches = hourly / _batch(template, environment, hourly)
    alerts = hourly * exact(environment.traffic.alerts_per_webhook)
    traced = [_traced(rate, exact(usage.traced_share)) for rate in (hourly, batches, alerts, Decimal(1))]
    cached_reads = Decimal(_environments(template, environment) * usage.secret_reads_per_environment_h)
    per_hour = (hourly, batches, alerts, Decimal(1), min(2 * hourly, cached_reads), sum(traced, Decimal(0)))
    return Load(hours, *(hours * quantity for quantity in per_hour))


def encrypted(template: Template) -> int:
    """How many resources are encrypted with a KMS key of their own choice."""
    bodies = (body.get("Properties", {}) for body in template["Resources"].values())
    settings = ({*body, *body.get("SSESpecification", {})} for body in bodies)
    return sum(any(name.lower().startswith("kms") for name in names) for names in settings)


def has_recovery(table: Mapping[str, Any]) -> bool:
    """Whether a table with these properties can be restored to a point in time: the setting may be there and be off."""
    stated = table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)
    return str(stated).lower() == "true"


def _batch(template: Template, environment: Environment, hourly: Decimal) -> Decimal:
    """Prices in a batch: the first, and what its lane receives within the window, up to the batch size.

    Prices spread evenly over the lanes, which makes the most and the smallest batches.
    """
    (mapping,) = of_type(template, "AWS::Lambda::EventSourceMapping").values()
    lanes = environment.stream.shards * max(1, int(mapping.get("ParallelizationFactor", 1)))
    window_s = Decimal(mapping.get("MaximumBatchingWindowInSeconds", 0))
    most = max(Decimal(1), Decimal(mapping.get("BatchSize", 100)))
    return min(most, 1 + hourly * window_s / SECONDS_PER_H / Decimal(lanes))


def _environments(template: Template, environment: Environment) -> int:
    """Execution environments that take webhooks: at most the reservation, else what the peak keeps busy."""
    mean_s = environment.functions.process_webhook.mean_duration_ms / 1000
    reserved = properties(template, PROCESS_WEBHOOK).get("ReservedConcurrentExecutions")
    return int(reserved or max(1, math.ceil(environment.peak_rate_per_s * mean_s)))


def _traced(per_hour: Decimal, share: Decimal) -> Decimal:
    """The first of each second, and a share of the others."""
    first = min(per_hour, Decimal(SECONDS_PER_H))
    return first + share * (per_hour - first)
