"""Joins a topology, an environment and random numbers into stages that hand webhooks on to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from generator.aws import REQUESTS_PER_S_PER_UNIT
from generator.config import schema as settings
from generator.config.schema import Environment
from generator.simulation import draws
from generator.simulation.assumptions import Assumptions
from generator.simulation.asynchronous import AsynchronousQueue
from generator.simulation.coverage import feeds, roles
from generator.simulation.function import LambdaFunction, Timing
from generator.simulation.gateway import Gateway, Limit, Output, Quota
from generator.simulation.kernel import Kernel
from generator.simulation.limits import Pool, TokenBucket
from generator.simulation.stream import Crossings, Reading, Stream
from generator.simulation.topology import StreamMapping, Topology
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


@dataclass(frozen=True, slots=True)
class Given:
    """What a network is built from."""

    topology: Topology
    environment: Environment
    assumptions: Assumptions
    draw: Draw
    unreserved: bool = False
    """Whether all functions share the account's pool, whatever the template reserves."""


def build(given: Given, start_s: float) -> Network:
    """A network at rest, with no execution environment yet."""
    kernel, topology = Kernel(start_s), given.topology
    functions = _functions(given, kernel)
    queues, topics = _subscriptions(given, kernel, functions)
    entry = topology.webhook_functions[0]
    crossings = _crossings(given, entry, given.draw(f"{entry} crossings"), topics)
    streams = _streams(given, kernel, functions, topics)
    gateway = Gateway(
        kernel,
        functions[entry],
        _limits(given, start_s),
        [*(stream.write for stream in streams.values()), *([crossings.cross] if crossings.outputs else [])],
        given.assumptions,
        given.draw("senders"),
    )
    return Network(kernel, functions, gateway, streams, queues, _schedules(given, kernel, functions, start_s))


def _functions(given: Given, kernel: Kernel) -> dict[str, LambdaFunction]:
    """Reserved functions have their own pool and request rate; all others share what is left of the account."""
    topology, environment = given.topology, given.environment
    account, kinds = environment.account, roles(topology)
    reserved = 0 if given.unreserved else topology.total_reserved
    taken = account.reserved_elsewhere + reserved + environment.simulation.account_load
    shared = Pool(max(0, account.concurrency_limit - taken))
    shared_rate = _request_rate(account.concurrency_limit, given.assumptions)
    functions = {}
    for name, function in topology.functions.items():
        units = None if given.unreserved else function.reserved_concurrency
        random = given.draw(f"{name} durations")
        functions[name] = LambdaFunction(
            name,
            kernel,
            shared if units is None else Pool(units),
            _timing(environment, kinds.get(name, "process_webhook"), function.timeout_s, random),
            shared_rate if units is None else _request_rate(units, given.assumptions),
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


def _limits(given: Given, start_s: float) -> list[Limit]:
    """Usage plans first, then stages (the topology has them in this order), then the account."""
    limits: list[Limit] = []
    assumptions = given.assumptions
    for throttle in given.topology.throttles:
        if throttle.rate_per_s is not None:
            burst = throttle.burst if throttle.burst is not None else assumptions.gateway_burst
            limits.append((f"{throttle.logical_id}'s rate and burst", TokenBucket(throttle.rate_per_s, burst)))
        if throttle.quota is not None:
            limits.append((f"{throttle.logical_id}'s quota", Quota(throttle.quota, throttle.quota_period_s, start_s)))
    account = TokenBucket(assumptions.gateway_rate_per_s, assumptions.gateway_burst)
    return [*limits, ("the account's API Gateway throttle", account)]


def _subscriptions(
    given: Given, kernel: Kernel, functions: Mapping[str, LambdaFunction]
) -> tuple[dict[str, AsynchronousQueue], dict[str, list[Output]]]:
    """The queue of each subscription, and where each topic delivers to."""
    queues: dict[str, AsynchronousQueue] = {}
    topics: dict[str, list[Output]] = {}
    for subscription in given.topology.subscriptions:
        if subscription.function in functions:
            queue = _queue(given, kernel, functions[subscription.function])
            queues[subscription.logical_id] = queue
            topics.setdefault(subscription.topic, []).append(queue.accept)
    return queues, topics


def _queue(given: Given, kernel: Kernel, function: LambdaFunction) -> AsynchronousQueue:
    config = given.topology.functions[function.name]
    return AsynchronousQueue(kernel, function, config.max_event_age_s, config.max_retries, given.assumptions)


def _streams(
    given: Given, kernel: Kernel, functions: Mapping[str, LambdaFunction], topics: Mapping[str, list[Output]]
) -> dict[str, Stream]:
    topology = given.topology
    streams, drawn = {}, {topology.webhook_functions[0]}
    for mapping in topology.mappings:
        if mapping.function in functions and feeds(topology, mapping):
            # The first mapping of a function draws by its name, another one by its own: not the same numbers twice.
            purpose = mapping.logical_id if mapping.function in drawn else mapping.function
            drawn.add(mapping.function)
            fired = _crossings(given, mapping.function, given.draw(f"{purpose} crossings"), topics)
            streams[mapping.logical_id] = _stream(given, kernel, functions[mapping.function], mapping, fired)
    return streams


def _stream(
    given: Given, kernel: Kernel, function: LambdaFunction, mapping: StreamMapping, crossings: Crossings
) -> Stream:
    environment, assumptions = given.environment, given.assumptions
    markets = zipf_shares(assumptions.symbols, environment.simulation.symbol_zipf_exponent)
    shares = shard_shares(markets, environment.stream.shards, environment.traffic.busiest_shard_share)
    reading = Reading(mapping.batch_size, mapping.window_s, mapping.parallelization_factor, mapping.max_age_s)
    records = given.draw(f"{mapping.logical_id} lanes")
    return Stream(kernel, function, reading, shares, crossings, assumptions, records)


def _crossings(given: Given, publisher: str, random: Random, topics: Mapping[str, list[Output]]) -> Crossings:
    published = sorted(given.topology.functions[publisher].access.publishes)
    outputs = tuple(output for topic in published for output in topics.get(topic, []))
    mean = given.environment.traffic.alerts_per_webhook
    size = max(1.0, given.assumptions.alerts_per_crossing, mean)
    return Crossings(mean / size, draws.geometric(random, size), random, outputs)


def _schedules(
    given: Given, kernel: Kernel, functions: Mapping[str, LambdaFunction], start_s: float
) -> dict[str, AsynchronousQueue]:
    """A schedule begins at a random moment of its period."""
    queues = {}
    for schedule in given.topology.schedules:
        if schedule.function in functions:
            queue = _queue(given, kernel, functions[schedule.function])
            first_s = start_s + schedule.period_s * given.draw(f"{schedule.logical_id} phase").random()
            queue.accept_every(schedule.period_s, first_s)
            queues[schedule.logical_id] = queue
    return queues
