"""All checks, in the order in which their failures would be met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from generator.account import concurrency, ingest, messaging, runtime, stack, storage
from generator.account.connection import Unanswered
from generator.account.subject import Opinion, Subject, unknown

CHECKS = (
    *stack.CHECKS,
    *concurrency.CHECKS,
    *runtime.CHECKS,
    *ingest.CHECKS,
    *storage.CHECKS,
    *messaging.CHECKS,
)


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found."""

    id: str
    status: str
    message: str
    remedy: str


def run(subject: Subject) -> list[Result]:
    """Asks everything; what has no answer is skipped with the reason, and nothing else suffers from it."""
    results = []
    for check in CHECKS:
        try:
            opinion: Opinion = check.opinion(subject)
        except Unanswered as unanswered:
            opinion = unknown(unanswered.reason, unanswered.remedy)
        results.append(Result(check.id, opinion.status, opinion.message, opinion.remedy))
    return results


def passed(results: Sequence[Result]) -> bool:
    """Whether nothing failed. What was skipped is for a person to weigh."""
    return all(result.status != "fail" for result in results)
