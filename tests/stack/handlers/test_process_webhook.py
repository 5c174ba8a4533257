"""ProcessWebhookFunction: stored prices, refused webhooks and their answers."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from tests.stack.handlers.harness import Stack, price, webhook

pytestmark = pytest.mark.slow

FUNCTION = "ProcessWebhookFunction"


def answer(stack: Stack, event: dict[str, Any]) -> tuple[int, str]:
    response = stack.load(FUNCTION).run(event)
    return response["statusCode"], json.loads(response["body"])["message"]


def test_a_signed_price_is_stored_character_for_character(stack: Stack) -> None:
    body = price(price="64231.500")
    assert answer(stack, webhook(body)) == (202, "stored")
    (row,) = stack.stored()
    assert row["symbol"] == {"S": "BTC-USD"}
    assert row["price"] == {"S": "64231.500"}
    assert row["observation"] == {"S": f"{body['timestamp']}#kraken#msg_1"}
    assert row["ttl"] == {"N": str(int(body["timestamp"]) // 1000 + 30 * 86_400)}  # type: ignore[call-overload]


def test_the_same_webhook_again_is_stored_once(stack: Stack) -> None:
    event = webhook(price())
    handler = stack.load(FUNCTION)
    assert [handler.run(event)["statusCode"] for _ in range(3)] == [202, 200, 200]
    assert len(stack.stored()) == 1


def test_another_body_with_the_same_key_is_a_conflict(stack: Stack) -> None:
    body = price()
    assert answer(stack, webhook(body))[0] == 202
    assert answer(stack, webhook({**body, "price": "1"})) == (409, "webhook-id was already used with another body")
    assert [row["price"]["S"] for row in stack.stored()] == ["64231.50"]


def test_two_webhooks_of_the_same_moment_are_both_stored(stack: Stack) -> None:
    body = price()
    assert answer(stack, webhook(body, "msg_1"))[0] == 202
    assert answer(stack, webhook(body, "msg_2"))[0] == 202
    assert len(stack.stored()) == 2


def test_a_base64_body_is_decoded_before_its_signature_is_checked(stack: Stack) -> None:
    event = webhook(price())
    event.update(body=base64.b64encode(event["body"].encode()).decode(), isBase64Encoded=True)
    assert answer(stack, event)[0] == 202
    assert answer(stack, {**event, "body": "no base64!"}) == (400, "body must be valid base64")


@pytest.mark.parametrize("headers", [{}, None, {"webhook-id": None}])
def test_a_webhook_without_headers_is_not_authenticated(stack: Stack, headers: object) -> None:
    assert answer(stack, {**webhook(price()), "headers": headers})[0] == 401
    assert stack.stored() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"secret": base64.b64encode(b"x" * 33).decode()}, "webhook-signature does not match"),
        ({"late_s": 301}, "webhook-timestamp must be within 5 minutes of now"),
        ({"late_s": -330}, "webhook-timestamp must be within 5 minutes of now"),
        ({"sent_at": "soon"}, "webhook-timestamp must be within 5 minutes of now"),
        ({"webhook_id": ""}, "webhook-id must have 1 to 128 printable ASCII characters"),
    ],
)
def test_a_wrong_expired_or_missing_signature_is_401(stack: Stack, changes: dict[str, Any], message: str) -> None:
    if "late_s" in changes:
        changes = {"sent_at": int(time.time()) - changes["late_s"]}
    assert answer(stack, webhook(price(), **changes)) == (401, message)
    assert stack.stored() == []


def test_a_changed_body_does_not_match_its_signature(stack: Stack) -> None:
    event = webhook(price())
    event["body"] = event["body"].replace("64231", "74231")
    assert answer(stack, event) == (401, "webhook-signature does not match")


NODE_SIGNATURES = {
    '{"symbol":"BTC-USD","price":"64231.50","timestamp":1767225600000,"source":"kraken"}': (
        "v1,e+J/pOyOdk5TdRPlBO1MyGbwL7A+yHVwY7hofNNZSVo="
    ),
    '{"symbol":"ETH-USD","price":"3100","timestamp":1767225599000,"source":"node","note":"\u00e9\u20ac\U0001f600"}': (
        "v1,RLdPmXOaCXSXFpFagt96vjWUjYFw3dKDyRXf/4NwyCk="
    ),
}
"""Bodies signed by version 1.1.1 of the npm package standardwebhooks: new Webhook(SECRET_TEXT).sign(id, time, body)."""


def test_signatures_of_another_library_in_another_language_are_accepted(stack: Stack) -> None:
    clock = type("Clock", (), {"time": staticmethod(lambda: 1_767_225_700.0)})
    handler = stack.load(FUNCTION, time=clock)
    ids = ["msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", "msg_unot"]
    for webhook_id, (body, signature) in zip(ids, NODE_SIGNATURES.items(), strict=True):
        headers = {"webhook-id": webhook_id, "webhook-timestamp": "1767225615", "webhook-signature": signature}
        event = {"headers": headers, "body": body, "isBase64Encoded": False}
        assert handler.run(event)["statusCode"] == 202
        assert handler.run({**event, "body": body.replace("3", "4")})["statusCode"] == 401


def test_one_valid_signature_of_several_is_enough(stack: Stack) -> None:
    event = webhook(price())
    event["headers"]["Webhook-Signature"] = "v1,AAAA " + event["headers"]["Webhook-Signature"] + " v2,BBBB"
    assert answer(stack, event)[0] == 202


@pytest.mark.parametrize("body", ["", "{", "[" * 100_000, "\ufeff{}", '{"timestamp": ' + "9" * 5000 + "}"])
def test_a_body_that_is_not_json_is_400(stack: Stack, body: str) -> None:
    assert answer(stack, webhook(body)) == (400, "body must be valid JSON")


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "NaN"])
def test_json_that_is_not_an_object_is_422(stack: Stack, body: str) -> None:
    assert answer(stack, webhook(body)) == (422, "body must be a JSON object")


PRICE = "price must be a string such as 64231.50: positive, with at most 38 digits"
SYMBOL = "symbol must look like BTC-USD"
SOURCE = "source must have 1 to 32 characters: a-z, 0-9, dot, dash or underscore"
TIMESTAMP = "timestamp must be in milliseconds, not past retention and at most 5 minutes ahead"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *[({"price": value}, PRICE) for value in (64231.5, None, "", "0", "-1", "NaN", "Infinity", "1e126", "1e-131")],
        *[
            ({"price": value}, PRICE)
            for value in ("9" * 39, "1_000", " 1", "1\n", "\u0661", "1" + "0" * 200, "..", "+1")
        ],
        ({"price": []}, PRICE),
        *[({"symbol": value}, SYMBOL) for value in ("BTC", "btc-usd", "#symbols", "A-B\n", 1, None, "A" * 16 + "-B")],
        *[({"source": value}, SOURCE) for value in ("", "Kraken", "a#b", 5, None, "x" * 33)],
        *[({"timestamp": value}, TIMESTAMP) for value in ("1767225600000", 1.5, True, None, 0, -1, 10**400)],
    ],
)
def test_wrong_content_is_422_with_the_reason(stack: Stack, change: dict[str, Any], message: str) -> None:
    assert answer(stack, webhook(price(**change))) == (422, message)
    assert stack.stored() == []


@pytest.mark.parametrize(("off_ms", "status"), [(420_000, 422), (240_000, 202), (-60_000, 202)])
def test_a_time_too_far_ahead_is_422(stack: Stack, off_ms: int, status: int) -> None:
    assert answer(stack, webhook(price(timestamp=int(time.time() * 1000) + off_ms)))[0] == status


@pytest.mark.parametrize(("off_ms", "status"), [(-60_000, 422), (60_000, 202)])
def test_a_time_past_retention_is_422(stack: Stack, off_ms: int, status: int) -> None:
    stamp = int(time.time() * 1000) - 30 * 86_400_000 + off_ms
    assert answer(stack, webhook(price(timestamp=stamp)))[0] == status


def test_every_fault_of_a_body_is_reported_at_once(stack: Stack) -> None:
    assert answer(stack, webhook({})) == (422, f"{SYMBOL}; {SOURCE}; {TIMESTAMP}; {PRICE}")


@pytest.mark.parametrize("value", ["9" * 38, "1e125", "1e-130", "0.00000001", "1E+3", "0001.50"])
def test_any_price_that_fits_a_dynamodb_number_is_accepted(stack: Stack, value: str) -> None:
    assert answer(stack, webhook(price(price=value)))[0] == 202
    assert stack.stored()[0]["price"] == {"S": value}


@pytest.mark.parametrize(
    ("age_s", "message"), [(290, "stored"), (310, "stored, but too old to fire alerts"), (-200, "stored")]
)
def test_a_price_is_marked_stale_if_it_is_too_old_when_accepted(
    stack: Stack, capsys: pytest.CaptureFixture[str], age_s: int, message: str
) -> None:
    assert answer(stack, webhook(price(timestamp=int((time.time() - age_s) * 1000)))) == (202, message)
    (row,) = stack.stored()
    assert ("stale" in row) == (message != "stored")
    line = json.loads(capsys.readouterr().out)
    assert (line["Stored"], line["Fresh"]) == (1, int(message == "stored"))


def test_each_symbol_is_listed_for_cleanup(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    for number, symbol in enumerate(["BTC-USD", "ETH-USD", "BTC-USD"]):
        assert handler.run(webhook(price(symbol=symbol), f"msg_{number}"))["statusCode"] == 202
    key = {":symbol": {"S": "#symbols"}}
    rows = stack.dynamodb.query(
        TableName=stack.prices, KeyConditionExpression="symbol = :symbol", ExpressionAttributeValues=key
    )["Items"]
    assert [row["observation"]["S"] for row in rows] == ["BTC-USD", "ETH-USD"]


def test_an_unavailable_table_is_503_with_retry_after(stack: Stack) -> None:
    handler = stack.load(FUNCTION)
    stack.dynamodb.delete_table(TableName=stack.prices)
    response = handler.run(webhook(price()))
    assert response["statusCode"] == 503
    assert response["headers"] == {"Retry-After": "5"}


def test_the_log_has_one_line_without_payload(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.load(FUNCTION).run(webhook(price(price="64231.987")))
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["outcome"] == 202
    assert json.loads(line)["id"] == "request-1"
    assert "64231.987" not in line
    assert "BTC" not in line
