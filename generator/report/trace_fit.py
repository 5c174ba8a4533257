"""The traffic settings that a recording gives, and the reasons to distrust them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from generator._format import counted, duration, significant
from generator.capacity import burst_fit, sizing, traffic_fit
from generator.capacity.burst_fit import BurstFit
from generator.config import files
from generator.config.schema import WEBHOOKS_PER_BURST, Environment
from generator.errors import UnsizableLoad
from generator.simulation.trace import read_trace


def fit(name: str, path: Path, chosen: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the settings of a recording as overrides, and the lines that describe it: summary, settings, weaknesses.

    The overrides that the user chose take precedence when the bursts are fitted to the environment's durations.
    Raises UnreadableTrace with the number of the wrong line, InvalidEnvironment if the settings are wrong.
    """
    trace = read_trace(path)
    traffic = traffic_fit.fit(trace.webhooks_per_hour, trace.peak_per_hour)
    overrides = [
        f"traffic.webhooks_per_hour={traffic.webhooks_per_hour}",
        f"traffic.peak_factor={traffic.peak_factor:g}",
    ]
    weaknesses = [f"webhooks_per_hour: {traffic.rate_note}"] if traffic.rate_note else []
    weaknesses += [*filter(None, [traffic.peak_note]), *trace.weaknesses()]
    if trace.times:
        (environment,) = files.load_named([name], (*overrides, *chosen))
        fitted = burst_fit.fit(trace.times, environment.functions.process_webhook)
        stated = min(fitted.webhooks_per_burst, WEBHOOKS_PER_BURST[1])
        overrides.append(f"traffic.webhooks_per_burst={significant(stated)}".replace(",", ""))
        if stated < fitted.webhooks_per_burst:
            weaknesses.append(
                f"webhooks_per_burst: measured {significant(fitted.webhooks_per_burst)}; the setting allows at most "
                f"{stated:,}, so the reservations that follow are too small"
            )
        weaknesses += _far_above_mean(fitted, files.load_named([name], (*overrides, *chosen))[0], path)
    windows = [f"{significant(value)} in {window_s:g} s" for window_s, value in sorted(trace.dispersion.items())]
    dispersion = f"; variance over mean of the counts (Poisson: 1): {', '.join(windows)}" if windows else ""
    seen = f"{counted(sum(trace.counts), 'webhook')} in {duration(trace.duration_s)}{dispersion}"
    (toml,) = files.toml_tables(overrides)
    return overrides, [f"{path}: {seen}", *toml, *(f"{path}: weak: {weakness}" for weakness in weaknesses)]


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
