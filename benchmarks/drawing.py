"""The results as a chart on white, which reads the same on light and dark pages."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from generator.report import charts

(BAR, _), (MARK, _), *_ = charts.LOOKS
BAR_INCHES, TITLE_INCHES, CAPTION_INCHES, MARGIN_INCHES = 0.27, 0.55, 0.17, 0.15
BAR_HEIGHT = 0.66
LABEL_SHARE = 0.12
CAPTION_WIDTH = 140
SETTINGS = {**charts.SETTINGS, "svg.hashsalt": "benchmarks", "axes.grid": False}


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars under a title: name, value and label of each. A limit is a mark across the bar of that name."""

    title: str
    bars: Sequence[tuple[str, float, str]]
    limits: Mapping[str, float] = field(default_factory=dict)


def draw(panels: Sequence[Panel], caption: Sequence[str], path: Path) -> None:
    """Write the panels below each other, with the caption at the foot."""
    lines = [part for line in caption for part in textwrap.wrap(line, CAPTION_WIDTH)]
    heights = [len(panel.bars) * BAR_INCHES + TITLE_INCHES for panel in panels]
    foot_inches = len(lines) * CAPTION_INCHES + MARGIN_INCHES
    height_inches = sum(heights) + foot_inches + MARGIN_INCHES
    foot, margin = foot_inches / height_inches, MARGIN_INCHES / height_inches
    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(9, height_inches), layout="constrained")
        figure.get_layout_engine().set(rect=(0, foot, 1, 1 - foot - margin), h_pad=0.1)
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axis, panel in zip(axes, panels, strict=True):
            _bars(axis, panel)
        figure.text(0.01, margin / 2, "\n".join(lines), fontsize=8, va="bottom", linespacing=1.4)
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _bars(axis: Any, panel: Panel) -> None:
    names, values, labels = zip(*panel.bars, strict=True)
    places = range(len(values))
    axis.barh(places, values, color=BAR, height=BAR_HEIGHT)
    whole = max(*values, *panel.limits.values()) * 1.2
    for place, name, value, label in zip(places, names, values, labels, strict=True):
        limit = panel.limits.get(name, 0)
        if limit:
            axis.vlines(limit, place - 0.5, place + 0.5, color=MARK, linewidth=2)
        # Put the label beside the bar, or beyond the mark where the mark would cross it.
        after = limit if 0 < limit - value < whole * LABEL_SHARE else value
        axis.annotate(label, (after, place), (6, 0), textcoords="offset points", va="center")
    axis.set_yticks(places, names)
    axis.invert_yaxis()
    axis.set_xlim(0, whole)
    axis.xaxis.set_visible(False)
    axis.spines["bottom"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set_title(panel.title)
