"""The simulated network: stages built from a topology and an environment, connected as in the template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from generator.aws import REQUESTS_PER_S_PER_UNIT
from generator.config import schema as settings
from generator.config.schema import Environment
from generator.simulation import draws
from generator.simulation.assumptions import Assumptions
from generator.simulation.coverage import feeds, kinds
from generator.simulation.functions import AsynchronousQueue, LambdaFunction, Timing
from generator.simulation.gateway import Gateway, Limit, Output, Quota
from generator.simulation.kernel import Kernel, Pool, TokenBucket
from generator.simulation.stream import Batching, Crossings, Stream
from generator.simulation.topology import StreamMapping, Topology
from generator.simulation.workload import shard_shares, zipf_shares

Draw = Callable[[str], Random]
"""Returns the random stream for a purpose."""


@dataclass(frozen=True, slots=True)
class Network:
    """All stages that run on one kernel."""

    kernel: Kernel
    functions: Mapping[str, LambdaFunction]
    gateway: Gateway
    streams: Mapping[str, Stream]
    queues: Mapping[str, AsynchronousQueue]
    schedules: Mapping[str, AsynchronousQueue]

    def verify(self) -> None:
        """Check every stage's conservation and Little's law. Raises SimulationBug."""
        for stages in (self.functions, self.streams, self.queues, self.schedules):
            for stage in stages.values():
                stage.verify()
        self.gateway.verify()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything that a network is built from.

    `unreserved` lets all functions share the account's pool, whatever the template reserves.
    """

    topology: Topology
    environment: Environment
    assumptions: Assumptions
    draw: Draw
    unreserved: bool = False


def build_network(inputs: Inputs, start_s: float) -> Network:
    """Return a network at rest, without any warm instance."""
    kernel, topology = Kernel(start_s), inputs.topology
    functions = _functions(inputs, kernel)
    queues, topics = _subscriptions(inputs, kernel, functions)
    entry = topology.webhook_functions[0]
    crossings = _crossings(inputs, entry, inputs.draw(f"{entry} crossings"), topics)
    streams = _streams(inputs, kernel, functions, topics)
    gateway = Gateway(
        kernel,
        functions[entry],
        _limits(inputs, start_s),
        [*(stream.write for stream in streams.values()), *([crossings.cross] if crossings.outputs else [])],
        inputs.assumptions,
        inputs.draw("senders"),
    )
    return Network(kernel, functions, gateway, streams, queues, _schedules(inputs, kernel, functions, start_s))


def _functions(inputs: Inputs, kernel: Kernel) -> dict[str, LambdaFunction]:
    """Build the functions. Those with a reservation have their own pool and request rate; the others share the rest."""
    topology, environment = inputs.topology, inputs.environment
    account, kind_of = environment.account, kinds(topology)
    reserved = 0 if inputs.unreserved else topology.total_reserved
    taken = account.reserved_elsewhere + reserved + environment.simulation.account_load
    shared = Pool(max(0, account.concurrency_limit - taken))
    shared_rate = _request_rate(account.concurrency_limit, inputs.assumptions)
    functions = {}
    for name, function in topology.functions.items():
        units = None if inputs.unreserved else function.reserved_concurrency
        random = inputs.draw(f"{name} durations")
        functions[name] = LambdaFunction(
            name,
            kernel,
            shared if units is None else Pool(units),
            _timing(environment, kind_of.get(name, "process_webhook"), function.timeout_s, random),
            shared_rate if units is None else _request_rate(units, inputs.assumptions),
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


def _limits(inputs: Inputs, start_s: float) -> list[Limit]:
    """Return the limits in AWS's order: usage plans and stages, as the topology lists them, then the account."""
    limits: list[Limit] = []
    assumptions = inputs.assumptions
    for throttle in inputs.topology.throttles:
        if throttle.rate_per_s is not None:
            burst = throttle.burst if throttle.burst is not None else assumptions.gateway_burst
            limits.append((f"{throttle.logical_id}'s rate and burst", TokenBucket(throttle.rate_per_s, burst)))
        if throttle.quota is not None:
            limits.append((f"{throttle.logical_id}'s quota", Quota(throttle.quota, throttle.quota_period_s, start_s)))
    account = TokenBucket(assumptions.gateway_rate_per_s, assumptions.gateway_burst)
    return [*limits, ("the account's API Gateway throttle", account)]


def _subscriptions(
    inputs: Inputs, kernel: Kernel, functions: Mapping[str, LambdaFunction]
) -> tuple[dict[str, AsynchronousQueue], dict[str, list[Output]]]:
    """Return the queue of each subscription, and the queues that each topic delivers to."""
    queues: dict[str, AsynchronousQueue] = {}
    topics: dict[str, list[Output]] = {}
    for subscription in inputs.topology.subscriptions:
        if subscription.function in functions:
            queue = _queue(inputs, kernel, functions[subscription.function])
            queues[subscription.logical_id] = queue
            topics.setdefault(subscription.topic, []).append(queue.accept)
    return queues, topics


def _queue(inputs: Inputs, kernel: Kernel, function: LambdaFunction) -> AsynchronousQueue:
    config = inputs.topology.functions[function.name]
    return AsynchronousQueue(kernel, function, config.max_event_age_s, config.max_retries, inputs.assumptions)


def _streams(
    inputs: Inputs, kernel: Kernel, functions: Mapping[str, LambdaFunction], topics: Mapping[str, list[Output]]
) -> dict[str, Stream]:
    topology = inputs.topology
    streams, drawn = {}, {topology.webhook_functions[0]}
    for mapping in topology.mappings:
        if mapping.function in functions and feeds(topology, mapping):
            # The first mapping of a function draws under the function's name, further ones under their own.
            purpose = mapping.logical_id if mapping.function in drawn else mapping.function
            drawn.add(mapping.function)
            crossings = _crossings(inputs, mapping.function, inputs.draw(f"{purpose} crossings"), topics)
            streams[mapping.logical_id] = _stream(inputs, kernel, functions[mapping.function], mapping, crossings)
    return streams


def _stream(
    inputs: Inputs, kernel: Kernel, function: LambdaFunction, mapping: StreamMapping, crossings: Crossings
) -> Stream:
    environment, assumptions = inputs.environment, inputs.assumptions
    markets = zipf_shares(assumptions.symbols, environment.simulation.symbol_zipf_exponent)
    shares = shard_shares(markets, environment.stream.shards, environment.traffic.busiest_shard_share)
    batching = Batching(mapping.batch_size, mapping.window_s, mapping.parallelization_factor, mapping.max_age_s)
    records = inputs.draw(f"{mapping.logical_id} lanes")
    return Stream(kernel, function, batching, shares, crossings, assumptions, records)


def _crossings(inputs: Inputs, publisher: str, random: Random, topics: Mapping[str, list[Output]]) -> Crossings:
    published = sorted(inputs.topology.functions[publisher].access.publishes)
    outputs = tuple(output for topic in published for output in topics.get(topic, []))
    mean = inputs.environment.traffic.alerts_per_webhook
    size = max(1.0, inputs.assumptions.alerts_per_crossing, mean)
    return Crossings(mean / size, draws.geometric(random, size), random, outputs)


def _schedules(
    inputs: Inputs, kernel: Kernel, functions: Mapping[str, LambdaFunction], start_s: float
) -> dict[str, AsynchronousQueue]:
    """Build the queues of the schedules. Each schedule starts at a random moment of its period."""
    queues = {}
    for schedule in inputs.topology.schedules:
        if schedule.function in functions:
            queue = _queue(inputs, kernel, functions[schedule.function])
            first_s = start_s + schedule.period_s * inputs.draw(f"{schedule.logical_id} phase").random()
            queue.accept_every(schedule.period_s, first_s)
            queues[schedule.logical_id] = queue
    return queues
