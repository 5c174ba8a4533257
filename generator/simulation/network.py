"""Joins a topology, an environment and random numbers into stages that hand webhooks on to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from generator import environment as settings
from generator.environment import Environment
from generator.simulation import draws
from generator.simulation.assumptions import Assumptions
from generator.simulation.asynchronous import AsynchronousQueue
from generator.simulation.function import REQUESTS_PER_S_PER_UNIT, LambdaFunction, Timing
from generator.simulation.gateway import Gateway, Limit, Output, Quota
from generator.simulation.kernel import Kernel
from generator.simulation.limits import Pool, TokenBucket
from generator.simulation.resources import StreamMapping, Throttle
from generator.simulation.stream import Crossings, Reading, Stream
from generator.simulation.topology import Topology
from generator.simulation.workload import shard_shares, zipf_shares

Draw = Callable[[str], Random]
"""The random numbers for a purpose."""


@dataclass(frozen=True, slots=True)
class Network:
    """Everything that runs on one kernel."""

    kernel: Kernel
    functions: Mapping[str, LambdaFunction]
    gateway: Gateway
    streams: Mapping[str, Stream]
    queues: Mapping[str, AsynchronousQueue]
    schedules: Mapping[str, AsynchronousQueue]

    def verify(self) -> None:
        """Checks every stage's conservation and Little's law. Raises SimulationBug."""
        for stages in (self.functions, self.streams, self.queues, self.schedules):
            for stage in stages.values():
                stage.verify()
        self.gateway.verify()


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
        if not _feeds(topology, mapping):
            yield (
                f"{mapping.logical_id}: no role in the template says by name that {entry} changes {mapping.table}, so "
                "nothing comes of it"
            )
        for name, function in topology.functions.items():
            changes = function.access.writes.get(mapping.table, frozenset()) & mapping.events
            if changes and name not in topology.webhook_functions:
                yield f"{mapping.logical_id}: how often {name} changes {mapping.table} is not in the template"
    publishers = {entry, *(mapping.function for mapping in topology.mappings if _feeds(topology, mapping))}
    published = {
        topic for name in publishers & topology.functions.keys() for topic in topology.functions[name].access.publishes
    }
    for subscription in topology.subscriptions:
        if subscription.topic not in published:
            yield f"{subscription.logical_id}: no function that is simulated publishes to {subscription.topic} by name"


def _feeds(topology: Topology, mapping: StreamMapping) -> bool:
    """Whether a webhook leaves a record in the stream that the mapping reads."""
    entry = topology.functions[topology.webhook_functions[0]]
    return bool(entry.access.writes.get(mapping.table, frozenset()) & mapping.events)


def build(
    topology: Topology,
    environment: Environment,
    assumptions: Assumptions,
    draw: Draw,
    unreserved: bool,
    start_s: float,
) -> Network:
    """A network at rest, with no execution environment yet."""
    kernel = Kernel(start_s)
    functions = _functions(kernel, topology, environment, assumptions, draw, unreserved)
    queues = {
        subscription.logical_id: _queue(kernel, topology, functions[subscription.function], assumptions)
        for subscription in topology.subscriptions
        if subscription.function in functions
    }
    topics: dict[str, list[Output]] = {}
    for subscription in topology.subscriptions:
        if subscription.logical_id in queues:
            topics.setdefault(subscription.topic, []).append(queues[subscription.logical_id].accept)
    entry = topology.webhook_functions[0]
    random = draw(f"{entry} crossings")
    crossings = _crossings(topology, entry, environment, assumptions, random, topics)
    streams, drawn = {}, {entry}
    for mapping in topology.mappings:
        if mapping.function in functions and _feeds(topology, mapping):
            # The first mapping of a function draws by its name, another one by its own: not the same numbers twice.
            purpose = mapping.logical_id if mapping.function in drawn else mapping.function
            drawn.add(mapping.function)
            random = draw(f"{purpose} crossings")
            fired = _crossings(topology, mapping.function, environment, assumptions, random, topics)
            stage = functions[mapping.function]
            streams[mapping.logical_id] = _stream(kernel, stage, mapping, environment, assumptions, draw, fired)
    gateway = Gateway(
        kernel,
        functions[entry],
        _limits(topology.throttles, assumptions, start_s),
        [*(stream.write for stream in streams.values()), *([crossings.cross] if crossings.outputs else [])],
        assumptions,
        draw("senders"),
    )
    schedules = _schedules(kernel, topology, functions, assumptions, draw, start_s)
    return Network(kernel, functions, gateway, streams, queues, schedules)


def _functions(
    kernel: Kernel,
    topology: Topology,
    environment: Environment,
    assumptions: Assumptions,
    draw: Draw,
    unreserved: bool,
) -> dict[str, LambdaFunction]:
    """Reserved functions have their own pool and request rate; all others share what is left of the account."""
    account, kinds = environment.account, roles(topology)
    reserved = 0 if unreserved else topology.total_reserved
    taken = account.reserved_elsewhere + reserved + environment.simulation.account_load
    shared = Pool(max(0, account.concurrency_limit - taken))
    shared_rate = _request_rate(account.concurrency_limit, assumptions)
    functions = {}
    for name, function in topology.functions.items():
        units = None if unreserved else function.reserved_concurrency
        functions[name] = LambdaFunction(
            name,
            kernel,
            shared if units is None else Pool(units),
            _timing(environment, kinds.get(name, "process_webhook"), function.timeout_s, draw(f"{name} durations")),
            shared_rate if units is None else _request_rate(units, assumptions),
        )
    return functions


def _request_rate(units: int, assumptions: Assumptions) -> TokenBucket | None:
    rate_per_s = REQUESTS_PER_S_PER_UNIT * units
    return TokenBucket(rate_per_s, max(1.0, rate_per_s * assumptions.request_rate_window_s)) if units else None


def _timing(environment: Environment, kind: str, timeout_s: float, random: Random) -> Timing:
    function: settings.Function = getattr(environment.functions, kind)
    mean_s, p95_s = function.mean_duration_ms / 1000, function.p95_duration_ms / 1000
    drawn = {
        "lognormal": lambda: draws.lognormal(random, mean_s, p95_s),
        "exponential": lambda: draws.exponential(random, mean_s),
        "constant": lambda: draws.constant(mean_s),
    }[function.distribution]()
    idle_timeout_s = environment.simulation.environment_idle_timeout_s
    return Timing(drawn, function.cold_start_ms / 1000, timeout_s, idle_timeout_s)


def _limits(throttles: tuple[Throttle, ...], assumptions: Assumptions, start_s: float) -> list[Limit]:
    """Usage plans first, then stages (the topology has them in this order), then the account."""
    limits: list[Limit] = []
    for throttle in throttles:
        if throttle.rate_per_s is not None:
            burst = throttle.burst if throttle.burst is not None else assumptions.gateway_burst
            limits.append((f"{throttle.logical_id}'s rate and burst", TokenBucket(throttle.rate_per_s, burst)))
        if throttle.quota is not None:
            limits.append((f"{throttle.logical_id}'s quota", Quota(throttle.quota, throttle.quota_period_s, start_s)))
    account = TokenBucket(assumptions.gateway_rate_per_s, assumptions.gateway_burst)
    return [*limits, ("the account's API Gateway throttle", account)]


def _queue(kernel: Kernel, topology: Topology, function: LambdaFunction, assumptions: Assumptions) -> AsynchronousQueue:
    config = topology.functions[function.name]
    return AsynchronousQueue(kernel, function, config.max_event_age_s, config.max_retries, assumptions)


def _stream(
    kernel: Kernel,
    function: LambdaFunction,
    mapping: StreamMapping,
    environment: Environment,
    assumptions: Assumptions,
    draw: Draw,
    crossings: Crossings,
) -> Stream:
    markets = zipf_shares(assumptions.symbols, environment.simulation.symbol_zipf_exponent)
    shares = shard_shares(markets, environment.stream.shards, environment.traffic.busiest_shard_share)
    reading = Reading(mapping.batch_size, mapping.window_s, mapping.parallelization_factor, mapping.max_age_s)
    records = draw(f"{mapping.logical_id} lanes")
    return Stream(kernel, function, reading, shares, crossings, assumptions, records)


def _crossings(
    topology: Topology,
    publisher: str,
    environment: Environment,
    assumptions: Assumptions,
    random: Random,
    topics: Mapping[str, list[Output]],
) -> Crossings:
    outputs = [
        output for topic in sorted(topology.functions[publisher].access.publishes) for output in topics.get(topic, [])
    ]
    mean = environment.traffic.alerts_per_webhook
    size = max(1.0, assumptions.alerts_per_crossing, mean)
    return Crossings(mean / size, draws.geometric(random, size), random, tuple(outputs))


def _schedules(
    kernel: Kernel,
    topology: Topology,
    functions: Mapping[str, LambdaFunction],
    assumptions: Assumptions,
    draw: Draw,
    start_s: float,
) -> dict[str, AsynchronousQueue]:
    """A schedule begins at a random moment of its period."""
    queues = {}
    for schedule in topology.schedules:
        if schedule.function in functions:
            queue = _queue(kernel, topology, functions[schedule.function], assumptions)
            first_s = start_s + schedule.period_s * draw(f"{schedule.logical_id} phase").random()
            queue.accept_every(schedule.period_s, first_s)
            queues[schedule.logical_id] = queue
    return queues
