"""The committed template on the emulator, used over HTTP with an independent client: webhook in, SMS out."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.handlers import json_decode_template_body
from standardwebhooks import Webhook

from generator.cli.local import _demo as show_demonstration
from generator.local import demo, deployment, emulator
from generator.local.deployment import System
from tests.conftest import FIXTURES
from tests.stack.handlers.harness import price
from tests.stack.model import TEXTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with emulator.running("us-east-1") as running:
        yield deployment.deploy(running, TEXTS["dev"])


def post(system: System, body: dict[str, Any], webhook_id: str, **changes: Any) -> tuple[int, dict[str, str]]:
    """Send a signed POST. `changes` replace headers, the time of sending or the secret."""
    raw = json.dumps(body)
    sent_at = datetime.now(UTC) + timedelta(seconds=changes.pop("late_s", 0))
    signature = Webhook(changes.pop("secret", system.secret)).sign(webhook_id, sent_at, raw)
    headers = {
        "Content-Type": "application/json",
        "X-Api-Key": system.api_key,
        "Webhook-Id": webhook_id,
        "Webhook-Timestamp": str(int(sent_at.timestamp())),
        "Webhook-Signature": signature,
        **changes,
    }
    headers = {name: value for name, value in headers.items() if value is not None}
    request = urllib.request.Request(system.url, raw.encode(), headers, method="POST")
    for _ in range(20):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 429:  # The smallest usage plan throttles, so retry.
                return error.code, json.load(error)
            time.sleep(0.2)
    raise AssertionError("still throttled after 20 attempts")


def stored(system: System) -> list[str]:
    rows = system.emulator.client("dynamodb").scan(TableName=system.ids["PriceHistoryTable"])["Items"]
    return [row["observation"]["S"] for row in rows if "price" in row]


def texts(system: System, webhook_id: str, phone_number: str) -> list[str]:
    """Return the SMS to a number whose alert the webhook fires."""
    system.put_alert(webhook_id, "BTC-USD", "above", "64000", phone_number)
    assert post(system, price(price="64231.50"), webhook_id) == (202, {"message": "stored"})
    until = time.monotonic() + 20
    while phone_number not in system.sms() and time.monotonic() < until:
        time.sleep(0.2)
    return system.sms()[phone_number]


def test_the_committed_file_is_deployed_byte_for_byte(system: System) -> None:
    cloudformation = system.emulator.client("cloudformation")
    # Without this, botocore returns the parsed JSON.
    cloudformation.meta.events.unregister("after-call.cloudformation.GetTemplate", json_decode_template_body)
    assert cloudformation.get_template(StackName=deployment.STACK)["TemplateBody"] == TEXTS["dev"]


def test_reservations_are_set(system: System) -> None:
    functions = system.emulator.client("lambda")
    made = functions.get_function_concurrency(FunctionName=system.ids["ProcessWebhookFunction"])
    assert made["ReservedConcurrentExecutions"] == 3


@pytest.mark.slow
def test_a_signed_webhook_sends_an_sms(system: System) -> None:
    (text,) = texts(system, "msg_sms", "+15555550101")
    assert re.fullmatch(
        r"BTC-USD was at 64231\.50 at \d{4}-\d\d-\d\d \d\d:\d\d UTC: above your threshold of 64000", text
    )


NPM_SENDER = """
const { Webhook } = require("standardwebhooks");
const [secret, id, body] = process.argv.slice(1);
const sent = new Date();
const seconds = String(Math.floor(sent.getTime() / 1000));
const signature = new Webhook(secret).sign(id, sent, body);
console.log(JSON.stringify({ "Webhook-Timestamp": seconds, "Webhook-Signature": signature }));
"""


def test_a_request_signed_by_the_npm_library_is_stored_and_a_changed_one_is_refused(system: System) -> None:
    """Runs where node finds the package: `npm install standardwebhooks`, and NODE_PATH names node_modules."""
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    body = price(price="0.25")
    command = ["node", "-e", NPM_SENDER, system.secret, "msg_npm", json.dumps(body)]
    signed = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Cannot find module 'standardwebhooks'" in signed.stderr:
        pytest.skip("node does not find standardwebhooks")
    headers = json.loads(signed.stdout)
    assert post(system, body, "msg_npm", **headers) == (202, {"message": "stored"})
    assert post(system, body, "msg_npm", **headers) == (200, {"message": "already stored"})
    assert post(system, {**body, "price": "0.26"}, "msg_npm", **headers)[0] == 401


def test_a_missing_or_wrong_api_key_is_403(system: System) -> None:
    assert post(system, price(), "msg_key", **{"X-Api-Key": None})[0] == 403
    assert post(system, price(), "msg_key", **{"X-Api-Key": "wrong"})[0] == 403


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"secret": "whsec_" + "QUFB" * 11},
        {"Webhook-Signature": None},
        {"Webhook-Signature": "v1,AAAA"},
        {"late_s": -330},
        {"late_s": 330},
        {"Webhook-Id": None},
    ],
)
def test_a_wrong_missing_or_expired_signature_stores_nothing(system: System, changes: dict[str, Any]) -> None:
    before = stored(system)
    assert post(system, price(), "msg_forged", **changes)[0] == 401
    assert stored(system) == before


def test_a_repeated_webhook_is_stored_once(system: System) -> None:
    body = price(symbol="ETH-USD", price="3100")
    assert [post(system, body, "msg_again")[0] for _ in range(3)] == [202, 200, 200]
    assert sum(observation.endswith("#msg_again") for observation in stored(system)) == 1
    assert post(system, {**body, "price": "3101"}, "msg_again")[0] == 409


@pytest.mark.slow
def test_after_a_rotation_both_secrets_are_accepted(system: System) -> None:
    secrets = system.emulator.client("secretsmanager")
    old, new = system.secret, "N1e2W3s4E5c6R7e8T9a0B1c2D3e4F5g6H7i8J9k0L1m2"
    assert post(system, price(), "msg_before")[0] == 202
    time.sleep(11)  # After a mismatch the handler reads the secret again at most once in 10 s.
    secrets.put_secret_value(SecretId=system.ids["SigningSecret"], SecretString=new)
    try:
        assert post(system, price(), "msg_new", secret=new)[0] == 202
        assert post(system, price(), "msg_old", secret=old)[0] == 202
    finally:
        system.secret = new


def test_wrong_content_is_reported(system: System) -> None:
    status, answer = post(system, price(price="NaN"), "msg_nan")
    assert (status, answer["message"]) == (
        422,
        "price must be a string such as 64231.50: positive, with at most 38 digits",
    )


def test_events_contain_no_payload(system: System) -> None:
    assert texts(system, "msg_told", "+15555550102")
    system._read.clear()
    events = system.new_events()
    assert {kind for kind, _ in events} >= {"webhook", "price checked", "notification"}
    assert not [line for _, line in events if "64231" in json.dumps(line) or "+1555" in json.dumps(line)]


@pytest.mark.slow
def test_the_demonstration_ends_with_every_expected_sms() -> None:
    """It works in any locale, even in C."""
    command = [sys.executable, "-m", "generator", "local", "dev", "--demo"]
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(command, cwd=FIXTURES, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shown, _, replayed = done.stdout.partition("\n\nThe next notification fails")
    messages, _, rows = shown.rpartition("\n\n")
    table = dict(line.rsplit(maxsplit=1) for line in rows.splitlines() if not line.endswith("ms"))
    assert messages.count(" your threshold of ") == int(table["SMS delivered"])
    assert table["Prices sent"] == table["Prices stored"] == str(demo.PRICES)
    assert int(table["SMS delivered"]) == int(table["Alerts expected to fire"]) > 0
    assert table["SMS missing"] == table["SMS unexpected"] == "0"
    assert re.search(r"^state +fired\n", replayed, re.M)
    assert "replayed   notification: demo/replayed, LINK-USD above\n" in replayed
    assert re.search(r"\nLINK-USD was at 2\.15 at .* UTC: above your threshold of 2\n$", replayed)
    assert "+1555" not in replayed.replace("--phone-number +15555559999", "")


def test_a_missing_sms_fails_the_demonstration(system: System) -> None:
    expected = {"+15555550000", "+15555550001"}
    result = demo.DemoResult(60, [], 12, expected, {"+15555550001": ["BTC-USD was at 1"]}, [100])
    assert not result.passed
    assert re.search(r"^SMS missing +1$", demo.as_table(result), re.M)


@pytest.mark.slow
def test_a_refused_price_fails_the_demonstration_with_the_reason(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "PRICES", 2)
    monkeypatch.setattr(deployment, "SMS_TIMEOUT_S", 0)
    with pytest.raises(SystemExit) as ended:
        show_demonstration(replace(system, secret="QUFB" * 11))
    shown = capsys.readouterr()
    assert ended.value.code == 1
    assert re.search(r"^Prices stored +0$", shown.out, re.M)
    assert 'a price was not stored: 401 {"message": ' in shown.err
