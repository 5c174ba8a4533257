"""The output of `generator size`: a table with reasons for people, and a dict for tools."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from generator._format import joined, number, percent, rate, significant, text_table
from generator.capacity import sms
from generator.capacity.functions import FunctionSizing
from generator.capacity.quota import AccountQuota
from generator.capacity.sizing import PROCESS_WEBHOOK, Sizing, cautions
from generator.plans import JudgedPlan, separate_quotas

HEADER = ("Function", "Rate", "Load", "Model", "Target", "Predicted", "Reserved")
RIGHT = (1, 2, 4, 5, 6)
"""The columns with figures."""

LEGEND = {
    "Load": "average concurrency: arrivals per second x seconds each, in erlangs",
    "Erlang B": "a webhook that finds every reserved execution busy is throttled; Predicted is the share throttled",
    "stream lanes": "each lane of a shard runs one batch at a time; Predicted is the utilisation of the busiest lanes",
    "webhook bursts": "webhooks arrive several at once; Predicted is the share that finds every reserved execution "
    "busy and is throttled",
    "alert bursts": "alerts leave in bursts of up to one batch of prices; Predicted is the share of notifications that "
    "find every reserved execution busy and start a second or more late",
    "overlap": "the number of runs that can overlap",
}

BEST_EFFORT = (
    "Requests above that usually get a 429. Usage plans work on a best-effort basis and are not hard limits "
    '(Amazon API Gateway Developer Guide, "Usage plans and API keys for REST APIs").'
)

FREE_OF_CHARGE = (
    "Reserved concurrency itself is free, but it is taken from the pool that all other functions in the account "
    "share, and it caps the function that holds it."
)


def as_dict(judged: JudgedPlan) -> dict[str, Any]:
    """Return the sizing, and the account with its headroom."""
    environment, sizing, account = judged.environment, judged.plan.sizing, judged.verdict.account
    budget, throughput = sms.compare(environment)
    functions = [function._asdict() for function in sizing.functions]
    return {
        "environment": judged.name,
        "webhooks_per_hour": sizing.webhooks_per_hour,
        "functions": {function.pop("logical_id"): function for function in functions},
        "total_reserved": sizing.total_reserved,
        "account": {**account_as_dict(account), "headroom": judged.verdict.headroom},
        "source_rates_per_s": dict(sizing.usage_plan.source_rates_per_s),
        "sms": {
            "per_hour": sms.per_hour(environment),
            "peak_per_s": sms.peak_per_s(environment),
            "month_usd": sms.month_usd(environment),
            "budget": budget.verdict,
            "throughput": throughput.verdict,
        },
        "cautions": cautions(environment),
    }


def account_as_dict(account: AccountQuota) -> dict[str, Any]:
    """Return the concurrency of an account."""
    keys = ("name", "concurrency_limit", "unreserved_floor", "reserved_elsewhere", "reservable")
    return {key: getattr(account, key) for key in keys}


def as_table(judged: JudgedPlan) -> str:
    """Return the sizing as text that needs no knowledge of queueing."""
    sizing, traffic = judged.plan.sizing, judged.environment.traffic
    total = ("Total", "", "", "", "", "", f"{sizing.total_reserved:,}")
    reasons = [(function.logical_id, function.reason) for function in sizing.functions]
    return "\n".join(
        [
            f"{judged.name}: {traffic.webhooks_per_hour:,} webhooks per hour, "
            f"{rate(traffic.webhooks_per_hour / 3600)} on average, {rate(judged.environment.peak_rate_per_s)} at the "
            f"peak (peak factor {number(traffic.peak_factor)})",
            "",
            *text_table(HEADER, map(row, sizing.functions), RIGHT, total),
            "",
            "Why",
            *_indented(reasons),
            *(f"  Caution: {caution}." for caution in cautions(judged.environment)),
            "",
            *_indented(legend(sizing)),
            "",
            *_account(judged),
        ]
    )


def row(function: FunctionSizing) -> tuple[str, ...]:
    """Return the cells of one function, in the order of HEADER."""
    busy = " busy" if function.model == "stream lanes" else ""
    return (
        function.logical_id,
        rate(function.inputs["arrival_rate_per_s"]),
        significant(function.offered_load_erlangs),
        function.model,
        "-" if function.target is None else f"<= {percent(function.target)}{busy}",
        "-" if function.predicted is None else f"{percent(function.predicted)}{busy}",
        "shared" if function.reserved_concurrency is None else f"{function.reserved_concurrency:,}",
    )


def legend(sizing: Sizing) -> list[tuple[str, str]]:
    """Return the terms that the table uses, each with its meaning."""
    used = {"Load", *(function.model for function in sizing.functions)}
    return [(term, meaning) for term, meaning in LEGEND.items() if term in used]


def admission(judged: JudgedPlan) -> str:
    """Return sentences with the limits of the usage plan and the reasons for them."""
    sizing = judged.plan.sizing
    plan = sizing.usage_plan
    is_reserved = sizing[PROCESS_WEBHOOK].reserved_concurrency is not None
    why = "which is what the reservation can sustain" if is_reserved else f"which {plan.burst:,} executions can sustain"
    rates = [f"{name} {number(rate_per_s)}/s" for name, rate_per_s in plan.source_rates_per_s.items()]
    sources = f" Sources may send as well: {joined(rates)}, each in bursts of {plan.burst:,}." if rates else ""
    pool = "" if is_reserved else " None is reserved: the shared pool may provide fewer executions."
    return (
        f"API Gateway admits {number(plan.rate_per_s)} webhooks/s and bursts of {plan.burst:,}, "
        f"{why}{' minus the rates of the sources' if rates else ''}, and {plan.quota_per_day:,} webhooks a day, "
        f"enough for a whole day at the peak rate.{sources}{pool}"
    )


def _indented(rows: list[tuple[str, str]]) -> Iterator[str]:
    return (f"  {line}" for line in text_table((), rows))


def _account(judged: JudgedPlan) -> Iterator[str]:
    verdict, account = judged.verdict, judged.verdict.account
    others = judged.neighbours
    with_others = f" together with {', '.join(others)}" if others else ""
    of_wanted = f" of {verdict.wanted:,} wanted" if verdict.total != verdict.wanted else ""
    yield (
        f"Account {account.name} in {account.region}: {account.concurrency_limit:,} limit - "
        f"{account.unreserved_floor:,} unreserved floor - {account.reserved_elsewhere:,} reserved elsewhere = "
        f"{account.reservable:,} reservable; {verdict.total:,} reserved{of_wanted}{with_others}, "
        f"{verdict.headroom:,} left"
    )
    yield from separate_quotas([judged])
    yield from textwrap.wrap(f"{admission(judged)} {BEST_EFFORT}", 110)
    yield from textwrap.wrap(FREE_OF_CHARGE, 110)
    yield f"SMS: {sms.volume(judged.environment)}"
    yield from map(str, sms.compare(judged.environment))
