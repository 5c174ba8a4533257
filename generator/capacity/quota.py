"""Proves that reservations fit the account, environment by environment and together, before anything is written.

AWS keeps a floor of unreserved concurrency in every account and Region, and refuses a reservation that would go
below it. No template check of AWS's own looks at the sum; the deployment fails half-way through the stack instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from generator.aws import CONCURRENCY_QUOTA_CODE, DEFAULT_CONCURRENCY_LIMIT, floor_error
from generator.capacity.sizing import Sizing
from generator.config.schema import Environment
from generator.errors import Fault, InvalidEnvironment


@dataclass(frozen=True, slots=True)
class AccountQuota:
    """The concurrency of one account in one Region."""

    name: str
    region: str
    concurrency_limit: int
    unreserved_floor: int
    reserved_elsewhere: int

    @property
    def reservable(self) -> int:
        """What these environments may reserve together.

        Source: Lambda API reference, PutFunctionConcurrency: AWS keeps a floor unreserved, documented as 100.
        """
        return max(0, self.concurrency_limit - self.unreserved_floor - self.reserved_elsewhere)

    def holds(self, reserved: int) -> bool:
        """Whether so much can be reserved: nothing always can, anything else must leave the floor whole."""
        return reserved <= self.reservable


@dataclass(frozen=True, slots=True)
class Plan:
    """One environment and its sizing."""

    environment: Environment
    sizing: Sizing


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether everything that shares one account fits it.

    `plans` hold the sizing as it will be deployed; where it cannot be, the least that was tried. `wanted` is what all
    of them would reserve in an account without a limit.
    """

    account: AccountQuota
    plans: tuple[Plan, ...]
    wanted: int

    @property
    def total(self) -> int:
        """What all environments in this account reserve."""
        return sum(plan.sizing.total_reserved for plan in self.plans)

    @property
    def headroom(self) -> int:
        """What could still be reserved; negative is the shortfall."""
        return self.account.reservable - self.total

    @property
    def fits(self) -> bool:
        """Whether everything can be deployed."""
        return self.account.holds(self.total)


def judge(plans: Iterable[Plan]) -> list[Verdict]:
    """One verdict per account and Region, with each environment's `on_shortfall` applied.

    Raises InvalidEnvironment if environments that share an account disagree about it.
    """
    shared: dict[tuple[str, str], list[Plan]] = {}
    for plan in plans:
        account = plan.environment.account
        shared.setdefault((account.name, plan.environment.region), []).append(plan)
    groups = [[plan.environment for plan in group] for group in shared.values()]
    if faults := [fault for group in groups for fault in _disagreements(group)]:
        raise InvalidEnvironment(faults)
    return [_judge_one(group) for group in shared.values()]


def account_of(environment: Environment) -> AccountQuota:
    """The account that an environment states."""
    account = environment.account
    return AccountQuota(
        account.name,
        environment.region,
        account.concurrency_limit,
        account.unreserved_floor,
        account.reserved_elsewhere,
    )


def refusal(verdict: Verdict) -> str:
    """Why a verdict is bad, for a person: the sum, what is reservable, the shortfall, AWS's words, and what to do.

    Raises ValueError for a verdict that is good.
    """
    if verdict.fits:
        raise ValueError(f"nothing to refuse: {verdict.total} of {verdict.account.reservable} are reserved")
    account = verdict.account
    how = "wanted" if verdict.total == verdict.wanted else f"needed at the least ({verdict.wanted} wanted)"
    return "\n".join(
        [
            f"account {account.name} in {account.region}: {verdict.total} reserved concurrent executions {how}, "
            f"{account.reservable} reservable, {-verdict.headroom} too many",
            *(f"  {plan.environment.name:<12} {_terms(plan.sizing)}" for plan in verdict.plans),
            f"  {'reservable':<12} {account.concurrency_limit} concurrency limit - {account.unreserved_floor} "
            f"unreserved floor - {account.reserved_elsewhere} reserved elsewhere = {account.reservable}",
            f"  Deploying this would fail with: {floor_error(account.unreserved_floor)}.",
            *(f"  {line}" for line in _remedies(verdict)),
        ]
    )


def _judge_one(group: Sequence[Plan]) -> Verdict:
    wanted = sum(plan.sizing.total_reserved for plan in group)
    verdict = Verdict(account_of(group[0].environment), tuple(group), wanted)
    return verdict if verdict.fits else replace(verdict, plans=_yielded(group, verdict.account.reservable))


def _yielded(group: Sequence[Plan], reservable: int) -> tuple[Plan, ...]:
    """What environments make of a shortfall: those that yield everything first, then the rest is shared out.

    One that says "fail" keeps all that it wants. Those that say "fit" are shared out together.
    """
    plans = [
        replace(plan, sizing=_unreserved(plan.sizing)) if _on_shortfall(plan) == "unreserved" else plan
        for plan in group
    ]
    fitting = [(plan.environment, plan.sizing) for plan in plans if _on_shortfall(plan) == "fit"]
    if not fitting:
        return tuple(plans)
    from generator.capacity import allocation  # which most environments never need

    kept = sum(plan.sizing.total_reserved for plan in plans if _on_shortfall(plan) != "fit")
    sizings = iter(allocation.fit(fitting, reservable - kept) or allocation.least(fitting))
    return tuple(replace(plan, sizing=next(sizings)) if _on_shortfall(plan) == "fit" else plan for plan in plans)


def _on_shortfall(plan: Plan) -> str:
    return plan.environment.account.on_shortfall


def _unreserved(sizing: Sizing) -> Sizing:
    why = "nothing is reserved, it shares the account's pool: the reservations do not fit the account"
    functions = tuple(
        replace(function, reserved_concurrency=None, predicted=None, reason=why) for function in sizing.functions
    )
    return replace(sizing, functions=functions)


def _disagreements(group: Sequence[Environment]) -> Iterable[Fault]:
    first, *others = group
    for other in others:
        for key in ("concurrency_limit", "unreserved_floor", "reserved_elsewhere"):
            mine, theirs = getattr(other.account, key), getattr(first.account, key)
            if mine != theirs:
                yield Fault(
                    f"{other.name}: account.{key}",
                    f"{mine} here and {theirs} in {first.name}, which shares the account {first.account.name} in "
                    f"{first.region}",
                    "state the same, or give the accounts different names",
                )


def _terms(sizing: Sizing) -> str:
    figures = [str(function.reserved_concurrency or 0) for function in sizing.functions]
    return f"{' + '.join(figures)} = {sizing.total_reserved}"


def limit_for(account: AccountQuota, reserved: int) -> int:
    """The smallest concurrency limit that holds so many reservations beside the floor and what is there already."""
    return reserved + account.unreserved_floor + account.reserved_elsewhere


def worth_a_request(limit: int) -> str:
    """The limit to request, in words, for one that is needed: no less than AWS's own default."""
    return f"{limit} or more" + (
        f", so AWS's default of {DEFAULT_CONCURRENCY_LIMIT}" if limit < DEFAULT_CONCURRENCY_LIMIT else ""
    )


def increase_command(region: str, limit: int, aws: str = "aws") -> str:
    """What to type to request a concurrency limit, of no less than AWS's own default."""
    return (
        f"{aws} service-quotas request-service-quota-increase --region {region} --service-code lambda "
        f"--quota-code {CONCURRENCY_QUOTA_CODE} --desired-value {max(limit, DEFAULT_CONCURRENCY_LIMIT)}"
    )


def _remedies(verdict: Verdict) -> Iterable[str]:
    account = verdict.account
    needed, all_of_it = limit_for(account, verdict.total), limit_for(account, verdict.wanted)
    request = increase_command(account.region, all_of_it)
    wanted = "" if needed == all_of_it else f" ({all_of_it} for all that is wanted)"
    wording = worth_a_request(needed) + wanted
    if account.reservable == 0:
        yield "Nothing can be reserved in this account. To go on now, share the account's pool, without guarantee and"
        yield 'without cap: write on_shortfall = "unreserved" under [account]. To keep the guarantee, request a limit'
        yield f"of {wording}: {request}"
    else:
        yield f"Request a limit of {wording}: {request}"
        yield "or free what is reserved elsewhere, lower the rate, relax a target, or share the account's pool, without"
        yield 'guarantee and without cap: write on_shortfall = "unreserved" under [account].'
        if _could_be_fitted(verdict):
            yield 'Or share out what there is, and miss targets by as little as it allows: on_shortfall = "fit".'


def _could_be_fitted(verdict: Verdict) -> bool:
    """Whether it would fit if those that now insist on all that they want took a share instead."""
    from generator.capacity import allocation

    insisting = [(plan.environment, plan.sizing) for plan in verdict.plans if _on_shortfall(plan) == "fail"]
    others = sum(plan.sizing.total_reserved for plan in verdict.plans if _on_shortfall(plan) != "fail")
    smallest = sum(sizing.total_reserved for sizing in allocation.least(insisting))
    return bool(insisting) and smallest + others <= verdict.account.reservable
