"""A clock that tests move, which replaces the module `time` in a handler, and a Lambda context that uses it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Seconds since the epoch, starting now."""

    now: float = field(default_factory=time.time)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class TimedContext:
    """A Lambda context whose remaining time falls as the clock moves."""

    clock: Clock
    timeout_s: float
    function_name: str = "function"
    aws_request_id: str = "request-1"

    def __post_init__(self) -> None:
        self._started = self.clock.now

    def get_remaining_time_in_millis(self) -> int:
        return int((self.timeout_s - (self.clock.now - self._started)) * 1000)
