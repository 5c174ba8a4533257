"""The simulated network: stages built from a topology and an environment, connected as in the template."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from random import Random

from generator.aws import API_GATEWAY_ACCOUNT_BURST, API_GATEWAY_ACCOUNT_RATE_PER_S, REQUESTS_PER_S_PER_UNIT
from generator.config import schema as settings
from generator.config.schema import Environment
from generator.simulation import draws
from generator.simulation.coverage import feeds, settings_names
from generator.simulation.functions import AsynchronousQueue, LambdaFunction
from generator.simulation.gateway import RATE_AND_BURST, STANDARD_WEBHOOKS_RETRIES_S, Gateway, Limit, Output
from generator.simulation.limits import Pool, Quota, TokenBucket
from generator.simulation.measures import Counters, Histogram
from generator.simulation.stream import Crossings, Receiver, Stream
from generator.simulation.topology.model import StreamMapping, Topology
from generator.simulation.workload import Profile, Recorded, arrivals, shard_shares, zipf_shares

Draw = Callable[[str], Random]
"""Returns the random stream for a purpose."""


class OutOfTime(Exception):
    """A simulation reached its deadline, at a simulated time after so many attempts, of which some were accepted."""

    def __init__(self, reached_s: float, gateway: Gateway) -> None:
        super().__init__(reached_s)
        self.reached_s, self.attempts, self.accepted = reached_s, gateway.offered, gateway.accepted


@dataclass(frozen=True, slots=True)
class Task:
    """Everything that the replications of a simulation have in common."""

    topology: Topology
    environment: Environment
    rates: Profile
    duration_s: float
    seed: int

    @property
    def start_s(self) -> float:
        """The start of the warm-up. The measured time starts at 0."""
        return -self.environment.simulation.warm_up_s


@dataclass(slots=True)
class Network:
    """All stages, in the order in which work flows through them: the gateway, then `later`.

    Nothing flows back from a stage to an earlier one. So each stage runs over a stretch of time before the next one
    does, unless functions share a pool: then the stages take turns, one event at a time.
    """

    functions: Mapping[str, LambdaFunction]
    gateway: Gateway
    streams: Mapping[str, Stream]
    queues: Mapping[str, AsynchronousQueue]
    later: Sequence[Stream | AsynchronousQueue]
    now_s: float

    def run(self, until_s: float, deadline_s: float = math.inf) -> None:
        """Run all stages up to and including `until_s`. Raises OutOfTime if the clock passes `deadline_s`."""
        while self.now_s < until_s:
            if self.gateway.one_by_one:
                self._take_turns(until_s, deadline_s)
            elif time.time() > deadline_s:
                raise OutOfTime(self.now_s, self.gateway)
            self.now_s = self.gateway.run(until_s)
            for stage in self.later:
                if stage.next_s <= self.now_s:
                    stage.run(self.now_s)

    def _take_turns(self, until_s: float, deadline_s: float) -> None:
        stages = [self.gateway, *self.later]
        while True:
            stage = min(stages, key=attrgetter("next_s"))
            if stage.next_s > until_s:
                return
            if time.time() > deadline_s:
                raise OutOfTime(stage.next_s, self.gateway)
            stage.run(stage.next_s)

    def verify(self) -> None:
        """Check every stage's conservation and Little's law. Raises SimulationBug."""
        stages = [self.gateway, *self.later]
        for function in self.functions.values():
            runs = (stage.started_s() for stage in stages if stage.function is function)
            function.verify(self.now_s, list(chain.from_iterable(runs)))
        for stage in stages:
            stage.verify(self.now_s)

    def snapshot(self) -> dict[str, dict[str, Counters]]:
        """Return everything counted so far, by the kind and the name of the stage."""
        return {
            "functions": {name: function.snapshot(self.now_s) for name, function in self.functions.items()},
            "gateway": {"gateway": self.gateway.snapshot()},
            "streams": {name: stream.snapshot(self.now_s) for name, stream in self.streams.items()},
            "queues": {name: queue.snapshot() for name, queue in self.queues.items()},
        }

    def discard_warm_up(self) -> None:
        """Reset the measurements that cannot be subtracted afterwards."""
        self.gateway.latency_s = Histogram()
        for queue in self.queues.values():
            queue.latency_s = Histogram()
        for function in self.functions.values():
            function.take_peak()
        for stream in self.streams.values():
            stream.iterator_age_s = Histogram()
            stream.take_oldest_s()


def build_network(task: Task, draw: Draw, start_s: float) -> Network:
    """Return a network at rest, without any warm instance."""
    topology = task.topology
    functions = _functions(task, draw, start_s)

    def queue(function: str) -> AsynchronousQueue:
        found = topology.functions[function]
        is_stopped = found.reserved_concurrency == 0
        return AsynchronousQueue(functions[function], found.max_event_age_s, found.max_retries, is_stopped=is_stopped)

    queues, topics = {}, dict[str, list[Receiver]]()
    for subscription in topology.subscriptions:
        if subscription.function in functions:
            queues[subscription.logical_id] = queue(subscription.function)
            topics.setdefault(subscription.topic, []).append(queues[subscription.logical_id].accept)
    schedules = []
    for schedule in topology.schedules:
        if schedule.function in functions:
            schedules.append(queue(schedule.function))
            # Each schedule starts at a random moment of its period.
            first_s = start_s + schedule.period_s * draw(f"{schedule.logical_id} phase").random()
            schedules[-1].accept_every(schedule.period_s, first_s)
    entry = topology.webhook_functions[0]
    streams, drawn = {}, {entry}
    for mapping in topology.mappings:
        if mapping.function in functions and feeds(topology, mapping):
            # The first mapping of a function draws under the function's name, further ones under their own.
            purpose = mapping.logical_id if mapping.function in drawn else mapping.function
            drawn.add(mapping.function)
            crossings = _crossings(task, mapping.function, draw, purpose, topics)
            streams[mapping.logical_id] = _stream(task, draw, functions[mapping.function], mapping, crossings)
    outputs: list[Output] = [stream.accept for stream in streams.values()]
    crossings = _crossings(task, entry, draw, entry, topics)
    if crossings.outputs:
        outputs.append(crossings.accept)
    later: list[Stream | AsynchronousQueue] = [*streams.values(), *queues.values(), *schedules]
    simulation = task.environment.simulation
    gateway = Gateway(
        functions[entry],
        _limits(task, start_s),
        outputs,
        draw("senders"),
        waits_s=STANDARD_WEBHOOKS_RETRIES_S if simulation.sender_retries else (),
        jitter=simulation.sender_jitter,
        retry_after_s=topology.retry_after_s,
        poisson_per_s=_poisson_per_s(task),
        one_by_one=_share_a_pool([functions[entry], *(stage.function for stage in later)]),
    )
    gateway.feed(arrivals(task.rates, draw("arrivals"), start_s, task.environment.traffic.webhooks_per_burst))
    return Network(functions, gateway, streams, queues, later, start_s)


def _share_a_pool(functions: Sequence[LambdaFunction]) -> bool:
    """Return whether two stages run in the same pool."""
    return len({id(function.pool) for function in functions}) < len(functions)


def _poisson_per_s(task: Task) -> Callable[[float], float] | None:
    """Return the rate of first attempts, or None unless they come as a Poisson process."""
    rates, burst = task.rates, task.environment.traffic.webhooks_per_burst
    if isinstance(rates, Recorded):
        return None if rates.is_played_as_recorded else rates.rate_per_s
    return rates.rate_per_s if burst <= 1 else None


def _functions(task: Task, draw: Draw, start_s: float) -> dict[str, LambdaFunction]:
    """Build the functions. Those with a reservation have their own pool and request rate; the others share the rest."""
    topology, environment = task.topology, task.environment
    account, settings_of = environment.account, settings_names(topology)
    taken = account.reserved_elsewhere + topology.total_reserved + environment.simulation.account_load
    shared = Pool(max(0, account.concurrency_limit - taken))
    window_s = environment.simulation.request_rate_window_s
    shared_rate = _request_rate(account.concurrency_limit, window_s)
    functions = {}
    for name, function in topology.functions.items():
        units = function.reserved_concurrency
        stated: settings.FunctionSettings = getattr(environment.functions, settings_of.get(name, "process_webhook"))
        functions[name] = LambdaFunction(
            name,
            shared if units is None else Pool(units),
            _durations(stated, draw(f"{name} durations")),
            cold_start_s=stated.cold_start_ms / 1000,
            timeout_s=function.timeout_s,
            idle_timeout_s=environment.simulation.environment_idle_timeout_s,
            request_rate=shared_rate if units is None else _request_rate(units, window_s),
            start_s=start_s,
        )
    return functions


def _request_rate(units: int, window_s: float) -> TokenBucket | None:
    rate_per_s = REQUESTS_PER_S_PER_UNIT * units
    return TokenBucket(rate_per_s, max(1.0, rate_per_s * window_s)) if units else None


def _durations(function: settings.FunctionSettings, random: Random) -> draws.Variates:
    mean_s, p95_s = function.mean_duration_ms / 1000, function.p95_duration_ms / 1000
    if function.distribution == "constant":
        return draws.constant(mean_s)
    if function.distribution == "exponential":
        return draws.exponential(random, mean_s)
    return draws.lognormal(random, mean_s, p95_s)


def _limits(task: Task, start_s: float) -> list[Limit]:
    """Return the limits in AWS's order: usage plans and stages, as the topology lists them, then the account."""
    limits: list[Limit] = []
    for throttle in task.topology.throttles:
        if throttle.rate_per_s is not None:
            burst = throttle.burst if throttle.burst is not None else API_GATEWAY_ACCOUNT_BURST
            limits.append((f"{throttle.logical_id}'s {RATE_AND_BURST}", TokenBucket(throttle.rate_per_s, burst)))
        if throttle.quota is not None:
            limits.append((f"{throttle.logical_id}'s quota", Quota(throttle.quota, throttle.quota_period_s, start_s)))
    account = TokenBucket(API_GATEWAY_ACCOUNT_RATE_PER_S, API_GATEWAY_ACCOUNT_BURST)
    return [*limits, ("the account's API Gateway throttle", account)]


def _stream(task: Task, draw: Draw, function: LambdaFunction, mapping: StreamMapping, crossings: Crossings) -> Stream:
    environment, simulation = task.environment, task.environment.simulation
    markets = zipf_shares(simulation.symbols, simulation.symbol_zipf_exponent)
    shares = shard_shares(markets, environment.stream.shards, environment.traffic.busiest_shard_share)
    backoff_s = simulation.stream_backoff_first_s, simulation.stream_backoff_longest_s
    return Stream(function, mapping, shares, crossings, backoff_s, draw(f"{mapping.logical_id} lanes"))


def _crossings(task: Task, publisher: str, draw: Draw, purpose: str, topics: Mapping[str, list[Receiver]]) -> Crossings:
    published = sorted(task.topology.functions[publisher].publishes)
    outputs = tuple(output for topic in published for output in topics.get(topic, []))
    mean = task.environment.traffic.alerts_per_webhook
    size = max(1.0, task.environment.traffic.alerts_per_crossing, mean)
    alerts = draws.geometric(draw(f"{purpose} alerts"), size)
    return Crossings(mean / size, alerts, draw(f"{purpose} crossings"), outputs)
