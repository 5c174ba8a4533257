"""What is simulated: the kinds of functions, what feeds what, what is left out, and which settings matter."""

from __future__ import annotations

from collections.abc import Iterator

from generator.simulation.topology import StreamMapping, Topology

HEEDED = frozenset(
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
            f"functions.{function}.{name}"
            for function in ("process_webhook", "check_alerts", "send_notification", "cleanup_history")
            for name in ("mean_duration_ms", "p95_duration_ms", "distribution", "cold_start_ms")
        ),
        *(f"simulation.{name}" for name in ("workload", "spike_factor", "spike_onset_s", "spike_decay_s")),
        *(f"simulation.{name}" for name in ("symbol_zipf_exponent", "environment_idle_timeout_s", "account_load")),
    )
)
"""The settings that change what is simulated. All other figures are those of the template, or matter elsewhere."""


def roles(topology: Topology) -> dict[str, str]:
    """Which of the environment's four kinds of function each one is, by what invokes it; the first that applies."""
    found: dict[str, str] = dict.fromkeys(topology.webhook_functions, "process_webhook")
    for mapping in topology.mappings:
        found.setdefault(mapping.function, "check_alerts")
    for subscription in topology.subscriptions:
        found.setdefault(subscription.function, "send_notification")
    for schedule in topology.schedules:
        found.setdefault(schedule.function, "cleanup_history")
    return found


def left_out(topology: Topology) -> Iterator[str]:
    """What the topology says and the network does not do, for want of figures that are in no template."""
    yield from (f"{name}: only the first method's function gets webhooks" for name in topology.webhook_functions[1:])
    known = roles(topology)
    yield from (f"{name}: nothing in the template invokes it" for name in topology.functions if name not in known)
    entry = topology.webhook_functions[0]
    for mapping in topology.mappings:
        if not feeds(topology, mapping):
            yield (
                f"{mapping.logical_id}: no role in the template says by name that {entry} changes {mapping.table}, so "
                "nothing comes of it"
            )
        for name, function in topology.functions.items():
            changes = function.access.writes.get(mapping.table, frozenset()) & mapping.events
            if changes and name not in topology.webhook_functions:
                yield f"{mapping.logical_id}: how often {name} changes {mapping.table} is not in the template"
    publishers = {entry, *(mapping.function for mapping in topology.mappings if feeds(topology, mapping))}
    published = {
        topic for name in publishers & topology.functions.keys() for topic in topology.functions[name].access.publishes
    }
    for subscription in topology.subscriptions:
        if subscription.topic not in published:
            yield f"{subscription.logical_id}: no function that is simulated publishes to {subscription.topic} by name"


def feeds(topology: Topology, mapping: StreamMapping) -> bool:
    """Whether a webhook leaves a record in the stream that the mapping reads."""
    entry = topology.functions[topology.webhook_functions[0]]
    return bool(entry.access.writes.get(mapping.table, frozenset()) & mapping.events)
