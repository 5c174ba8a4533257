"""Validation rules that span several settings, or that apply to one function only."""

from __future__ import annotations

import math
from collections.abc import Iterator

from generator._format import number
from generator.aws import API_GATEWAY_TIMEOUT_MS, REGIONS_WITHOUT_SMS
from generator.config.fields import Complaint, CrossCheck
from generator.config.schema import Functions
from generator.config.senders import distinct

LEASE_S = 45
"""Validity of SendNotification's claim on an alert: longer than its timeout, shorter than Lambda's first retry."""

MIN_SENDING_TIMEOUT_S = 30
"""Shortest timeout of SendNotification: it waits up to 6 s for each of two DynamoDB calls and 16 s for SNS."""

RESUMING_RESERVE_S = 15
"""Time before their timeout at which CheckAlerts and CleanupHistory stop in order to resume later."""

MIN_RESUMING_TIMEOUT_S = 2 * RESUMING_RESERVE_S
"""Shortest timeout of CheckAlerts and CleanupHistory with which a run makes enough progress."""

MAX_LOGNORMAL_P95_OVER_MEAN = math.exp(1.6448536269514722**2 / 2)
"""The 95th percentile of a lognormal is mean x exp(1.645 s - s^2 / 2), largest at s = 1.645: 3.87 times the mean."""


def _ends_before_timeout(mean_ms: float, timeout_s: int) -> Complaint | None:
    if mean_ms < timeout_s * 1000:
        return None
    return f"{number(mean_ms)} is not below the timeout of {timeout_s} s", "lower it or raise timeout_s"


def _is_lognormal(p95_ms: float, mean_ms: float, distribution: str) -> Complaint | None:
    if distribution != "lognormal":
        return None
    if p95_ms <= mean_ms:
        what = f"{number(p95_ms)} is not above the mean of {number(mean_ms)}"
        return what, "raise it or choose another distribution"
    if p95_ms > mean_ms * MAX_LOGNORMAL_P95_OVER_MEAN:
        highest = math.floor(mean_ms * MAX_LOGNORMAL_P95_OVER_MEAN)
        what = f"{number(p95_ms)} is too high for a lognormal distribution with a mean of {number(mean_ms)}"
        return what, f"lower it to {highest:,} or raise mean_duration_ms"
    return None


def _answers_in_time(mean_ms: float) -> Complaint | None:
    if mean_ms < API_GATEWAY_TIMEOUT_MS:
        return None
    return f"{number(mean_ms)} is not below API Gateway's timeout of {API_GATEWAY_TIMEOUT_MS:,} ms", "lower it"


def _has_time_to_work(timeout_s: int) -> Complaint | None:
    if timeout_s >= MIN_RESUMING_TIMEOUT_S:
        return None
    reason = f"the function stops {RESUMING_RESERVE_S} s before its timeout and resumes later"
    return f"{timeout_s} is too short: {reason}", f"raise it to {MIN_RESUMING_TIMEOUT_S}"


def _ends_before_its_claim(timeout_s: int) -> Complaint | None:
    if timeout_s < LEASE_S:
        return None
    return f"{timeout_s} is too long: a claim on an alert expires after {LEASE_S} s", f"lower it below {LEASE_S}"


def _has_time_to_send(timeout_s: int) -> Complaint | None:
    if timeout_s >= MIN_SENDING_TIMEOUT_S:
        return None
    reason = "SNS may take 16 s to accept an SMS, and an attempt that is cut off is sent again"
    return f"{timeout_s} is too short: {reason}", f"raise it to {MIN_SENDING_TIMEOUT_S}"


def _has_sms(region: str) -> Complaint | None:
    if region not in REGIONS_WITHOUT_SMS:
        return None
    reason = "SNS rejects every number there as invalid, so each alert would be used up without an SMS"
    return f"SNS sends no SMS in {region}: {reason}", "choose another Region"


def _grows(first_s: float, longest_s: float) -> Complaint | None:
    if first_s <= longest_s:
        return None
    return f"{number(first_s)} is above stream_backoff_longest_s, {number(longest_s)}", "lower it or raise the other"


def _checks_of_function(path: str) -> Iterator[CrossCheck]:
    mean, p95 = f"{path}.mean_duration_ms", f"{path}.p95_duration_ms"
    yield CrossCheck((mean, f"{path}.timeout_s"), _ends_before_timeout)
    yield CrossCheck((p95, mean, f"{path}.distribution"), _is_lognormal)


CROSS_CHECKS = (
    *(check for name in Functions._fields for check in _checks_of_function(f"functions.{name}")),
    CrossCheck(("functions.process_webhook.mean_duration_ms",), _answers_in_time),
    CrossCheck(("functions.check_alerts.timeout_s",), _has_time_to_work),
    CrossCheck(("functions.cleanup_history.timeout_s",), _has_time_to_work),
    CrossCheck(("functions.send_notification.timeout_s",), _ends_before_its_claim),
    CrossCheck(("functions.send_notification.timeout_s",), _has_time_to_send),
    CrossCheck(("region",), _has_sms),
    CrossCheck(("simulation.stream_backoff_first_s", "simulation.stream_backoff_longest_s"), _grows),
    CrossCheck(("sources",), distinct),
)
