"""AWS Secrets Manager: one secret with a current and a previous value."""

from __future__ import annotations

import datetime
from typing import Any

from tests.soak.dynamodb import ServiceError
from tests.soak.history import Invocation
from tests.soak.sdk import EPOCH_S

STAGES = ("AWSCURRENT", "AWSPREVIOUS")


class Secrets:
    """The operation that the handlers call, and the rotation."""

    def __init__(self, first: str) -> None:
        self.versions: list[tuple[str, float]] = [(first, -86_400.0)]
        """Values, the newest first, each with the time from which it is current."""

    def rotate(self, value: str, now: float) -> None:
        self.versions = [(value, now), self.versions[0]]

    def get_secret_value(
        self, request: dict[str, Any], invocation: Invocation, fate: str, called_at: float
    ) -> dict[str, Any]:
        """Return the value of a stage."""
        stage = STAGES.index(request.get("VersionStage", "AWSCURRENT"))
        if stage >= len(self.versions):
            raise ServiceError("ResourceNotFoundException", "Secrets Manager can't find the specified secret value")
        value, created_at = self.versions[stage]
        created = datetime.datetime.fromtimestamp(EPOCH_S + created_at, datetime.UTC)
        return {"SecretString": value, "CreatedDate": created, "VersionStages": [STAGES[stage]]}
