"""Remedies for a missed target: the setting to write, its value, and the reservations that follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from generator._format import percent, rate
from generator.capacity.planning import with_rate
from generator.capacity.sizing import CHECK_ALERTS, SETTINGS, size, stated, with_units
from generator.config.schema import Environment
from generator.errors import UnsizableLoad
from generator.simulation import SimulationResult


def remedies(environment: Environment, result: SimulationResult) -> Iterator[str]:
    """Yield a remedy for each function whose reservation, or a usage plan that follows it, made a target be missed.

    The value is the one that the sizing derives for the highest rate of the workload, at least one more than simulated.
    """
    names = {settings_name: logical_id for logical_id, settings_name in SETTINGS.items()}
    for function in dict.fromkeys(target.function for target in result.targets if target.function):
        settings_name, simulated = result.settings[function], result.chart.reserved[function]
        if simulated is not None:
            yield f"{function}: {_remedy(environment, names[settings_name], simulated, result.peak_per_s)}"


def _remedy(environment: Environment, logical_id: str, simulated: int, peak_per_s: float) -> str:
    traffic = environment.traffic
    mean_per_s = traffic.webhooks_per_hour / 3600
    at_peak = with_rate(
        replace(environment, traffic=replace(traffic, peak_factor=peak_per_s / mean_per_s)), traffic.webhooks_per_hour
    )
    try:
        needed = size(at_peak)[logical_id]
        sizing = size(environment)
    except UnsizableLoad as error:
        return str(error)
    more = environment.stream.shards + 1 if logical_id == CHECK_ALERTS else 1
    units = max(needed.reserved_concurrency or 0, simulated + more)
    predicted = with_units(at_peak, needed, units, "").predicted
    effect = f"{percent(predicted or 0)} predicted at {rate(peak_per_s)}"
    run = f"run generator template {environment.name}"
    if sizing[logical_id].reserved_concurrency == units and stated(environment, logical_id) is None:
        return f"{run}; it reserves {units:,} instead of {simulated:,} ({effect}): {sizing.sum_as_text}"
    settings_name = SETTINGS[logical_id]
    changed = replace(getattr(environment.functions, settings_name), reserved_concurrency=units)
    mended = replace(environment, functions=replace(environment.functions, **{settings_name: changed}))
    return (
        f"write functions.{settings_name}.reserved_concurrency = {units} instead of {simulated:,} ({effect}) "
        f"and {run}: {size(mended).sum_as_text}"
    )
