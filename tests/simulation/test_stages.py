"""AWS's rules for single stages, with constant durations so that every moment is known."""

import pytest

from generator.simulation import draws
from generator.simulation.functions import (
    CONCURRENCY,
    REQUEST_RATE,
    SCALING,
    AsynchronousQueue,
    LambdaFunction,
    Timing,
)
from generator.simulation.gateway import Gateway, Quota, Senders
from generator.simulation.kernel import Kernel, Pool, TokenBucket
from generator.simulation.stream import Crossings, Stream
from generator.simulation.topology import STREAM_EVENTS, Refusal, StreamMapping


@pytest.fixture
def kernel():
    return Kernel()


@pytest.fixture
def function(kernel):
    """Build a function with runs of 1 s, cold starts of 1 s, and warm instances that expire after 10 s."""

    def build(units=2, *, seconds=1.0, cold_s=1.0, timeout_s=5.0, idle_s=10.0, rate=None, pool=None):
        timing = Timing(draws.constant(seconds), cold_s, timeout_s, idle_s)
        return LambdaFunction("function", kernel, pool or Pool(units), timing, rate)

    return build


@pytest.fixture
def log(kernel):
    """Provide callbacks that record their name and the time."""
    found = []
    return found, lambda name: lambda _argument: found.append((name, round(kernel.now, 6)))


def at(kernel, times_s, action):
    for time_s in times_s:
        kernel.at(time_s, lambda _: action())


def test_a_new_instance_starts_cold_and_the_last_used_one_is_reused(kernel, function, log):
    found, note = log
    stage = function()
    at(kernel, (0.0, 0.5, 3.0), lambda: stage.invoke(note("done"), note("failed"), None))
    kernel.run(20.0)
    assert found == [("done", 2.0), ("done", 2.5), ("done", 4.0)]
    assert (stage.cold_starts, list(stage.idle)) == (2, [2.0, 4.0])


def test_an_idle_instance_expires_and_counts_until_then(kernel, function):
    stage = function()
    at(kernel, (0.0, 20.0), lambda: stage.invoke(len, len, ()))
    kernel.run(100.0)
    counts = stage.snapshot(100.0)
    assert stage.cold_starts == 2
    assert counts["busy_s"] == 4.0
    assert counts["instances_s"] == pytest.approx(2 * (2 + 10))


def test_invocations_above_the_reservation_are_throttled(kernel, function):
    stage = function(units=2)
    at(kernel, (0.0, 0.1, 0.2, 2.05), lambda: stage.invoke(len, len, ()))
    kernel.run(10.0)
    assert (stage.invocations, stage.throttles) == (3, {CONCURRENCY: 1})
    assert stage.take_peak() == 2
    stage.verify()


def test_a_reservation_of_0_stops_a_function(kernel, function):
    stage = function(units=0)
    assert stage.invoke_synchronously(len, len, ()) is None
    assert stage.throttles == {CONCURRENCY: 1}


def test_functions_without_a_reservation_share_one_pool(kernel, function):
    pool = Pool(3)
    one, other = function(pool=pool), function(pool=pool)
    answers = [stage.invoke(len, len, ()) for stage in (one, other, one, other)]
    assert [answer is not None for answer in answers] == [True, True, True, False]
    kernel.run(10.0)
    assert pool.free == 3


def test_short_synchronous_requests_are_limited_to_ten_a_second_per_unit(kernel, function):
    stage = function(units=1, seconds=0.01, cold_s=0.0, rate=TokenBucket(10, 10))
    at(kernel, [step * 0.02 for step in range(100)], lambda: stage.invoke_synchronously(len, len, ()))
    kernel.run(10.0)
    assert stage.invocations == 10 + 19
    assert stage.throttles == {REQUEST_RATE: 71}


def test_a_thousand_new_instances_start_at_once_and_a_hundred_a_second(kernel, function):
    stage = function(units=10_000, seconds=100.0, timeout_s=900.0)
    for _ in range(1500):
        stage.invoke(len, len, ())
    assert (stage.invocations, stage.throttles) == (1000, {SCALING: 500})
    kernel.run(1.0)
    for _ in range(1500):
        stage.invoke(len, len, ())
    assert stage.invocations == 1100


def test_the_timeout_starts_after_the_cold_start(kernel, function, log):
    found, note = log
    stage = function(seconds=9.0, timeout_s=5.0)
    stage.invoke(note("done"), note("failed"), None)
    kernel.run(20.0)
    assert found == [("failed", 6.0)]


def test_a_throttled_event_is_retried_after_1_2_4_seconds_and_so_on(kernel, function):
    """The only unit is busy for 16 s, so attempts are at 0, 1, 3, 7, 15 and 31 s."""
    stage = function(units=1, seconds=14.0, cold_s=2.0, timeout_s=900.0, idle_s=100.0)
    queue = AsynchronousQueue(stage, 21_600, 2)
    stage.invoke(len, len, ())
    queue.accept(0.0)
    kernel.run(100.0)
    assert stage.throttles == {CONCURRENCY: 5}
    assert (queue.waited, queue.completed) == (1, 1)
    assert queue.latency_s.quantile(1.0) == pytest.approx(31 + 14, rel=0.005)
    queue.verify()


def test_waits_grow_to_five_minutes_and_an_old_event_is_dropped(kernel, function):
    """Attempts are at 0, 1, 3 ... 255, 511 s (+256), then every 300 s: 811, 1111 ... up to 3600 s."""
    stage = function(units=0)
    queue = AsynchronousQueue(stage, 3600, 2)
    queue.accept(0.0)
    kernel.run(10_000.0)
    assert stage.throttles == {CONCURRENCY: 10 + 10}
    assert (queue.dropped, queue.completed) == (1, 0)


def test_a_stopped_function_sends_events_to_its_failure_destination_at_once(kernel, function):
    queue = AsynchronousQueue(function(units=0), 21_600, 2, is_stopped=True)
    queue.accept(0.0)
    assert (queue.accepted, queue.waited, queue.dropped) == (1, 1, 1)
    assert not list(kernel.pending(queue._try))
    queue.verify()


def test_a_failed_event_is_retried_after_one_and_two_minutes(kernel, function):
    stage = function(units=1, seconds=9.0, timeout_s=5.0, cold_s=0.0)
    queue = AsynchronousQueue(stage, 21_600, 2)
    queue.accept(0.0)
    kernel.run(1000.0)
    assert (stage.invocations, queue.dropped) == (3, 1)
    assert queue.inside.sojourn_s == pytest.approx(5 + 60 + 5 + 120 + 5)


def test_a_schedule_invokes_once_per_period(kernel, function):
    stage = function()
    AsynchronousQueue(stage, 3600, 2).accept_every(3600.0, 100.0)
    kernel.run(4 * 3600.0)
    assert stage.invocations == 4


@pytest.fixture
def gateway():
    def build(stage, limits=(), **senders):
        return Gateway(stage, limits, [], Senders(**senders), draws.random_stream(1, 0, "senders"))

    return build


def test_senders_follow_the_standard_webhooks_schedule(kernel, function, gateway):
    """The first attempt is at 0; nine more follow after 5 s, 5 min, 30 min and so on, each from the last."""
    front = gateway(function(units=0))
    front.feed(iter([0.0]))
    found = []
    for until_s in (4.9, 5.1, 304.9, 305.1, 2105.1, 9305.1, 27_305.1, 63_305.1, 113_705.1, 185_705.1, 272_105.1, 1e6):
        kernel.run(until_s)
        found.append(front.offered)
    assert found == [1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10]
    front.verify()


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
def test_senders_wait_at_least_as_long_as_retry_after(kernel, function, gateway, refusal, limits, stage):
    """The schedule has waits of 5 and 100 s, and the header states 40 s: attempts are at 0, 40 and 140 s."""
    others = {other: 7000.0 for other in Refusal if other is not refusal}
    front = gateway(function(**stage), limits, waits_s=(5.0, 100.0), retry_after_s={**others, refusal: 40.0})
    front.feed(iter([0.0]))
    answered_s = 31.0 if refusal is Refusal.INTEGRATION_TIMEOUT else 0.001
    found = []
    for until_s in (39.9, 40 + 1.1 * answered_s, 139.9, 140 + 2.1 * answered_s, 1000.0):
        kernel.run(until_s)
        found.append(front.offered)
    assert found == [1, 2, 2, 3, 3]
    front.verify()


def test_jitter_never_shortens_retry_after(kernel, function, gateway):
    front = gateway(function(units=0), waits_s=(1.0,), jitter=0.5, retry_after_s={Refusal.INTEGRATION_FAILURE: 40.0})
    front.feed(iter([0.0] * 1000))
    kernel.run(39.999)
    assert front.offered == 1000
    kernel.run(60.0)
    assert front.offered == 2000


def test_latency_to_the_alert_counts_from_the_first_attempt(kernel, function):
    caused = []
    front = Gateway(
        *(function(units=1, cold_s=0.0), [("plan", TokenBucket(0.1, 1))], [caused.append]),
        *(Senders(), draws.random_stream(1, 0, "senders")),
    )
    front.feed(iter([0.0, 2.0]))
    kernel.run(1000.0)
    assert caused == [0.0, 2.0]
    assert (front.offered, front.accepted, front.latency_s.quantile(1.0)) == (4, 2, pytest.approx(1.0, rel=0.01))
    front.verify()


def test_limits_apply_in_order_and_refusals_never_reach_the_function(kernel, function, gateway):
    stage = function(units=5)
    limits = [("plan", TokenBucket(1, 3)), ("stage", TokenBucket(1, 2))]
    front = gateway(stage, limits, waits_s=())
    front.feed(iter([0.0] * 5))
    kernel.run(10.0)
    assert front.refusals == {"plan": 2, "stage": 1}
    assert (stage.invocations, front.accepted) == (2, 2)


def test_a_quota_starts_again_in_each_period():
    quota = Quota(2, 10.0, start_s=0.0)
    assert [quota.take(time_s) for time_s in (0.0, 1.0, 2.0, 9.9, 10.0, 11.0, 12.0, 35.0)] == [
        *(True, True, False, False),
        *(True, True, False, True),
    ]


def test_an_answer_after_29_seconds_is_too_late(kernel, function, gateway):
    front = gateway(function(seconds=30.0, timeout_s=60.0), waits_s=())
    front.feed(iter([0.0]))
    kernel.run(100.0)
    assert (front.accepted, front.failed, front.throttled_at_lambda) == (0, 1, 0)
    front.verify()


def mapping(batch_size, window_s, lanes=1, max_age_s=None):
    """Return a mapping that reads every change of a table."""
    return StreamMapping("Mapping", "Table", "Function", batch_size, window_s, lanes, max_age_s, STREAM_EVENTS)


@pytest.fixture
def stream():
    """Build a stream that is polled without delay."""

    def build(stage, reading, alerts=(), shares=(1.0,)):
        random = draws.random_stream(1, 0, "stream")
        crossings = Crossings(1.0, lambda: 1, random, tuple(alerts))
        return Stream(stage, reading, shares, crossings, (1.0, 60.0), random, poll_interval_s=0.0)

    return build


def test_a_batch_is_sent_when_its_window_ends_or_when_it_is_full(kernel, function, stream, log):
    found, note = log
    stage = function(seconds=0.5, cold_s=0.0)
    reader = stream(stage, mapping(3, 2.0))
    at(kernel, (0.0, 1.0), lambda: reader.write(0.0))
    at(kernel, (10.0, 10.25, 10.5), lambda: reader.write(0.0))
    for time_s in (2.1, 10.6):
        kernel.at(time_s, lambda _: note(stage.invocations)(None))
    kernel.run(20.0)
    assert found == [(1, 2.1), (2, 10.6)]
    assert (reader.checked, reader.take_oldest_s()) == (5, 1.0)
    reader.verify()


def test_a_lane_sends_one_batch_at_a_time_and_a_due_one_immediately(kernel, function, stream):
    stage = function(units=5, seconds=2.0, cold_s=0.0)
    reader = stream(stage, mapping(2, 1.0))
    at(kernel, (0.0, 0.0, 0.1, 0.1, 0.2), lambda: reader.write(0.0))
    kernel.run(100.0)
    assert stage.take_peak() == 1
    assert (stage.invocations, stage.snapshot(100.0)["busy_s"]) == (3, 6.0)
    assert reader.inside.sojourn_s == pytest.approx(2 * 2.0 + 2 * 3.9 + 5.8)


def test_a_throttled_batch_keeps_its_lane_until_its_records_expire(kernel, function, stream):
    stage = function(units=0)
    reader = stream(stage, mapping(10, 0.0, max_age_s=60.0))
    reader.write(0.0)
    kernel.run(1000.0)
    assert (reader.dropped, reader.checked) == (1, 0)
    assert stage.throttles == {CONCURRENCY: 6}
    assert reader.snapshot(1000.0)["busy_s of shard 0"] == 63.0
    reader.verify()


def test_alerts_are_fired_one_after_the_other_while_the_batch_runs(kernel, function, stream, log):
    found, note = log
    reader = stream(function(cold_s=0.0), mapping(4, 5.0), alerts=[note("alert")])
    at(kernel, (1.0, 1.0, 1.0, 1.0), lambda: reader.write(0.0))
    kernel.run(10.0)
    assert [time_s for _, time_s in found] == [1.25, 1.5, 1.75, 2.0]


def test_a_record_is_visible_from_the_next_poll_of_its_shard(kernel, function):
    stage = function(cold_s=0.0)
    random = draws.random_stream(1, 0, "stream")
    crossings = Crossings(0.0, lambda: 1, random, ())
    reader = Stream(stage, mapping(1, 0.0), (1.0,), crossings, (1.0, 60.0), random, poll_interval_s=0.25)
    at(kernel, (0.1,), lambda: reader.write(0.0))
    kernel.run(0.24)
    assert stage.invocations == 0
    kernel.run(0.26)
    assert stage.invocations == 1
    assert reader.oldest_s == pytest.approx(0.15)


def test_records_spread_over_shards_by_share_and_over_lanes_evenly(kernel, function, stream):
    reader = stream(function(units=0), mapping(10, 300.0, lanes=2), shares=(0.7, 0.2, 0.1))
    for _ in range(20_000):
        reader.write(0.0)
    sizes = [[len(lane.buffer) for lane in shard] for shard in reader.shards]
    for shard, share in zip(sizes, (0.7, 0.2, 0.1), strict=True):
        assert sum(shard) == pytest.approx(20_000 * share, rel=0.05)
        assert shard[0] == pytest.approx(shard[1], rel=0.1)
