"""Run the preflight checks, in the order in which a deployment would meet the problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from generator.account import concurrency, live_stack, services, sms
from generator.account.connection import Unavailable
from generator.account.deployment import Check, CheckResult, Deployment, Status, skipped

CHECKS: Mapping[str, Check] = {
    "stack": live_stack.state,
    "account-limit": concurrency.limit,
    "reserved-elsewhere": concurrency.reserved_elsewhere,
    "reservations": concurrency.reservations,
    "update-order": concurrency.update,
    "runtime": services.runtime,
    "api-logging-role": services.api_logging_role,
    "api-name": services.api_name,
    "table-throughput": services.table_throughput,
    "key": services.key,
    "operations-topic": services.operations_topic,
    "sms-region": sms.region,
    "sms-enrolment": sms.enrolment,
    "sms-sandbox": sms.sandbox,
    "sms-origination": sms.origination,
    "sms-spend": sms.spend,
    "sms-cost": sms.cost,
    "sms-delivery-log": sms.delivery_log,
}
"""Checks by id. The report prints the ids, so they must not change."""

WITHOUT_AWS = {"runtime", "sms-region"}
"""Checks that pass without any answer from AWS."""

NEED_SMS = {
    "sms-enrolment",
    "sms-sandbox",
    "sms-origination",
    "sms-spend",
    "sms-cost",
    "sms-delivery-log",
}
"""Checks that are skipped in a Region from which SNS sends no SMS, or in an account that may not use SMS yet."""


def run(deployment: Deployment, ids: Iterable[str] = CHECKS) -> dict[str, CheckResult]:
    """Return the result of every check, or of some, by its id.

    A check that gets no answer is skipped; the others still run.
    """
    return {id_: _run_one(id_, deployment) for id_ in ids}


def passes(results: Mapping[str, CheckResult]) -> bool:
    """Return whether no check failed and AWS answered at least one. A warning is not a failure."""
    has_answer = any(result.status is not Status.SKIP for id_, result in results.items() if id_ not in WITHOUT_AWS)
    return has_answer and all(result.status is not Status.FAIL for result in results.values())


def _run_one(id_: str, deployment: Deployment) -> CheckResult:
    needs_sms = id_ in NEED_SMS
    if needs_sms and not sms.can_send(deployment):
        return skipped(f"SNS sends no SMS from {deployment.account.region}", "fix the check sms-region first")
    try:
        return CHECKS[id_](deployment)
    except Unavailable as unavailable:
        is_enrolment = needs_sms and sms.NOT_ENROLLED in unavailable.reason
        return skipped(unavailable.reason, "fix the check sms-enrolment first" if is_enrolment else unavailable.remedy)
