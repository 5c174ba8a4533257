"""The two ways in which AWS says no: a token bucket (too many a second) and a pool (too many at once)."""

from __future__ import annotations

import math


class TokenBucket:
    """Admits `rate_per_s` on average and `burst` at once; full at the start. A rate of 0 admits nothing at all.

    Kept as one number, the time at which the bucket would be full again (the generic cell rate algorithm, ITU-T
    I.371), which equals counting tokens and refilling them continuously.
    """

    __slots__ = ("_full_at_s", "_interval_s", "_tolerance_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        if not (rate_per_s >= 0 and burst >= 0):
            raise ValueError(f"a bucket needs a rate and a burst of 0 or more, got {rate_per_s} and {burst}")
        self._interval_s = 1 / rate_per_s if rate_per_s else math.inf
        # One part in 10^9 more, so that a token that is due now is there in spite of rounding.
        self._tolerance_s = burst / rate_per_s * (1 + 1e-9) if rate_per_s else 0.0
        self._full_at_s = float("-inf")

    def take(self, now_s: float) -> bool:
        """Takes one token if there is one."""
        full_at_s = (self._full_at_s if self._full_at_s > now_s else now_s) + self._interval_s
        if full_at_s - now_s > self._tolerance_s:
            return False
        self._full_at_s = full_at_s
        return True


class Pool:
    """Executions that may run at once: one function's reservation, or what all others share.

    `free` never leaves 0 to `size`; who takes one gives it back.
    """

    __slots__ = ("free", "size")

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"a pool must not be negative, got {size}")
        self.size = self.free = size
