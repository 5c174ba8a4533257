"""The report of a simulation for people."""

from __future__ import annotations

from collections.abc import Iterator

from generator._format import counted, duration, percent, significant, text_table, visible
from generator.simulation.result import SimulationResult
from generator.simulation.statistics import NEAR, TargetVerdict
from generator.simulation.targets import Target

RESERVED = "reserved_concurrency"
"""The one target that is a number of executions. All others are shares."""

TITLES = {
    RESERVED: "reserved concurrency",
    "webhook_throttle_probability": "webhooks throttled or timed out",
    "notification_wait_probability": "notifications a second late",
    "stream_utilisation": "busiest shard's lanes in use",
}


def as_text(result: SimulationResult) -> str:
    """Return the report: the verdicts first, then a table of the functions and a summary of the other stages."""
    head = (
        f"{result['environment']}, workload {result['workload']}: {result.replications} replications of "
        f"{duration(result.hours * 3600)}, seed {result.seed}"
    )
    notes = ["", "not simulated:", *(f"  {note}" for note in result.notes)] if result.notes else []
    lines = [head, "", *_targets(result), "", *_functions(result), "", *_flow(result), *notes]
    return "\n".join(map(visible, lines))


def _targets(result: SimulationResult) -> Iterator[str]:
    rows = [
        (
            TITLES[target.name],
            _value(target, target.target),
            _value(target, target.measured.mean),
            _interval(target),
            target.verdict,
        )
        for target in result.targets
    ]
    yield from text_table(("target", "at most", "measured", "95 % interval", "verdict"), rows, right=(1, 2, 3))
    for target in result.targets:
        if comment := _comment(target):
            yield f"{TITLES[target.name]}: {comment}"


def _comment(target: Target) -> str:
    if target.verdict is TargetVerdict.MET:
        return ""
    if target.verdict is TargetVerdict.AT_TARGET:
        passes = "at the target, which passes; the measured value is within 5 % of it"
        multiple = (target.measured.high or 0.0) / target.target
        if multiple <= 1 + NEAR:
            return passes
        return f"{passes}, its interval reaches {significant(multiple)} times it; more time or replications may decide"
    if target.verdict is TargetVerdict.MISSED:
        return f"missed; change first: {'; also '.join(limit.text for limit in target.limits)}"
    if target.measured.mean is None:
        return "inconclusive; nothing was measured"
    if target.replications_needed is None:
        return "inconclusive; no reasonable number of replications would decide"
    return f"inconclusive; about {target.replications_needed:,} replications would decide"


def _functions(result: SimulationResult) -> list[str]:
    header = "function", "reserved", "concurrency", "peak", "invocations", "throttles", "cold starts", "warm instances"
    rows = [
        (
            name,
            "shared" if result.chart.reserved[name] is None else f"{result.chart.reserved[name]:,}",
            f"{function['concurrency']['mean']:,.2f}",
            f"{function['concurrency']['peak']:,}",
            f"{function['invocations']:,}",
            f"{function['throttles']:,}",
            _share(function["cold_start_probability"]),
            f"{function['environments']['mean']:,.1f}",
        )
        for name, function in result["functions"].items()
    ]
    return text_table(header, rows, right=range(1, len(header)))


def _flow(result: SimulationResult) -> Iterator[str]:
    webhooks, alerts, stream = result["webhooks"], result["alerts"], result["stream"]
    yield (
        f"webhooks: {webhooks['offered']:,} offered, {webhooks['accepted']:,} accepted, "
        f"{webhooks['throttled_at_gateway']:,} throttled by API Gateway, "
        f"{webhooks['throttled_at_lambda']:,} throttled by Lambda"
    )
    lost = (("webhook", "timed out", webhooks["failed"]), ("record", "expired", stream["dropped"]))
    if any(count for _, _, count in lost):
        yield "lost: " + ", ".join(f"{counted(count, noun)} {fate}" for noun, fate, count in lost if count)
    if alerts["dropped"]:
        kept = "Lambda passes each to the function's failure destination, if it has one"
        yield f"given up after all retries: {counted(alerts['dropped'], 'notification')}; {kept}"
    yield f"webhook to answer: {_latency(webhooks['latency_ms'])}; {_share(webhooks['later_than_3_s'])} later than 3 s"
    yield f"webhook to SMS: {_latency(alerts['latency_ms'])} ({alerts['notified']:,} notified)"
    age = stream["iterator_age_ms"]
    if age["max"] is not None:
        yield f"stream iterator age: p99 {_time(age['p99'])}, maximum {_time(age['max'])}"


def _latency(latency_ms: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {_time(value)}" for name, value in latency_ms.items())


def _time(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else duration(milliseconds / 1000)


def _interval(target: Target) -> str:
    low, high = target.measured.low, target.measured.high
    return "-" if low is None or low == high else f"{_value(target, low)} to {_value(target, high)}"


def _value(target: Target, value: float | None) -> str:
    if target.name == RESERVED and value is not None:
        return f"{value:,.0f}"
    return _share(value)


def _share(share: float | None) -> str:
    return "-" if share is None else percent(share)
