import math

import pytest

from generator.simulation import draws
from generator.simulation.functions import (
    CONCURRENCY,
    REQUEST_RATE,
    SCALING,
    AsynchronousQueue,
    LambdaFunction,
)
from generator.simulation.limits import Pool, Quota, TokenBucket
from generator.simulation.stream import Crossings, Stream
from generator.simulation.topology.model import STREAM_EVENTS, Refusal, StreamMapping
from tests.simulation.conftest import run


@pytest.fixture
def function():
    """Build a function with runs of 1 s, cold starts of 1 s, and warm instances that expire after 10 s."""

    def build(units=2, *, seconds=1.0, cold_s=1.0, timeout_s=5.0, idle_s=10.0, rate=None, pool=None):
        drawn = draws.constant(seconds)
        options = {"cold_start_s": cold_s, "timeout_s": timeout_s, "idle_timeout_s": idle_s, "request_rate": rate}
        return LambdaFunction("function", pool or Pool(units), drawn, **options)

    return build


class Log:
    """A receiver of prices and alerts that keeps their times."""

    def __init__(self):
        self.times_s, self.origins_s = [], []

    def __call__(self, times_s, origins_s):
        if isinstance(times_s, float):
            times_s, origins_s = [times_s], {times_s: origins_s}
        self.times_s += times_s
        self.origins_s += [origins_s[time_s] for time_s in times_s]


def test_a_new_instance_starts_cold_and_the_last_used_one_is_reused(function, gateway):
    stage, answers = function(), Log()
    run(20.0, gateway(stage, (0.0, 0.5, 3.0), outputs=[answers]))
    assert answers.times_s == [2.0, 2.5, 4.0]
    assert (stage.cold_starts, stage.idle) == (2, [2.0, 4.0])


def test_an_idle_instance_expires_and_counts_until_then(function, gateway):
    stage = function()
    run(100.0, gateway(stage, (0.0, 20.0)))
    counts = stage.snapshot(100.0)
    assert stage.cold_starts == 2
    assert counts["busy_s"] == 4.0
    assert counts["instances_s"] == pytest.approx(2 * (2 + 10))


def test_invocations_above_the_reservation_are_throttled(function, gateway):
    stage = function(units=2)
    front = gateway(stage, (0.0, 0.1, 0.2, 2.05), waits_s=())
    run(10.0, front)
    assert (stage.invocations, stage.throttles) == (3, {CONCURRENCY: 1})
    assert stage.take_peak() == 2
    stage.verify(10.0, list(front.started_s()))


def test_a_reservation_of_0_stops_a_function(function):
    stage = function(units=0)
    assert stage.start_synchronously(0.0) is None
    assert stage.throttles == {CONCURRENCY: 1}


def test_functions_without_a_reservation_share_one_pool(function):
    pool = Pool(3)
    one, other = function(pool=pool), function(pool=pool)
    assert [stage.start(0.0) is not None for stage in (one, other, one, other)] == [True, True, True, False]
    for stage in (one, other, one):
        stage.finish(2.0, 0.0)
    assert pool.free == 3


def test_short_synchronous_requests_are_limited_to_ten_a_second_per_unit(function, gateway):
    stage = function(units=1, seconds=0.01, cold_s=0.0, rate=TokenBucket(10, 10))
    run(10.0, gateway(stage, [step * 0.02 for step in range(100)], waits_s=()))
    assert stage.invocations == 10 + 19
    assert stage.throttles == {REQUEST_RATE: 71}


def test_a_thousand_new_instances_start_at_once_and_a_hundred_a_second(function):
    stage = function(units=10_000, seconds=100.0, timeout_s=900.0)
    for _ in range(1500):
        stage.start(0.0)
    assert (stage.invocations, stage.throttles) == (1000, {SCALING: 500})
    for _ in range(1500):
        stage.start(1.0)
    assert stage.invocations == 1100


def test_the_timeout_starts_after_the_cold_start(function):
    assert function(seconds=9.0, timeout_s=5.0).start(0.0) == (6.0, True)


@pytest.fixture
def queue():
    """Build a queue that gets one event at 0 s."""

    def build(stage, max_age_s=21_600, max_retries=2, **options):
        events = AsynchronousQueue(stage, max_age_s, max_retries, **options)
        events.accept(0.0, 0.0)
        return events

    return build


def test_a_throttled_event_is_retried_after_1_2_4_seconds_and_so_on(function, queue):
    """The only unit is busy for 16 s, so attempts are at 0, 1, 3, 7, 15 and 31 s."""
    stage = function(units=1, seconds=14.0, cold_s=2.0, timeout_s=900.0, idle_s=100.0)
    events = queue(stage)
    events.accept(0.0, 0.0)
    run(100.0, events)
    assert stage.throttles == {CONCURRENCY: 5}
    assert (events.waited, events.completed) == (1, 2)
    assert events.latency_s.quantile(1.0) == pytest.approx(31 + 14, rel=0.005)
    events.verify(100.0)


def test_waits_grow_to_five_minutes_and_an_old_event_is_dropped(function, queue):
    """Attempts are at 0, 1, 3 ... 255, 511 s (+256), then every 300 s: 811, 1111 ... up to 3600 s."""
    stage = function(units=0)
    events = queue(stage, 3600)
    run(10_000.0, events)
    assert stage.throttles == {CONCURRENCY: 10 + 10}
    assert (events.dropped, events.completed) == (1, 0)


def test_a_stopped_function_sends_events_to_its_failure_destination_at_once(function, queue):
    events = queue(function(units=0), is_stopped=True)
    run(0.0, events)
    assert (events.accepted, events.waited, events.dropped) == (1, 1, 1)
    assert events.next_s == math.inf
    events.verify(0.0)


def test_a_failed_event_is_retried_after_one_and_two_minutes(function, queue):
    stage = function(units=1, seconds=9.0, timeout_s=5.0, cold_s=0.0)
    events = queue(stage)
    run(1000.0, events)
    assert (stage.invocations, events.dropped) == (3, 1)
    assert events.inside.sojourn_s == pytest.approx(5 + 60 + 5 + 120 + 5)


def test_a_schedule_invokes_once_per_period(function):
    stage = function()
    events = AsynchronousQueue(stage, 3600, 2)
    events.accept_every(3600.0, 100.0)
    run(4 * 3600.0, events)
    assert stage.invocations == 4


def test_senders_follow_the_standard_webhooks_schedule(function, gateway):
    """The first attempt is at 0; nine more follow after 5 s, 5 min, 30 min and so on, each from the last."""
    front = gateway(function(units=0), [0.0])
    found = []
    for until_s in (4.9, 5.1, 304.9, 305.1, 2105.1, 9305.1, 27_305.1, 63_305.1, 113_705.1, 185_705.1, 272_105.1, 1e6):
        run(until_s, front)
        found.append(front.offered)
    assert found == [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]
    front.verify(1000.0)


@pytest.mark.parametrize(
    ("refusal", "limits", "stage"),
    [
        (Refusal.THROTTLED, [("plan", TokenBucket(0, 0))], {}),
        (Refusal.QUOTA_EXCEEDED, [("plan", Quota(0, 1e6, 0.0))], {}),
        (Refusal.INTEGRATION_FAILURE, [], {"units": 0}),
        (Refusal.INTEGRATION_FAILURE, [], {"seconds": 0.002, "cold_s": 0.0, "timeout_s": 0.001}),
        (Refusal.INTEGRATION_TIMEOUT, [], {"seconds": 30.0, "timeout_s": 60.0}),
    ],
)
def test_senders_wait_at_least_as_long_as_retry_after(function, gateway, refusal, limits, stage):
    """The schedule has waits of 5 and 100 s, and the header states 40 s: attempts are at 0, 40 and 140 s."""
    others = {other: 7000.0 for other in Refusal if other is not refusal}
    retry_after_s = {**others, refusal: 40.0}
    front = gateway(function(**stage), [0.0], limits, waits_s=(5.0, 100.0), retry_after_s=retry_after_s)
    answered_s = 31.0 if refusal is Refusal.INTEGRATION_TIMEOUT else 0.001
    found = []
    for until_s in (39.9, 40 + 1.1 * answered_s, 139.9, 140 + 2.1 * answered_s, 1000.0):
        run(until_s, front)
        found.append(front.offered)
    assert found == [1, 2, 2, 3, 3]
    front.verify(1000.0)


def test_jitter_never_shortens_retry_after(function, gateway):
    retry_after_s = {Refusal.INTEGRATION_FAILURE: 40.0}
    front = gateway(function(units=0), [0.0] * 1000, waits_s=(1.0,), jitter=0.5, retry_after_s=retry_after_s)
    run(39.999, front)
    assert front.offered == 1000
    run(60.0, front)
    assert front.offered == 2000


def test_latency_to_the_alert_counts_from_the_first_attempt(function, gateway):
    answers = Log()
    front = gateway(function(units=1, cold_s=0.0), (0.0, 2.0), [("plan", TokenBucket(0.1, 1))], [answers])
    run(1000.0, front)
    assert answers.origins_s == [0.0, 2.0]
    assert (front.offered, front.accepted, front.latency_s.quantile(1.0)) == (4, 2, pytest.approx(1.0, rel=0.01))
    front.verify(1000.0)


def test_limits_apply_in_order_and_refusals_never_reach_the_function(function, gateway):
    stage = function(units=5)
    limits = [("plan", TokenBucket(1, 3)), ("stage", TokenBucket(1, 2))]
    front = gateway(stage, [0.0] * 5, limits, waits_s=())
    run(10.0, front)
    assert front.refusals == {"plan": 2, "stage": 1}
    assert (stage.invocations, front.accepted) == (2, 2)


def test_an_answer_after_29_seconds_is_too_late(function, gateway):
    front = gateway(function(seconds=30.0, timeout_s=60.0), [0.0], waits_s=())
    run(100.0, front)
    assert (front.accepted, front.failed, front.throttled_at_lambda) == (0, 1, 0)
    front.verify(1000.0)


def mapping(batch_size, window_s, lanes=1, max_age_s=None):
    """Return a mapping that reads every change of a table."""
    return StreamMapping("Mapping", "Table", "Function", batch_size, window_s, lanes, max_age_s, STREAM_EVENTS)


@pytest.fixture
def stream():
    """Build a stream that is polled without delay and gets a record at each of the times."""

    def build(stage, reading, written_s=(), alerts=(), shares=(1.0,), poll_interval_s=0.0):
        random = draws.random_stream(1, 0, "stream")
        crossings = Crossings(1.0, lambda: 1, random, tuple(alerts))
        reader = Stream(stage, reading, shares, crossings, (1.0, 60.0), random, poll_interval_s)
        if written_s:
            reader.accept(list(written_s), dict.fromkeys(written_s, 0.0))
        return reader

    return build


def test_a_batch_is_sent_when_its_window_ends_or_when_it_is_full(function, stream):
    stage = function(seconds=0.5, cold_s=0.0)
    reader = stream(stage, mapping(3, 2.0), (0.0, 1.0, 10.0, 10.25, 10.5))
    sent = []
    for until_s in (1.9, 2.1, 10.4, 10.6, 20.0):
        run(until_s, reader)
        sent.append(stage.invocations)
    assert sent == [0, 1, 1, 2, 2]
    assert (reader.checked, reader.take_oldest_s()) == (5, 1.0)
    reader.verify(20.0)


def test_a_record_that_fills_a_batch_brings_its_planned_time_forward(function, stream):
    stage = function(seconds=0.5, cold_s=0.0)
    reader = stream(stage, mapping(2, 5.0), (0.0,))
    run(1.0, reader)
    reader.accept([1.5], {1.5: 0.0})
    run(1.6, reader)
    assert stage.invocations == 1


def test_a_later_record_does_not_delay_a_planned_batch(function, stream):
    stage = function(seconds=0.5, cold_s=0.0)
    reader = stream(stage, mapping(10, 1.0), (0.0,))
    run(0.5, reader)
    reader.accept([3.0], {3.0: 0.0})
    run(1.1, reader)
    assert stage.invocations == 1


def test_a_lane_sends_one_batch_at_a_time_and_a_due_one_immediately(function, stream):
    stage = function(units=5, seconds=2.0, cold_s=0.0)
    reader = stream(stage, mapping(2, 1.0), (0.0, 0.0, 0.1, 0.1, 0.2))
    run(100.0, reader)
    assert stage.take_peak() == 1
    assert (stage.invocations, stage.snapshot(100.0)["busy_s"]) == (3, 6.0)
    assert reader.inside.sojourn_s == pytest.approx(2 * 2.0 + 2 * 3.9 + 5.8)


def test_a_throttled_batch_keeps_its_lane_until_its_records_expire(function, stream):
    stage = function(units=0)
    reader = stream(stage, mapping(10, 0.0, max_age_s=60.0), (0.0,))
    run(1000.0, reader)
    assert (reader.dropped, reader.checked) == (1, 0)
    assert stage.throttles == {CONCURRENCY: 6}
    assert reader.snapshot(1000.0)["busy_s of shard 0"] == 63.0
    reader.verify(1000.0)


def test_alerts_are_fired_one_after_the_other_while_the_batch_runs(function, stream):
    alerts = Log()
    reader = stream(function(cold_s=0.0), mapping(4, 5.0), (1.0, 1.01, 1.02, 1.03), [alerts])
    run(10.0, reader)
    assert alerts.times_s == pytest.approx([1.28, 1.53, 1.78, 2.03])


def test_only_the_first_run_of_a_batch_fires_alerts(function, stream):
    alerts = Log()
    reader = stream(function(seconds=9.0, timeout_s=5.0, cold_s=0.0), mapping(1, 0.0, max_age_s=30.0), (1.0,), [alerts])
    run(100.0, reader)
    assert (len(alerts.times_s), reader.dropped) == (1, 1)


def test_a_record_is_visible_from_the_next_poll_of_its_shard(function, stream):
    stage = function(cold_s=0.0)
    reader = stream(stage, mapping(1, 0.0), (0.1,), poll_interval_s=0.25)
    run(0.24, reader)
    assert stage.invocations == 0
    run(0.26, reader)
    assert stage.invocations == 1
    assert reader.oldest_s == pytest.approx(0.15)


def test_records_spread_over_shards_by_share_and_over_lanes_evenly(function, stream):
    reader = stream(function(units=0), mapping(10, 300.0, lanes=2), [0.0] * 20_000, shares=(0.7, 0.2, 0.1))
    sizes = [[len(lane.written_s) for lane in shard] for shard in reader.shards]
    for shard, share in zip(sizes, (0.7, 0.2, 0.1), strict=True):
        assert sum(shard) == pytest.approx(20_000 * share, rel=0.05)
        assert shard[0] == pytest.approx(shard[1], rel=0.1)


def test_prices_cross_thresholds_at_random_and_fire_geometric_numbers_of_alerts():
    alerts = Log()
    random = draws.random_stream(1, 0, "crossings")
    crossings = Crossings(0.1, draws.geometric(random, 2.0), random, [alerts])
    times_s = [float(second) for second in range(20_000)]
    for first in range(0, 20_000, 100):
        crossings.accept(times_s[first : first + 100], dict(zip(times_s, times_s, strict=True)))
    assert len(set(alerts.times_s)) == pytest.approx(2000, rel=0.06)
    assert len(alerts.times_s) == pytest.approx(4000, rel=0.08)
    assert alerts.times_s == alerts.origins_s
    assert Crossings(0.0, lambda: 1, random, []).among(1000) == []
