"""The stack that may be there already: its state, its resources, what its functions reserve."""

from __future__ import annotations

from typing import Any

from generator.preflight.account import Unanswered
from generator.preflight.subject import Check, Opinion, Subject, bad, good

DESCRIPTION = "Serverless cryptocurrency price alert system"
"""How the description of every template of ours begins."""

_MUST_BE_DELETED = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
"""States that a stack cannot be updated from. Source: AWS CloudFormation User Guide, "Stack status codes"."""


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
        return bad(
            f"{name} is in state {status}, which cannot be updated",
            subject.aws(f"cloudformation delete-stack --stack-name {name}"),
        )
    if status == "UPDATE_ROLLBACK_FAILED":
        return bad(
            f"{name} is in state {status}, which cannot be updated",
            subject.aws(f"cloudformation continue-update-rollback --stack-name {name}"),
        )
    if status.endswith("_IN_PROGRESS"):
        kind = "delete" if status.startswith("DELETE") else "create" if status.startswith("CREATE") else "update"
        wait = subject.aws(f"cloudformation wait stack-{kind}-complete --stack-name {name}")
        return bad(f"{name} is being changed ({status})", wait)
    return good(f"{name} is in state {status}: it will be updated")


CHECKS = (Check("stack", state),)
