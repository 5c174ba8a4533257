"""A sizing for people, as a table with its reasons, and for tools, as a dict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from generator._format import percent
from generator.capacity.sizing import PROCESS_WEBHOOK, FunctionSizing
from generator.plans import JudgedPlan

HEADER = ("Function", "Rate", "Load", "Model", "Target", "Predicted", "Reserved")

LEGEND = {
    "Load": "how many would run at once on average: arrivals per second x seconds each (the unit is called erlang)",
    "Erlang B": "nobody waits: a webhook that finds every unit busy is throttled; predicted is the share that does",
    "stream lanes": "each shard's batches run in lanes, one at a time; predicted is how busy the busiest lanes are",
    "Erlang C": "who finds every unit busy waits in Lambda's queue; predicted is the share that does",
    "overlap": "runs that may overlap, counted",
}


def as_dict(judged: JudgedPlan) -> dict[str, Any]:
    """The sizing with the account that it is judged against."""
    sizing, account = judged.plan.sizing, judged.verdict.account
    return {
        "environment": judged.name,
        "webhooks_per_hour": sizing.webhooks_per_hour,
        "functions": {function.logical_id: _function(function) for function in sizing.functions},
        "total_reserved": sizing.total_reserved,
        "account": {
            "name": account.name,
            "concurrency_limit": account.concurrency_limit,
            "unreserved_floor": account.unreserved_floor,
            "reserved_elsewhere": account.reserved_elsewhere,
            "reservable": account.reservable,
            "headroom": judged.verdict.headroom,
        },
    }


def as_table(judged: JudgedPlan) -> str:
    """The sizing as text that needs no knowledge of queueing."""
    return "\n".join(
        [*_head(judged), "", *_table(judged), "", *_reasons(judged), "", *_legend(judged), "", *_account(judged)]
    )


def _function(function: FunctionSizing) -> dict[str, Any]:
    return {
        "reserved_concurrency": function.reserved_concurrency,
        "model": function.model,
        "offered_load_erlangs": function.offered_load_erlangs,
        "target": function.target,
        "predicted": function.predicted,
        "inputs": dict(function.inputs),
        "reason": function.reason,
    }


def _head(judged: JudgedPlan) -> Iterable[str]:
    traffic = judged.plan.environment.traffic
    mean_per_s = traffic.webhooks_per_hour / 3600
    yield (
        f"{judged.name}: {traffic.webhooks_per_hour:,} webhooks per hour, that is {mean_per_s:.3g}/s on average and "
        f"{judged.plan.environment.peak_rate_per_s:.3g}/s at the peak (peak factor {traffic.peak_factor:g})"
    )


def _table(judged: JudgedPlan) -> Iterable[str]:
    sizing = judged.plan.sizing
    rows = [row(function) for function in sizing.functions]
    total = ("Total", "", "", "", "", "", str(sizing.total_reserved))
    widths = [max(len(cells[column]) for cells in (HEADER, *rows, total)) for column in range(len(HEADER))]
    rule = "  ".join("-" * width for width in widths)
    lines = [_padded(HEADER, widths), rule, *(_padded(cells, widths) for cells in rows), rule, _padded(total, widths)]
    yield from lines


def row(function: FunctionSizing) -> tuple[str, ...]:
    """The cells of one function, in the order of HEADER."""
    rate_per_s = function.inputs["arrival_rate_per_s"]
    kind = " busy" if function.model == "stream lanes" else ""
    return (
        function.logical_id,
        f"{rate_per_s:.3g}/s" if rate_per_s >= 0.01 else f"{rate_per_s * 3600:.3g}/h",
        f"{function.offered_load_erlangs:.3g}",
        function.model,
        "-" if function.target is None else f"<= {percent(function.target)}{kind}",
        "-" if function.predicted is None else f"{percent(function.predicted)}{kind}",
        "shared" if function.reserved_concurrency is None else str(function.reserved_concurrency),
    )


def _padded(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Text to the left, figures to the right."""
    left = (0, 3)
    pairs = enumerate(zip(cells, widths, strict=True))
    return "  ".join(cell.ljust(width) if i in left else cell.rjust(width) for i, (cell, width) in pairs).rstrip()


def _reasons(judged: JudgedPlan) -> Iterable[str]:
    yield "Why"
    functions = judged.plan.sizing.functions
    width = max(len(function.logical_id) for function in functions)
    for function in functions:
        yield f"  {function.logical_id:<{width}}  {function.reason}"


def _legend(judged: JudgedPlan) -> Iterable[str]:
    models = {"Load", *(function.model for function in judged.plan.sizing.functions)}
    width = max(map(len, LEGEND))
    return (f"  {term:<{width}}  {meaning}" for term, meaning in LEGEND.items() if term in models)


def _account(judged: JudgedPlan) -> Iterable[str]:
    verdict, account = judged.verdict, judged.verdict.account
    others = [other.environment.name for other in verdict.plans if other.environment.name != judged.name]
    with_others = f" together with {', '.join(others)}" if others else ""
    of_wanted = f" of {verdict.wanted} wanted" if verdict.total != verdict.wanted else ""
    yield (
        f"Account {account.name} in {account.region}: {account.concurrency_limit} limit - {account.unreserved_floor} "
        f"unreserved floor - {account.reserved_elsewhere} reserved elsewhere = {account.reservable} reservable; "
        f"{verdict.total} reserved{of_wanted}{with_others}, {verdict.headroom} left"
    )
    yield admission(judged)
    yield "Reserved concurrency is not charged. It is taken from the pool that every other function in the account"
    yield "shares, and it caps the function that holds it."


def admission(judged: JudgedPlan) -> str:
    """What API Gateway lets through, and why so much."""
    sizing = judged.plan.sizing
    plan = sizing.usage_plan
    why = "as much as the reservation sustains"
    if sizing[PROCESS_WEBHOOK].reserved_concurrency is None:
        why = f"as much as {plan.burst:,} executions sustain; none is reserved, so the account's pool may give fewer"
    return (
        f"API Gateway admits {plan.rate_per_s:,g} webhooks/s, bursts of {plan.burst:,} and {plan.quota_per_day:,} a "
        f"day: {why}"
    )
