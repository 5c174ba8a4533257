"""The inverse questions have exact answers: one more or one less is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from operator import ge
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator.capacity import planning
from generator.capacity.planning import highest_rate, need_at, steps
from generator.capacity.quota import Plan, judge
from generator.capacity.sizing import Sizing, size
from generator.config.files import read
from generator.config.schema import Environment
from generator.errors import UnsizableLoad
from tests.conftest import SCALE

pytestmark = pytest.mark.slow

Run = Callable[..., Result]


def environment(name: str = "prod", webhooks_per_hour: int = 100, **sections: Mapping[str, object]) -> Environment:
    traffic = {"webhooks_per_hour": webhooks_per_hour, **sections.pop("traffic", {})}
    account = {"name": "shared", **sections.pop("account", {})}
    return read({"name": name, "region": "us-east-1", "traffic": traffic, "account": account, **sections}, name)


def fits(made: Environment, neighbours: list[Environment], rate: int, limit: int | None = None) -> bool:
    """Return whether `generator template` would accept the environment at that rate."""
    changed = [made._replace(traffic=made.traffic._replace(webhooks_per_hour=rate)), *neighbours]
    if limit is not None:
        changed = [one._replace(account=one.account._replace(concurrency_limit=limit)) for one in changed]
    try:
        return all(verdict.fits for verdict in judge(Plan(one, size(one)) for one in changed))
    except UnsizableLoad:
        return False


accounts = st.fixed_dictionaries(
    {
        "concurrency_limit": st.integers(1, 260),
        "unreserved_floor": st.integers(0, 120),
        "reserved_elsewhere": st.integers(0, 60),
    }
)
traffics = st.fixed_dictionaries({"peak_factor": st.floats(1, 20), "alerts_per_webhook": st.floats(0, 2)})


@given(accounts, traffics, st.integers(1, 30), st.none() | st.integers(100, 50_000))
def test_the_highest_rate_fits_and_one_more_does_not(
    account: dict[str, object], traffic: dict[str, object], batch_size: int, neighbour: int | None
) -> None:
    made = environment(traffic=traffic, account=account, stream={"batch_size": batch_size})
    neighbours = [] if neighbour is None else [environment("dev", neighbour, account=account)]
    answer = highest_rate(made, neighbours)
    rate = answer.webhooks_per_hour
    assert answer.bound == "unsizable" or answer.reason == ""
    if rate is None:
        assert answer.bound == "account"
        assert answer.need == answer.need_above == need_at(made, neighbours, 100)
        assert not fits(made, neighbours, 100)
        return
    assert fits(made, neighbours, rate)
    assert answer.need == need_at(made, neighbours, rate)
    if answer.bound == "supported rate":
        assert (rate, answer.need_above) == (50_000, None)
    elif answer.bound == "unsizable":
        assert answer.need_above is None
        with pytest.raises(UnsizableLoad, match=re.escape(answer.reason)):
            need_at(made, neighbours, rate + 1)
    else:
        assert answer.bound == "account"
        assert answer.need_above == need_at(made, neighbours, rate + 1)
        assert not answer.need_above.fits


@given(st.integers(100, 50_000), accounts, traffics, st.none() | st.integers(100, 50_000))
def test_the_required_limit_is_enough_and_one_less_is_not(
    rate: int, account: dict[str, object], traffic: dict[str, object], neighbour: int | None
) -> None:
    made = environment(traffic=traffic, account=account, stream={"batch_size": 100})
    neighbours = [] if neighbour is None else [environment("dev", neighbour, account=account)]
    need = need_at(made, neighbours, rate)
    limit = need.required_concurrency_limit
    assert fits(made, neighbours, rate, limit)
    assert not fits(made, neighbours, rate, limit - 1)
    assert need.fits == (limit <= made.account.concurrency_limit)


@given(st.sampled_from(["fit", "unreserved"]))
def test_on_shortfall_changes_neither_answer(on_shortfall: str) -> None:
    yielding = environment(account={"on_shortfall": on_shortfall, "concurrency_limit": 120})
    firm = environment(account={"concurrency_limit": 120})
    assert highest_rate(yielding, []) == highest_rate(firm, [])
    assert need_at(yielding, [], 50_000).required_concurrency_limit == 137


def test_max_rate_names_the_bound(generator: Run) -> None:
    top = generator("size", "prod", "--max-rate")
    assert (top.exit_code, top.stdout.splitlines()[0]) == (0, "prod: up to 50,000 webhooks per hour")
    assert "This is the highest supported rate; the account could hold more" in top.stdout
    account = generator("size", "prod", "--max-rate", "--set", "account.concurrency_limit=120")
    assert "One webhook per hour more needs a concurrency limit of 121" in account.stdout
    stream = generator("size", "prod", "--max-rate", "--set", "stream.batch_size=1")
    assert stream.exit_code == 0
    assert "One webhook per hour more cannot be sized: prod: CheckAlertsFunction" in stream.stdout
    none = generator("size", "prod", "--max-rate", "--set", "account.concurrency_limit=110")
    assert none.exit_code == 1
    assert none.stdout.startswith("prod: the account cannot hold even 100 webhooks per hour")
    assert "needs a concurrency limit of 111: 3 + 5 + 1 + 2 = 11 reserved + 100 unreserved floor" in none.stdout
    assert "--quota-code L-B99A9384" in none.stdout


def test_for_rate_shows_the_sum_and_the_command(generator: Run) -> None:
    enough = generator("size", "dev", "--for-rate", "50000")
    assert enough.exit_code == 0
    assert enough.stdout.startswith("dev: 50,000 webhooks per hour need a concurrency limit of 137\n")
    assert "has 1,000: enough" in enough.stdout
    short = generator("size", "dev", "--for-rate", "50000", "--set", "account.concurrency_limit=50")
    assert short.exit_code == 0
    assert "has 50: request 137 or more, for example AWS's default of 1,000\n" in short.stdout
    assert "--quota-code L-B99A9384 --desired-value 1000" in short.stdout


def test_the_other_environments_of_the_account_are_counted(generator: Run) -> None:
    for name in ("dev", "staging", "prod"):
        with Path(f"environments/{name}.toml").open("a") as file:
            file.write('[account]\nname = "shared"\n')
    report = json.loads(generator("size", "prod", "--for-rate", "50000", "--format", "json").stdout)
    assert report["required_concurrency_limit"] == 100 + 65
    assert "+ 28 for the other environments" in generator("size", "prod", "--for-rate", "50000").stdout


def test_the_answers_as_json(generator: Run) -> None:
    highest = json.loads(generator("size", "prod", "--max-rate", "--format", "json").stdout)
    assert (highest["environment"], highest["max_webhooks_per_hour"], highest["bound"]) == (
        *("prod", 50_000, "supported rate"),
    )
    settings = ("--set", "account.concurrency_limit=110", "--format", "json")
    none = json.loads(generator("size", "prod", "--max-rate", *settings).stdout)
    assert (none["max_webhooks_per_hour"], none["bound"]) == (None, "account")
    sets = ("--set", "stream.batch_size=1", "--format", "json")
    stream = json.loads(generator("size", "prod", "--max-rate", *sets).stdout)
    assert (stream["max_webhooks_per_hour"], stream["bound"]) == (36_000, "unsizable")
    needed = json.loads(generator("size", "prod", "--for-rate", "100", *settings).stdout)
    assert (needed["required_concurrency_limit"], needed["sufficient"]) == (111, False)


@pytest.mark.parametrize(
    "arguments", [["--for-rate", "99"], ["--for-rate", "50001"], ["--max-rate", "--for-rate", "100"]]
)
def test_invalid_options_are_usage_errors(generator: Run, arguments: list[str]) -> None:
    assert generator("size", "prod", *arguments).exit_code == 2


def test_an_unsizable_rate_is_wrong_input(generator: Run) -> None:
    for question in (
        ("--for-rate", "50000"),
        ("--max-rate", "--set", "functions.check_alerts.mean_duration_ms=900000"),
    ):
        settings = ("--set", "stream.batch_size=1", "--set", "functions.check_alerts.distribution=constant")
        result = generator("size", "prod", *settings, "--set", "functions.check_alerts.timeout_s=900", *question)
        assert result.exit_code == 2
        assert "parallelization factor" in result.stderr or "timeout" in result.stderr


def figures(made: Environment, rate: int) -> list[int | None]:
    return [function.reserved_concurrency for function in size(at_rate(made, rate)).functions]


def at_rate(made: Environment, rate: int) -> Environment:
    return made._replace(traffic=made.traffic._replace(webhooks_per_hour=rate))


FEW = 200
"""A lower bound on the sizings for one chart, so that fewer steps have to be merged."""


def merged_steps(made: Environment) -> list[tuple[int, Sizing]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "MAX_SIZINGS", FEW)
        return steps(made)


@settings(max_examples=SCALE)
@given(traffics, st.lists(st.integers(100, 50_000), min_size=5, max_size=5))
@example({"peak_factor": 17.0, "alerts_per_webhook": 0.5}, [100, 149, 5_000, 20_000, 50_000])
def test_between_the_steps_no_reservation_changes(traffic: dict[str, object], rates: list[int]) -> None:
    """Of many steps some are merged at the lowest of their rates, so a reservation is never too low."""
    made = environment(traffic=traffic, stream={"batch_size": 30})
    found = dict(merged_steps(made))
    assert min(found) == 100
    for rate in rates:
        if rate <= max(found):
            at = max(step for step in found if step <= rate)
            shown = [function.reserved_concurrency or 0 for function in found[at].functions]
            wanted = [reserved or 0 for reserved in figures(made, rate)]
            assert shown == wanted or (len(found) > FEW / 10 and all(map(ge, shown, wanted)))


def test_each_step_is_at_the_exact_rate() -> None:
    """The golden rows are 11 at 100, 17 at 5,000 and 37 at 50,000."""
    made = environment()
    found = steps(made)
    assert [(rate, sizing.total_reserved) for rate, sizing in found if rate in (100, 50_000)] == [
        (100, 11),
        (50_000, 37),
    ]
    for rate, sizing in found[1:-1]:
        before = size(at_rate(made, rate - 1))
        assert before.total_reserved < sizing.total_reserved
        assert sizing == size(at_rate(made, rate))
    assert next(sizing.total_reserved for rate, sizing in reversed(found) if rate <= 5000) == 17


def test_the_steps_end_at_the_highest_rate_that_can_be_sized() -> None:
    slow = {"check_alerts": {"mean_duration_ms": 2000, "p95_duration_ms": 4000}}
    made = environment(functions=slow)
    last = steps(made)[-1][0]
    assert 100 < last < 50_000
    with pytest.raises(UnsizableLoad):
        size(at_rate(made, last + 1))
    assert size(at_rate(made, last)).webhooks_per_hour == last


def test_thousands_of_steps_are_merged_at_the_lowest_of_their_rates() -> None:
    long = {"process_webhook": {"mean_duration_ms": 9000, "p95_duration_ms": 20_000}}
    made = environment(traffic={"peak_factor": 20.0}, functions=long, stream={"batch_size": 100})
    found = merged_steps(made)
    assert FEW / 2 < len(found) < 3 * FEW
    for rate in (137, 999, 4999, 25_001):
        at = max(step for step, _ in found if step <= rate)
        assert dict(found)[at].total_reserved >= size(at_rate(made, rate)).total_reserved
