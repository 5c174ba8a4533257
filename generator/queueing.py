"""Queueing formulas: offered load and servers in, probabilities out, and the inverses. Pure functions of numbers.

Symbols: a is the offered load in erlangs (arrival rate times mean service time), c the number of servers,
B(c, a) the blocking probability of M/G/c/c (Erlang B), C(c, a) the waiting probability of M/M/c (Erlang C).
"""

from __future__ import annotations

import math
from collections.abc import Callable


def offered_load_erlangs(arrival_rate_per_s: float, service_time_s: float) -> float:
    """The mean number of servers that would be busy if there were always one free, in erlangs.

    Raises ValueError if either input is negative or not finite.
    """
    _require_load(arrival_rate_per_s)
    _require_load(service_time_s)
    return arrival_rate_per_s * service_time_s


def erlang_b(servers: int, load_erlangs: float) -> float:
    """Probability that an arrival finds all servers busy and is lost.

    Model: Poisson arrivals, any service time distribution with the given mean, no queue (M/G/c/c).
    Computed by B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1)), which cannot overflow, unlike the closed form.
    Source: ITU-T, Teletraffic Engineering Handbook (V. B. Iversen), chapter 4, recursion (4.29).

    Raises ValueError if servers is negative or the load is negative or not finite.
    """
    return erlang_b_up_to(servers, load_erlangs)[-1]


def erlang_b_up_to(servers: int, load_erlangs: float) -> list[float]:
    """Erlang B for 0, 1, ... servers, in one pass of the recurrence.

    Raises ValueError if servers is negative or the load is negative or not finite.
    """
    _require_load(load_erlangs)
    if servers < 0:
        raise ValueError(f"servers must not be negative, got {servers}")
    blocking = [1.0]
    for k in range(1, servers + 1):
        blocking.append(_next_blocking(blocking[-1], k, load_erlangs))
    return blocking


def erlang_c(servers: int, load_erlangs: float) -> float:
    """Probability that an arrival has to wait because all servers are busy.

    Model: Poisson arrivals, exponential service times, one queue without limit (M/M/c).
    C = B / (1 - (a / c) (1 - B)) with B = B(c, a). Where a >= c the queue grows without end and every arrival
    waits, so the result is 1.
    Source: ITU-T, Teletraffic Engineering Handbook (V. B. Iversen), chapter 9, formula (9.11).

    Raises ValueError if servers is negative or the load is negative or not finite.
    """
    return erlang_c_up_to(servers, load_erlangs)[-1]


def erlang_c_up_to(servers: int, load_erlangs: float) -> list[float]:
    """Erlang C for 0, 1, ... servers, in one pass of the recurrence.

    Raises ValueError if servers is negative or the load is negative or not finite.
    """
    blocking = erlang_b_up_to(servers, load_erlangs)
    return [_waiting(blocked, count, load_erlangs) for count, blocked in enumerate(blocking)]


def servers_for_blocking(load_erlangs: float, target: float) -> int:
    """The smallest number of servers with B(c, a) <= target; 0 only when the target is 1 or more.

    Raises ValueError if the load is negative or not finite, or the target is not above 0.
    """
    return _smallest(load_erlangs, target, lambda blocking, servers: blocking)


def servers_for_waiting(load_erlangs: float, target: float) -> int:
    """The smallest number of servers with C(c, a) <= target, always more than the load.

    Raises ValueError if the load is negative or not finite, or the target is not above 0.
    """
    return _smallest(load_erlangs, target, lambda blocking, servers: _waiting(blocking, servers, load_erlangs))


def utilisation(arrival_rate_per_s: float, service_time_s: float, servers: int) -> float:
    """The share of time that each of the servers is busy; 1 or more means that the backlog grows without end.

    Raises ValueError if there is no server or an input is negative or not finite.
    """
    if servers < 1:
        raise ValueError(f"servers must be at least 1, got {servers}")
    return offered_load_erlangs(arrival_rate_per_s, service_time_s) / servers


def _smallest(load_erlangs: float, target: float, probability: Callable[[float, int], float]) -> int:
    _require_load(load_erlangs)
    if not target > 0:
        raise ValueError(f"target must be above 0, got {target}")
    servers, blocking = 0, 1.0
    while probability(blocking, servers) > target:
        servers += 1
        blocking = _next_blocking(blocking, servers, load_erlangs)
    return servers


def _next_blocking(blocking: float, servers: int, load_erlangs: float) -> float:
    return load_erlangs * blocking / (servers + load_erlangs * blocking)


def _waiting(blocking: float, servers: int, load_erlangs: float) -> float:
    if load_erlangs >= servers:
        return 1.0
    return blocking / (1 - load_erlangs / servers * (1 - blocking))


def _require_load(value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"loads, rates and times must be finite and not negative, got {value}")
