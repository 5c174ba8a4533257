"""The quota verdict, the text of a refusal, and `on_shortfall`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from generator.capacity import quota
from generator.capacity.quota import AccountQuota, Plan, Verdict, increase_command, judge, limit_to_request
from generator.capacity.refusal import refusal
from generator.capacity.sizing import size
from generator.config.files import read
from generator.errors import InvalidEnvironment
from tests.conftest import snapshot


def plan(name: str, /, webhooks_per_hour: int, **account: object) -> Plan:
    environment = read(
        {
            "name": name,
            "region": "us-east-1",
            "traffic": {"webhooks_per_hour": webhooks_per_hour},
            "account": account,
        },
        name,
    )
    return Plan(environment, size(environment))


@given(st.integers(1, 400), st.integers(0, 150), st.integers(0, 300))
def test_reservations_fit_if_the_floor_stays_unreserved(limit: int, floor: int, elsewhere: int) -> None:
    account = {"concurrency_limit": limit, "unreserved_floor": floor, "reserved_elsewhere": elsewhere}
    (verdict,) = judge([plan("prod", 50_000, **account)])
    assert verdict.fits == (limit - elsewhere - 37 >= floor)
    assert verdict.account.reservable == max(0, limit - floor - elsewhere)


def test_an_environment_over_quota_writes_nothing(generator: Callable[..., Result], project: Path) -> None:
    before = snapshot(project)
    result = generator("template", "prod", "--set", "account.concurrency_limit=130")
    assert result.exit_code == 1
    assert snapshot(project) == before
    assert "37 reserved concurrent executions wanted, 30 reservable, 7 too many" in result.stderr
    assert "20 + 10 + 5 + 2 = 37" in result.stderr
    assert "130 concurrency limit - 100 unreserved floor - 0 reserved elsewhere = 30" in result.stderr
    assert (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        "its minimum value of [100]" in result.stderr
    )
    assert "--quota-code L-B99A9384" in result.stderr
    assert "Request a limit of 137 or more" in result.stderr


TOO_SMALL = """\
account prod in us-east-1: 37 reserved concurrent executions wanted, 30 reservable, 7 too many
  prod         20 + 10 + 5 + 2 = 37
  reservable   1,030 concurrency limit - 100 unreserved floor - 900 reserved elsewhere = 30
  Deploying this would fail with: Specified ReservedConcurrentExecutions for function decreases account's \
UnreservedConcurrentExecution below its minimum value of [100].
  Request a limit of 1,037 or more: aws service-quotas request-service-quota-increase --region us-east-1 \
--service-code lambda --quota-code L-B99A9384 --desired-value 1037
  or free 7 in other stacks: account.reserved_elsewhere = 893
  or lower the rate of prod: traffic.webhooks_per_hour = 35997 needs 16 + 5 + 5 + 2 = 28
  or write on_shortfall = "fit" under [account] for the best split, which misses targets: \
prod 15 + 10 + 4 + 1 = 30
     (predicted at the peak: ProcessWebhookFunction of prod 0.46 % and SendNotificationFunction of prod 3.3 %)
  or share the account's pool, with no guaranteed concurrency and no cap: \
write on_shortfall = "unreserved" under [account]"""

NOTHING_RESERVABLE = """\
account shared in us-east-1: 15 reserved concurrent executions needed at minimum (48 wanted), 0 reservable, \
15 too many
  dev          0 + 0 + 0 + 0 = 0
  prod         7 + 5 + 2 + 1 = 15
  reservable   40 concurrency limit - 40 unreserved floor - 0 reserved elsewhere = 0
  Deploying this would fail with: Specified ReservedConcurrentExecutions for function decreases account's \
UnreservedConcurrentExecution below its minimum value of [40].
  Nothing can be reserved in this account. To deploy now, share the account's pool, with no guaranteed
  concurrency and no cap: write on_shortfall = "unreserved" under [account]. To reserve, request a limit
  of 55 or more, for example AWS's default of 1,000 (88 for everything wanted): \
aws service-quotas request-service-quota-increase --region us-east-1 \
--service-code lambda --quota-code L-B99A9384 --desired-value 1000"""


def test_a_refusal_shows_the_sum_the_aws_error_and_every_remedy() -> None:
    (verdict,) = judge([plan("prod", 50_000, concurrency_limit=1030, reserved_elsewhere=900)])
    assert refusal(verdict) == TOO_SMALL
    shared = {"name": "shared", "concurrency_limit": 40, "unreserved_floor": 40}
    (verdict,) = judge(
        [
            plan("dev", 100, **shared, on_shortfall="unreserved"),
            plan("prod", 50_000, **shared, on_shortfall="fit"),
        ]
    )
    assert refusal(verdict) == NOTHING_RESERVABLE


def test_the_limit_to_request_is_at_least_the_default() -> None:
    assert [limit_to_request(limit) for limit in (999, 1000)] == [
        "999 or more, for example AWS's default of 1,000",
        "1,000 or more",
    ]
    assert [increase_command("r", limit).rpartition(" ")[2] for limit in (999, 1001)] == ["1000", "1001"]


def test_a_good_verdict_has_no_refusal() -> None:
    (verdict,) = judge([plan("prod", 50_000)])
    with pytest.raises(ValueError, match=r"^nothing to refuse: 37 of 900 are reserved$"):
        refusal(verdict)


policies = st.sampled_from(["fail", "fit", "unreserved"])


@pytest.mark.slow
@given(st.lists(st.tuples(st.sampled_from([100, 5_000, 50_000]), policies), min_size=1, max_size=3), st.integers(1, 60))
def test_fit_is_proposed_exactly_if_it_would_help(wanted: list[tuple[int, str]], reservable: int) -> None:
    def judged(changed: dict[str, str]) -> Verdict:
        account = {"name": "shared", "concurrency_limit": 100 + reservable}
        plans = [
            plan(f"e{number}", rate, **account, on_shortfall=changed.get(policy, policy))
            for number, (rate, policy) in enumerate(wanted)
        ]
        (verdict,) = judge(plans)
        return verdict

    verdict = judged({})
    if not verdict.fits:
        assert ('on_shortfall = "fit"' in refusal(verdict)) == judged({"fail": "fit"}).fits


def test_fit_is_proposed_even_if_it_uses_up_the_account() -> None:
    for reservable, proposed in ((14, False), (15, True)):
        (verdict,) = judge([plan("prod", 50_000, concurrency_limit=100 + reservable)])
        assert ('on_shortfall = "fit"' in refusal(verdict)) is proposed


def test_an_unreserved_function_has_a_reason_and_no_prediction() -> None:
    (verdict,) = judge([plan("prod", 50_000, concurrency_limit=10, on_shortfall="unreserved")])
    (unreserved,) = verdict.plans
    assert unreserved.sizing.tolerated_throttles == plan("prod", 50_000).sizing.tolerated_throttles
    for function in unreserved.sizing.functions:
        assert (function.reserved_concurrency, function.predicted) == (None, None)
        assert function.reason == (
            "nothing is reserved because the account is too small; the function shares the account's pool"
        )


def test_one_unit_of_the_limit_decides(generator: Callable[..., Result]) -> None:
    assert generator("template", "prod", "--set", "account.concurrency_limit=136").exit_code == 1
    assert generator("template", "prod", "--set", "account.concurrency_limit=137").exit_code == 0


def test_a_refusal_for_an_account_without_reservable_concurrency_names_the_remedies(
    generator: Callable[..., Result],
) -> None:
    for limit in (10, 100):
        result = generator("template", "prod", "--set", f"account.concurrency_limit={limit}")
        assert result.exit_code == 1
        assert "Nothing can be reserved in this account" in result.stderr
        assert 'on_shortfall = "unreserved"' in result.stderr
        assert "L-B99A9384" in result.stderr


def test_unreserved_reserves_nothing_at_all(generator: Callable[..., Result]) -> None:
    settings = ("--set", "account.concurrency_limit=10", "--set", "account.on_shortfall=unreserved")
    result = generator("template", "prod", *settings)
    assert result.exit_code == 0
    assert "nothing reserved" in result.stdout
    assert "ReservedConcurrentExecutions" not in Path("templates_out/prod.json").read_text()
    shown = generator("size", "prod", *settings)
    assert shown.exit_code == 0
    assert shown.stdout.count("shared") >= 4


STATED = ("--set", "functions.process_webhook.reserved_concurrency=24", "--set", "account.concurrency_limit=139")


def test_a_refusal_proposes_to_lower_a_stated_reservation_to_the_derived_one(
    generator: Callable[..., Result],
) -> None:
    lower = "or lower functions.process_webhook.reserved_concurrency of prod from 24 to the derived 20: "
    assert f"{lower}everything fits\n" in generator("template", "prod", *STATED).stderr
    smaller = generator("template", "prod", *STATED, "--set", "account.concurrency_limit=130")
    assert f"{lower}7 are still too many\n" in smaller.stderr
    below = generator("template", "prod", *STATED, "--set", "functions.process_webhook.reserved_concurrency=19")
    assert below.exit_code == 0


def test_a_stated_reservation_is_named_where_it_has_no_effect(generator: Callable[..., Result]) -> None:
    unreserved = generator("size", "prod", *STATED, "--set", "account.on_shortfall=unreserved")
    assert "nothing is reserved, although 24 are stated, because the account is too small" in unreserved.stdout
    setting = "functions.process_webhook.reserved_concurrency = 24"
    for question in (["--max-rate"], ["--for-rate", "5000"]):
        ignored = generator("size", "prod", *question, *STATED).stderr
        assert ignored == f"prod: ignores {setting}, because every reservation is derived for another rate\n"
        assert generator("size", "prod", *question).stderr == ""


def test_unreserved_still_reserves_if_everything_fits(generator: Callable[..., Result]) -> None:
    result = generator("template", "prod", "--set", "account.on_shortfall=unreserved")
    assert "20 + 10 + 5 + 2 = 37 reserved" in result.stdout


def test_environments_of_one_account_are_summed() -> None:
    rates = {"dev": 100, "staging": 5_000, "prod": 50_000}
    together = [plan(name, rate, name="shared", concurrency_limit=150) for name, rate in rates.items()]
    (verdict,) = judge(together)
    assert (verdict.total, verdict.account.reservable, verdict.fits) == (65, 50, False)
    apart = [plan(name, rate, concurrency_limit=150) for name, rate in rates.items()]
    assert all(verdict.fits for verdict in judge(apart))


def test_environments_that_fit_separately_can_be_refused_together(
    generator: Callable[..., Result], project: Path
) -> None:
    before = snapshot(project)
    shared = ("--set", "account.concurrency_limit=150", "--set", "account.name=shared")
    for name in ("dev", "staging", "prod"):
        assert generator("size", name, *shared).exit_code == 0
    result = generator("template", *shared)
    assert result.exit_code == 1
    assert "65 reserved concurrent executions wanted, 50 reservable, 15 too many" in result.stderr
    for line in (
        "dev          3 + 5 + 1 + 2 = 11",
        "staging      7 + 5 + 3 + 2 = 17",
        "prod         20 + 10 + 5 + 2 = 37",
    ):
        assert line in result.stderr
    assert snapshot(project) == before


def test_an_environment_is_judged_with_those_that_share_its_account(generator: Callable[..., Result]) -> None:
    for name in ("dev", "staging", "prod"):
        with Path(f"environments/{name}.toml").open("a") as file:
            file.write('[account]\nname = "shared"\nconcurrency_limit = 150\n')
    result = generator("template", "prod")
    assert result.exit_code == 1
    assert "65 reserved concurrent executions wanted" in result.stderr


def test_the_same_account_name_in_another_region_is_another_quota() -> None:
    one = plan("one", 100, name="shared")
    table = {"name": "two", "region": "eu-west-1", "traffic": {"webhooks_per_hour": 100}, "account": {"name": "shared"}}
    other = read(table, "two")
    assert [verdict.total for verdict in judge([one, Plan(other, size(other))])] == [11, 11]


def test_environments_that_disagree_about_their_account_are_refused() -> None:
    with pytest.raises(InvalidEnvironment) as refused:
        judge([plan("one", 100, name="shared"), plan("two", 100, name="shared", concurrency_limit=50)])
    (fault,) = refused.value.faults
    assert fault.where == "two: account.concurrency_limit"
    assert fault.what == "50 here but 1,000 in one, which shares account shared in us-east-1"
    assert fault.remedy == "write the same value in both, or different account names"


def test_headroom_is_the_concurrency_left_to_reserve() -> None:
    (verdict,) = judge([plan("prod", 50_000)])
    assert isinstance(verdict, Verdict)
    assert verdict.headroom == 1000 - 100 - 37


def test_an_account_that_can_reserve_nothing_gets_its_own_advice() -> None:
    new, usual = (AccountQuota("", "", limit, 100, 0) for limit in (10, 1000))
    assert quota.advice(usual) == ""
    assert quota.advice(new) == (
        "an account with a limit of 10 can reserve nothing: leave all reservations out until AWS has raised it; if "
        "Service Quotas refuses the request, open a support case"
    )


def test_the_request_is_for_the_smallest_limit_with_room_that_aws_accepts() -> None:
    account = AccountQuota("", "eu-west-1", 1000, 100, 50)
    assert quota.request_text(account, 1000) == (
        "request a limit of 1,150 or more: aws service-quotas request-service-quota-increase --region eu-west-1 "
        "--service-code lambda --quota-code L-B99A9384 --desired-value 1150"
    )
