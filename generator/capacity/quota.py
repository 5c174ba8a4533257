"""Decide whether the reservations of all environments that share an account fit it, before anything is written.

AWS keeps a floor of unreserved concurrency in every account and Region and rejects a reservation that would go below
it. AWS does not check the sum before a deployment, so an oversized stack fails half-way through.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from generator.aws import CONCURRENCY_QUOTA_CODE, DEFAULT_CONCURRENCY_LIMIT
from generator.errors import Fault, InvalidEnvironment

if TYPE_CHECKING:
    from generator.capacity.functions import FunctionSizing
    from generator.capacity.sizing import Sizing
    from generator.config.schema import Environment, OnShortfall


class AccountQuota(NamedTuple):
    """The concurrency of one account in one Region."""

    name: str
    region: str
    concurrency_limit: int
    unreserved_floor: int
    reserved_elsewhere: int

    @property
    def reservable(self) -> int:
        """The concurrency that these environments can reserve together.

        Source: AWS Lambda API reference, PutFunctionConcurrency: AWS keeps a floor unreserved, documented as 100.
        """
        return max(0, self.concurrency_limit - self.unreserved_floor - self.reserved_elsewhere)

    def holds(self, reserved: int) -> bool:
        """Return whether that much can be reserved without touching the floor. Nothing to reserve always fits."""
        return reserved <= self.reservable


class Plan(NamedTuple):
    """An environment and its sizing."""

    environment: Environment
    sizing: Sizing


class Verdict(NamedTuple):
    """The comparison of an account with all environments that share it.

    `plans` hold the sizings to deploy, or the smallest ones tried if they do not fit. `wanted` is the sum of the
    reservations before any `on_shortfall` was applied.
    """

    account: AccountQuota
    plans: tuple[Plan, ...]
    wanted: int

    @property
    def total(self) -> int:
        """The sum of the reservations of all environments in this account."""
        return sum(plan.sizing.total_reserved for plan in self.plans)

    @property
    def headroom(self) -> int:
        """The concurrency that can still be reserved; a shortfall if negative."""
        return self.account.reservable - self.total

    @property
    def fits(self) -> bool:
        """Whether everything can be deployed."""
        return self.account.holds(self.total)

    @property
    def required_concurrency_limit(self) -> int:
        """The smallest concurrency limit of the account that holds the reservations."""
        return limit_for(self.account, self.total)


def judge(plans: Iterable[Plan]) -> list[Verdict]:
    """Return one verdict per account and Region, with each environment's `on_shortfall` applied.

    Raises InvalidEnvironment if environments that share an account state different figures for it.
    """
    shared: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        account = plan.environment.account
        shared.setdefault((account.name, plan.environment.region), []).append(plan)
    groups = [[plan.environment for plan in group] for group in shared.values()]
    if faults := [fault for group in groups for fault in _disagreements(group)]:
        raise InvalidEnvironment(faults)
    return [_judge_account(group) for group in shared.values()]


def account_of(environment: Environment) -> AccountQuota:
    """Return the account that an environment states."""
    account = environment.account
    figures = account.concurrency_limit, account.unreserved_floor, account.reserved_elsewhere
    return AccountQuota(account.name, environment.region, *figures)


def limit_for(account: AccountQuota, reserved: int) -> int:
    """Return the smallest concurrency limit with room for that much reserved concurrency."""
    return reserved + account.unreserved_floor + account.reserved_elsewhere


def limit_to_request(limit: int) -> str:
    """Return the limit to request, as text; a request below AWS's default makes no sense."""
    is_below = limit < DEFAULT_CONCURRENCY_LIMIT
    return f"{limit:,} or more" + (f", for example AWS's default of {DEFAULT_CONCURRENCY_LIMIT:,}" if is_below else "")


def increase_command(region: str, limit: int, aws: str = "aws") -> str:
    """Return the command that requests a concurrency limit of at least AWS's default.

    Without a Region, it is for the one that the AWS CLI is configured for.
    """
    where = f"--region {region} " if region else ""
    return (
        f"{aws} service-quotas request-service-quota-increase {where}--service-code lambda "
        f"--quota-code {CONCURRENCY_QUOTA_CODE} --desired-value {max(limit, DEFAULT_CONCURRENCY_LIMIT)}"
    )


def request_text(account: AccountQuota, reserved: int, aws: str = "aws") -> str:
    """Return the limit to request with room for that much reserved concurrency, and the command that does it."""
    limit = limit_for(account, reserved)
    return f"request a limit of {limit_to_request(limit)}: {increase_command(account.region, limit, aws)}"


def advice(account: AccountQuota) -> str:
    """Return advice for a new account whose limit AWS has not raised yet; empty for other accounts.

    Source: AWS Lambda Developer Guide, "Lambda quotas": new accounts have reduced concurrency quotas, which AWS raises
    with usage.
    """
    if account.concurrency_limit > account.unreserved_floor:
        return ""
    return (
        f"an account with a limit of {account.concurrency_limit:,} can reserve nothing: leave all reservations out "
        "until AWS has raised it; if Service Quotas refuses the request, open a support case"
    )


def _judge_account(group: Sequence[Plan]) -> Verdict:
    wanted = sum(plan.sizing.total_reserved for plan in group)
    verdict = Verdict(account_of(group[0].environment), tuple(group), wanted)
    return verdict if verdict.fits else verdict._replace(plans=_shrunk(group, verdict.account.reservable))


def _shrunk(group: Sequence[Plan], reservable: int) -> tuple[Plan, ...]:
    """Apply `on_shortfall`: UNRESERVED gives up everything, FAIL keeps everything, FIT shares the rest."""
    from generator.config.schema import OnShortfall

    plans = [
        plan._replace(sizing=_unreserved(plan)) if _on_shortfall(plan) == OnShortfall.UNRESERVED else plan
        for plan in group
    ]
    fitting = [plan for plan in plans if _on_shortfall(plan) == OnShortfall.FIT]
    if not fitting:
        return tuple(plans)
    from generator.capacity import allocation  # only needed by few environments

    kept = sum(plan.sizing.total_reserved for plan in plans if _on_shortfall(plan) != OnShortfall.FIT)
    sizings = iter(allocation.fit(fitting, reservable - kept) or allocation.minimum(fitting))
    return tuple(
        plan._replace(sizing=next(sizings)) if _on_shortfall(plan) == OnShortfall.FIT else plan for plan in plans
    )


def _on_shortfall(plan: Plan) -> OnShortfall:
    return plan.environment.account.on_shortfall


def _unreserved(plan: Plan) -> Sizing:
    from generator.capacity.sizing import stated

    def shared(function: FunctionSizing) -> FunctionSizing:
        units = stated(plan.environment, function.logical_id)
        although = "" if units is None else f", although {units:,} are stated,"
        reason = (
            f"nothing is reserved{although} because the account is too small; the function shares the account's pool"
        )
        return function._replace(reserved_concurrency=None, predicted=None, reason=reason)

    return replace(plan.sizing, functions=tuple(map(shared, plan.sizing.functions)))


def _disagreements(group: Sequence[Environment]) -> Iterable[Fault]:
    first, *others = group
    for other in others:
        for key, own, firsts in zip(AccountQuota._fields, account_of(other), account_of(first), strict=True):
            if own != firsts:
                yield Fault(
                    f"{other.name}: account.{key}",
                    f"{own:,} here but {firsts:,} in {first.name}, which shares account {first.account.name} in "
                    f"{first.region}",
                    "write the same value in both, or different account names",
                )
