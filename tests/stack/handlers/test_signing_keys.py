"""ProcessWebhookFunction's keys: an outage of Secrets Manager, and the ways in which tools write a key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from tests.stack.handlers.clock import Clock
from tests.stack.handlers.harness import SECRET_TEXT, Stack, price, webhook

pytestmark = pytest.mark.slow

NEW_SECRET = "N1e2W3s4E5c6R7e8T9a0B1c2D3e4F5g6H7i8J9k0L1m2"
WRONG_SECRET = "QUFB" * 11
DAY_S = 86_400


class Sender:
    """One warm instance of the handler on a clock that tests move, and the answers that a sender gets from it."""

    def __init__(self, stack: Stack) -> None:
        self.clock = Clock()
        self.handler = stack.load("ProcessWebhookFunction", time=self.clock)
        self._fails: list[tuple[str, int]] = []
        events = self.handler.namespace["secrets"].meta.events
        events.register("before-call.secrets-manager.GetSecretValue", self._fail)

    def statuses(self, waits_s: Iterable[float], secret: str = SECRET_TEXT) -> list[int]:
        """Return the status of a webhook after each wait."""
        found = []
        for wait_s in waits_s:
            self.clock.now += wait_s
            now = self.clock.now
            body = price(timestamp=int(now * 1000))
            event = webhook(body, f"msg_{now}", secret=secret, sent_at=int(now))
            found.append(self.handler.run(event)["statusCode"])
        return found

    def fail(self, code: str = "", status: int = 0) -> None:
        """Let Secrets Manager answer with an error from now on, or time out."""
        self._fails = [(code, status)]

    def recover(self) -> None:
        self._fails = []

    def _fail(self, **_: Any) -> None:
        for code, status in self._fails:
            if not code:
                raise ConnectTimeoutError(endpoint_url="https://secrets")
            answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
            raise ClientError(answer, "GetSecretValue")


@pytest.fixture
def sender(stack: Stack) -> Sender:
    """Return a sender whose instance has read the keys."""
    sender = Sender(stack)
    assert sender.statuses([0]) == [202]
    return sender


def put_secret(text: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="SigningSecret", SecretString=text)


@pytest.mark.parametrize("error", [("", 0), ("ThrottlingException", 400), ("InternalServiceError", 500)])
def test_cached_keys_bridge_an_outage_for_a_day(sender: Sender, error: tuple[str, int]) -> None:
    sender.fail(*error)
    assert sender.statuses([301, 3600, DAY_S - 4_000]) == [202] * 3
    assert sender.statuses([200]) == [503]
    sender.recover()
    assert sender.statuses([31]) == [202]


def test_during_an_outage_the_secret_is_tried_at_most_every_30_s(sender: Sender, stack: Stack) -> None:
    sender.fail()
    stack.calls.clear()
    assert sender.statuses([301, *[1] * 59]) == [202] * 60
    assert [call.operation for call in stack.calls].count("secretsmanager:GetSecretValue") == 2
    assert sender.handler.namespace["secrets"].meta.config.retries["total_max_attempts"] == 1


def test_a_cold_instance_cannot_bridge_an_outage(stack: Stack) -> None:
    sender = Sender(stack)
    sender.fail()
    assert sender.statuses([0]) == [503]
    sender.recover()
    assert sender.statuses([1]) == [202]


@pytest.mark.parametrize("code", ["AccessDeniedException", "DecryptionFailure", "InvalidRequestException"])
def test_a_refusal_by_secrets_manager_is_503_despite_cached_keys(sender: Sender, code: str) -> None:
    """Somebody has withdrawn the secret, so the keys in memory must not outlive it."""
    sender.fail(code, 400)
    assert sender.statuses([301, 31]) == [503, 503]


def test_a_missing_secret_is_503_despite_cached_keys(sender: Sender) -> None:
    boto3.client("secretsmanager").delete_secret(SecretId="SigningSecret", ForceDeleteWithoutRecovery=True)
    assert sender.statuses([301, 31]) == [503, 503]


def test_a_signature_that_no_cached_key_matches_is_503_during_an_outage(sender: Sender) -> None:
    """It may be of a key that was put shortly before the outage. A 401 would make its sender give up."""
    sender.fail()
    assert sender.statuses([301], secret=WRONG_SECRET) == [503]
    sender.recover()
    assert sender.statuses([31], secret=WRONG_SECRET) == [401]


def test_an_old_key_expires_during_an_outage_too(stack: Stack) -> None:
    sender = Sender(stack)
    put_secret(NEW_SECRET)
    assert sender.statuses([3600]) == [202]
    sender.fail()
    assert sender.statuses([DAY_S - 3_700]) == [202]
    assert sender.statuses([200]) == [503]
    assert sender.statuses([0], secret=NEW_SECRET) == [202]


RAW_KEY = bytes(range(200, 249))
TEXT = base64.b64encode(RAW_KEY).decode()
WRITTEN = {
    "trailing newline": TEXT + "\n",
    "line breaks": TEXT[:40] + "\r\n" + TEXT[40:],
    "no padding": TEXT.rstrip("="),
    "URL-safe": base64.urlsafe_b64encode(RAW_KEY).decode(),
    "URL-safe without padding": base64.urlsafe_b64encode(RAW_KEY).decode().rstrip("="),
    "with prefix": "whsec_" + TEXT,
}


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_keys_are_accepted_as_base64_tools_write_them(stack: Stack, text: str) -> None:
    put_secret(text)
    assert Sender(stack).statuses([0], secret=TEXT) == [202]


def test_an_unusable_key_is_named_in_the_log_without_its_value(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    put_secret("hello-operator")
    assert Sender(stack).statuses([0]) == [202]
    first, *_ = capsys.readouterr().out.splitlines()
    assert json.loads(first) == {"outcome": "unusable key: AWSCURRENT is not base64 of at least 24 bytes"}
