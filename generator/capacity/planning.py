"""Inverse sizing: the highest rate for an account, the limit for a rate, and the rates at which a reservation rises.

All answers assume that every target is met, even with `on_shortfall` or a stated reservation, and that the other
environments of the account keep their rates. No reservation falls as the rate rises, so rates are found by bisection.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from generator.capacity import quota
from generator.capacity.quota import Plan, Verdict
from generator.capacity.sizing import Sizing, at_rate, size
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment, Functions, OnShortfall
from generator.errors import UnsizableLoad

MAX_SIZINGS = 1000
"""The most sizings for one chart. A few hundred are enough for a hundred steps."""


class Bound(StrEnum):
    """The reason why the highest rate is not higher."""

    ACCOUNT = "account"
    SUPPORTED_RATE = "supported rate"
    UNSIZABLE = "unsizable"


class HighestRate(NamedTuple):
    """The answer to --max-rate.

    `need` is the verdict at that rate, or at the lowest supported rate if not even that fits. `need_above` is the one
    at one webhook per hour more if the account is the bound, else None. `reason` explains the bound UNSIZABLE.
    """

    need: Verdict
    need_above: Verdict | None
    bound: Bound
    reason: str = ""

    @property
    def webhooks_per_hour(self) -> int | None:
        """The rate; None if not even the lowest supported one fits."""
        return own_sizing(self.need).webhooks_per_hour if self.need.fits else None


def need_at(environment: Environment, neighbours: Sequence[Environment], webhooks_per_hour: int) -> Verdict:
    """Return the verdict on the environment at another rate, which is its first plan, and on the neighbours.

    Raises UnsizableLoad if no setting carries that rate, InvalidEnvironment if neighbours state a different account.
    """
    changed = with_rate(environment, webhooks_per_hour)
    (verdict,) = quota.judge([_plan(one) for one in (changed, *neighbours)])
    return verdict


def own_sizing(need: Verdict) -> Sizing:
    """Return the sizing of the environment that `need_at` judges: its plan comes before those of the neighbours."""
    return need.plans[0].sizing


def highest_rate(environment: Environment, neighbours: Sequence[Environment]) -> HighestRate:
    """Return the highest supported rate that the account carries.

    Raises UnsizableLoad if no setting carries even the lowest supported rate.
    """
    low, high = WEBHOOKS_PER_HOUR
    need = need_at(environment, neighbours, low)
    if not need.fits:
        return HighestRate(need, need, Bound.ACCOUNT)
    _, *others = need.plans

    def is_too_high(rate: int) -> bool:
        plan = _plan_or_none(environment, rate)
        return plan is None or not quota.judge([plan, *others])[0].fits

    rate = bisect_left(range(high + 1), True, low, key=is_too_high) - 1
    need = need_at(environment, neighbours, rate)
    if rate == high:
        return HighestRate(need, None, Bound.SUPPORTED_RATE)
    try:
        return HighestRate(need, need_at(environment, neighbours, rate + 1), Bound.ACCOUNT)
    except UnsizableLoad as error:
        return HighestRate(need, None, Bound.UNSIZABLE, str(error))


def steps(environment: Environment) -> list[tuple[int, Sizing]]:
    """Return each rate at which a reservation rises, with its sizing, between the lowest and the highest rate.

    The highest rate is the last that any setting carries. If there are thousands of steps, neighbouring steps
    are merged at the lowest of their rates. Raises UnsizableLoad if no setting carries even the lowest rate.
    """
    low, high = WEBHOOKS_PER_HOUR
    found = {low: _plan(with_rate(environment, low)), high: _plan_or_none(environment, high)}
    unequal = [(low, high)]
    while unequal and len(found) < MAX_SIZINGS:
        middles = [(first, (first + last) // 2, last) for first, last in unequal]
        found |= {middle: _plan_or_none(environment, middle) for _, middle, _ in middles}
        halves = [half for first, middle, last in middles for half in ((first, middle), (middle, last))]
        unequal = [
            (first, last)
            for first, last in halves
            if last - first > 1 and _reservations(found[first]) != _reservations(found[last])
        ]
    carried = sorted((rate, plan.sizing) for rate, plan in found.items() if plan is not None)
    rises = [
        (rate + 1, above)
        for (rate, sizing), (_, above) in pairwise(carried)
        if sizing.reservations != above.reservations
    ]
    return [carried[0], *rises, carried[-1]]


def staircase(environment: Environment) -> tuple[list[int], dict[str, list[int]]]:
    """Return the rates of `steps`, and each function's reservation at each of them, by logical id.

    Raises UnsizableLoad if no setting carries even the lowest rate.
    """
    rates, sizings = zip(*steps(environment), strict=True)
    names = sizings[0].reservations
    return [*rates], {name: [sizing.reservations[name] or 0 for sizing in sizings] for name in names}


def with_rate(environment: Environment, webhooks_per_hour: int) -> Environment:
    """Return the environment at another rate, without the reservations that it states for its own."""
    derived = Functions(*(function._replace(reserved_concurrency=None) for function in environment.functions))
    return at_rate(environment, webhooks_per_hour)._replace(functions=derived)


def sum_as_text(need: Verdict) -> str:
    """Return the terms whose sum is the required concurrency limit."""
    account, sizing = need.account, own_sizing(need)
    neighbours = need.total - sizing.total_reserved
    others = f" + {neighbours:,} for the other environments" if neighbours else ""
    return (
        f"{sizing.sum_as_text} reserved{others} + {account.unreserved_floor:,} "
        f"unreserved floor + {account.reserved_elsewhere:,} reserved elsewhere"
    )


def _plan(environment: Environment) -> Plan:
    """Return the plan that meets every target, also where the environment would yield to a small account."""
    account = environment.account._replace(on_shortfall=OnShortfall.FAIL)
    return Plan(environment._replace(account=account), size(environment))


def _plan_or_none(environment: Environment, webhooks_per_hour: int) -> Plan | None:
    try:
        return _plan(with_rate(environment, webhooks_per_hour))
    except UnsizableLoad:
        return None


def _reservations(plan: Plan | None) -> dict[str, int | None]:
    return plan.sizing.reservations if plan is not None else {}
