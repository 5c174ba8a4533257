"""Pictures, as SVG: a simulated hour, and reserved concurrency against the rate.

They are drawn in greys and shades that read on light and dark pages alike, on no background of their own, and every
line carries its name and a style of its own, so nothing depends on colour. The same input gives the same bytes.
"""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from generator import _extras
from generator.errors import Fault, GeneratorError, UnwritableOutput
from generator.template.writing import write

if TYPE_CHECKING:
    from generator.simulation.result import Result

INK = "#808080"
"""Mid-grey: a contrast of about 4 to 1 on white and 5 to 1 on black."""

SHADES = ("#2f80c8", "#c8741e", "#2e9a62", "#b05fc0")
STYLES = ("-", "--", "-.", (0, (1, 1.2)))
LIMIT = {"color": INK, "linewidth": 1.2, "linestyle": (0, (6, 3))}
"""The line of a limit: a reservation, or what an account lets reserve."""

SETTINGS: Mapping[str, Any] = {
    "svg.hashsalt": "price-alert-stack",
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
    "grid.color": INK,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.grid.axis": "y",
}


def require(path: Path) -> None:
    """Checks before any work is done for a picture that it could be drawn and kept. Raises like `simulation_chart`."""
    _matplotlib()
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UnwritableOutput(
            [Fault(str(path), error.strerror or str(error), "name a file that can be written")]
        ) from error


def simulation_chart(result: Result, path: Path | str) -> None:
    """Arrivals and throttles, each function's concurrency against its reservation, and the iterator age, over time.

    Raises UnwritableOutput if the file cannot be written, GeneratorError if matplotlib is not installed.
    """
    chart = result.chart
    unit_s, unit = (60.0, "minutes") if result.hours <= 3 else (3600.0, "hours")
    times = [time_s / unit_s for time_s in chart.times_s]
    busy = [name for name, peaks in chart.concurrency_peak.items() if result["functions"][name]["invocations"]]
    with _figure(3 + len(busy), 1.45, path) as axes:
        _panel(axes[0], times, chart.offered_per_s, 0, "webhooks offered per second (mean)")
        _panel(axes[1], times, chart.throttled_per_s, 1, "webhooks throttled per second (mean)")
        for axis, name in zip(axes[2:], busy, strict=False):
            _concurrency(axis, times, chart.concurrency_peak[name], chart.reserved[name], name)
        _panel(axes[-1], times, chart.iterator_age_s, 3, "stream: oldest iterator age in seconds (largest)")
        axes[-1].set_xlabel(f"{unit} of {result['workload']} in {result['environment']}")


def sizing_chart(
    rates_per_hour: Sequence[float],
    reserved: Mapping[str, Sequence[int]],
    reservable: int,
    path: Path | str,
    chosen_per_hour: float | None = None,
) -> None:
    """The sum of all reservations against the rate, and each function's part, with what the account lets reserve.

    `reserved` has one number per rate for each function. `chosen_per_hour` marks the environment's own rate. Raises
    like `simulation_chart`.
    """
    total = [sum(parts) for parts in zip(*reserved.values(), strict=True)]
    with _figure(1, 4.6, path) as (axis,):
        axis.step(rates_per_hour, total, where="post", color=INK, linewidth=2.4)
        names = [(total[-1], f"sum: {total[-1]}", INK)]
        for position, (name, units) in enumerate(reserved.items()):
            shade, style = SHADES[position % len(SHADES)], STYLES[position % len(STYLES)]
            axis.step(rates_per_hour, units, where="post", color=shade, linestyle=style, linewidth=1.6)
            names.append((units[-1], f"{name.removesuffix('Function')}: {units[-1]}", shade))
        _name_lines(axis, rates_per_hour[-1], names)
        _account_line(axis, rates_per_hour, max(total), reservable)
        if chosen_per_hour is not None:
            axis.axvline(chosen_per_hour, color=INK, linewidth=0.8, linestyle=":")
        axis.set_xlabel("webhooks per hour")
        axis.set_ylabel("reserved concurrent executions")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_ylim(bottom=0)
        axis.yaxis.get_major_locator().set_params(integer=True)


def _account_line(axis: Any, rates_per_hour: Sequence[float], highest: int, reservable: int) -> None:
    """The account's line where it is in sight; else a word on where it is, lest it flatten everything."""
    if reservable <= 4 * highest:
        axis.axhline(reservable, **LIMIT)
        axis.annotate(
            f"the account lets reserve {reservable}",
            (rates_per_hour[0], reservable),
            (2, 4),
            textcoords="offset points",
        )
    else:
        axis.set_title(f"the account lets reserve {reservable:,}: far above this picture")


def _panel(axis: Any, times: Sequence[float], values: Sequence[float], position: int, title: str) -> None:
    """One quantity over time, with its largest value written at its place."""
    shade, style = SHADES[position % len(SHADES)], STYLES[position % len(STYLES)]
    axis.plot(times, values, color=shade, linestyle=style, linewidth=1.4)
    axis.fill_between(times, values, color=shade, alpha=0.15, linewidth=0)
    axis.set_title(f"{title}; at most {max(values):.3g}")
    axis.set_ylim(0, max(values) * 1.15 or 1)


def _concurrency(axis: Any, times: Sequence[float], peaks: Sequence[int], reserved: int | None, name: str) -> None:
    """The most that ran at once, with the reservation as a line above it."""
    axis.plot(times, peaks, color=SHADES[2], linewidth=1.4, drawstyle="steps-mid")
    axis.fill_between(times, peaks, color=SHADES[2], alpha=0.15, linewidth=0, step="mid")
    shared = "shares the account's pool"
    axis.set_title(f"{name}: at once, at most {max(peaks)}; {shared if reserved is None else f'reserved {reserved}'}")
    if reserved is not None:
        axis.axhline(reserved, **LIMIT)
    axis.set_ylim(0, max([*peaks, reserved or 1]) * 1.2)


def _name_lines(axis: Any, x: float, names: Sequence[tuple[float, str, str]]) -> None:
    """The lines' names at their right ends, instead of a legend; those of lines that meet are moved apart."""
    apart = max(y for y, _, _ in names) * 0.05
    lowest = 0.0
    for y, text, shade in sorted(names):
        lowest = max(y, lowest)
        axis.annotate(text, (x, lowest), (6, 0), textcoords="offset points", color=shade, va="center")
        lowest += apart


@contextmanager
def _figure(panels: int, panel_inches: float, path: Path | str) -> Iterator[Any]:
    """Panels below each other with one axis of time; written at the end, whole: what was there stays until then."""
    matplotlib, figures = _matplotlib()
    with matplotlib.rc_context(SETTINGS):
        figure = figures.Figure(figsize=(8.4, panels * panel_inches + 0.5), layout="constrained")
        yield figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        picture = io.StringIO()
        figure.savefig(picture, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    require(Path(path))
    write(Path(path), picture.getvalue())


def _matplotlib() -> tuple[Any, Any]:
    try:
        return import_module("matplotlib"), import_module("matplotlib.figure")
    except ImportError as error:
        fault = Fault("--chart", "matplotlib is not installed", f"run: {_extras.install('charts')}")
        raise GeneratorError([fault]) from error
