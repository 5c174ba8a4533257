"""Charts have the same bytes each time, a title with the verdict, a label for every line, and a white background."""

from __future__ import annotations

import errno
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from generator.capacity import planning
from generator.errors import GeneratorError, UnwritableOutput
from generator.report.charts import require, simulation_chart, sizing_chart
from generator.simulation import SimulationResult, simulate
from tests.conftest import FIXTURES, environment_of
from tests.report.conftest import judged

pytest.importorskip("matplotlib", reason="the extra `charts` is not installed")

RATES = [100, 20_000, 50_000]
RESERVED = {"ProcessWebhookFunction": [3, 12, 20], "CheckAlertsFunction": [5, 5, 10], "OtherFunction": [5, 5, 10]}


@pytest.fixture
def few_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw three rates instead of all at which a reservation rises."""
    monkeypatch.setattr(planning, "staircase", lambda _: (RATES, RESERVED))


def draw_sizing(path: Path, reservable: int = 60) -> None:
    limit = f"account.concurrency_limit={reservable + 100}"
    sizing_chart(judged("dev", "traffic.webhooks_per_hour=20000", limit), path)


@pytest.fixture(scope="module")
def result() -> SimulationResult:
    """Simulate half an hour of the dev environment's spike."""
    template = json.loads((FIXTURES / "templates_out/dev.json").read_text())
    environment = environment_of("dev")
    return simulate(template, environment, workload="spike", hours=0.5, replications=2, workers=1)


def words(path: Path) -> str:
    """Return the text in a chart, which must be well-formed XML."""
    tree = ElementTree.fromstring(path.read_text())
    return "\n".join(text for element in tree.iter() if (text := (element.text or "").strip()))


@pytest.mark.slow
def test_a_simulation_shows_arrivals_throttles_concurrency_and_age(result: SimulationResult, tmp_path: Path) -> None:
    simulation_chart(result, tmp_path / "chart.svg")
    shown = words(tmp_path / "chart.svg")
    for title in (
        " of 4 targets met",
        "Webhooks offered: peak",
        "Webhooks throttled: peak",
        "ProcessWebhookFunction: peak",
        "3 reserved",
        "CheckAlertsFunction: peak",
        "Iterator age of the stream: peak",
        *("per second", "executions", "seconds", "minutes from the start"),
    ):
        assert title in shown


@pytest.mark.usefixtures("few_rates")
def test_every_line_of_the_sizing_has_a_label(tmp_path: Path) -> None:
    draw_sizing(tmp_path / "chart.svg")
    shown = words(tmp_path / "chart.svg")
    for label in (
        *("total: 40", "ProcessWebhook: 20", "CheckAlerts: 10", "Other: 10", "60 reservable"),
        *("this environment: 20,000", "webhooks per hour", "reserved executions"),
        "dev: 23 of 60 reservable executions, fits the account",
    ):
        assert label in shown


@pytest.mark.usefixtures("few_rates")
@pytest.mark.slow
def test_a_limit_far_above_the_total_is_in_the_title(tmp_path: Path) -> None:
    draw_sizing(tmp_path / "chart.svg", 900)
    assert "900 reservable (off the chart)" in words(tmp_path / "chart.svg")


def test_the_sizing_of_an_environment_ends_at_the_highest_rate(tmp_path: Path) -> None:
    sizing_chart(judged("dev"), tmp_path / "chart.svg")
    shown = words(tmp_path / "chart.svg")
    assert "dev: 11 of 900 reservable executions, fits the account" in shown
    for label in ("total: 37", "ProcessWebhook: 20", "900 reservable (off the chart)", "this environment: 100"):
        assert label in shown


@pytest.mark.slow
def test_the_same_chart_has_the_same_bytes_and_no_date(result: SimulationResult, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        simulation_chart(result, tmp_path / name)
    one = (tmp_path / "one.svg").read_text()
    assert one == (tmp_path / "two.svg").read_text()
    assert "<dc:date>" not in one


@pytest.mark.usefixtures("few_rates")
@pytest.mark.slow
def test_charts_read_on_light_and_dark_pages(result: SimulationResult, tmp_path: Path) -> None:
    """The background is white in both, and no text or line is."""
    simulation_chart(result, tmp_path / "chart.svg")
    draw_sizing(tmp_path / "sizing.svg")
    for name in ("chart.svg", "sizing.svg"):
        svg = (tmp_path / name).read_text()
        background, *others = re.findall(r"fill: ?#ffffff", svg)
        assert background
        assert len(others) == svg.count('id="axes_')
        assert not re.search(r"stroke: ?#ffffff", svg)


@pytest.mark.slow
def test_a_missing_folder_is_reported(result: SimulationResult, tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutput, match="name a file that can be written"):
        simulation_chart(result, tmp_path / "none" / "chart.svg")


def test_a_folder_that_is_not_writable_is_reported_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(
        "generator.report.charts.TemporaryFile", refused
    )  # Root may write to any folder, so permissions would not do.
    with pytest.raises(UnwritableOutput, match="Permission denied; name a file that can be written"):
        require(tmp_path / "chart.svg")


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "chart.svg").mkdir()
    with pytest.raises(UnwritableOutput, match="Is a directory; name a file"):
        require(tmp_path / "chart.svg")


@pytest.mark.usefixtures("few_rates")
def test_a_symbolic_link_is_kept_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "link.svg").symlink_to(tmp_path / "chart.svg")
    draw_sizing(tmp_path / "link.svg")
    assert (tmp_path / "link.svg").is_symlink()
    assert "total: 40" in words(tmp_path / "chart.svg")


@pytest.mark.usefixtures("few_rates")
def test_a_chart_that_fails_leaves_the_existing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object, svg: Any, **__: object) -> None:
        Path(svg).write_text("half") if isinstance(svg, Path | str) else svg.write("half")
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", interrupted)
    (tmp_path / "chart.svg").write_text("before")
    with pytest.raises(KeyboardInterrupt):
        draw_sizing(tmp_path / "chart.svg")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("chart.svg", "before")]


def test_without_matplotlib_the_error_names_the_install_command(
    result: SimulationResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(GeneratorError, match=r"matplotlib is not installed; run: .* -m pip install 'matplotlib"):
        simulation_chart(result, tmp_path / "chart.svg")
