"""The assumptions of a simulation: values that neither the template nor the environment file determines."""

from __future__ import annotations

from dataclasses import dataclass

from generator import aws

STANDARD_WEBHOOKS_RETRIES_S = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Waits before each new attempt. Source: Standard Webhooks specification, "Deliverability and reliability"."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Inputs with defaults. "Not documented" means that AWS states no value: vary it before you rely on it.

    Times are in seconds.
    """

    # Simulated time before the measured time: at the mean rate before a peak, else at the rate that follows.
    warm_up_s: float = 300.0
    # Retries of senders that follow Standard Webhooks; () for senders that do not retry.
    sender_retries_s: tuple[float, ...] = STANDARD_WEBHOOKS_RETRIES_S
    # The same specification recommends "some level of random jitter": each wait is up to this share longer.
    sender_jitter: float = 0.1
    # Quoted markets. Together with the Zipf exponent they determine the share of the busiest one.
    symbols: int = 50
    # Burst of Lambda's request rate limit, in seconds of that rate. Not documented.
    request_rate_window_s: float = 1.0
    poll_interval_s: float = aws.STREAM_POLL_INTERVAL_S
    # Waits of a stream's poller after a throttle, doubling from the first value to the last. Not documented.
    stream_backoff_s: tuple[float, float] = (1.0, 60.0)
    asynchronous_backoff_s: tuple[float, float] = aws.ASYNC_THROTTLE_BACKOFF_S
    asynchronous_error_waits_s: tuple[float, ...] = aws.ASYNC_ERROR_WAITS_S
    gateway_rate_per_s: float = aws.API_GATEWAY_ACCOUNT_RATE_PER_S
    gateway_burst: int = aws.API_GATEWAY_ACCOUNT_BURST
    integration_timeout_s: float = aws.API_GATEWAY_TIMEOUT_MS / 1000
