"""Each invariant finds a handler that breaks it."""

from __future__ import annotations

import pytest

from tests.soak.run import play, violations
from tests.soak.world import Changes

PROCESS, CHECK, SEND, CLEANUP = (
    f"{name}Function" for name in ("ProcessWebhook", "CheckAlerts", "SendNotification", "CleanupHistory")
)
SEEDS = 10_000
REMEMBERED_PHONE = "globals().setdefault(alert['alertId'], item['phoneNumber']['S'])"
BROKEN: dict[str, dict[str, Changes]] = {
    "lost": {
        "a failed record is not reported": (
            (CHECK, "failures.append({'itemIdentifier': record['dynamodb']['SequenceNumber']})", "pass"),
        ),
        "messages that SNS refused are not repeated": ((CHECK, "if answer.get('Failed'):", "if False:"),),
        "only the first page is read": ((CHECK, "for page in pages:", "for page in [next(iter(pages))]:"),),
        "an alert at its threshold does not fire": ((CHECK, "('above', '<=')", "('above', '<')"),),
        "an alert that was not read does not fire": ((CHECK, " or key(alert) in unread", ""),),
        "how long a price waited in the stream counts": (
            (
                CHECK,
                "'stale' if 'stale' in row",
                "'stale' if time.time() - int(row['observation']['S'][:13]) / 1000 > 300",
            ),
        ),
        "a notification of a paused stream is late": (
            (SEND, "alert.get('firedAt', alert['timestamp'])", "alert['timestamp']"),
        ),
        "a retry under its own lease counts as sent": ((SEND, " and item.get('leaseRequest') != request", ""),),
        "an SMS that failed is recorded": ((SEND, "raise RuntimeError(code) from None", "return 'sent', None"),),
    },
    "sent_twice": {
        "a lease that is held is ignored": ((SEND, "OR leaseUntil < :now", "OR leaseUntil > :now"),),
        "the lease is shorter than the timeout": ((SEND, "LEASE_S = 45", "LEASE_S = 3"),),
        "boto3 repeats an SMS": ((SEND, "'total_max_attempts': 1", "'total_max_attempts': 2"),),
        "the record of an SMS is ignored": (
            (SEND, "AND (attribute_not_exists(sentId) OR sentId <> :arming)", "AND NOT sentId = :now"),
        ),
    },
    "wrong_phone": {
        "a warm instance remembers the phone": ((SEND, "item.get('phoneNumber', {}).get('S', '')", REMEMBERED_PHONE),),
    },
    "old_arming": {
        "any arming is claimed": ((SEND, "'generation = :arming AND (attr", "'attribute_exists(alertId) AND (attr"),),
    },
    "unrecorded": {"the id of the SMS is not stored": ((SEND, "messageId = :sms", "leaseId = :sms"),)},
    "needless_error": {
        "a held lease is an error": (
            (SEND, "item.get('leaseId') == arming and item", "not item.get('leaseId') and item"),
        ),
    },
    "uncounted": {"an outcome has no metric": ((SEND, "outcome.title().replace(' ', '')", "'Other'"),)},
    "outage": {
        "the cached keys are not used": (
            (PROCESS, "cache['keys'] and now - cache['read_at'] < OUTAGE_S):", "False):"),
        ),
    },
    "private_in_log": {
        "the message of SNS is raised": ((SEND, "raise RuntimeError(code) from None", "raise"),),
        "the user is logged": ((SEND, "log(context, record['Sns']['MessageId']", "log(context, alert['userId']"),),
    },
    "false_alarm": {
        "older prices fire": ((CHECK, "Decimal(armed_at) <= stamp", "True"),),
        "stale prices fire": ((CHECK, "if 'stale' in row", "if 'old' in row"),),
        "the other direction fires": ((CHECK, "'<='), ('below', '>='", "'>='), ('below', '<='"),),
    },
    "refused": {
        "a price that was not stored is accepted": ((PROCESS, "503, 'try again'", "202, 'stored'"),),
        "a secret is never read again": ((PROCESS, "if now - cache['read_at'] >= max_age_s", "if not cache['keys']"),),
    },
    "resurrected": {
        "a deleted alert is disarmed": ((CHECK, "'generation = :g AND attribute_exists(watch)'", "':g = :g'"),),
    },
    "deleted_early": {
        "prices are deleted when they expire": ((CLEANUP, "int(time.time()) - OVERDUE_S", "int(time.time())"),),
    },
}
FOUND_AT = {"the lease is shorter than the timeout": 410, "a deleted alert is disarmed": 230}
"""Where to begin to search for changes that few seeds find."""
CASES = [(invariant, name) for invariant, several in BROKEN.items() for name in several]


@pytest.mark.slow
@pytest.mark.parametrize(("invariant", "name"), CASES)
def test_a_broken_handler_is_found(invariant: str, name: str) -> None:
    changes = BROKEN[invariant][name]
    for seed in range(FOUND_AT.get(name, 0), SEEDS):
        if any(one.invariant == invariant for one in violations(play(seed, changes=changes))):
            return
    pytest.fail(f"none of {SEEDS:,} seeds violates {invariant}")
