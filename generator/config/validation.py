"""What settings of an environment must fulfil together, or not in every place that they have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

from generator.aws import API_GATEWAY_TIMEOUT_MS
from generator.config.fields import Complaint, Rule
from generator.config.schema import Functions

LEASE_S = 45
"""How long SendNotification's claim on an alert holds: longer than its timeout, shorter than Lambda's first retry."""

RESUMING_RESERVE_S = 15
"""CheckAlerts and CleanupHistory stop so long before their timeout and go on later."""

MIN_RESUMING_TIMEOUT_S = 2 * RESUMING_RESERVE_S
"""Below this they would not get far."""

MAX_LOGNORMAL_P95_OVER_MEAN = math.exp(1.6448536269514722**2 / 2)
"""The 95th percentile of a lognormal is mean x exp(1.645 s - s^2 / 2), largest at s = 1.645: 3.87 times the mean."""


def _ends_before_timeout(mean_ms: float, timeout_s: int) -> Complaint | None:
    if mean_ms < timeout_s * 1000:
        return None
    return f"{mean_ms:g} is not below the timeout of {timeout_s} s", "lower it or raise timeout_s"


def _is_lognormal(p95_ms: float, mean_ms: float, distribution: str) -> Complaint | None:
    if distribution != "lognormal":
        return None
    if p95_ms <= mean_ms:
        return f"{p95_ms:g} does not exceed the mean of {mean_ms:g}", "raise it or choose a distribution"
    if p95_ms > mean_ms * MAX_LOGNORMAL_P95_OVER_MEAN:
        most = math.floor(mean_ms * MAX_LOGNORMAL_P95_OVER_MEAN)
        what = f"no lognormal with a mean of {mean_ms:g} has a 95th percentile of {p95_ms:g}"
        return what, f"lower it to at most {most} or raise mean_duration_ms"
    return None


def _answers_in_time(mean_ms: float) -> Complaint | None:
    if mean_ms < API_GATEWAY_TIMEOUT_MS:
        return None
    return f"API Gateway gives up after {API_GATEWAY_TIMEOUT_MS} ms", "lower it"


def _has_time_to_work(timeout_s: int) -> Complaint | None:
    if timeout_s >= MIN_RESUMING_TIMEOUT_S:
        return None
    why = f"the function stops {RESUMING_RESERVE_S} s before its timeout to go on later"
    return f"{timeout_s} leaves no time to work: {why}", f"set it to at least {MIN_RESUMING_TIMEOUT_S}"


def _ends_before_its_claim(timeout_s: int) -> Complaint | None:
    if timeout_s < LEASE_S:
        return None
    return f"a claim on an alert holds {LEASE_S} s and must outlive the function", f"set it below {LEASE_S}"


def _rules_of_a_function(path: str) -> Iterator[Rule]:
    mean, p95 = f"{path}.mean_duration_ms", f"{path}.p95_duration_ms"
    yield Rule((mean, f"{path}.timeout_s"), _ends_before_timeout)
    yield Rule((p95, mean, f"{path}.distribution"), _is_lognormal)


RULES = (
    *(rule for field in dataclasses.fields(Functions) for rule in _rules_of_a_function(f"functions.{field.name}")),
    Rule(("functions.process_webhook.mean_duration_ms",), _answers_in_time),
    Rule(("functions.check_alerts.timeout_s",), _has_time_to_work),
    Rule(("functions.cleanup_history.timeout_s",), _has_time_to_work),
    Rule(("functions.send_notification.timeout_s",), _ends_before_its_claim),
)
