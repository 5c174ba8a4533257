"""Explain why the environments of an account do not fit it, and name each remedy with the figures that follow."""

from __future__ import annotations

from collections.abc import Iterator

from generator._format import joined, percent
from generator.aws import floor_error
from generator.capacity import allocation, planning
from generator.capacity.quota import Plan, Verdict, increase_command, limit_for, limit_to_request
from generator.capacity.sizing import SETTINGS, stated
from generator.config.schema import OnShortfall

UNRESERVED = 'write on_shortfall = "unreserved" under [account]'


def refusal(verdict: Verdict) -> str:
    """Explain why the environments do not fit: the sum, the shortfall, the AWS error, and the remedies.

    Raises ValueError for a verdict that fits.
    """
    account = verdict.account
    if verdict.fits:
        raise ValueError(f"nothing to refuse: {verdict.total} of {account.reservable} are reserved")
    needed = "wanted" if verdict.total == verdict.wanted else f"needed at minimum ({verdict.wanted:,} wanted)"
    return "\n".join(
        [
            f"account {account.name} in {account.region}: {verdict.total:,} reserved concurrent executions {needed}, "
            f"{account.reservable:,} reservable, {-verdict.headroom:,} too many",
            *(f"  {plan.environment.name:<12} {plan.sizing.sum_as_text}" for plan in verdict.plans),
            f"  {'reservable':<12} {account.concurrency_limit:,} concurrency limit - {account.unreserved_floor:,} "
            f"unreserved floor - {account.reserved_elsewhere:,} reserved elsewhere = {account.reservable:,}",
            f"  Deploying this would fail with: {floor_error(account.unreserved_floor)}.",
            *(f"  {line}" for line in _remedies(verdict)),
        ]
    )


def _remedies(verdict: Verdict) -> Iterator[str]:
    account = verdict.account
    needed, for_wanted = verdict.required_concurrency_limit, limit_for(account, verdict.wanted)
    request = increase_command(account.region, for_wanted)
    all_wanted = "" if needed == for_wanted else f" ({for_wanted:,} for everything wanted)"
    limit = limit_to_request(needed) + all_wanted
    if account.reservable == 0:
        yield "Nothing can be reserved in this account. To deploy now, share the account's pool, with no guaranteed"
        yield f"concurrency and no cap: {UNRESERVED}. To reserve, request a limit"
        yield f"of {limit}: {request}"
        return
    yield f"Request a limit of {limit}: {request}"
    if account.reserved_elsewhere >= -verdict.headroom:
        yield (
            f"or free {-verdict.headroom:,} in other stacks: account.reserved_elsewhere = "
            f"{account.reserved_elsewhere + verdict.headroom}"
        )
    failing = [plan for plan in verdict.plans if plan.environment.account.on_shortfall == OnShortfall.FAIL]
    yield from _lower_stated(verdict)
    yield from _lower_rate(verdict, failing)
    yield from _fit(verdict, failing)
    yield f"or share the account's pool, with no guaranteed concurrency and no cap: {UNRESERVED}"


def _lower_stated(verdict: Verdict) -> Iterator[str]:
    """Yield the stated reservations that exceed what the sizing derives, and what is left too many without them."""
    lower, freed = [], 0
    for plan in verdict.plans:
        for function in plan.sizing.functions:
            units, derived = stated(plan.environment, function.logical_id), function.inputs.get("wanted_concurrency", 0)
            if units and units == function.reserved_concurrency and units > derived:
                key = f"functions.{SETTINGS[function.logical_id]}.reserved_concurrency"
                lower.append(f"{key} of {plan.environment.name} from {units:,} to the derived {derived:,.0f}")
                freed += units - int(derived)
    if lower:
        left = -verdict.headroom - freed
        yield f"or lower {joined(lower)}: {f'{left:,} are still too many' if left > 0 else 'everything fits'}"


def _lower_rate(verdict: Verdict, failing: list[Plan]) -> Iterator[str]:
    """Yield the highest rate with which everything fits, for the environment that reserves most."""
    if len(failing) < len(verdict.plans):
        return
    largest = max(failing, key=lambda plan: plan.sizing.total_reserved).environment
    if any(function.reserved_concurrency for function in largest.functions):
        return
    others = [plan.environment for plan in verdict.plans if plan.environment.name != largest.name]
    highest = planning.highest_rate(largest, others)
    if highest.webhooks_per_hour:
        yield (
            f"or lower the rate of {largest.name}: traffic.webhooks_per_hour = {highest.webhooks_per_hour} needs "
            f"{planning.own_sizing(highest.need).sum_as_text}"
        )


def _fit(verdict: Verdict, failing: list[Plan]) -> Iterator[str]:
    """Yield the best split if each environment with FAIL had FIT instead."""
    kept = sum(plan.sizing.total_reserved for plan in verdict.plans if plan not in failing)
    split = allocation.fit(failing, verdict.account.reservable - kept) if failing else None
    if split is None:
        return
    missed = [
        f"{function.logical_id} of {plan.environment.name} {percent(function.predicted or 0)}"
        for plan, sizing in zip(failing, split, strict=True)
        for function in sizing.functions
        if function.misses_target
    ]
    figures = joined([f"{plan.environment.name} {one.sum_as_text}" for plan, one in zip(failing, split, strict=True)])
    yield f'or write on_shortfall = "fit" under [account] for the best split, which misses targets: {figures}'
    if missed:
        yield f"   (predicted at the peak: {joined(missed)})"
