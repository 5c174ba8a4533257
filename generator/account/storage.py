"""DynamoDB takes the peak, and the key that everything is encrypted with can be used."""

from __future__ import annotations

import math

from generator.account import stack
from generator.account.connection import Unanswered
from generator.account.subject import Check, Opinion, Subject, bad, good
from generator.stack import names

_MEND_KEY = {"PendingDeletion": "cancel-key-deletion", "Disabled": "enable-key"}


def throughput(subject: Subject) -> Opinion:
    """Whether one table may take the peak: every webhook is one write of at most 1 KB.

    Source: Amazon DynamoDB Developer Guide, "Service, account, and table quotas": the quota for a table holds on demand
    too.
    """
    answer = subject.account.ask("dynamodb", "DescribeLimits")
    if "TableMaxWriteCapacityUnits" not in answer:
        raise Unanswered("dynamodb DescribeLimits was answered without the table's quota", "ask the real account")
    most, needed = int(answer["TableMaxWriteCapacityUnits"]), math.ceil(subject.environment.peak_rate_per_s)
    figures = f"a table may take {most:,} writes/s, and the peak is {needed:,}"
    if most >= needed:
        return good(figures)
    quotas = subject.aws("service-quotas list-service-quotas --service-code dynamodb")
    return bad(figures, f"request more of the quota for a table's write throughput, whose code is in: {quotas}")


def key(subject: Subject) -> Opinion:
    """Whether KMS answers here and, where the stack exists, its key is in use: without it its tables are unreadable."""
    own = stack.physical_ids(subject, subject.stack_name, "AWS::KMS::Key").get(names.KEY)
    if own is None:
        subject.account.ask("kms", "ListKeys", Limit=1)
        return good("KMS answers; the stack will create its key")
    state = subject.account.ask("kms", "DescribeKey", KeyId=own).get("KeyMetadata", {}).get("KeyState", "unknown")
    if state == "Enabled":
        return good(f"the stack's key {own} is enabled")
    mend = _MEND_KEY.get(state, "describe-key")
    command = subject.aws(f"kms {mend} --key-id {own}")
    then = f", then {subject.aws(f'kms enable-key --key-id {own}')}" if state == "PendingDeletion" else ""
    return bad(f"the stack's key {own} is in state {state}: what it encrypts cannot be read", command + then)


CHECKS = (Check("table-throughput", throughput), Check("key", key))
