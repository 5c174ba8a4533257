"""Read the concurrency limit of a live account, and the reservations inside and outside some of its stacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from generator.account.connection import USE_AWS, LiveAccount, Unavailable
from generator.account.live_stack import NO_STACK, NO_STACK_MESSAGE, reservation

MAX_NESTED = 500
"""Stacks to read. CloudFormation's default quota is 2,000 in an account."""

ACTIONS = ("lambda:GetAccountSettings", "cloudformation:ListStackResources", "lambda:GetFunctionConcurrency")
"""The IAM actions that reading needs."""


@dataclass(frozen=True, slots=True)
class Present:
    """The present concurrency of an account: its limit and the sum of its reservations."""

    limit: int
    reserved: int
    by_stacks: int
    """The reservations of the given stacks, a part of `reserved`."""
    missing: frozenset[str] = frozenset()
    """The given stacks that do not exist."""

    @property
    def elsewhere(self) -> int:
        """The reservations outside the given stacks."""
        return self.reserved - self.by_stacks


def limit_and_unreserved(account: LiveAccount) -> tuple[int, int]:
    """Return the concurrency limit, and the unreserved part of it. Raises Unavailable.

    Source: Lambda API reference, AccountLimit.
    """
    quota = account.call("lambda", "GetAccountSettings").get("AccountLimit", {})
    try:
        return int(quota["ConcurrentExecutions"]), int(quota["UnreservedConcurrentExecutions"])
    except KeyError as error:
        raise Unavailable(f"lambda GetAccountSettings returned no {error.args[0]}", USE_AWS) from error


def present(account: LiveAccount, stack_names: Iterable[str]) -> Present:
    """Return the account's concurrency, with the reservations of these stacks and their nested stacks.

    Raises Unavailable.
    """
    limit, unreserved = limit_and_unreserved(account)
    functions, missing = _functions(account, stack_names)
    by_stacks = sum(reservation(account, function) or 0 for function in functions)
    return Present(limit, limit - unreserved, by_stacks, missing)


def _functions(account: LiveAccount, stack_names: Iterable[str]) -> tuple[list[str], frozenset[str]]:
    """Return the names of all functions of the stacks and of their nested stacks, and the stacks that do not exist."""
    waiting, seen, functions, missing = list(stack_names), set[str](), dict[str, None](), set[str]()
    while waiting and len(seen) < MAX_NESTED:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        question = ("cloudformation", "ListStackResources")
        answer = account.call_or_none(NO_STACK, *question, message=NO_STACK_MESSAGE, StackName=name)
        if answer is None:
            missing.add(name)
            continue
        for row in answer.get("StackResourceSummaries", []):
            physical_id = row.get("PhysicalResourceId")
            if not physical_id or row.get("ResourceStatus") == "DELETE_COMPLETE":
                continue
            if row["ResourceType"] == "AWS::Lambda::Function":
                functions[physical_id] = None
            elif row["ResourceType"] == "AWS::CloudFormation::Stack":
                waiting.append(physical_id)
    return list(functions), frozenset(missing)
