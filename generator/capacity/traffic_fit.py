"""State a measured rate and its peak as settings. The peak is kept, because the reservations follow from it."""

from __future__ import annotations

from typing import NamedTuple

from generator._format import number, rate, significant
from generator.config.schema import PEAK_FACTOR, WEBHOOKS_PER_HOUR


class TrafficFit(NamedTuple):
    """The two settings. A note is empty if there is nothing to note."""

    webhooks_per_hour: int
    peak_factor: float
    rate_note: str
    """The measured rate if the setting does not allow it."""
    peak_note: str
    """The effect on the reservations if no values of the two settings state the peak."""


def fit(per_hour: float, peak_per_hour: float) -> TrafficFit:
    """Return the settings for the rates of the busiest hour and of the busiest minute, both in webhooks per hour.

    A rate outside its range becomes the nearest that is allowed, with the peak factor that keeps the peak.
    """
    (lowest, highest), (least, most) = WEBHOOKS_PER_HOUR, PEAK_FACTOR
    measured = round(per_hour)
    stated = min(max(measured, lowest), highest)
    factor = round(min(max(peak_per_hour / stated, least), most), 2)
    if stated == measured:
        return TrafficFit(stated, factor, "", "")
    rate_note = f"measured {measured:,}; the setting allows {lowest:,} to {highest:,}"
    peak, limit = _different_rates(peak_per_hour / 3600, stated * factor / 3600)
    if peak_per_hour > highest * most:
        what = f"the peak of {peak} is above {limit}, the highest that the two settings can state"
        effect = "the reservations that follow are too small; split the sources over two stacks"
    elif peak_per_hour < lowest * least:
        what = f"the peak of {peak} is below {limit}, the lowest that the two settings can state"
        effect = "the reservations that follow may be larger than needed"
    else:
        ratio = round(peak_per_hour / per_hour, 2)
        kept = f", so peak_factor is {number(factor)} instead of {number(ratio)} to keep the peak of "
        kept += rate(peak_per_hour / 3600)
        return TrafficFit(stated, factor, rate_note + ("" if ratio == factor else kept), "")
    return TrafficFit(stated, factor, rate_note, f"{what}: {effect}")


def _different_rates(*rates_per_s: float) -> list[str]:
    """Return two rates with as many digits as show that they differ."""
    rounded = [rate(per_s) for per_s in rates_per_s]
    exact = ([f"{significant(per_s, digits)}/s" for per_s in rates_per_s] for digits in range(4, 14))
    return next((pair for pair in (rounded, *exact) if pair[0] != pair[1]), rounded)
