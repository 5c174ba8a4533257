"""The limits of a simulation: the settings that affect it, and the parts of the template that it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from generator.simulation.topology import StreamMapping, Topology
from generator.simulation.trace import MINUTE_S
from generator.simulation.workload import Day, Profile, Recorded

FUNCTION_KINDS = ("process_webhook", "check_alerts", "send_notification", "cleanup_history")

SIMULATED_SETTINGS = frozenset(
    (
        *(
            f"traffic.{name}"
            for name in ("webhooks_per_hour", "peak_factor", "alerts_per_webhook", "busiest_shard_share")
        ),
        *(
            "targets.webhook_throttle_probability",
            "targets.notification_wait_probability",
            "targets.stream_utilisation",
        ),
        *("account.concurrency_limit", "account.unreserved_floor", "account.reserved_elsewhere", "stream.shards"),
        *(
            f"functions.{kind}.{name}"
            for kind in FUNCTION_KINDS
            for name in ("mean_duration_ms", "p95_duration_ms", "distribution", "cold_start_ms")
        ),
        *(f"simulation.{name}" for name in ("workload", "spike_factor", "spike_onset_s", "spike_decay_s")),
        *(f"simulation.{name}" for name in ("symbol_zipf_exponent", "environment_idle_timeout_s", "account_load")),
    )
)
"""The settings that affect a simulation. All other values come from the template or are not simulated."""


def kinds(topology: Topology) -> dict[str, str]:
    """Return the kind of each invoked function (one of `FUNCTION_KINDS`), by the first source that invokes it."""
    process_webhook, check_alerts, send_notification, cleanup_history = FUNCTION_KINDS
    found: dict[str, str] = dict.fromkeys(topology.webhook_functions, process_webhook)
    for mapping in topology.mappings:
        found.setdefault(mapping.function, check_alerts)
    for subscription in topology.subscriptions:
        found.setdefault(subscription.function, send_notification)
    for schedule in topology.schedules:
        found.setdefault(schedule.function, cleanup_history)
    return found


def feeds(topology: Topology, mapping: StreamMapping) -> bool:
    """Return whether a webhook writes a record that the mapping reads."""
    entry = topology.functions[topology.webhook_functions[0]]
    return bool(entry.access.writes.get(mapping.table, frozenset()) & mapping.events)


def notes(topology: Topology, rates: Profile, hours: float) -> Iterator[str]:
    """Yield a note on everything that this simulation leaves out."""
    yield from topology.not_understood
    yield from left_out(topology)
    for name, function in topology.functions.items():
        if function.reserved_concurrency == 0:
            yield f"{name}: a reservation of 0 stops it"
    yield from _not_played(rates, hours)


def left_out(topology: Topology) -> Iterator[str]:
    """Yield a note on each part of the topology that is not simulated because no template has the figures for it."""
    yield from (f"{name}: only the first method's function gets webhooks" for name in topology.webhook_functions[1:])
    invoked = kinds(topology)
    yield from (f"{name}: nothing in the template invokes it" for name in topology.functions if name not in invoked)
    entry = topology.webhook_functions[0]
    for mapping in topology.mappings:
        if not feeds(topology, mapping):
            yield (
                f"{mapping.logical_id}: not simulated, because no role in the template allows {entry} by name to write "
                f"to {mapping.table}"
            )
        for name, function in topology.functions.items():
            changes = function.access.writes.get(mapping.table, frozenset()) & mapping.events
            if changes and name not in topology.webhook_functions:
                yield (
                    f"{mapping.logical_id}: the template does not determine how often {name} changes {mapping.table}"
                )
    published = _published_topics(topology)
    for subscription in topology.subscriptions:
        if subscription.topic not in published:
            yield (
                f"{subscription.logical_id}: not simulated, because no simulated function may publish by name to "
                f"{subscription.topic}"
            )


def _published_topics(topology: Topology) -> set[str]:
    fed = (mapping.function for mapping in topology.mappings if feeds(topology, mapping))
    publishers = {topology.webhook_functions[0], *fed} & topology.functions.keys()
    return {topic for name in publishers for topic in topology.functions[name].access.publishes}


def _not_played(rates: Profile, hours: float) -> Iterator[str]:
    if isinstance(rates, Day) and hours * 3600 < rates.default_duration_s:
        yield f"the day after its first {hours:g} h; it starts at midnight, when it is quietest, and is busiest at noon"
    if isinstance(rates, Recorded) and rates.trace.interval_s > MINUTE_S:
        step_s = rates.trace.interval_s
        yield f"peaks shorter than {step_s:g} s, because the trace has one count for each {step_s:g} s"
