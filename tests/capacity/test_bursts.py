"""The cluster model against Erlang B, an independent simulation, and every rate at coarse steps."""

from __future__ import annotations

import math
import operator
import random
from bisect import bisect_right
from heapq import heappop, heappush
from itertools import pairwise

import pytest

from generator.capacity import arrivals, bursts, lanes, queueing
from generator.capacity.bursts import Batch, Clusters, Source, Survival
from generator.capacity.sizing import size
from generator.config.files import read
from generator.config.schema import Environment


def environment(rate: int, **sections: dict[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": rate, **sections.pop("traffic", {})}
    return read({"name": "test", "region": "us-east-1", "traffic": traffic, **sections}, "test")


def poisson(load: float) -> Clusters:
    function = environment(100).functions.send_notification
    return Clusters([Source(1, [(load, Batch(1, 0.0, 1.0, 1.0))])], Survival.of(function, 1.0))


@pytest.mark.parametrize("load", [0.01, 1.0, 7.3, 150.0])
def test_without_siblings_the_model_is_erlang_b(load: float) -> None:
    found = poisson(load)
    for units in (1, 5, 20, 170):
        assert found.loss(units) == pytest.approx(queueing.erlang_b(units, load), rel=1e-6, abs=1e-12)
    assert found.units_for_loss(1e-4) == queueing.servers_for_blocking(load, 1e-4)


def lognormal(rng: random.Random, mean: float, p95: float) -> float:
    sigma = 1.6448536 - math.sqrt(1.6448536**2 - 2 * math.log(p95 / mean))
    return math.exp(rng.gauss(math.log(mean) - sigma**2 / 2, sigma))


def written(
    rng: random.Random, shares: list[float], records_per_s: float, burst: float, duration_s: float
) -> list[list[float]]:
    """Return the times at which each lane's records are written, in bursts of that many on average."""
    found: list[list[float]] = [[] for _ in shares]
    at_s = rng.expovariate(records_per_s / burst)
    while at_s < duration_s:
        more = True
        while more:
            rng.choices(found, shares)[0].append(at_s)
            more = rng.random() > 1 / burst
        at_s += rng.expovariate(records_per_s / burst)
    return found


def lane(rng: random.Random, times_s: list[float]) -> list[float]:
    """Return the times at which one lane fires alerts: batches of 10, a window of 1 s, polls every 0.25 s."""
    fired, free_s, next_record = list[float](), 0.0, 0
    while next_record < len(times_s):
        deadline_s = max(0.25 * math.ceil(times_s[next_record] / 0.25) + 1, free_s)
        end = bisect_right(times_s, deadline_s, next_record, min(next_record + 10, len(times_s)))
        records = end - next_record
        start_s = max(free_s, times_s[end - 1] + 0.125) if records == 10 else deadline_s
        lasts_s = lognormal(rng, 0.25, 0.6)
        fired += [start_s + lasts_s * (i + 1) / records for i in range(records) if rng.random() < 0.05]
        free_s, next_record = start_s + lasts_s, end
    return fired


def late_share(rate: int, factor: int, units: int, hours: float, burst: float = 1) -> tuple[float, int]:
    """Simulate the cluster queue on its own: lanes, then units with retries after 1 s, 2 s, 4 s ...

    Returns the share of alerts that find no unit free, and the number of alerts.
    """
    rng, duration_s = random.Random(20_261_129), 3600 * hours
    shares = [share / factor for share in (0.4, 0.2, 0.2, 0.2) for _ in range(factor)]
    fired = [at_s for one in written(rng, shares, rate * 5 / 3600, burst, duration_s) for at_s in lane(rng, one)]
    events, running, late = sorted((at_s, 0) for at_s in fired), list[float](), 0
    while events:
        at_s, attempt = heappop(events)
        while running and running[0] <= at_s:
            heappop(running)
        if len(running) < units:
            heappush(running, at_s + lognormal(rng, 0.3, 0.7))
        else:
            late += attempt == 0
            heappush(events, (at_s + 2.0 ** min(attempt, 6), attempt + 1))
    return late / len(fired), len(fired)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "factor", "units"), [(4_750, 1, 2), (14_500, 1, 3), (50_000, 2, 5)])
def test_at_the_tightest_rates_a_simulation_confirms_the_prediction(rate: int, factor: int, units: int) -> None:
    predicted = arrivals.alert_clusters(environment(rate), factor).lateness(units)
    simulated, alerts = late_share(rate, factor, units, 200_000 / rate)
    assert predicted <= 0.01
    noise = 3 * math.sqrt(2 * predicted / alerts)
    assert 0.7 * predicted - noise < simulated < predicted + noise


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rate", "factor", "units", "burst"),
    [(500, 1, 2, 6), (5_000, 1, 3, 3), (20_000, 1, 4, 6), (50_000, 2, 5, 1.5)],
)
def test_bursts_of_webhooks_reach_several_lanes_at_once(rate: int, factor: int, units: int, burst: float) -> None:
    """The prediction is an upper bound, and at most twice the simulated share."""
    made = environment(rate, traffic={"webhooks_per_burst": burst})
    predicted = arrivals.alert_clusters(made, factor).lateness(units)
    simulated, alerts = late_share(rate, factor, units, 60_000 / rate, burst)
    noise = 3 * math.sqrt(2 * simulated / alerts)
    assert simulated - noise < predicted < 2 * simulated + noise


@pytest.mark.parametrize("burst", [2, 6])
def test_no_reservation_falls_as_the_rate_of_bursts_rises(burst: int) -> None:
    rates = [int(100 * 1.7**step) for step in range(12)]
    found = [size(environment(rate, traffic={"webhooks_per_burst": burst})).functions for rate in rates]
    for before, later in pairwise([one.reserved_concurrency or 0 for one in functions] for functions in found):
        assert all(map(operator.le, before, later))


def geometric(rng: random.Random, mean: float) -> int:
    number = 1
    while rng.random() > 1 / mean:
        number += 1
    return number


@pytest.mark.parametrize("burst", [1.0, 1.7, 6.0])
def test_a_batch_has_its_first_burst_and_those_that_arrive_meanwhile(burst: float) -> None:
    rng, size, joining, found = random.Random(1), 20, 4.0, list[int]()

    for _ in range(20_000):
        records, left_s = geometric(rng, burst), 1 - rng.expovariate(joining / burst)
        while left_s > 0:
            records, left_s = records + geometric(rng, burst), left_s - rng.expovariate(joining / burst)
        found.append(min(size, records))
    assert lanes.mean_records(size, joining, joining, burst) == pytest.approx(math.fsum(found) / len(found), rel=0.02)


@pytest.mark.parametrize("burst", [1.0, 3.0])
def test_a_batch_after_a_longer_one_starts_at_once_if_records_have_waited(burst: float) -> None:
    rng, size, waits_s, duration_s, bursts_per_s, found = random.Random(1), 8, 1.0, 2.5, 0.4, list[int]()

    for _ in range(20_000):
        first_s = now_s = rng.expovariate(bursts_per_s)
        records, starts_s = 0, max(duration_s, first_s + waits_s)
        while now_s <= starts_s:
            records, now_s = records + geometric(rng, burst), now_s + rng.expovariate(bursts_per_s)
        found.append(min(size, records))
    waiting, during = (bursts_per_s * burst * time_s for time_s in (waits_s, duration_s))
    mean = lanes.mean_records(size, waiting, during, burst)
    assert mean == pytest.approx(math.fsum(found) / len(found), rel=0.02)
    assert mean < 0.95 * lanes.mean_records(size, during, during, burst)


def test_the_lanes_of_long_batches_are_as_busy_as_a_simulation_finds() -> None:
    """Simulated with 6, 7 and 9 lanes for each shard: 55, 50 and 58 % busy."""
    for mean_ms, factor, simulated in ((2000, 6, 0.55), (2000, 7, 0.50), (3000, 9, 0.58)):
        functions: dict[str, object] = {"check_alerts": {"mean_duration_ms": mean_ms, "timeout_s": 60}}
        made = environment(5_000, functions=functions)
        assert lanes.utilisation(lanes.Stream.of(made), factor) == pytest.approx(simulated, abs=0.01)


@pytest.mark.parametrize("mean_ms", [300, 3000])
def test_lateness_never_falls_as_the_rate_rises(mean_ms: int) -> None:
    functions = {"send_notification": {"mean_duration_ms": mean_ms, "p95_duration_ms": mean_ms * 2}}
    for units in (3, 5):
        found = [
            arrivals.alert_clusters(environment(rate, functions=dict(functions)), 1).lateness(units)
            for rate in range(100, 36_000, 3_500)
        ]
        assert all(later > before or before > 1 - 1e-6 for before, later in pairwise(found))


def test_alerts_of_earlier_batches_of_the_lane_count() -> None:
    """One shard, notifications that run longer than the window: without them, 7 units would be enough; 14 are not."""
    long: dict[str, object] = {"send_notification": {"mean_duration_ms": 3000, "p95_duration_ms": 7000}}
    made = environment(3_000, traffic={"alerts_per_webhook": 0.5}, stream={"shards": 1}, functions=long)
    assert arrivals.alert_clusters(made, 1).units_for_lateness(0.01) >= 14


def test_random_durations_of_batches_bring_alerts_closer_together() -> None:
    """Simulated with these settings: 0.15 % late, and 0.07 % if every batch takes the mean duration."""
    found = {}
    for distribution in ("lognormal", "constant"):
        functions: dict[str, object] = {
            "check_alerts": {"mean_duration_ms": 2420, "p95_duration_ms": 5687, "distribution": distribution},
            "send_notification": {"mean_duration_ms": 100, "p95_duration_ms": 235},
        }
        stream: dict[str, object] = {"shards": 7, "batch_size": 38, "batching_window_s": 10}
        made = environment(2_120, traffic={"alerts_per_webhook": 0.126}, stream=stream, functions=functions)
        found[distribution] = arrivals.alert_clusters(made, 1).lateness(2)
    assert 0.0015 < found["lognormal"] < 0.0025
    assert found["constant"] < 0.0008


@pytest.mark.parametrize("function", ["lognormal", "exponential", "constant"])
def test_the_durations_that_represent_a_distribution_have_its_mean_and_variance(function: str) -> None:
    made = environment(100, functions={"check_alerts": {"distribution": function}}).functions.check_alerts
    spread = bursts.spread(made)
    sigma = bursts.NORMAL_P95 - math.sqrt(bursts.NORMAL_P95**2 - 2 * math.log(600 / 250))
    second = {"lognormal": math.exp(sigma**2), "exponential": 2.0, "constant": 1.0}[function]
    assert math.fsum(share for share, _ in spread) == pytest.approx(1, rel=1e-4)
    assert math.fsum(share * multiple for share, multiple in spread) == pytest.approx(1, rel=0.01)
    assert math.fsum(share * multiple**2 for share, multiple in spread) == pytest.approx(second, rel=0.05)


@pytest.mark.parametrize("rate", [100, 5_000, 36_000, 50_000])
@pytest.mark.parametrize("batch_size", [1, 10, 100])
@pytest.mark.parametrize("burst", [1, 5])
def test_the_representative_batches_carry_all_records(rate: int, batch_size: int, burst: int) -> None:
    made = environment(rate, traffic={"webhooks_per_burst": burst}, stream={"batch_size": batch_size})
    priced = lanes.Stream.of(made)
    busiest = lanes.lanes(priced, 1)[0]
    sizes = lanes.batch_sizes(priced, busiest.records_per_s)
    assert math.fsum(number * share for number, share in sizes) == pytest.approx(busiest.mean_batch)


def test_the_share_of_cold_starts_is_at_least_that_of_a_simulation() -> None:
    rng, now_s, cold, starts = random.Random(1), 0.0, 0, 20_000
    running, idle = list[float](), list[float]()
    for _ in range(starts):
        now_s += rng.expovariate(0.8)
        while running and running[0] <= now_s:
            idle.append(heappop(running))
        idle = [since_s for since_s in idle if now_s - since_s < 600]
        if idle:
            idle.pop()
        else:
            cold += 1
        heappush(running, now_s + rng.expovariate(1 / 0.105))
    assert 0 < cold / starts <= arrivals.cold_starts_per_s(0.8, 0.105, 600) / 0.8 < 0.01


@pytest.mark.parametrize("distribution", ["lognormal", "exponential", "constant"])
def test_an_execution_that_has_run_for_a_random_time_remains_as_renewal_theory_has_it(distribution: str) -> None:
    """The probability is the integral of the survival from that time on, over the mean."""
    survival, step_s = Survival(distribution, 0.3, bursts.lognormal_sigma(2.4)), 0.001
    for time_s in (0.01, 0.1, 0.29, 1.0):
        beyond_s = math.fsum(step_s * survival.after(time_s + (number + 0.5) * step_s) for number in range(20_000))
        assert survival.remains(time_s) == pytest.approx(beyond_s / 0.3, abs=2e-3)


def test_one_more_unit_means_fewer_late_alerts_even_near_saturation() -> None:
    """One unit above the load the share is near 1, where rounds of repeats converge slowly."""
    made = environment(5_000, traffic={"alerts_per_webhook": 1.0})
    found = arrivals.alert_clusters(made, 1)
    least = int(found.load_erlangs) + 1
    shares = [1.0, *(found.lateness(units) for units in range(least, least + 12))]
    assert all(later < before for before, later in pairwise(shares))
    assert found.lateness(least - 1) == 1.0


@pytest.mark.parametrize("step", [2, 4])
def test_counting_in_groups_needs_at_most_a_few_more_units(step: int) -> None:
    """A burst of 60 is counted in groups; counted one by one it needs what the groups need, or 1 % less."""
    function = environment(100).functions.send_notification
    source = Source(1, [(2.0, Batch(1, 0.0, 1.0, 60.0))])
    exact, grouped = (Clusters([source], Survival.of(function, 0.3), one).units_for_loss(0.01) for one in (1, step))
    assert exact <= grouped <= exact * 1.01 + 2


def test_the_reservation_never_falls_as_the_rate_rises() -> None:
    """The rates on both sides of each further lane, and of each change in how executions are counted."""
    settings: list[dict[str, dict[str, object]]] = [
        {"traffic": {}},
        {"stream": {"batch_size": 3}},
        {"traffic": {"alerts_per_webhook": 2.0, "peak_factor": 17.0}},
    ]
    for sections in settings:
        rates = sorted({*range(100, 50_001, 2_377), *range(10_000, 10_020, 5)})
        found = [
            size(environment(rate, **{name: dict(values) for name, values in sections.items()})).functions[2]
            for rate in rates
        ]
        reserved = [function.reserved_concurrency or 0 for function in found]
        assert reserved == sorted(reserved)


def test_a_target_outside_0_to_1_is_refused() -> None:
    for target in (0.0, 1.0):
        with pytest.raises(ValueError, match="between 0 and 1"):
            poisson(1).units_for_loss(target)
