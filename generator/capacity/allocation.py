"""Shares out an account that is too small for every reservation: the best split of what there is, exactly.

The cost of a split is the invocations per second, over all functions, that are throttled or have to wait at the peak:
the sum of arrival rate x probability. The probability is

ProcessWebhook     Erlang B of its units; never fewer than admit the peak, at ten requests per second each.
CheckAlerts        Erlang C of the busiest shard's lanes, for all its batches, as if each were on that shard. It is
                   given whole factors: shards + 1 units at a time, and enough for a utilisation below 1.
SendNotification   Erlang C of its units; never fewer than exceed the load.
CleanupHistory     Erlang C of its units; at least one.

No function gets more than its sizing wants. Erlang B falls ever more slowly with each unit, and so does Erlang C above
the load (Messerli 1972; Jagers and van Doorn 1991), so giving one unit at a time to the largest fall is optimal where
a step is one unit. CheckAlerts's steps are larger, and that rule alone would miss (12 of the 600 accounts in the tests,
at up to 1.8 times the least cost), so every combination of factors is tried, each with the units that it leaves.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from generator._format import percent
from generator.capacity import queueing
from generator.capacity.admission import units_for_rate, usage_plan
from generator.capacity.sizing import (
    CHECK_ALERTS,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    FunctionSizing,
    Sizing,
)
from generator.config.schema import Environment

Sized = tuple[Environment, Sizing]


@dataclass(frozen=True, slots=True)
class Curve:
    """What each number of steps costs one function: `costs[0]` at the least number, the last at what it wants."""

    least_steps: int
    units_per_step: int
    costs: tuple[float, ...]

    @property
    def least_units(self) -> int:
        """The smallest reservation with which the function works at all."""
        return self.least_steps * self.units_per_step


def fit(group: Sequence[Sized], units: int) -> list[Sizing] | None:
    """The sizings that share so many units at the least cost; None if even the least of each does not fit."""
    curves = [curve_of(function) for _, sizing in group for function in sizing.functions]
    steps = best_steps(curves, units)
    return None if steps is None else _reserved(group, curves, steps)


def least(group: Sequence[Sized]) -> list[Sizing]:
    """The sizings with the smallest reservations with which every function works at all."""
    curves = [curve_of(function) for _, sizing in group for function in sizing.functions]
    return _reserved(group, curves, [0] * len(curves))


def curve_of(function: FunctionSizing) -> Curve:
    """How a function's cost falls with its reservation."""
    wanted, load_erlangs, rate_per_s = (
        function.reserved_concurrency or 0,
        function.offered_load_erlangs,
        function.inputs["arrival_rate_per_s"],
    )
    if function.logical_id == PROCESS_WEBHOOK:
        probabilities = queueing.erlang_b_up_to(wanted, load_erlangs)
        least_steps, units_per_step = max(1, units_for_rate(rate_per_s)), 1
    elif function.logical_id == CHECK_ALERTS:
        factor = int(function.inputs["parallelization_factor"])
        busiest_erlangs = _busiest_shard_erlangs(function)
        probabilities = queueing.erlang_c_up_to(factor, busiest_erlangs)
        least_steps, units_per_step = int(busiest_erlangs) + 1, wanted // factor
    else:
        probabilities = queueing.erlang_c_up_to(wanted, load_erlangs)
        least_steps, units_per_step = int(load_erlangs) + 1, 1
    return Curve(
        least_steps, units_per_step, tuple(rate_per_s * probability for probability in probabilities[least_steps:])
    )


def best_steps(curves: Sequence[Curve], units: int) -> list[int] | None:
    """How many steps above its least each curve gets, so that the sum of costs is the smallest that the units allow.

    Costs of curves whose step is one unit must fall ever more slowly. None if the least of each does not fit.
    """
    spare = units - sum(curve.least_units for curve in curves)
    if spare < 0:
        return None
    single = [index for index, curve in enumerate(curves) if curve.units_per_step == 1]
    order = list(_largest_falls_first(curves, single))
    saved = [0.0]
    for fall, _ in order:
        saved.append(saved[-1] + fall)
    whole = _whole_steps(curves, [index for index in range(len(curves)) if index not in set(single)], spare)

    def cost(used: int) -> float:
        return whole[used][0] - saved[min(spare - used, len(order))]

    used = min(sorted(whole), key=cost)
    steps = [0] * len(curves)
    for index, count in whole[used][1]:
        steps[index] = count
    for _, index in order[: spare - used]:
        steps[index] += 1
    return steps


def _largest_falls_first(curves: Sequence[Curve], chosen: Sequence[int]) -> Iterator[tuple[float, int]]:
    """The fall of the cost and the curve to which each next unit goes, until nothing more is wanted."""
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


Choice = tuple[float, tuple[tuple[int, int], ...]]
"""The sum of costs, and the steps of each curve by its index."""


def _whole_steps(curves: Sequence[Curve], chosen: Sequence[int], spare: int) -> dict[int, Choice]:
    """By units used, the cheapest combination of steps: curve by curve, over every number of steps of each."""
    best: dict[int, Choice] = {0: (0.0, ())}
    for index in chosen:
        curve = curves[index]
        extended: dict[int, Choice] = {}
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
            _reserve(function, curve.least_steps + count, curve.units_per_step)
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
    """The function with that reservation and what then is to be expected; as it was, if that is all it wants."""
    wanted, reserved, load_erlangs = (
        function.reserved_concurrency,
        steps * units_per_step,
        function.offered_load_erlangs,
    )
    if reserved == wanted:
        return function
    inputs = {**function.inputs, "wanted_concurrency": wanted or 0}
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
    reason = f"{reserved} of the {wanted} wanted, for want of more in the account; at the peak {effect}"
    return replace(function, reserved_concurrency=reserved, predicted=predicted, inputs=inputs, reason=reason)


def _busiest_shard_erlangs(function: FunctionSizing) -> float:
    return queueing.offered_load_erlangs(
        function.inputs["busiest_shard_batches_per_s"], function.inputs["mean_duration_s"]
    )
