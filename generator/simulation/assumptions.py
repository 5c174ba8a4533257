"""What the simulation assumes where neither the template nor the environment nor AWS's documentation says it."""

from __future__ import annotations

from dataclasses import dataclass

STANDARD_WEBHOOKS_RETRIES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Waits before each new attempt. Source: Standard Webhooks specification, "Deliverability and reliability"."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Inputs with defaults. "Not documented" means that AWS states no value: vary it before you rely on it.

    Times in seconds.
    """

    # The simulated time before the measured one: at the mean rate before a peak, else at the rate that follows.
    warm_up_s: float = 300.0
    # Senders that follow Standard Webhooks try again; () for senders that do not.
    sender_retries_s: tuple[float, ...] = STANDARD_WEBHOOKS_RETRIES_S
    # The same specification recommends "some level of random jitter": each wait is up to this share longer.
    sender_jitter: float = 0.1
    # Markets that are quoted; with the Zipf exponent they say how much of the traffic the busiest one is.
    symbols: int = 50
    # Alerts that one crossing price fires, on average (geometric); their mean per webhook stays as it is.
    alerts_per_crossing: float = 1.0
    # Burst of Lambda's request rate limit, in seconds of that rate. Not documented.
    request_rate_window_s: float = 1.0
    # Pollers read each shard four times a second. Source: AWS Lambda Developer Guide, "Using AWS Lambda with
    # Amazon DynamoDB" (polling and batching streams).
    poll_interval_s: float = 0.25
    # Waits of a stream's poller after a throttle: doubling from the first to the last. Not documented.
    stream_backoff_s: tuple[float, float] = (1.0, 60.0)
    # Source: AWS Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation".
    asynchronous_backoff_s: tuple[float, float] = (1.0, 300.0)
    asynchronous_error_waits_s: tuple[float, ...] = (60.0, 120.0)
    # Source: Amazon API Gateway Developer Guide, "Amazon API Gateway quotas": requests per second and burst of
    # the account in most Regions.
    gateway_rate_per_s: float = 10_000.0
    gateway_burst: int = 5_000
    # API Gateway answers 504 after this; the function runs on. Source: as above, integration timeout.
    integration_timeout_s: float = 29.0
