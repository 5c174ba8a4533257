"""Confirm the sizing by simulation: at rates across its range, or in random environments. Confirm the simulation too.

Run from the top folder: python -m benchmarks.confirmation rates, random or mutated. Each run
continues where the last one stopped, and rewrites the table in benchmarks/results/. After a change of the sizing, cases
that have other reservations than before are simulated again; the others get their new predictions. Delete the .jsonl
file to start again after a change of the simulation.

Each case is simulated until its targets are decided or a number of webhooks is reached, so the results do not depend on
the machine. Rates are simulated as `generator simulate` does, hour by hour with the step to the peak. Random
environments are simulated at a steady peak. Mutated templates have other limits than the sizing chose; a run that
decides is compared with one that is ten times longer, so that "met" is never printed where a long run misses.
"""

from __future__ import annotations

import argparse
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generator._format import joined, percent, text_table
from generator.capacity import planning
from generator.capacity.sizing import SEND_NOTIFICATION, Sizing, size
from generator.config.files import read
from generator.config.schema import Environment
from generator.errors import GeneratorError
from generator.simulation import read_topology
from generator.simulation.network import Task
from generator.simulation.replication import replicate
from generator.simulation.statistics import is_settled
from generator.simulation.targets import Target, judge_targets
from generator.simulation.workload import Profile, Steady, profile
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
FIRST_LOOK = 6
SHORT_WEBHOOKS = 20_000
"""Webhooks of a replication at a steady peak."""

SHORT_S = 180.0
"""Simulated time of a replication of a mutated template."""

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


def confirm(settings: Json, most_webhooks: float, fewer: int) -> Json:
    """Return figures, predictions and simulated shares; with `fewer`, also those with that many notifiers less."""
    made = environment(settings)
    sizing = size(made)
    template = json.loads(render(compose(made, sizing)))
    rates = Steady(made.peak_rate_per_s) if fewer else profile(made, "peak")
    found: Json = {
        "reserved": [function.reserved_concurrency for function in sizing.functions],
        "targets": _measured(sizing, *simulated(template, made, rates, most_webhooks, [*MODELS])),
    }
    units = (sizing[SEND_NOTIFICATION].reserved_concurrency or 0) - fewer
    if fewer and units > 0:
        template["Resources"][SEND_NOTIFICATION]["Properties"]["ReservedConcurrentExecutions"] = units
        late = "notification_wait_probability"
        found["fewer"] = _measured(sizing, *simulated(template, made, rates, most_webhooks, [late]))[late]
    return found


def is_unchanged(one: Json) -> bool:
    """Update the predictions of a case. Return whether its reservations are the ones that were simulated."""
    if "refused" in one:
        return True
    sizing = size(environment(one["settings"]))
    for name, target in one["targets"].items():
        target["predicted"] = sizing[MODELS[name]].predicted
    return one["reserved"] == [function.reserved_concurrency for function in sizing.functions]


def simulated(
    template: Json,
    made: Environment,
    rates: Profile,
    most_webhooks: float,
    names: list[str],
    duration_s: float = 3600.0,
) -> tuple[list[Target], int]:
    """Run replications until the named targets are decided or there are enough webhooks. Return targets and number."""
    is_steady = isinstance(rates, Steady) and rates.warm_up_per_s is None
    duration_s = min(3600.0, SHORT_WEBHOOKS / made.peak_rate_per_s) if is_steady else duration_s
    task = Task(read_topology(template), made, rates, duration_s, 1)
    runs, look = [], FIRST_LOOK
    while True:
        while len(runs) < look:
            runs.append(replicate(task, len(runs)))
        targets = judge_targets(task, runs)
        is_enough = sum(run.gateway["offered"] for run in runs) >= most_webhooks
        if is_enough or all(is_settled(one.target, one.measured) for one in targets if one.name in names):
            return targets, len(runs)
        look = math.ceil(look * 1.5)


def _measured(sizing: Sizing, targets: list[Target], replications: int) -> Json:
    return {
        target.name: {
            "target": target.target,
            "predicted": sizing[MODELS[target.name]].predicted,
            "measured": target.measured.mean,
            "interval": target.measured.interval,
            "verdict": target.verdict,
            "replications": replications,
        }
        for target in targets
        if target.name in MODELS
    }


def mutated_cases(limit: int) -> Iterator[tuple[str, Json]]:
    """Yield an environment and a few changes of its template, each with resource, property and value."""
    draw = random.Random(SEED + 1)
    for number in range(limit):
        rate = round(200 * 50 ** draw.random())
        menu = [
            ("ProcessWebhookFunction", "ReservedConcurrentExecutions", draw.randint(1, 8)),
            ("CheckAlertsFunction", "ReservedConcurrentExecutions", draw.randint(1, 6)),
            (SEND_NOTIFICATION, "ReservedConcurrentExecutions", draw.randint(1, 4)),
            ("ProcessWebhookFunction", "Timeout", draw.choice([0.2, 0.4, 0.8, 3])),
            (SEND_NOTIFICATION, "Timeout", draw.choice([0.6, 1, 2, 10])),
            ("CheckAlertsEventSourceMapping", "BatchSize", draw.choice([1, 3, 30, 100])),
            ("CheckAlertsEventSourceMapping", "ParallelizationFactor", draw.randint(1, 5)),
            ("CheckAlertsEventSourceMapping", "MaximumBatchingWindowInSeconds", draw.randint(0, 5)),
            ("WebhookUsagePlan", "Throttle", {"RateLimit": draw.randint(1, 40), "BurstLimit": draw.randint(1, 20)}),
        ]
        yield (
            f"{number}",
            {
                "traffic": {"webhooks_per_hour": rate, "webhooks_per_burst": draw.choice([1, 1, 1, 2])},
                "simulation": {"warm_up_s": 60, "sender_retries": draw.random() < 0.5},
                "mutations": draw.sample(menu, draw.randint(1, 3)),
            },
        )


def contradict(settings: Json, most_webhooks: float) -> Json:
    """Return the verdicts on a mutated template by a run that decides, and by one that is ten times longer."""
    made = environment({name: value for name, value in settings.items() if name != "mutations"})
    template = json.loads(render(compose(made, size(made))))
    for resource, key, value in settings["mutations"]:
        template["Resources"][resource]["Properties"][key] = value
    rates = profile(made, "peak")
    short, replications = simulated(template, made, rates, most_webhooks, [*MODELS], SHORT_S)
    task = Task(read_topology(template), made, rates, SHORT_S, 2)
    long = judge_targets(task, [replicate(task, number) for number in range(10 * replications)])
    verdicts = {
        one.name: [one.verdict, other.verdict, one.measured.mean, other.measured.mean]
        for one, other in zip(short, long, strict=True)
    }
    return {"verdicts": verdicts, "replications": replications}


def contradictions(found: list[Json]) -> str:
    """Return as text how often both runs agree, and each case in which only the short run finds a target met."""
    pairs = [(one["name"], name, pair) for one in found for name, pair in one["verdicts"].items() if name in MODELS]
    wrong = [f"- template {case}: {name}" for case, name, pair in pairs if pair[:2] == ["met", "missed"]]
    agree = sum(pair[0] == pair[1] for _, _, pair in pairs)
    lines = [
        "# Mutated templates",
        "",
        f"{len(found)} templates with {len(pairs)} verdicts. In {agree}, the run that decides and one that is ten "
        f"times longer agree. The first finds a target met that the second finds missed in {len(wrong)}.",
        "",
        *wrong,
    ]
    return "\n".join(lines).rstrip() + "\n"


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
    shown = [one["targets"] for one in found if "refused" not in one]
    below = []
    for name, title in TITLES.items():
        measured = [one[name] for one in shown if one[name]["interval"]]
        below.append(f"{title} {sum(one['predicted'] < one['interval'][0] for one in measured)}")
    text = f"Predictions below the simulated interval: {joined(below)}."
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
    options.add_argument("kind", choices=["rates", "random", "mutated"])
    options.add_argument("--webhooks", type=float, default=6e6, help="the most webhooks for one simulation")
    options.add_argument("--limit", type=int, default=200, help="the most cases")
    options.add_argument("--again", action="store_true", help="simulate inconclusive cases again, with more webhooks")
    chosen = options.parse_args()
    path = RESULTS / f"confirmation_{chosen.kind}.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    cases = dict({"rates": rate_cases, "random": random_cases, "mutated": mutated_cases}[chosen.kind](chosen.limit))
    if chosen.again:
        found = [one for one in found if "inconclusive" not in _verdicts(one).values()]
    if chosen.kind != "mutated":
        found = [one for one in found if one["name"] in cases and is_unchanged(one)]
    path.write_text("".join(json.dumps(one) + "\n" for one in found))
    done = {one["name"] for one in found}
    for name, settings in cases.items():
        if name in done:
            continue
        try:
            one = _run(chosen.kind, settings, chosen.webhooks)
        except GeneratorError as error:
            one = {"refused": str(error)}
        found.append({"name": name, "settings": settings, **one})
        with path.open("a") as file:
            file.write(json.dumps(found[-1]) + "\n")
        write(found, chosen.kind, path)
        print(name, one.get("reserved"), one.get("verdicts") or _verdicts(one), flush=True)


def _run(kind: str, settings: Json, most_webhooks: float) -> Json:
    if kind == "mutated":
        return contradict(settings, most_webhooks)
    return confirm(settings, most_webhooks, 2 if kind == "random" else 0)


def _verdicts(one: Json) -> Json:
    return {key: value["verdict"] for key, value in one.get("targets", {}).items()}


def _order(one: Json) -> int:
    return int(one["name"].removesuffix("/h").replace(",", ""))


def write(found: list[Json], kind: str, path: Path) -> None:
    """Write the table of all results so far, in order, and the picture of the rates."""
    found = sorted(found, key=_order)
    titles = {"rates": "The default environment at rates across the range", "random": "Random environments"}
    shown = [one for one in found if "refused" not in one]
    text = table(found, titles[kind]) if kind in titles else contradictions(shown)
    path.with_suffix(".md").write_text(text)
    if kind == "rates":
        picture(found, path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
