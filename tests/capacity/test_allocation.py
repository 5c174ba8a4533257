"""The allocation has the lowest cost of all splits, and the sizing describes it."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from math import isclose, prod
from pathlib import Path

import pytest
from click.testing import Result

from generator.capacity import arrivals, lanes, queueing
from generator.capacity.allocation import Curve, best_steps, curve_of, fit, minimum
from generator.capacity.quota import Plan, Verdict, judge
from generator.capacity.refusal import refusal
from generator.capacity.sizing import (
    CHECK_ALERTS,
    CLEANUP_HISTORY,
    PROCESS_WEBHOOK,
    SEND_NOTIFICATION,
    Sizing,
    size,
    webhook_loss,
)
from generator.config.files import read
from generator.config.schema import Environment
from generator.errors import UnsizableLoad
from tests.conftest import SCALE, snapshot

pytestmark = pytest.mark.slow

SEED = 20_261_124
INSTANCES = 100 * SCALE
ENUMERABLE = 6_000

Instance = tuple[list[Plan], list[tuple[range, list[float]]], int]


def environment(name: str = "prod", webhooks_per_hour: int = 50_000, **sections: Mapping[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": webhooks_per_hour, **sections.pop("traffic", {})}
    account = {"name": "shared", "on_shortfall": "fit", **sections.pop("account", {})}
    return read({"name": name, "region": "us-east-1", "traffic": traffic, "account": account, **sections}, name)


def plan(*arguments: object, **sections: Mapping[str, object]) -> Plan:
    made = environment(*arguments, **sections)  # type: ignore[arg-type]
    return Plan(made, size(made))


def figures(sizing: Sizing) -> list[int | None]:
    return [function.reserved_concurrency for function in sizing.functions]


def smallest_and_wanted(sized: Environment, sizing: Sizing) -> Iterator[tuple[range, Callable[[int], float]]]:
    """Yield for each function the reservations to try and their cost, derived independently of the allocation."""
    peak_per_s, functions = sized.peak_rate_per_s, sized.functions
    alerts_per_s = peak_per_s * sized.traffic.alerts_per_webhook
    alerts_erl = alerts_per_s * functions.send_notification.mean_duration_ms / 1000
    cleanup_erl = functions.cleanup_history.mean_duration_ms / 1000 / 3600
    batches_per_s = sizing[CHECK_ALERTS].inputs["arrival_rate_per_s"]
    share = max(sized.traffic.busiest_shard_share, 1 / sized.stream.shards)
    lanes_erl = peak_per_s / sized.stream.batch_size * share * functions.check_alerts.mean_duration_ms / 1000
    found = arrivals.alert_clusters(sized, sizing.parallelization_factor)
    step = sized.stream.shards + 1
    wanted = {function.logical_id: function.reserved_concurrency or 0 for function in sizing.functions}
    yield (
        range(max(1, -int(-round(peak_per_s, 6) // 10)), wanted[PROCESS_WEBHOOK] + 1),
        lambda units: peak_per_s * webhook_loss(sized, units),
    )
    first = next(factor for factor in range(1, 11) if lanes_erl / factor < 1)
    yield (
        range(first * step, wanted[CHECK_ALERTS] + 1, step),
        lambda units: batches_per_s * lanes.waiting(lanes.Stream.of(sized), units // step),
    )
    first = next(units for units in range(1, 10_000) if units > alerts_erl)
    yield (
        range(first, wanted[SEND_NOTIFICATION] + 1),
        lambda units: alerts_per_s * found.lateness(units),
    )
    yield range(1, wanted[CLEANUP_HISTORY] + 1), lambda units: queueing.erlang_c(units, cleanup_erl) / 3600


def random_environment(rng: random.Random, name: str) -> Environment:
    webhook_ms, send_ms = rng.uniform(5, 150), rng.uniform(50, 900)
    return environment(
        name,
        rng.randint(100, 40_000),
        traffic={
            "peak_factor": rng.uniform(1, 4),
            "alerts_per_webhook": rng.choice([0, rng.uniform(0.01, 0.6)]),
            "busiest_shard_share": rng.uniform(0.1, 1),
        },
        targets={
            "webhook_throttle_probability": 10 ** rng.uniform(-4, -1),
            "notification_wait_probability": 10 ** rng.uniform(-3, -0.5),
            "stream_utilisation": rng.uniform(0.05, 0.5),
        },
        stream={"shards": rng.randint(1, 6), "batch_size": rng.randint(5, 40)},
        functions={
            "process_webhook": {"mean_duration_ms": webhook_ms, "p95_duration_ms": 2 * webhook_ms},
            "check_alerts": {"mean_duration_ms": rng.uniform(100, 500), "distribution": "constant"},
            "send_notification": {"mean_duration_ms": send_ms, "p95_duration_ms": 2 * send_ms},
        },
    )


@cache
def instances() -> list[Instance]:
    """Return one or two environments each, with few enough splits to try all and too few units for what they want."""
    rng = random.Random(SEED)
    found: list[Instance] = []
    while len(found) < INSTANCES:
        made = [random_environment(rng, name) for name in ("one", "two")[: rng.randint(1, 2)]]
        try:
            plans = [Plan(one, size(one)) for one in made]
        except UnsizableLoad:
            continue
        choices = [pair for one in plans for pair in smallest_and_wanted(one.environment, one.sizing)]
        low, high = (sum(range_[edge] for range_, _ in choices) for edge in (0, -1))
        if low == high or prod(len(range_) for range_, _ in choices) > ENUMERABLE:
            continue
        costs = [(range_, [cost(units) for units in range_]) for range_, cost in choices]
        found.append((plans, costs, rng.randint(low, high)))
    return found


def cheapest(choices: Sequence[tuple[range, list[float]]], units: int) -> float:
    """Return the lowest cost by trying every split."""
    return min(
        sum(cost for _, cost in split)
        for split in itertools.product(*(list(zip(range_, costs, strict=True)) for range_, costs in choices))
        if sum(reserved for reserved, _ in split) <= units
    )


def test_no_split_has_a_lower_cost() -> None:
    steps_above_one = 0
    for plans, choices, units in instances():
        fitted = fit([(one.environment, one.sizing) for one in plans], units)
        assert fitted is not None
        reserved = [function.reserved_concurrency or 0 for sizing in fitted for function in sizing.functions]
        assert sum(reserved) <= units
        cost = sum(costs[range_.index(own)] for own, (range_, costs) in zip(reserved, choices, strict=True))
        assert isclose(cost, cheapest(choices, units), rel_tol=1e-9, abs_tol=1e-15), (units, reserved)
        steps_above_one += any(len(range_) > 1 for range_, _ in choices[1::4])
    assert steps_above_one > INSTANCES / 4  # or the case that the plain rule gets wrong was hardly tried


def test_giving_each_unit_to_the_largest_fall_would_miss_the_optimum() -> None:
    """The larger step has the larger fall, but it is not worth its units: so every combination is tried."""
    unit, factor = Curve(1, 1, (10.0, 6.0, 3.0, 1.0)), Curve(1, 3, (5.0, 0.5))
    assert best_steps([unit, factor], 4 + 3) == [3, 0]
    assert best_steps([unit, factor], 4 + 2) == [2, 0]
    assert best_steps([unit, factor], 4 + 6) == [3, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_larger_steps_the_one_that_saves_more_is_chosen(order: int) -> None:
    curves = [Curve(1, 3, (10.0, 5.0)), Curve(1, 3, (10.0, 1.0))][::order]
    assert best_steps(curves, 6 + 3) == [0, 1][::order]
    assert best_steps(curves, 6 + 5) == [0, 1][::order]
    assert best_steps(curves, 6 + 6) == [1, 1]


def test_one_unit_below_the_minimum_there_is_no_fit() -> None:
    for plans, choices, _ in instances()[:50]:
        group = [(one.environment, one.sizing) for one in plans]
        smallest = sum(range_[0] for range_, _ in choices)
        assert fit(group, smallest - 1) is None
        assert fit(group, smallest) == minimum(group)
        assert fit(group, 10_000) == [one.sizing for one in plans]


def test_costs_with_steps_of_one_unit_fall_by_less_with_each_step() -> None:
    for plans, _, _ in instances()[:200]:
        pairs = [(made.environment, function) for made in plans for function in made.sizing.functions]
        for sized, function in pairs:
            curve = curve_of(sized, function)
            falls = [before - after for before, after in itertools.pairwise(curve.costs)]
            # Near saturation, the share of notifications is 1 in all of its digits.
            most = (1 - 1e-6) * function.inputs["arrival_rate_per_s"]
            pairs_of = zip(falls, curve.costs, strict=False)
            assert all(fall > 0 or before == 0 or (before > most and fall == 0) for fall, before in pairs_of), function
            if function.logical_id in (PROCESS_WEBHOOK, CLEANUP_HISTORY):
                assert curve.is_convex, function


def test_a_fitted_sizing_is_consistent_in_every_figure() -> None:
    (verdict,) = judge([plan(account={"concurrency_limit": 121})])
    assert verdict.fits
    assert (verdict.total, verdict.wanted) == (21, 37)
    (fitted,) = verdict.plans
    sizing = fitted.sizing
    assert figures(sizing) == [13, 5, 2, 1]
    assert sizing.parallelization_factor == sizing[CHECK_ALERTS].inputs["parallelization_factor"] == 1
    assert (sizing.usage_plan.rate_per_s, sizing.usage_plan.burst) == (123, 13)
    assert sizing[PROCESS_WEBHOOK].predicted == webhook_loss(fitted.environment, 13)
    assert sizing[CHECK_ALERTS].predicted == pytest.approx(0.694, abs=1e-3)
    want = "wanted, because the account is too small; at the peak"
    assert [function.reason for function in sizing.functions] == [
        f"13 of 20 {want} 1.9 % of webhooks are throttled",
        f"5 of 10 {want} the busiest shard's lanes are 69 % busy and 69 % of its batches wait",
        f"2 of 5 {want} 37 % of notifications start a second or more late",
        f"1 of 2 {want} 0.056 % of runs wait",
    ]
    assert [function.inputs["wanted_concurrency"] for function in sizing.functions] == [20, 10, 5, 2]


def test_with_fewer_lanes_than_wanted_the_lanes_are_busier() -> None:
    """The busiest shard offers 1.5625 erlangs: 39 % of four lanes, 52 % of three."""
    (verdict,) = judge([plan(traffic={"busiest_shard_share": 0.9}, account={"concurrency_limit": 136})])
    (fitted,) = verdict.plans
    assert (figures(fitted.sizing), fitted.sizing.parallelization_factor) == ([16, 15, 4, 1], 3)
    lanes = fitted.sizing[CHECK_ALERTS]
    assert lanes.predicted == pytest.approx(1.5625 / 3, rel=1e-3)
    assert lanes.reason.endswith("the busiest shard's lanes are 52 % busy and 26 % of its batches wait")


def test_an_environment_that_fits_is_unchanged() -> None:
    one = plan(account={"concurrency_limit": 137})
    assert judge([one]) == [Verdict(judge([one])[0].account, (one,), 37)]


def test_an_environment_whose_minimum_does_not_fit_is_refused_with_both_sums() -> None:
    (verdict,) = judge([plan(account={"concurrency_limit": 114})])
    assert not verdict.fits
    assert figures(verdict.plans[0].sizing) == [7, 5, 2, 1]
    text = refusal(verdict)
    assert "15 reserved concurrent executions needed at minimum (37 wanted), 14 reservable, 1 too many" in text
    assert "Request a limit of 115 or more, for example AWS's default of 1,000 (137 for everything wanted)" in text


def test_environments_with_fit_are_optimised_together_after_the_others() -> None:
    account = {"concurrency_limit": 150}
    plans = [
        plan("dev", 100, account={**account, "on_shortfall": "unreserved"}),
        plan("staging", 5_000, account={**account, "on_shortfall": "fail"}),
        plan("prod", 50_000, account=account),
        plan("test", 5_000, account=account),
    ]
    (verdict,) = judge(plans)
    assert [one.environment.name for one in verdict.plans] == ["dev", "staging", "prod", "test"]
    dev, staging, *shared = verdict.plans
    assert (dev.sizing.total_reserved, staging.sizing.total_reserved) == (0, 17)
    together = fit([(one.environment, one.sizing) for one in plans[2:]], 50 - 17)
    assert [one.sizing for one in shared] == together
    assert verdict.total == 50
    assert verdict.fits


def test_a_neighbour_with_fail_can_leave_too_little() -> None:
    account = {"concurrency_limit": 140}
    (verdict,) = judge([plan("prod", account={**account, "on_shortfall": "fail"}), plan("dev", 100, account=account)])
    assert (verdict.total, verdict.wanted, verdict.fits) == (37 + 8, 48, False)
    assert 'on_shortfall = "fit"' in refusal(verdict)


def test_fit_on_the_command_line(generator: Callable[..., Result], project: Path) -> None:
    settings = ("--set", "account.on_shortfall=fit", "--set", "account.concurrency_limit=121")
    table = generator("size", "prod", *settings)
    assert table.exit_code == 0
    assert "21 reserved of 37 wanted, 0 left" in table.stdout
    report = json.loads(generator("size", "prod", *settings, "--format", "json").stdout)
    process = report["functions"][PROCESS_WEBHOOK]
    assert (process["reserved_concurrency"], process["inputs"]["wanted_concurrency"]) == (13, 20)
    assert process["predicted"] == pytest.approx(0.01852, abs=1e-4)
    assert generator("template", "prod", *settings).exit_code == 0
    resources = json.loads((project / "templates_out/prod.json").read_text())["Resources"]
    assert resources[PROCESS_WEBHOOK]["Properties"]["ReservedConcurrentExecutions"] == 13
    assert resources["CheckAlertsEventSourceMapping"]["Properties"]["ParallelizationFactor"] == 1
    assert resources["WebhookUsagePlan"]["Properties"]["Throttle"] == {"BurstLimit": 13, "RateLimit": 123}
    before = snapshot(project)
    refused = generator(
        "template", "prod", "--set", "account.on_shortfall=fit", "--set", "account.concurrency_limit=114"
    )
    assert refused.exit_code == 1
    assert snapshot(project) == before
