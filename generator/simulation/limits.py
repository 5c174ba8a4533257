"""Limits that stages share: token buckets, quotas and pools. Nothing here draws random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, count
from operator import mul, sub


class TokenBucket:
    """A limit of `rate_per_s` on average and `burst` at once. It starts full; a rate of 0 admits nothing.

    The state is one number, the time at which the bucket would be full again. This is the generic cell rate algorithm
    (ITU-T I.371), equivalent to counting tokens and refilling them continuously.
    """

    __slots__ = ("_burst", "_full_at_s", "_interval_s", "_tolerance_s")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._interval_s = 1 / rate_per_s if rate_per_s else math.inf
        self._burst = burst
        # One part in 10^9 more, so that rounding does not withhold a token that is due now.
        self._tolerance_s = burst / rate_per_s * (1 + 1e-9) if rate_per_s else 0.0
        self._full_at_s = float("-inf")

    def take(self, now_s: float) -> bool:
        """Take one token and return True, or return False if there is none."""
        full_at_s = (self._full_at_s if self._full_at_s > now_s else now_s) + self._interval_s
        if full_at_s - now_s > self._tolerance_s:
            return False
        self._full_at_s = full_at_s
        return True

    def covers(self, other: TokenBucket) -> bool:
        """Return whether the other bucket admits everything that this one admits."""
        return other._interval_s <= self._interval_s and other._burst >= self._burst

    def admits_from(self) -> float:
        """Return the time from which a request would get a token if none is taken before."""
        return self._full_at_s + self._interval_s - self._tolerance_s

    def after(self, times_s: Sequence[float]) -> float | None:
        """Return the state after a token is taken at each of these ascending times, or None if one gets none.

        Without a refusal, the bucket is full again one interval after the later of a request and the former time, so
        that time less all intervals so far is a running maximum.
        """
        if not times_s:
            return self._full_at_s
        interval_s = self._interval_s
        if interval_s == math.inf:
            return None
        spaced_s = list(map(sub, times_s, map(mul, count(), [interval_s] * len(times_s))))
        start_s = max(self._full_at_s, times_s[0])
        if start_s - times_s[0] + len(times_s) * interval_s > self._tolerance_s:
            highest_s = accumulate(spaced_s, max, initial=start_s)
            next(highest_s)
            if max(map(sub, highest_s, spaced_s)) + interval_s > self._tolerance_s:
                return None
        return float(max(start_s, max(spaced_s)) + len(times_s) * interval_s)

    def restore(self, state: float) -> None:
        """Continue from a state that `after` returned."""
        self._full_at_s = state


class Quota:
    """The requests that a usage plan allows in a period. The first period begins with the run."""

    __slots__ = ("_left", "_limit", "_period_s", "_until_s")

    def __init__(self, limit: int, period_s: float, start_s: float) -> None:
        self._left = self._limit = limit
        self._period_s, self._until_s = period_s, start_s + period_s

    def take(self, now_s: float) -> bool:
        """Use one request of the current period and return True, or return False if none is left."""
        while now_s >= self._until_s:
            self._until_s += self._period_s
            self._left = self._limit
        if self._left <= 0:
            return False
        self._left -= 1
        return True

    def admits_from(self) -> float:
        """Return the time from which a request would be within the quota."""
        return -math.inf if self._left > 0 else self._until_s

    def after(self, times_s: Sequence[float]) -> float | None:
        """Return the requests left after one is used at each of these times, or None if the period or quota ends."""
        if (times_s and times_s[-1] >= self._until_s) or self._left < len(times_s):
            return None
        return self._left - len(times_s)

    def restore(self, state: float) -> None:
        """Continue from a state that `after` returned."""
        self._left = int(state)


class Pool:
    """A limit on executions at once: one function's reservation, or the account's shared concurrency.

    Each execution takes one of `free` and gives it back; `free` stays between 0 and `size`.
    """

    __slots__ = ("free", "size")

    def __init__(self, size: int) -> None:
        self.size = self.free = size
