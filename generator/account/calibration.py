"""Derive settings from the metrics of a deployed stack, and find where the metrics contradict the model."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import attrgetter

from generator._format import counted, duration, number, percent, significant
from generator.account.metrics import HOUR_S, MINUTE_S, Points, utc
from generator.capacity import traffic_fit
from generator.capacity.sizing import CHECK_ALERTS, PROCESS_WEBHOOK, SEND_NOTIFICATION, SETTINGS, Sizing
from generator.config.schema import Environment
from generator.errors import Fault, UnreadableMetrics
from generator.stack.monitoring import ITERATOR_AGE_MS

WEBHOOKS, THROTTLES = "process_webhook_invocations_sum", "process_webhook_throttles_sum"
NOTIFICATIONS, NOTIFICATION_ERRORS = "send_notification_invocations_sum", "send_notification_errors_sum"
AGES, ITERATOR_AGE = "send_notification_asynceventage", "check_alerts_iteratorage_maximum"
"""The ids of metrics. That of the age of events ends with its percentile."""

MIN_POINTS = 24
"""A value from fewer hours or minutes is weak."""

MIN_RUNS = 1000
"""A percentile, a share or a peak of fewer runs is weak: the 95th percentile of 1,000 runs rests on the 50 longest."""

MIN_RUNS_FOR_P95 = 20
"""Runs that an hour needs for a 95th percentile; with fewer, that is the longest run."""

MOST_UNSEEN = -math.log(1e-6)
"""A gap is a hole if steady traffic would have more events in it: it stays empty with a probability below 1e-6."""

LATE_MS = 1000
"""A notification that Lambda retries starts a second late at the earliest. Source: AWS Lambda Developer Guide,
"Asynchronous invocation"."""

UNMEASURED = (
    ("traffic.busiest_shard_share", "CloudWatch has no metric per shard; count the markets in the access log"),
    ("traffic.webhooks_per_burst", "a minute hides its bursts; fit a trace of times: generator size ENV --fit-trace"),
    ("traffic.alerts_per_crossing", "the number of alerts on one threshold is in the alerts table"),
)
"""Settings that no metric measures, and where to look instead."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured setting. `relative_error` is twice the standard error over the value; None if not known."""

    setting: str
    stated: float
    measured: float
    period_s: int
    points: int
    relative_error: float | None = None
    weaknesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """The measured settings, holes in the recording, missing metrics, and contradictions between model and metrics.

    `not_judged` describes the metrics that cannot contradict the model, because they or their counts are missing.
    """

    start_s: int
    end_s: int
    measurements: tuple[Measurement, ...]
    holes: tuple[tuple[int, int], ...]
    missing: tuple[str, ...]
    contradictions: tuple[str, ...]
    not_judged: tuple[str, ...]

    @property
    def overrides(self) -> list[str]:
        """The measured settings as KEY=VALUE."""
        return [f"{measurement.setting}={measurement.measured:.10g}" for measurement in self.measurements]


def calibrate(
    environment: Environment,
    sizing: Sizing,
    series: Mapping[str, Points],
    reports: Mapping[str, Sequence[float | None]],
) -> Calibration:
    """Derive the settings from points (by the ids of their metrics) and from REPORT lines (by function).

    The lines of a function are the initialisation times of its runs, in milliseconds; None for a run without one.
    Raises UnreadableMetrics if the values seem to have another unit or another period.
    """
    webhooks = _arrived(series)
    holes = tuple(_holes(webhooks))
    measurements = (
        *_traffic(environment, webhooks, holes),
        *_alerts(environment, series, _whole_hours(webhooks)),
        *_durations(environment, series),
        *_cold_starts(environment, reports),
    )
    if faults := [*_spaced(webhooks), *_wrong_units(measurements)]:
        raise UnreadableMetrics(faults)
    least = math.ceil(1 / environment.targets.notification_wait_probability - 1e-9)
    late, few = _late_hours(series, least)
    return Calibration(
        start_s=min((time for points in series.values() for time in points), default=0),
        end_s=max((time + _period_s(id_) for id_, points in series.items() for time in points), default=0),
        measurements=measurements,
        holes=holes,
        missing=tuple(_missing(webhooks, series, reports, {measurement.setting for measurement in measurements})),
        contradictions=tuple(_contradictions(environment, sizing, series, late)),
        not_judged=tuple(_not_judged(series, few, least)),
    )


def _measured(
    environment: Environment,
    setting: str,
    value: float,
    error: float | None,
    points: int,
    notes: Iterable[str],
    period_s: int = HOUR_S,
) -> Measurement:
    """Return a measurement beside the stated value of its setting, without the notes that are empty."""
    stated = attrgetter(setting)(environment)
    return Measurement(setting, stated, value, period_s, points, error, tuple(filter(None, notes)))


def _arrived(series: Mapping[str, Points]) -> Points:
    """Return the webhooks of each minute. Throttled webhooks count, although they caused no invocation."""
    invoked, throttled = series.get(WEBHOOKS, {}), series.get(THROTTLES, {})
    times = invoked.keys() | {time for time, count in throttled.items() if count} if invoked else ()
    return {time: invoked.get(time, 0.0) + throttled.get(time, 0.0) for time in sorted(times)}


def _period_s(id_: str) -> int:
    return MINUTE_S if id_ in (WEBHOOKS, THROTTLES) else HOUR_S


def _holes(arrived: Points, edges: Sequence[int] = ()) -> Iterator[tuple[int, int]]:
    """Yield start and end of each gap, also to the edges, that the rate of the hours around it does not explain."""
    full = [time for time, count in arrived.items() if count]
    for earlier, later in pairwise(sorted([*full, *edges])):
        missing = (later - earlier) // MINUTE_S - 1
        if missing < 1:
            continue
        around = [
            arrived.get(time, 0.0)
            for time in (*range(earlier - HOUR_S, earlier + 1, MINUTE_S), *range(later, later + HOUR_S, MINUTE_S))
            if full[0] <= time <= full[-1]
        ]
        if missing * math.fsum(around) / len(around) > MOST_UNSEEN:
            yield earlier + MINUTE_S, later


def _whole_hours(arrived: Points) -> set[int]:
    """Return the starts of the hours that have webhooks and are recorded from start to end."""
    hours = {time - time % HOUR_S for time, count in arrived.items() if count}
    if not hours:
        return hours
    gaps = _holes(arrived, (min(hours) - MINUTE_S, max(hours) + HOUR_S))
    return hours - {hour for start, end in gaps for hour in range(start - start % HOUR_S, end, HOUR_S)}


def _spaced(webhooks: Points) -> Iterator[Fault]:
    """Yield a fault if the webhooks were counted in longer periods than a minute."""
    times = [time for time, count in webhooks.items() if count]
    step_s = math.gcd(*(later - earlier for earlier, later in pairwise(times)))
    total = math.fsum(webhooks.values())
    if step_s <= MINUTE_S or total < 2 * len(times):
        return
    minutes = (times[-1] - times[0]) / MINUTE_S + 1
    if (minutes - len(times)) * total / minutes > MOST_UNSEEN:
        yield Fault(WEBHOOKS, f"its points are {step_s} s apart", f"export it with period {MINUTE_S}")


def _wrong_units(measurements: Sequence[Measurement]) -> Iterator[Fault]:
    """Yield a fault for each duration that is about a thousand times shorter or longer than stated."""
    for item in measurements:
        if item.setting.endswith("_ms") and item.measured and item.stated:
            times = item.measured / item.stated
            unit = "seconds" if 1 / 3000 < times < 1 / 300 else "microseconds" if 300 < times < 3000 else None
            if unit:
                what = f"{number(item.measured)} ms, although {number(item.stated)} is stated, seems to be in {unit}"
                yield Fault(item.setting, what, "export milliseconds, or correct the setting if it is that far off")


def _traffic(environment: Environment, arrived: Points, holes: Sequence[tuple[int, int]]) -> Iterator[Measurement]:
    """Yield the rate and the peak factor of the busiest hour."""
    if not any(arrived.values()):
        return
    minutes = (max(arrived) - min(arrived)) // MINUTE_S + 1
    weaknesses = (
        f"{duration(minutes * MINUTE_S)}, less than a day" if minutes < MIN_POINTS * 60 else "",
        f"{counted(len(holes), 'hole')} in the recording" if holes else "",
    )
    start, busiest = _busiest_hour(arrived)
    peak = max(arrived.values())
    fitted = traffic_fit.fit(busiest / min(1.0, minutes / 60), 60 * peak)
    rate, rate_error = fitted.webhooks_per_hour, 2 / math.sqrt(busiest)
    rate_notes = (*weaknesses, fitted.rate_note, f"the hour from {utc(start)}")
    yield _measured(environment, "traffic.webhooks_per_hour", rate, rate_error, len(arrived), rate_notes, MINUTE_S)
    factor, peak_error = fitted.peak_factor, 2 / math.sqrt(peak)
    by_chance = f"the busiest minute has only {peak:.0f} webhooks, and chance raises it" if peak < 100 else ""
    peak_notes = (*weaknesses, fitted.peak_note, by_chance)
    yield _measured(environment, "traffic.peak_factor", factor, peak_error, len(arrived), peak_notes, MINUTE_S)


def _busiest_hour(arrived: Points) -> tuple[int, float]:
    """Return the start and the webhooks of the busiest 60 minutes, which may begin at any minute."""
    first = min(arrived)
    minutes = range(first, max(arrived) + MINUTE_S, MINUTE_S)
    before = [0.0, *accumulate(arrived.get(time, 0.0) for time in minutes)]
    last = len(minutes)
    webhooks = [before[min(begin + 60, last)] - before[begin] for begin in range(max(1, last - 59))]
    busiest = max(webhooks)
    return minutes[webhooks.index(busiest)], busiest


def _alerts(environment: Environment, series: Mapping[str, Points], hours: set[int]) -> Iterator[Measurement]:
    """Yield the alerts per webhook in hours that were recorded from start to end.

    A failed run is repeated, so each success is one notification. A function without an invocation has no points, so
    an hour without a point counts as 0 unless that is too unlikely.
    """
    webhooks, sent, errors = (_hourly(series, id_) for id_ in (WEBHOOKS, NOTIFICATIONS, NOTIFICATION_ERRORS))
    both = {hour for hour in hours if hour in sent and webhooks.get(hour)}
    if not both:
        return
    usual = math.fsum(sent[hour] for hour in both) / math.fsum(webhooks[hour] for hour in both)
    both |= {hour for hour in hours if webhooks.get(hour) and usual * webhooks[hour] < MOST_UNSEEN}
    succeeded = math.fsum(sent.get(hour, 0.0) - errors.get(hour, 0.0) for hour in both)
    alerts = max(0.0, succeeded)
    per_webhook = significant(alerts / math.fsum(webhooks[hour] for hour in both)).replace(",", "")
    left_out = len(webhooks.keys() | sent.keys()) - len(both)
    notes = (
        f"only {alerts:.0f} notifications" if alerts < MIN_RUNS else "",
        "more errors than runs; export both for the same time" if succeeded < 0 else "",
        f"without {counted(left_out, 'hour')} that lack webhooks or notifications" if left_out > 0 else "",
    )
    error = 2 / math.sqrt(alerts) if alerts else None
    yield _measured(environment, "traffic.alerts_per_webhook", float(per_webhook), error, len(both), notes)


def _durations(environment: Environment, series: Mapping[str, Points]) -> Iterator[Measurement]:
    """Yield the mean and the 95th percentile duration of each function, with the hours weighted by their runs."""
    for name in SETTINGS.values():
        counts = _hourly(series, f"{name}_invocations_sum")
        for statistic, key, least in (("average", "mean_duration_ms", 1), ("p95", "p95_duration_ms", MIN_RUNS_FOR_P95)):
            points = series.get(f"{name}_duration_{statistic}", {})
            runs = {time: counts[time] for time in points if counts.get(time, 0.0) >= least}
            if not runs:
                continue
            total = math.fsum(runs.values())
            mean = math.fsum(runs[time] * points[time] for time in runs) / total
            spread = math.fsum((runs[time] * (points[time] - mean)) ** 2 for time in runs)
            error = 2 * math.sqrt(spread) / total / mean if len(runs) > 1 else None
            notes = (
                f"only {counted(len(runs), 'hour')}" if len(runs) < MIN_POINTS else "",
                f"only {total:.0f} runs" if total < MIN_RUNS and least > 1 else "",
            )
            yield _measured(environment, f"functions.{name}.{key}", float(f"{mean:.3g}"), error, len(runs), notes)


def _hourly(series: Mapping[str, Points], id_: str) -> dict[int, float]:
    hours: dict[int, float] = {}
    for time, value in series.get(id_, {}).items():
        hours[time - time % HOUR_S] = hours.get(time - time % HOUR_S, 0.0) + value
    return hours


def _cold_starts(environment: Environment, reports: Mapping[str, Sequence[float | None]]) -> Iterator[Measurement]:
    for logical_id, lines in reports.items():
        starts = [start_ms for start_ms in lines if start_ms is not None]
        if not starts:
            continue
        mean = math.fsum(starts) / len(starts)
        variance = math.fsum((start_ms - mean) ** 2 for start_ms in starts) / max(1, len(starts) - 1)
        error = 2 * math.sqrt(variance / len(starts)) / mean if mean and len(starts) > 1 else None
        notes = (
            f"only {counted(len(starts), 'cold start')}" if len(starts) < MIN_POINTS else "",
            f"{percent(len(starts) / len(lines))} of {counted(len(lines), 'run')} started cold",
        )
        setting = f"functions.{SETTINGS[logical_id]}.cold_start_ms"
        yield _measured(environment, setting, float(f"{mean:.3g}"), error, len(starts), notes, period_s=0)


def _missing(
    webhooks: Points, series: Mapping[str, Points], reports: Container[str], measured: Container[str]
) -> Iterator[str]:
    if not webhooks:
        yield f"traffic: the export has no {WEBHOOKS}"
    elif not any(webhooks.values()):
        yield "traffic: the export has no webhooks; export a time with traffic"
    elif NOTIFICATIONS not in series:
        yield f"traffic.alerts_per_webhook: the export has no {NOTIFICATIONS}"
    elif "traffic.alerts_per_webhook" not in measured:
        yield "traffic.alerts_per_webhook: no hour has all of its webhooks and notifications"
    for name in SETTINGS.values():
        runs = f"{name}_invocations_sum"
        if lacking := _lacking(series, runs, f"{name}_duration_average", f"{name}_duration_p95"):
            yield f"functions.{name}: {lacking}"
        elif max(_hourly(series, runs).values()) < MIN_RUNS_FOR_P95:
            yield f"functions.{name}.p95_duration_ms: no hour has {MIN_RUNS_FOR_P95} runs"
    if not reports:
        yield "functions.*.cold_start_ms: give REPORT lines with --reports"


def _lacking(series: Mapping[str, Points], *ids: str) -> str:
    """Return which of the metrics the export does not have, as text."""
    lacking = [id_ for id_ in ids if id_ not in series]
    return f"the export has no {' and no '.join(lacking)}" if lacking else ""


def _contradictions(
    environment: Environment, sizing: Sizing, series: Mapping[str, Points], late: Sequence[int]
) -> Iterator[str]:
    targets = environment.targets
    if WEBHOOKS in series and THROTTLES in series:
        throttled = math.fsum(series[THROTTLES].values())
        arrived = math.fsum(series[WEBHOOKS].values()) + throttled
        share = throttled / arrived if arrived else 0.0
        expected = targets.webhook_throttle_probability * arrived
        if throttled > expected + 3 * math.sqrt(expected) + 3:
            yield (
                f"{throttled:,.0f} of {arrived:,.0f} webhooks were throttled ({percent(share)}), above the "
                f"target of {percent(targets.webhook_throttle_probability)}{_prediction(sizing, PROCESS_WEBHOOK)}"
            )
    if late:
        yield (
            f"in {counted(len(late), 'hour')} more than {percent(targets.notification_wait_probability)} of "
            f"notifications started a second or more late, first from {utc(late[0])}"
            f"{_prediction(sizing, SEND_NOTIFICATION)}"
        )
    lag = series.get(ITERATOR_AGE, {}).values()
    if hours := sum(value >= ITERATOR_AGE_MS for value in lag):
        yield (
            f"records waited up to {number(max(lag) / 1000)} s for {CHECK_ALERTS}, and "
            f"{duration(ITERATOR_AGE_MS / 1000)} or more in {counted(hours, 'hour')}; "
            "the model expects the lanes of a shard to keep up"
        )


def _prediction(sizing: Sizing, function: str) -> str:
    predicted = sizing[function].predicted
    return "" if predicted is None else f"; the model predicts {percent(predicted)} at the peak"


def _id_of_ages(series: Mapping[str, Points]) -> str:
    """Return the id of the age of events with its percentile, or its beginning if the export has no such metric."""
    return next((id_ for id_ in series if id_.startswith(AGES)), AGES)


def _late_hours(series: Mapping[str, Points], least: int) -> tuple[list[int], list[int]]:
    """Return the hours whose percentile of the age is late: those with so many notifications, and others."""
    ages = series.get(_id_of_ages(series), {})
    runs = _hourly(series, NOTIFICATIONS)
    late = [hour for hour, age_ms in ages.items() if age_ms >= LATE_MS]
    return [hour for hour in late if runs.get(hour, 0) >= least], [hour for hour in late if runs.get(hour, 0) < least]


def _not_judged(series: Mapping[str, Points], few: Sequence[int], least: int) -> Iterator[str]:
    """Yield the metrics that were not compared with the model, and why."""
    needed = {
        "throttled webhooks": (WEBHOOKS, THROTTLES),
        "late notifications": (NOTIFICATIONS, _id_of_ages(series)),
        f"records that wait for {CHECK_ALERTS}": (ITERATOR_AGE,),
    }
    for what, ids in needed.items():
        if lacking := _lacking(series, *ids):
            yield f"{what}: {lacking}"
    if NOTIFICATIONS in series and few:
        yield (
            f"late notifications in {counted(len(few), 'hour')}, first from {utc(few[0])}: some started a second or "
            f"more late, but an hour needs {least} for a share"
        )
