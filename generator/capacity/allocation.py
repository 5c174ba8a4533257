"""Find the best split of an account that is too small for every reservation.

The cost of a split is the number of invocations per second, over all functions, that are throttled or have to wait at
the peak: the sum of arrival rate x probability. The probability is

ProcessWebhook     The share that its sizing predicts; at least enough units to admit the peak at ten requests per
                   second each.
CheckAlerts        Erlang C of the busiest shard's lanes, applied to all batches as if each were on that shard. Its
                   step is one parallelization factor, which is shards + 1 units; the lanes carry full batches.
SendNotification   The share that its sizing predicts; always more units than the load.
CleanupHistory     Erlang C of its units; at least one.

No function gets more than its sizing wants, and a reservation that the environment states never changes. If a step is
one unit and each further unit saves no more than the one before, as with Erlang B (Messerli 1972), the best split gives
each unit to the function whose cost falls most. CheckAlerts has larger steps, and the cost of bursts can fall in other
ways. For these functions, every number of steps is tried, and the others share the units that remain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise

from generator.capacity import arrivals, lanes, queueing
from generator.capacity.functions import FunctionSizing
from generator.capacity.sizing import (
    CHECK_ALERTS,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    Sizing,
    of_functions,
    stated,
    webhook_loss,
    with_units,
)
from generator.capacity.usage_plan import units_for_rate
from generator.config.schema import Environment

Sized = tuple[Environment, Sizing]


@dataclass(frozen=True, slots=True)
class Curve:
    """The cost of a function by its number of steps, from the minimum to the reservation that its sizing wants."""

    min_steps: int
    units_per_step: int
    costs: tuple[float, ...]

    @property
    def min_units(self) -> int:
        """The smallest reservation with which the function works."""
        return self.min_steps * self.units_per_step

    @property
    def is_convex(self) -> bool:
        """Whether each step saves no more than the one before."""
        falls = [before - after for before, after in pairwise(self.costs)]
        return all(later <= fall for fall, later in pairwise(falls))


def fit(group: Sequence[Sized], units: int) -> list[Sizing] | None:
    """Return the sizings that share that many units at the lowest cost, or None if even the minimum does not fit."""
    curves = _curves(group)
    steps = best_steps(curves, units)
    return None if steps is None else _reserved(group, curves, steps)


def minimum(group: Sequence[Sized]) -> list[Sizing]:
    """Return the sizings with the smallest reservations with which every function works."""
    curves = _curves(group)
    return _reserved(group, curves, [0] * len(curves))


def _curves(group: Sequence[Sized]) -> list[Curve]:
    return [curve_of(environment, function) for environment, sizing in group for function in sizing.functions]


def curve_of(environment: Environment, function: FunctionSizing) -> Curve:
    """Return the cost of a function by its reservation."""
    wanted, rate_per_s = function.reserved_concurrency or 0, function.inputs["arrival_rate_per_s"]
    if stated(environment, function.logical_id) is not None:
        return Curve(wanted, 1, (0.0,))
    if function.logical_id == CHECK_ALERTS:
        factor = int(function.inputs["parallelization_factor"])
        stream = lanes.Stream.of(environment)
        first = min(factor, lanes.fewest(stream))
        shares = [lanes.waiting(stream, lanes_each) for lanes_each in range(first, factor + 1)]
        return Curve(first, wanted // factor, tuple(rate_per_s * share for share in shares))
    first = int(function.offered_load_erlangs) + 1
    share_of: Callable[[int], float] = partial(queueing.erlang_c, load_erlangs=function.offered_load_erlangs)
    if function.logical_id == PROCESS_WEBHOOK:
        first, share_of = max(1, units_for_rate(rate_per_s)), partial(webhook_loss, environment)
    elif function.logical_id == SEND_NOTIFICATION:
        share_of = arrivals.alert_clusters(environment, int(function.inputs["parallelization_factor"])).lateness
    shares = [share_of(units) for units in range(min(first, wanted), wanted + 1)]
    # Near saturation, the share of late bursts can rise with one more unit. The larger share then counts for both.
    never_rising = [*accumulate(reversed(shares), max)][::-1]
    return Curve(min(first, wanted), 1, tuple(rate_per_s * share for share in never_rising))


def best_steps(curves: Sequence[Curve], units: int) -> list[int] | None:
    """Return each curve's steps above its minimum at the lowest total cost; None if the units hold no minimum."""
    spare = units - sum(curve.min_units for curve in curves)
    if spare < 0:
        return None
    single = [index for index, curve in enumerate(curves) if curve.units_per_step == 1 and curve.is_convex]
    falls = [(before - after, index) for index in single for before, after in pairwise(curves[index].costs)]
    order = sorted(falls, key=lambda fall: -fall[0])
    saved = [*accumulate((fall for fall, _ in order), initial=0.0)]
    combinations = _combinations(curves, [index for index in range(len(curves)) if index not in set(single)], spare)

    def cost(used: int) -> float:
        return combinations[used][0] - saved[min(spare - used, len(order))]

    used = min(sorted(combinations), key=cost)
    steps = [0] * len(curves)
    for index, count in combinations[used][1]:
        steps[index] = count
    for _, index in order[: spare - used]:
        steps[index] += 1
    return steps


Combination = tuple[float, tuple[tuple[int, int], ...]]
"""The sum of costs, and the steps of each curve by its index."""


def _combinations(curves: Sequence[Curve], indexes: Sequence[int], spare: int) -> dict[int, Combination]:
    """Return the cheapest combination of steps by units used, over every number of steps of each curve."""
    best: dict[int, Combination] = {0: (0.0, ())}
    for index in indexes:
        curve = curves[index]
        extended: dict[int, Combination] = {}
        for used, (cost, steps) in best.items():
            for count, own in enumerate(curve.costs):
                total = used + count * curve.units_per_step
                if total <= spare and (total not in extended or cost + own < extended[total][0]):
                    extended[total] = (cost + own, (*steps, (index, count)))
        best = extended
    return best


def _reserved(group: Sequence[Sized], curves: Sequence[Curve], steps: Sequence[int]) -> list[Sizing]:
    units = iter((curve.min_steps + count) * curve.units_per_step for curve, count in zip(curves, steps, strict=True))
    return [
        of_functions(environment, tuple(_reserve(environment, function, next(units)) for function in sizing.functions))
        for environment, sizing in group
    ]


def _reserve(environment: Environment, function: FunctionSizing, units: int) -> FunctionSizing:
    wanted = function.reserved_concurrency or 0
    if units == wanted:
        return function
    because = f"{units:,} of {wanted:,} wanted, because the account is too small"
    return with_units(environment, function, units, because)
