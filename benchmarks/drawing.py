"""The results as a picture, which reads on light and dark pages."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

INK, BAR, MARK = "#808080", "#2f80c8", "#c8741e"
BAR_INCHES, TITLE_INCHES, CAPTION_INCHES = 0.27, 0.55, 0.19
CAPTION_WIDTH = 118
SETTINGS: Mapping[str, Any] = {
    "svg.hashsalt": "benchmarks",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars under a title, each with its value in words; a limit is a dashed line across some of them."""

    title: str
    bars: Sequence[tuple[str, float, str]]
    limit: tuple[float, str] | None = None


def draw(panels: Sequence[Panel], caption: Sequence[str], path: Path) -> None:
    """Writes the panels below each other, with the caption at the foot."""
    lines = [part for line in caption for part in textwrap.wrap(line, CAPTION_WIDTH)]
    heights = [len(panel.bars) * BAR_INCHES + TITLE_INCHES for panel in panels]
    foot_inches = len(lines) * CAPTION_INCHES + 0.1
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(9, sum(heights) + foot_inches), layout="constrained")
        figure.get_layout_engine().set(
            rect=(0, foot_inches / figure.get_figheight(), 1, 1 - foot_inches / figure.get_figheight())
        )
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            _bars(axis, panel)
        figure.text(0.01, 0.06 / figure.get_figheight(), "\n".join(lines), fontsize=8, va="bottom", linespacing=1.4)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _bars(axis: Any, panel: Panel) -> None:
    names, values, words = zip(*panel.bars, strict=True)
    places = range(len(values))
    axis.barh(places, values, color=BAR, height=0.66)
    for place, value, text in zip(places, values, words, strict=True):
        axis.annotate(text, (value, place), (5, 0), textcoords="offset points", va="center")
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set_xlim(0, max(values) * 1.28)
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set_title(panel.title)
    if panel.limit:
        value, text = panel.limit
        axis.axvline(value, color=MARK, linewidth=1.2, linestyle=(0, (6, 3)))
        axis.annotate(text, (value, 0), (4, 12), textcoords="offset points", color=MARK, annotation_clip=False)
