"""The data of `generator explore`: sliders for the settings of an environment, and the results of their positions.

Every figure comes from the functions behind `generator size` and the review page. The browser only draws it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from generator import plans
from generator._format import duration, number, percent, usd
from generator.capacity import planning
from generator.config import files
from generator.config.schema import WEBHOOKS_PER_HOUR, Environment
from generator.errors import Fault, InvalidEnvironment
from generator.report import sizing_table
from generator.report.bill import bill, total_usd
from generator.report.capacity_section import one_less, quota_parts
from generator.report.cost_section import by_service, cost_line
from generator.template.evaluation import one_deployment
from generator.template.reading import parse

POSITIONS = 60
"""Positions of a slider, before the environment's own value is added."""


@dataclass(frozen=True, slots=True)
class Slider:
    """A setting to vary from low to high in equal factors. `unit` follows the value; "share" is shown in percent."""

    group: str
    key: str
    label: str
    unit: str
    low: float
    high: float

    def data(self, environment: Environment) -> dict[str, Any]:
        """Return the slider for the page: its values, rounded to two digits, with the environment's own among them."""
        own = attrgetter(self.key)(environment)
        factor, kind = (self.high / self.low) ** (1 / POSITIONS), int if isinstance(own, int) else float
        values = sorted({kind(float(f"{self.low * factor**step:.2g}")) for step in range(POSITIONS + 1)} | {own})
        return {
            "group": self.group,
            "key": self.key,
            "label": self.label,
            "values": values,
            "shown": [self._shown(value) for value in values],
            "own": values.index(own),
        }

    def _shown(self, value: float) -> str:
        if self.unit == "share":
            return percent(value)
        return duration(value / 1000) if self.unit == "ms" else f"{number(value)} {self.unit}".strip()


SLIDERS = (
    Slider("Traffic", "traffic.webhooks_per_hour", "Rate", "webhooks/h", *WEBHOOKS_PER_HOUR),
    Slider("Traffic", "traffic.peak_factor", "Peak factor", "x the mean", 1, 20),
    Slider("Traffic", "traffic.webhooks_per_burst", "Webhooks at once", "on average", 1, 50),
    Slider("Traffic", "traffic.alerts_per_webhook", "Alerts per webhook", "", 0.001, 1),
    Slider("Traffic", "traffic.alerts_per_crossing", "Alerts at once", "on average", 1, 100),
    Slider("Mean durations", "functions.process_webhook.mean_duration_ms", "ProcessWebhook", "ms", 10, 10_000),
    Slider("Mean durations", "functions.check_alerts.mean_duration_ms", "CheckAlerts, a batch", "ms", 10, 10_000),
    Slider("Mean durations", "functions.send_notification.mean_duration_ms", "SendNotification", "ms", 10, 10_000),
    Slider("Targets", "targets.webhook_throttle_probability", "Webhooks throttled, at most", "share", 1e-7, 0.1),
    Slider("Targets", "targets.notification_wait_probability", "Notifications late, at most", "share", 1e-5, 0.5),
    Slider("Targets", "targets.stream_utilisation", "Busiest lanes busy, at most", "share", 0.05, 0.95),
    Slider("Account", "account.concurrency_limit", "Concurrency limit", "executions", 10, 10_000),
)


def start(name: str) -> dict[str, Any]:
    """Return the sliders of an environment, each with its values and the position of the environment's own.

    Raises InvalidEnvironment.
    """
    (environment,) = files.load_named([name])
    return {"environment": name, "sliders": [slider.data(environment) for slider in SLIDERS]}


def answer(name: str, changes: Sequence[str]) -> dict[str, Any]:
    """Return sizing, quota, cost and TOML lines for the environment with the changes, each KEY=VALUE of a slider.

    Raises InvalidEnvironment or UnsizableLoad.
    """
    (unchanged,) = files.load_named([name])
    overrides = _overrides(unchanged, changes)
    (judged,) = plans.prepare([name], overrides)
    environment = judged.environment
    template = one_deployment(parse(json.loads(plans.render(judged.plan))))
    items, reasons = bill(template, environment), []
    for function in judged.plan.sizing.functions:
        less = "" if function.reserved_concurrency is None else one_less(environment, function).replace("*", "")
        reasons.append(f"{function.reason}. With one less, {less}." if less else f"{function.reason}.")
    return {
        "size": sizing_table.as_dict(judged),
        "fits": judged.verdict.fits,
        "missed": [function.logical_id for function in judged.plan.sizing.functions if function.misses_target],
        "quota": [{"count": count, "meaning": meaning} for _, count, meaning in quota_parts(judged)],
        "refusal": "\n".join(plans.refusals([judged])),
        "header": sizing_table.HEADER,
        "functions": [sizing_table.row(function) for function in judged.plan.sizing.functions],
        "reasons": reasons,
        "admission": sizing_table.admission(judged),
        "total_usd": str(total_usd(items)),
        "cost": cost_line(environment, items).replace("*", "").replace("`", ""),
        "services": [
            {"name": service, "usd": str(amount), "shown": usd(amount)} for service, amount in by_service(items)
        ],
        "toml": "\n\n".join(map("\n".join, files.toml_tables(overrides))),
        "command": shlex.join(["generator", "size", name, *(word for over in overrides for word in ("--set", over))]),
    }


def staircase(name: str, changes: Sequence[str]) -> dict[str, Any]:
    """Return each function's reservation at each rate at which one rises, and the account's reservable concurrency.

    Raises InvalidEnvironment or UnsizableLoad.
    """
    (unchanged,) = files.load_named([name])
    (judged,) = plans.prepare([name], _overrides(unchanged, changes))
    rates, reserved = planning.staircase(judged.environment)
    reservable = judged.verdict.account.reservable - judged.reserved_by_neighbours
    return {"rates": rates, "reserved": reserved, "reservable": reservable}


def _overrides(environment: Environment, changes: Iterable[str]) -> list[str]:
    """Return the changes as overrides. A changed mean duration scales the 95th percentile with it.

    Raises InvalidEnvironment for a key without a slider.
    """
    overrides: dict[str, object] = {}
    for change in changes:
        key, value = files.parse_override(change)
        if key not in {slider.key for slider in SLIDERS}:
            raise InvalidEnvironment([Fault(key, "no slider has this setting", "use generator size --set")])
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
            raise InvalidEnvironment([Fault(f"--set {key}", f"{str(value)[:40]} is not a number", "move the slider")])
        overrides[key] = value
        if key.endswith(".mean_duration_ms"):
            p95 = key.replace("mean", "p95")
            overrides[p95] = round(attrgetter(p95)(environment) * value / attrgetter(key)(environment))
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
