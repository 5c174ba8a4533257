"""Amazon SNS: the notification topic, which delivers at least once, and SMS."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.soak.dynamodb import ServiceError
from tests.soak.history import Invocation, Sms, arming_of

if TYPE_CHECKING:
    from tests.soak.world import World

UNKNOWN_TO_SNS = "+1999"
"""Numbers that look right and that SNS refuses start with this."""


class Sns:
    """The operations that the handlers call."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._published: Counter[str] = Counter()

    def publish_batch(
        self, request: dict[str, Any], invocation: Invocation, fate: str, called_at: float
    ) -> dict[str, Any]:
        """Publish up to ten messages. Any of them can fail."""
        choices, done, failed = self._world.choices, [], []
        entries = request["PublishBatchRequestEntries"]
        if not 0 < len(entries) <= 10 or len({entry["Id"] for entry in entries}) < len(entries):
            raise ServiceError("InvalidBatchEntryId", "1 to 10 entries with different ids")
        for entry in entries:
            key = ("entry fails", invocation.name, invocation.calls, entry["Id"])
            if choices.draw(key, False, choices.rate("entry fails", 0.1), lambda _: True):
                failed.append({"Id": entry["Id"], "Code": "InternalError", "SenderFault": False})
            else:
                done.append({"Id": entry["Id"], "MessageId": self.send(entry["Message"])})
        return {"Successful": done, "Failed": failed}

    def send(self, text: str) -> str:
        """Take a message for the topic, deliver it, perhaps twice, and return its id."""
        world, message = self._world, json.loads(text)
        arming = arming_of(message)[2]
        self._published[arming] += 1
        message_id = f"message {arming}.{self._published[arming]}"
        world.history.published.append((world.scheduler.now, message_id, message))
        world.note(f"{message_id} published: {message['alertId']} at {message['price']}")
        rate = world.choices.rate("message copies", 0.1)
        event = {"Records": [{"Sns": {"MessageId": message_id, "Message": text}}]}
        if world.choices.draw(("redriven", message_id), False, world.choices.rate("redriven", 0.05), lambda _: True):
            world.history.failed_messages.append(event)
            return message_id
        for copy in range(world.choices.draw(("copies", message_id), 1, rate, lambda _: 2)):
            world.functions.invoke_later("SendNotificationFunction", event, f"{message_id} delivery {copy}")
        return message_id

    def publish(self, request: dict[str, Any], invocation: Invocation, fate: str, called_at: float) -> dict[str, Any]:
        """Accept an SMS."""
        world, phone = self._world, request["PhoneNumber"]
        if not re.fullmatch("[+][1-9][0-9]{6,14}", phone) or phone.startswith(UNKNOWN_TO_SNS):
            message = f"Invalid parameter: PhoneNumber Reason: {phone} is not valid to publish to"
            raise ServiceError("InvalidParameter" if phone else "ParameterValueInvalid", message)
        if invocation.arming is None:
            raise AssertionError("only SendNotificationFunction sends SMS")
        message_id = f"sms-{len(world.history.sms)}"
        sms = Sms(invocation.arming, phone, request["Message"], called_at, invocation, fate, message_id)
        world.history.sms.append(sms)
        world.note(f"SNS accepts {message_id} to {phone}: {request['Message']}")
        return {"MessageId": message_id}


def messages_of(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the notifications in an event of SendNotificationFunction."""
    return [json.loads(record["Sns"]["Message"]) for record in event.get("Records", ())]
