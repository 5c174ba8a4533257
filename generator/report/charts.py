"""Charts as SVG: a simulated hour, and reserved concurrency against the rate.

They have a white background, so that they read the same on light and dark pages. The title has the environment and the
verdict. Every line has a label and its own style, so nothing depends on colour. The same input gives the same bytes.
"""

from __future__ import annotations

import errno
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from generator import _runtime
from generator._format import counted, significant, visible
from generator.capacity import planning
from generator.config.project import foreign
from generator.errors import Fault, GeneratorError, UnwritableOutput
from generator.plans import JudgedPlan
from generator.template.writing import write

if TYPE_CHECKING:
    from generator.simulation.result import SimulationResult

INK = "#3d444d"
"""A contrast of 9 to 1 on white."""

LOOKS = (("#0b62b0", "-"), ("#a85200", "--"), ("#00704c", "-."), ("#8a3ea8", (0, (1, 1.2))))
"""Colours and styles of lines: blue, orange, green and purple that colour-blind readers can tell apart, each with a
contrast of 5 to 1 on white."""
LIMIT = {"color": INK, "linewidth": 1.2, "linestyle": (0, (6, 3))}
"""The line of a limit: a reservation, or an account's reservable concurrency."""

OFF_THE_CHART = 4
"""A limit above this multiple of the highest total is not drawn, because it would flatten everything else."""

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
    "figure.facecolor": "white",
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "figure.constrained_layout.w_pad": 0.15,
    "figure.constrained_layout.h_pad": 0.08,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "axes.grid": True,
    "axes.grid.axis": "y",
}


def require(path: Path) -> None:
    """Check that a chart can be drawn and written, before any work is done for it.

    Raises UnwritableOutput if the file cannot be written, GeneratorError if matplotlib is not installed.
    """
    _matplotlib()
    if fault := foreign(path):
        raise UnwritableOutput([fault])
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


def simulation_chart(result: SimulationResult, path: Path | str) -> None:
    """Draw arrivals, throttles, each function's concurrency with its reservation, and the iterator age over time.

    Raises like `require`.
    """
    chart = result.chart
    unit_s, unit = (60.0, "minutes") if result.hours <= 3 else (3600.0, "hours")
    times = [time_s / unit_s for time_s in chart.times_s]
    busy = [name for name, peaks in chart.concurrency_peak.items() if result["functions"][name]["invocations"]]
    with _figure(_simulated(result), 3 + len(busy), 1.45, path) as axes:
        _panel(axes[0], times, chart.offered_per_s, 0, "Webhooks offered", "per second")
        _panel(axes[1], times, chart.throttled_per_s, 1, "Webhooks throttled", "per second")
        for axis, name in zip(axes[2:], busy, strict=False):
            _concurrency(axis, times, chart.concurrency_peak[name], chart.reserved[name], name)
        _panel(axes[-1], times, chart.iterator_age_s, 3, "Iterator age of the stream", "seconds")
        axes[-1].set_xlabel(f"{unit} from the start")


def sizing_chart(judged: JudgedPlan, path: Path | str) -> None:
    """Draw an environment's reservations from the lowest rate to the highest that can be sized.

    The lines are their total, each function's part, and the account's limit, whose label is on the other side of the
    environment's own rate. Raises like `require`.
    """
    rates, reserved = planning.staircase(judged.environment)
    reservable, own_rate = judged.verdict.account.reservable, judged.environment.traffic.webhooks_per_hour
    fits = "fits" if judged.verdict.fits else "does not fit"
    title = f"{judged.name}: {judged.verdict.total:,} of {reservable:,} reservable executions, {fits} the account"
    total = [sum(parts) for parts in zip(*reserved.values(), strict=True)]
    with _figure(title, 1, 4.6, path) as (axis,):
        axis.step(rates, total, where="post", color=INK, linewidth=2.4)
        names = [(total[-1], f"total: {total[-1]:,}", INK)]
        for position, (name, executions) in enumerate(reserved.items()):
            shade, style = LOOKS[position % len(LOOKS)]
            axis.step(rates, executions, where="post", color=shade, linestyle=style, linewidth=1.6)
            names.append((executions[-1], f"{name.removesuffix('Function')}: {executions[-1]:,}", shade))
        is_left = own_rate * 2 < rates[0] + rates[-1]
        _mark_own_rate(axis, own_rate, is_left)
        if reservable <= OFF_THE_CHART * max(total):
            axis.axhline(reservable, **LIMIT)
            place = (rates[-1 if is_left else 0], reservable), (-2 if is_left else 2, 4)
            side = "right" if is_left else "left"
            axis.annotate(f"{reservable:,} reservable", *place, textcoords="offset points", ha=side)
        else:
            axis.set_title(f"{reservable:,} reservable (off the chart)")
        axis.set_xlabel("webhooks per hour")
        axis.set_ylabel("reserved executions")
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_ylim(bottom=0)
        _name_lines(axis, rates[-1], names)
        axis.yaxis.get_major_locator().set_params(integer=True)


def _simulated(result: SimulationResult) -> str:
    verdicts = Counter(str(target["verdict"]) for target in result["targets"])
    met = f"{verdicts.pop('met', 0)} of {counted(len(result['targets']), 'target')} met"
    others = "".join(f", {count} {verdict}" for verdict, count in verdicts.items())
    return f"{result['environment']}, workload {result['workload']}: {met}{others}"


def _mark_own_rate(axis: Any, own_rate_per_hour: float, is_left: bool) -> None:
    axis.axvline(own_rate_per_hour, color=INK, linewidth=0.8, linestyle=":")
    axis.annotate(
        f"this environment: {own_rate_per_hour:,.0f}",
        *((own_rate_per_hour, 1), (4 if is_left else -4, -4)),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if is_left else "right",
        va="top",
    )


def _panel(axis: Any, times: Sequence[float], values: Sequence[float], position: int, title: str, unit: str) -> None:
    shade, style = LOOKS[position]
    axis.plot(times, values, color=shade, linestyle=style, linewidth=1.4)
    axis.fill_between(times, values, color=shade, alpha=0.15, linewidth=0)
    axis.set_title(f"{title}: peak {significant(max(values))} {unit}")
    axis.set_ylabel(unit)
    axis.set_ylim(0, max(values) * 1.15 or 1)


def _concurrency(axis: Any, times: Sequence[float], peaks: Sequence[int], reserved: int | None, name: str) -> None:
    shade, _ = LOOKS[2]
    axis.plot(times, peaks, color=shade, linewidth=1.4, drawstyle="steps-mid")
    axis.fill_between(times, peaks, color=shade, alpha=0.15, linewidth=0, step="mid")
    reservation = "not reserved" if reserved is None else f"{reserved:,} reserved"
    axis.set_title(f"{visible(name)}: peak {max(peaks):,}, {reservation}")
    axis.set_ylabel("executions")
    axis.yaxis.get_major_locator().set_params(integer=True)
    if reserved is not None:
        axis.axhline(reserved, **LIMIT)
    axis.set_ylim(0, max([*peaks, reserved or 1]) * 1.2)


def _name_lines(axis: Any, x: float, names: Sequence[tuple[float, str, str]]) -> None:
    """Label the lines at their right ends instead of in a legend; labels that would overlap are moved apart."""
    apart = axis.get_ylim()[1] * 0.04
    lowest = 0.0
    for y, text, shade in sorted(names):
        lowest = max(y, lowest)
        axis.annotate(text, (x, lowest), (6, 0), textcoords="offset points", color=shade, va="center")
        lowest += apart


@contextmanager
def _figure(title: str, panels: int, panel_inches: float, path: Path | str) -> Iterator[Any]:
    """Yield panels below each other that share the x axis, then replace the file with the finished chart."""
    matplotlib, figures = _matplotlib()
    with matplotlib.rc_context(SETTINGS):
        figure = figures.Figure(figsize=(8.4, panels * panel_inches + 0.9), layout="constrained")
        figure.suptitle(visible(title), x=0.02, ha="left")
        yield figure.subplots(panels, 1, sharex=True, squeeze=False)[:, 0]
        svg = io.StringIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
    require(Path(path))
    write(Path(path), svg.getvalue())


def _matplotlib() -> tuple[Any, Any]:
    try:
        # matplotlib reads a matplotlibrc of the current folder, which can name programs to run.
        with chdir(Path(__file__).parent):
            return import_module("matplotlib"), import_module("matplotlib.figure")
    except ImportError as error:
        fault = Fault("--chart", "matplotlib is not installed", f"run: {_runtime.install_command('charts')}")
        raise GeneratorError([fault]) from error
