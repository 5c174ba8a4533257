"""Find the best split of an account that is too small for every reservation.

The cost of a split is the number of invocations per second, over all functions, that are throttled or have to wait at
the peak: the sum of arrival rate x probability. The probability is

ProcessWebhook     Erlang B of its units; at least enough units to admit the peak at ten requests per second each.
CheckAlerts        Erlang C of the busiest shard's lanes, applied to all batches as if each were on that shard. Its
                   step is one parallelization factor, which is shards + 1 units; utilisation stays below 1.
SendNotification   Erlang C of its units; always more units than the load.
CleanupHistory     Erlang C of its units; at least one.

No function gets more than its sizing wants. Erlang B falls by less with each further unit, and so does Erlang C above
the load (Messerli 1972; Jagers and van Doorn 1991). Where a step is one unit, it is therefore optimal to give each
unit to the function whose cost falls most. CheckAlerts has larger steps, for which that rule alone is not optimal (it
misses 12 of the 600 accounts in the tests, by up to 1.8 times the lowest cost), so every combination of factors is
tried, each with the remaining units.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from generator._format import percent
from generator.capacity import queueing
from generator.capacity.sizing import (
    CHECK_ALERTS,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    FunctionSizing,
    Sizing,
    units_for_rate,
    usage_plan,
)
from generator.config.schema import Environment

Sized = tuple[Environment, Sizing]


@dataclass(frozen=True, slots=True)
class Curve:
    """The cost of one function by its number of steps: `costs[0]` at the minimum, the last at what its sizing wants."""

    min_steps: int
    units_per_step: int
    costs: tuple[float, ...]

    @property
    def min_units(self) -> int:
        """The smallest reservation with which the function works."""
        return self.min_steps * self.units_per_step


def fit(group: Sequence[Sized], units: int) -> list[Sizing] | None:
    """Return the sizings that share that many units at the lowest cost, or None if even the minimum does not fit."""
    curves = [curve_of(function) for _, sizing in group for function in sizing.functions]
    steps = best_steps(curves, units)
    return None if steps is None else _reserved(group, curves, steps)


def minimum(group: Sequence[Sized]) -> list[Sizing]:
    """Return the sizings with the smallest reservations with which every function works."""
    curves = [curve_of(function) for _, sizing in group for function in sizing.functions]
    return _reserved(group, curves, [0] * len(curves))


def curve_of(function: FunctionSizing) -> Curve:
    """Return the cost of a function by its reservation."""
    wanted, load_erlangs, rate_per_s = (
        function.reserved_concurrency or 0,
        function.offered_load_erlangs,
        function.inputs["arrival_rate_per_s"],
    )
    if function.logical_id == PROCESS_WEBHOOK:
        probabilities = queueing.erlang_b_up_to(wanted, load_erlangs)
        min_steps, units_per_step = max(1, units_for_rate(rate_per_s)), 1
    elif function.logical_id == CHECK_ALERTS:
        factor = int(function.inputs["parallelization_factor"])
        busiest_erlangs = _busiest_shard_erlangs(function)
        probabilities = queueing.erlang_c_up_to(factor, busiest_erlangs)
        min_steps, units_per_step = int(busiest_erlangs) + 1, wanted // factor
    else:
        probabilities = queueing.erlang_c_up_to(wanted, load_erlangs)
        min_steps, units_per_step = int(load_erlangs) + 1, 1
    return Curve(
        min_steps, units_per_step, tuple(rate_per_s * probability for probability in probabilities[min_steps:])
    )


def best_steps(curves: Sequence[Curve], units: int) -> list[int] | None:
    """Return the steps above its minimum for each curve at the lowest sum of costs; None if the minimum does not fit.

    If a curve's step is one unit, its costs must be convex: each step saves less than the one before.
    """
    spare = units - sum(curve.min_units for curve in curves)
    if spare < 0:
        return None
    single = [index for index, curve in enumerate(curves) if curve.units_per_step == 1]
    order = list(_largest_falls_first(curves, single))
    saved = [0.0]
    for fall, _ in order:
        saved.append(saved[-1] + fall)
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


def _largest_falls_first(curves: Sequence[Curve], chosen: Sequence[int]) -> Iterator[tuple[float, int]]:
    """Yield the fall in cost and the curve for each further unit, largest fall first, until no curve wants more."""
    heap = [(-fall, index, 0) for index in chosen for fall in _fall(curves[index], 0)]
    heapq.heapify(heap)
    while heap:
        negative_fall, index, step = heapq.heappop(heap)
        yield -negative_fall, index
        for fall in _fall(curves[index], step + 1):
            heapq.heappush(heap, (-fall, index, step + 1))


def _fall(curve: Curve, step: int) -> Iterator[float]:
    if step + 1 < len(curve.costs):
        yield curve.costs[step] - curve.costs[step + 1]


Combination = tuple[float, tuple[tuple[int, int], ...]]
"""The sum of costs, and the steps of each curve by its index."""


def _combinations(curves: Sequence[Curve], chosen: Sequence[int], spare: int) -> dict[int, Combination]:
    """Return the cheapest combination of steps by units used, over every number of steps of each curve."""
    best: dict[int, Combination] = {0: (0.0, ())}
    for index in chosen:
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
    pairs = iter(zip(curves, steps, strict=True))
    sizings = []
    for environment, sizing in group:
        functions = tuple(
            _reserve(function, curve.min_steps + count, curve.units_per_step)
            for function, (curve, count) in zip(sizing.functions, pairs, strict=False)
        )
        fitted = replace(sizing, functions=functions)
        sizings.append(
            replace(
                fitted,
                parallelization_factor=int(fitted[CHECK_ALERTS].inputs["parallelization_factor"]),
                usage_plan=usage_plan(environment, fitted[PROCESS_WEBHOOK].reserved_concurrency or 0),
            )
        )
    return sizings


def _reserve(function: FunctionSizing, steps: int, units_per_step: int) -> FunctionSizing:
    """Return the function with that reservation and the prediction for it; unchanged if it gets all it wants."""
    wanted, reserved, load_erlangs = (
        function.reserved_concurrency or 0,
        steps * units_per_step,
        function.offered_load_erlangs,
    )
    if reserved == wanted:
        return function
    inputs = {**function.inputs, "wanted_concurrency": wanted}
    if function.logical_id == PROCESS_WEBHOOK:
        predicted = queueing.erlang_b(reserved, load_erlangs)
        effect = f"{percent(predicted)} of webhooks are throttled"
    elif function.logical_id == CHECK_ALERTS:
        inputs["parallelization_factor"] = steps
        predicted = _busiest_shard_erlangs(function) / steps
        waiting = queueing.erlang_c(steps, _busiest_shard_erlangs(function))
        effect = f"the busiest shard's lanes are {percent(predicted)} busy and {percent(waiting)} of its batches wait"
    else:
        predicted = queueing.erlang_c(reserved, load_erlangs)
        what = "notifications" if function.logical_id == SEND_NOTIFICATION else "runs"
        effect = f"{percent(predicted)} of {what} wait"
    reason = f"{reserved:,} of {wanted:,} wanted, because the account is too small; at the peak {effect}"
    return replace(function, reserved_concurrency=reserved, predicted=predicted, inputs=inputs, reason=reason)


def _busiest_shard_erlangs(function: FunctionSizing) -> float:
    return queueing.offered_load_erlangs(
        function.inputs["busiest_shard_batches_per_s"], function.inputs["mean_duration_s"]
    )
