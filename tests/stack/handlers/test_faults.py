"""A fault before and after every AWS call of every handler loses no alert; duplicate SMS occur only where allowed."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.handlers.delivery import FAULTS, POINTS, World
from tests.stack.handlers.harness import Stack, cloud, price

FUNCTIONS = ("ProcessWebhookFunction", "CheckAlertsFunction", "SendNotificationFunction", "CleanupHistoryFunction")
ALERTS = [("above", "1"), ("below", "65000"), ("above", "64000")]
"""Direction and threshold. All fire."""


def run(alerts: int, fault: tuple[str, int, str, str] | None = None) -> tuple[World, list[str]]:
    """Send one price from webhook to SMS, and clean up. Return the world afterwards and the calls of each handler."""
    with cloud():
        stack = Stack()
        world = World(stack)
        for number, (direction, threshold) in enumerate(ALERTS[:alerts]):
            phone = {"S": f"+1555555010{number}"}
            stack.put_alert(f"alert-{number}", "BTC-USD", direction, threshold, phoneNumber=phone)
        stack.put_alert("quiet", "BTC-USD", "above", "99999", phoneNumber={"S": "+15555550199"})
        expired = {"symbol": {"S": "BTC-USD"}, "observation": {"S": "1600000000000#kraken#old"}, "ttl": {"N": "1"}}
        stack.dynamodb.put_item(TableName=stack.prices, Item={**expired, "price": {"S": "1"}})
        if fault:
            world.inject(*fault)
        world.status = world.send_webhook(price(timestamp=int(world.clock.now * 1000)), "msg_1")  # type: ignore[attr-defined]
        world.stream([row for row in world.prices_as_stored() if "digest" in row])
        world.deliver_notifications()
        world.asynchronous("CleanupHistoryFunction", {}, 300)
        world.texts = collections.Counter(number for number, _ in stack.sms())  # type: ignore[attr-defined]
        world.rows = stack.stored()  # type: ignore[attr-defined]
        stack.close()
    return world, [f"{call.function} {call.operation}" for call in stack.calls]


def cases(function: str, alerts: int) -> Iterator[tuple[int, str, str, str]]:
    """Yield every call of a run without faults, at both points, with every fault that can happen there."""
    _, calls = run(alerts)
    own = [call.split()[1] for call in calls if call.startswith(function)]
    for number, operation in enumerate(own):
        for point, faults in POINTS.items():
            for fault in faults:
                yield number, operation, point, fault


def duplicate_allowed(function: str, number: int, point: str) -> bool:
    """Return whether the SMS was accepted and its answer or record was lost: claim, send, record are calls 0, 1, 2."""
    return function == "SendNotificationFunction" and (number % 3, point) in {(1, "after"), (2, "before")}


@pytest.mark.slow
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_fault_at_every_call_ends_in_the_right_state(function: str, capsys: pytest.CaptureFixture[str]) -> None:
    # One invocation of CheckAlerts handles two alerts of one direction; the other functions handle alerts one by one.
    alerts = 3 if function == "CheckAlertsFunction" else 2
    firing = {f"+1555555010{number}" for number in range(alerts)}
    table: dict[tuple[str, int, str, str], dict[str, str]] = collections.defaultdict(dict)
    lost = duplicated = 0
    for number, operation, point, fault in cases(function, alerts):
        world, _ = run(alerts, (function, number, point, fault))
        assert world._fault is None, f"the fault was not met: {function} {number} {operation}"
        texts: collections.Counter[str] = world.texts  # type: ignore[attr-defined]
        missing, twice = firing - texts.keys(), {n for n, count in texts.items() if count > 1}
        where = f"{function} {number} {operation} {point} {fault}"
        assert world.status in (200, 202), where  # type: ignore[attr-defined]
        assert set(texts) <= firing, where
        assert len([row for row in world.rows if "digest" in row]) == 1, where  # type: ignore[attr-defined]
        assert not [row for row in world.rows if "digest" not in row], where  # type: ignore[attr-defined]
        assert not world.dead, where
        assert not missing, where
        assert not twice or duplicate_allowed(function, number, point), where
        lost, duplicated = lost + len(missing), duplicated + len(twice)
        table[function, number, operation, point][fault] = "twice" if twice else "once"
    out = capsys.readouterr().out
    assert all(private not in out for private in ("+1555", "64231.50", "user-1"))
    with capsys.disabled():
        print(as_table(table))
        print(f"\n{sum(map(len, table.values()))} faults: {lost} alerts lost, {duplicated} SMS sent twice")
    assert lost == 0


def as_table(table: dict[Any, dict[str, str]]) -> str:
    lines = ["", f"{'handler':<26}{'call':<34}{'point':<8}" + "".join(f"{fault:<13}" for fault in FAULTS)]
    for (function, number, operation, point), outcomes in table.items():
        cells = "".join(f"{outcomes.get(fault, '-'):<13}" for fault in FAULTS)
        lines.append(f"{function:<26}{f'{number} {operation}':<34}{point:<8}{cells}".rstrip())
    return "\n".join(lines)


def test_an_sms_that_always_fails_ends_in_the_failure_queue() -> None:
    with cloud():
        stack = Stack()
        world = World(stack)
        stack.put_alert("alert-1", "BTC-USD", "above", "1")
        stack.put_alert("alert-1-copy", "BTC-USD", "above", "1", leaseUntil={"N": "99999999999"})
        world.send_webhook(price(timestamp=int(world.clock.now * 1000)), "msg_1")
        world.stream(world.prices_as_stored())
        world.deliver_notifications()
        (kept,) = world.dead
        assert json.loads(kept["Records"][0]["Sns"]["Message"])["alertId"] == "alert-1-copy"  # type: ignore[index]
        assert len(stack.sms()) == 1
        stack.close()
