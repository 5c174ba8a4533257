"""The size of bursts comes back from synthetic recordings."""

from __future__ import annotations

from random import Random

import pytest

from generator.capacity.burst_fit import fit
from generator.config.files import load

PROCESS_WEBHOOK = load(
    {"name": "prod", "region": "us-east-1", "traffic": {"webhooks_per_hour": 50_000}}
).functions.process_webhook


def recording(size: float, per_s: float = 70.0, duration_s: float = 360.0, swing: bool = False) -> list[float]:
    """Geometric bursts of a mean size, all at once; with a swing, the rate doubles from one minute to the next."""
    random, now, times = Random(7), 0.0, []
    while now < duration_s:
        now += random.expovariate(per_s * (2 if swing and now // 60 % 2 else 1) / size)
        times.append(now)
        while random.random() > 1 / size:
            times.append(now)
    return times


@pytest.mark.parametrize("size", [1.0, 1.2, 1.5, 2.0, 5.0])
@pytest.mark.parametrize("swing", [False, True])
def test_the_size_of_synthetic_bursts_comes_back(size: float, swing: bool) -> None:
    assert fit(recording(size, swing=swing), PROCESS_WEBHOOK).webhooks_per_burst == pytest.approx(size, rel=0.12)


def test_regular_arrivals_have_no_bursts() -> None:
    assert fit([number / 70 for number in range(20_000)], PROCESS_WEBHOOK).webhooks_per_burst == 1.0


def test_units_for_a_share_are_what_all_other_webhooks_find_in_progress() -> None:
    """Bursts of 9 at once, an hour apart: the number k of each finds k - 1 in progress."""
    fitted = fit([3600.0 * burst for burst in range(10) for _ in range(9)], PROCESS_WEBHOOK)
    assert [fitted.share_finding(count) for count in (0, 1, 8, 9)] == [1.0, 8 / 9, 1 / 9, 0.0]
    assert [fitted.in_progress_for(share) for share in (0, 0.1, 0.12, 0.5, 1)] == [9, 9, 8, 5, 0]
    assert fitted.most_at_once == 9


def test_the_largest_burst_is_in_progress_at_once() -> None:
    steady = [number / 2 for number in range(200)]
    assert fit(sorted([*steady, *[50.25] * 61]), PROCESS_WEBHOOK).most_at_once in range(61, 64)
    assert fit(steady, PROCESS_WEBHOOK).most_at_once < 4
