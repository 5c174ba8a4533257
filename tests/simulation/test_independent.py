"""Agreement with Ciw, an independent simulator, for a model without a formula: two loss stages in a row."""

import math
from collections import deque

import ciw
import pytest

from generator.simulation import draws
from generator.simulation.functions import LambdaFunction
from generator.simulation.gateway import Gateway
from generator.simulation.limits import Pool
from generator.simulation.statistics import estimate_mean
from generator.simulation.workload import Steady, arrivals
from tests.simulation.conftest import run

RATE_PER_S, SHARE = 60.0, 0.5
FIRST, SECOND = 8, 5
FIRST_MEAN_S, FIRST_P95_S, SECOND_MEAN_S = 0.105, 0.25, 0.15
WARM_UP_S, DURATION_S, REPLICATIONS = 5.0, 150.0, 10


class HandOn:
    """Sends half of the answers of a first gateway to a second one."""

    def __init__(self, gateway, seed):
        self.gateway, self.coin = gateway, draws.random_stream(seed, 0, "coin").random
        self.blocks = deque()

    def __call__(self, written_s, _origin_s):
        if chosen_s := [time_s for time_s in written_s if self.coin() < SHARE]:
            self.blocks.append(chosen_s)
            self.gateway.feed(self.waiting())

    def waiting(self):
        while self.blocks:
            yield self.blocks.popleft()


def ours(seed):
    """Return throttle probability and mean concurrency of two stages.

    A gateway invokes the first function, half of whose runs invoke the second.
    """
    first, second = (
        LambdaFunction(name, Pool(units), draw, cold_start_s=0.0, timeout_s=1e9, idle_timeout_s=1e9, start_s=-WARM_UP_S)
        for name, units, draw in (
            ("first", FIRST, draws.lognormal(draws.random_stream(seed, 0, "first"), FIRST_MEAN_S, FIRST_P95_S)),
            ("second", SECOND, draws.exponential(draws.random_stream(seed, 0, "second"), SECOND_MEAN_S)),
        )
    )
    back = Gateway(second, [], [], draws.random_stream(seed, 0, "unused"), waits_s=())
    front = Gateway(first, [], [HandOn(back, seed)], draws.random_stream(seed, 0, "senders"), waits_s=())
    front.feed(arrivals(Steady(RATE_PER_S), draws.random_stream(seed, 0, "arrivals"), -WARM_UP_S))
    run(0.0, front, back)
    before = [stage.snapshot(0.0) for stage in (first, second)]
    run(DURATION_S, front, back)
    for function, gateway in ((first, front), (second, back)):
        function.verify(DURATION_S, list(gateway.started_s()))
        gateway.verify(DURATION_S)
    after = [stage.snapshot(DURATION_S) for stage in (first, second)]
    return [
        figure
        for earlier, later in zip(before, after, strict=True)
        for counts in [{name: later[name] - earlier[name] for name in later}]
        for figure in (
            counts["throttles"] / (counts["throttles"] + counts["invocations"]),
            counts["busy_s"] / DURATION_S,
        )
    ]


class CiwHandOn(ciw.routing.NodeRouting):
    """Sends half of the individuals to the second stage, and counts those that find it full and leave."""

    def __init__(self):
        self.refused, self.offered = [], []

    def next_node(self, individual):
        """Return the node to which Ciw sends an individual."""
        now, second = self.simulation.current_time, self.simulation.nodes[2]
        if ciw.rng.random() >= SHARE:
            return self.simulation.nodes[-1]
        self.offered.append(now)
        if second.number_of_individuals >= SECOND:
            self.refused.append(now)
            return self.simulation.nodes[-1]
        return second


def theirs(seed):
    """Return the same measurements by Ciw."""
    mu, sigma = draws.lognormal_parameters(FIRST_MEAN_S, FIRST_P95_S)
    routing = CiwHandOn()
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(RATE_PER_S), None],
        service_distributions=[ciw.dists.Lognormal(mu, sigma), ciw.dists.Exponential(1 / SECOND_MEAN_S)],
        number_of_servers=[FIRST, SECOND],
        queue_capacities=[0, math.inf],
        routing=ciw.routing.NetworkRouting(routers=[routing, ciw.routing.Leave()]),
    )
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    end_s = WARM_UP_S + DURATION_S
    simulation.simulate_until_max_time(end_s)
    records = simulation.get_all_records()
    served = {node: [one for one in records if one.node == node and one.record_type == "service"] for node in (1, 2)}
    rejected = sum(one.record_type == "rejection" and one.arrival_date > WARM_UP_S for one in records)
    admitted = sum(one.arrival_date > WARM_UP_S for one in served[1])
    refused, offered = (sum(time > WARM_UP_S for time in times) for times in (routing.refused, routing.offered))

    def busy(node):
        spans = (
            min(one.service_end_date, end_s) - max(one.service_start_date, WARM_UP_S)
            for one in served[node]
            if one.service_end_date > WARM_UP_S
        )
        return math.fsum(spans) / DURATION_S

    return [rejected / (rejected + admitted), busy(1), refused / offered, busy(2)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_loss_stages_agree_with_ciw(record_property):
    """The 95 % intervals of throttle probability and mean concurrency of each stage overlap."""
    estimates = [
        [estimate_mean(values) for values in zip(*(run(seed) for seed in range(1, REPLICATIONS + 1)), strict=True)]
        for run in (ours, theirs)
    ]
    names = ("first throttled", "first busy", "second throttled", "second busy")
    for name, mine, other in zip(names, *estimates, strict=True):
        record_property(
            name, f"{mine.mean:.4f} +- {mine.high - mine.mean:.4f}, {other.mean:.4f} +- {other.high - other.mean:.4f}"
        )
        assert mine.low <= other.high, name
        assert other.low <= mine.high, name
        # An overlap is meaningful only if the intervals are narrow.
        assert mine.high - mine.low < 0.1 * mine.mean, name
