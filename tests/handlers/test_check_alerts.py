"""CheckAlertsFunction: which alerts a price fires, and that each fires once."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from typing import Any

import pytest

from tests.handlers.harness import Context, Stack, stream_record

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
            "generation": "1",
            "threshold": threshold,
            "symbol": "BTC-USD",
            "direction": direction,
            "price": "100",
            "timestamp": NOW_MS,
        }


def test_a_fired_alert_does_not_fire_again_until_it_is_armed_anew(stack: Stack) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90")
    topic, handler = stack.capture_topic(), stack.load(FUNCTION)
    handler.run(event(row(), row()))
    handler.run(event(row()))
    assert len(stack.published(topic)) == 1
    stack.put_alert("alert-1", "BTC-USD", "above", "90", generation={"N": "2"})
    handler.run(event(row()))
    assert [message["generation"] for message in stack.published(topic)] == ["2"]


def test_a_price_older_than_the_alert_does_not_fire_it(stack: Stack) -> None:
    stack.put_alert("alert-1", "BTC-USD", "above", "90", armedAt={"N": str(NOW_MS)})
    topic, handler = stack.capture_topic(), stack.load(FUNCTION)
    handler.run(event(row(stamp=NOW_MS - 1)))
    assert stack.published(topic) == []
    handler.run(event(row(stamp=NOW_MS)))
    assert len(stack.published(topic)) == 1


def test_other_symbols_are_left_alone(stack: Stack) -> None:
    stack.put_alert("alert-1", "ETH-USD", "above", "1")
    topic = stack.capture_topic()
    stack.load(FUNCTION).run(event(row()))
    assert stack.published(topic) == []


def test_the_list_of_symbols_is_no_price(stack: Stack) -> None:
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


def test_before_the_timeout_it_stops_and_reports_the_record_for_a_retry(stack: Stack) -> None:
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
