"""CheckAlertsFunction: which alerts a price fires, and that each fires once."""

from __future__ import annotations

import json
import random
import time
from decimal import Decimal
from typing import Any

import pytest

from tests.stack.handlers.clock import Clock, TimedContext
from tests.stack.handlers.harness import Context, Stack, stream_record

pytestmark = pytest.mark.slow

FUNCTION = "CheckAlertsFunction"
NOW_MS = int(time.time() * 1000)


def row(symbol: str = "BTC-USD", price: str = "100", stamp: int = NOW_MS) -> dict[str, Any]:
    return {"symbol": {"S": symbol}, "observation": {"S": f"{stamp:013d}#kraken#msg_1"}, "price": {"S": price}}


def event(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"Records": [stream_record(one, number) for number, one in enumerate(rows, start=1)]}


@pytest.mark.parametrize(
    ("direction", "threshold", "fires"),
    [
        *[("above", "99.99", True), ("above", "100", True), ("above", "100.01", False)],
        *[("below", "100.01", True), ("below", "100", True), ("below", "99.99", False)],
    ],
)
def test_an_alert_fires_at_or_past_its_threshold(stack: Stack, direction: str, threshold: str, fires: bool) -> None:
    stack.put_alert("alert-1", "BTC-USD", direction, threshold)
    topic = stack.capture_topic()
    assert stack.load(FUNCTION).run(event(row())) == {"batchItemFailures": []}
    published = stack.published(topic)
    assert len(published) == fires
    assert ("watch" in stack.alert_rows()[0]) != fires
    if fires:
        assert published[0] == {
            "userId": "user-1",
            "alertId": "alert-1",
            "generation": {"N": "1"},
            "threshold": threshold,
            "symbol": "BTC-USD",
            "direction": direction,
            "price": "100",
            "timestamp": NOW_MS,
            "firedAt": published[0]["firedAt"],
        }
        assert abs(published[0]["firedAt"] - time.time() * 1000) < 60_000


def test_a_fired_alert_does_not_fire_again_until_rearmed(stack: Stack) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    topic, handler = stack.capture_topic(), stack.load(FUNCTION)
    handler.run(event(row(), row()))
    handler.run(event(row()))
    assert len(stack.published(topic)) == 1
    stack.put_alert("alert-1", "BTC-USD", "above", "90", generation={"N": "2"})
    handler.run(event(row()))
    assert [message["generation"] for message in stack.published(topic)] == [{"N": "2"}]


def test_a_price_older_than_the_alert_does_not_fire_it(stack: Stack) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90", armedAt={"N": str(NOW_MS)})
    topic, handler = stack.capture_topic(), stack.load(FUNCTION)
    handler.run(event(row(stamp=NOW_MS - 1)))
    assert stack.published(topic) == []
    handler.run(event(row(stamp=NOW_MS)))
    assert len(stack.published(topic)) == 1


INVALID: list[dict[str, Any]] = [
    *({"generation": value} for value in ({"NULL": True}, {"BOOL": True}, {"S": ""}, {"S": "x" * 129}, {"B": b"id"})),
    *({"armedAt": value} for value in ({"S": "1"}, {"NULL": True}, {"N": f"{NOW_MS}000"})),
]
"""Attributes with which no price fires an alert. The last is in microseconds."""


@pytest.mark.parametrize("attributes", [*INVALID, {"generation": None}, {"armedAt": None}])
def test_an_invalid_alert_does_not_block_others(stack: Stack, attributes: dict[str, Any]) -> None:
    """Other programs write alerts, and an invalid one must not block the stream."""
    for number in range(3):
        stack.put_alert(f"alert-{number}", "BTC-USD", "above", "90", **(attributes if number == 1 else {}))
    assert stack.load(FUNCTION).run(event(row())) == {"batchItemFailures": []}
    assert {message["alertId"] for message in stack.notifications()} == {"alert-0", "alert-2"}


def test_two_lanes_with_the_same_alerts_publish_few_of_them_twice(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other lane runs as a whole while this one has published ten and disarmed none."""
    for number in range(60):
        stack.put_alert(f"alert-{number}", "BTC-USD", "above", "90")
    one, other = stack.load(FUNCTION), stack.load(FUNCTION)
    waiting = [event(row())]

    def run_other(**_: object) -> None:
        if waiting:
            other.run(waiting.pop())

    one.namespace["sns"].meta.events.register("after-call.sns.PublishBatch", run_other)
    one.run(event(row()))
    published = [message["alertId"] for message in stack.notifications()]
    assert len(set(published)) == 60
    assert len(published) <= 70
    assert sum(fired(capsys)) == 60


def test_alerts_that_could_not_be_read_again_fire(stack: Stack) -> None:
    """A table that is too busy to answer must not make alerts look disarmed."""
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    handler = stack.load(FUNCTION)

    def leave_unread(parsed: dict[str, Any], **_: object) -> None:
        keys = [{name: item[name] for name in ("userId", "alertId")} for item in parsed["Responses"][stack.alerts]]
        parsed.update(Responses={stack.alerts: []}, UnprocessedKeys={stack.alerts: {"Keys": keys}})

    handler.namespace["dynamodb"].meta.events.register("after-call.dynamodb.BatchGetItem", leave_unread)
    assert handler.run(event(row())) == {"batchItemFailures": []}
    assert len(stack.notifications()) == 1


def lagging(handler: Any) -> None:
    """Keep returning old query results, like an eventually consistent index."""
    shown: list[dict[str, Any]] = []

    def show_again(parsed: dict[str, Any], **_: object) -> None:
        shown.extend(item for item in parsed["Items"] if item not in shown)
        parsed["Items"] = list(shown)

    handler.namespace["dynamodb"].meta.events.register("after-call.dynamodb.Query", show_again)


def fired(capsys: pytest.CaptureFixture[str]) -> list[int]:
    return [json.loads(line)["AlertsFired"] for line in capsys.readouterr().out.splitlines()]


def test_a_disarmed_alert_is_not_published_again_while_the_index_lags(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    handler = stack.load(FUNCTION)
    lagging(handler)
    assert handler.run(event(*[row()] * 5)) == {"batchItemFailures": []}
    assert len(stack.notifications()) == 1
    assert fired(capsys) == [1, 0, 0, 0, 0]


def test_an_alert_that_another_instance_disarmed_is_not_published_again(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    one, other = stack.load(FUNCTION), stack.load(FUNCTION)
    lagging(one)
    one.run(event(row()))
    other.namespace["dynamodb"] = one.namespace["dynamodb"]
    assert other.run(event(row())) == {"batchItemFailures": []}
    assert len(stack.notifications()) == 1
    assert fired(capsys) == [1, 0]


def test_a_rearmed_alert_fires_even_if_this_instance_disarmed_it(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    armings = [{"N": "1"}, {"S": "7d1c9a52-arming"}, {"S": "1"}]
    for arming in armings:
        stack.put_alert("alert-1", "BTC-USD", "above", "90", generation=arming)
        handler.run(event(row()))
    assert [message["generation"] for message in stack.notifications()] == armings


def test_a_recreated_alert_fires_again(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    for armed_at in ("1", "2"):
        stack.put_alert("alert-1", "BTC-USD", "above", "90", armedAt={"N": armed_at})
        handler.run(event(row()))
        key = {"userId": {"S": "user-1"}, "alertId": {"S": "alert-1"}}
        stack.dynamodb.delete_item(TableName=stack.alerts, Key=key)
    assert len(stack.notifications()) == 2


def test_the_memory_of_disarmed_alerts_is_bounded(stack: Stack) -> None:
    handler = stack.load(FUNCTION, REMEMBERED=3)
    for number in range(10):
        stack.put_alert(f"alert-{number}", "BTC-USD", "above", "90")
        handler.run(event(row()))
        assert len(handler.namespace["disarmed"]) <= 3
    assert len(stack.notifications()) == 10


@pytest.mark.parametrize(("alerts", "records"), [(0, 10), (1, 10), (30, 1)])
def test_the_handler_ends_before_its_timeout_even_if_calls_are_slow(stack: Stack, alerts: int, records: int) -> None:
    """5.9 s is the longest that the client waits: a lost attempt, then a slow answer."""
    for number in range(alerts):
        stack.put_alert(f"alert-{number}", "BTC-USD", "above", "90")
    clock = Clock()
    handler = stack.load(FUNCTION, time=clock)

    def pass_time(**_: object) -> None:
        clock.now += 5.9

    for name in ("dynamodb", "sns"):
        handler.namespace[name].meta.events.register("after-call", pass_time)
    context = TimedContext(clock, 60)
    assert handler.run(event(*[row()] * records), context)["batchItemFailures"]
    assert context.get_remaining_time_in_millis() > 0


def test_a_failure_is_logged_with_its_code(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    handler = stack.load(FUNCTION)
    stack.dynamodb.delete_table(TableName=stack.alerts)
    assert handler.run(event(row()))["batchItemFailures"]
    assert json.loads(capsys.readouterr().out)["outcome"] == "ResourceNotFoundException"


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_stale_price_fires_nothing_and_is_counted(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    handler = stack.load(FUNCTION)
    assert handler.run(event({**row(), "stale": {"BOOL": True}})) == {"batchItemFailures": []}
    assert stack.notifications() == []
    assert handler.run(event(row())) == {"batchItemFailures": []}
    assert [line["Stale"] for line in log_lines(capsys)] == [1, 0]


def test_a_price_that_was_fresh_fires_after_a_day_in_the_stream(stack: Stack) -> None:
    """The handler has no limit of its own, so the alert fires however long the stream was paused."""
    stamp = NOW_MS - 23 * 3_600_000
    stack.put_alert("alert-1", "BTC-USD", "above", "90", armedAt={"N": str(stamp)})
    stack.load(FUNCTION).run(event(row(stamp=stamp)))
    (message,) = stack.notifications()
    assert message["timestamp"] == stamp
    assert message["firedAt"] > NOW_MS - 60_000


def test_a_failed_record_is_counted_but_not_one_that_ran_out_of_time(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lambda counts an answer with failed records as a success, so only this metric shows them."""
    handler = stack.load(FUNCTION)
    assert handler.run(event(row()), Context(remaining_ms=10_000))["batchItemFailures"]
    stack.dynamodb.delete_table(TableName=stack.alerts)
    assert handler.run(event(row()))["batchItemFailures"]
    assert [line["FailedRecords"] for line in log_lines(capsys)] == [0, 1]


def test_alerts_on_other_symbols_do_not_fire(stack: Stack) -> None:
    stack.put_alert("alert-1", "ETH-USD", "above", "1")
    topic = stack.capture_topic()
    stack.load(FUNCTION).run(event(row()))
    assert stack.published(topic) == []


def test_the_list_of_symbols_is_not_a_price(stack: Stack) -> None:
    listed = {"symbol": {"S": "#symbols"}, "observation": {"S": "BTC-USD"}}
    assert stack.load(FUNCTION).run(event(listed)) == {"batchItemFailures": []}
    assert stack.calls == []


def test_more_alerts_than_a_batch_of_ten_all_fire(stack: Stack) -> None:
    for number in range(37):
        stack.put_alert(f"alert-{number}", "BTC-USD", "above", str(number))
    topic = stack.capture_topic()
    stack.load(FUNCTION).run(event(row(price="30")))
    assert {message["alertId"] for message in stack.published(topic)} == {f"alert-{n}" for n in range(31)}
    assert sum("watch" in alert for alert in stack.alert_rows()) == 6


def test_before_the_timeout_the_handler_reports_the_record_for_a_retry(stack: Stack) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    topic, handler = stack.capture_topic(), stack.load(FUNCTION)
    failed = handler.run(event(row()), Context(remaining_ms=10_000))
    assert failed == {"batchItemFailures": [{"itemIdentifier": f"{1:021d}"}]}
    assert stack.published(topic) == []
    assert handler.run(event(row())) == {"batchItemFailures": []}
    assert len(stack.published(topic)) == 1


def test_the_result_does_not_depend_on_the_order_of_prices(stack: Stack) -> None:
    generator = random.Random(1)
    thresholds = {f"alert-{n}": Decimal(generator.randrange(80, 120)) for n in range(20)}
    for number, (alert_id, threshold) in enumerate(thresholds.items()):
        stack.put_alert(alert_id, "BTC-USD", "above" if number % 2 else "below", str(threshold))
    prices = [str(generator.randrange(90, 110)) for _ in range(10)]
    topic = stack.capture_topic()
    stack.load(FUNCTION).run(event(*(row(price=price) for price in prices)))
    expected = {
        alert_id
        for number, (alert_id, threshold) in enumerate(thresholds.items())
        if any(Decimal(p) >= threshold if number % 2 else Decimal(p) <= threshold for p in prices)
    }
    published = [message["alertId"] for message in stack.published(topic)]
    assert sorted(published) == sorted(expected)
