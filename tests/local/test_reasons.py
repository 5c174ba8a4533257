"""The live view names the reason why a webhook was refused or an alert did not fire."""

from __future__ import annotations

from typing import Any

import pytest

from generator.local import reasons
from generator.stack import alerts

NOW_MS = 1_700_000_000_000


def price(value: str = "64000", **more: Any) -> dict[str, Any]:
    return {"symbol": {"S": "BTC-USD"}, "price": {"S": value}, "observation": {"S": f"{NOW_MS}#me#1"}, **more}


def alert(direction: str = "above", threshold: str = "65000", armed_at_ms: int = 0, **more: Any) -> alerts.Alert:
    armed = alerts.arming("BTC-USD", direction, threshold, armed_at_ms)
    return alerts.read({**alerts.key("me", "first"), **armed, "phoneNumber": {"S": "+15555550100"}, **more})


def fired() -> alerts.Alert:
    item = {**alerts.key("me", "first"), **alerts.arming("BTC-USD", "above", "1", 0)}
    return alerts.read({name: value for name, value in item.items() if name not in ("watch", "threshold")})


@pytest.mark.parametrize(
    ("stored", "known", "lines"),
    [
        (price(), [], ["BTC-USD 64000 fires no alert: none watches BTC-USD"]),
        (price(), [alert()], ["BTC-USD 64000 does not fire me first: it waits for 65000 or more"]),
        (price(), [alert("below", "63000")], ["BTC-USD 64000 does not fire me first: it waits for 63000 or less"]),
        (price("65000"), [alert()], []),
        (
            price("66000"),
            [alert(armed_at_ms=NOW_MS + 1)],
            ["BTC-USD 66000 does not fire me first: it was armed after the time of the price"],
        ),
        (price(), [fired()], ["BTC-USD 64000 does not fire me first: it is fired, and fires again once it is rearmed"]),
        (
            price(stale={"BOOL": True}),
            [alert()],
            ["BTC-USD 64000 fires no alert: it was too old when it was accepted (traffic.max_price_age_s)"],
        ),
        (
            price(),
            [alert(armedAt={"N": str(10**13)})],
            ["BTC-USD 64000 does not fire me first: armedAt is not a number of milliseconds"],
        ),
    ],
)
def test_a_price_that_fires_no_alert_has_a_reason(stored: Any, known: list[alerts.Alert], lines: list[str]) -> None:
    assert list(reasons.silence(stored, known)) == lines


def test_only_a_few_alerts_are_explained() -> None:
    lines = list(reasons.silence(price(), [alert()] * 7))
    assert (len(lines), lines[-1]) == (6, "BTC-USD: 2 more alerts watch it")


def test_a_refused_webhook_has_a_reason() -> None:
    assert reasons.refusal("202") == ""
    assert reasons.refusal("401") == "the signature, its time or the token is wrong"  # of any scheme
    assert reasons.refusal("AccessDeniedException").endswith("a call of it failed: AccessDeniedException")
