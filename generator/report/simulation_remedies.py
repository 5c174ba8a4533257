"""Remedies for missed targets: what to change, and the reservations that follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generator._format import joined, number, percent, rate, significant
from generator.capacity import arrivals, burst_fit, quota
from generator.capacity.planning import with_rate
from generator.capacity.sizing import CHECK_ALERTS, PROCESS_WEBHOOK, SETTINGS, Sizing, size, with_units
from generator.config import project
from generator.config.schema import Environment, FunctionSettings
from generator.errors import UnsizableLoad
from generator.simulation import SimulationResult
from generator.simulation.targets import Cause, Target

SPARE = 100
"""Runs above a timeout may use up this part of a target, so that they hardly count."""

LOGICAL_IDS = {settings_name: logical_id for logical_id, settings_name in SETTINGS.items()}


def remedies(
    environment: Environment,
    result: SimulationResult,
    *,
    template: str = "",
    overrides: Mapping[str, object] | None = None,
) -> Iterator[str]:
    """Yield what to change for each missed target, and last the command to run with the reservations that follow.

    `template` is the simulated file if it is not the environment's own: then the changes are for that file. `overrides`
    are settings that the environment has but not its file, with their values as TOML.
    """
    missed = {(target.cause, target.function): target for target in result.targets if target.cause is not Cause.OTHER}
    # Other lanes have other batches, and so other bursts of notifications.
    order = sorted(missed.values(), key=lambda target: result.settings[target.function] != SETTINGS[CHECK_ALERTS])
    try:
        peak = _Peak.of(environment, result) if order else None
        if peak and template:
            yield from (_for_template(peak, target, result, template) for target in order)
        elif peak:
            yield from _for_environment(environment, peak, order, result, overrides or {})
    except UnsizableLoad as error:
        yield str(error)


@dataclass(frozen=True, slots=True)
class _Peak:
    """The environment at the workload's highest rate without stated reservations, its sizing, and the rate as text.

    `most_at_once` is the number of recorded webhooks in progress at once; 0 if no recording was replayed.
    """

    environment: Environment
    sizing: Sizing
    rate: str
    most_at_once: int = 0

    @classmethod
    def of(cls, environment: Environment, result: SimulationResult) -> _Peak:
        """Return the peak. Recorded times have no highest rate, but a busiest minute and the bursts that fit them."""
        traffic, recorded = environment.traffic, result.recorded
        per_s, most, text = result.peak_per_s, 0, rate(result.peak_per_s)
        if recorded:
            trace = recorded.trace
            fitted = burst_fit.fit(trace.times, environment.functions.process_webhook)
            size_ = 1 + (fitted.webhooks_per_burst - 1) * recorded.scale
            per_s, most = trace.peak_per_hour / 3600 * recorded.scale, fitted.most_at_once
            traffic = traffic._replace(webhooks_per_burst=size_)
            text = f"{rate(per_s)} in recorded bursts of {significant(size_)}" if size_ > 1 else rate(per_s)
        traffic = traffic._replace(peak_factor=per_s * 3600 / traffic.webhooks_per_hour)
        changed = with_rate(environment._replace(traffic=traffic), traffic.webhooks_per_hour)
        return cls(changed, size(changed), text, most)

    @property
    def admitted(self) -> str:
        plan = self.sizing.usage_plan
        return f"a rate of {number(plan.rate_per_s)}/s and a burst of {plan.burst:,}"

    def units(self, logical_id: str, simulated: int) -> tuple[int, str]:
        """Return the units to reserve, and why: those of the sizing, or more if it finds the simulated ones enough."""
        derived = self.sizing[logical_id]
        units = derived.reserved_concurrency or 0
        if units > simulated:
            return units, f"{percent(derived.predicted or 0)} predicted at {self.rate}"
        if logical_id == PROCESS_WEBHOOK and self.most_at_once > simulated:
            return self.most_at_once + 1, f"up to {self.most_at_once:,} recorded webhooks are in progress at once"
        units = simulated + (self.environment.stream.shards + 1 if logical_id == CHECK_ALERTS else 1)
        predicted = with_units(self.environment, derived, units, "").predicted
        return units, f"{percent(predicted or 0)} predicted at {self.rate}, which is too low; simulate again"


def _for_environment(
    environment: Environment,
    peak: _Peak,
    missed: list[Target],
    result: SimulationResult,
    overrides: Mapping[str, object],
) -> Iterator[str]:
    mended, settings = environment, dict(overrides)
    for target in missed:
        name = result.settings[target.function]
        if target.cause is Cause.LATE_ANSWER:
            yield _shorter(environment, target)
        elif target.cause is Cause.TIMEOUT:
            timeout_s = _timeout_s(environment, name, target.target)
            yield f"{target.function}: a timeout of {timeout_s:,} s, or shorter runs"
            if timeout_s > getattr(environment.functions, name).timeout_s:
                settings[f"functions.{name}.timeout_s"] = timeout_s
        elif target.cause is not Cause.PLAN:
            units, why = peak.units(LOGICAL_IDS[name], _simulated(environment, target, result))
            change = f"reserve {units:,}{_instead(target, result)}"
            if target.cause is Cause.LANES:
                factor = units // (environment.stream.shards + 1)
                change = f"{factor} lanes per shard instead of {target.lanes}, so reserve {units:,}"
            yield f"{target.function}: {change} ({why})"
            if size(mended)[LOGICAL_IDS[name]].reserved_concurrency != units:
                functions = mended.functions
                changed = getattr(functions, name)._replace(reserved_concurrency=units)
                mended = mended._replace(functions=functions._replace(**{name: changed}))
                settings[f"functions.{name}.reserved_concurrency"] = units
    if any(target.cause is not Cause.LATE_ANSWER for target in missed):
        sizing, account = size(mended), quota.account_of(environment)
        if not account.holds(sizing.total_reserved):
            request = quota.request_text(account, sizing.total_reserved)
            yield f"the account can reserve only {account.reservable:,}: {request}"
        write = joined([f"{key} = {value}" for key, value in settings.items()])
        where = project.environments() / f"{environment.name}.toml"
        yield (
            f"{f'write {write} in {where}, then ' if write else ''}run: generator template {environment.name}; it "
            f"reserves {sizing.sum_as_text}"
        )


def _for_template(peak: _Peak, target: Target, result: SimulationResult, template: str) -> str:
    function, name = target.function, result.settings[target.function]
    if target.cause is Cause.LATE_ANSWER:
        return _shorter(peak.environment, target)
    if target.cause is Cause.TIMEOUT:
        timeout_s = _timeout_s(peak.environment, name, target.target)
        return f"{function}: in {template}, a Timeout of {timeout_s:,} s, or shorter runs"
    if target.cause is Cause.PLAN:
        return f"{target.remedy}: in {template}, {peak.admitted}"
    units, why = peak.units(LOGICAL_IDS[name], _simulated(peak.environment, target, result))
    change = f"ReservedConcurrentExecutions of {units:,}{_instead(target, result)}"
    if target.cause is Cause.LANES:
        reserves_enough = (result.chart.reserved[function] or units) >= units
        lanes = f"a ParallelizationFactor of {units // (peak.environment.stream.shards + 1)} instead of {target.lanes}"
        change = lanes if reserves_enough else f"{lanes} and {change}"
    elif target.cause is Cause.FOLLOWING_PLAN:
        change = f"{change}, and a usage plan with {peak.admitted}"
    return f"{function}: in {template}, {change} ({why})"


def _simulated(environment: Environment, target: Target, result: SimulationResult) -> int:
    """Return the simulated reservation, or what the simulated lanes can use of it."""
    usable = target.lanes * (environment.stream.shards + 1)
    return usable or result.chart.reserved[target.function] or 0


def _instead(target: Target, result: SimulationResult) -> str:
    reserved = result.chart.reserved[target.function]
    return "" if reserved is None else f" instead of {reserved:,}"


def _timeout_s(environment: Environment, name: str, target: float) -> int:
    """Return the fewest whole seconds that runs exceed so rarely that it hardly counts towards the target."""
    function: FunctionSettings = getattr(environment.functions, name)
    return math.ceil(arrivals.longest_run_s(function, target / SPARE) + function.cold_start_ms / 1000)


def _shorter(environment: Environment, target: Target) -> str:
    function = environment.functions.process_webhook
    longest_s = arrivals.longest_run_s(function, target.target / SPARE)
    mean_ms = function.mean_duration_ms * (arrivals.ANSWER_S - function.cold_start_ms / 1000) / longest_s
    return (
        f"{target.function}: shorten its runs (functions.process_webhook.mean_duration_ms) from "
        f"{number(function.mean_duration_ms)} to {max(1, math.floor(mean_ms)):,} ms on average, so that hardly any "
        f"takes longer than {arrivals.ANSWER_S:g} s, cold start included"
    )
