"""Pictures: the same bytes each time, every line named in words, nothing painted behind them."""

from __future__ import annotations

import errno
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from generator.config import files
from generator.errors import GeneratorError, UnwritableOutput
from generator.report.charts import require, simulation_chart, sizing_chart
from generator.simulation import Assumptions, Result, simulate
from tests.conftest import FIXTURES

pytest.importorskip("matplotlib", reason="the extra `charts` is not installed")

RATES = [100, 20_000, 50_000]
RESERVED = {"ProcessWebhookFunction": [3, 12, 20], "CheckAlertsFunction": [5, 5, 10], "OtherFunction": [5, 5, 10]}


@pytest.fixture(scope="module")
def result() -> Result:
    """Some minutes of the dev environment's spike."""
    template = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    environment = files.load(["dev"], (), FIXTURES / "environments")[0]
    return simulate(
        template, environment, workload="spike", hours=0.5, replications=2, workers=1, assumptions=Assumptions()
    )


def words(path: Path) -> str:
    """The text in a picture, which must be well-formed."""
    tree = ElementTree.fromstring(path.read_text())
    return "\n".join(text for element in tree.iter() if (text := (element.text or "").strip()))


def test_a_simulation_shows_arrivals_throttles_concurrency_and_age(result: Result, tmp_path: Path) -> None:
    simulation_chart(result, tmp_path / "chart.svg")
    shown = words(tmp_path / "chart.svg")
    for title in (
        "webhooks offered per second",
        "webhooks throttled per second",
        "ProcessWebhookFunction: at once, at most",
        "reserved 3",
        "CheckAlertsFunction: at once, at most",
        "stream: oldest iterator age in seconds",
        "minutes of spike in dev",
    ):
        assert title in shown


def test_sizing_names_every_line_and_the_accounts(tmp_path: Path) -> None:
    sizing_chart(RATES, RESERVED, 60, tmp_path / "chart.svg", chosen_per_hour=20_000)
    shown = words(tmp_path / "chart.svg")
    for name in ("sum: 40", "ProcessWebhook: 20", "CheckAlerts: 10", "Other: 10", "the account lets reserve 60"):
        assert name in shown


def test_an_account_far_above_is_told_in_words(tmp_path: Path) -> None:
    sizing_chart(RATES, RESERVED, 900, tmp_path / "chart.svg")
    assert "the account lets reserve 900: far above this picture" in words(tmp_path / "chart.svg")


def test_the_same_picture_is_the_same_bytes_without_a_date(result: Result, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        simulation_chart(result, tmp_path / name)
    one = (tmp_path / "one.svg").read_text()
    assert one == (tmp_path / "two.svg").read_text()
    assert "<dc:date>" not in one


def test_it_reads_on_light_and_dark_pages(result: Result, tmp_path: Path) -> None:
    """No black or white, which one of the two would swallow, and no background."""
    simulation_chart(result, tmp_path / "chart.svg")
    sizing_chart(RATES, RESERVED, 60, tmp_path / "sizing.svg")
    for name in ("chart.svg", "sizing.svg"):
        picture = (tmp_path / name).read_text()
        assert not re.search(r"(fill|stroke): ?#(000000|ffffff)", picture)


def test_a_folder_that_is_not_there_is_told(result: Result, tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="name a file that can be written"):
        simulation_chart(result, tmp_path / "none" / "chart.svg")


def test_a_folder_that_takes_no_file_is_told_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(
        "generator.report.charts.TemporaryFile", refused
    )  # As for anyone but root, for whom no folder is closed.
    with pytest.raises(UnwritableOutput, match="Permission denied; name a file that can be written"):
        require(tmp_path / "chart.svg")


def test_a_folder_of_that_name_is_told(tmp_path: Path) -> None:
    (tmp_path / "chart.svg").mkdir()
    with pytest.raises(UnwritableOutput, match="Is a directory; name a file"):
        require(tmp_path / "chart.svg")


def test_a_link_stays_one_and_what_it_points_to_is_drawn(tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to(tmp_path / "chart.svg")
    sizing_chart(RATES, RESERVED, 60, tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert "sum: 40" in words(tmp_path / "chart.svg")


def test_a_picture_that_cannot_be_drawn_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_off(_: object, picture: Any, **__: object) -> None:
        Path(picture).write_text("half") if isinstance(picture, Path | str) else picture.write("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", broken_off)
    (tmp_path / "chart.svg").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        sizing_chart(RATES, RESERVED, 60, tmp_path / "chart.svg")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("chart.svg", "before")]


def test_without_matplotlib_it_says_what_to_install(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(GeneratorError, match=r"matplotlib is not installed; run: .* -m pip install 'matplotlib"):
        simulation_chart(result, tmp_path / "chart.svg")
