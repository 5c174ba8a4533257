"""The reference page lists every setting as the code accepts it."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from generator.config import fields
from generator.config.files import read
from generator.config.schema import Environment, Functions
from generator.config.senders import WebhookSource
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs/settings_page.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_up_to_date(writer: ModuleType) -> None:
    for path in writer.PAGES:
        assert path.read_text() == writer.page(), f"run: python docs/settings_page.py, for {path}"


def test_every_setting_has_a_description(writer: ModuleType) -> None:
    assert writer.undescribed() == []


def test_every_setting_has_a_row(writer: ModuleType) -> None:
    sections = dict(re.findall(r"^## \[+(\w+)\]+\n(.*?)(?=^## |\Z)", writer.page(), re.M | re.S))
    sections[""] = writer.page().split("## ")[0]
    every = {*fields.keys(Environment)} - {"sources"} | {f"sources.{key}" for key in fields.keys(WebhookSource)}
    for key in every:
        section, _, name = key.rpartition(".")
        assert sections[section.split(".")[0]].count(f"\n| `{name}` |") == 1


def test_the_page_shows_the_actual_defaults(writer: ModuleType) -> None:
    read_ = read({"name": "a", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}, "a")
    cells = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|[^|]*\|$", writer.page(), re.M))
    assert float(cells["peak_factor"]) == read_.traffic.peak_factor
    assert float(cells["webhook_throttle_probability"]) == read_.targets.webhook_throttle_probability
    assert cells["concurrency_limit"] == str(read_.account.concurrency_limit)
    assert cells["deletion_protection"] == "`false`"
    assert cells["on_shortfall"] == f'`"{read_.account.on_shortfall}"`'
    assert float(cells["lambda_arm64_usd_per_gb_s"]) == read_.prices.lambda_arm64_usd_per_gb_s
    assert cells["webhooks_per_hour"] == "required"


def test_each_function_has_a_column(writer: ModuleType) -> None:
    (row,) = re.findall(r"^\| `mean_duration_ms` \|.*$", writer.page(), re.M)
    functions = read({"name": "a", "region": "us-east-1", "traffic": {"webhooks_per_hour": 100}}, "a").functions
    means = [getattr(functions, name).mean_duration_ms for name in Functions._fields]
    assert [cell.strip() for cell in row.split("|")[3:7]] == [str(mean) for mean in means]
