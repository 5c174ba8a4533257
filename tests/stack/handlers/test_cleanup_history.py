"""CleanupHistoryFunction: overdue prices go, others never, and it stops in time."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stack.handlers.clock import Clock, TimedContext
from tests.stack.handlers.harness import Context, Stack, stream_record
from tests.stack.handlers.test_check_alerts import INVALID

pytestmark = pytest.mark.slow

FUNCTION = "CleanupHistoryFunction"
RETENTION_S, OVERDUE_S = 30 * 86_400, 2 * 86_400
DUE_S = RETENTION_S + OVERDUE_S
KEY = {"symbol": {"S": "BTC-USD"}, "observation": {"S": "1600000000000#kraken#msg_0"}}
counter = itertools.count()


def put(stack: Stack, age_s: float, symbol: str = "BTC-USD", ttl_in_s: float | None = None) -> str:
    """Store a price of that age. Its expiry follows from its time unless given."""
    now = time.time()
    observation = f"{int((now - age_s) * 1000):013d}#kraken#msg_{next(counter)}"
    ttl = int(now - age_s) + RETENTION_S if ttl_in_s is None else int(now + ttl_in_s)
    for item in (
        {"symbol": {"S": "#symbols"}, "observation": {"S": symbol}},
        {
            "symbol": {"S": symbol},
            "observation": {"S": observation},
            "price": {"S": "1"},
            "ttl": {"N": str(ttl)},
        },
    ):
        stack.dynamodb.put_item(TableName=stack.prices, Item=item)
    return observation


def test_overdue_prices_of_every_symbol_are_removed_and_counted(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put(stack, DUE_S + 60)
    put(stack, DUE_S + 60, "ETH-USD")
    kept = put(stack, RETENTION_S - 60)
    stack.load(FUNCTION).run({})
    assert [row["observation"]["S"] for row in stack.stored()] == [kept]
    line = json.loads(capsys.readouterr().out)
    assert (line["Overdue"], line["Deleted"]) == (2, 2)


def test_expired_prices_are_left_to_time_to_live_for_two_days(stack: Stack) -> None:
    """Its deletions are free, and these are not."""
    kept = put(stack, DUE_S - 60)
    stack.load(FUNCTION).run({})
    assert [row["observation"]["S"] for row in stack.stored()] == [kept]


def test_deletions_are_made_in_batches_until_none_is_left(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    """A busy table answers with the items that it did not process."""
    for _ in range(30):
        put(stack, DUE_S + 60)
    clock = Clock()
    handler = stack.load(FUNCTION, time=clock)
    refused: list[object] = []

    def refuse_once(parsed: dict[str, Any], **_: object) -> None:
        if not refused:
            refused.append(parsed)
            parsed["UnprocessedItems"] = {stack.prices: [{"DeleteRequest": {"Key": KEY}}]}

    handler.namespace["dynamodb"].meta.events.register("after-call.dynamodb.BatchWriteItem", refuse_once)
    handler.run({}, TimedContext(clock, 300))
    assert stack.stored() == []
    writes = [call.parameters["RequestItems"] for call in stack.calls if call.operation.endswith("BatchWriteItem")]
    assert [len(tables[stack.prices]) for tables in writes] == [25, 1, 5]
    assert json.loads(capsys.readouterr().out)["Deleted"] == 30


def test_only_expired_prices_are_read_and_the_table_is_not_scanned(stack: Stack) -> None:
    for _ in range(5):
        put(stack, RETENTION_S - 60)
    handler = stack.load(FUNCTION)
    client, read = handler.namespace["dynamodb"], []
    client.meta.events.register("after-call.dynamodb.Query", lambda parsed, **_: read.append(parsed["ScannedCount"]))
    handler.run({})
    assert read == [1, 0]  # the list of symbols, then nothing of BTC-USD
    assert {call.operation for call in stack.calls if "IndexName" not in call.parameters} == {"dynamodb:Query"}


def test_a_price_whose_own_expiry_is_later_is_kept(stack: Stack) -> None:
    kept = put(stack, DUE_S + 60, ttl_in_s=3600)
    stack.load(FUNCTION).run({})
    assert [row["observation"]["S"] for row in stack.stored()] == [kept]


def test_cleanup_stops_before_its_timeout_and_resumes(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        put(stack, DUE_S + 60)
    handler = stack.load(FUNCTION)
    handler.run({}, Context(remaining_ms=14_000))
    assert len(stack.stored()) == 3
    handler.run({})
    assert stack.stored() == []
    outcomes = [json.loads(line)["outcome"] for line in capsys.readouterr().out.splitlines()]
    assert outcomes == ["to be continued", "finished"]


def unfireable(stack: Stack, capsys: pytest.CaptureFixture[str]) -> int:
    stack.load(FUNCTION).run({})
    count: int = json.loads(capsys.readouterr().out)["Unfireable"]
    return count


WRONG = [
    *INVALID,
    *({name: None} for name in ("generation", "armedAt")),
    *({"watch": {"S": value}} for value in ("btc-usd#above", "BTC-USD#Above", "BTCUSD#above", "BTC-USD#over")),
]


def test_armed_alerts_that_no_price_can_fire_are_counted(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.put_alert("number", "BTC-USD", "above", "90")
    stack.put_alert("text", "BTC-USD", "below", "90", generation={"S": "6f1d2c1e-0d59-4a52-9d3f-5b7a1c0e8f11"})
    stack.put_alert("disarmed", "BTC-USD", "above", "90", watch=None, generation=None)
    assert unfireable(stack, capsys) == 0
    for number, attributes in enumerate(WRONG):
        stack.put_alert(f"wrong-{number}", "BTC-USD", "above", "90", **attributes)
    assert unfireable(stack, capsys) == len(WRONG)


@pytest.mark.parametrize("attributes", [{}, *INVALID, {"generation": None}, {"armedAt": None}])
def test_the_count_of_alerts_that_cannot_fire_matches_the_handler(
    stack: Stack, capsys: pytest.CaptureFixture[str], attributes: dict[str, Any]
) -> None:
    """CheckAlertsFunction and CleanupHistoryFunction have the same rule in two files."""
    stack.put_alert("alert-1", "BTC-USD", "above", "1", **attributes)
    counted = unfireable(stack, capsys)
    latest = {"symbol": {"S": "BTC-USD"}, "observation": {"S": "9999999999999#kraken#msg_1"}, "price": {"S": "2"}}
    stack.load("CheckAlertsFunction").run({"Records": [stream_record(latest)]})
    assert counted == 1 - len(stack.notifications())


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.floats(-3 * 86_400, 3 * 86_400).filter(lambda past_s: abs(past_s) > 5), max_size=8))
def test_no_price_is_deleted_before_it_is_overdue(stack: Stack, past_expiry_s: list[float]) -> None:
    before = {put(stack, DUE_S + past_s): past_s for past_s in past_expiry_s}
    stack.load(FUNCTION).run({})
    left = {row["observation"]["S"] for row in stack.stored()}
    assert left >= {observation for observation, past_s in before.items() if past_s < 0}
    assert not left & {observation for observation, past_s in before.items() if past_s > 0}
