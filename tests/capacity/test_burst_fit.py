"""The size of bursts comes back from synthetic recordings."""

from __future__ import annotations

from random import Random

import pytest

from generator.capacity.burst_fit import webhooks_per_burst
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
    assert webhooks_per_burst(recording(size, swing=swing), PROCESS_WEBHOOK) == pytest.approx(size, rel=0.12)


def test_regular_arrivals_have_no_bursts() -> None:
    assert webhooks_per_burst([number / 70 for number in range(20_000)], PROCESS_WEBHOOK) == 1.0
