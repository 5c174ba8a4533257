"""The settings that affect a simulation, and the notes on those that do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from generator.config import fields
from generator.config.schema import Environment
from generator.config.validation import MAX_LOGNORMAL_P95_OVER_MEAN
from generator.simulation import simulate
from generator.simulation.coverage import SIMULATED_SETTINGS
from tests.conftest import FIXTURES, environment_of

Run = Callable[..., Result]


class Recorder:
    """An environment that records which of its settings are read."""

    def __init__(self, inner: Any, read: set[str], path: str = "") -> None:
        self.inner, self.read, self.path = inner, read, path

    def __getattr__(self, name: str) -> Any:
        stated = getattr(type(self.inner), name, None)
        if isinstance(stated, property):
            return stated.fget(self)  # type: ignore[misc]
        found, key = getattr(self.inner, name), self.path + name
        if hasattr(found, "_fields"):
            return Recorder(found, self.read, f"{key}.")
        self.read.add(key)
        return found


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return all settings that any workload reads."""
    trace = tmp_path_factory.mktemp("trace") / "trace.csv"
    trace.write_text("0,5\n60,7\n")
    found: set[str] = set()
    template = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    recorder: Any = Recorder(environment_of("dev"), found)
    for workload, hours in ((None, 0.02), ("poisson", 0.02), ("day", 0.02), ("spike", 0.2), ("trace", 0.02)):
        simulate(
            template,
            recorder,
            workload=workload,
            trace=trace if workload == "trace" else None,
            hours=hours,
            replications=2,
            workers=1,
        )
    return found


def test_simulated_settings_are_exactly_those_that_are_read(read: set[str]) -> None:
    assert set(fields.keys(Environment)) >= SIMULATED_SETTINGS
    assert read - {"name"} == SIMULATED_SETTINGS


def test_the_largest_p95_that_an_environment_may_state_is_simulated() -> None:
    """Rounding puts the term under the root, which is 0 there, below 0."""
    template = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    check_alerts = ("mean_duration_ms=16.6", f"p95_duration_ms={16.6 * MAX_LOGNORMAL_P95_OVER_MEAN!r}")
    dev = environment_of("dev", "simulation.warm_up_s=1", *(f"functions.check_alerts.{one}" for one in check_alerts))
    result = simulate(template, dev, workload="poisson", hours=0.002, replications=2, workers=1)
    assert "CheckAlertsFunction" in result["functions"]


@pytest.mark.slow
def test_an_override_without_effect_gets_a_note_with_a_remedy(generator: Run) -> None:
    sets = ("--set", "stream.batch_size=20", "--set", "account={name='xy',concurrency_limit=900}")
    plain, done = (
        generator("simulate", "dev", "--hours", "0.02", "--replications", "2", *more)
        for more in ((), ("--set", "account.concurrency_limit=900", *sets))
    )
    assert "no effect" not in plain.stdout
    assert (
        "  --set stream.batch_size: no effect; the simulation reads the template, not this setting. To try it, run: "
        "generator template dev --set stream.batch_size=20 --output DIR, then add --template DIR/dev.json\n"
    ) in done.stdout
    assert "--set account.name: no effect" in done.stdout
    assert done.stdout.count("no effect") == 2
    assert plain.exit_code == done.exit_code == 0


def test_the_note_has_no_remedy_for_another_template(generator: Run) -> None:
    options = ("--template", "templates_out/dev.json", "--set", "stream.batch_size=20")
    done = generator("simulate", "dev", "--hours", "0.02", "--replications", "2", "--format", "json", *options)
    notes = json.loads(done.stdout)["not_simulated"]
    assert notes == ["--set stream.batch_size: no effect; the simulation reads the template, not this setting"]


def test_a_long_simulation_is_announced() -> None:
    template = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    dev = environment_of("dev")
    warnings: list[str] = []

    def stop(text: str) -> None:
        warnings.append(text)
        raise KeyboardInterrupt

    simulate(template, dev, workload="poisson", hours=0.1, replications=2, workers=1, warn=stop)
    assert warnings == []
    with pytest.raises(KeyboardInterrupt):
        simulate(template, dev, workload="poisson", hours=744, replications=500, workers=1, warn=stop)
    assert warnings == [
        "about 74,400 webhooks in each of 500 replications take a minute or more; lower --hours or --replications to "
        "finish sooner"
    ]
