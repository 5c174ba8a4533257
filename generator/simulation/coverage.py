"""The limits of a simulation: the settings that affect it, and the parts of the template that it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from generator.config import fields
from generator.config.schema import Environment
from generator.simulation.topology.model import Function, StreamMapping, Topology
from generator.simulation.trace_formats import MINUTE_S
from generator.simulation.workload import Day, Profile, Recorded

SECTIONS = ("traffic.", "targets.", "account.", "stream.shards", "functions.", "simulation.")
NOT_READ = (
    *("name", "on_shortfall", "memory_mb", "timeout_s", "reserved_concurrency"),
    *("max_price_age_s", "max_notification_age_s"),
)

SIMULATED_SETTINGS = frozenset(
    key for key in fields.keys(Environment) if key.startswith(SECTIONS) and key.rpartition(".")[2] not in NOT_READ
)
"""The settings that affect a simulation. All other values come from the template or are not simulated."""

SIZED_SETTINGS = frozenset(key for key in SIMULATED_SETTINGS if not key.startswith("simulation.")) | {
    "simulation.environment_idle_timeout_s"
}
"""Those that also affect a template."""


def settings_names(topology: Topology) -> dict[str, str]:
    """Return the name of each invoked function's settings under `functions`, by the first source that invokes it."""
    return {
        **{schedule.function: "cleanup_history" for schedule in topology.schedules},
        **{subscription.function: "send_notification" for subscription in topology.subscriptions},
        **{mapping.function: "check_alerts" for mapping in topology.mappings},
        **dict.fromkeys(topology.webhook_functions, "process_webhook"),
    }


def _changes(function: Function, mapping: StreamMapping) -> bool:
    """Return whether a function may write a record that the mapping reads."""
    return bool(function.writes.get(mapping.table, frozenset()) & mapping.events)


def feeds(topology: Topology, mapping: StreamMapping) -> bool:
    """Return whether a webhook writes a record that the mapping reads."""
    return _changes(topology.functions[topology.webhook_functions[0]], mapping)


def notes(topology: Topology, rates: Profile, hours: float) -> Iterator[str]:
    """Yield a note on each thing that this simulation leaves out."""
    yield from topology.not_understood
    yield from left_out(topology)
    asynchronous = {one.function for one in topology.subscriptions} | {one.function for one in topology.schedules}
    for name, function in topology.functions.items():
        if function.reserved_concurrency == 0:
            events = "; its events go to its failure destination at once, if it has one"
            yield f"{name}: a reservation of 0 stops it{events if name in asynchronous else ''}"
    if isinstance(rates, Day) and hours * 3600 < rates.default_duration_s:
        yield f"the day after its first {hours:g} h; it starts at midnight, when it is quietest, and is busiest at noon"
    if isinstance(rates, Recorded):
        step = f"{rates.trace.interval_s:g} s"
        if rates.trace.times and not rates.is_played_as_recorded:
            reason = "the rate is above the recorded one, so arrivals are drawn anew within each"
            yield f"the recorded times: {reason} {step}"
        if rates.trace.interval_s > MINUTE_S:
            yield f"peaks shorter than {step}, because the trace has one count for each {step}"


def left_out(topology: Topology) -> Iterator[str]:
    """Yield a note on each part of the topology that is not simulated because nothing in the template drives it."""
    entry, *others = topology.webhook_functions
    yield from (f"{name}: only the first method's function gets webhooks" for name in others)
    invoked = settings_names(topology)
    yield from (f"{name}: nothing in the template invokes it" for name in topology.functions if name not in invoked)
    publishers = {entry}
    for mapping in topology.mappings:
        if feeds(topology, mapping):
            publishers.add(mapping.function)
        else:
            yield (
                f"{mapping.logical_id}: not simulated, because no role in the template allows {entry} by name to write "
                f"to {mapping.table}"
            )
        for name, function in topology.functions.items():
            if name not in topology.webhook_functions and _changes(function, mapping):
                yield (
                    f"{mapping.logical_id}: the template does not determine how often {name} changes {mapping.table}"
                )
    publishing = [function for name, function in topology.functions.items() if name in publishers]
    for subscription in topology.subscriptions:
        if not any(subscription.topic in function.publishes for function in publishing):
            yield (
                f"{subscription.logical_id}: not simulated, because no simulated function may publish by name to "
                f"{subscription.topic}"
            )
