"""The planned SMS against budget and throughput."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from generator.capacity import sms
from generator.config.files import read
from generator.config.schema import Environment

Run = Callable[..., Result]


def environment(**settings: float) -> Environment:
    return read(
        {"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 50_000}, "sms": settings}, "prod"
    )


def test_the_volume_of_the_highest_rate() -> None:
    """50,000 webhooks an hour with 0.05 alerts each, at five times the mean for the peak."""
    assert sms.volume(environment()) == "2,500/h, 3.47/s at the peak"


def test_without_a_price_the_budget_is_not_checked() -> None:
    budget, throughput = sms.compare(environment())
    assert (budget.verdict, throughput.verdict) == ("not checked", "good")
    assert str(budget) == "SMS budget: not checked; set sms.price_usd_per_message"


def test_a_budget_that_is_too_low_states_how_long_it_lasts() -> None:
    """50 USD buy 7,692 SMS at 0.0065 USD, which are sent in 3.08 hours."""
    budget, _ = sms.compare(environment(price_usd_per_message=0.0065, monthly_budget_usd=50))
    assert budget.verdict == "short"
    assert budget.what == "50.00 USD last about 3.08 h at 2,500 SMS/h, then SNS drops every SMS until the month ends"
    assert "raise sms.monthly_budget_usd to 11,863 " in budget.remedy


@pytest.mark.parametrize(("budget_usd", "verdict"), [(11_862, "short"), (11_863, "good")])
def test_the_suggested_budget_is_the_smallest_that_is_enough(budget_usd: float, verdict: str) -> None:
    budget, _ = sms.compare(environment(price_usd_per_message=0.0065, monthly_budget_usd=budget_usd))
    assert budget.verdict == verdict


@pytest.mark.parametrize(("per_s", "verdict"), [(3, "short"), (3.4, "short"), (3.5, "good"), (20, "good")])
def test_a_toll_free_number_is_too_slow_for_the_peak(per_s: float, verdict: str) -> None:
    _, throughput = sms.compare(environment(messages_per_s=per_s))
    assert throughput.verdict == verdict
    assert f"3.47/s at the peak, {per_s:g}/s possible" in throughput.what


def test_without_alerts_every_limit_is_enough() -> None:
    table = {"webhooks_per_hour": 50_000, "alerts_per_webhook": 0}
    settings = {"price_usd_per_message": 1, "messages_per_s": 0.1}
    quiet = read({"name": "a", "region": "us-east-1", "traffic": table, "sms": settings}, "a")
    assert {one.verdict for one in sms.compare(quiet)} == {"good"}


def test_size_compares_the_planned_sms(generator: Run) -> None:
    options = ("--set", "sms.price_usd_per_message=0.0065", "--set", "sms.monthly_budget_usd=50")
    lines = generator("size", "prod", *options).stdout.splitlines()
    assert "SMS: 2,500/h, 3.47/s at the peak" in lines
    assert any(line.startswith("SMS budget: 50.00 USD last about 3.08 h") for line in lines)
    assert "SMS throughput: 3.47/s at the peak, 20/s possible" in lines
    shown = json.loads(generator("size", "prod", *options, "--format", "json").stdout)["sms"]
    assert (shown["month_usd"], shown["budget"], shown["throughput"]) == (11_862.5, "short", "good")


def test_the_page_compares_the_planned_sms(generator: Run) -> None:
    generator("template", "prod", "--set", "sms.messages_per_s=3")
    page = Path("templates_out/prod.md").read_text()
    assert "SMS 2,500/h, 3.47/s at the peak:" in page
    assert "- SMS budget: not checked; set sms.price_usd_per_message" in page
    assert "- SMS throughput: 3.47/s at the peak, 3/s possible; " in page


@pytest.mark.slow
def test_check_warns_of_sms_beyond_budget_and_throughput(generator: Run) -> None:
    path = Path("environments/prod.toml")
    path.write_text(path.read_text().replace("messages_per_s = 20", "messages_per_s = 3\nprice_usd_per_message = 0.01"))
    generator("template", "prod")
    result = generator("check", "prod")
    assert result.exit_code == 1
    assert "environments/prod.toml:1: warning sms-volume: SMS budget: 15,000.00 USD last about" in result.stdout
    assert "environments/prod.toml:1: warning sms-volume: SMS throughput: 3.47/s at the peak" in result.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("operations.sms_monthly_spend_usd", "sms.monthly_budget_usd; write monthly_budget_usd = 7 under [sms]"),
        ("prices.sms_usd_per_message", "sms.price_usd_per_message; write price_usd_per_message = 7 under [sms]"),
    ],
)
def test_the_old_name_of_a_setting_names_the_new_one(generator: Run, old: str, new: str) -> None:
    result = generator("size", "prod", "--set", f"{old}=7")
    assert (result.exit_code, result.stderr) == (2, f"--set {old}: moved to {new}\n")
