"""Queueing formulas from offered load and servers to probabilities, and their inverses.

Symbols: a is the offered load in erlangs (arrival rate times mean service time), c the number of servers,
B(c, a) the blocking probability of M/G/c/c (Erlang B), C(c, a) the waiting probability of M/M/c (Erlang C),
L(b, a) the loss probability of M/D/1/b (a token bucket).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate, count, islice

EPSILON = 1e-16
"""Terms below this do not change a probability near 1."""


def offered_load_erlangs(arrival_rate_per_s: float, service_time_s: float) -> float:
    """Return the mean number of busy servers if one were always free, in erlangs.

    Raises ValueError if either input is negative or not finite.
    """
    _require_load(arrival_rate_per_s)
    _require_load(service_time_s)
    return arrival_rate_per_s * service_time_s


def erlang_b(servers: int, load_erlangs: float) -> float:
    """Return the probability that an arrival finds all servers busy and is lost.

    Model: Poisson arrivals, any service time distribution with the given mean, no queue (M/G/c/c).
    Computed by B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), which cannot overflow, unlike the closed form.
    Source: ITU-T, Teletraffic Engineering Handbook (V. B. Iversen), chapter 4, recursion (4.29).

    Raises ValueError if servers is negative or the load is negative or not finite.
    """
    _require_load(load_erlangs)
    if servers < 0:
        raise ValueError(f"servers must not be negative, got {servers}")
    return next(islice(_blocking(load_erlangs), servers, None))


def erlang_c(servers: int, load_erlangs: float) -> float:
    """Return the probability that an arrival has to wait because all servers are busy.

    Model: Poisson arrivals, exponential service times, one queue without limit (M/M/c).
    C = B / (1 - (a / c) (1 - B)) with B = B(c, a). Where a >= c the queue grows without end and every arrival
    waits, so the result is 1.
    Source: ITU-T, Teletraffic Engineering Handbook (V. B. Iversen), chapter 9, formula (9.11).

    Raises ValueError if servers is negative or the load is negative or not finite.
    """
    blocking = erlang_b(servers, load_erlangs)
    return 1.0 if load_erlangs >= servers else blocking / (1 - load_erlangs / servers * (1 - blocking))


def servers_for_blocking(load_erlangs: float, target: float) -> int:
    """Return the smallest number of servers with B(c, a) <= target; 0 only when the target is 1 or more.

    Raises ValueError if the load is negative or not finite, or the target is not above 0.
    """
    _require_load(load_erlangs)
    if not target > 0:
        raise ValueError(f"target must be above 0, got {target}")
    return next(servers for servers, blocking in enumerate(_blocking(load_erlangs)) if blocking <= target)


def token_bucket_rejection(arrival_rate_per_s: float, refill_rate_per_s: float, burst: int) -> float:
    """Return the probability that a token bucket has no token for an arrival, which is then rejected.

    Model: Poisson arrivals, one token each; the bucket holds `burst` tokens and is refilled steadily. The missing
    tokens are a queue with constant service times and room for b = burst, so this is L(b, a) of M/D/1/b with
    a = arrival rate / refill rate. L = 1 - 1 / (p(0) + a), where p(j) is the probability that a departure leaves j
    behind: p(j + 1) k(0) = p(0) K(j) + sum of p(i) K(j - i + 1) for i from 1 to j, with k(0) the probability of no
    arrival and K(j) that of more than j arrivals within one service time. All terms are positive, so none cancel.
    Source: Gross, Shortle, Thompson, Harris, Fundamentals of Queueing Theory, chapter 5, M/G/1 with finite capacity.

    Raises ValueError if the burst is below 1, the refill rate not above 0, or a rate is negative or not finite.
    """
    _require_load(refill_rate_per_s)
    if burst < 1 or not refill_rate_per_s > 0:
        raise ValueError(f"burst must be at least 1 and the refill rate above 0, got {burst} and {refill_rate_per_s}")
    load_erlangs = offered_load_erlangs(arrival_rate_per_s, 1 / refill_rate_per_s)
    return max(0.0, 1 - 1 / (_empty_after_departure(load_erlangs, burst) + load_erlangs))


def _empty_after_departure(load_erlangs: float, room: int) -> float:
    """Return p(0) of M/D/1/room. Above a load of 37 it is at most exp(-37), which adds nothing to the load."""
    if room > 1 and load_erlangs > -math.log(EPSILON):
        return 0.0
    none, more_than = _poisson_tail(load_erlangs)
    left, total = [1.0], 1.0
    for level in range(room - 1):
        first = max(1, level + 2 - len(more_than))
        rising = sum(left[start] * more_than[level + 1 - start] for start in range(first, level + 1))
        rising += left[0] * (more_than[level] if level < len(more_than) else 0)
        left.append(rising / none)
        total += left[-1]
        if total > 1 / EPSILON or left[-1] < EPSILON:
            break
    return 1 / total


def _blocking(load_erlangs: float) -> Iterator[float]:
    """Yield Erlang B for 0, 1, ... servers without end."""
    blocking = 1.0
    for servers in count(1):
        yield blocking
        blocking = load_erlangs * blocking / (servers + load_erlangs * blocking)


def _poisson_tail(mean: float) -> tuple[float, list[float]]:
    """Return the probability of 0 and the list of those of more than 0, 1, ... until they are negligible."""
    probabilities = [math.exp(-mean)]
    while len(probabilities) <= mean or probabilities[-1] > EPSILON:
        probabilities.append(probabilities[-1] * mean / len(probabilities))
    more_than = [*accumulate(reversed(probabilities))]
    return probabilities[0], more_than[-2::-1]


def _require_load(value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"loads, rates and times must be finite and not negative, got {value}")
