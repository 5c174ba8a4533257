"""ProcessWebhookFunction with [[sources]]: requests by token and by HMAC, against the shipped text."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import string
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from tests.conftest import SCALE
from tests.stack.handlers.harness import SECRET_TEXT, Stack, cloud, price, secret_of, webhook
from tests.stack.model import generated

pytestmark = pytest.mark.slow

FUNCTION = "ProcessWebhookFunction"
TEMPLATE = generated(
    "dev",
    'sources=[{name="tradingview", scheme="token", rate_per_s=5}, {name="feed", scheme="hmac", rate_per_s=20}, '
    '{name="other", scheme="token", rate_per_s=1}]',
)
TOKEN, OTHER_TOKEN = secret_of("TradingviewSourceSecret"), secret_of("OtherSourceSecret")
HMAC_SECRET = secret_of("FeedSourceSecret")

NO_TOKEN = (401, "token does not match")
NO_SIGNATURE = (401, "X-Signature does not match")
NO_TIME = (401, "X-Signature must be t=SECONDS,v1=HEX with a time within 5 minutes of now")

Request = dict[str, Any]


@pytest.fixture
def stack() -> Iterator[Stack]:
    with cloud():
        stack = Stack(TEMPLATE)
        yield stack
        stack.close()


def answer(stack: Stack, event: Request) -> tuple[int, str]:
    response = stack.load(FUNCTION).run(event)
    return response["statusCode"], json.loads(response["body"])["message"]


def now_iso() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def alert(price_text: str = "64231.50", **changes: str) -> str:
    """Return the body that TradingView makes of the message in the how-to."""
    fields = {"token": json.dumps(TOKEN), "symbol": '"BTC-USD"', "price": price_text, "timestamp": f'"{now_iso()}"'}
    return "{" + ", ".join(f'"{name}": {text}' for name, text in {**fields, **changes}.items() if text) + "}"


def post(body: str | None, source: str = "tradingview", **headers: str) -> Request:
    """Return the event that API Gateway makes of a request to a source's path."""
    resource = f"/webhooks/{source}"
    return {"resource": resource, "path": f"/v1{resource}", "headers": headers, "body": body, "isBase64Encoded": False}


def signature(body: str, secret: str = HMAC_SECRET, late_s: float = 0) -> str:
    sent_at = int(time.time() - late_s)
    return f"t={sent_at},v1={hmac.new(secret.encode(), f'{sent_at}.{body}'.encode(), hashlib.sha256).hexdigest()}"


def signed(body: str, **changes: Any) -> Request:
    """Return the event of a request to the source with the scheme hmac."""
    return post(body, "feed", **{"x-signature": signature(body, **changes)})


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain; charset=utf-8"])
def test_an_alert_of_tradingview_is_stored_with_the_digits_as_sent(stack: Stack, content_type: str) -> None:
    body = alert("64231.500")
    event = post(body, **{"Content-Type": content_type, "User-Agent": "Go-http-client/1.1"})
    assert answer(stack, event) == (202, "stored")
    (row,) = stack.stored()
    assert row["price"] == {"S": "64231.500"}
    stamp, source, event_id = row["observation"]["S"].split("#")
    assert abs(int(stamp) / 1000 - time.time()) < 5
    assert (source, event_id) == ("tradingview", hashlib.sha256(body.encode()).hexdigest())


def test_a_price_is_a_number_or_a_text_and_never_a_float(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    for written in ("64231", '"64231.10"', "0.1", "1.10E+3", "1e-7", "0.30000000000000000001"):
        assert handler.run(post(alert(written)))["statusCode"] == 202
        assert written.strip('"') in {row["price"]["S"] for row in stack.stored()}


def test_a_time_is_iso_8601_with_a_zone_or_milliseconds(stack: Stack) -> None:
    clock = type("Clock", (), {"time": staticmethod(lambda: 1_767_225_615.0)})
    handler = stack.load(FUNCTION, time=clock)
    good = ["2026-01-01T00:00:10Z", "2026-01-01T01:00:10+01:00", "20260101T000010.000Z", "2025-12-31 23:30:10-00:30"]
    for written in (*good, 1_767_225_610_000):
        assert handler.run(post(alert(timestamp=json.dumps(written))))["statusCode"] == 202, written
    assert {row["observation"]["S"].split("#")[0] for row in stack.stored()} == {"1767225610000"}
    for wrong in ('"2026-01-01T00:00:10"', '"2026-01-01"', '"now"', "1.5", "null", "true", "[]", '"1"'):
        response = handler.run(post(alert(timestamp=wrong)))
        assert response["statusCode"] == 422, wrong
        assert json.loads(response["body"])["message"].startswith("timestamp must be "), wrong


def test_wrong_content_is_422_with_the_reason_and_stores_nothing(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    prices = [("price", text) for text in ("NaN", "-1", "true", "1e999", '""', "[1]", "9" * 39)]
    for name, text in (*prices, ("symbol", '"BTCUSD"'), ("symbol", "1.5")):
        response = handler.run(post(alert(**{"price_text" if name == "price" else name: text})))
        assert response["statusCode"] == 422, text
        assert json.loads(response["body"])["message"].startswith(f"{name} must "), text
    assert stack.stored() == []


def test_the_source_comes_from_the_path_whatever_the_body_states(stack: Stack) -> None:
    assert answer(stack, post(alert(source='"kraken"')))[0] == 202
    assert stack.stored()[0]["observation"]["S"].split("#")[1] == "tradingview"


def test_a_repeat_is_stored_once(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    for event in (post(alert()), signed(alert())):
        assert [handler.run(event)["statusCode"] for _ in range(3)] == [202, 200, 200]
    assert len(stack.stored()) == 2


def test_a_wrong_or_missing_token_is_401_and_stores_nothing(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    tokens: tuple[object, ...] = ("", "x", 5, None, {}, True, OTHER_TOKEN, HMAC_SECRET, TOKEN[:-1], TOKEN.swapcase())
    for wrong in tokens:
        response = handler.run(post(alert(token=wrong if wrong == "" else json.dumps(wrong))))
        assert (response["statusCode"], json.loads(response["body"])["message"]) == NO_TOKEN, wrong
    assert stack.stored() == []


def test_a_wrong_expired_or_missing_hmac_is_401_and_stores_nothing(stack: Stack) -> None:
    handler, body = stack.load(FUNCTION), alert()
    zeros = "0" * 64
    cases = [
        (signature(body, TOKEN), NO_SIGNATURE),
        (signature(body + " "), NO_SIGNATURE),
        (signature(body, late_s=301), NO_TIME),
        (signature(body, late_s=-330), NO_TIME),
        *((header, NO_TIME) for header in ("", f"t=1,v1={zeros}", f"t=soon,v1={zeros}", f"v1={zeros}", "sha256=00")),
    ]
    for header, expected in cases:
        response = handler.run(post(body, "feed", **{"X-Signature": header}))
        assert (response["statusCode"], json.loads(response["body"])["message"]) == expected, header
    assert stack.stored() == []
    assert handler.run(signed(body, late_s=290))["statusCode"] == 202


def test_one_valid_hmac_of_several_is_enough(stack: Stack) -> None:
    event = signed(alert())
    event["headers"]["x-signature"] = event["headers"]["x-signature"].replace(",v1=", f",v1={'0' * 64},v1=")
    assert answer(stack, event)[0] == 202


def test_a_stale_replay_of_a_standard_webhook_is_refused_beside_sources(stack: Stack) -> None:
    late = {**webhook(price(), sent_at=int(time.time()) - 301), "resource": "/webhooks"}
    assert answer(stack, late)[0] == 401
    assert answer(stack, {**webhook(price()), "resource": "/webhooks"}) == (202, "stored")
    (row,) = stack.stored()
    assert row["observation"]["S"].split("#")[1:] == ["kraken", "msg_1"]


def test_the_secret_of_one_source_opens_no_other_path(stack: Stack) -> None:
    assert answer(stack, post(alert(), "other")) == NO_TOKEN
    assert answer(stack, post(alert(token=json.dumps(OTHER_TOKEN)), "other"))[0] == 202
    assert answer(stack, {**webhook(price(), secret=TOKEN), "resource": "/webhooks"})[0] == 401


def test_each_secret_is_rotated_alone_and_the_old_one_works_for_a_day(stack: Stack) -> None:
    new = "N1e2W3s4E5c6R7e8T9a0B1c2D3e4F5g6H7i8J9k0L1m2"
    boto3.client("secretsmanager").put_secret_value(SecretId=stack.ids["TradingviewSourceSecret"], SecretString=new)
    bodies = [alert(str(number), token=json.dumps(token)) for number, token in enumerate((new, TOKEN), 1)]
    assert [answer(stack, post(body))[0] for body in bodies] == [202, 202]
    assert answer(stack, post(alert(token=json.dumps(OTHER_TOKEN)), "other"))[0] == 202
    clock = type("Clock", (), {"time": staticmethod(lambda: time.time() + 90_000)})
    later = datetime.fromtimestamp(time.time() + 90_000, UTC).isoformat()
    responses = [
        stack.load(FUNCTION, time=clock).run(post(alert(timestamp=json.dumps(later), token=json.dumps(token))))
        for token in (TOKEN, new)
    ]
    assert [response["statusCode"] for response in responses] == [401, 202]


def test_a_revoked_secret_locks_out_its_source_alone(stack: Stack) -> None:
    boto3.client("secretsmanager").delete_secret(
        SecretId=stack.ids["FeedSourceSecret"], ForceDeleteWithoutRecovery=True
    )
    assert answer(stack, signed(alert())) == (503, "try again")
    assert answer(stack, post(alert()))[0] == 202


def test_a_rotated_token_is_found_without_waiting_for_the_cache(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    assert handler.run(post(alert()))["statusCode"] == 202
    new = "N1e2W3s4E5c6R7e8T9a0B1c2D3e4F5g6H7i8J9k0L1m2"
    boto3.client("secretsmanager").put_secret_value(SecretId=stack.ids["TradingviewSourceSecret"], SecretString=new)
    handler.namespace["time"] = type("Clock", (), {"time": staticmethod(lambda: time.time() + 11)})
    assert handler.run(post(alert(token=json.dumps(new))))["statusCode"] == 202


SPECIFIED = {
    "token": {
        (202, "stored"),
        (202, "stored, but too old to fire alerts"),
        (200, "already stored"),
        (400, "body must be valid JSON"),
        NO_TOKEN,
        (422, "body must be a JSON object"),
    },
    "hmac": {NO_TIME, NO_SIGNATURE},
}
SPECIFIED["hmac"] |= SPECIFIED["token"] - {NO_TOKEN}
SPECIFIED["standard"] = {
    *SPECIFIED["token"] - {NO_TOKEN},
    (400, "body must be valid base64"),
    (401, "webhook-id must have 1 to 128 printable ASCII characters"),
    (401, "webhook-timestamp must be within 5 minutes of now"),
    (401, "webhook-signature does not match"),
    (409, "webhook-id was already used with another body"),
}
FAULTS = ("symbol must", "source must", "timestamp must", "price must")

PIECES = [
    *("null", "true", "NaN", "-Infinity", "1e999", "-0", "0.0", "9" * 400, "9" * 5000, '""', '"\\ud800"', "[]", "{}"),
    *('"9999-12-31T24:00:00Z"', '"0001-01-01T00:00:00+23:59"', '"2026-W01-1T00:00Z"', '"\\u0000"', '"é"', "[" * 5000),
]


def hostile(rng: random.Random, text: str) -> str:
    """Return a body with a value replaced, a part cut out, doubled or overwritten, or none of it valid."""
    kind = rng.randrange(6)
    if kind == 0:
        key = rng.choice(["token", "symbol", "price", "timestamp", "source"])
        return alert(**{"price_text" if key == "price" else key: rng.choice(PIECES)})
    start, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
    junk = "".join(rng.choices(string.printable + "é\ud800\x00", k=rng.randrange(20)))
    return [
        "",
        text[:start] + text[end:],
        text[:end] + text[start:],
        text[:start] + junk + text[end:],
        junk,
        rng.choice(PIECES),
    ][kind]


def hostile_request(rng: random.Random, scheme: str) -> Request:
    if scheme == "standard":
        text = json.dumps(price())
        event = {**webhook(rng.choice([text, hostile(rng, text)]).encode(errors="replace")), "resource": "/webhooks"}
        name = rng.choice(list(event["headers"]))
        was = event["headers"][name]
        event["headers"][name] = rng.choice([was, was, hostile(rng, was), None])
        return event
    body = hostile(rng, alert())
    if scheme == "token":
        return post(body)
    try:
        valid = signature(body)
    except UnicodeEncodeError:
        valid = "t=1"
    return post(body, "feed", **{"X-Signature": rng.choice([valid, valid, hostile(rng, valid)])})


@pytest.mark.parametrize("scheme", ["standard", "token", "hmac"])
def test_hostile_requests_get_only_the_specified_answers_and_leak_nothing(
    stack: Stack, capsys: pytest.CaptureFixture[str], scheme: str
) -> None:
    rng, handler = random.Random(7), stack.load(FUNCTION)
    seen: Counter[int] = Counter()
    for _ in range(100 * SCALE):
        event = hostile_request(rng, scheme)
        event |= rng.choice([{"headers": None}, {"body": None}]) if rng.random() < 0.05 else {}
        response = handler.run(event)
        status, message = response["statusCode"], json.loads(response["body"])["message"]
        has_faults = status == 422 and all(fault.startswith(FAULTS) for fault in message.split("; "))
        assert has_faults or (status, message) in SPECIFIED[scheme], event
        seen[status] += 1
    logged = capsys.readouterr().out
    assert len(logged.splitlines()) == 100 * SCALE
    assert not any(secret in logged for secret in (TOKEN, HMAC_SECRET, SECRET_TEXT, "BTC-USD", "64231"))
    assert seen.keys() >= {202, 400, 401, 422}


def test_a_token_is_neither_stored_nor_logged(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    for body in (alert(), alert(token=json.dumps(OTHER_TOKEN)), alert("-1"), TOKEN):
        answer(stack, post(body))
    rows = json.dumps(stack._scan(stack.prices))
    output = "".join(capsys.readouterr())
    for secret in (TOKEN, OTHER_TOKEN):
        for form in (secret, base64.b64encode(secret.encode()).decode(), base64.b64decode(secret).hex()):
            assert form not in rows
            assert form not in output


def keys_read(stack: Stack, run: Callable[[], object]) -> list[str]:
    before = len(stack.calls)
    run()
    return [call.parameters["SecretId"] for call in stack.calls[before:] if "Secret" in call.operation]


def test_a_path_reads_only_the_secret_of_its_source(stack: Stack) -> None:
    assert set(keys_read(stack, lambda: answer(stack, post(alert())))) == {stack.ids["TradingviewSourceSecret"]}
    standard = {**webhook(price()), "resource": "/webhooks"}
    assert set(keys_read(stack, lambda: answer(stack, standard))) == {stack.ids["SigningSecret"]}
