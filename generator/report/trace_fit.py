"""The traffic settings that a recording gives, and the reasons to distrust them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from generator._format import counted, duration, number, significant
from generator.capacity import burst_fit, sizing
from generator.capacity.burst_fit import BurstFit
from generator.config import files
from generator.config.fields import declarations
from generator.config.schema import Environment, Traffic
from generator.errors import UnsizableLoad
from generator.simulation.trace import read_trace


def fit(name: str, path: Path, chosen: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the settings of a recording as overrides, and the lines that describe it: summary, settings, weaknesses.

    The overrides that the user chose take precedence when the bursts are fitted to the environment's durations.
    Raises UnreadableTrace with the number of the wrong line, InvalidEnvironment if the settings are wrong.
    """
    trace = read_trace(path)
    overrides, weaknesses = _permitted(trace.as_overrides())
    weaknesses += trace.weaknesses()
    if trace.times:
        (environment,) = files.load_named([name], (*overrides, *chosen))
        fitted = burst_fit.fit(trace.times, environment.functions.process_webhook)
        burst, outside = _permitted([f"traffic.webhooks_per_burst={fitted.webhooks_per_burst:.3g}"])
        overrides += burst
        weaknesses += outside
        weaknesses += _far_above_mean(fitted, files.load_named([name], (*overrides, *chosen))[0], path)
    windows = [f"{significant(value)} in {window_s:g} s" for window_s, value in sorted(trace.dispersion.items())]
    dispersion = f"; variance over mean of the counts (Poisson: 1): {', '.join(windows)}" if windows else ""
    seen = f"{counted(sum(trace.counts), 'webhook')} in {duration(trace.duration_s)}{dispersion}"
    (toml,) = files.toml_tables(overrides)
    return overrides, [f"{path}: {seen}", *toml, *(f"{path}: weak: {weakness}" for weakness in weaknesses)]


def _permitted(overrides: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the overrides with the nearest values that their settings of the traffic permit, and what was changed."""
    settings = {f"traffic.{name}": setting["schema"] for name, setting in declarations(Traffic).items()}
    permitted, changed = [], []
    for override in overrides:
        key, _, value = override.partition("=")
        low, high = settings[key]["minimum"], settings[key]["maximum"]
        if not low <= float(value) <= high:
            nearest = number(low if float(value) < low else high)
            found = f"{key} is {number(float(value))} in the recording"
            changed.append(f"{found}; the setting allows {number(low)} to {number(high)}, so {nearest} is used")
            value = nearest.replace(",", "")
        permitted.append(f"{key}={value}")
    return permitted, changed


def _far_above_mean(fitted: BurstFit, environment: Environment, path: Path) -> list[str]:
    """Return a warning if the largest bursts of a recording need far more units than bursts of their mean size."""
    try:
        units = sizing.size(environment)[sizing.PROCESS_WEBHOOK].reserved_concurrency or 0
    except UnsizableLoad:  # The sizing reports it after the fit.
        return []
    if sizing.stated(environment, sizing.PROCESS_WEBHOOK) is not None or not fitted.exceeds(units):
        return []
    name = environment.name
    generate = shlex.join(["generator", "template", name])
    replay = shlex.join(["generator", "simulate", name, "--trace", str(path)])
    return [
        f"up to {fitted.most_at_once:,} webhooks are in progress at once, but bursts of this mean size need only "
        f"{units:,} units; to see what a replay loses, write the lines above to the environment file, then run: "
        f"{generate}, then {replay}"
    ]
