"""The sources of a template on the emulator: TradingView by token, and a sender by HMAC, with the printed commands."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from generator import plans
from generator.capacity.quota import Plan
from generator.capacity.sizing import size
from generator.local import demo, deployment, emulator
from generator.local.deployment import System
from generator.local.senders import Sender
from tests.conftest import environment_of

SOURCES = 'sources=[{name="tradingview", scheme="token", rate_per_s=20}, {name="feed", scheme="hmac", rate_per_s=20}]'


def post(url: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
    request = urllib.request.Request(url, body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)["message"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["message"]


def stored(system: System) -> list[tuple[str, str]]:
    """Return the source and the price of every stored item."""
    rows = system.emulator.client("dynamodb").scan(TableName=system.ids["PriceHistoryTable"])["Items"]
    return sorted((row["observation"]["S"].split("#")[1], row["price"]["S"]) for row in rows if "price" in row)


@pytest.mark.slow
def test_tradingview_and_an_hmac_sender_reach_an_sms_and_nobody_else_stores_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment = environment_of("dev", SOURCES, 'deployment.upload_bucket="bucket"')
    with emulator.running("us-east-1") as running:
        system = deployment.deploy(running, plans.render(Plan(environment, size(environment))))
        token, signed = system.senders
        assert (token.name, token.scheme, signed.name, signed.header) == ("tradingview", "token", "feed", "X-Signature")
        refuse_forgeries(token, signed)
        assert stored(system) == []
        send_like_tradingview(system, token)
        send_as_printed(system)
        monkeypatch.setattr(demo, "PRICES", 21)  # The time of TradingView's price must be later than the arming.
        outcome = demo.run(system, list)
        assert (outcome.passed, outcome.prices_sent, len(outcome.requests)) == (True, 23, 2)
        texts = [text for texts in outcome.delivered.values() for text in texts]
        assert sum(text.startswith(("XRP-USD was at 0.5120", "ADA-USD was at 0.5120")) for text in texts) == 2
        assert '"token": "..."' in outcome.requests[0]
        shown = demo.as_table(outcome) + json.dumps(system_log(system))
        assert not any(sender.secret in shown for sender in system.senders)


def refuse_forgeries(token: Sender, signed: Sender) -> None:
    body, text = token.alert("BTC-USD", "1"), {"content-type": "text/plain"}
    assert post(token.url, body.replace(token.secret, signed.secret), text) == (401, "token does not match")
    assert post(signed.url, body, text)[0] == 401
    assert post(signed.url, body, {**signed.headers(body + " "), **text}) == (401, "X-Signature does not match")
    stale = {**text, "X-Signature": signed._signature(body, int(time.time()) - 301)}
    assert post(signed.url, body, stale)[0] == 401
    assert post(token.url, "BTC crossed 64000", text) == (400, "body must be valid JSON")


def send_like_tradingview(system: System, token: Sender) -> None:
    body = token.alert("BTC-USD", "64231.50")
    for content_type, answer in (("application/json", (202, "stored")), ("text/plain", (200, "already stored"))):
        assert post(token.url, body, {"content-type": f"{content_type}; charset=utf-8"}) == answer
    assert stored(system) == [("tradingview", "64231.50")]


def send_as_printed(system: System) -> None:
    env = {**os.environ, "NO_PROXY": "127.0.0.1"}
    time.sleep(1)  # Otherwise the printed price may have the time of the one before, which makes it a repeat.
    for sender in system.senders:
        done = subprocess.run(["bash", "-c", sender.commands()], env=env, capture_output=True, text=True, check=False)
        assert '{"message": "stored"}' in done.stdout, done.stdout + done.stderr
    assert stored(system) == [("feed", "64231.50"), *[("tradingview", "64231.50")] * 2]


def system_log(system: System) -> list[object]:
    system._read.clear()
    return [line for _, line in system.new_events()]
