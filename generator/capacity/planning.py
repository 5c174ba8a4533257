"""The inverse questions: the highest rate that an account carries, the limit that a rate needs, where figures rise.

All are about all that the model wants, with every target met, whatever `on_shortfall` says; the other environments of
the account keep their rates. No figure falls as the rate rises, so the rates are found by halving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from generator.capacity import quota
from generator.capacity.quota import AccountQuota, Plan
from generator.capacity.sizing import Sizing, size
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment
from generator.errors import UnsizableLoad

MAX_SIZINGS = 1000
"""As finely as a picture of all rates can show; environments with less than a hundred steps take a few hundred."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an environment at some rate, and its neighbours at theirs, want of their account."""

    account: AccountQuota
    sizing: Sizing
    by_others: int

    @property
    def total(self) -> int:
        """What all of them reserve."""
        return self.sizing.total_reserved + self.by_others

    @property
    def required_concurrency_limit(self) -> int:
        """The smallest limit of the account with which everything fits."""
        return quota.limit_for(self.account, self.total)

    @property
    def fits(self) -> bool:
        """Whether the account's own limit is enough."""
        return self.account.holds(self.total)


@dataclass(frozen=True, slots=True)
class HighestRate:
    """The answer to --max-rate.

    `need` is what that rate needs, or the lowest supported one where not even that fits. `beyond` is what one webhook
    per hour more would need; None where that is not the account's doing: the rate is the highest supported (`bound`
    "supported rate"), or no setting carries more (`bound` "unsizable", and `why`).
    """

    need: Need
    beyond: Need | None
    bound: str
    why: str = ""

    @property
    def webhooks_per_hour(self) -> int | None:
        """The rate; None where not even the lowest supported one fits."""
        return self.need.sizing.webhooks_per_hour if self.need.fits else None


def needed_at(environment: Environment, neighbours: Sequence[Environment], webhooks_per_hour: int) -> Need:
    """What the environment would need at another rate.

    Raises UnsizableLoad if no setting carries that rate, InvalidEnvironment if neighbours disagree about the account.
    """
    changed = with_rate(environment, webhooks_per_hour)
    sizing = size(changed)
    others = [Plan(neighbour, size(neighbour)) for neighbour in neighbours]
    (verdict,) = quota.judge([Plan(changed, sizing), *others])
    return Need(verdict.account, sizing, sum(plan.sizing.total_reserved for plan in others))


def highest_rate(environment: Environment, neighbours: Sequence[Environment]) -> HighestRate:
    """The highest supported rate that the account carries.

    Raises UnsizableLoad if no setting carries even the lowest supported rate.
    """
    low, high = WEBHOOKS_PER_HOUR
    at = needed_at(environment, neighbours, low)
    if not at.fits:
        return HighestRate(at, at, "account")
    beyond = high + 1
    while beyond - low > 1:
        middle = (low + beyond) // 2
        need = _need_if_carried(environment, at, middle)
        if need is None:
            beyond = middle
        else:
            low, at = middle, need
    return _explained(environment, neighbours, at)


def _need_if_carried(environment: Environment, known: Need, webhooks_per_hour: int) -> Need | None:
    sizing = _sized(environment, webhooks_per_hour)
    need = None if sizing is None else replace(known, sizing=sizing)
    return need if need and need.fits else None


def _explained(environment: Environment, neighbours: Sequence[Environment], at: Need) -> HighestRate:
    rate = at.sizing.webhooks_per_hour
    if rate == WEBHOOKS_PER_HOUR[1]:
        return HighestRate(at, None, "supported rate")
    try:
        return HighestRate(at, needed_at(environment, neighbours, rate + 1), "account")
    except UnsizableLoad as error:
        return HighestRate(at, None, "unsizable", str(error))


def steps(environment: Environment) -> list[tuple[int, Sizing]]:
    """Each rate from which on some figure is higher, with what it is then; the lowest and the highest rate as well.

    The highest is the last that any setting carries. With thousands of steps those nearest to each other are taken
    together, at the lowest of their rates. Raises UnsizableLoad if no setting carries even the lowest rate.
    """
    low, high = WEBHOOKS_PER_HOUR
    found = {low: size(with_rate(environment, low)), high: _sized(environment, high)}
    unequal = [(low, high)]
    while unequal and len(found) < MAX_SIZINGS:
        middles = [(first, (first + last) // 2, last) for first, last in unequal]
        found |= {middle: _sized(environment, middle) for _, middle, _ in middles}
        halves = [half for first, middle, last in middles for half in ((first, middle), (middle, last))]
        unequal = [
            (first, last)
            for first, last in halves
            if last - first > 1 and _figures(found[first]) != _figures(found[last])
        ]
    carried = sorted((rate, sizing) for rate, sizing in found.items() if sizing is not None)
    rises = [(rate + 1, then) for (rate, now), (_, then) in pairwise(carried) if _figures(now) != _figures(then)]
    return [carried[0], *rises, carried[-1]]


def _sized(environment: Environment, webhooks_per_hour: int) -> Sizing | None:
    try:
        return size(with_rate(environment, webhooks_per_hour))
    except UnsizableLoad:
        return None


def _figures(sizing: Sizing | None) -> list[int | None]:
    return [function.reserved_concurrency for function in sizing.functions] if sizing is not None else []


def with_rate(environment: Environment, webhooks_per_hour: int) -> Environment:
    """The environment at another rate."""
    return replace(environment, traffic=replace(environment.traffic, webhooks_per_hour=webhooks_per_hour))


def sum_of(need: Need) -> str:
    """The sum that makes the limit, for a person."""
    figures = [str(function.reserved_concurrency) for function in need.sizing.functions]
    account = need.account
    others = f" + {need.by_others} of the other environments" if need.by_others else ""
    return (
        f"{' + '.join(figures)} = {need.sizing.total_reserved} reserved{others} + {account.unreserved_floor} "
        f"unreserved floor + {account.reserved_elsewhere} reserved elsewhere"
    )
