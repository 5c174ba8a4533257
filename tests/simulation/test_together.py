"""Webhooks that are handled together, one by one or in turns with the other stages give the same results."""

import pytest

from generator.simulation import network
from generator.simulation.gateway import Gateway
from generator.simulation.network import Task
from generator.simulation.replication import replicate
from generator.simulation.topology.reading import read_topology
from generator.simulation.workload import profile
from tests.simulation.test_conservation import measured

SPARSE = "traffic.webhooks_per_hour=2000", "traffic.peak_factor=1"
"""About 17 webhooks in each of the 120 stretches of an hour."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reserved", "duration_s", "fewest_together", "overrides"),
    [
        pytest.param(20, 120.0, 100, (), id="hardly any throttle"),
        pytest.param(7, 120.0, 50, ("traffic.webhooks_per_hour=10000",), id="some throttles"),
        pytest.param(
            *(5, 120.0, 1, ("traffic.webhooks_per_hour=20000", "simulation.sender_retries=false")), id="many throttles"
        ),
        pytest.param(9, 3600.0, 50, (*SPARSE, "simulation.environment_idle_timeout_s=40"), id="cold starts"),
        pytest.param(9, 3600.0, 0, (*SPARSE, "simulation.environment_idle_timeout_s=5"), id="expiry in a stretch"),
        pytest.param(
            *(12, 120.0, 50, ("traffic.webhooks_per_hour=10000", "traffic.webhooks_per_burst=2")), id="bursts"
        ),
        pytest.param(
            *(12, 120.0, 50),
            ("traffic.webhooks_per_hour=10000", 'functions.process_webhook.distribution="exponential"'),
            id="exponential durations",
        ),
    ],
)
def test_all_ways_give_the_same_result(template, environment, reserved, duration_s, fewest_together, overrides):
    template["Resources"]["ProcessWebhookFunction"]["Properties"]["ReservedConcurrentExecutions"] = reserved
    made = environment("prod", "simulation.warm_up_s=20", *overrides)
    task = Task(read_topology(template), made, profile(made, "peak"), duration_s, 3)
    run_together, done_together = Gateway._run_together, []

    def counted(gateway, times_s, until_s):
        done_together.append(run_together(gateway, times_s, until_s))
        return done_together[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "_run_together", counted)
        found = measured(replicate(task, 0))
    assert sum(done_together) >= fewest_together
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "_run_together", lambda *_: False)
        assert found == pytest.approx(measured(replicate(task, 0)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network, "_share_a_pool", lambda _: True)
        assert found == pytest.approx(measured(replicate(task, 0)))
