"""A simulation's result as a report for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generator.simulation.result import Result
from generator.simulation.verdict import INCONCLUSIVE, MISSED, Target

TITLES = {
    "reserved_concurrency": "reserved, of what can be reserved",
    "webhook_throttle_probability": "webhooks throttled or cut",
    "notification_wait_probability": "notifications that waited",
    "stream_utilisation": "busiest shard's lanes in use",
}


def as_text(result: Result) -> str:
    """The verdict first, then what each stage did; a few tables, at most 100 columns wide but for long names."""
    return "\n".join([*_head(result), *_targets(result), "", *_functions(result), "", *_flow(result), *_notes(result)])


def _head(result: Result) -> Iterator[str]:
    hours = f"{result.hours:g} h" if result.hours >= 1 else f"{result.hours * 60:g} min"
    yield (
        f"{result['environment']}, workload {result['workload']}: {result.replications} replications of {hours}, "
        f"seed {result.seed}"
    )
    yield ""


def _targets(result: Result) -> Iterator[str]:
    rows = [
        (TITLES[target.name], _number(target.target), _number(target.measured.mean), _interval(target), target.verdict)
        for target in result.targets
    ]
    yield from _table(("target", "at most", "measured", "95 % interval", "verdict"), rows)
    for target in result.targets:
        if target.verdict == MISSED:
            yield f"{TITLES[target.name]}: missed; first change {target.remedy}"
        elif target.measured.mean is None:
            yield f"{TITLES[target.name]}: nothing was measured"
        elif target.verdict == INCONCLUSIVE and target.replications_needed:
            yield f"{TITLES[target.name]}: about {target.replications_needed:,} replications would decide"
        elif target.verdict == INCONCLUSIVE:
            yield f"{TITLES[target.name]}: no reasonable number of replications would decide"


def _functions(result: Result) -> Iterator[str]:
    rows = [
        (
            name,
            "shared" if result.chart.reserved[name] is None else str(result.chart.reserved[name]),
            f"{function['concurrency']['mean']:.2f}",
            str(function["concurrency"]["peak"]),
            f"{function['invocations']:,}",
            f"{function['throttles']:,}",
            _number(function["cold_start_probability"]),
            f"{function['environments']['mean']:.1f}",
        )
        for name, function in result["functions"].items()
    ]
    columns = ("function", "reserved", "mean", "peak", "invocations", "throttles", "cold starts", "environments")
    yield from _table(columns, rows)


def _flow(result: Result) -> Iterator[str]:
    webhooks, alerts, stream = result["webhooks"], result["alerts"], result["stream"]
    yield (
        f"webhooks: {webhooks['offered']:,} offered, {webhooks['accepted']:,} accepted, throttled "
        f"{webhooks['throttled_at_gateway']:,} at the gateway and {webhooks['throttled_at_lambda']:,} at Lambda"
    )
    lost = {"webhooks cut at a timeout": webhooks["failed"], "records too old": stream["dropped"]}
    lost["notifications given up"] = alerts["dropped"]
    if any(lost.values()):
        yield "lost: " + ", ".join(f"{count:,} {what}" for what, count in lost.items() if count)
    yield f"from webhook to answer: {_latency(webhooks['latency_ms'])}"
    yield f"from webhook to SMS: {_latency(alerts['latency_ms'])} ({alerts['notified']:,} notified)"
    age = stream["iterator_age_ms"]
    if age["max"] is not None:
        yield f"stream: iterator age p99 {_time(age['p99'])}, at most {_time(age['max'])}"


def _notes(result: Result) -> Iterator[str]:
    if result.notes:
        yield ""
        yield "not simulated:"
        yield from (f"  {note}" for note in result.notes)


def _latency(latency_ms: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {_time(value)}" for name, value in latency_ms.items())


def _time(milliseconds: float | None) -> str:
    if milliseconds is None:
        return "-"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _interval(target: Target) -> str:
    low, high = target.measured.low, target.measured.high
    return "-" if low is None or low == high else f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as they need to be; names to the left, figures to the right."""
    widths = [max(len(row[column]) for row in (columns, *rows)) for column in range(len(columns))]
    for row in (columns, *rows):
        first, *others = (cell.ljust(widths[0]) if not at else cell.rjust(widths[at]) for at, cell in enumerate(row))
        yield "  ".join([first, *others]).rstrip()
