"""The settings that state a measured rate, and the notes on what they cannot state."""

from __future__ import annotations

import pytest

from generator.capacity.traffic_fit import fit


@pytest.mark.parametrize(
    ("peak_per_hour", "figures"),
    [
        (6_000_000, "the peak of 1,670/s is above 1,390/s,"),
        (5_000_100, "the peak of 1,388.92/s is above 1,388.89/s,"),
    ],
)
def test_a_peak_above_the_highest_never_looks_equal_to_it(peak_per_hour: float, figures: str) -> None:
    assert fit(60_000, peak_per_hour).peak_note.startswith(figures)


def test_figures_that_differ_by_a_rounding_error_end() -> None:
    assert fit(60_000, 5_000_000.000000001).peak_note.startswith("the peak of 1,390/s is above 1,390/s,")


def test_a_factor_that_stays_is_not_named() -> None:
    assert fit(50_001, 60_000).rate_note == "measured 50,001; the setting allows 100 to 50,000"
    assert fit(60_000, 72_000).rate_note.endswith("so peak_factor is 1.44 instead of 1.2 to keep the peak of 20/s")
