"""The examples of the guide for senders are accepted by the shipped handler."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.docs.pages import blocks
from tests.stack.handlers.harness import Stack, cloud
from tests.stack.handlers.test_sources import FUNCTION, HMAC_SECRET, TEMPLATE, TOKEN, now_iso, post

BLOCKS = blocks(ROOT / "docs/how-to/connect-a-sender.md")


@pytest.fixture
def stack() -> Iterator[Stack]:
    with cloud():
        stack = Stack(TEMPLATE)
        yield stack
        stack.close()


def test_the_message_for_tradingview_is_accepted_once_its_placeholders_are_filled_in(stack: Stack) -> None:
    (message,) = [text for language, text in BLOCKS if language == "json"]
    for placeholder, value in (("TOKEN", TOKEN), ("{{close}}", "64231.50"), ("{{timenow}}", now_iso())):
        assert placeholder in message
        message = message.replace(placeholder, value)
    assert stack.load(FUNCTION).run(post(message))["statusCode"] == 202
    assert [row["price"]["S"] for row in stack.stored()] == ["64231.50"]


def test_the_commands_for_a_signature_make_one_that_is_accepted(stack: Stack) -> None:
    (commands,) = [text for language, text in BLOCKS if language == "sh"]
    script = f"curl() {{ printf '%s\\n' \"$@\"; }}\n{commands}"
    env = {"PATH": os.environ["PATH"], "SECRET": HMAC_SECRET, "URL": "https://example.com/v1/webhooks"}
    done = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True, check=True)
    _, url, _, header, _, body = done.stdout.splitlines()
    assert url == "https://example.com/v1/webhooks/feed"
    name, _, value = header.partition(": ")
    assert stack.load(FUNCTION).run(post(body, "feed", **{name: value}))["statusCode"] == 202
