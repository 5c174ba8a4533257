"""The invariants that must hold after every run, whatever failed in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

from tests.soak.history import Arming, ArmingKey, History, Price, Sms, arming_of
from tests.soak.sdk import EPOCH_S, LOSES_ANSWER
from tests.soak.sns import messages_of
from tests.soak.world import World, functions

FINAL_OUTCOMES = {"invalid number", "deleted", "superseded", "recorded invalid number"}
"""Outcomes that count an alert that was not sent."""
LATE_OUTCOMES = {"late", "recorded late"}
MAX_PRICE_AGE_S = int(functions()["ProcessWebhookFunction"].variables["MAX_PRICE_AGE_S"])
MAX_NOTIFICATION_AGE_S = int(functions()["SendNotificationFunction"].variables["MAX_AGE_S"])
CLOCKS_S = 10
"""The clocks of two instances differ by less, with the time that a cold start takes."""
OVERDUE_S = 2 * 86_400

SHORTEST_LEASE_S = 30
"""An invocation that sends can run for that long, so nobody else may send before."""


def lost(world: World) -> Iterator[str]:
    """No armed alert that a price crossed is lost: it is sent, or counted, or in a failure queue."""
    history = world.history
    failed = {arming_of(message) for event in history.failed_messages for message in messages_of(event)}
    sent = {sms.arming for sms in history.sms}
    for arming in history.armings.values():
        if arming.key in sent or arming.key in failed or arming.ended_armed or not arming.is_sound:
            continue
        outcomes = history.outcomes.get(arming.key, set())
        if outcomes & FINAL_OUTCOMES or (outcomes & LATE_OUTCOMES and _is_late(world, arming)):
            continue
        for price in history.prices.values():
            if price.webhook_id not in history.failed_records and _must_fire(arming, price):
                yield f"{arming.key[2]} of {arming.key[1]} was crossed by {price.webhook_id} and is lost"


def _is_late(world: World, arming: Arming) -> bool:
    """Return whether one of its notifications arrived late enough to be dropped."""
    history = world.history
    fired_at = [at for at, _, message in history.published if arming_of(message) == arming.key]
    arrived_at = [one.started_at for one in history.invocations if one.arming == arming.key]
    return max(arrived_at) - min(fired_at) > MAX_NOTIFICATION_AGE_S - CLOCKS_S


def _must_fire(arming: Arming, price: Price) -> bool:
    if price.stored_at is None or not arming.crossed_by(price) or price.age_s > MAX_PRICE_AGE_S - CLOCKS_S:
        return False
    return price.stored_at >= arming.shown_at and (arming.ended_at is None or price.stored_at < arming.ended_at)


def sent_twice(world: World) -> Iterator[str]:
    """At most one SMS is accepted per arming, unless SNS's answer or the record of the SMS was lost.

    Then it is sent again by a later invocation, when the lease has ended.
    """
    last: dict[ArmingKey, Sms] = {}
    for sms in sorted(world.history.sms, key=lambda sms: sms.called_at):
        earlier = last.get(sms.arming)
        last[sms.arming] = sms
        if earlier is None:
            continue
        what = f"{sms.arming[2]} of {sms.arming[1]} was sent as {earlier.message_id} and {sms.message_id}"
        if not _why_unrecorded(earlier):
            yield what
        elif sms.called_at - earlier.called_at < SHORTEST_LEASE_S:
            yield f"{what} within {SHORTEST_LEASE_S} s"


def _why_unrecorded(sms: Sms) -> str:
    """Return the documented reason why no invocation could know of this SMS, if there is one."""
    if sms.fate in LOSES_ANSWER:
        return "answer lost"
    if sms.invocation.outcome == "killed":
        return "killed before the record"
    return "record failed" if sms.invocation.outcome == "error" else ""


def wrong_phone(world: World) -> Iterator[str]:
    """An SMS goes to the phone that the alert had while it was sent."""
    for sms in world.history.sms:
        changes = world.history.phones[sms.arming[:2]]
        since = sms.invocation.started_at
        held = [
            phone
            for (start, phone), end in zip(changes, [*(at for at, _ in changes[1:]), float("inf")], strict=True)
            if end >= since and start <= sms.called_at
        ]
        if sms.phone not in held:
            yield f"{sms.message_id} went to {sms.phone}, which was not the phone of {sms.arming[1]}"


def old_arming(world: World) -> Iterator[str]:
    """An SMS is about the arming that the alert had while it was sent."""
    for sms in world.history.sms:
        changes = world.history.current[sms.arming[:2]]
        ends = [*(at for at, _ in changes[1:]), float("inf")]
        held = {
            arming
            for (start, arming), end in zip(changes, ends, strict=True)
            if end >= sms.invocation.started_at and start <= sms.called_at
        }
        if sms.arming[2] not in held:
            yield f"{sms.message_id} is about {sms.arming[2]}, which {sms.arming[1]} no longer was"


def unrecorded(world: World) -> Iterator[str]:
    """The id that SNS gave to an SMS is stored with the alert, unless the answer or the record was lost."""
    history = world.history
    for sms in history.sms:
        arming = history.armings.get(sms.arming)
        if (
            arming
            and arming.ended_at is None
            and not _why_unrecorded(sms)
            and sms.message_id not in history.recorded_ids
        ):
            yield f"{sms.message_id} is not recorded"


def needless_error(world: World) -> Iterator[str]:
    """A notification that somebody else is sending or has sent is not an error."""
    invocations = [one for one in world.history.invocations if one.arming]
    for one in invocations:
        if one.outcome == "error" and not one.fates and one.arming:
            same_request = [
                other
                for other in invocations
                if other.request_id == one.request_id and other.started_at <= one.started_at
            ]
            armings = [key for key in world.history.armings if key[:2] == one.arming[:2]]
            if len(same_request) == 1 and len(armings) == 1:
                yield f"{one.name} failed"


def uncounted(world: World) -> Iterator[str]:
    """Every outcome of a notification is a metric."""
    for one in world.history.invocations:
        for line in one.lines if one.arming else ():
            name = line["outcome"].title().replace(" ", "")
            named = {metric["Name"] for spec in line["_aws"]["CloudWatchMetrics"] for metric in spec["Metrics"]}
            if line.get(name) != 1 or name not in named:
                yield f"{one.name} does not count {line['outcome']}"


def outage(world: World) -> Iterator[str]:
    """An outage of Secrets Manager alone does not stop an instance that has the keys."""
    for one in world.history.invocations:
        is_outage = one.fates and all(fate.startswith("get_secret_value") for fate in one.fates)
        is_refused = one.outcome == "ok" and one.was_ready and one.answer["statusCode"] == 503
        if is_refused and is_outage and not world.history.rotations:
            yield f"{one.name} was answered 503"


def private_in_log(world: World) -> Iterator[str]:
    """No log line contains a phone number, a user, a price or a secret."""
    history = world.history
    private = {phone.lstrip("+") for several in history.phones.values() for _, phone in several if phone}
    private |= history.secrets | {price.text for price in history.prices.values()}
    for arming in history.armings.values():
        private |= {arming.key[0], str(arming.threshold)}
    text = "\n".join(history.log)
    for word in sorted(private):
        if word in text:
            line = next(line for line in history.log if word in line)
            yield f"{word} is in the log: {line}"


def false_alarm(world: World) -> Iterator[str]:
    """Only a stored price that crossed the threshold of the arming fires it, and the SMS has its values."""
    history = world.history
    for _, message_id, message in history.published:
        arming = history.armings.get(arming_of(message))
        price = _price_of(history, message)
        if arming is None or price is None or price.stored_at is None or not arming.crossed_by(price):
            yield f"{message_id} was published without a reason"
        elif price.age_s > MAX_PRICE_AGE_S + CLOCKS_S:
            yield f"{message_id} was published for a stale price"
        elif Decimal(message["threshold"]) != arming.threshold or message["direction"] != arming.direction:
            yield f"{message_id} has other values than the alert"
    for sms in history.sms:
        sent = history.armings.get(sms.arming)
        if sent and f"{sent.threshold:f}" not in sms.text:
            yield f"{sms.message_id} has not the threshold of {sms.arming[2]}"


def _price_of(history: History, message: dict[str, object]) -> Price | None:
    return next(
        (
            price
            for price in history.prices.values()
            if (price.symbol, price.text, price.stamp_ms) == (message["symbol"], message["price"], message["timestamp"])
        ),
        None,
    )


def refused(world: World) -> Iterator[str]:
    """A good webhook is stored or answered with 5xx, so that its sender comes back."""
    for price in world.history.prices.values():
        if price.stored_at is None and any(status < 300 for status in price.answers):
            yield f"{price.webhook_id} was answered {price.answers} and is not stored"
        if any(300 <= status < 500 for status in price.answers):
            yield f"{price.webhook_id} was answered {price.answers}"


def deleted_early(world: World) -> Iterator[str]:
    """The cleanup deletes only prices that DynamoDB's time to live has left for two days."""
    for row in world.history.deleted_prices:
        if int(row["ttl"]["N"]) + OVERDUE_S > EPOCH_S + world.scheduler.now + CLOCKS_S:
            yield f"{row['observation']['S']} was deleted before its time"


def resurrected(world: World) -> Iterator[str]:
    """A handler never creates an alert, such as one that was just deleted."""
    yield from world.history.resurrected


INVARIANTS: tuple[Callable[[World], Iterator[str]], ...] = (
    lost,
    sent_twice,
    wrong_phone,
    old_arming,
    unrecorded,
    needless_error,
    uncounted,
    outage,
    private_in_log,
    false_alarm,
    refused,
    deleted_early,
    resurrected,
)
