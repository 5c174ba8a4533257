"""The stack that may be there already: its state, its resources, what its functions reserve."""

from __future__ import annotations

from typing import Any

from generator.account.connection import Unanswered
from generator.account.subject import Check, Opinion, Subject, bad, good
from generator.stack.names import DESCRIPTION

_MUST_BE_DELETED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
"""States that a stack cannot be updated from. Source: AWS CloudFormation User Guide, "Stack status codes"."""

_LEFT_UNFINISHED = {"CREATE_FAILED": "delete-stack", "UPDATE_FAILED": "rollback-stack"}
"""States of a change without rollback that failed, and what gives it up. The next one has to be without it as well.

Source: AWS CloudFormation User Guide, "Choose how to handle failures when provisioning resources".
"""

_CAN_BE_UPDATED = "_COMPLETE"
"""How states end from which a stack can be updated, but for those above."""

_WAITERS = {
    "CREATE": "create",
    "DELETE": "delete",
    "UPDATE_ROLLBACK": "rollback",
    "UPDATE": "update",
    "IMPORT_IN": "import",
}
"""By how a state begins, longer ones first, the waiter of the AWS CLI that ends well when the change does.

The rollback of a creation, or of an import, has none. Source: AWS CLI Command Reference, "cloudformation wait".
"""


def live(subject: Subject, name: str) -> dict[str, Any] | None:
    """The stack of that name; None if there is none, or only an unexecuted change set. Raises Unanswered."""
    try:
        stacks = subject.account.ask("cloudformation", "DescribeStacks", StackName=name).get("Stacks", [])
    except Unanswered as unanswered:
        if unanswered.code == "ValidationError" and "does not exist" in unanswered.reason:
            return None
        raise
    present = (one for one in stacks if one["StackStatus"] not in ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS"))
    return next(present, None)


def physical_ids(subject: Subject, name: str, type_: str) -> dict[str, str]:
    """By logical id, the stack's resources of a type; none if there is no stack. Raises Unanswered."""
    if live(subject, name) is None:
        return {}
    answer = subject.account.ask("cloudformation", "DescribeStackResources", StackName=name)
    return {
        row["LogicalResourceId"]: row["PhysicalResourceId"]
        for row in answer.get("StackResources", [])
        if row["ResourceType"] == type_ and row.get("PhysicalResourceId") and row["ResourceStatus"] != "DELETE_COMPLETE"
    }


def reservations(subject: Subject, name: str) -> dict[str, int | None]:
    """By logical id, what the stack's functions reserve. Raises Unanswered."""
    found: dict[str, int | None] = {}
    for logical_id, function in physical_ids(subject, name, "AWS::Lambda::Function").items():
        try:
            answer = subject.account.ask("lambda", "GetFunctionConcurrency", FunctionName=function)
        except Unanswered as unanswered:
            if unanswered.code != "ResourceNotFoundException":
                raise
            continue  # deleted behind CloudFormation's back: it reserves nothing
        found[logical_id] = answer.get("ReservedConcurrentExecutions")
    return found


def state(subject: Subject) -> Opinion:
    """Whether CloudFormation would take a deployment under this name."""
    name, found = subject.stack_name, live(subject, subject.stack_name)
    if found is None:
        return good(f"there is no stack {name} yet: it will be created")
    status = found["StackStatus"]
    if not found.get("Description", "").startswith(DESCRIPTION):
        return bad(f"another stack has the name {name}", "choose another name: --stack-name here, and when deploying")
    if status in _MUST_BE_DELETED:
        keep = "; add --retain-resources with what it cannot delete" if status == "DELETE_FAILED" else ""
        return bad(
            f"{name} is in state {status}, which cannot be updated",
            subject.aws(f"cloudformation delete-stack --stack-name {name}") + keep,
        )
    if status in _LEFT_UNFINISHED:
        give_up = subject.aws(f"cloudformation {_LEFT_UNFINISHED[status]} --stack-name {name}")
        return bad(
            f"{name} is in state {status}, which can only be updated without rollback",
            f"deploy with --disable-rollback, which goes on from there; or give it up: {give_up}",
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        return bad(
            f"{name} is in state {status}, which cannot be updated",
            subject.aws(f"cloudformation continue-update-rollback --stack-name {name}"),
        )
    if status.endswith("_IN_PROGRESS"):
        return bad(f"{name} is being changed ({status})", _wait(subject, name, status))
    if not status.endswith(_CAN_BE_UPDATED):
        events = subject.aws(f"cloudformation describe-stack-events --stack-name {name}")
        return bad(f"{name} is in state {status}, which cannot be updated", f"see what failed, and mend it: {events}")
    return good(f"{name} is in state {status}: it will be updated")


def _wait(subject: Subject, name: str, status: str) -> str:
    waiter = next((waiter for beginning, waiter in _WAITERS.items() if status.startswith(beginning)), None)
    if waiter is None:
        return subject.aws(f"cloudformation describe-stacks --stack-name {name}") + ", until it is over"
    return subject.aws(f"cloudformation wait stack-{waiter}-complete --stack-name {name}")


CHECKS = (Check("stack", state),)
