"""The page's sections on sizing and on the account's quota."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import starmap

from generator._format import (
    code,
    duration,
    markdown_details,
    markdown_table,
    number,
    percent,
    rate,
    significant,
    text_table,
)
from generator.capacity.functions import FunctionSizing
from generator.capacity.sizing import CHECK_ALERTS, Sizing, with_units
from generator.config.schema import Environment
from generator.plans import JudgedPlan
from generator.report import sizing_table
from generator.template.model import Template

BAR_WIDTH = 60


def sizing_lines(template: Template, judged: JudgedPlan) -> list[str]:
    """Return the limits of the usage plan and the batching window, and a folded table of models and inputs."""
    sizing = judged.plan.sizing
    total = ("**Total**", *("" for _ in sizing_table.HEADER[2:]), f"**{sizing.total_reserved:,}**")
    rows = [sizing_table.row(function) for function in sizing.functions]
    reasons = [
        (function.logical_id, function.reason, ", ".join(starmap(_input, function.inputs.items())))
        for function in sizing.functions
    ]
    derivation = [
        *markdown_table(sizing_table.HEADER, [*rows, total], sizing_table.RIGHT),
        "",
        *(f"- **{term}**: {meaning}" for term, meaning in sizing_table.legend(sizing)),
        "",
        *markdown_table(("Function", "Reason", "Inputs"), reasons),
    ]
    return [
        f"{sizing_table.admission(judged)} {sizing_table.BEST_EFFORT}",
        "",
        *_batching_window(template, sizing),
        "",
        *markdown_details("Model, target, reason and inputs of each reservation", derivation),
    ]


def reservation_lines(judged: JudgedPlan) -> list[str]:
    """Return a table of each reservation's effect, and the effect of one execution less."""
    environment, rows = judged.environment, []
    for function in judged.plan.sizing.functions:
        cells = "shared", "shares the unreserved concurrency of the account", "-"
        if (units := function.reserved_concurrency) is not None:
            now = _effect(with_units(environment, function, units, ""))
            cells = f"**{units:,}**", now, one_less(environment, function)
        rows.append((function.logical_id, *cells))
    return markdown_table(("Function", "Reserved", "At the peak", "With one less"), rows, right=[1])


def one_less(environment: Environment, function: FunctionSizing) -> str:
    """Return the effect of one execution less, compared with the target. The function must have a reservation."""
    units = (function.reserved_concurrency or 0) - 1
    if units < 1:
        return "0: it would never run"
    less = with_units(environment, function, units, "")
    text = f"{units:,}: {_effect(less)}"
    if function.target is None or less.misses_target:
        return text
    split = "; none would be left for a shard split" if function.logical_id == CHECK_ALERTS else ""
    return f"{text}, within the target of {percent(function.target)}{split}"


def _effect(function: FunctionSizing) -> str:
    """Return the effect of the reservation at the peak in words, with the target if it is missed."""
    text = function.reason.partition("at the peak ")[2]
    if not function.misses_target:
        return text
    target = percent(function.target or 0)
    just = "just " if percent(function.predicted or 0) == target else ""
    return f"{text}, {just}**above** the target of {target}"


def quota_lines(judged: JudgedPlan) -> list[str]:
    """Return the account's concurrency as a bar, and its parts as a table."""
    account, parts = judged.verdict.account, quota_parts(judged)
    bar = _bar([(mark, count) for mark, count, _ in parts])
    legend = text_table((), [(mark, f"{count:,}", meaning) for mark, count, meaning in parts], right=[1])
    return [
        "```text",
        f"[{bar}] {account.concurrency_limit:,} concurrent executions",
        *(f"  {line}" for line in legend),
        "```",
        "",
        sizing_table.FREE_OF_CHARGE,
    ]


def quota_parts(judged: JudgedPlan) -> list[tuple[str, int, str]]:
    """Return the parts of the account's concurrency, each with a mark, a count and its meaning."""
    verdict = judged.verdict
    account = verdict.account
    neighbours = ", ".join(judged.neighbours) or "other environments here"
    return [
        ("#", judged.plan.sizing.total_reserved, f"reserved by {judged.name}"),
        ("+", judged.reserved_by_neighbours, f"reserved by {neighbours}"),
        ("x", account.reserved_elsewhere, "reserved elsewhere in the account"),
        ("=", account.unreserved_floor, "kept unreserved by AWS (the floor)"),
        (".", max(0, verdict.headroom), "still reservable"),
    ]


def _input(name: str, value: float) -> str:
    units = {"_per_s": rate, "_s": duration, "_share": percent}
    ending = next((ending for ending in units if name.endswith(ending)), "")
    shown = units.get(ending, number if value == int(value) else significant)
    return f"{name.removesuffix(ending).replace('_', ' ')} {shown(value)}"


def _batching_window(template: Template, sizing: Sizing) -> Iterator[str]:
    """Yield the latency that each window adds, and the reason for it if the lanes need full batches."""
    stream = sizing[CHECK_ALERTS]
    utilization, target = (stream.predicted or 0) * stream.inputs["busiest_shard_records_per_batch"], stream.target or 1
    busy = "all the time" if utilization >= 1 else f"{percent(utilization)} of the time"
    reason = (
        f"Without it, batches of one price would keep the busiest lanes busy {busy}; the target is {percent(target)}."
    )
    for name, mapping in template.properties_of("AWS::Lambda::EventSourceMapping").items():
        if window_s := mapping.get("MaximumBatchingWindowInSeconds", 0):
            delay = f"The batching window of {code(name)} adds up to {window_s} s to every alert."
            yield f"{delay} {reason}" if utilization > target else delay


def _bar(parts: Iterable[tuple[str, int]]) -> str:
    """Draw each part that is not 0 with at least one character; the last part takes what rounding leaves."""
    *taken, (rest, free) = [(mark, count) for mark, count in parts if count or mark == "."]
    total = sum(count for _, count in taken) + free or 1
    text = "".join(mark * max(1, round(count * BAR_WIDTH / total)) for mark, count in taken)
    return (text + rest * (BAR_WIDTH - len(text)))[:BAR_WIDTH] if free else text
