"""Large cases: generated requests, shuffled prices, a price that fires thousands of alerts, many expired prices.

Ids have leading zeros because moto sorts the whole table for each query, and is fast if it is already sorted.
"""

from __future__ import annotations

import base64
import collections
import json
import random
import re
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends

from tests.conftest import SCALE
from tests.stack.handlers.clock import Clock, TimedContext
from tests.stack.handlers.delivery import World
from tests.stack.handlers.harness import REGION, SECRET_TEXT, Context, Stack, price, stream_record, webhook

pytestmark = pytest.mark.slow

ONE_STACK_FOR_ALL = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
digits = st.text("0123456789", min_size=1, max_size=40)
prices = st.builds("{}.{}".format, digits, digits) | digits | st.sampled_from(["1e5", "NaN", "-1", "0", "1e999"])
bodies = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.from_regex("[A-Z]{2,4}-[A-Z]{3}", fullmatch=True) | scalars,
        "price": prices | scalars,
        "timestamp": st.integers(-400_000, 400_000).map(lambda ms: int(time.time() * 1000) + ms) | scalars,
        "source": st.sampled_from(["kraken", "x.y-z_1"]) | scalars,
        "more": scalars,
    },
)
good_bodies = st.fixed_dictionaries(
    {
        "symbol": st.from_regex("[A-Z]{2,4}-[A-Z]{3}", fullmatch=True),
        "price": prices,
        "timestamp": st.integers(-400_000, 200_000).map(lambda ms: int(time.time() * 1000) + ms),
        "source": st.sampled_from(["kraken", "x.y-z_1"]),
    }
)
requests = st.one_of(
    st.builds(webhook, good_bodies, st.text("abc_1", min_size=1, max_size=4)),
    st.builds(webhook, bodies, st.text("abc_1", min_size=1, max_size=4)),
    st.builds(
        webhook, bodies | st.text(max_size=50), st.text(max_size=5), sent_at=st.integers() | st.just(int(time.time()))
    ),
    st.builds(webhook, st.text(max_size=200)),
    st.fixed_dictionaries(
        {},
        optional={
            "headers": st.none() | st.dictionaries(st.text(max_size=20), st.none() | st.text(max_size=40), max_size=5),
            "body": st.none() | st.text(max_size=50),
            "isBase64Encoded": st.booleans(),
        },
    ),
)


def test_generated_requests_get_only_specified_answers(stack: Stack) -> None:
    handler, outcomes = stack.load("ProcessWebhookFunction"), collections.Counter[int]()

    # Lists, because one Hypothesis example per request would cost three times as much as the request.
    @settings(max_examples=20 * SCALE, derandomize=True, suppress_health_check=ONE_STACK_FOR_ALL)
    @given(st.lists(requests, min_size=20, max_size=20))
    def check(events: list[dict[str, Any]]) -> None:
        for event in events:
            check_one(event)

    def check_one(event: dict[str, Any]) -> None:
        stack.calls.clear()
        answer = handler.run(event)
        status = answer["statusCode"]
        outcomes[status] += 1
        assert status in (200, 202, 400, 401, 409, 422)
        assert json.loads(answer["body"])["message"]
        puts = [call.parameters["Item"] for call in stack.calls if call.operation == "dynamodb:PutItem"]
        written = [item for item in puts if "price" in item]
        if status in (200, 202, 409):
            sent = json.loads(event["body"])
            (item,) = written
            key = {"symbol": item["symbol"], "observation": item["observation"]}
            kept = stack.dynamodb.get_item(TableName=stack.prices, Key=key)["Item"]
            assert status == 409 or kept["price"]["S"] == sent["price"]
            assert item["observation"]["S"].startswith(f"{sent['timestamp']:013d}#{sent['source']}#")
        else:
            assert not written

    check()
    assert outcomes.keys() >= {202, 400, 401, 422}, outcomes


def test_old_and_new_secret_are_accepted_after_a_rotation(stack: Stack) -> None:
    import boto3

    old, new = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8S9t0U1v2", "N1e2W3s4E5c6R7e8T9a0B1c2D3e4F5g6H7i8J9k0L1m2"
    clock = Clock()
    handler = stack.load("ProcessWebhookFunction", time=clock)

    def status(secret: str, webhook_id: str) -> int:
        body = price(timestamp=int(clock.now * 1000))
        event = webhook(body, webhook_id, secret=secret, sent_at=int(clock.now))
        answer: int = handler.run(event)["statusCode"]
        return answer

    assert (status(old, "msg_1"), status(new, "msg_2")) == (202, 401)
    boto3.client("secretsmanager").put_secret_value(SecretId="SigningSecret", SecretString=new)
    clock.now += 11
    assert (status(new, "msg_3"), status(old, "msg_4")) == (202, 202)
    clock.now += 86_400 - 60
    assert (status(new, "msg_5"), status(old, "msg_6")) == (202, 202)
    clock.now += 120
    assert (status(new, "msg_7"), status(old, "msg_8")) == (202, 401)


NO_KEYS = ["hello", '{"secret": "A1b2"}', "dGVzdA", "whsec_", "!!!!", base64.b64encode(b"x" * 23).decode(), "k\u00e9y"]


@pytest.mark.parametrize("value", NO_KEYS)
def test_an_invalid_secret_keeps_the_previous_one_valid_for_a_day(
    stack: Stack, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    import boto3

    clock = Clock()
    handler = stack.load("ProcessWebhookFunction", time=clock)

    def answer(webhook_id: str, secret: str = SECRET_TEXT) -> dict[str, Any]:
        body = price(timestamp=int(clock.now * 1000))
        answered: dict[str, Any] = handler.run(webhook(body, webhook_id, secret=secret, sent_at=int(clock.now)))
        return answered

    boto3.client("secretsmanager").put_secret_value(SecretId="SigningSecret", SecretString=value)
    assert answer("msg_1")["statusCode"] == 202
    assert answer("msg_2", secret="")["statusCode"] == 401
    clock.now += 86_400 - 60
    assert answer("msg_3")["statusCode"] == 202
    clock.now += 120
    capsys.readouterr()
    assert answer("msg_4") == {
        "statusCode": 503,
        "headers": {"Retry-After": "5"},
        "body": '{"message": "try again"}',
    }
    assert json.loads(capsys.readouterr().out)["outcome"] == "PermissionError"


def test_an_invalid_secret_is_not_read_for_each_webhook(stack: Stack) -> None:
    import boto3

    boto3.client("secretsmanager").put_secret_value(SecretId="SigningSecret", SecretString="hello")
    handler = stack.load("ProcessWebhookFunction")
    for number in range(50):
        assert handler.run(webhook(price(), f"msg_{number}"))["statusCode"] == 202
    assert [call.operation for call in stack.calls].count("secretsmanager:GetSecretValue") == 2


def test_bad_signatures_read_the_secret_at_most_once_in_ten_seconds(stack: Stack) -> None:
    clock = Clock()
    handler = stack.load("ProcessWebhookFunction", time=clock)
    for _ in range(100):
        event = webhook(price(), secret="QUFB" * 11, sent_at=int(clock.now))
        assert handler.run(event)["statusCode"] == 401
        clock.now += 1
    reads = [call for call in stack.calls if call.operation == "secretsmanager:GetSecretValue"]
    assert len(reads) <= 2 * (100 / 10 + 1)


def test_prices_in_any_order_send_the_sms_of_an_oracle(stack: Stack) -> None:
    """Send 200 prices of 10 symbols with duplicates, in shuffled batches, to 50 alerts."""
    generator, world = random.Random(20), World(stack)
    symbols = [f"S{number:02d}-USD" for number in range(10)]
    alerts = {}
    for number in range(50):
        symbol, direction = generator.choice(symbols), generator.choice(["above", "below"])
        threshold = Decimal(generator.randrange(5_000, 20_000)) / 100
        phone = f"+1555{number:07d}"
        alerts[phone] = (symbol, direction, threshold)
        stack.put_alert(f"alert-{number:06d}", symbol, direction, str(threshold), phoneNumber={"S": phone})
    now_ms, current = int(world.clock.now * 1000), dict.fromkeys(symbols, Decimal(100))
    rows = []
    for number in range(200):
        symbol = generator.choice(symbols)
        current[symbol] = max(Decimal(1), current[symbol] + Decimal(generator.randrange(-400, 401)) / 100)
        observation = {"S": f"{now_ms + number:013d}#kraken#msg_{number}"}
        rows.append({"symbol": {"S": symbol}, "observation": observation, "price": {"S": str(current[symbol])}})
    expected = {
        phone
        for phone, (symbol, direction, threshold) in alerts.items()
        for row in rows
        if row["symbol"]["S"] == symbol
        and (
            Decimal(row["price"]["S"]) >= threshold if direction == "above" else Decimal(row["price"]["S"]) <= threshold
        )
    }
    for start in range(0, len(rows), 10):
        batch = rows[start : start + 10] + generator.sample(rows[: start + 10], 2)
        generator.shuffle(batch)
        world.stream(batch)
    world.deliver_notifications()
    world.deliver_notifications()
    assert collections.Counter(number for number, _ in stack.sms()) == dict.fromkeys(expected, 1)
    assert 10 < len(expected) < 50
    assert not world.dead


def slow_calls(handler: Any, clock: Clock, call_s: float) -> None:
    """Let every AWS call take that long on the test's clock."""

    def pass_time(**_: object) -> None:
        clock.now += call_s

    for name in ("dynamodb", "sns"):
        if name in handler.namespace:
            handler.namespace[name].meta.events.register("after-call", pass_time)


class Quick:
    """Call moto's updates and deletions directly, because thousands over HTTP take minutes."""

    def __init__(self, client: Any, clock: Clock, call_s: float) -> None:
        self._client, self._clock, self._call_s = client, clock, call_s

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def update_item(self, **request: Any) -> None:
        self._carry_out("update_item", request)

    def batch_write_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
        """Take one call's time for all deletions together."""
        self._clock.now += self._call_s
        for table, requests in RequestItems.items():
            for request in requests:
                key = request["DeleteRequest"]["Key"]
                dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].delete_item(table, key, {}, {}, None)
        return {"UnprocessedItems": {}}

    def _carry_out(self, operation: str, request: dict[str, Any]) -> None:
        """Convert boto3's parameter names to moto's: UpdateExpression becomes update_expression."""
        self._clock.now += self._call_s
        names = {name: re.sub("(?<!^)(?=[A-Z])", "_", name).lower() for name in request}
        given = {"expression_attribute_names": {}, **{names[name]: value for name, value in request.items()}}
        getattr(dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION], operation)(**given)


def test_a_price_that_fires_hundreds_of_alerts_completes_over_several_attempts(stack: Stack) -> None:
    for number in range(400):
        put_directly(stack, f"alert-{number:06d}", Decimal(number % 100))
    clock = Clock()
    handler = stack.load("CheckAlertsFunction", time=clock)
    slow_calls(handler, clock, 0.25)
    handler.namespace["dynamodb"] = Quick(handler.namespace["dynamodb"], clock, 0.25)
    row = {"symbol": {"S": "BTC-USD"}, "observation": {"S": f"{int(clock.now * 1000)}#k#m"}, "price": {"S": "200"}}
    attempts = 0
    failures: list[Any] = [{}]
    while failures and attempts < 20:
        context = TimedContext(clock, 60)
        failures = handler.run({"Records": [stream_record(row)]}, context)["batchItemFailures"]
        assert context.get_remaining_time_in_millis() > 0
        attempts += 1
    assert 2 < attempts < 20
    published = collections.Counter(message["alertId"] for message in stack.notifications())
    assert published == {f"alert-{number:06d}": 1 for number in range(400)}
    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_table(stack.alerts)
    assert [item for item in table.all_items() if "watch" in item.attrs] == []
    assert sum(1 for _ in table.all_items()) == 400


def put_directly(stack: Stack, alert_id: str, threshold: Decimal, symbol: str = "BTC-USD") -> None:
    """Write an armed alert directly to moto, because ten thousand over HTTP take minutes."""
    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_table(stack.alerts)
    table.put_item(
        {
            "userId": {"S": "user-1"},
            "alertId": {"S": alert_id},
            "watch": {"S": f"{symbol}#above"},
            "threshold": {"N": str(threshold)},
            "generation": {"N": "1"},
            "armedAt": {"N": "1"},
        }
    )


def reading_cost(stack: Stack, armed: int, *, without_range: bool = False) -> tuple[int, float]:
    """Return the items read and the read units used for a price that fires three of the armed alerts.

    An eventually consistent query uses half a unit for each 4 KB that it evaluates, rounded up for each page.
    Source: DynamoDB Developer Guide, "Read consistency" and "Capacity unit consumption for read operations".
    """
    for number in range(armed):
        put_directly(stack, f"alert-{number:06d}", Decimal(number if number < 3 else 1_000 + number))
    handler = stack.load("CheckAlertsFunction")
    client, read = handler.namespace["dynamodb"], []

    def drop_range(params: dict[str, Any], **_: object) -> None:
        params["KeyConditionExpression"] = "watch = :watch"

    def count(parsed: dict[str, Any], **_: object) -> None:
        size = sum(len(json.dumps(item)) for item in parsed["Items"])
        read.append((parsed["ScannedCount"], -(-size // 4096) / 2))

    if without_range:
        client.meta.events.register("provide-client-params.dynamodb.Query", drop_range)
    client.meta.events.register("after-call.dynamodb.Query", count)
    row = {"symbol": {"S": "BTC-USD"}, "observation": {"S": f"{int(time.time() * 1000)}#k#m"}, "price": {"S": "10"}}
    assert handler.run({"Records": [stream_record(row)]}, Context())["batchItemFailures"] == []
    assert len(stack.notifications()) == 3 or without_range
    return sum(items for items, _ in read), sum(units for _, units in read)


@pytest.mark.parametrize("armed", [100, 10_000])
def test_a_price_reads_only_the_alerts_it_fires(stack: Stack, armed: int) -> None:
    assert reading_cost(stack, armed) == (3, 0.5)


def test_without_the_range_condition_every_armed_alert_is_read(stack: Stack) -> None:
    items, _ = reading_cost(stack, 100, without_range=True)
    assert items > 3


@pytest.mark.parametrize(("call_s", "fewest_runs", "most_runs"), [(1, 1, 1), (6, 2, 9)])
def test_thousands_of_overdue_prices_are_cleared(stack: Stack, call_s: float, fewest_runs: int, most_runs: int) -> None:
    """With calls of a second in one run, so 50,000 with calls of 50 ms; with slow calls over several runs."""
    clock, prices_table = Clock(), dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_table(stack.prices)
    for number in range(10):
        prices_table.put_item({"symbol": {"S": "#symbols"}, "observation": {"S": f"S{number}-USD"}})
    for number in range(2_500):
        stamp = 1_600_000_000_000 + number
        key = {"symbol": {"S": f"S{number % 10}-USD"}, "observation": {"S": f"{stamp}#k#m"}}
        prices_table.put_item({**key, "price": {"S": "1"}, "ttl": {"N": "1600000000"}})
    kept = {"symbol": {"S": "S0-USD"}, "observation": {"S": f"{int(clock.now * 1000)}#k#m"}, "price": {"S": "1"}}
    prices_table.put_item({**kept, "ttl": {"N": str(int(clock.now) + 86_400)}})
    handler = stack.load("CleanupHistoryFunction", time=clock)
    slow_calls(handler, clock, call_s)
    handler.namespace["dynamodb"] = Quick(handler.namespace["dynamodb"], clock, call_s)
    runs, left = 0, 2_511
    while left > 11 and runs < 10:
        context = TimedContext(clock, 300)
        handler.run({}, context)
        assert context.get_remaining_time_in_millis() > 0
        runs, left = runs + 1, sum(1 for _ in prices_table.all_items())
    assert fewest_runs <= runs <= most_runs
    assert stack.stored()[0]["observation"] == kept["observation"]
    assert {call.operation for call in stack.calls} == {"dynamodb:Query", "dynamodb:Scan"}
