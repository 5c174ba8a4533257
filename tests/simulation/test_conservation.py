"""Conservation and Little's law at every stage, for arbitrary limits."""

import copy
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generator.simulation import network
from generator.simulation.gateway import Gateway
from generator.simulation.network import Task
from generator.simulation.replication import replicate
from generator.simulation.topology.reading import read_topology
from generator.simulation.trace import Trace
from generator.simulation.workload import Recorded


def measured(outcome):
    """Return everything that a replication measured, apart from what it measures only without turns."""
    stages = [("gateway", outcome.gateway)]
    for named in (outcome.functions, outcome.streams, outcome.queues):
        stages += named.items()
    found = {(name, key): value for name, counts in stages for key, value in counts.items()}
    del found["gateway", "first_expected"], found["gateway", "full_periods"]
    for name in ("webhook_latency_s", "alert_latency_s", "iterator_age_s"):
        found |= {(name, position): count for position, count in getattr(outcome, name).counts.items()}
    for name in ("offered", "throttled", "iterator_age_s"):
        found |= {(name, point): value for point, value in enumerate(getattr(outcome.series, name))}
    for function, peaks in outcome.series.concurrency_peak.items():
        found |= {(function, point): peak for point, peak in enumerate(peaks)}
    return found


units = st.one_of(st.none(), st.integers(0, 6))


@pytest.mark.slow
@settings(max_examples=50)
@given(
    reserved=st.tuples(units, units, units, units),
    account=st.integers(1, 40),
    plan=st.tuples(st.integers(1, 30), st.integers(1, 20), st.integers(1, 300)),
    reading=st.tuples(st.integers(1, 12), st.integers(0, 3), st.integers(1, 3), st.sampled_from([-1, 2, 20])),
    shards=st.integers(1, 4),
    timeouts_ms=st.tuples(*[st.integers(50, 2000)] * 4),
    retries=st.booleans(),
    alerts=st.tuples(st.floats(0, 3), st.floats(1, 5)),
    unreserved=st.booleans(),
    idle_timeout_s=st.floats(1, 100),
    seed=st.integers(0, 1000),
)
def test_nothing_is_created_or_lost(
    committed,
    environment,
    reserved,
    account,
    plan,
    reading,
    shards,
    timeouts_ms,
    retries,
    alerts,
    unreserved,
    idle_timeout_s,
    seed,
):
    """`replicate` checks each stage (SimulationBug); this test compares the counts between stages.

    Webhooks that are handled together, one by one, and in turns with the other stages give the same measurements.
    """
    template, given_environment = copy.deepcopy(committed()), environment()
    resources = {name: found["Properties"] for name, found in template["Resources"].items()}
    names = [name for name in resources if template["Resources"][name]["Type"] == "AWS::Lambda::Function"]
    for name, kept, timeout_ms in zip(names, reserved, timeouts_ms, strict=True):
        resources[name].update(ReservedConcurrentExecutions=kept, Timeout=timeout_ms / 1000)
        if kept is None:
            del resources[name]["ReservedConcurrentExecutions"]
    resources["WebhookUsagePlan"]["Throttle"] = {"RateLimit": plan[0], "BurstLimit": plan[1]}
    resources["WebhookUsagePlan"]["Quota"]["Limit"] = plan[2]
    resources["CheckAlertsEventSourceMapping"].update(
        BatchSize=reading[0],
        MaximumBatchingWindowInSeconds=reading[1],
        ParallelizationFactor=reading[2],
        MaximumRecordAgeInSeconds=reading[3],
    )
    given_environment = given_environment._replace(
        account=given_environment.account._replace(concurrency_limit=account),
        stream=given_environment.stream._replace(shards=shards),
        traffic=given_environment.traffic._replace(alerts_per_webhook=alerts[0], alerts_per_crossing=alerts[1]),
        simulation=given_environment.simulation._replace(
            environment_idle_timeout_s=idle_timeout_s,
            warm_up_s=5.0,
            sender_retries=retries,
        ),
    )
    topology = read_topology(template)
    topology = topology.without_reservations() if unreserved else topology
    # 20/s for 20 s, then pauses that let senders and failed events retry.
    rates = Recorded(Trace(10.0, array("l", [200, 200, *[0] * 17, 20]), 400, 420))
    task = Task(topology, given_environment, rates, rates.default_duration_s, seed)
    outcome = replicate(task, 0)
    for owner, name, answer in ((Gateway, "_run_together", False), (network, "_share_a_pool", True)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, lambda *_, answer=answer: answer)
            assert measured(outcome) == pytest.approx(measured(replicate(task, 0)))

    webhooks, process = outcome.gateway, outcome.functions["ProcessWebhookFunction"]
    passed = webhooks["offered"] - webhooks["throttled_at_gateway"]
    assert passed == process["invocations"] + process["throttles"]
    assert process["throttles"] == webhooks["throttled_at_lambda"]
    (stream,) = outcome.streams.values()
    assert stream["written"] == webhooks["accepted"]
    for function in outcome.functions.values():
        assert 0 <= function["cold_starts"] <= function["invocations"]
        assert function["busy_s"] <= function["instances_s"] + 1e-6
    kept = sum(units or 0 for units in reserved)
    shared = max(0, account - (0 if unreserved else kept))
    for name, own in zip(names, reserved, strict=True):
        assert max(outcome.series.concurrency_peak[name]) <= (shared if unreserved or own is None else own)
    shared_names = [name for name, own in zip(names, reserved, strict=True) if unreserved or own is None]
    assert sum(outcome.functions[name]["busy_s"] for name in shared_names) <= shared * rates.default_duration_s + 1e-6
