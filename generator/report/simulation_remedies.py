"""Remedies for missed targets: what to change and where, and the reservations that follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import chain
from random import Random
from typing import Any

from generator._format import number, percent, rate, significant
from generator.aws import API_GATEWAY_ACCOUNT_BURST, MAX_FUNCTION_TIMEOUT_S, MAX_PARALLELIZATION_FACTOR
from generator.capacity import arrivals, burst_fit, lanes, quota, traffic_fit
from generator.capacity.burst_fit import BurstFit
from generator.capacity.planning import with_rate
from generator.capacity.sizing import (
    PROCESS_WEBHOOK,
    SETTINGS,
    longest_batches_ms,
    remedy_for_stream,
    size,
    with_units,
)
from generator.capacity.usage_plan import UsagePlan, plan_rejection, usage_plan, without_rounding_error
from generator.config import files, project
from generator.config.schema import PEAK_FACTOR, Environment, FunctionSettings
from generator.config.validation import LEASE_S
from generator.errors import UnsizableLoad
from generator.simulation import SimulationResult
from generator.simulation.coverage import settings_names
from generator.simulation.targets import Cause, Target
from generator.simulation.topology.model import QUOTA_PERIODS_S, Throttle

SPARE = 100
"""Runs above a timeout may use up this part of a target, so that they hardly count."""

HELD_BACK = 0.05
"""A smaller part of the load that is lost before a function hardly changes what it needs."""

LOGICAL_IDS = {settings_name: logical_id for logical_id, settings_name in SETTINGS.items()}
PERIODS = {length_s: name for name, length_s in QUOTA_PERIODS_S.items()}

OF_UNITS = {Cause.UNITS, Cause.LANES, Cause.FOLLOWING_PLAN}
AT_GATEWAY = {Cause.PLAN, Cause.FOLLOWING_PLAN, Cause.QUOTA}

TARGETS = {
    "process_webhook": "webhook_throttle_probability",
    "check_alerts": "stream_utilisation",
    "send_notification": "notification_wait_probability",
}
"""The target of each function, by its name in the settings."""


def remedies(
    environment: Environment,
    result: SimulationResult,
    *,
    template: str = "",
    overrides: Mapping[str, object] | None = None,
) -> Iterator[str]:
    """Yield what to change for all missed targets together, and last the command to run with the reservations.

    `template` is the simulated file if it is not the environment's own: then the changes are for that file. `overrides`
    are settings that the environment has but not its file, with their values as TOML.
    """
    if any(limit.cause is not Cause.OTHER for target in result.targets for limit in target.limits):
        try:
            yield from _Remedies(environment, result, template, overrides or {}).lines()
        except UnsizableLoad as error:
            yield str(error)


class _Remedies:
    """The remedies of one simulation, in the order in which webhooks flow. Each one counts on those before it.

    `_file` is the environment as its file will be, and `_to_write` has the lines still missing there. `_peak` is the
    environment at the workload's highest rate with the reservations that remedies state, and `_at` that rate as text.
    """

    def __init__(
        self, environment: Environment, result: SimulationResult, template: str, overrides: Mapping[str, object]
    ) -> None:
        self._file, self._result, self._template = environment, result, template
        self._to_write = dict(overrides)
        self._topology, self._fitted = result.topology, None
        if result.recorded:
            played_s = [*chain.from_iterable(result.recorded.played(Random(1).random))]  # noqa: S311 - no secret
            times_s = played_s or result.recorded.trace.times
            self._fitted = burst_fit.fit(times_s, environment.functions.process_webhook)
        self._peak, self._at = self._at_peak()
        self._utilisation = self._wanted_utilisation()

    def lines(self) -> Iterator[str]:
        settings, order = settings_names(self._topology), [*SETTINGS.values()]
        settings = {name: settings[name] for name in settings if name not in self._topology.webhook_functions[1:]}
        try:
            size(self._stricter)
        except UnsizableLoad:
            yield from self._shorter_batches(settings)
        is_held_back = False
        for function, name in sorted(settings.items(), key=lambda item: order.index(item[1])):
            missed = {
                limit.cause: target
                for target in self._result.targets
                for limit in target.limits
                if limit.function == function
            }
            if Cause.LATE_ANSWER in missed:
                yield self._shorter_runs(function, name, missed[Cause.LATE_ANSWER].target / SPARE, arrivals.ANSWER_S)
            elif Cause.TIMEOUT in missed:
                yield from self._longer_timeout(function, name, missed[Cause.TIMEOUT])
            is_large = any((target.measured.mean or 0) > HELD_BACK for target in missed.values())
            is_held_back |= is_large and not AT_GATEWAY.isdisjoint(missed)
            yield from self._reservation(function, name, missed, is_held_back)
            if missed and name == SETTINGS[PROCESS_WEBHOOK]:
                yield from self._admission(missed)
            is_held_back |= is_large
        if not self._template:
            yield from self._generation()

    def _at_peak(self) -> tuple[Environment, str]:
        """Return the environment at the highest rate: the workload's, or a recording's busiest minute and bursts."""
        traffic, stream = self._file.traffic, self._file.stream
        per_s, text = self._result.peak_per_s, rate(self._result.peak_per_s)
        if self._fitted and self._result.recorded:
            trace, bursts = self._result.recorded.trace, self._fitted.webhooks_per_burst
            per_s = trace.peak_per_hour / 3600 * self._result.recorded.scale
            traffic = traffic._replace(webhooks_per_burst=bursts)
            text = f"{rate(per_s)} in recorded bursts of {significant(bursts)}" if bursts > 1 else rate(per_s)
        for mapping in self._topology.mappings if self._template else ():
            stream = stream._replace(batch_size=mapping.batch_size, batching_window_s=math.ceil(mapping.window_s))
        traffic = traffic._replace(peak_factor=per_s * 3600 / traffic.webhooks_per_hour)
        return with_rate(self._file._replace(traffic=traffic, stream=stream), traffic.webhooks_per_hour), text

    def _wanted_utilisation(self) -> float:
        """Return the target for lanes, lower by as much as the simulation finds them busier than predicted."""
        for target in self._result.targets:
            for limit in target.limits:
                if limit.cause is Cause.LANES and target.measured.mean:
                    predicted = lanes.utilisation(lanes.Stream.of(self._peak), limit.lanes)
                    return target.target * min(1.0, predicted / target.measured.mean)
        return self._peak.targets.stream_utilisation

    @property
    def _stricter(self) -> Environment:
        """The environment at the peak with that target for lanes."""
        stricter: Environment = _changed(self._peak, "targets.stream_utilisation", self._utilisation)
        return stricter

    def _shorter_batches(self, settings: Mapping[str, str]) -> Iterator[str]:
        """Yield the remedy if Lambda allows too few lanes. All others count on the shorter batches.

        Raises UnsizableLoad if no batches are short enough.
        """
        longest_ms = longest_batches_ms(self._stricter) or longest_batches_ms(self._peak)
        if not longest_ms:
            size(self._peak)
        batch_size = f"BatchSize in {self._template}" if self._template else "stream.batch_size"
        remedy = remedy_for_stream(self._stricter, batch_size)
        place = self._with_mean("check_alerts", longest_ms)
        for function in settings:
            if settings[function] == "check_alerts":
                yield (
                    f"{function}: a ParallelizationFactor of {MAX_PARALLELIZATION_FACTOR}, Lambda's maximum, is not "
                    f"enough at {self._at}; {remedy}. When they are that short, {place}"
                )

    def _shorter_runs(self, function: str, name: str, share: float, most_s: float) -> str:
        """Return the remedy with which only this share of the runs take longer, cold start included."""
        settings: FunctionSettings = getattr(self._file.functions, name)
        longest_s = arrivals.longest_run_s(settings, share)
        mean_ms = max(1, math.floor(settings.mean_duration_ms * (most_s - settings.cold_start_ms / 1000) / longest_s))
        limit = f"{most_s:g} s" if name == SETTINGS[PROCESS_WEBHOOK] else f"{most_s:g} s, its longest possible timeout"
        return (
            f"{function}: shorten its runs (functions.{name}.mean_duration_ms) from "
            f"{number(settings.mean_duration_ms)} to {mean_ms:,} ms on average, so that hardly any takes longer than "
            f"{limit}, cold start included. When they are that short, {self._with_mean(name, mean_ms)}"
        )

    def _longer_timeout(self, function: str, name: str, target: Target) -> Iterator[str]:
        """Yield the remedy with the fewest seconds that so few runs exceed that they hardly count for the target."""
        settings: FunctionSettings = getattr(self._file.functions, name)
        share = (HELD_BACK if target.name == TARGETS["check_alerts"] else target.target) / SPARE
        timeout_s = math.ceil(arrivals.longest_run_s(settings, share) + settings.cold_start_ms / 1000)
        most_s = LEASE_S - 1 if name == "send_notification" and not self._template else MAX_FUNCTION_TIMEOUT_S
        most_s = math.floor(arrivals.ANSWER_S) if name == SETTINGS[PROCESS_WEBHOOK] else most_s
        if timeout_s > most_s:
            yield self._shorter_runs(function, name, share, most_s)
            timeout_s = most_s
        if timeout_s <= self._topology.functions[function].timeout_s:
            return
        if self._template:
            yield f"{function}: in {self._template}, a Timeout of {timeout_s:,} s, or shorter runs"
        elif timeout_s <= settings.timeout_s:
            yield f"{function}: a timeout of {settings.timeout_s:,} s; {self._generated}"
        else:
            place = self._written(f"functions.{name}.timeout_s", timeout_s)
            yield f"{function}: a timeout of {timeout_s:,} s, or shorter runs; {place}"

    def _reservation(
        self, function: str, name: str, missed: Mapping[Cause, Target], is_held_back: bool
    ) -> Iterator[str]:
        """Yield the reservation to change if it missed a target, or would with the load that is held back before it."""
        found = self._topology.functions[function].reserved_concurrency
        factor = next((one.parallelization_factor for one in self._topology.mappings if one.function == function), 0)
        step = self._peak.stream.shards + 1 if factor else 1
        target = next((target for cause, target in missed.items() if cause in OF_UNITS), None)
        is_judged = TARGETS.get(name) in [target.name for target in self._result.targets]
        if target is None and not (is_held_back and is_judged and (factor or found is not None)):
            return
        simulated = factor * step if found is None or Cause.LANES in missed else min(found, factor * step or found)
        derived = size(self._stricter)[LOGICAL_IDS[name]]
        units, why = derived.reserved_concurrency or 0, ""
        if self._fitted and name == SETTINGS[PROCESS_WEBHOOK]:
            units, why = _for_recording(self._fitted, units, simulated, derived.target or 0)
        in_file = None if self._template else size(self._file)[LOGICAL_IDS[name]].reserved_concurrency
        is_lanes = Cause.LANES in missed
        if units <= simulated and (target is None or (is_lanes and in_file in (None, units))):
            return
        units = max(units, simulated if is_lanes else simulated + step)
        predicted = with_units(self._peak, derived, units, "").predicted or 0
        why = why or f"{percent(predicted)} predicted at {self._at}"
        if target and (size(self._peak)[LOGICAL_IDS[name]].reserved_concurrency or 0) <= simulated:
            why += "; the simulation finds more than this prediction, so simulate again"
        elif self._fitted and self._fitted.webhooks_per_burst > 1 and name == "send_notification":
            why += "; this prediction is uncertain for recorded bursts, so simulate again"
        self._peak = _changed(self._peak, f"functions.{name}.reserved_concurrency", units)
        rise = min(units // step, MAX_PARALLELIZATION_FACTOR) if factor else 0
        more_lanes = f"{rise} instead of {factor}" if rise > factor else ""
        change = f"{units:,}" + ("" if found in (None, units) else f" instead of {found:,}")
        if self._template:
            changes = [f"a ParallelizationFactor of {more_lanes}"] if more_lanes else []
            changes += [f"ReservedConcurrentExecutions of {change}"] if found is not None and found < units else []
            if changes:
                yield f"{function}: in {self._template}, {' and '.join(changes)} ({why})"
            return
        lanes_ = f"{rise} lanes per shard instead of {factor}, so " if more_lanes else ""
        key = f"functions.{name}.reserved_concurrency"
        place = self._generated if units == in_file else self._written(key, units)
        yield f"{function}: {lanes_}reserve {change} ({why}); {place}"

    def _admission(self, missed: Mapping[Cause, Target]) -> Iterator[str]:
        """Yield the limits of API Gateway that refuse too many requests, or would if others were raised."""
        limits = [one for one in self._topology.throttles if one.rate_per_s is not None]
        units = size(self._stricter)[PROCESS_WEBHOOK].reserved_concurrency or 0
        is_known = not {Cause.PLAN, Cause.FOLLOWING_PLAN}.isdisjoint(missed)
        if self._template and (is_known or any(self._refuses(one) for one in limits)):
            plan = usage_plan(self._peak, units)
            while not (below := [one for one in limits if _is_below(one, plan)]):
                units += 1
                plan = usage_plan(self._peak, units)
            for one in below:
                own_per_s = one.rate_per_s or 0
                admitted = f"{number(own_per_s)}/s" + ("" if one.burst is None else f" and {one.burst:,g}")
                yield (
                    f"{one.logical_id}: in {self._template}, a rate of {number(max(own_per_s, plan.rate_per_s))}/s and "
                    f"a burst of {max(one.burst or 0, plan.burst):,g} instead of {admitted}"
                )
        if Cause.QUOTA in missed:
            yield from self._quotas()

    def _refuses(self, limit: Throttle) -> bool:
        """Return whether the limit alone is predicted to refuse more requests than the target allows."""
        burst = API_GATEWAY_ACCOUNT_BURST if limit.burst is None else limit.burst
        plan = UsagePlan(limit.rate_per_s or 0, int(burst), 0)
        return plan_rejection(self._peak, plan) > self._peak.targets.webhook_throttle_probability

    def _quotas(self) -> Iterator[str]:
        """Yield the quotas below the one that the settings give, or below a day at the peak if that is not enough."""
        traffic, derived = self._peak.traffic, usage_plan(self._file, 1).quota_per_day
        per_hour = without_rounding_error(traffic.webhooks_per_hour * traffic.peak_factor)
        mean = traffic._replace(webhooks_per_hour=math.ceil(per_hour), peak_factor=1)
        of_load = usage_plan(self._peak._replace(traffic=mean), 1).quota_per_day
        is_at_peak = derived >= math.floor(24 * per_hour)
        for limit in self._topology.throttles:
            period_days = limit.quota_period_s / QUOTA_PERIODS_S["DAY"]
            is_enough = is_at_peak and limit.quota is not None and limit.quota < derived * period_days
            needed = math.ceil((derived if is_enough else of_load) * period_days)
            if limit.quota is not None and limit.quota < needed:
                change = f"a quota of {needed:,} instead of {limit.quota:,} per {PERIODS[limit.quota_period_s]}"
                if self._template:
                    yield f"{limit.logical_id}: in {self._template}, {change}"
                else:
                    place = self._generated if is_enough else self._quota_settings(per_hour, of_load)
                    yield f"{limit.logical_id}: {change}; {place}"

    def _quota_settings(self, per_hour: float, quota_per_day: int) -> str:
        """Return the places of the settings that give the quota: the peak factor, and the rate if it must rise too."""
        factor = math.ceil(100 * quota_per_day / 24 / self._file.traffic.webhooks_per_hour) / 100
        if factor <= PEAK_FACTOR[1]:
            return self._written("traffic.peak_factor", factor)
        fitted = traffic_fit.fit(per_hour, quota_per_day / 24)
        places = [
            self._written("traffic.webhooks_per_hour", fitted.webhooks_per_hour),
            self._written("traffic.peak_factor", fitted.peak_factor),
        ]
        return ", and ".join(places) + (f"; {fitted.peak_note}" if fitted.peak_note else "")

    # Where to change it.

    @property
    def _generated(self) -> str:
        return f"generator template {self._file.name} does that"

    def _place(self, key: str, value: object) -> str:
        path = project.environments() / f"{self._file.name}.toml"
        return f"{files.place_of(path, key)}: {key.rpartition('.')[2]} = {value}"

    def _written(self, key: str, value: float) -> str:
        """Count on a setting from now on, and return its place."""
        self._file = _changed(self._file, key, value)
        self._to_write.pop(key, None)
        return f"write in {self._place(key, f'{value:.12g}')}"

    def _with_mean(self, name: str, mean_ms: int) -> str:
        """Return the place of a mean duration. If the file states the 95th percentile, it changes in the same ratio."""
        settings: FunctionSettings = getattr(self._file.functions, name)
        mean, p95 = (f"functions.{name}.{key}_duration_ms" for key in ("mean", "p95"))
        p95_ms = float(f"{settings.p95_duration_ms * mean_ms / settings.mean_duration_ms:.3g}")
        is_stated = p95 in self._to_write or " line " in self._place(p95, p95_ms)
        self._peak = _changed(_changed(self._peak, mean, mean_ms), p95, p95_ms)
        places = [self._written(mean, mean_ms), self._written(p95, p95_ms)]
        return ", and ".join(places if is_stated else places[:1])

    def _generation(self) -> Iterator[str]:
        """Yield the settings that were only simulated, and the command that generates the template."""
        yield from (f"write in {self._place(key, value)}" for key, value in self._to_write.items())
        sizing, account = size(self._file), quota.account_of(self._file)
        if not account.holds(sizing.total_reserved):
            request = quota.request_text(account, sizing.total_reserved)
            yield f"the account can reserve only {account.reservable:,}: {request}"
        yield f"run: generator template {self._file.name}; it reserves {sizing.sum_as_text}"


def _for_recording(fitted: BurstFit, units: int, simulated: int, target: float) -> tuple[int, str]:
    """Return the units, or more if the recording itself needs them, and why: other durations may need one more."""
    needed = fitted.in_progress_for(target)
    if max(units, needed + 1) <= simulated:
        needed = fitted.most_at_once
    if needed < max(units, simulated):
        return units, ""
    share = percent(fitted.share_finding(needed))
    return needed + 1, f"{share} of the recorded webhooks find {needed:,} or more in progress"


def _changed(record: Any, key: str, value: object) -> Any:
    """Return a copy of the settings with another value of a dotted key."""
    name, _, rest = key.partition(".")
    return record._replace(**{name: _changed(getattr(record, name), rest, value) if rest else value})


def _is_below(limit: Throttle, plan: UsagePlan) -> bool:
    is_rate_below = limit.rate_per_s is not None and limit.rate_per_s < plan.rate_per_s
    return is_rate_below or (limit.burst is not None and limit.burst < plan.burst)
