"""The deployed stacks of an account: their state, their resources, and what their functions reserve of its limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from generator.account.connection import USE_AWS, LiveAccount, Unavailable, partition, statement
from generator.account.deployment import CheckResult, Deployment, failed, passed
from generator.stack.names import DESCRIPTION

_MUST_BE_DELETED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}
"""States that a stack can only leave by deletion. Source: AWS CloudFormation User Guide, "Stack status codes"."""

_GIVE_UP_COMMANDS = {"CREATE_FAILED": "delete-stack", "UPDATE_FAILED": "rollback-stack"}
"""Commands that abandon a change that failed with rollback disabled, by stack status.

Without them, the next change must disable rollback too.

Source: AWS CloudFormation User Guide, "Choose how to handle failures when provisioning resources".
"""

MAX_NESTED = 500
"""Stacks to read for `concurrency_in_use`. CloudFormation's default quota is 2,000 in an account."""

CONCURRENCY_ACTIONS = (
    "lambda:GetAccountSettings",
    "cloudformation:ListStackResources",
    "lambda:GetFunctionConcurrency",
)
"""The IAM actions that `concurrency_in_use` needs."""

_WAITERS = {
    "CREATE": "create",
    "DELETE": "delete",
    "UPDATE_ROLLBACK": "rollback",
    "UPDATE": "update",
    "IMPORT_IN": "import",
}
"""AWS CLI waiters for a change in progress, by prefix of the stack status; longer prefixes come first.

The rollback of a creation or of an import has none. Source: AWS CLI Command Reference, "cloudformation wait".
"""


@dataclass(frozen=True, slots=True)
class LiveStack:
    """A deployed stack of this project, for commands that use its tables, queues and topic."""

    account: LiveAccount
    name: str
    ids: Mapping[str, str]
    """Physical ids of its resources by logical id."""

    def physical_id(self, logical_id: str) -> str:
        """Return the physical id of a resource. Raises Unavailable if the stack does not have it."""
        if logical_id not in self.ids:
            raise Unavailable(f"the stack {self.name} has no {logical_id}", "deploy the committed template")
        return self.ids[logical_id]


def opened(account: LiveAccount, name: str) -> LiveStack:
    """Return the stack with this name. Raises Unavailable if there is none, or if it belongs to another project."""
    description = find(account, name)
    if description is None:
        raise Unavailable(f"there is no stack {name}", "deploy it, or name another one with --stack-name or --region")
    if not description.get("Description", "").startswith(DESCRIPTION):
        raise Unavailable(f"the stack {name} is not one of this project", "name another one with --stack-name")
    return LiveStack(account, name, {id_: physical for id_, _, physical in _resources(account, name)})


def find_stack(region: str, stack_name: str) -> dict[str, object]:
    """Return the statement that lets a command find the resources of a stack."""
    actions = ["cloudformation:DescribeStackResources", "cloudformation:DescribeStacks"]
    return statement(actions, [f"arn:{partition(region)}:cloudformation:{region}:*:stack/{stack_name}/*"])


def find(account: LiveAccount, name: str) -> dict[str, Any] | None:
    """Return the stack's description, or None if there is no stack or only a change set that was not executed.

    Raises Unavailable.
    """
    answer = _answer(account, "DescribeStacks", name) or {}
    absent = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")
    return next((stack for stack in answer.get("Stacks", []) if stack["StackStatus"] not in absent), None)


def physical_ids(account: LiveAccount, name: str, type_: str) -> dict[str, str]:
    """Return the physical ids of the stack's resources of a type by logical id; empty if there is no stack.

    Raises Unavailable.
    """
    if find(account, name) is None:
        return {}
    return {id_: physical for id_, found_type, physical in _resources(account, name) if found_type == type_}


def _answer(account: LiveAccount, operation: str, name: str) -> dict[str, Any] | None:
    """Return CloudFormation's answer about a stack, or None if the stack does not exist.

    CloudFormation has the same error code for any other wrong argument, but another message.
    """
    try:
        return account.call("cloudformation", operation, StackName=name)
    except Unavailable as unavailable:
        if unavailable.code != "ValidationError" or "does not exist" not in unavailable.reason:
            raise
        return None


def _resources(account: LiveAccount, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield logical id, type and physical id of each resource that exists."""
    rows = account.call("cloudformation", "DescribeStackResources", StackName=name).get("StackResources", [])
    return _existing(rows)


def _existing(rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, str, str]]:
    for row in rows:
        if row.get("PhysicalResourceId") and row.get("ResourceStatus") != "DELETE_COMPLETE":
            yield row["LogicalResourceId"], row["ResourceType"], row["PhysicalResourceId"]


def reservations(deployment: Deployment, name: str) -> dict[str, int | None]:
    """Return the reserved concurrency of the stack's functions by logical id. Raises Unavailable."""
    functions = physical_ids(deployment.account, name, "AWS::Lambda::Function")
    return {logical_id: _reservation(deployment.account, function) for logical_id, function in functions.items()}


def _reservation(account: LiveAccount, function: str) -> int | None:
    # A function that somebody deleted outside CloudFormation reserves nothing.
    absent = "ResourceNotFoundException"
    answer = account.call_or_none(absent, "lambda", "GetFunctionConcurrency", FunctionName=function) or {}
    return answer.get("ReservedConcurrentExecutions")


def limit_and_unreserved(account: LiveAccount) -> tuple[int, int]:
    """Return the concurrency limit, and the unreserved part of it. Raises Unavailable.

    Source: Lambda API reference, AccountLimit.
    """
    quota = account.call("lambda", "GetAccountSettings").get("AccountLimit", {})
    try:
        return int(quota["ConcurrentExecutions"]), int(quota["UnreservedConcurrentExecutions"])
    except KeyError as error:
        raise Unavailable(f"lambda GetAccountSettings returned no {error.args[0]}", USE_AWS) from error


class ConcurrencyInUse(NamedTuple):
    """The concurrency of an account that is in use: its limit and the sum of its reservations."""

    limit: int
    reserved: int
    by_stacks: int
    """The reservations of the given stacks, a part of `reserved`."""
    missing: frozenset[str] = frozenset()
    """The given stacks that do not exist."""


def concurrency_in_use(account: LiveAccount, stack_names: Iterable[str]) -> ConcurrencyInUse:
    """Return the account's concurrency, with the reservations of these stacks and their nested stacks.

    Raises Unavailable.
    """
    limit, unreserved = limit_and_unreserved(account)
    waiting, seen, functions, missing = list(stack_names), set[str](), dict[str, None](), set[str]()
    while waiting and len(seen) < MAX_NESTED:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        answer = _answer(account, "ListStackResources", name)
        if answer is None:
            missing.add(name)
            continue
        for _, type_, physical_id in _existing(answer.get("StackResourceSummaries", [])):
            if type_ == "AWS::Lambda::Function":
                functions[physical_id] = None
            elif type_ == "AWS::CloudFormation::Stack":
                waiting.append(physical_id)
    by_stacks = sum(_reservation(account, function) or 0 for function in functions)
    return ConcurrencyInUse(limit, limit - unreserved, by_stacks, frozenset(missing))


def state(deployment: Deployment) -> CheckResult:
    """Check that CloudFormation accepts a deployment under this stack name."""
    name, description = deployment.stack_name, find(deployment.account, deployment.stack_name)
    if description is None:
        return passed(f"the stack {name} does not exist yet and will be created")
    status = description["StackStatus"]
    if not description.get("Description", "").startswith(DESCRIPTION):
        return failed(
            f"the name {name} belongs to another stack", "choose another name with --stack-name, here and to deploy"
        )

    def run(command: str) -> str:
        return deployment.aws(f"cloudformation {command} --stack-name {name}")

    if status in _GIVE_UP_COMMANDS:
        return failed(
            f"{name} is in state {status} and can only be updated without rollback",
            "deploy with --disable-rollback to continue from there; or give up the failed change: "
            f"{run(_GIVE_UP_COMMANDS[status])}",
        )
    if status.endswith("_IN_PROGRESS"):
        waiter = next((waiter for beginning, waiter in _WAITERS.items() if status.startswith(beginning)), None)
        remedy = f"repeat until it ends: {run('describe-stacks')}"
        if waiter is not None:
            remedy = f"wait for it: {run(f'wait stack-{waiter}-complete')}"
        return failed(f"a change of {name} is in progress ({status})", remedy)
    if status.endswith("_COMPLETE") and status not in _MUST_BE_DELETED:
        return passed(f"{name} is in state {status} and will be updated")
    if status in _MUST_BE_DELETED:
        keep = "; add --retain-resources for what it cannot delete" if status == "DELETE_FAILED" else ""
        remedy = f"delete it: {run('delete-stack')}{keep}"
    elif status == "UPDATE_ROLLBACK_FAILED":
        remedy = f"finish the rollback: {run('continue-update-rollback')}"
    else:
        remedy = f"find what failed and fix it: {run('describe-stack-events')}"
    return failed(f"{name} is in state {status} and cannot be updated", remedy)
