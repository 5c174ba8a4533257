"""The verdict of the demonstration: refused prices, and SMS that are missing, unexpected or repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from generator.local.demo import DemoResult


@pytest.mark.parametrize(
    ("refusals", "delivered", "missing", "unexpected", "passed"),
    [
        ([], {"a": ["x"]}, 0, 0, True),
        ([], {}, 1, 0, False),
        ([], {"a": ["x", "y"], "b": ["z"]}, 0, 2, False),
        (["401 wrong signature"], {"a": ["x"]}, 0, 0, False),
    ],
    ids=["as expected", "missing", "repeated and unexpected", "refused"],
)
def test_the_demonstration_passes_only_if_each_expected_sms_arrives_once(
    refusals: Sequence[str], delivered: Mapping[str, Sequence[str]], missing: int, unexpected: int, passed: bool
) -> None:
    result = DemoResult(
        prices_sent=1, refusals=refusals, alerts=1, expected={"a"}, delivered=delivered, latencies_ms=[]
    )
    assert (result.missing, result.unexpected, result.passed) == (missing, unexpected, passed)
