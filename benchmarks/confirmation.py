"""Confirm the sizing by simulation: at rates across its range, or in random environments.

Run from the top folder: python -m benchmarks.confirmation rates, or python -m benchmarks.confirmation random. Each run
continues where the last one stopped, and rewrites the table in benchmarks/results/. Delete the .jsonl file to start
again after a change of the sizing.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generator._format import percent, text_table
from generator.capacity import planning
from generator.capacity.sizing import SEND_NOTIFICATION, Sizing, size
from generator.config.files import read
from generator.config.schema import Environment
from generator.errors import GeneratorError
from generator.simulation import SimulationResult, simulate
from generator.stack.compose import compose
from generator.template.writing import render

RESULTS = Path("benchmarks/results")
SEED = 20_261_129
ROUND_RATES = (500, 1_000, 2_500, 5_000, 7_000, 10_000, 20_000, 25_000, 38_500, 50_000)
MODELS = {
    "webhook_throttle_probability": "ProcessWebhookFunction",
    "notification_wait_probability": SEND_NOTIFICATION,
    "stream_utilisation": "CheckAlertsFunction",
}
TITLES = {
    "webhook_throttle_probability": "throttled",
    "notification_wait_probability": "late",
    "stream_utilisation": "lanes busy",
}
Json = dict[str, Any]


def environment(settings: Json) -> Environment:
    """Return an environment with defaults for everything else."""
    return read({"name": "bench", "region": "us-east-1", **settings}, "bench")


def rates() -> list[int]:
    """Return 25 rates at equal ratios, the rate before each step of a reservation, and round ones."""
    steps = planning.steps(environment({"traffic": {"webhooks_per_hour": 100}}))
    spaced = {round(100 * 500 ** (number / 24)) for number in range(25)}
    return sorted({*spaced, *(rate - 1 for rate, _ in steps[1:-1]), *ROUND_RATES})


def rate_cases(limit: int) -> Iterator[tuple[str, Json]]:
    """Yield the default environment at each rate."""
    for rate in rates()[:limit]:
        yield f"{rate:,}/h", {"traffic": {"webhooks_per_hour": rate}}


def random_cases(limit: int) -> Iterator[tuple[str, Json]]:
    """Yield environments with random durations, batches, windows, shards, alerts and targets."""
    draw = random.Random(SEED)

    def between(low: float, high: float) -> float:
        return float(f"{low * (high / low) ** draw.random():.3g}")

    for number in range(limit):
        means_ms = {name: between(mean_ms / 3, mean_ms * 10) for name, mean_ms in DURATIONS_MS.items()}
        yield (
            f"{number}",
            {
                "traffic": {
                    "webhooks_per_hour": round(between(100, 50_000)),
                    "alerts_per_webhook": between(0.01, 1),
                },
                "targets": {"notification_wait_probability": between(0.001, 0.1)},
                "stream": {
                    "shards": draw.randint(1, 16),
                    "batch_size": round(between(1, 100)),
                    "batching_window_s": draw.randint(1, 10),
                },
                "functions": {
                    name: {"mean_duration_ms": mean_ms, "p95_duration_ms": round(mean_ms * 2.35, 1)}
                    for name, mean_ms in means_ms.items()
                },
            },
        )


DURATIONS_MS = {"process_webhook": 105, "check_alerts": 250, "send_notification": 300}


def confirm(settings: Json, budget_s: float, fewer: int) -> Json:
    """Return figures, predictions and simulated shares; with `fewer`, also those with that many notifiers less."""
    made = environment(settings)
    sizing = size(made)
    template = json.loads(render(compose(made, sizing)))
    found = {
        "reserved": [function.reserved_concurrency for function in sizing.functions],
        "targets": _measured(sizing, simulate(template, made, budget_s=budget_s, workers=1)),
    }
    units = (sizing[SEND_NOTIFICATION].reserved_concurrency or 0) - fewer
    if fewer and units > 0:
        template["Resources"][SEND_NOTIFICATION]["Properties"]["ReservedConcurrentExecutions"] = units
        less = simulate(template, made, budget_s=budget_s, workers=1)
        found["fewer"] = _measured(sizing, less)["notification_wait_probability"]
    return found


def _measured(sizing: Sizing, result: SimulationResult) -> Json:
    return {
        target.name: {
            "target": target.target,
            "predicted": sizing[MODELS[target.name]].predicted,
            "measured": target.measured.mean,
            "interval": target.measured.interval,
            "verdict": target.verdict,
            "replications": result.replications,
        }
        for target in result.targets
        if target.name in MODELS
    }


def table(found: list[Json], kind: str) -> str:
    """Return the results as text: a row for each case, and the verdicts in one line."""
    rows = []
    for one in found:
        if "refused" in one:
            continue
        cells = [one["name"], " ".join(map(str, one["reserved"]))]
        for name in MODELS:
            target = one["targets"][name]
            low, high = target["interval"] or (None, None)
            cells += [
                percent(target["predicted"] or 0),
                "-" if low is None else f"{percent(max(0, low))} to {percent(high)}",
                target["verdict"],
            ]
        rows.append(cells)
    header = ["case", "reserved"]
    for title in TITLES.values():
        header += [f"{title}: predicted", "simulated", "verdict"]
    verdicts = [target["verdict"] for one in found if "refused" not in one for target in one["targets"].values()]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in sorted(set(verdicts)))
    lines = [f"# {kind}", "", f"{len(rows)} cases: {counts}. {_summary(found)}", "", "```"]
    return "\n".join([*lines, *text_table(tuple(header), [tuple(row) for row in rows], right=()), "```", ""])


def _summary(found: list[Json]) -> str:
    late = [one["targets"]["notification_wait_probability"] for one in found if "refused" not in one]
    below = sum(1 for one in late if one["interval"] and one["predicted"] < one["interval"][0])
    text = f"The predicted share of late notifications is below the simulated interval in {below}."
    with_fewer = [one for one in found if one.get("fewer")]
    if with_fewer:
        too_many = [one["name"] for one in with_fewer if one["fewer"]["verdict"] == "met"]
        text += (
            f" SendNotification has more than one unit too many in {len(too_many)}: {', '.join(too_many) or 'none'}."
        )
    return text


def picture(found: list[Json], path: Path) -> None:
    """Draw the predicted share of late notifications and the simulated interval against the rate."""
    import matplotlib
    from matplotlib.figure import Figure

    from benchmarks.drawing import BAR, MARK, SETTINGS

    rows = sorted(
        (one["settings"]["traffic"]["webhooks_per_hour"], one["targets"]["notification_wait_probability"])
        for one in found
        if "refused" not in one
    )
    rates_per_h, targets = zip(*rows, strict=True)
    lows, highs = zip(*([100 * bound for bound in target["interval"]] for target in targets), strict=True)
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(9, 4), layout="constrained")
        axis = figure.subplots()
        axis.vlines(rates_per_h, lows, highs, color=BAR, linewidth=3, label="simulated, 95 % interval")
        predicted = [100 * target["predicted"] for target in targets]
        axis.plot(rates_per_h, predicted, ".", color=MARK, label="predicted")
        axis.axhline(100 * targets[0]["target"], color=MARK, linewidth=1, label="target")
        axis.set(xscale="log", xlabel="webhooks per hour", ylabel="notifications a second or more late, %")
        axis.set_ylim(0, 1.5)
        axis.set_xticks([100, 300, 1_000, 3_000, 10_000, 30_000], ["100", "300", "1,000", "3,000", "10,000", "30,000"])
        axis.minorticks_off()
        figure.legend(loc="outside upper right", ncols=3)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def main() -> None:
    """Continue the cases that the command line asks for."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.confirmation", description=__doc__)
    options.add_argument("kind", choices=["rates", "random"])
    options.add_argument("--budget", type=float, default=30.0, help="the most seconds for one simulation")
    options.add_argument("--limit", type=int, default=200, help="the most cases")
    chosen = options.parse_args()
    path = RESULTS / f"confirmation_{chosen.kind}.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {one["name"] for one in found}
    cases = rate_cases(chosen.limit) if chosen.kind == "rates" else random_cases(chosen.limit)
    for name, settings in cases:
        if name in done:
            continue
        try:
            one = confirm(settings, chosen.budget, 2 if chosen.kind == "random" else 0)
        except GeneratorError as error:
            one = {"refused": str(error)}
        found.append({"name": name, "settings": settings, **one})
        with path.open("a") as file:
            file.write(json.dumps(found[-1]) + "\n")
        title = "The default environment at rates across the range" if chosen.kind == "rates" else "Random environments"
        path.with_suffix(".md").write_text(table(found, title))
        if chosen.kind == "rates":
            picture(found, path.with_suffix(".svg"))
        print(name, one.get("reserved"), {key: value["verdict"] for key, value in one.get("targets", {}).items()})


if __name__ == "__main__":
    main()
