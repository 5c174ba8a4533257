"""The sizing and the account's headroom, for a reviewer."""

from __future__ import annotations

from collections.abc import Iterable

from generator._format import percent
from generator.capacity.sizing import CHECK_ALERTS, FunctionSizing, Sizing
from generator.plans import JudgedPlan
from generator.report import sizing_table
from generator.report.markdown import code, table
from generator.report.usage import Template, of_type

BAR_WIDTH = 60

FREE_OF_CHARGE = (
    "Reserved concurrency itself costs nothing. What it costs is the pool that every other function in the account "
    "shares, and a cap on the function that holds it."
)


def sizing_lines(template: Template, judged: JudgedPlan) -> list[str]:
    """Each function's figure with its model, its target, its inputs and its reason."""
    sizing = judged.plan.sizing
    total = ("**Total**", *("" for _ in sizing_table.HEADER[2:]), f"**{sizing.total_reserved}**")
    rows = [sizing_table.row(function) for function in sizing.functions]
    models = {"Load", *(function.model for function in sizing.functions)}
    return [
        *table(sizing_table.HEADER, [*rows, total], right=(1, 2, 4, 5, 6)),
        "",
        *(f"- **{term}**: {meaning}" for term, meaning in sizing_table.LEGEND.items() if term in models),
        "",
        "Why, and from which inputs:",
        "",
        *table(("Function", "Reason", "Inputs"), [_why(function) for function in sizing.functions]),
        "",
        *_window(template, sizing),
        "",
        f"{sizing_table.admission(judged)}. The excess is told 429.",
    ]


def headroom_lines(judged: JudgedPlan) -> list[str]:
    """The account's concurrency, as a bar and as a sum."""
    verdict = judged.verdict
    account, own = verdict.account, judged.plan.sizing.total_reserved
    parts = [
        ("#", f"reserved by {judged.name}", own),
        ("+", "reserved by " + (", ".join(_neighbours(judged)) or "other environments here"), verdict.total - own),
        ("x", "reserved elsewhere in the account", account.reserved_elsewhere),
        ("=", "floor that AWS keeps unreserved", account.unreserved_floor),
        (".", "free to reserve", max(0, verdict.headroom)),
    ]
    bar = _bar([(mark, count) for mark, _, count in parts])
    width = max(len(f"{count:,}") for _, _, count in parts)
    return [
        "```text",
        f"[{bar}] {account.concurrency_limit:,} concurrent executions",
        *(f"  {mark} {count:>{width},}  {what}" for mark, what, count in parts),
        "```",
        "",
        f"{verdict.total:,} of {account.reservable:,} reservable are reserved, {verdict.headroom:,} are left "
        f"(account {code(account.name)} in {account.region}). {FREE_OF_CHARGE}",
    ]


def _why(function: FunctionSizing) -> tuple[str, str, str]:
    return function.logical_id, function.reason, ", ".join(_input(*item) for item in function.inputs.items())


def _input(name: str, value: float) -> str:
    """The unit that ends the name follows the figure."""
    for ending, unit in (("_per_s", "/s"), ("_s", " s")):
        if name.endswith(ending):
            return f"{name.removesuffix(ending).replace('_', ' ')} {value:.4g}{unit}"
    return f"{name.replace('_', ' ')} {value:g}"


def _window(template: Template, sizing: Sizing) -> Iterable[str]:
    """What the window costs, and what for where batches of one price would be too many for the lanes."""
    stream = sizing[CHECK_ALERTS]
    alone, target = (stream.predicted or 0) * stream.inputs["batch_size"], stream.target or 1
    busy = "all the time" if alone >= 1 else f"{percent(alone)} of the time"
    one_by_one = f"batches of one price would keep the busiest lanes busy {busy}, and the target is {percent(target)}"
    for name, mapping in of_type(template, "AWS::Lambda::EventSourceMapping").items():
        if window_s := mapping.get("MaximumBatchingWindowInSeconds", 0):
            delay = f"The batching window of {code(name)} adds up to {window_s} s to every alert"
            yield f"{delay}{f': without it, {one_by_one}' if alone > target else ''}."


def _neighbours(judged: JudgedPlan) -> list[str]:
    names = (plan.environment.name for plan in judged.verdict.plans)
    return [name for name in names if name != judged.name]


def _bar(parts: Iterable[tuple[str, int]]) -> str:
    """One character at least for whatever is there; the last part, which is free, takes what rounding leaves."""
    *taken, (rest, free) = [(mark, count) for mark, count in parts if count or mark == "."]
    total = sum(count for _, count in taken) + free or 1
    text = "".join(mark * max(1, round(count * BAR_WIDTH / total)) for mark, count in taken)
    return (text + rest * (BAR_WIDTH - len(text)))[:BAR_WIDTH] if free else text
